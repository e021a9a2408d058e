#!/bin/sh
# Sends a picture to a member, with a new conversation: an upload, and a message that carries it.
#
# ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... sh picture.sh map.png bob "The way is on the map."
set -eu

member() { sed "s/.*<name>$1<\/name><value><string>\([^<]*\)<.*/\1/"; }
escaped() { printf %s "$1" | sed 's/&/\&amp;/g; s/</\&lt;/g'; }

upload=$(curl -sS --fail-with-body -u "$NAME:$PASSWORD" -F method_name=upload_attach -F type=pm -F "attachment=@$1" \
    "$ADDRESS/mobiquo/upload.php" | tr -d '\n')
id=$(printf %s "$upload" | member attachment_id)
group=$(printf %s "$upload" | member group_id)

curl -sS --fail-with-body -u "$NAME:$PASSWORD" -H 'Content-Type: text/xml' -d @- "$ADDRESS/RPC2" <<END
<methodCall><methodName>new_conversation</methodName><params>
<param><value>$(escaped "$2")</value></param>
<param><value>$(escaped "${1##*/}")</value></param>
<param><value>$(escaped "$3")</value></param>
<param><value><array><data><value>$id</value></data></array></value></param>
<param><value>$group</value></param>
</params></methodCall>
END
