"""Ask a member for a chat, say something, and wait for the answer.

ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... python3 website_chat.py USER_ID "Still for sale?"
"""

import json
import os
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ADDRESS = os.environ["ADDRESS"]


def ask(verb, path, sent=None, **headers):
    body = None if sent is None else json.dumps(sent).encode()
    try:
        with urlopen(Request(ADDRESS + path, body, headers, method=verb)) as answer:
            return json.loads(answer.read() or "null")
    except HTTPError as refusal:
        sys.exit(json.load(refusal)["detail"])


def talk(me, other, text, **head):
    # Who listens before he speaks misses no answer: the first event tells how things stand.
    events = urlopen(Request(f"{ADDRESS}/chat/events", headers=head))
    while not events.readline().startswith(b"data:"):
        pass
    chat = ask("POST", "/chat", {"userId": other}, **head)
    said = ask("POST", f"/chat/{chat['id']}/messages", {"text": text}, **head)
    print(f"{me}: {said['text']}", flush=True)
    for line in events:
        name, _, value = line.decode().strip().partition(": ")
        if name == "event":
            kind = value
        elif name == "data" and kind == "message":
            message = json.loads(value)["message"]
            if message["chatId"] == chat["id"] and message["userId"] != me:
                print(f"{message['userId']}: {message['text']}")
                return


login = ask("POST", "/auth/token", {"username": os.environ["NAME"], "password": os.environ["PASSWORD"]})
head = {"Authorization": f"Bearer {login['accessToken']}"}
try:
    talk(login["userId"], int(sys.argv[1]), sys.argv[2], **head)
finally:
    # A token is good until it is given back, also where the talk ended in a refusal or with Ctrl+C.
    ask("DELETE", "/auth/token", **head)
