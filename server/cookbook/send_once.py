"""Say something in a conversation once, however often it has to be sent.

ADDRESS=http://127.0.0.1:8000 TOKEN=... python3 send_once.py CONVERSATION "On my way."
"""

import os
import sys
import time
from http.client import HTTPException
from uuid import uuid4
from xmlrpc.client import Fault, ProtocolError, ServerProxy

conversation, text = sys.argv[1:]
headers = [("Authorization", f"Bearer {os.environ['TOKEN']}"), ("Idempotency-Key", str(uuid4()))]
server = ServerProxy(f"{os.environ['ADDRESS']}/RPC2", headers=headers, use_builtin_types=True)

for pause in (0.2, 1, 5, 20):
    try:
        answer = server.reply_conversation(conversation, text)
        break
    # No answer, half of one, or a server that cannot write for a moment: the same again, under the same key.
    except (OSError, HTTPException, ProtocolError, Fault) as error:
        print(f"Once more, after {error!r}")
        time.sleep(pause)
else:
    sys.exit("The server does not answer.")
if not answer["result"]:
    sys.exit(answer["result_text"].decode())
print(f"It is message {answer['msg_id']}.")
