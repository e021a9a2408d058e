#!/bin/sh
# Sends a picture to a member, with a new conversation: an upload, and a message that carries it.
#
# ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... sh picture.sh map.png bob "The way is on the map."
set -eu

member() { printf %s "$2" | tr -d '\n' | sed -n "s/.*<name>$1<\/name><value><[a-z]*>\([^<]*\)<.*/\1/p"; }
escaped() { printf %s "$1" | sed 's/&/\&amp;/g; s/</\&lt;/g'; }
refused() { printf '%s\n' "$1" >&2; exit 1; }

upload=$(curl -sS --fail-with-body -u "$NAME:$PASSWORD" -F method_name=upload_attach -F type=pm -F "attachment=@$1" \
    "$ADDRESS/mobiquo/upload.php")
id=$(member attachment_id "$upload")
group=$(member group_id "$upload")
# A refusal comes with HTTP 200 as well: it has no id, and says why in result_text, as base64.
[ -n "$id" ] || refused "$upload"

sent=$(curl -sS --fail-with-body -u "$NAME:$PASSWORD" -H 'Content-Type: text/xml' -d @- "$ADDRESS/RPC2" <<END
<methodCall><methodName>new_conversation</methodName><params>
<param><value>$(escaped "$2")</value></param>
<param><value>$(escaped "${1##*/}")</value></param>
<param><value>$(escaped "$3")</value></param>
<param><value><array><data><value>$id</value></data></array></value></param>
<param><value>$group</value></param>
</params></methodCall>
END
)
[ "$(member result "$sent")" = 1 ] || refused "$sent"
printf '%s\n' "$sent"
