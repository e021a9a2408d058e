"""The calls that are measured, as the bytes of HTTP requests."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any
from xmlrpc.client import dumps

from stores import FEW, HOST, MANY, OTHER, PASSWORD, SERVER_KEY, Filled, token_of

Make = Callable[[], bytes]
HEAD = (
    "{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n"
    "Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
)
numbers = count(1)


def request(verb: str, path: str, key: str, body: bytes = b"", kind: str = "text/xml") -> bytes:
    return HEAD.format(verb=verb, path=path, key=key, kind=kind, length=len(body)).encode() + body


def rpc(key: str, method: str, *values: Any) -> bytes:
    return request("POST", "/RPC2", key, dumps(values, method).encode())


def get(key: str, path: str) -> bytes:
    return request("GET", path, key)


def post(key: str, path: str, sent: Any) -> bytes:
    return request("POST", path, key, json.dumps(sent).encode(), "application/json")


def same(made: bytes) -> Make:
    return lambda: made


def telling(*parts: Any) -> Make:
    """A message that says something else each time."""
    key, method, conversation = parts
    return lambda: rpc(key, method, conversation, f"message {next(numbers)}".encode())


def operations(filled: Filled) -> dict[str, Make]:
    """Every measured call, by name."""
    few, many, talk = token_of(FEW), token_of(MANY), str(filled.talk)
    return {
        "empty call": same(rpc(few, "system.getCapabilities")),
        "get_inbox_stat": same(rpc(few, "get_inbox_stat")),
        "get_conversations (20)": same(rpc(few, "get_conversations", 0, 19)),
        "get_conversation (20)": same(rpc(few, "get_conversation", talk, 0, 19)),
        "reply_conversation": telling(few, "reply_conversation", talk),
        "new_conversation": lambda: rpc(
            few, "new_conversation", ["user5"], b"Subject", f"{next(numbers)}".encode()
        ),
        "login": same(rpc("", "login", b"user6", PASSWORD.encode())),
        "Darkchat_SendMessage": lambda: rpc(
            SERVER_KEY, "Darkchat_SendMessageByNumber", number_of(HOST), filled.rooms[2], f"{next(numbers)}"
        ),
        "StartCall, EndCall": alternating(
            rpc(SERVER_KEY, "PhoneApp_StartCall", number_of(FEW), number_of(OTHER)),
            rpc(SERVER_KEY, "PhoneApp_EndCallByNumber", number_of(FEW)),
        ),
        "GET /chat": same(get(few, "/chat?limit=20")),
        "GET messages (20)": same(get(few, f"/chat/{filled.chat}/messages?limit=20")),
        "POST messages": lambda: post(few, f"/chat/{filled.chat}/messages", {"text": f"{next(numbers)}"}),
        "many: get_inbox_stat": same(rpc(many, "get_inbox_stat")),
        "many: get_conversations (20)": same(rpc(many, "get_conversations", 0, 19)),
        "many: get_conversation (20)": same(rpc(many, "get_conversation", str(filled.heavy_talk), 0, 19)),
        "many: reply_conversation": telling(many, "reply_conversation", str(filled.heavy_talk)),
        "many: GET /chat": same(get(many, "/chat?limit=20")),
        "many: GET totals": same(get(many, "/chat/totals")),
        "room of 2": telling(token_of(HOST), "reply_conversation", str(filled.rooms[2])),
        "room of 1000": telling(token_of(HOST), "reply_conversation", str(filled.rooms[1000])),
    }


def number_of(user: int) -> str:
    return f"555{user:07}"


def alternating(*made: bytes) -> Make:
    turns = count()
    return lambda: made[next(turns) % len(made)]
