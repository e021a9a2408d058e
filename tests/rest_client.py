"""A client of the chat door that knows HTTP and JSON, and nothing of the server's own code."""

import http.client
import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

SECONDS = 30
FORM = "application/x-www-form-urlencoded"


# The headers that differ from one answer to the next, whoever asks for what.
CHANGING = {"date", "x-request-id"}


def lasting(headers: Iterable[tuple[str, str]], *less: str) -> list[tuple[str, str]]:
    """The *headers* of an answer that are the same each time, but for some."""
    return sorted((name, value) for name, value in headers if name.lower() not in CHANGING | set(less))


@dataclass
class Answer:
    """What came back, down to the bytes."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return ", ".join(value for each, value in self.headers if each.lower() == name.lower())

    def has(self, name: str) -> bool:
        return any(each.lower() == name.lower() for each, _ in self.headers)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str]:
        """The status and the word of a problem document."""
        return self.status, self.json["code"]


class Client:
    """Requests to one server, each of which bears the same *headers*."""

    def __init__(self, address: str, **headers: str) -> None:
        """Names of headers have _ for -."""
        host, _, port = address.removeprefix("http://").rpartition(":")
        self.host, self.port = host, int(port)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection: http.client.HTTPConnection | None = None

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, SECONDS)

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Send all requests over one connection for now."""
        with closing(self.connect()) as self.connection:
            self.connection.connect()
            yield
        self.connection = None

    def send(self, verb: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.connection is not None:
            return exchange(self.connection, verb, path, body, {**self.headers, **named})
        with closing(self.connect()) as connection:
            return exchange(connection, verb, path, body, {**self.headers, **named})

    def get(self, path: str, **query: Any) -> Answer:
        return self.send("GET", f"{path}?{urlencode(query)}" if query else path)

    def delete(self, path: str) -> Answer:
        return self.send("DELETE", path)

    def post(self, path: str, sent: Any = None, *, verb: str = "POST", **headers: str) -> Answer:
        """Send JSON."""
        body = b"" if sent is None else json.dumps(sent).encode()
        return self.send(verb, path, body, **{"Content_Type": "application/json", **headers})

    def post_form(self, path: str, fields: dict[str, Any], **headers: str) -> Answer:
        return self.send("POST", path, urlencode(fields).encode(), **{"Content_Type": FORM, **headers})


def exchange(
    connection: http.client.HTTPConnection,
    verb: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
) -> Answer:
    connection.request(verb, path, body, headers)
    response = connection.getresponse()
    return Answer(response.status, response.getheaders(), response.read())


class Chatter(Client):
    """A user at the chat door, who comes with an access token."""

    def __init__(self, address: str, token: str, user_id: str | int, name: str = "") -> None:
        super().__init__(address, Authorization=f"Bearer {token}")
        self.id, self.name, self.token = int(user_id), name, token

    def asks(self, other: "Chatter") -> str:
        """The id of the chat that is there after a request."""
        answer = self.post("/chat", {"userId": other.id})
        assert answer.status in (200, 201), answer
        return str(answer.json["id"])

    def answers(self, chat: str, word: str) -> Any:
        """The chat after it was accepted or declined."""
        answer = self.post(f"/chat/{chat}/{word}")
        assert answer.status == 200, answer
        return answer.json

    def talks_with(self, other: "Chatter") -> str:
        """The id of an active chat with somebody."""
        chat = self.asks(other)
        assert other.answers(chat, "accept")["status"] == "active"
        return chat

    def says(self, chat: str, text: str, **more: Any) -> Any:
        """The message that was made of it."""
        answer = self.post(f"/chat/{chat}/messages", {"text": text, **more})
        assert answer.status == 201, answer
        return answer.json

    def tries(self, chat: str, **message: Any) -> tuple[int, str]:
        """How a message is refused."""
        return self.post(f"/chat/{chat}/messages", message).refusal

    def chat(self, chat: str) -> Any:
        answer = self.get(f"/chat/{chat}")
        assert answer.status == 200, answer
        return answer.json

    def ids(self, path: str, **query: Any) -> list[str]:
        """The ids in a list."""
        answer = self.get(path, **query)
        assert answer.status == 200, answer
        return [each["id"] for each in answer.json]

    def texts(self, chat: str, **query: Any) -> list[str]:
        answer = self.get(f"/chat/{chat}/messages", **query)
        assert answer.status == 200, answer
        return [each["text"] for each in answer.json]

    def totals(self) -> Any:
        return self.get("/chat/totals").json

    def unread(self) -> int:
        return int(self.get("/chat/unread").json["totalUnreadMessages"])
