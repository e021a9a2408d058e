"""A listener to what happens: a long answer of server-sent events, read by a client of these tests' own."""

import http.client
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conftest import Live, Member

SECONDS = 10
ZEROS = {
    "totalPendingRequest": 0,
    "totalPendingRequests": 0,
    "totalUnreadMessages": 0,
    "totalUnreadChats": 0,
}


@dataclass
class Told:
    """One event as a listener gets it."""

    id: str
    kind: str
    data: Any

    @property
    def place(self) -> list[int]:
        """Its id in the order in which ids grow."""
        return [int(number) for number in self.id.split("-")]


class Stream:
    """A listener. *comments* and *retry* are what came beside the events."""

    def __init__(
        self, live: Live, query: str = "", buffer: int = 0, path: str = "/chat/events", **headers: str
    ) -> None:
        host, _, port = live.address.removeprefix("http://").rpartition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
        if buffer:
            self.connection.sock = socket.socket()
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self.connection.sock.settimeout(SECONDS)
            self.connection.sock.connect((host, int(port)))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request("GET", f"{path}{query}", headers=named)
        self.response = self.connection.getresponse()
        self.comments, self.retry = 0, 0

    def __iter__(self) -> Iterator[Told]:
        """What is told, until the server ends it."""
        fields: dict[str, str] = {}
        while line := self.response.readline().decode():
            name, _, value = line.rstrip("\n").partition(":")
            if name:
                fields[name] = value.strip()
            elif line != "\n":
                self.comments += 1
            elif "data" in fields:
                yield Told(fields["id"], fields["event"], json.loads(fields["data"]))
            self.retry = int(fields.pop("retry", self.retry))
            fields = fields if name else {}

    def until(self, kind: str) -> list[Told]:
        """Everything up to the first event of that kind."""
        told = []
        for each in self:
            told.append(each)
            if each.kind == kind:
                return told
        raise AssertionError(f"the answer ended after {told}")

    def next(self, kind: str) -> Told:
        return self.until(kind)[-1]

    def cut(self) -> None:
        """Break the line without a word, as a network does: what is in flight gets an RST for an answer."""
        assert self.connection.sock is not None
        self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def listening(live: Live, member: Member, **more: Any) -> Stream:
    stream = Stream(live, Authorization=f"Bearer {member.token}", **more)
    assert stream.response.status == 200
    if "Last_Event_ID" not in more:
        stream.next("totals")
    return stream


def texts(told: list[Told]) -> list[str]:
    return [each.data["message"]["text"] for each in told if each.kind == "message"]


def conversation(starter: Member, *others: Member) -> str:
    names = [other.name.encode() for other in others]
    return str(starter.rpc.new_conversation(names, b"Subject", b"first")["conv_id"])


def say(author: Member, conversation_id: str, text: str) -> str:
    return str(author.rpc.reply_conversation(conversation_id, text.encode())["msg_id"])
