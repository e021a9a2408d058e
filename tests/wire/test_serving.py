"""The server as a process and as a speaker of HTTP: starting, stopping, hostile bodies, pages, logs."""

import gzip
import http.client
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy, dumps, loads

import engines
import pytest
from conftest import READY, Live, Member, numbers
from shop import done

from models import Message
from server.gate import MOST_IN_MEMORY
from server.passwords import Passwords

PATH = "/mobiquo/mobiquo.php"
STAT = dumps((), "get_inbox_stat").encode()
CONFIG = dumps((), "get_config").encode()
LIMIT = 256 * 1024
SLOW = 40
HOSTILE = 200
MEGABYTE = 2**20


class Heard(Live):
    """A server whose greeting is kept, and how long it *took* to come to its end."""

    def wait(self) -> str:
        lines, began = list[str](), time.monotonic()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            lines.append(line)
            if found := READY.search(line):
                self.greeting, self.took = "".join(lines), time.monotonic() - began
                return found[1]
        raise AssertionError(f"the server did not start: {(self.folder / 'live.log').read_text()}")


class Answer:
    """A whole answer: its length has been checked against what its head says."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()


def port_of(live: Live) -> tuple[str, int]:
    host, _, port = live.address.removeprefix("http://").rpartition(":")
    return host, int(port)


def connected(live: Live) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(*port_of(live), timeout=30)


def ask(live: Live, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    with closing(connected(live)) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        return Answer(connection.getresponse())


def post(live: Live, body: bytes, **headers: str) -> Answer:
    return ask(live, "POST", PATH, body, **headers)


def raw(live: Live, data: bytes) -> socket.socket:
    """A connection on which *data* has been sent, whatever becomes of it."""
    made = socket.create_connection(port_of(live), timeout=30)
    made.sendall(data)
    return made


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    data = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            data += chunk
    return data


def head(length: int, *lines: str) -> bytes:
    return "\r\n".join(
        [f"POST {PATH} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {length}", *lines, "", ""]
    ).encode()


def started_by(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for task in tasks for word in task.read_text().split()]


def workers_of(pid: int) -> list[int]:
    """The processes that a server has started to answer calls, and that still run."""
    lines = {each: Path(f"/proc/{each}/cmdline").read_bytes() for each in started_by(pid)}
    return [each for each, line in lines.items() if b"resource_tracker" not in line]


def memory(live: Live, line: str = "VmRSS") -> int:
    """The memory of a server's workers, in bytes."""
    found = [
        re.search(rf"^{line}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        for pid in workers_of(live.process.pid)
    ]
    return sum(int(each[1]) * 1024 for each in found if each)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server of this file's own, whose log and memory no other test touches."""
    server = Live(tmp_path_factory.mktemp("served"), "--limits", "off")
    yield server
    server.stop()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Heard]]:
    """Servers that a test starts and may end itself."""
    made: list[Heard] = []

    def start(*options: str, **place: str) -> Heard:
        made.append(Heard(tmp_path, *options, **place))
        return made[-1]

    yield start
    for each in made:
        each.stop()


# What takes ten seconds on any machine


@dataclass
class BegunEarly:
    """What is begun before this file's first test: *ended* is a status and the seconds that it took."""

    cut: Future[list[bytes]]
    ended: Future[tuple[int, float]]


@pytest.fixture(scope="module", autouse=True)
def begun_early(served: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BegunEarly]:
    other = Live(tmp_path_factory.mktemp("ended"))
    with ThreadPoolExecutor(2) as pool:
        yield BegunEarly(pool.submit(dawdle, served), pool.submit(end_among_clients, other))
    other.stop()


def dawdle(live: Live) -> list[bytes]:
    """What clients get who do not end their headers."""
    beginnings = [b"POST ", f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Slow: ".encode()]
    with ExitStack() as stack:
        return [received(each) for each in [stack.enter_context(raw(live, data)) for data in beginnings]]


def end_among_clients(live: Live) -> tuple[int, float]:
    """End a server among clients who are idle, slow, or ask all the time."""
    stop = threading.Event()
    callers = [threading.Thread(target=keep_asking, args=(live, stop)) for _ in range(2)]
    with ExitStack() as stack:
        for data in (b"", b"POST ", head(1000), head(1000) + b"<methodCall>"):
            stack.enter_context(raw(live, data))
        stack.enter_context(closing(warmed_up(live)))
        for each in callers:
            each.start()
        began = time.monotonic()
        status = live.stop(signal.SIGTERM)
        took = time.monotonic() - began
        stop.set()
        for each in callers:
            each.join()
    return status, took


def keep_asking(live: Live, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        with suppress(OSError, http.client.HTTPException):
            post(live, CONFIG)


def warmed_up(live: Live) -> http.client.HTTPConnection:
    """A connection that the server has taken."""
    made = connected(live)
    made.request("POST", PATH, CONFIG)
    Answer(made.getresponse())
    return made


# Starting and stopping


def test_a_free_port_is_taken_and_told(shown: Heard) -> None:
    """With port 0 the server takes a free port, prints its address once it answers, and soon does."""
    assert ask(shown, "GET", "/healthz").status == 200
    assert shown.took < 15
    assert port_of(shown)[1] not in (0, 8000)
    assert len(READY.findall(shown.greeting)) == 1


def test_every_door_and_page_is_told(shown: Heard) -> None:
    """The greeting has the address of every door, and of the pages with which one begins."""
    told = set(re.findall(rf"{shown.address}(/[^\s)]*)", shown.greeting.partition("people:")[0]))
    assert told == {
        "/mobiquo/mobiquo.php",
        "/RPC2",
        "/chat",
        "/",
        "/inbox",
        "/admin",
        "/docs",
        "/openapi.json",
    }
    assert {ask(shown, "GET", path).status for path in told} <= {200, 303, 401}


def test_on_loopback_nothing_is_warned_of(shown: Heard) -> None:
    """A server that only its own machine can reach warns of nothing, and tells nobody how to reach it."""
    assert "WARNING" not in shown.greeting
    assert "from elsewhere" not in shown.greeting


def test_an_address_for_others_is_warned_of(started: Callable[..., Heard]) -> None:
    """A server that others can reach without TLS says so when it starts."""
    greeting = started("--host", "0.0.0.0").greeting
    assert "WARNING" in greeting
    assert "from elsewhere: the name of this machine in the place of 127.0.0.1" in greeting


def test_sigint_ends_it_well(started: Callable[..., Heard]) -> None:
    """SIGINT ends the server with status 0 within 10 s."""
    server, began = started(), time.monotonic()
    assert server.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 10


def test_sigterm_ends_it_well(begun_early: BegunEarly) -> None:
    """SIGTERM ends the server with status 0 within 10 s, whatever its clients are doing."""
    status, took = begun_early.ended.result()
    assert status == 0
    assert took < 10


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("later", [0.0, 0.05, 0.15])
def test_a_server_that_begins_ends_well_too(tmp_path: Path, asked: signal.Signals, later: float) -> None:
    """Who is told to end before he answers ends with status 0 and without complaint."""
    place = ["--port", "0", "--database", f"sqlite:///{tmp_path}/early.db"]
    command = [sys.executable, "-m", "server", "serve", *place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "store:" in line)
        time.sleep(later)
        process.send_signal(asked)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in errors) == (0, False)


def test_calls_in_flight_are_finished(started: Callable[..., Heard]) -> None:
    """Every call that had been sent when SIGTERM came gets its whole answer."""
    server = started("--limits", "off")
    people = [server.member(password="secret", passwords=Passwords(1)) for _ in range(4)]
    bodies = [dumps((each.name.encode(), b"secret"), "login").encode() for each in people] + [STAT] * 4
    connections = [warmed_up(server) for _ in bodies]
    for connection, body in zip(connections, bodies, strict=True):
        connection.request("POST", PATH, body)
    time.sleep(0.05)
    server.process.send_signal(signal.SIGTERM)
    answers = [Answer(connection.getresponse()) for connection in connections]
    for connection in connections:
        connection.close()
    assert server.process.wait(timeout=10) == 0
    assert [answer.status for answer in answers] == [200] * len(answers)
    assert all(answer.body.endswith(b"</methodResponse>\n") for answer in answers)


@pytest.mark.parametrize("is_held", [False, True], ids=["not yet heard", "in the queue"])
def test_who_has_connected_is_heard(started: Callable[..., Heard], is_held: bool) -> None:
    """Who has connected when SIGTERM comes is answered, also if he is only then heard or let in."""
    server = started("--limits", "off")
    [worker] = workers_of(server.process.pid)
    if is_held:
        os.kill(worker, signal.SIGSTOP)
    with ExitStack() as stack:
        connections = [stack.enter_context(raw(server, b"")) for _ in range(20)]
        if is_held:
            for each in connections:
                each.sendall(head(len(CONFIG)) + CONFIG)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        if is_held:
            os.kill(worker, signal.SIGCONT)
        else:
            for each in connections:
                each.sendall(head(len(CONFIG)) + CONFIG)
        answers = [received(each) for each in connections]
    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 200 "] * len(connections)
    assert server.process.wait(timeout=10) == 0


def test_who_leaves_lets_nobody_in_and_says_so(started: Callable[..., Heard]) -> None:
    """After SIGTERM nobody gets a connection, and who keeps his is told with an answer that it ends."""
    server = started()
    with closing(warmed_up(server)) as connection:
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        connection.request("POST", PATH, CONFIG)
        answer = Answer(connection.getresponse())
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(port_of(server), timeout=10).close()
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert server.process.wait(timeout=10) == 0


def write_until_closed(live: Live, member: Member, conversation: str, answered: list[str]) -> None:
    """Send messages until the server is gone; note those that it has acknowledged."""
    number = 0
    with suppress(OSError, http.client.HTTPException):
        while True:
            body = f"{member.name}: {(number := number + 1)}"
            if not member.rpc.reply_conversation(conversation, body.encode())["result"]:
                raise AssertionError("the message was refused")
            answered.append(body)


def test_nothing_is_done_without_an_answer(started: Callable[..., Heard]) -> None:
    """When SIGTERM comes while many write, each message that was stored has been acknowledged as well."""
    server = started("--limits", "off")
    writers = [server.member() for _ in range(6)]
    names = [each.name.encode() for each in writers[1:]]
    conversation = writers[0].rpc.new_conversation(names, b"Busy", b"first")["conv_id"]
    answered: list[str] = []
    with ThreadPoolExecutor(len(writers)) as pool:
        runs = [pool.submit(write_until_closed, server, each, conversation, answered) for each in writers]
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
    for each in runs:
        each.result()
    assert server.process.wait(timeout=10) == 0
    with server.store():
        stored = [message.body for message in Message.select().where(Message.seq > 1)]
    assert len(answered) > 10
    assert sorted(stored) == sorted(answered)


def test_workers_share_one_store(started: Callable[..., Heard]) -> None:
    """With two workers each call may reach either, and both know the same sessions, messages and counts."""
    server = started("--limits", "off", "--workers", "2")
    assert len(workers_of(server.process.pid)) == 2
    ann, bob = server.member(password="secret"), server.member()
    login = post(server, dumps((ann.name.encode(), b"secret"), "login").encode())
    cookie = login.headers["Set-Cookie"].partition(";")[0]
    send = dumps(([bob.name.encode()], b"Hello", b"there"), "new_conversation").encode()
    for count in range(1, 16):
        assert loads(post(server, send, Cookie=cookie).body)[0][0]["result"]
        counted = loads(post(server, STAT, Authorization=f"Bearer {bob.token}").body)[0][0]
        assert counted["inbox_unread_count"] == count


# The demo


def people_in(greeting: str) -> dict[str, tuple[str, str]]:
    """The passwords and tokens that a greeting tells, by name."""
    told = {}
    for line in greeting.splitlines():
        found = [re.search(rf"\b{word} ([\w-]+)", line) for word in ("password", "token")]
        if all(found):
            told[line.strip().partition(":")[0]] = tuple(each[1] for each in found if each)
    return told


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    server = Heard(tmp_path_factory.mktemp("demo"), "--demo")
    yield server
    server.stop()


def test_the_demo_prints_its_cast(shown: Heard) -> None:
    """`--demo` prints names, passwords and tokens of ann, bob, carol and dave, and a server key."""
    assert list(people_in(shown.greeting)) == ["ann", "bob", "carol", "dave"]
    assert re.search(r"server key:\s+\S{22,}$", shown.greeting, re.MULTILINE)


def test_the_demo_cast_can_log_in(shown: Heard) -> None:
    """Each password and each token that `--demo` prints opens the inbox of a person with conversations."""
    for name, (password, token) in people_in(shown.greeting).items():
        assert shown.proxy().login(name.encode(), password.encode())["result"]
        box = shown.proxy(("Authorization", f"Bearer {token}")).get_conversations()
        assert box["result"] and box["conversation_count"] > 0


def test_the_demo_has_an_administrator(shown: Heard) -> None:
    """Of the cast ann sees the pages of administrators, and the others do not."""
    told = {name: token for name, (_, token) in people_in(shown.greeting).items()}
    seen = {
        name: ask(shown, "GET", "/admin", Authorization=f"Bearer {token}").status
        for name, token in told.items()
    }
    assert seen == {"ann": 200, "bob": 404, "carol": 404, "dave": 404}


def test_the_demo_lines_work_as_they_stand(shown: Heard) -> None:
    """The lines of Python and the line of curl that `--demo` prints can be pasted and answer."""
    pythons = re.findall(r"^\s*((?:from|import) .*)$", shown.greeting, re.MULTILINE)
    [curl] = re.findall(r"^\s*(curl .*)$", shown.greeting, re.MULTILINE)
    for python, answer in zip(pythons, ("'result': True", "'success': True"), strict=True):
        said = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, timeout=60)
        assert answer in said.stdout
    said = subprocess.run(curl, shell=True, capture_output=True, text=True, timeout=60)
    if said.returncode == 127:
        pytest.skip("there is no curl here")
    assert "inbox_unread_count" in said.stdout


def test_the_demo_leaves_a_store_with_people_alone(started: Callable[..., Heard], tmp_path: Path) -> None:
    """`--demo` on a store with users makes and prints nobody, and all is there that was there."""
    store = engines.chosen().place(tmp_path, "live")
    done(store, "user", "add", "only")
    token = done(store, "token", "add", "only").strip()
    server = started("--demo", database=store)
    assert not people_in(server.greeting)
    assert "server key" not in server.greeting
    rpc = server.proxy(("Authorization", f"Bearer {token}"))
    assert rpc.get_conversations()["conversation_count"] == 0
    assert not rpc.get_user_info(b"ann")["result"]


# Slow clients


def test_slow_bodies_keep_nobody_waiting(served: Live) -> None:
    """While many clients are slow to send their bodies, others are answered, and so are these in the end."""
    with ExitStack() as stack:
        slow = [stack.enter_context(raw(served, head(len(CONFIG)) + CONFIG[:20])) for _ in range(SLOW)]
        began = time.monotonic()
        for _ in range(10):
            assert post(served, CONFIG).status == 200
        assert time.monotonic() - began < 5
        for each in slow:
            each.sendall(CONFIG[20:])
        assert all(b"conversation" in received(each) for each in slow)


def test_slow_readers_keep_nobody_waiting(served: Live) -> None:
    """While many clients do not read their answers, others are answered."""
    calls = [{"methodName": "get_config", "params": []}] * 50
    long = dumps((calls,), "system.multicall").encode()
    with ExitStack() as stack:
        for _ in range(SLOW):
            stack.enter_context(raw(served, head(len(long)) + long))
        began = time.monotonic()
        for _ in range(10):
            assert post(served, CONFIG).status == 200
        assert time.monotonic() - began < 10


def test_slow_headers_are_cut(begun_early: BegunEarly) -> None:
    """A client that does not end its headers is cut off, and was not answered as if it had."""
    assert not [answer for answer in begun_early.cut.result() if b" 200 " in answer]


def test_a_head_has_an_end(served: Live) -> None:
    """A head that goes on and on is refused, and not kept until its time is over."""
    with raw(served, b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 100_000) as connection:
        assert received(connection).startswith(b"HTTP/1.1 431 ")


# Bodies that mean harm


def test_a_body_over_the_limit_is_refused_before_it_is_sent(served: Live) -> None:
    """A body that says it is too large is refused with 413 without waiting for it."""
    with raw(served, head(300 * MEGABYTE) + b"x" * 1000) as connection:
        assert received(connection).startswith(b"HTTP/1.1 413 ")


def test_a_body_at_the_limit_is_read(served: Live) -> None:
    """A body of exactly the limit is read; one byte more is not."""
    call = CONFIG.ljust(LIMIT)
    assert b"<name>conversation</name>" in post(served, call).body
    assert post(served, call + b" ").status == 413


def send_chunks(connection: socket.socket, most: int) -> int:
    """Send a chunked body until the other side has had enough; how many bytes were sent."""
    chunk, sent = b"x" * 65536, 0
    lines = (f"POST {PATH} HTTP/1.1", "Host: x", "Connection: close", "Transfer-Encoding: chunked", "", "")
    connection.sendall("\r\n".join(lines).encode())
    with suppress(OSError):
        while sent < most:
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            sent += len(chunk)
    return sent


def test_an_endless_body_is_refused_early(served: Live) -> None:
    """A chunked body without a length is refused with 413 soon after it has passed the limit."""
    with raw(served, b"") as connection:
        assert send_chunks(connection, 200 * MEGABYTE) < 32 * MEGABYTE
    with raw(served, b"") as connection:
        send_chunks(connection, 2 * LIMIT)
        assert received(connection).startswith(b"HTTP/1.1 413 ")


def too_large(answer: Answer) -> bool:
    """Whether a body is refused as too large, in either of the ways that are allowed."""
    return answer.status == 413 or b"<int>-32700</int>" in answer.body


def bomb(size: int = 200 * MEGABYTE) -> bytes:
    """A small body that inflates to a large one."""
    packer = zlib.compressobj(9, wbits=31)
    block = b" " * MEGABYTE
    return b"".join(packer.compress(block) for _ in range(size // MEGABYTE)) + packer.flush()


def test_a_gzip_bomb_is_refused(served: Live) -> None:
    """A small body that inflates beyond the limit is refused without being inflated to its end."""
    before = memory(served, "VmHWM")
    assert too_large(post(served, bomb(), Content_Encoding="gzip"))
    assert memory(served, "VmHWM") - before < 50 * MEGABYTE


def test_a_compressed_body_is_read(served: Live) -> None:
    """A body under gzip is read, and so is a plain one that only says gzip."""
    for body in (gzip.compress(CONFIG), CONFIG):
        assert b"<name>conversation</name>" in post(served, body, Content_Encoding="gzip").body


def hostile_bodies(packed: bytes) -> list[Callable[[Live], Any]]:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    values = b"<value><int>1</int></value>" * 9000
    texts = [
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a0 'lol'>%s]><methodCall/>" % entities.encode(),
        b"<methodCall><methodName>x</methodName><params><param>" + b"<value><array><data>" * 10000,
        b"<methodCall><methodName>x</methodName><params><param><value><array><data>" + values,
        b"<methodCall><methodName>" + b"x" * (LIMIT - 100),
        b"\x00\xff" * (LIMIT // 2),
    ]
    return [
        lambda live: post(live, packed, Content_Encoding="gzip"),
        lambda live: raw(live, head(300 * MEGABYTE) + b"x" * 100_000).close(),
        lambda live: raw(live, head(LIMIT) + b"x" * (LIMIT - 1)).close(),
        *(lambda live, text=text: post(live, text) for text in texts),
    ]


def test_an_idle_server_is_small(tmp_path: Path) -> None:
    """All processes of a server that has just begun take together less than 80 MB of their own."""
    server = Live(tmp_path, database=f"sqlite:///{tmp_path}/idle.db")
    try:
        pids = [server.process.pid, *started_by(server.process.pid)]
        rolled = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    finally:
        server.stop()
    shares = [
        int(found[1]) for each in rolled for found in re.finditer(r"^Pss:\s+(\d+) kB", each, re.MULTILINE)
    ]
    assert len(shares) == len(pids) > 2
    assert sum(shares) * 1024 < 80 * MEGABYTE


def test_memory_stays_flat(served: Live) -> None:
    """The memory of a worker does not grow with the number of hostile bodies that it was sent."""
    kinds = hostile_bodies(bomb(50 * MEGABYTE))
    send = [kinds[number % len(kinds)] for number in range(HOSTILE)]
    for each in send[:40]:
        each(served)
    before = memory(served)
    for each in send:
        each(served)
    assert memory(served) - before < 30 * MEGABYTE
    assert post(served, CONFIG).status == 200


def test_small_chunks_take_no_more_memory(served: Live) -> None:
    """A body in chunks of two bytes takes little more memory than its size."""
    for pid in workers_of(served.process.pid):
        # From here on the most memory that it takes is counted anew.
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = memory(served, "VmHWM")
    head = b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"2\r\n  \r\n" * (LIMIT // 2 + 1)
    with raw(served, head + body) as connection:
        assert received(connection).startswith(b"HTTP/1.1 413 ")
    # Kept apart, the chunks take twenty times their size.
    assert memory(served, "VmHWM") - before < 10 * LIMIT


def test_a_worker_that_dies_is_replaced(shown: Heard) -> None:
    """When a worker is killed, another one answers soon, and nobody has to start anything."""
    [worker] = workers_of(shown.process.pid)
    os.kill(worker, signal.SIGKILL)
    deadline = time.monotonic() + 15
    while not answers(shown) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert answers(shown)
    assert worker not in workers_of(shown.process.pid)


def answers(live: Live) -> bool:
    try:
        return ask(live, "GET", "/healthz").status == 200
    except OSError:
        return False


def test_a_stranger_s_file_is_not_read(served: Live) -> None:
    """A body as large as a file is only read from somebody who says who he is."""
    size = 1024 * 1024
    with closing(raw(served, upload_head(size, "X-Nobody: 1"))) as connection:
        assert received(connection).startswith(b"HTTP/1.1 413 ")
    for line in ("X-API-Key: wrong", "Cookie: tapatalk=1\r\nCookie: xf_session=wrong"):
        with closing(raw(served, upload_head(size, line))) as connection:
            connection.settimeout(0.5)
            with pytest.raises(TimeoutError):
                connection.recv(20)


def test_unfinished_files_keep_no_calls_out(shown: Heard) -> None:
    """Where files that do not end take all memory for bodies one is refused, and calls are answered."""
    size = 2 * MEGABYTE
    begun = upload_head(size, "X-API-Key: wrong") + b"x" * (size - 1)
    with ExitStack() as stack:
        files = [stack.enter_context(raw(shown, begun)) for _ in range(MOST_IN_MEMORY // size + 1)]
        [refused, *_], _, _ = select.select(files, [], [], 30)
        assert post(shown, CONFIG).status == 200
        assert refused.recv(20).startswith(b"HTTP/1.1 503 ")


def upload_head(length: int, line: str) -> bytes:
    lines = ["POST /mobiquo/upload.php HTTP/1.1", "Host: here", f"Content-Length: {length}", line, "", ""]
    return "\r\n".join(lines).encode()


def test_http2_is_not_spoken(served: Live) -> None:
    """A connection that begins in HTTP/2, which has none of the limits, is closed."""
    with closing(raw(served, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) as connection:
        assert not received(connection).startswith(b"\x00")


@pytest.mark.parametrize("query", ["username=\u0142", "user_id=1&v=\u00e9", "username=%ff", "user_id=%00"])
def test_odd_queries_are_answered(served: Live, query: str) -> None:
    """A query in raw UTF-8 or of no use gets the blank picture, as one that names nobody."""
    request = f"GET /mobiquo/avatar.php?{query} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    with closing(raw(served, request.encode())) as connection:
        assert received(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("host", ["xn--a", "[", "a b", "..", "\xff"])
def test_odd_hosts_are_answered(served: Live, host: str) -> None:
    """A name for the server that is none breaks no page that gives its address."""
    for path in ("/docs", "/openapi.json"):
        assert ask(served, "GET", path, Host=host).status == 200


def test_conflicting_lengths_are_refused(served: Live) -> None:
    """A request with two lengths that differ is refused and not carried out."""
    with raw(served, head(len(CONFIG), f"Content-Length: {len(CONFIG) + 1}") + CONFIG) as connection:
        assert received(connection).startswith(b"HTTP/1.1 400 ")


def in_chunks(*parts: bytes) -> bytes:
    """The chunks of a body, without the one that ends it."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


CHUNKED, LAST_CHUNK = "Transfer-Encoding: chunked", b"0\r\n\r\n"


def chunked_head(*lines: str) -> bytes:
    return "\r\n".join([f"POST {PATH} HTTP/1.1", "Host: x", *lines, CHUNKED, "", ""]).encode()


def test_a_length_beside_chunks_makes_one_request(served: Live) -> None:
    """Of a request with a length and a chunked body the chunks count, and nothing behind them is answered."""
    hidden = f"GET /hidden{next(numbers)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    body = in_chunks(CONFIG) + LAST_CHUNK + hidden
    with raw(served, chunked_head(f"Content-Length: {len(body)}") + body) as connection:
        answers = received(connection)
    assert answers.count(b"HTTP/1.1 ") == 1
    assert b"<name>conversation</name>" in answers


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_body_in_chunks_is_read(served: Live, size: int) -> None:
    """A call may come in chunks of any size, without telling its length."""
    parts = [CONFIG[start : start + size] for start in range(0, len(CONFIG), size)]
    with raw(served, chunked_head("Connection: close") + in_chunks(*parts) + LAST_CHUNK) as connection:
        assert b"<name>conversation</name>" in received(connection)


@pytest.mark.parametrize("end", [b"", b"5\r\n  ", b"0\r\n", b"no number\r\n"])
def test_half_a_body_in_chunks_is_not_a_call(served: Live, end: bytes) -> None:
    """A call whose last chunk is cut or missing is not carried out, though what came is a whole call."""
    ann, bob = served.member(), served.member()
    call = dumps(([bob.name.encode()], b"Half", b"a body"), "new_conversation").encode()
    sent = chunked_head(f"Authorization: Bearer {ann.token}") + in_chunks(call) + end
    with raw(served, sent) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert received(connection).startswith(b"HTTP/1.1 400 ")
    assert bob.rpc.get_conversations()["conversation_count"] == 0


@pytest.mark.parametrize("length", ["-1", "+5", "1e3", "0x10", "5 5", "99999999999999999999999"])
def test_a_length_that_is_none_is_refused(served: Live, length: str) -> None:
    """A length that is no plain number, or one that nobody can send, is refused."""
    request = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    with raw(served, request.encode() + CONFIG) as connection:
        assert re.match(rb"HTTP/1.1 4(00|13) ", received(connection))


def test_half_a_body_is_not_a_call(served: Live) -> None:
    """A call whose body ends before the length that was said is not carried out."""
    ann, bob = served.member(), served.member()
    call = dumps(([bob.name.encode()], b"Half", b"a body"), "new_conversation").encode()
    with raw(served, head(len(call) + 100, f"Authorization: Bearer {ann.token}") + call) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert received(connection).startswith(b"HTTP/1.1 400 ")
    time.sleep(0.2)
    assert bob.rpc.get_conversations()["conversation_count"] == 0


# Pages


@pytest.mark.parametrize("path", ["/mobiquo/mobiquo.php", "/mobiquo/mobiquo", "/mobiquo", "/RPC2"])
def test_a_browser_at_the_address_of_calls_is_told_what_it_is(served: Live, path: str) -> None:
    """A browser at the address of the calls gets the first page, which leads to the reference."""
    answer = ask(served, "GET", path)
    assert answer.status == 200
    assert answer.headers.get_content_type() == "text/html"
    assert answer.body == ask(served, "GET", "/").body
    assert b'href="/docs"' in answer.body


def test_the_reference_has_every_door(served: Live) -> None:
    """One page has the methods of all doors, and the addresses, under the name by which one has asked."""
    body = ask(served, "GET", "/docs").body
    for call in (b"new_conversation(", b"Darkchat_SendMessageBySrc(", b"POST /chat/{chatId}/messages"):
        assert call in body
    assert f'curl -H "Authorization: Bearer TOKEN" {served.address}/chat' in unescape(body.decode())


def test_head_is_get_without_its_body(served: Live) -> None:
    """HEAD answers as GET does, without the body."""
    answer = ask(served, "HEAD", "/mobiquo")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(("line", "status"), [("OPTIONS *", 404), ("CONNECT x:80", 405)])
def test_what_is_no_address_is_nothing(served: Live, line: str, status: int) -> None:
    """A request for no path at all is refused, as one for nothing or for the first page."""
    request = f"{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with raw(served, request.encode()) as connection:
        assert received(connection).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize("path", ["//healthz", "/healthz/"])
def test_slashes_too_many_mean_nothing(served: Live, path: str) -> None:
    """An address with a slash too many at its start or end is the same one."""
    assert ask(served, "GET", path).status == 200


@pytest.mark.parametrize("path", ["/nothing", "/mobiquo/x", "/mobiquo/../etc/passwd", "/%00"])
def test_nothing_is_at_another_address(served: Live, path: str) -> None:
    """An address that nothing has is answered with 404."""
    assert ask(served, "GET", path).status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/mobiquo/mobiquo.php", {"GET", "POST"}),
        ("DELETE", "/RPC2", {"GET", "POST"}),
        ("GET", "/mobiquo/upload.php", {"POST"}),
        ("POST", "/mobiquo/avatar.php", {"GET"}),
        ("POST", "/healthz", {"GET"}),
        ("POST", "/attachments/1/x.png", {"GET"}),
    ],
)
def test_another_verb_is_told_which_ones_there_are(
    served: Live, method: str, path: str, allowed: set[str]
) -> None:
    """A verb that an address does not take is answered with 405 and those that it takes."""
    answer = ask(served, method, path, b"")
    assert answer.status == 405
    assert {verb.strip() for verb in answer.headers["Allow"].split(",")} - {"HEAD", "OPTIONS"} == allowed


def test_healthz_answers(served: Live) -> None:
    """/healthz answers 200 to anybody while the store answers."""
    assert ask(served, "GET", "/healthz").status == 200


# What HTTP adds


def test_an_answer_says_what_it_is(served: Live) -> None:
    """An answer to a call is XML in UTF-8, with its length and whether a user has asked."""
    member = served.member()
    for headers, is_login in (({}, "false"), ({"Authorization": f"Bearer {member.token}"}, "true")):
        answer = post(served, STAT, **headers)
        assert answer.headers["Content-Type"] == "text/xml; charset=UTF-8"
        assert int(answer.headers["Content-Length"]) == len(answer.body)
        assert answer.headers["Mobiquo_is_login"] == is_login


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip", "GZIP", "gzip;q=0.5"])
def test_an_answer_is_compressed_where_that_is_accepted(served: Live, accepted: str) -> None:
    """A long answer comes under gzip where the client accepts it."""
    answer = post(served, CONFIG, Accept_Encoding=accepted)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"<name>conversation</name>" in gzip.decompress(answer.body)


@pytest.mark.parametrize("accepted", ["", "identity", "br, deflate", "gzip;q=0", "gzip; q=0.0", "x-gzipped"])
def test_an_answer_is_plain_where_gzip_is_not_accepted(served: Live, accepted: str) -> None:
    """An answer comes as it is where the client does not accept gzip."""
    answer = post(served, CONFIG, Accept_Encoding=accepted)
    assert "Content-Encoding" not in answer.headers
    assert b"<name>conversation</name>" in answer.body


def test_a_short_answer_is_not_compressed(served: Live) -> None:
    """An answer that is not worth it comes as it is."""
    assert "Content-Encoding" not in post(served, STAT, Accept_Encoding="gzip").headers


# The log


def log_of(live: Live) -> str:
    return (live.folder / "live.log").read_text()


def lines_with(live: Live, text: str) -> list[str]:
    """The lines of the log with *text*, once one is there."""
    for _ in range(100):
        if found := [line for line in log_of(live).splitlines() if text in line]:
            return found
        time.sleep(0.02)
    return []


def test_a_request_is_one_line(served: Live) -> None:
    """Each request is one line of the log, with its address, its outcome and the time it took."""
    path = f"/nothing{next(numbers)}"
    ask(served, "GET", path)
    [line] = lines_with(served, path)
    assert re.search(r" GET .* 404 .* ms$", line)


def test_a_call_is_one_line(served: Live) -> None:
    """The line of a call tells who has called, the method, and what came of it."""
    member = served.member("caller")
    member.rpc.get_inbox_stat()
    [line] = lines_with(served, member.name)
    assert "get_inbox_stat ok" in line
    with suppress(Fault):
        member.rpc.get_conversation("x")
    assert "-32602" in lines_with(served, member.name)[-1]


def test_a_refused_body_is_one_line(served: Live) -> None:
    """A request whose body is refused has its line as well."""
    ask(served, "POST", "/RPC2", b"x" * (LIMIT + 1))
    assert any(" 413 " in line for line in lines_with(served, "/RPC2"))


def test_a_line_has_one_line(served: Live) -> None:
    """What a client calls a method or an address never makes a second line, whatever stands in it."""
    mark = f"FORGED{next(numbers)}"
    ask(served, "GET", f"/%0a{mark}%0d%1b[31m")
    post(served, dumps((), f"no\r\n2026 INFO {mark}\x1b[31m\x85").encode())
    post(served, f"<methodCall><methodName>a&#10;2026 {mark}</methodName></methodCall>".encode())
    assert not [line for line in lines_with(served, mark) if re.match(rf"(2026 |\W*){mark}", line)]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", log_of(served))


def test_a_line_has_an_end(served: Live) -> None:
    """However long a name a client calls, its line of the log stays short."""
    mark = f"long{next(numbers)}-"
    post(served, dumps((), mark + "x" * 100_000).encode())
    ask(served, "GET", f"/{mark}{'x' * 5000}")
    assert all(len(line) < 2000 for line in lines_with(served, mark))


def say_secrets(live: Live, secret: str) -> None:
    """Calls with a secret wherever one may stand, right and wrong."""
    member = live.member(password=f"{secret}-password")
    basic = live.address.replace("://", f"://{member.name}:{secret}-password@")
    with ServerProxy(f"{basic}/RPC2") as rpc:
        rpc.get_inbox_stat()
        rpc.new_conversation([live.member().name], f"{secret} subject", f"{secret} body")
    login = dumps((member.name, f"{secret}-password"), "login").encode()
    cookie = post(live, login).headers["Set-Cookie"].partition(";")[0]
    post(live, STAT, Cookie=cookie)
    post(live, dumps((member.name, f"{secret}-wrong"), "login").encode())
    for name in ("Authorization", "X_API_Key"):
        post(live, STAT, **{name: f"{secret}-token"})
    post(live, STAT, Authorization=f"Bearer {member.token}")
    post(live, STAT, Cookie=f"xf_session={secret}-cookie")
    post(live, f"<methodCall><broken>{secret}".encode())
    post(live, dumps((f"{secret} wrong", {"type": secret}), "get_conversation").encode())
    ask(live, "POST", "/mobiquo/upload.php", f"{secret} form".encode(), Content_Type="multipart/form-data")
    ask(live, "GET", f"/mobiquo/avatar.php?user_id=1&v={secret}")
    assert lines_with(live, member.name)
    log = log_of(live)
    assert member.token not in log
    assert cookie.partition("=")[2] not in log


def test_no_secret_is_logged(served: Live) -> None:
    """No password, token, cookie, text or body stands in the log, of calls that succeed and that do not."""
    secret = f"hush{os.urandom(6).hex()}"
    say_secrets(served, secret)
    assert secret not in log_of(served)
