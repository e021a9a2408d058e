"""What may happen to a running server: killed, beside another, without room, behind a lock."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from xmlrpc.client import Fault, ServerProxy, loads

import engines
import pytest
from conftest import READY, Live, Member

from models import Message

CYCLES = int(os.environ.get("KILL_CYCLES", "2"))
WRITERS = 4
BOTH = 8
EACH = 15
DISK = 8 * 2**20
PATIENCE = 30


class Group:
    """A server that leads a process group of its own, so that all of it can be killed at once."""

    address: str

    def __init__(self, database: str, log: Path, *options: str) -> None:
        command = [sys.executable, "-m", "server", "serve", "--port", "0", "--database", database]
        with log.open("a") as errors:
            self.process = subprocess.Popen(
                [*command, "--limits", "off", *options],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self.address = self.wait()

    def wait(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := READY.search(line):
                return found[1]
        self.end(signal.SIGKILL)
        raise AssertionError("the server did not start")

    def end(self, number: int) -> None:
        """Send all of its processes a signal and wait for the end of their leader."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        self.process.wait(timeout=15)
        assert self.process.stdout is not None
        self.process.stdout.close()


def calling(server: Group | Live, member: Member) -> Any:
    """A member's own connection to a server."""
    headers = [("Authorization", f"Bearer {member.token}")]
    return ServerProxy(f"{server.address}/RPC2", headers=headers, use_builtin_types=True)


@contextmanager
def running(*arguments: Any) -> Iterator[Group]:
    server = Group(*arguments)
    try:
        yield server
    finally:
        server.end(signal.SIGTERM)


class Writer:
    """Someone who sends numbered messages, and remembers which he has tried and which were acknowledged."""

    def __init__(self, member: Member, conversation: str) -> None:
        self.member, self.conversation = member, conversation
        self.tried: list[str] = []
        self.acknowledged: dict[str, int] = {}

    def write(self, server: Group | Live, times: int = sys.maxsize) -> None:
        """Send so many messages, or until the server is gone."""
        with suppress(OSError, HTTPException), calling(server, self.member) as rpc:
            for _ in range(times):
                body = f"{self.member.name}: {len(self.tried)}"
                self.tried.append(body)
                answer = rpc.reply_conversation(self.conversation, body.encode())
                assert answer["result"], answer
                self.acknowledged[body] = int(answer["msg_id"])


def writers_at(live: Live, number: int) -> list[Writer]:
    """People in one conversation."""
    members = [live.member() for _ in range(number)]
    others = [each.name.encode() for each in members[1:]]
    conversation = members[0].rpc.new_conversation(others, b"Busy", b"first")["conv_id"]
    return [Writer(member, conversation) for member in members]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server on a store of its own."""
    live = Live(tmp_path_factory.mktemp("alone"), "--limits", "off")
    yield live
    live.stop()


@pytest.fixture(scope="module")
def second(alone: Live) -> Iterator[Group]:
    """Another server on the same store."""
    with running(alone.database, alone.folder / "group.log") as server:
        yield server


@pytest.fixture
def prepared(tmp_path: Path) -> tuple[Live, list[Writer]]:
    """A store with people in one conversation, whose server has ended."""
    live = Live(tmp_path)
    writers = writers_at(live, WRITERS)
    live.stop()
    return live, writers


def stored(live: Live, conversation: str) -> list[tuple[int, int, str]]:
    """Id, place and text of every message of a conversation but the first."""
    of_it = Message.select(Message.id, Message.seq, Message.body).where(
        Message.conversation == int(conversation), Message.seq > 1
    )
    with live.store():
        return list(of_it.order_by(Message.seq).tuples())


def assert_sound(live: Live) -> None:
    """`check` finds nothing."""
    command = [sys.executable, "-m", "server", "check", "--database", live.database]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stdout + said.stderr


def assert_kept(live: Live, writers: list[Writer]) -> None:
    """All that was acknowledged is there once and at its id, nothing that nobody sent, without a hole."""
    rows = stored(live, writers[0].conversation)
    ids = {body: message_id for message_id, _, body in rows}
    tried = {body for writer in writers for body in writer.tried}
    acknowledged = {body: n for writer in writers for body, n in writer.acknowledged.items()}
    assert [seq for _, seq, _ in rows] == list(range(2, len(rows) + 2))
    assert not [body for body, times in Counter(body for _, _, body in rows).items() if times > 1]
    assert set(ids) <= tried
    assert {body: ids.get(body) for body in acknowledged} == acknowledged


def outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Fault as fault:
        return fault


# Killed


def kill_under_load(live: Live, writers: list[Writer], seconds: float) -> None:
    server = Group(live.database, live.folder / "group.log", "--workers", "2")
    with ThreadPoolExecutor(len(writers)) as pool:
        runs = [pool.submit(writer.write, server) for writer in writers]
        time.sleep(seconds)
        server.end(signal.SIGKILL)
    for each in runs:
        each.result()


def test_what_was_acknowledged_outlives_kill_9(prepared: tuple[Live, list[Writer]]) -> None:
    """After `kill -9` under load each acknowledged message is there once, and `check` finds nothing."""
    live, writers = prepared
    for cycle in range(CYCLES):
        before = sum(len(writer.acknowledged) for writer in writers)
        kill_under_load(live, writers, 0.4 + 0.13 * (cycle % 5))
        assert sum(len(writer.acknowledged) for writer in writers) > before
        assert_kept(live, writers)
        assert_sound(live)


def test_a_killed_server_s_messages_are_read(prepared: tuple[Live, list[Writer]]) -> None:
    """After `kill -9` the next server answers with what is stored and goes on from there."""
    live, [writer, *others] = prepared
    kill_under_load(live, [writer, *others], 0.4)
    last_id, seq, body = stored(live, writer.conversation)[-1]
    with running(live.database, live.folder / "group.log") as server:
        with calling(server, writer.member) as rpc:
            [shown] = rpc.get_conversation(writer.conversation, seq - 1, seq - 1)["list"]
        writer.write(server, 1)
    assert (int(shown["msg_id"]), shown["msg_content"].decode()) == (last_id, body)
    assert stored(live, writer.conversation)[-1][1] == seq + 1


# Two on one store


def test_two_servers_on_one_store(alone: Live, second: Group) -> None:
    """Two server processes on one store, with eight writers, lose and double nothing and leave no hole."""
    writers = writers_at(alone, BOTH)
    with ThreadPoolExecutor(BOTH) as pool:
        places = zip(writers, [alone, second] * (BOTH // 2), strict=True)
        for each in [pool.submit(writer.write, server, EACH) for writer, server in places]:
            each.result()
    assert [len(writer.acknowledged) for writer in writers] == [EACH] * BOTH
    assert unread_at(alone, writers[0]) == unread_at(second, writers[0])
    assert_kept(alone, writers)
    assert_sound(alone)


def unread_at(server: Group | Live, writer: Writer) -> tuple[int, int]:
    with calling(server, writer.member) as rpc:
        [item] = rpc.get_conversations()["list"]
        return item["unread_num"], item["total_message_num"]


def test_what_one_server_is_told_the_other_knows(alone: Live, second: Group) -> None:
    """A message that one server has acknowledged is at once read and counted by the other."""
    ann, bob = writers_at(alone, 2)
    for number in range(2, 12):
        ann.write(alone, 1)
        assert unread_at(second, bob) == (number, number)


def read(server: Group | Live, reader: Writer, times: int) -> list[Any]:
    """What comes of opening the conversation again and again, all of it anew."""
    with calling(server, reader.member) as rpc:
        made = []
        for _ in range(times):
            made.append(outcome(lambda: rpc.get_conversation(reader.conversation)))
            made.append(outcome(lambda: rpc.mark_conversation_unread(reader.conversation)))
        return made


def test_readers_among_writers(alone: Live, second: Group) -> None:
    """Who reads while others write is answered every time, also where that moves his read mark."""
    everybody = writers_at(alone, BOTH)
    writers, readers = everybody[:WRITERS], everybody[WRITERS:]
    with ThreadPoolExecutor(BOTH) as pool:
        writing = [pool.submit(writer.write, alone, EACH) for writer in writers]
        reading = [pool.submit(read, second, reader, EACH) for reader in readers]
    answers = [answer for each in reading for answer in each.result()]
    assert [each.result() for each in writing] == [None] * WRITERS
    assert [len(writer.acknowledged) for writer in writers] == [EACH] * WRITERS
    assert [answer for answer in answers if isinstance(answer, Fault) or not answer["result"]] == []
    assert_kept(alone, writers)
    assert_sound(alone)


# A database that starts anew


def write_on(writer: Writer, server: Live) -> int:
    """Send a few messages, whatever comes of each; how many were refused."""
    outcomes = []
    for _ in range(EACH):
        outcomes.append(outcome(lambda: writer.write(server, 1)))
        time.sleep(0.05)
    refused = [each for each in outcomes if each is not None]
    assert {each.faultCode for each in refused} <= {503}
    return len(refused)


def test_a_sudden_restart_of_what_serves_the_store(alone: Live) -> None:
    """Where the store has a server of its own that starts anew, calls are refused meanwhile, and no more."""
    writers = writers_at(alone, WRITERS)
    with ThreadPoolExecutor(WRITERS) as pool:
        runs = [pool.submit(write_on, writer, alone) for writer in writers]
        time.sleep(0.4)
        engines.chosen().restart()
        assert all(each.result() < EACH for each in runs)
    for writer in writers:
        writer.write(alone, 1)
    assert_kept(alone, writers)
    assert_sound(alone)


# A full disk


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on a disk of its own that is soon full."""
    folder = tmp_path_factory.mktemp("small")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk cannot be mounted here: {error}")
    try:
        yield folder
    finally:
        # Lazily, for the last of the server's processes may still be about to end.
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True, timeout=20)


class Crowded:
    """A server whose store lies on a small disk, with Ann and Bob in a conversation."""

    def __init__(self, folder: Path) -> None:
        self.filler = folder / "filler"
        self.live = Live(folder, "--limits", "off", database=f"sqlite:///{folder}/live.db")
        self.ann, self.bob = self.live.member(), self.live.member()
        self.conversation = self.ann.rpc.new_conversation([self.bob.name.encode()], b"Hi", b"first")[
            "conv_id"
        ]

    def fill(self) -> None:
        """Leave no byte of the disk free."""
        with self.filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass

    def write_until_full(self) -> Fault:
        """The refusal that comes when not even the room that the store has kept is left."""
        self.fill()
        for _ in range(1000):
            try:
                answer = self.ann.rpc.reply_conversation(self.conversation, b"x" * 9000)
            except Fault as fault:
                return fault
            assert answer["result"], answer
        raise AssertionError("the disk was never full")


@pytest.fixture(scope="module")
def on_small_disk(small_disk: Path) -> Iterator[Crowded]:
    made = Crowded(small_disk)
    try:
        yield made
    finally:
        made.live.stop()


@pytest.fixture
def crowded(on_small_disk: Crowded) -> Iterator[Crowded]:
    """A server on a small disk, which has room again after the test."""
    yield on_small_disk
    on_small_disk.filler.unlink(missing_ok=True)


def test_a_full_disk(crowded: Crowded) -> None:
    """On a full disk sending is refused with the cause, reading goes on, and room makes all well."""
    fault = crowded.write_until_full()
    assert fault.faultCode == 503
    assert "full" in fault.faultString
    assert crowded.bob.rpc.get_conversations()["conversation_count"] == 1
    assert crowded.bob.rpc.get_inbox_stat()["inbox_unread_count"] == 1
    before = crowded.bob.rpc.get_conversations()["list"][0]["total_message_num"]
    crowded.filler.unlink()
    assert crowded.ann.rpc.reply_conversation(crowded.conversation, b"room again")["result"]
    assert crowded.bob.rpc.get_conversations()["list"][0]["total_message_num"] == before + 1
    assert_sound(crowded.live)


def test_a_thread_is_read_on_a_full_disk(crowded: Crowded) -> None:
    """On a full disk a conversation can be opened, though no read mark can be moved."""
    crowded.write_until_full()
    thread = crowded.bob.rpc.get_conversation(crowded.conversation)
    assert thread["list"][0]["msg_content"] == b"first"


def upload(live: Live, token: str, data: bytes) -> bytes:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="attachment"; filename="a.txt"\r\n\r\n%s\r\n--x--\r\n'
        % data
    )
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "multipart/form-data; boundary=x"}
    try:
        with urlopen(
            Request(f"{live.address}/mobiquo/upload.php", body, headers), timeout=PATIENCE
        ) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        with error:
            return bytes(error.read())


def test_an_upload_on_a_full_disk(crowded: Crowded) -> None:
    """On a full disk an upload is refused with the cause and leaves nothing behind; later it works."""
    crowded.fill()
    with pytest.raises(Fault, match="full") as refused:
        loads(upload(crowded.live, crowded.ann.token, b"x" * 1_000_000))
    assert refused.value.faultCode == 503
    assert not list(crowded.live.folder.glob("live.files/*"))
    crowded.filler.unlink()
    [answer], _ = loads(upload(crowded.live, crowded.ann.token, b"x" * 1_000_000))
    assert answer["result"]


# A lock that somebody holds


@dataclass
class BehindALock:
    """What came of three calls while the store was locked for longer than anybody waits."""

    ann: Writer
    sent: Any
    listed: Any
    opened: Any


@pytest.fixture(scope="module")
def behind_a_lock(alone: Live) -> BehindALock:
    people = [ann, bob, carol] = writers_at(alone, 3)
    assert all(each.member.rpc.get_inbox_stat()["result"] for each in people)
    calls = [
        lambda: ann.member.rpc.reply_conversation(ann.conversation, b"too soon"),
        bob.member.rpc.get_conversations,
        lambda: carol.member.rpc.get_conversation(carol.conversation),
    ]
    with ThreadPoolExecutor(len(calls)) as pool, engines.chosen().locked(alone.database):
        return BehindALock(ann, *[each.result(PATIENCE) for each in [pool.submit(outcome, c) for c in calls]])


def test_a_locked_store(alone: Live, behind_a_lock: BehindALock) -> None:
    """Behind a lasting lock sending is refused with the cause, and all is well when it is gone."""
    ann, fault = behind_a_lock.ann, behind_a_lock.sent
    assert isinstance(fault, Fault) and fault.faultCode == 503
    assert "busy" in fault.faultString
    assert ann.member.rpc.reply_conversation(ann.conversation, b"later")["result"]
    assert [body for _, _, body in stored(alone, ann.conversation)] == ["later"]
    assert_sound(alone)


def test_a_locked_store_is_listed(behind_a_lock: BehindALock) -> None:
    """Behind a lasting lock the inbox is listed."""
    assert behind_a_lock.listed["conversation_count"] == 1


def test_a_locked_conversation_is_read(behind_a_lock: BehindALock) -> None:
    """Behind a lasting lock a conversation is opened, though its read mark cannot be moved."""
    assert not isinstance(behind_a_lock.opened, Fault), behind_a_lock.opened
    assert behind_a_lock.opened["list"][0]["msg_content"] == b"first"


def test_a_short_lock_is_waited_for(alone: Live) -> None:
    """Behind a lock that is soon gone, sending waits and is done."""
    ann, _ = writers_at(alone, 2)
    with ThreadPoolExecutor(1) as pool:
        with engines.chosen().locked(alone.database):
            sending = pool.submit(ann.member.rpc.reply_conversation, ann.conversation, b"patience")
            time.sleep(0.5)
            assert not sending.done()
        assert sending.result()["result"]
