"""A server among thousands of requests that mean harm: what it answers to them, and what becomes of it."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pytest
from conftest import Live
from fleet import Connection
from lxml import etree

from fixtures.hostile import KEY, LEAVER, MEMBER, SESSION, Hostile, requests
from models import transact
from server.actions import accounts
from server.app import METRICS, App
from server.config import Settings
from server.faces.chat import face as chat
from server.faces.pages import face as pages
from server.faces.published import METHODS
from server.faces.tapatalk import face as forum
from server.passwords import Passwords

# Of how many seeds the requests are sent; most values come with one in eight of them.
SEEDS = int(os.environ.get("HOSTILE", "1"))
SENDERS = 6
SECONDS = 60
LEAST_REQUESTS, LEAST_ATTEMPTS = 2000, 5
MOST_MEGABYTES = 256
LOOK_SECONDS = 0.1
SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).parents[2] / "fixtures" / "xmlrpc.rng"))
LONGEST = "\N{PENGUIN}".encode() * 10_000
NO_BODY = (204, 304)
INTERNAL, UNAVAILABLE, INTERNAL_FAULT = 500, 503, -32603
# Only what is slow may be told to come again: passwords, and pictures.
TAKES_TURNS = re.compile(r"login|auth/token|credential|picture|that is called")
# A page of whole programs, which name what they use.
PROGRAMS = re.compile("GET /docs/cookbook: ")
INSIDES = {
    "a class of Python's": r"\b[A-Z]\w*(?:Error|Exception|Warning)\b|<class |\b0x[0-9a-f]{6,}",
    "a traceback": r"Traceback|File \"|, line \d+, in |panicked",
    "a path": r"\.py\b|site-packages|/usr/|/opt/|/tmp/|/home/|root:x:0|live\.(?:db|files|log)",
    # The metrics tell those who run the server on which engine it is.
    "SQL": r"\bSELECT\b|INSERT INTO|\"t1\"|(?<!engine=\")sqlite|psycopg|peewee|constraint",
}


@dataclass
class Answer:
    """One answer, of those that came on one connection."""

    status: int
    head: str
    body: bytes

    @property
    def kind(self) -> str:
        found = re.search(r"^content-type: ([^;\r\n]*)", self.head, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else ""

    @property
    def text(self) -> str:
        return f"{self.head}\n{self.body.decode(errors='replace')}"


@dataclass
class Attack:
    """What was sent, what came of it, and what the server used meanwhile."""

    live: Live
    credentials: dict[str, str]
    mallory: Connection
    script: Connection
    answers: list[tuple[Hostile, list[Answer]]] = field(default_factory=list)
    most: float = 0.0
    afterwards: float = 0.0
    before: set[tuple[int, str]] = field(default_factory=set)
    after: set[tuple[int, str]] = field(default_factory=set)

    @property
    def log(self) -> str:
        return (self.live.folder / "live.log").read_text()

    def each(self) -> Iterator[tuple[str, Answer]]:
        """Every answer, with the name of what it answers."""
        return ((request.name, answer) for request, answers in self.answers for answer in answers)


def processes(live: Live) -> list[int]:
    """The server's first process, and those that it has started."""
    tasks = Path(f"/proc/{live.process.pid}/task").glob("*/children")
    return [live.process.pid, *(int(word) for task in tasks for word in task.read_text().split())]


def standing(live: Live) -> set[tuple[int, str]]:
    """Its processes, with when each was started."""
    return {
        (pid, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) for pid in processes(live)
    }


def megabytes(live: Live) -> float:
    """What all its processes hold, with what they share counted once."""
    texts = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in processes(live))
    return sum(int(re.findall(r"^Pss: +(\d+)", text, re.MULTILINE)[0]) for text in texts) / 1024


@contextmanager
def watched(attack: Attack) -> Iterator[None]:
    """Note the most memory that is held meanwhile."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_SECONDS):
            with suppress(OSError):
                attack.most = max(attack.most, megabytes(attack.live))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def exchanged(attack: Attack, request: Hostile) -> bytes:
    """All that comes back, up to the end of the connection or the beginning of a stream without one."""
    host, _, port = attack.live.address.removeprefix("http://").rpartition(":")
    received = bytearray()
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        # A server may well hang up before it has heard everything.
        with suppress(OSError):
            connection.sendall(request.sent_with(attack.credentials))
            if request.cut:
                connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while chunk := connection.recv(65536):
                received += chunk
                if b"text/event-stream" in chunk:
                    break
    return bytes(received)


def answers_in(data: bytes, verb: bytes) -> Iterator[Answer]:
    """The answers that came one after another."""
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        status = int(head[9:12])
        length = re.search(rb"^content-length: (\d+)", head, re.MULTILINE | re.IGNORECASE)
        size = 0 if verb == b"HEAD" or status in NO_BODY else int(length[1]) if length else len(data)
        assert size <= len(data), "an answer is shorter than it says"
        yield Answer(status, head.decode("latin-1"), data[:size])
        data = data[size:]


def send(attack: Attack, request: Hostile) -> None:
    received = exchanged(attack, request)
    attack.answers.append((request, list(answers_in(received, request.data.partition(b" ")[0]))))


def arranged(live: Live) -> Attack:
    """The people and conversations that the requests are written for."""

    def add() -> dict[str, str]:
        passwords = Passwords(1)
        mallory = accounts.add_user(passwords, "mallory", "secret", number="555-0101", identifier="a:1")
        accounts.add_user(passwords, "bob", None, number="555-0102", identifier="a:2")
        return {
            MEMBER: accounts.add_token(mallory, "a"),
            LEAVER: accounts.add_token(mallory, "b"),
            SESSION: accounts.begin_session(mallory, "127.0.0.1", False),
            KEY: accounts.add_key("a"),
        }

    with live.store():
        credentials = transact(add, writes=True)
    mallory = Connection(live.address, Authorization=f"Bearer {credentials[MEMBER]}")
    script = Connection(live.address, X_API_Key=credentials[KEY])
    assert mallory.call("new_conversation", [b"bob"], b"Hi", b"first")["conv_id"] == "1"
    assert mallory.rest("POST", "/chat", {"userId": 2})["id"] == "2"
    script.call("Players_Connect", 1, "a:1", "555-0101", "Mal Lory")
    script.call("Players_Connect", 2, "a:2", "555-0102", "Bob Banks")
    assert script.call("Darkchat_CreateConversationByNumber", "555-0101", "Room")["newConv"]["id"] == 3
    assert mallory.call("new_conversation", [b"bob"], b"Long", LONGEST)["conv_id"] == "4"
    for _ in range(49):
        assert mallory.call("reply_conversation", "4", LONGEST)["result"]
    return Attack(live, credentials, mallory, script)


@pytest.fixture(scope="module")
def first() -> list[Hostile]:
    """The requests of the first seed."""
    return list(requests(0))


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory, first: list[Hostile]) -> Iterator[Attack]:
    """A server to which everything has been sent, over a few connections at a time."""
    live = Live(tmp_path_factory.mktemp("hostile"), "--limits", "off", "--metrics", "on")
    made = arranged(live)
    made.before = standing(live)
    with watched(made), ThreadPoolExecutor(SENDERS) as pool:
        for seed in range(SEEDS):
            among = requests(seed) if seed else first
            for each in [pool.submit(send, made, request) for request in among]:
                each.result()
    made.after, made.afterwards = standing(live), megabytes(live)
    yield made
    made.mallory.close()
    made.script.close()
    live.stop()


# What is answered


def test_many_requests_are_made_alike(first: list[Hostile]) -> None:
    """The same seed gives the same requests, thousands of them, and another seed gives others."""
    assert list(requests(0)) == first
    assert list(islice(requests(1), 1000)) != first[:1000]
    assert len(first) >= LEAST_REQUESTS


def test_everything_published_is_tried(first: list[Hostile], store: Settings) -> None:
    """Each method, form, route and plain address is asked for, in several ways, because it is published."""
    addresses = [*App(store).routes, METRICS]
    published = [*METHODS, *forum.forms, *chat.routes, *pages.routes, *addresses]
    asked = Counter(re.split("[,:]| by | with | at ", each.name)[0] for each in first)
    assert {name for name in published if asked[name] < LEAST_ATTEMPTS} == set()


def test_each_request_is_answered(attack: Attack) -> None:
    """Whatever is HTTP gets an answer, and every answer is as long as it says."""
    assert [request.name for request, answers in attack.answers if request.proper and not answers] == []


def test_no_answer_is_an_error_of_the_server_s_own(attack: Attack) -> None:
    """No answer has a status of 500 or above, nor a fault of that kind, but 503 where calls take turns."""
    wrong = [(name, answer.status) for name, answer in attack.each() if answer.status >= INTERNAL]
    assert [each for each in wrong if each[1] != UNAVAILABLE or not TAKES_TURNS.search(each[0])] == []
    faults = [(name, fault_of(answer)) for name, answer in attack.each()]
    assert [each for each in faults if each[1] == INTERNAL_FAULT] == []
    assert [each for each in faults if each[1] == UNAVAILABLE and not TAKES_TURNS.search(each[0])] == []


def fault_of(answer: Answer) -> int | None:
    """The code of the fault that an answer is, if it is one."""
    found = re.search(rb"<fault>.*faultCode</name><value><int>(-?\d+)<", answer.body, re.DOTALL)
    return int(found[1]) if found else None


@pytest.mark.parametrize("what", INSIDES)
def test_no_answer_shows_what_is_inside(attack: Attack, what: str) -> None:
    """No answer, nor its head, has a class's name, a place in the code or on the disk, or SQL."""
    others = (each for each in attack.each() if not PROGRAMS.match(each[0]))
    shown = ((name, re.search(INSIDES[what], answer.text)) for name, answer in others)
    assert [(name, found[0]) for name, found in shown if found] == []


def test_no_answer_says_where_the_server_is(attack: Attack) -> None:
    """No answer has the folder of the store or that of the program."""
    places = (str(attack.live.folder), attack.live.database, sys.prefix, str(Path.cwd()))
    assert [name for name, answer in attack.each() if any(place in answer.text for place in places)] == []


def test_no_answer_has_a_credential(attack: Attack) -> None:
    """No answer, and no line of the log, has a token or key, though most requests had one."""
    secrets = [each.encode() for each in attack.credentials.values()]
    assert [name for name, answer in attack.each() if any(each in answer.body for each in secrets)] == []
    assert not [each for each in secrets if each in attack.log.encode()]


def test_xml_is_answered_by_xml_rpc(attack: Attack) -> None:
    """Every answer that is XML is well-formed and valid by the schema of XML-RPC."""
    answers = [
        (name, answer.body) for name, answer in attack.each() if answer.kind == "text/xml" and answer.body
    ]
    assert len(answers) > LEAST_REQUESTS
    assert [name for name, body in answers if not SCHEMA.validate(etree.fromstring(body))] == []


def test_json_is_answered_by_json(attack: Attack) -> None:
    """Every answer that is JSON can be read, and is what it says: an answer or a problem with its status."""
    answers = [
        (name, answer) for name, answer in attack.each() if answer.kind.endswith("json") and answer.body
    ]
    for name, answer in answers:
        value = json.loads(answer.body, parse_constant=pytest.fail)
        assert answer.kind == "application/json" or value["status"] == answer.status, name
    assert len(answers) > LEAST_REQUESTS / 10


# What becomes of the server


def test_its_processes_are_those_from_before(attack: Attack) -> None:
    """No process has died, and none has been started."""
    assert attack.after == attack.before


def test_its_memory_is_bounded(attack: Attack) -> None:
    """All processes together hold little, at any moment."""
    print(
        f"{len(attack.answers)} requests: {attack.most:.0f} MB at most, {attack.afterwards:.0f} MB afterwards"
    )
    assert attack.most < MOST_MEGABYTES
    assert attack.afterwards < MOST_MEGABYTES


def test_nothing_has_failed(attack: Attack) -> None:
    """The log has a line for each request, and none that tells of a failure."""
    assert re.findall(r".*(?:failed|Traceback|ERROR|panicked|cannot be written).*", attack.log) == []


def test_the_attacker_is_still_known(attack: Attack) -> None:
    """No request has ended the credentials by which the others came, so that all of them came through."""
    assert attack.mallory.call("get_inbox_stat")["result"]
    assert attack.script.call("GetNumberFromIdentifier", "a:2") == "555-0102"


def test_it_goes_on_through_every_door(attack: Attack) -> None:
    """Honest people are answered afterwards through each door, and read each other."""
    live = attack.live
    ann, bob = live.player("ann"), live.player("bob")
    sent = ann.rpc.new_conversation([bob.name.encode()], b"Lunch", b"At noon?")
    assert bob.rpc.get_conversation(sent["conv_id"])["list"][0]["msg_content"] == b"At noon?"
    with closing(Connection(live.address, Authorization=f"Bearer {ann.token}")) as chatting:
        chatting.rest("POST", f"/chat/{sent['conv_id']}/messages", {"text": "Hello"})
    assert bob.rpc.get_inbox_stat()["inbox_unread_count"] == 1
    room = live.script().Darkchat_CreateConversationByNumber(ann.number, "Night shift")
    assert room["success"]


def test_its_store_is_sound(attack: Attack) -> None:
    """The command that checks the store finds nothing."""
    place = ["--database", attack.live.database, "--files", str(attack.live.files)]
    command = [sys.executable, "-m", "server", "check", *place]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stdout + said.stderr
