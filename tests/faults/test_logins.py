"""Logins under attack: guesses by every way in, floods of them, and what the command line ends at once."""

import base64
import hashlib
import json
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, dumps, loads

import pytest
from builders import Cast
from conftest import Live, Member
from rest_client import Answer, Client, lasting

from models import (
    AccessToken,
    Participant,
    ServerKey,
    Session,
    User,
    database,
    digest_of,
    is_embedded,
    transact,
)
from models.engines.postgresql import ALONE
from server.actions import accounts
from server.errors import WrongPassword
from server.faces import tapatalk
from server.passwords import Passwords

FAILURES, FEW = 10, 4
PROXY = "127.0.0.1"
SECONDS = 30
ONCE = {"Idempotency_Key": "once"}
WAIT = re.compile(r"again in [0-9]+ seconds")
FORM = "multipart/form-data; boundary=x"
FILE = b'--x\r\nContent-Disposition: form-data; name="attachment"; filename="a.txt"\r\n\r\nhello\r\n--x--\r\n'


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server of two processes behind a proxy, at which a few failures are the limit."""
    options = ("--workers", "2", "--proxies", PROXY, "--login-burst", str(FEW), "--heartbeat", "60")
    server = Live(tmp_path_factory.mktemp("pair"), *options)
    yield server
    server.stop()


# Ways in


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def call(client: Client, method: str, *values: Any, **headers: str) -> Answer:
    """What an XML-RPC method answers."""
    body = dumps(values, method).encode()
    return client.send("POST", "/RPC2", body, **{"Content_Type": "text/xml", **headers})


def by_login(client: Client, name: str, password: str) -> Answer:
    return call(client, "login", name, password)


def by_multicall(client: Client, name: str, password: str) -> Answer:
    return call(client, "system.multicall", [{"methodName": "login", "params": [name, password]}])


def by_basic(client: Client, name: str, password: str) -> Answer:
    return call(client, "get_inbox_stat", Authorization=basic(name, password))


def by_upload(client: Client, name: str, password: str) -> Answer:
    head = {"Authorization": basic(name, password), "Content_Type": FORM}
    return client.send("POST", "/mobiquo/upload.php", FILE, **head)


def by_chat(client: Client, name: str, password: str) -> Answer:
    return client.send("GET", "/chat/totals", Authorization=basic(name, password))


def by_token(client: Client, name: str, password: str) -> Answer:
    return client.post("/auth/token", {"username": name, "password": password})


def by_download(client: Client, name: str, password: str) -> Answer:
    return client.send("GET", "/attachments/1/a.txt", Authorization=basic(name, password))


def by_events(client: Client, name: str, password: str) -> Answer:
    return client.send("HEAD", "/chat/events", Authorization=basic(name, password))


Way = Callable[[Client, str, str], Answer]
# Those who cannot be told in the words of the forum that they have to wait come last.
WAYS: list[Way] = [by_login, by_multicall, by_basic, by_upload, by_chat, by_token, by_download, by_events]
OUTCOMES = {200: "in", 201: "in", 401: "wrong", 404: "in", 429: "wait", 503: "busy"}


def outcome(answer: Answer) -> str:
    """What became of an attempt: in, wrong, told to wait, told that the server is busy."""
    if not answer.header("Content-Type").startswith("text/xml"):
        return OUTCOMES[answer.status]
    try:
        [result], _ = loads(answer.body, use_builtin_types=True)
    except Fault as fault:
        return OUTCOMES[fault.faultCode]
    result = result[0] if isinstance(result, list) else result
    if isinstance(result, list):
        [result] = result
    if "faultCode" in result:
        return OUTCOMES[result["faultCode"]]
    if result["result"]:
        return "in"
    return "wait" if WAIT.search(result["result_text"].decode()) else "wrong"


def patient(client: Client, way: Way, name: str, password: str) -> str:
    """The outcome of an attempt that is made again for as long as the server is busy."""
    deadline = time.monotonic() + SECONDS
    while (came := outcome(way(client, name, password))) == "busy":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return came


def at(live: Live, address: str) -> Client:
    """Someone at an *address*, as the proxy says."""
    return Client(live.address, X_Forwarded_For=address)


# The limit


def test_every_way_in_has_the_same_limit(tmp_path: Path) -> None:
    """Ten failures are all there is, whichever ways they went, at whichever process, and after a restart."""
    server = Live(tmp_path, "--workers", "2")
    try:
        name = server.member(password="right").name
        guest = Client(server.address)
        assert [outcome(way(guest, name, "right")) for way in WAYS] == ["in"] * len(WAYS)
        with server.store():
            Session.delete().execute()
        ways = [WAYS[number % len(WAYS)] for number in range(FAILURES)]
        assert [patient(guest, way, name, "wrong") for way in ways] == ["wrong"] * FAILURES
        limited = ["wait"] * len(WAYS)
        assert [outcome(way(guest, name, password)) for password in ("wrong", "right") for way in WAYS] == [
            *limited,
            *limited,
        ]
    finally:
        server.stop()
    server = Live(tmp_path, database=server.database)
    try:
        guest = Client(server.address)
        assert [outcome(way(guest, name, "right")) for way in WAYS] == limited
    finally:
        server.stop()


def test_guesses_at_once_are_counted_one_by_one(pair: Live) -> None:
    """Of guesses at once, by all ways and at two processes, no more are looked at than the limit lets."""
    name = pair.member(password="right", passwords=Passwords(1)).name
    guesser = at(pair, "203.0.113.1")
    ways = WAYS * 4
    with ThreadPoolExecutor(len(ways)) as pool:
        heard = Counter(pool.map(lambda way: patient(guesser, way, name, "wrong"), ways))
    assert heard == {"wrong": FEW, "wait": len(ways) - FEW}


def test_fifty_guesses_in_one_request(pair: Live) -> None:
    """Of fifty logins in one request no more are looked at than of fifty requests."""
    name = pair.member(password="right").name
    guesses = [{"methodName": "login", "params": [name, f"wrong {n}"]} for n in range(49)]
    last = {"methodName": "login", "params": [name, "right"]}
    [results], _ = loads(call(at(pair, "203.0.113.2"), "system.multicall", [*guesses, last]).body)
    texts = [each[0]["result_text"].data.decode() for each in results]
    assert [bool(WAIT.search(each)) for each in texts] == [False] * FEW + [True] * (50 - FEW)


def test_an_ipv6_household_is_one_address(pair: Live) -> None:
    """Guesses from a /64 count together, whatever their addresses; another household has its own."""
    name = pair.member(password="right").name
    for number in range(FEW):
        assert patient(at(pair, f"2001:db8:0:1:{number:x}::{number:x}"), by_token, name, "wrong") == "wrong"
    assert outcome(by_token(at(pair, "2001:db8:0:1:ffff::1"), name, "right")) == "wait"
    assert patient(at(pair, "2001:db8:0:2::1"), by_token, name, "right") == "in"


def test_ipv4_within_ipv6_is_the_same_address(pair: Live) -> None:
    """Who comes by IPv4 and by its form in IPv6 has the attempts of one."""
    name = pair.member(password="right").name
    for number in range(FEW):
        place = ("203.0.113.3", "::ffff:203.0.113.3")[number % 2]
        assert patient(at(pair, place), by_login, name, "wrong") == "wrong"
    assert outcome(by_login(at(pair, "::ffff:cb00:7103"), name, "right")) == "wait"


# Saying nothing


@pytest.fixture(scope="module")
def people(live: Live) -> list[tuple[str, str]]:
    """A login for each reason for which one can fail."""
    known, without, gone = live.member(password="right"), live.member(), live.member(password="right")
    with live.store():
        transact(lambda: accounts.disable(accounts.named(gone.name)), writes=True)
    return [(known.name, "wrong"), ("nobody", "right"), (without.name, ""), (gone.name, "right")]


@pytest.mark.parametrize("way", WAYS)
def test_no_way_in_says_why_it_is_closed(live: Live, people: list[tuple[str, str]], way: Way) -> None:
    """Unknown, disabled, without a password or with a wrong one: the answer is the same, byte for byte."""
    answers = [way(Client(live.address), *each) for each in people]
    kept = [(each.status, lasting(each.headers), each.body) for each in answers]
    assert outcome(answers[0]) == "wrong"
    assert kept == [kept[0]] * len(people)


def test_one_password_is_hashed_whatever_is_wrong(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failed login costs one hash of the same strength, whether there is such a user or not."""
    hashed = []
    scrypt = hashlib.scrypt

    def counted(password: bytes, **how: Any) -> bytes:
        hashed.append({**how, "salt": None})
        return scrypt(password, **how)

    passwords = Passwords(1)
    accounts.set_password(cast.ann.user, passwords.hash("right"))
    accounts.set_password(cast.bob.user, passwords.hash("right"))
    accounts.disable(cast.bob.user)
    monkeypatch.setattr(hashlib, "scrypt", counted)
    for name in ("ann", "bob", "carol", "nobody", ""):
        assert accounts.identify(cast.settings, passwords, name, "wrong", PROXY) is None
    assert hashed == [hashed[0]] * 5
    assert (hashed[0]["n"], hashed[0]["r"], hashed[0]["p"]) == (16384, 8, 2)


SECRETS = {"email": "hidden@mail.example", "number": "555-7654321", "identifier": "license:hidden"}


@pytest.mark.parametrize("method", sorted(tapatalk.face.methods))
def test_a_guest_learns_of_nobody(live: Live, people: list[tuple[str, str]], method: str) -> None:
    """A guest who names a member gets from every method what he gets for a name that nobody has."""
    guest = Client(live.address)
    for tail in ([], [""], ["x", "x"]):
        for form in ([people[0][0]], [[people[0][0]]]):
            unknown = [["nobody"]] if isinstance(form[0], list) else ["nobody"]
            known = call(guest, method, *form, *tail)
            assert known.body == call(guest, method, *unknown, *tail).body


def test_a_picture_tells_a_guest_nothing(live: Live, people: list[tuple[str, str]]) -> None:
    """Without its exact address the picture of a member is that of nobody."""
    names = [base64.b64encode(name.encode()).decode() for name in (people[0][0], "nobody")]
    guest = Client(live.address)
    known, unknown = (guest.get("/mobiquo/avatar.php", username=name) for name in names)
    assert (known.status, known.body) == (unknown.status, unknown.body)


def test_members_see_no_more_of_each_other_than_is_shown(live: Live) -> None:
    """Another member's e-mail address, number and identifier stand in no answer about him."""
    ann, bob = live.member("seen", password="right", **SECRETS), live.member()
    assert bob.rpc.new_conversation([ann.name], b"Hello", b"there")["result"]
    client = Client(live.address, Authorization=f"Bearer {bob.token}")
    answers = [
        call(client, method, *values)
        for method, values in {
            "get_user_info": (ann.name,),
            "search_user": (ann.name,),
            "get_recommended_user": (),
            "get_online_users": (),
            "get_conversations": (),
        }.items()
    ]
    answers += [
        client.post("/chat", {"userId": int(ann.id)}),
        client.get("/chat"),
        client.get("/chat/pending"),
    ]
    assert all(each.status < 300 for each in answers)
    said = b"".join(each.body for each in answers)
    assert ann.name.encode() in said
    assert not [each for each in SECRETS.values() if each.encode() in said]


def test_the_search_does_not_find_who_is_gone(live: Live, people: list[tuple[str, str]]) -> None:
    """A disabled user is not found by his name."""
    found = live.member().rpc.search_user(people[3][0])
    assert people[3][0].encode() not in [each["username"] for each in found["list"]]


def test_who_takes_no_messages_does_not_say_why(live: Live) -> None:
    """Who ignores me, who takes no messages and who is disabled answer a request for a chat alike."""
    asker, *others = (live.member() for _ in range(4))
    with live.store():
        one, two, three, four = (User.get_by_id(int(each.id)) for each in (asker, *others))
        transact(lambda: accounts.ignore(two, one), writes=True)
        transact(lambda: accounts.edit_user(three, takes_messages=False), writes=True)
        transact(lambda: accounts.disable(four), writes=True)
    client = Client(live.address, Authorization=f"Bearer {asker.token}")
    answers = [client.post("/chat", {"userId": int(each.id)}) for each in others]
    assert [(each.status, each.body) for each in answers] == [(403, answers[0].body)] * 3


# Floods

CLIENTS, TRIES, GUESTS = 200, 3, 40
MOST_MEMORY, KEPT_MEMORY = 256.0, 40.0
LIMIT_SECONDS = 5


def processes_of(live: Live) -> list[int]:
    """The server's first process and those that it has started."""
    tasks = Path(f"/proc/{live.process.pid}/task").glob("*/children")
    return [live.process.pid, *(int(word) for task in tasks for word in task.read_text().split())]


def memory(live: Live) -> float:
    """The megabytes that all of its processes hold, with what they share counted once."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in processes_of(live)]
    return sum(int(found[1]) for text in texts if (found := re.search(r"^Pss: +(\d+)", text, re.M))) / 1024


class Beside:
    """What is measured while something else goes on: calls of an ordinary user, and memory."""

    def __init__(self, live: Live, member: Member) -> None:
        self.live, self.member = live, member
        self.took: list[float] = []
        self.memory: list[float] = []
        self.is_over = threading.Event()

    def use(self) -> None:
        client = Client(self.live.address, Authorization=f"Bearer {self.member.token}")
        with client.kept_alive():
            while not self.is_over.is_set():
                began = time.perf_counter()
                [answer], _ = loads(call(client, "get_conversations").body)
                assert answer["result"]
                self.took.append(time.perf_counter() - began)

    def look(self) -> None:
        while not self.is_over.wait(0.05):
            self.memory.append(memory(self.live))

    def __enter__(self) -> "Beside":
        self.pool = ThreadPoolExecutor(2)
        self.runs = [self.pool.submit(self.use), self.pool.submit(self.look)]
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self.pool.shutdown()
        for each in self.runs:
            each.result()


def test_a_flood_of_logins(tmp_path: Path) -> None:
    """While two hundred try to log in at once, all are answered, others go on, and memory is given back."""
    server = Live(tmp_path, "--workers", "2")
    try:
        ann = server.member("ann", password="right", passwords=Passwords(1))
        workers, before = processes_of(server), memory(server)
        clients = [
            (ann.name, "right") if n % 2 else (f"nobody {n % GUESTS}", "wrong") for n in range(CLIENTS)
        ]

        def attempt(login: tuple[str, str]) -> list[str]:
            ways = (by_login, by_token, by_basic)
            return [outcome(ways[n % 3](Client(server.address), *login)) for n in range(TRIES)]

        with Beside(server, server.member()) as beside, ThreadPoolExecutor(CLIENTS) as pool:
            began = time.perf_counter()
            heard = list(pool.map(attempt, clients))
            took = time.perf_counter() - began
        told = Counter(each for some in heard for each in some)
        slow = sorted(beside.took)
        print(
            f"\n{CLIENTS * TRIES} logins in {took:.1f} s: {dict(told)}; {len(slow)} other calls meanwhile,"
            f" p50 {statistics.median(slow) * 1000:.0f} ms, p99 {slow[len(slow) * 99 // 100] * 1000:.0f} ms,"
            f" memory {before:.0f} MB, at most {max(beside.memory):.0f}, {memory(server):.0f} afterwards"
        )
        assert sum(told.values()) == CLIENTS * TRIES
        assert told["in"] > 0
        assert max(beside.memory) < MOST_MEMORY
        assert memory(server) < before + KEPT_MEMORY
        assert slow[len(slow) * 99 // 100] < LIMIT_SECONDS
        assert outcome(by_login(Client(server.address), ann.name, "right")) == "in"
        assert processes_of(server) == workers
    finally:
        assert server.stop() == 0
    assert "Traceback" not in (tmp_path / "live.log").read_text()


def test_logins_by_basic_keep_nobody_waiting(live: Live) -> None:
    """While passwords that come by HTTP Basic are hashed, others are answered many times."""
    guests = [f"nobody {number}" for number in range(24)]
    with Beside(live, live.member()) as beside, ThreadPoolExecutor(4) as pool:
        heard = Counter(pool.map(lambda name: outcome(by_basic(Client(live.address), name, "wrong")), guests))
    assert heard["wrong"] > 0
    assert len(beside.took) > 4 * heard["wrong"]


# What the command line ends


def command(live: Live, *words: str, sent: str = "") -> None:
    """Run a command on the store while it is served."""
    place = ["--database", live.database, "--files", str(live.files)]
    command = [sys.executable, "-m", "server", *words, *place]
    subprocess.run(command, input=sent, text=True, check=True, capture_output=True, timeout=60)


class Ear:
    """Somebody who listens to events; *told* is what of them he was told."""

    def __init__(self, live: Live, authorization: str) -> None:
        host, _, port = live.address.removeprefix("http://").rpartition(":")
        self.connection = HTTPConnection(host, int(port), timeout=SECONDS)
        self.connection.request("GET", "/chat/events", headers={"Authorization": authorization})
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        while b"data:" not in self.response.readline():
            pass

    def rest(self) -> bytes:
        """What is told until the server ends it."""
        return self.response.read()

    def close(self) -> None:
        self.response.close()
        self.connection.close()


PASSWORD = "right and long"
ENDS = {
    "a new password": (["user", "password"], ["--password-stdin"]),
    "disabled": (["user", "disable"], []),
}
# So many connections that each of the processes has some.
CONNECTIONS = 8


@pytest.mark.parametrize("how", ENDS)
def test_what_the_command_line_ends(pair: Live, how: str) -> None:
    """Sessions, tokens, the password and who listens end at once at every process; none of it comes back."""
    member = pair.member(password=PASSWORD)
    client = Client(pair.address)
    cookie = by_login(client, member.name, PASSWORD).header("Set-Cookie").partition(";")[0]
    bearer, password = f"Bearer {member.token}", basic(member.name, PASSWORD)
    heads = [{"Cookie": cookie}, {"Authorization": bearer}, {"Authorization": password}]

    def opened() -> list[str]:
        """What the credentials open, over a connection of its own each, which any process may have."""
        answers = (call(client, "get_inbox_stat", **head) for head in heads for _ in range(CONNECTIONS))
        return [outcome(each) for each in answers]

    everything = len(heads) * CONNECTIONS
    assert opened() == ["in"] * everything
    words, options = ENDS[how]
    with ExitStack() as stack:
        ears = [stack.enter_context(closing(Ear(pair, head))) for head in [bearer, password] * 4]
        command(pair, *words, member.name, *options, sent="another one\n")
        assert "in" not in opened()
        assert not [each for each in ears if b"data:" in each.rest()]
    if how == "disabled":
        command(pair, "user", "enable", member.name)
        assert outcome(by_login(at(pair, "203.0.113.4"), member.name, PASSWORD)) == "in"
        heads.pop()
        assert set(opened()) == {"wrong"}


@pytest.mark.parametrize("how", ENDS)
def test_no_login_slips_past(cast: Cast, how: str) -> None:
    """A password that was checked just before it changed, or its user was disabled, begins nothing."""
    passwords = Passwords(1)
    accounts.set_password(cast.ann.user, passwords.hash(PASSWORD))
    checked = accounts.identify(cast.settings, passwords, "ann", PASSWORD, PROXY)
    assert checked is not None
    if how == "disabled":
        accounts.disable(User.get_by_id(checked.id))
    else:
        accounts.set_password(User.get_by_id(checked.id), passwords.hash("another one"))
    for begin in (
        lambda: accounts.begin_session(checked, PROXY, False),
        lambda: accounts.exchange(checked, "x"),
    ):
        with pytest.raises(WrongPassword):
            transact(begin, writes=True)
    assert (Session.select().count(), AccessToken.select().count()) == (0, 0)


def test_logins_under_way_end_too(pair: Live) -> None:
    """Of all that logs in while the password changes, nothing goes on with the old one afterwards."""
    name = pair.member(password=PASSWORD, passwords=Passwords(1)).name
    is_over = threading.Event()

    def log_in_on_and_on(way: Way) -> list[Answer]:
        begun = []
        while not is_over.is_set():
            answer = way(at(pair, "203.0.113.9"), name, PASSWORD)
            begun += [answer] if outcome(answer) == "in" else []
        return begun

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(log_in_on_and_on, way) for way in (by_login, by_token) * 2]
        time.sleep(0.5)
        command(pair, "user", "password", name, "--password-stdin", sent="another one\n")
        is_over.set()
    begun = [answer for run in runs for answer in run.result()]
    assert begun
    client = Client(pair.address)
    for answer in begun[-50:]:
        head = credential_of(answer)
        assert outcome(call(client, "get_inbox_stat", **head)) == "wrong"


def credential_of(answer: Answer) -> dict[str, str]:
    """The header by which one goes on after a login."""
    if answer.has("Set-Cookie"):
        return {"Cookie": answer.header("Set-Cookie").partition(";")[0]}
    return {"Authorization": f"Bearer {json.loads(answer.body)['accessToken']}"}


FALLS: dict[str, Callable[[Member, int], None]] = {
    "disabled": lambda member, _: accounts.disable(User.get_by_id(member.id)),
    "a new password": lambda member, _: accounts.set_password(User.get_by_id(member.id), "another"),
    "a revoked token": lambda member, _: accounts.revoke_token(
        AccessToken.get(AccessToken.user == member.id).id
    ),
    "a withdrawn key": lambda _, key: accounts.revoke_key(key),
}


@pytest.mark.parametrize("how", FALLS)
def test_who_falls_while_his_call_waits_does_nothing(pair: Live, how: str) -> None:
    """A call that waits for the store is refused where the right to make it has ended meanwhile."""
    player, secret = pair.player(), pair.key()
    other, key = pair.player(), ServerKey.digest == digest_of(secret)
    made = {
        "new_conversation": (f"Bearer {player.token}", [other.name], "Too", "late"),
        "Messages_SendMessageToNumber": (f"Bearer {secret}", other.number, "Too late"),
    }
    method = list(made)[how == "a withdrawn key"]
    head, *values = made[method]

    def end_his_right() -> "Future[Answer]":
        if not is_embedded():
            database.execute_sql(ALONE)
        sending = pool.submit(call, Client(pair.address), method, *values, Authorization=head, **ONCE)
        time.sleep(0.5)
        assert not sending.done()
        FALLS[how](player, ServerKey.get(key).id)
        return sending

    with ThreadPoolExecutor(1) as pool, pair.store():
        sending = transact(end_his_right, writes=True)
        answer = sending.result().body
        assert b"not logged in" in b64decoded(answer) or b"<int>401</int>" in answer, answer
        assert not Participant.select().where(Participant.user == other.id).exists()


def b64decoded(answer: bytes) -> bytes:
    """What an answer holds as base64."""
    return b" ".join(base64.b64decode(each) for each in re.findall(rb"<base64>([^<]*)", answer))
