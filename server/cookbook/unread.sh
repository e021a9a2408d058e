#!/bin/sh
# Prints how many messages are unread in all apps together, for a status bar or a line in cron.
#
# ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... sh unread.sh
set -eu

told=$(curl -sS --fail-with-body -u "$NAME:$PASSWORD" "$ADDRESS/chat/unread")
echo "$told" | sed 's/.*"totalUnreadMessages": *\([0-9]*\).*/\1 unread/'
