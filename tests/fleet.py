"""Servers beside each other on one PostgreSQL, and people who use them through every door and keep account.

Nothing here tries a call again: what comes of each is written down as it came.
"""

import http.client
import json
import select
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, dumps, loads

import engines
from conftest import Live, Player

from models import Message, check

SECONDS = 30
REPEAT_SECONDS = 0.1
ROOM = "Busy"
LOST = (OSError, http.client.HTTPException)
# A message as a door shows it: its id, its author's, and its text.
Said = tuple[int, int, str]
# Pages of messages that are asked for through each door.
FORUM_PAGE, CHAT_PAGE, PHONE_PAGE = 50, 100, 200


class Durable(engines.Cluster):
    """PostgreSQL that waits for the disk, as it does where it is used."""

    def run(self, program: str, *arguments: str) -> Any:
        waits = ("-c", "fsync=on", "-c", "full_page_writes=on") if program == "postgres" else ()
        return super().run(program, *arguments, *waits)


def program(name: str) -> str:
    """Where a program is that the tests need."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        raise RuntimeError(f"The tests need {name}, and it is not installed.")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def filled_in(path: Path, **values: str) -> str:
    """The text of an example with other values; each has to stand in it."""
    text = path.read_text()
    for old, new in values.items():
        assert old in text, f"{path.name} does not say {old}"
        text = text.replace(old, new)
    return text


class Fleet:
    """Servers on one store, each at a port that it keeps when it is started anew."""

    def __init__(self, folder: Path, database: str, *options: str) -> None:
        self.folder, self.database = folder, database
        self.options = ("--limits", "off", "--files", str(folder / "files"), *options)
        self.ports: list[int] = []
        self.servers: list[Live] = []

    def add(self) -> None:
        """One more server."""
        number = len(self.servers)
        (self.folder / f"server{number}").mkdir()
        self.ports.append(free_port())
        self.servers.append(self.start(number))

    def start(self, number: int) -> Live:
        place = ("--port", str(self.ports[number]))
        return Live(self.folder / f"server{number}", *place, *self.options, database=self.database)

    def restart(self, number: int) -> float:
        """End one server by SIGTERM, as it should end, and start it anew; how long its end took."""
        began = time.monotonic()
        assert self.servers[number].stop() == 0
        took = time.monotonic() - began
        self.servers[number] = self.start(number)
        return took

    @property
    def addresses(self) -> list[str]:
        return [each.address for each in self.servers]

    def stop(self) -> None:
        for each in self.servers:
            if each.process.poll() is None:
                each.stop()


@contextmanager
def serving(folder: Path, database: str, *options: str) -> Iterator[Fleet]:
    """Two servers on one store, for this time."""
    made = Fleet(folder, database, *options)
    try:
        for _ in range(2):
            made.add()
        yield made
    finally:
        made.stop()


class Refused(Exception):
    """A call was answered, with a no: *code* is the fault's or HTTP's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Connection:
    """One connection to a server or a proxy, which is kept as long as the other side keeps it."""

    def __init__(self, address: str, **headers: str) -> None:
        host, _, port = address.removeprefix("http://").rpartition(":")
        self.http = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def ask(self, verb: str, path: str, body: bytes | None, kind: str, **headers: str) -> tuple[int, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.is_over():
            self.http.close()
        try:
            self.http.request(verb, path, body, {"Content-Type": kind, **self.headers, **named})
            response = self.http.getresponse()
            return response.status, response.read()
        except LOST:
            self.http.close()
            raise

    def is_over(self) -> bool:
        """Whether the other side has closed it meanwhile, as it does with one that is not used for long."""
        return self.http.sock is not None and has_something(self.http.sock)

    def call(self, method: str, *values: Any, **headers: str) -> Any:
        """What an XML-RPC method answers."""
        sent = dumps(values, method, allow_none=True).encode()
        status, body = self.ask("POST", "/RPC2", sent, "text/xml", **headers)
        if status != http.HTTPStatus.OK:
            raise Refused(status, body.decode(errors="replace"))
        try:
            [answer], _ = loads(body, use_builtin_types=True)
        except Fault as fault:
            raise Refused(fault.faultCode, fault.faultString) from fault
        return answer

    def rest(self, verb: str, path: str, sent: Any = None, **headers: str) -> Any:
        """What the chat door answers."""
        body = None if sent is None else json.dumps(sent).encode()
        status, answer = self.ask(verb, path, body, "application/json", **headers)
        if status >= http.HTTPStatus.BAD_REQUEST:
            raise Refused(status, answer.decode(errors="replace"))
        return json.loads(answer)

    def close(self) -> None:
        self.http.close()


def has_something(connection: socket.socket) -> bool:
    """Whether there is something to be read, if only the end; unlike select it takes any number of files."""
    look = select.poll()
    look.register(connection, select.POLLIN)
    return bool(look.poll(0))


class Room:
    """A room of players, whom every door knows, and what was in it before the test began."""

    def __init__(self, live: Live, many: int) -> None:
        self.key, self.players = live.key(), [live.player() for _ in range(many)]
        with closing(Connection(live.address, X_API_Key=self.key)) as script:
            made = script.call("Darkchat_CreateConversationByNumber", self.players[0].number, ROOM)
            self.id: int = made["newConv"]["id"]
            for other in self.players[1:]:
                assert script.call("Darkchat_AddToConversationByNumber", other.number, self.id)
        with live.store():
            self.before = Message.select().where(Message.conversation == self.id).count()

    def stored(self, live: Live) -> list[tuple[int, int, str]]:
        """Id, place and text of every message, in the order of the places."""
        rows = Message.select(Message.id, Message.seq, Message.body).where(Message.conversation == self.id)
        with live.store():
            return list(rows.order_by(Message.seq).tuples())


@dataclass
class Call:
    """From when to when a call was made, and why it was not done, if it was not."""

    began: float
    ended: float
    error: Exception | None


class Person:
    """A player who speaks through one door after the other, and remembers what he was told.

    One who *repeats* speaks under a key of his own for each message, and says it again under the same key
    where it was refused.
    """

    def __init__(self, room: Room, player: Player, address: str) -> None:
        self.room, self.player = room, player
        self.repeats = False
        self.tried: list[str] = []
        self.acknowledged: dict[str, int] = {}
        self.calls: list[Call] = []
        self.own = Connection(address, Authorization=f"Bearer {player.token}")
        self.script = Connection(address, X_API_Key=room.key)

    def close(self) -> None:
        self.own.close()
        self.script.close()

    @property
    def failed(self) -> list[Exception]:
        """Why calls of his were not done."""
        return [call.error for call in self.calls if call.error is not None]

    def speak(self) -> None:
        """Say the next thing, through the next door, and read a little."""
        body = f"{self.player.name}: {len(self.tried)}"
        self.tried.append(body)
        doors = (self.by_forum, self.by_chat, self.by_phone)
        door, key = doors[len(self.tried) % len(doors)], body if self.repeats else ""
        while not self.attempt(lambda: self.acknowledged.update({body: door(body, key)})) and self.repeats:
            time.sleep(REPEAT_SECONDS)
        reading = (self.open_newest, self.list_chats, self.list_room)
        self.attempt(reading[len(self.tried) // len(reading) % len(reading)])

    def attempt(self, work: Callable[[], Any]) -> bool:
        """Make a call and write down what came of it; whether it was done."""
        began, error = time.monotonic(), None
        try:
            work()
        except (Refused, *LOST) as reason:
            error = reason
        self.calls.append(Call(began, time.monotonic(), error))
        return error is None

    def speak_until(self, stop: threading.Event, pause: float = 0) -> None:
        while not stop.wait(pause):
            self.speak()

    def by_forum(self, body: str, key: str = "") -> int:
        answer = self.own.call("reply_conversation", str(self.room.id), body.encode(), Idempotency_Key=key)
        assert answer["result"], answer
        return int(answer["msg_id"])

    def by_chat(self, body: str, key: str = "") -> int:
        path = f"/chat/{self.room.id}/messages"
        return int(self.own.rest("POST", path, {"text": body}, Idempotency_Key=key)["id"])

    def by_phone(self, body: str, key: str = "") -> int:
        values = self.player.number, self.room.id, body
        answer = self.script.call("Darkchat_SendMessageByNumber", *values, Idempotency_Key=key)
        assert answer["success"], answer
        return int(answer["message"]["id"])

    def open_newest(self) -> None:
        assert self.own.call("get_conversation", str(self.room.id), 0, 9)["result"]

    def list_chats(self) -> None:
        assert self.own.rest("GET", "/chat?limit=5")

    def list_room(self) -> None:
        assert self.script.call("Darkchat_GetMessagesByNumber", self.player.number, self.room.id)

    def all_by_forum(self) -> list[Said]:
        """All messages, in the order in which the forum door shows them."""
        said: list[Said] = []
        while True:
            place = (str(self.room.id), len(said), len(said) + FORUM_PAGE - 1)
            page = self.own.call("get_conversation", *place)["list"]
            said += [
                (int(each["msg_id"]), int(each["msg_author_id"]), each["msg_content"].decode())
                for each in page
            ]
            if len(page) < FORUM_PAGE:
                return said

    def all_by_chat(self) -> list[Said]:
        """The same at the chat door."""
        said: list[Said] = []
        while True:
            query = f"order=asc&limit={CHAT_PAGE}&skip={len(said)}"
            page = self.own.rest("GET", f"/chat/{self.room.id}/messages?{query}")
            said += [(int(each["id"]), each["userId"], each["text"]) for each in page]
            if len(page) < CHAT_PAGE:
                return said

    def all_by_phone(self) -> list[Said]:
        """The same at the phone door, which pages backwards and knows people by their numbers."""
        said: list[Said] = []
        ids = {each.number: int(each.id) for each in self.room.players}
        while True:
            place = (self.player.number, self.room.id, said[-1][0] if said else None, PHONE_PAGE)
            page = self.script.call("Darkchat_GetMessagesByNumber", *place)
            said += [(int(each["id"]), ids[each["sender"]], each["content"]) for each in page]
            if len(page) < PHONE_PAGE:
                return said[::-1]


DOORS = (Person.all_by_forum, Person.all_by_chat, Person.all_by_phone)


class Ear:
    """Someone who listens, in a thread of his own, and comes back where his answer ends.

    *heard* has the ids of messages as they were told.
    """

    def __init__(self, player: Player, address: str) -> None:
        self.player, self.address = player, address
        self.heard: list[int] = []
        self.last, self.is_over = "", False
        self.is_there = threading.Event()
        self.connection: Connection | None = None
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        assert self.is_there.wait(SECONDS)

    def listen(self) -> None:
        while not self.is_over:
            with suppress(*LOST, AttributeError):
                self.listen_once()
            time.sleep(0.1)

    def listen_once(self) -> None:
        """Hear one answer to its end."""
        resumed = {"Last-Event-ID": self.last} if self.last else {}
        with closing(Connection(self.address)) as self.connection:
            where = {"Authorization": f"Bearer {self.player.token}", **resumed}
            self.connection.http.request("GET", "/chat/events", headers=where)
            fields: dict[str, str] = {}
            response = self.connection.http.getresponse()
            while line := response.readline().decode():
                name, _, value = line.rstrip("\n").partition(":")
                if name:
                    fields[name] = value.strip()
                elif line == "\n":
                    self.hear(fields)
                    fields = {}

    def hear(self, fields: dict[str, str]) -> None:
        if "data" in fields:
            self.last = fields["id"]
            self.is_there.set()
        if fields.get("event") == "message":
            self.heard.append(int(json.loads(fields["data"])["message"]["id"]))

    def has_heard(self, ids: list[int]) -> bool:
        """Whether he has heard all of it, once and in order, after some time at most."""
        deadline = time.monotonic() + SECONDS
        while len(self.heard) < len(ids) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        return self.heard == ids

    def end(self) -> None:
        self.is_over = True
        if self.connection is not None and self.connection.http.sock is not None:
            with suppress(OSError):
                self.connection.http.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(SECONDS)


@contextmanager
def crowd(room: Room, *addresses: str) -> Iterator[list[Person]]:
    """A person for each player of a room, at one of the addresses after the other."""
    places = cycle(addresses)
    people = [Person(room, each, next(places)) for each in room.players]
    try:
        yield people
    finally:
        for each in people:
            each.close()


def wait_for(condition: Callable[[], bool], seconds: float = 2 * SECONDS) -> None:
    """Wait until something is so, however slow the machine is."""
    latest = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < latest, "it did not happen in time"
        time.sleep(0.01)


def acknowledged(people: list[Person]) -> int:
    """How many messages of theirs were acknowledged so far."""
    return sum(len(each.acknowledged) for each in people)


@contextmanager
def listening(players: list[Player], *addresses: str) -> Iterator[list[Ear]]:
    """Those of *players* who listen, one at each address."""
    ears = [Ear(player, address) for player, address in zip(players, addresses, strict=False)]
    try:
        yield ears
    finally:
        for each in ears:
            each.end()


@contextmanager
def speaking(people: list[Person], pause: float = 0) -> Iterator[None]:
    """While this lasts all *people* speak."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(people)) as pool:
        runs = [pool.submit(each.speak_until, stop, pause) for each in people]
        try:
            yield
        finally:
            stop.set()
    for each in runs:
        each.result()


def assert_kept(live: Live, room: Room, people: list[Person]) -> list[int]:
    """All that was acknowledged is there once, at its id, and nothing that nobody sent; the ids of it."""
    rows = room.stored(live)
    spoken = rows[room.before :]
    ids = {body: message_id for message_id, _, body in spoken}
    acknowledged = {body: n for each in people for body, n in each.acknowledged.items()}
    assert [seq for _, seq, _ in rows] == list(range(1, len(rows) + 1))
    assert [body for body, times in Counter(body for _, _, body in spoken).items() if times > 1] == []
    assert set(ids) <= {body for each in people for body in each.tried}
    assert {body: ids.get(body) for body in acknowledged} == acknowledged
    with live.store():
        assert list(check.faults()) == []
    return [message_id for message_id, _, _ in spoken]
