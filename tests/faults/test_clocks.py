"""A server whose clock is set back by an hour, and on by a day, while people use it.

No process keeps a moment of its own: what a clock says matters only beside the moments in the store. So all
of these are moved, in one transaction while the server runs, by as much as its clock would jump the other
way.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from xmlrpc.client import dumps

import pytest
from conftest import Live
from fleet import DOORS, Connection, Refused, Room, assert_kept, crowd, listening
from peewee import SQL, Entity, NodeList

from models import transact, whole
from models.base import MomentField

HOUR, DAY = 3600, 24 * 3600
# Back, on, further on, and back to where it was.
JUMPS = (-HOUR, DAY, 2 * DAY, 0)
EACH = 3
BURST, INTERVAL = 4, 60
PASSWORD = "not a secret"


class Clock:
    """How far the clock of a server is from where it was when the test began, in seconds."""

    def __init__(self, live: Live) -> None:
        self.live, self.now = live, 0

    def jump(self, to: int) -> None:
        with self.live.store():
            transact(lambda: move_moments((self.now - to) * 1000), writes=True)
        self.now = to


def move_moments(by: int) -> None:
    """Move every stored moment by so many milliseconds."""
    for table in whole.tables():
        moments = [field for field in table._meta.sorted_fields if isinstance(field, MomentField)]
        for field in moments:
            moved = NodeList((Entity(field.column_name), SQL("+"), SQL(str(by))))
            table.update({field: moved}).where(field.is_null(False)).execute()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    limits = ("--message-burst", str(BURST), "--message-interval", str(INTERVAL))
    made = Live(tmp_path_factory.mktemp("jumps"), *limits)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def unlimited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    made = Live(tmp_path_factory.mktemp("unlimited"), "--limits", "off")
    yield made
    made.stop()


@pytest.fixture
def clock(unlimited: Live) -> Clock:
    return Clock(unlimited)


def test_an_old_message_is_dated_by_when_it_was(clock: Clock, unlimited: Live) -> None:
    """What was said before the clock was set is that much older, or newer, for those who read it."""
    room = Room(unlimited, 2)
    with crowd(room, unlimited.address) as [ann, _]:
        ann.by_chat("then")
        for seconds in JUMPS:
            clock.jump(seconds)
            newest = ann.own.call("get_conversation", str(room.id), room.before, room.before)["list"][0]
            assert abs(int(newest["timestamp"]) - time.time() + seconds) < 60


def test_order_is_not_by_the_clock(clock: Clock, unlimited: Live) -> None:
    """Whatever the clock does, messages are in the order in which they came, and no list has one twice."""
    one, other = Room(unlimited, 3), Room(unlimited, 2)
    with crowd(one, unlimited.address) as people, listening(one.players, unlimited.address) as [ear]:
        for seconds in JUMPS:
            clock.jump(seconds)
            for _ in range(EACH):
                for each in people:
                    each.speak()
        assert [each.failed for each in people] == [[]] * 3
        ids = assert_kept(unlimited, one, people)
        assert len(ids) == len(JUMPS) * EACH * 3
        first, *others = [door(each) for door, each in zip(DOORS, people, strict=True)]
        assert others == [first] * 2
        assert [message_id for message_id, _, _ in first] == sorted(n for n, _, _ in first)
        assert ear.has_heard(ids)
    assert other.id > one.id


def test_the_newest_conversation_is_first(clock: Clock, unlimited: Live) -> None:
    """Where something was said last is first in every list, though the clock says that it was long ago."""
    ann = unlimited.player()
    with closing(Connection(unlimited.address, Authorization=f"Bearer {ann.token}")) as own:
        made = []
        for seconds in (DAY, 0, -HOUR):
            clock.jump(seconds)
            other = unlimited.member()
            made.insert(0, own.call("new_conversation", [other.name.encode()], b"Hi", b"first")["conv_id"])
            assert [each["conv_id"] for each in own.call("get_conversations")["list"]] == made
            assert [each["id"] for each in own.rest("GET", "/chat")] == made
            pages = [own.rest("GET", f"/chat?limit=1&skip={place}") for place in range(len(made))]
            assert [each["id"] for [each] in pages] == made


def test_a_session_outlives_a_jump(clock: Clock, unlimited: Live) -> None:
    """Who is logged in stays so, whether the clock is set back or on by a day."""
    member = unlimited.member(password=PASSWORD)
    with closing(Connection(unlimited.address)) as connection:
        body = dumps((member.name.encode(), PASSWORD.encode()), "login").encode()
        connection.http.request("POST", "/RPC2", body)
        answer = connection.http.getresponse()
        answer.read()
        connection.headers["Cookie"] = answer.headers["Set-Cookie"].partition(";")[0]
        for seconds in JUMPS:
            clock.jump(seconds)
            assert connection.call("get_inbox_stat")["result"]


def test_a_kept_answer_outlives_a_jump(clock: Clock, unlimited: Live) -> None:
    """What is repeated under its key within a day makes nothing new, whichever way the clock was set."""
    room = Room(unlimited, 2)
    with crowd(room, unlimited.address) as [ann, _]:
        for number, (before, after) in enumerate([(0, -HOUR), (0, DAY - HOUR), (DAY, 0)]):
            clock.jump(before)
            said = ann.by_chat(f"once {number}", f"key {number}")
            clock.jump(after)
            assert ann.by_chat(f"once {number}", f"key {number}") == said
    assert len(room.stored(unlimited)) == room.before + 3


def test_a_limit_outlives_a_jump(server: Live) -> None:
    """After the clock was set nobody waits longer than before, and nobody may send more at once."""
    room, clock = Room(server, 2), Clock(server)
    with crowd(room, server.address) as [ann, _]:
        for seconds in JUMPS:
            clock.jump(seconds)
            for _ in range(BURST):
                ann.by_chat("more")
            with pytest.raises(Refused, match="429"):
                ann.by_chat("too much")


def call_data(script: Connection, number: str) -> object:
    return script.call("PhoneApp_GetCallDataFromNumber", number)


@pytest.mark.parametrize("seconds", [-HOUR, DAY])
def test_a_phone_does_not_ring_for_an_hour(clock: Clock, unlimited: Live, seconds: int) -> None:
    """A call that rings when the clock is set is missed, and both can be called again at once."""
    ann, bob = unlimited.player(), unlimited.player()
    with closing(Connection(unlimited.address, X_API_Key=unlimited.key())) as script:
        assert script.call("PhoneApp_StartCall", ann.number, bob.number)
        assert call_data(script, bob.number)
        clock.jump(seconds)
        assert call_data(script, bob.number) is False
        [past] = script.call("PhoneApp_GetCallHistoryByNumber", bob.number)
        assert past["outcome"] == "missed"
        assert script.call("PhoneApp_StartCall", bob.number, ann.number)
        assert call_data(script, ann.number)


@pytest.mark.parametrize("seconds", [-HOUR, DAY])
def test_who_talks_goes_on(clock: Clock, unlimited: Live, seconds: int) -> None:
    """A call that was answered goes on when the clock is set, and has no length below nothing."""
    ann, bob = unlimited.player(), unlimited.player()
    with closing(Connection(unlimited.address, X_API_Key=unlimited.key())) as script:
        assert script.call("PhoneApp_StartCall", ann.number, bob.number)
        assert script.call("PhoneApp_AcceptCallByNumber", bob.number)
        clock.jump(seconds)
        assert call_data(script, bob.number)
        assert script.call("PhoneApp_EndCallByNumber", ann.number)
        [past] = script.call("PhoneApp_GetCallHistoryByNumber", bob.number)
        assert past["outcome"] == "answered" and past["duration"] >= 0
        assert script.call("PhoneApp_StartCall", bob.number, ann.number)
