#!/bin/sh
# Says something in a conversation once, however often it has to be sent.
#
# ADDRESS=http://127.0.0.1:8000 TOKEN=... sh send_once.sh CONVERSATION "On my way."
set -eu

key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

for pause in 0.2 1 5 20; do
    status=$(curl -sS -o "$answer" -w '%{http_code}' \
        -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $key" \
        --data-urlencode "text=$2" "$ADDRESS/chat/$1/messages") || status=none
    case $status in
        201) cat "$answer"; exit 0 ;;
        # No answer, half of one, or a server that cannot write for a moment: the same again, under the same key.
        none | 429 | 5??) echo "Once more, after status $status" >&2; sleep "$pause" ;;
        *) cat "$answer" >&2; exit 1 ;;
    esac
done
echo "The server does not answer." >&2
exit 1
