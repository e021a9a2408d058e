"""Everything that is published, door by door: what is called, and the documents that tell of it."""

import functools
import json
from typing import Any

from .. import __version__
from ..wire import openapi, restpage
from ..wire.reference import Examples, Section
from ..wire.xmlrpc import SYSTEM
from . import chat, phone, tapatalk

METHODS = SYSTEM | tapatalk.face.methods | phone.face.methods
GENERAL = (
    "This address takes XML-RPC calls, from any XML-RPC client. An optional parameter is left out at the "
    "end, or skipped with an empty string, an empty array or nil. Examples are in Python:\n\n"
    "    from xmlrpc.client import ServerProxy\n\n"
    '    server = ServerProxy("http://127.0.0.1:8000/RPC2")\n\n'
    "Faults: -32700 what came is no call, -32601 no such method, -32602 wrong arguments, 401 no or a wrong "
    "server key, 422 another call under a server key's Idempotency-Key, 503 the store cannot be used at this "
    "moment, -32603 an error of the server's own."
)
VALUES = {"method_name": "get_conversations", "call_list": [{"methodName": "get_config", "params": []}]}
# What stands in documents for the address under which a client knows the server.
EXAMPLE_SERVER = "http://127.0.0.1:8000"


UPLOAD = f"curl -u ann:PASSWORD {{fields}} {EXAMPLE_SERVER}/mobiquo/upload.php"


def sections() -> list[Section]:
    """The reference: everything that is published, face by face."""
    forum = [*tapatalk.face.methods.values(), *tapatalk.face.forms.values()]
    return [
        Section("XML-RPC", GENERAL, SYSTEM.values(), Examples("server", VALUES)),
        Section("Forum", tapatalk.ABOUT, forum, Examples("ann", tapatalk.VALUES, UPLOAD)),
        Section("Phone", phone.ABOUT, phone.face.methods.values(), Examples("phone", phone.VALUES)),
        Section("Chat", chat.ABOUT, list(restpage.entries(chat_document(EXAMPLE_SERVER)))),
    ]


def chat_document(server: str) -> dict[str, Any]:
    """The chat door as programs read it, for clients that reach it at the address *server*."""
    about = openapi.About(chat.TITLE, __version__, chat.ABOUT, chat.SECURITY, server, chat.CODES)
    return openapi.document(chat.face.routes.values(), about, chat.OTHERS)


# Made once, for any address: making it takes long, and a client can make up addresses.
@functools.cache
def chat_json() -> str:
    return json.dumps(chat_document(EXAMPLE_SERVER))
