"""PostgreSQL that goes away under load and comes back, and commits of which nobody hears.

By hand: RESTARTS=20 python -m pytest tests/faults/test_restarts.py -n 0 -s --timeout 0
"""

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

import pytest
from conftest import Live
from fleet import (
    SECONDS,
    Call,
    Durable,
    Fleet,
    Person,
    Refused,
    Room,
    assert_kept,
    crowd,
    listening,
    serving,
    speaking,
)

RESTARTS = int(os.environ.get("RESTARTS", "1"))
SPEAKERS = 6
PAUSE, LOADED_SECONDS, AWAY_SECONDS = 0.02, 0.6, 0.3
WAYS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
COMMIT = b"COMMIT"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Durable]:
    made = Durable()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def fleet(cluster: Durable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two servers on one PostgreSQL that waits for the disk, whatever the engine of the run is."""
    folder = tmp_path_factory.mktemp("restarts")
    with serving(folder, cluster.empty(folder, "live")) as made:
        yield made


@dataclass
class Run:
    """What came of people who spoke while PostgreSQL went away; *away* has from when to when, each time.

    *late* are the calls that began after the last of these times, and *heard* says of each who listened
    whether he has heard everything once and in order.
    """

    room: Room
    people: list[Person]
    away: list[tuple[float, float]]
    late: list[Call]
    heard: list[bool]


@pytest.fixture(scope="module", params=WAYS)
def run(request: pytest.FixtureRequest, cluster: Durable, fleet: Fleet) -> Run:
    """Some restarts under load; half of the people repeat under a key of their own what was refused."""
    room = Room(fleet.servers[0], SPEAKERS)
    with crowd(room, *fleet.addresses) as people, listening(room.players, *fleet.addresses) as ears:
        for each in people[::2]:
            each.repeats = True
        with speaking(people, PAUSE):
            away = [restart(cluster, WAYS[request.param]) for _ in range(RESTARTS)]
            back = time.monotonic()
            time.sleep(LOADED_SECONDS)
        late = [call for each in people for call in each.calls if call.began > back]
        ids = assert_kept(fleet.servers[0], room, people)
        made = sum(len(each.calls) for each in people), sum(len(each.failed) for each in people)
        print(f"{RESTARTS} {request.param} restarts, {len(ids)} messages, of %d calls %d were refused" % made)
        return Run(room, people, away, late, [ear.has_heard(ids) for ear in ears])


def restart(cluster: Durable, number: int) -> tuple[float, float]:
    """Let PostgreSQL go away for a moment; from when to when it was away."""
    time.sleep(LOADED_SECONDS)
    gone = time.monotonic()
    cluster.end(number)
    time.sleep(AWAY_SECONDS)
    cluster.start()
    return gone, time.monotonic()


def failed(run: Run) -> list[Call]:
    return [call for each in run.people for call in each.calls if call.error is not None]


def test_calls_fail_only_while_it_is_away(run: Run) -> None:
    """What fails while PostgreSQL is away says 503, and nothing fails at any other time."""
    assert failed(run)
    assert {type(call.error) for call in failed(run)} == {Refused}
    assert {call.error.code for call in failed(run) if isinstance(call.error, Refused)} == {503}
    assert [call for call in failed(run) if not is_within(call, run.away)] == []


def is_within(call: Call, away: list[tuple[float, float]]) -> bool:
    """Whether some of the time that a call took was one of the times of being away."""
    return any(call.began <= back and gone <= call.ended for gone, back in away)


def test_everything_works_again(run: Run) -> None:
    """Once PostgreSQL is back, everybody is answered by the same servers."""
    assert len(run.late) > SPEAKERS
    assert [call.error for call in run.late if call.error is not None] == []


def test_listeners_miss_nothing(run: Run) -> None:
    """Who listens meanwhile hears each message once and in order."""
    assert run.heard == [True] * len(run.heard) != []


def test_what_is_repeated_under_a_key_is_there_once(run: Run, fleet: Fleet) -> None:
    """Who repeats what was refused under the same key until it is done has said everything once."""
    stored = [body for _, _, body in run.room.stored(fleet.servers[0])]
    for each in run.people[::2]:
        assert [body for body in stored if body in set(each.tried)] == each.tried
        assert list(each.acknowledged) == each.tried


# A commit of which nobody hears


class Cutter:
    """Stands before PostgreSQL, and when it is told to breaks the connection on which a COMMIT comes.

    *passes_on* says whether PostgreSQL gets to see that COMMIT.
    """

    def __init__(self, port: int) -> None:
        self.target, self.passes_on, self.is_armed = port, True, False
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.door.getsockname()[1]
        self.sockets: list[socket.socket] = []
        self.silenced: socket.socket | None = None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.door.accept()
                self.sockets.append(near)
                try:
                    far = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    # PostgreSQL is away, as another test wants it.
                    near.close()
                    continue
                self.sockets.append(far)
                threading.Thread(target=self.forward, args=(near, far), daemon=True).start()
                threading.Thread(target=self.forward, args=(far, near), daemon=True).start()

    def forward(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(65536):
                if self.is_armed and COMMIT in data:
                    self.is_armed = False
                    self.cut(data, there)
                if here is not self.silenced:
                    there.sendall(data)
        for each in (here, there):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self, data: bytes, far: socket.socket) -> None:
        """Let nobody hear of what becomes of *data*, which is over when the connection breaks."""
        self.silenced = far
        if self.passes_on:
            far.sendall(data)
            # It closes the connection only after it has done what it was sent.
            far.shutdown(socket.SHUT_WR)
            closed = select.poll()
            closed.register(far, select.POLLRDHUP)
            assert closed.poll(SECONDS * 1000)
        raise OSError("cut")

    def close(self) -> None:
        self.door.close()
        for each in self.sockets:
            each.close()


@pytest.fixture(scope="module")
def cutter(cluster: Durable) -> Iterator[Cutter]:
    with closing(Cutter(cluster.port)) as made:
        yield made


@pytest.fixture(scope="module")
def behind(cluster: Durable, cutter: Cutter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose connections to PostgreSQL can be cut."""
    folder = tmp_path_factory.mktemp("behind")
    address = cluster.empty(folder, "cut").replace(f":{cluster.port}/", f":{cutter.port}/")
    server = Live(folder, "--limits", "off", database=address)
    yield server
    server.stop()


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("door", ["by_forum", "by_chat", "by_phone"])
def test_a_commit_that_nobody_heard_of(behind: Live, cutter: Cutter, door: str, is_done: bool) -> None:
    """Where a commit's outcome is unknown the answer is 503; under the same key the message is there once."""
    room = Room(behind, 2)
    with crowd(room, behind.address) as [ann, _]:
        for read in (ann.list_chats, ann.list_room):
            read()
        say = getattr(ann, door)
        cutter.passes_on, cutter.is_armed = is_done, True
        with pytest.raises(Refused, match="503"):
            say("once", key="own")
        assert not cutter.is_armed
        assert [body for _, _, body in room.stored(behind)[room.before :]] == ["once"] * is_done
        again = [say("once", key="own") for _ in range(2)]
        [(message_id, _, body)] = room.stored(behind)[room.before :]
        assert (again, body) == ([message_id] * 2, "once")
