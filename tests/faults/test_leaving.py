"""SIGTERM while people speak, again and again, and among clients of whom one could wait for ever.

By hand: SIGTERMS=50 python -m pytest tests/faults/test_leaving.py -n 0 -s --timeout 0
"""

import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from xmlrpc.client import loads

import engines
import pytest
from conftest import Live
from fleet import (
    Connection,
    Person,
    Refused,
    Room,
    acknowledged,
    assert_kept,
    crowd,
    free_port,
    speaking,
    wait_for,
)

TIMES = int(os.environ.get("SIGTERMS", "2"))
SPEAKERS, FIRST = 6, 12
# More than a system keeps for a connection.
LONG = 16 * 2**20
HEAD = b"POST /RPC2 HTTP/1.1\r\nHost: x\r\n"
# A server that waits for nobody is gone long before; one that waits to its end is killed after eight.
SOON = 6
# More calls than a server has threads.
MANY = 40


def end_under_load(server: Live, people: list[Person]) -> float:
    """End a server by SIGTERM while people speak; how long its end took."""
    before = acknowledged(people)
    with speaking(people):
        wait_for(lambda: acknowledged(people) >= before + FIRST)
        time.sleep(random.uniform(0, 0.2))
        began = time.monotonic()
        assert server.stop() == 0
        return time.monotonic() - began


def test_sigterm_cuts_no_answer(tmp_path: Path) -> None:
    """After SIGTERM whoever got a connection is answered, and all that is stored was acknowledged."""
    database, port = engines.chosen().place(tmp_path, "live"), str(free_port())
    took: list[float] = []
    server = Live(tmp_path, "--limits", "off", "--port", port, database=database)
    try:
        room = Room(server, SPEAKERS)
        with crowd(room, server.address) as people:
            for _ in range(TIMES):
                took.append(end_under_load(server, people))
                server = Live(tmp_path, "--limits", "off", "--port", port, database=database)
            spoken = assert_kept(server, room, people)
    finally:
        server.stop()
    assert {type(error) for each in people for error in each.failed} <= {ConnectionRefusedError}
    assert len(spoken) == acknowledged(people)
    assert max(took) < 10
    calls = sum(len(each.calls) for each in people)
    print(f"{TIMES} times ended, {calls} calls, none cut; at most {max(took):.1f} s, exit status 0")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path, "--limits", "off", "--max-upload", str(LONG + 1))
    yield made
    made.stop()


def connected(server: Live, data: bytes) -> socket.socket:
    host, _, port = server.address.removeprefix("http://").rpartition(":")
    made = socket.create_connection((host, int(port)), timeout=30)
    made.sendall(data)
    return made


def test_half_a_head_is_not_waited_for(server: Live) -> None:
    """A client that has sent half a request keeps nobody from ending soon."""
    with closing(connected(server, HEAD)), closing(connected(server, b"PO")):
        time.sleep(0.2)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < SOON


def test_a_long_call_is_waited_for(server: Live) -> None:
    """Who waits for the store longer than half a head is waited for gets his answer."""
    room = Room(server, 2)
    with crowd(room, server.address) as [ann, _], ThreadPoolExecutor(1) as pool:
        ann.list_chats()
        with engines.chosen().locked(server.database):
            sending = pool.submit(ann.by_chat, "late")
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(3.5)
            assert not sending.done()
        assert sending.result() == room.stored(server)[-1][0]
    assert server.process.wait(timeout=10) == 0


def test_a_multicall_ends_soon(server: Live) -> None:
    """What a multicall has done when the server is told to stop is answered, and the rest is refused."""
    room = Room(server, 2)
    calls = [struct("Darkchat_SendMessageByNumber", room.players[0].number, room.id, "once")]
    calls += [struct("login", f"nobody{number}", "wrong") for number in range(49)]
    before = len(room.stored(server))
    with closing(Connection(server.address, X_API_Key=room.key)) as script, ThreadPoolExecutor(1) as pool:
        calling = pool.submit(script.call, "system.multicall", calls)
        wait_for(lambda: len(room.stored(server)) > before)
        assert server.stop() == 0
        answers = calling.result()
    assert answers[0][0]["message"]["id"] == room.stored(server)[-1][0]
    assert answers[-1] == {"faultCode": 503, "faultString": "the server is about to end"}


def struct(name: str, *params: object) -> dict[str, object]:
    return {"methodName": name, "params": list(params)}


def test_who_waits_behind_others_is_answered(server: Live) -> None:
    """More calls than there are threads, all of which wait for a busy store, are answered before the end."""
    room = Room(server, 2)
    with ThreadPoolExecutor(MANY) as pool, crowd(room, server.address) as [ann, _]:
        ann.list_chats()
        with engines.chosen().locked(server.database):
            trying = [pool.submit(refused, server, room) for _ in range(MANY)]
            time.sleep(1)
            server.process.send_signal(signal.SIGTERM)
            assert {each.result() for each in trying} == {503}
    assert server.process.wait(timeout=10) == 0


def refused(server: Live, room: Room) -> int:
    """The code by which a message is refused."""
    with closing(Connection(server.address, X_API_Key=room.key)) as script, pytest.raises(Refused) as refusal:
        script.call("Darkchat_SendMessageByNumber", room.players[0].number, room.id, "late")
    return refusal.value.code


def test_a_long_answer_is_sent_to_its_end(server: Live) -> None:
    """Who takes a long answer slowly gets all of it, though he sends nothing more."""
    token = server.member().token
    data = b"0123456789abcde\n" * (LONG // 16)
    path = f"/attachments/{uploaded(server, token, data)}/a.txt"
    ask = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    with closing(connected(server, ask.encode())) as slow:
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(3.5)
        answer = b"".join(iter(lambda: slow.recv(2**20), b""))
    assert answer.partition(b"\r\n\r\n")[2] == data
    assert server.process.wait(timeout=10) == 0


def uploaded(server: Live, token: str, data: bytes) -> str:
    """The id of a file that waits to be sent."""
    head = b'--x\r\nContent-Disposition: form-data; name="attachment"; filename="a.txt"\r\n\r\n'
    kind = "multipart/form-data; boundary=x"
    with closing(Connection(server.address, Authorization=f"Bearer {token}")) as connection:
        _, answer = connection.ask("POST", "/mobiquo/upload.php", head + data + b"\r\n--x--\r\n", kind)
    return str(loads(answer)[0][0]["attachment_id"])
