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
    total, unread = listed["total_message_num"], listed["unread_num"]
    if not unread:
        continue
    print(f"# {listed['conv_subject'].decode()}")
    # A call gives 50 at most, and moves the read mark to the last of them: so the oldest come first. Of
    # what was marked as unread one's own is not counted: so it begins a call earlier.
    for start in range(max(0, total - unread - 50), total, 50):
        talk = inbox.get_conversation(listed["conv_id"], start, min(start + 49, total - 1))
        for message in talk["list"]:
            if message["is_unread"]:
                author = talk["participants"][message["msg_author_id"]]["username"].decode()
                print(f"{author}: {message['msg_content'].decode()}")
print(f"{inbox.get_inbox_stat()['inbox_unread_count']} conversations are still unread.")
