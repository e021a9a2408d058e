"""Ask a member for a chat, say something, and wait for the answer.

ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... python3 website_chat.py USER_ID "Still for sale?"
"""

import json
import os
import sys
from urllib.request import Request, urlopen

ADDRESS = os.environ["ADDRESS"]


def post(path, sent, **headers):
    with urlopen(Request(ADDRESS + path, json.dumps(sent).encode(), headers)) as answer:
        return json.load(answer)


login = post("/auth/token", {"username": os.environ["NAME"], "password": os.environ["PASSWORD"]})
head = {"Authorization": f"Bearer {login['accessToken']}"}

# Who listens before he speaks misses no answer: the first event tells how things stand.
events = urlopen(Request(f"{ADDRESS}/chat/events", headers=head))
while not events.readline().startswith(b"data:"):
    pass
chat = post("/chat", {"userId": int(sys.argv[1])}, **head)
said = post(f"/chat/{chat['id']}/messages", {"text": sys.argv[2]}, **head)
print(f"{login['userId']}: {said['text']}")
for line in events:
    name, _, value = line.decode().strip().partition(": ")
    if name == "event":
        kind = value
    elif name == "data" and kind == "message":
        message = json.loads(value)["message"]
        if message["chatId"] == chat["id"] and message["userId"] != login["userId"]:
            print(f"{message['userId']}: {message['text']}")
            break
