"""A store into which somebody else writes for long, and one whose server starts anew."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import engines
import pytest
from conftest import Live
from fleet import Person, Refused, Room, assert_kept, crowd

SPEAKERS, EACH, PATIENCE = 4, 15, 30


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server on a store of its own."""
    server = Live(tmp_path_factory.mktemp("alone"), "--limits", "off")
    yield server
    server.stop()


def outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Refused as refusal:
        return refusal


@dataclass
class BehindALock:
    """What came of three calls while the store was locked for longer than anybody waits."""

    room: Room
    sent: Any
    listed: Any
    opened: Any


@pytest.fixture(scope="module")
def behind_a_lock(alone: Live) -> BehindALock:
    room = Room(alone, 3)
    with crowd(room, alone.address) as [ann, bob, carol], ThreadPoolExecutor(3) as pool:
        for each in (ann, bob, carol):
            each.list_chats()
        calls = [
            lambda: ann.by_forum("too soon"),
            lambda: bob.own.call("get_conversations"),
            lambda: carol.own.call("get_conversation", str(room.id)),
        ]
        with engines.chosen().locked(alone.database):
            runs = [pool.submit(outcome, call) for call in calls]
            made = [each.result(PATIENCE) for each in runs]
        return BehindALock(room, *made)


def test_a_locked_store(behind_a_lock: BehindALock) -> None:
    """Behind a lasting lock sending is refused with the cause."""
    assert isinstance(behind_a_lock.sent, Refused) and behind_a_lock.sent.code == 503
    assert "busy" in str(behind_a_lock.sent)


def test_a_locked_store_is_listed(behind_a_lock: BehindALock) -> None:
    """Behind a lasting lock the inbox is listed."""
    assert behind_a_lock.listed["conversation_count"] == 1


def test_a_locked_conversation_is_read(behind_a_lock: BehindALock) -> None:
    """Behind a lasting lock a conversation is opened, though its read mark cannot be moved."""
    assert not isinstance(behind_a_lock.opened, Refused), behind_a_lock.opened
    assert behind_a_lock.opened["list"]


def test_a_short_lock_is_waited_for(alone: Live) -> None:
    """Behind a lock that is soon gone, sending waits and is done, and all is well."""
    room = Room(alone, 2)
    with crowd(room, alone.address) as [ann, bob], ThreadPoolExecutor(1) as pool:
        with engines.chosen().locked(alone.database):
            sending = pool.submit(ann.speak)
            time.sleep(0.5)
            assert not sending.done()
        sending.result()
        assert len(assert_kept(alone, room, [ann, bob])) == len(ann.acknowledged) == 1


# A database that starts anew


def speak_on(person: Person) -> None:
    for _ in range(EACH):
        person.speak()
        time.sleep(0.05)


def test_a_sudden_restart_of_what_serves_the_store(alone: Live) -> None:
    """Where the store has a server of its own that starts anew, calls are refused meanwhile, and no more."""
    room = Room(alone, SPEAKERS)
    with crowd(room, alone.address) as people, ThreadPoolExecutor(SPEAKERS) as pool:
        runs = [pool.submit(speak_on, each) for each in people]
        time.sleep(0.4)
        engines.chosen().restart()
        for run in runs:
            run.result()
        assert {getattr(error, "code", error) for each in people for error in each.failed} <= {503}
        before = [len(each.acknowledged) for each in people]
        assert all(before)
        for each in people:
            each.speak()
        assert [len(each.acknowledged) - 1 for each in people] == before
        assert_kept(alone, room, people)
