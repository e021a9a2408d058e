"""Say something in a conversation once, however often it has to be sent.

ADDRESS=http://127.0.0.1:8000 TOKEN=... python3 send_once.py CONVERSATION "On my way."
"""

import os
import sys
import time
from http.client import HTTPException
from uuid import uuid4
from xml.parsers.expat import ExpatError
from xmlrpc.client import Fault, ProtocolError, ServerProxy

conversation, text = sys.argv[1:]
headers = [("Authorization", f"Bearer {os.environ['TOKEN']}"), ("Idempotency-Key", str(uuid4()))]
server = ServerProxy(f"{os.environ['ADDRESS']}/RPC2", headers=headers, use_builtin_types=True)

# Too much at once, a server that cannot write for a moment, and an error of its own.
PASSING = {429, 503, -32603}

for pause in (0.2, 1, 5, 20):
    try:
        answer = server.reply_conversation(conversation, text)
        break
    except Fault as refusal:
        if refusal.faultCode not in PASSING:
            sys.exit(refusal.faultString)
        reason = refusal.faultString
    except ProtocolError as refusal:
        if refusal.errcode != 429 and refusal.errcode < 500:
            sys.exit(f"{refusal.errcode} {refusal.errmsg}")
        reason = refusal.errmsg
    # No answer, or half of one.
    except (OSError, HTTPException, ExpatError) as error:
        reason = repr(error)
    # The same again, under the same key.
    print(f"Once more, after {reason}")
    time.sleep(pause)
else:
    sys.exit("The server does not answer.")
if not answer["result"]:
    sys.exit(answer["result_text"].decode())
print(f"It is message {answer['msg_id']}.")
