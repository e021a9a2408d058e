#!/bin/sh
# Says something in a conversation once, however often curl has to send it.
#
# ADDRESS=http://127.0.0.1:8000 TOKEN=... sh send_once.sh CONVERSATION "On my way."
set -eu

key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
curl -sS --fail-with-body --retry 5 --retry-all-errors --retry-delay 1 \
    -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $key" \
    --data-urlencode "text=$2" "$ADDRESS/chat/$1/messages"
