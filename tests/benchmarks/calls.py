"""The calls that are measured, as the bytes of HTTP requests."""

import json
from itertools import count, cycle
from typing import Any
from xmlrpc.client import dumps

from driver import Make
from stores import (
    FEW,
    HOST,
    MANY,
    NEWCOMER,
    OTHER,
    PASSWORD,
    READER,
    SERVER_KEY,
    TEN,
    WRITERS,
    Filled,
    token_of,
)

HEAD = (
    "{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n"
    "Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
)
LISTEN = "GET /chat/events HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n\r\n"
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


def in_turn(*makes: Make) -> Make:
    turns = cycle(makes)
    return lambda: next(turns)()


def replying(user: int, conversation: int) -> Make:
    """A message that says something else each time."""
    key, place = token_of(user), str(conversation)
    return lambda: rpc(key, "reply_conversation", place, f"message {next(numbers)}".encode())


def posting(user: int, conversation: int) -> Make:
    """The same at the chat door."""
    key, path = token_of(user), f"/chat/{conversation}/messages"
    return lambda: post(key, path, {"text": f"message {next(numbers)}"})


def operations(filled: Filled) -> dict[str, Make]:
    """Every measured call, by name."""
    few, talk = token_of(FEW), str(filled.talk)
    return {
        "empty call": empty(FEW),
        "get_inbox_stat": stat(FEW),
        "get_conversations (20)": same(rpc(few, "get_conversations", 0, 19)),
        "get_conversation (20)": same(rpc(few, "get_conversation", talk, 0, 19)),
        "reply_conversation": replying(FEW, filled.talk),
        "new_conversation": lambda: rpc(
            few, "new_conversation", [f"user{READER}"], b"Subject", f"{next(numbers)}".encode()
        ),
        "login": same(login(NEWCOMER, PASSWORD)),
        "Darkchat_SendMessage": lambda: rpc(
            SERVER_KEY, "Darkchat_SendMessageByNumber", number_of(HOST), filled.rooms[2], f"{next(numbers)}"
        ),
        "StartCall, EndCall": in_turn(
            same(rpc(SERVER_KEY, "PhoneApp_StartCall", number_of(FEW), number_of(OTHER))),
            same(rpc(SERVER_KEY, "PhoneApp_EndCallByNumber", number_of(FEW))),
        ),
        "GET /chat": same(get(few, "/chat?limit=20")),
        "GET messages (20)": same(get(few, f"/chat/{filled.chat}/messages?limit=20")),
        "POST messages": posting(FEW, filled.chat),
        **user_calls("ten", TEN, filled.light_talk),
        **user_calls("many", MANY, filled.heavy_talk),
        **{room_call(size): replying(HOST, room) for size, room in filled.rooms.items()},
    }


def empty(user: int) -> Make:
    """The least that a user can ask for: none of several calls; the head of the answer says it is his."""
    return same(rpc(token_of(user), "system.multicall", []))


def stat(user: int) -> Make:
    return same(rpc(token_of(user), "get_inbox_stat"))


def user_calls(who: str, user: int, talk: int) -> dict[str, Make]:
    """What is asked by users of whom one has more conversations than another."""
    key = token_of(user)
    return {
        f"{who}: get_inbox_stat": stat(user),
        f"{who}: GET totals": same(get(key, "/chat/totals")),
        f"{who}: get_conversations (10)": same(rpc(key, "get_conversations", 0, 9)),
        f"{who}: GET /chat (10)": same(get(key, "/chat?limit=10")),
        f"{who}: get_conversation (20)": same(rpc(key, "get_conversation", str(talk), 0, 19)),
        f"{who}: reply_conversation": replying(user, talk),
        f"{who}: POST messages": posting(user, talk),
    }


def room_call(size: int) -> str:
    return f"room of {size}"


def login(user: int, password: str) -> bytes:
    return rpc("", "login", f"user{user}".encode(), password.encode())


def number_of(user: int) -> str:
    return f"555{user:07}"


def writers(filled: Filled) -> list[Make]:
    """Each of the writers writes into a conversation of his own, …"""
    return [replying(user, talk) for user, talk in zip(WRITERS, filled.own, strict=True)]


def writers_together(filled: Filled) -> list[Make]:
    """… or all of them into one."""
    return [replying(user, filled.shared) for user in WRITERS]


def readers(filled: Filled) -> list[Make]:
    """The writers, as they read: what an app asks for when it is opened."""
    return [reading(user, talk) for user, talk in zip(WRITERS, filled.own, strict=True)]


def reading(user: int, talk: int) -> Make:
    key = token_of(user)
    return in_turn(
        stat(user),
        same(rpc(key, "get_conversations", 0, 19)),
        same(rpc(key, "get_conversation", str(talk), 0, 19)),
        same(get(key, "/chat?limit=20")),
    )


def mixed(filled: Filled) -> list[Make]:
    """Four reads, and then a message."""
    both = zip(readers(filled), writers(filled), strict=True)
    return [in_turn(reads, reads, reads, reads, writes) for reads, writes in both]
