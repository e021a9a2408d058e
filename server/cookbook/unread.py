"""Print what is unread, from every app, and mark it as read.

ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... python3 unread.py
"""

import os
from urllib.parse import quote
from xmlrpc.client import ServerProxy

scheme, host = os.environ["ADDRESS"].split("://")
login = f"{quote(os.environ['NAME'], safe='')}:{quote(os.environ['PASSWORD'], safe='')}"
inbox = ServerProxy(f"{scheme}://{login}@{host}/RPC2", use_builtin_types=True)

for listed in inbox.get_conversations(0, 49)["list"]:
    if listed["unread_num"]:
        last = listed["total_message_num"] - 1
        talk = inbox.get_conversation(listed["conv_id"], max(0, last - 49), last)
        print(f"# {talk['conv_title'].decode()}")
        for message in talk["list"]:
            if message["is_unread"]:
                author = talk["participants"][message["msg_author_id"]]["username"].decode()
                print(f"{author}: {message['msg_content'].decode()}")
print(f"{inbox.get_inbox_stat()['inbox_unread_count']} conversations are still unread.")
