"""Two server processes on one store, which are one to whoever uses them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.cookies import SimpleCookie
from itertools import cycle
from pathlib import Path
from xmlrpc.client import dumps

import engines
import pytest
from conftest import Live
from fleet import DOORS, Connection, Fleet, Person, Refused, Room, assert_kept, crowd, listening, serving

BOTH, EACH = 8, 15
BURST = 5
PASSWORD = "not a secret"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("two")
    with serving(folder, engines.chosen().place(folder, "live")) as made:
        yield made


def speak(person: Person) -> None:
    for _ in range(EACH):
        person.speak()


def unread_by(person: Person) -> tuple[int, int]:
    [item] = person.own.call("get_conversations")["list"]
    return item["unread_num"], item["total_message_num"]


def test_two_servers_on_one_store(fleet: Fleet) -> None:
    """Eight who speak at two servers lose and double nothing, read the same, and hear it in order."""
    room = Room(fleet.servers[0], BOTH)
    with crowd(room, *fleet.addresses) as people, listening(room.players, *fleet.addresses) as ears:
        with ThreadPoolExecutor(BOTH) as pool:
            for run in [pool.submit(speak, each) for each in people]:
                run.result()
        assert [each.failed for each in people] == [[]] * BOTH
        ids = assert_kept(fleet.servers[0], room, people)
        assert len(ids) == BOTH * EACH
        assert [ear.has_heard(ids) for ear in ears] == [True, True]
        first, *others = [door(each) for door, each in zip(cycle(DOORS), people, strict=False)]
        assert others == [first] * len(others)


def test_what_one_server_is_told_the_other_knows(fleet: Fleet) -> None:
    """A message that one server has acknowledged is at once read and counted by the other."""
    room = Room(fleet.servers[0], 2)
    with crowd(room, *fleet.addresses) as [ann, bob]:
        unread, total = unread_by(bob)
        for number in range(1, 11):
            said = ann.by_forum("more")
            assert unread_by(bob) == (unread + number, total + number)
        assert bob.all_by_chat()[-1] == (said, int(ann.player.id), "more")


def test_a_session_holds_at_both(fleet: Fleet) -> None:
    """Who logs in at one server is known at the other, and who logs out there is known at neither."""
    member = fleet.servers[0].member(password=PASSWORD)
    here, there = map(Connection, fleet.addresses)
    with closing(here), closing(there):
        body = dumps((member.name.encode(), PASSWORD.encode()), "login").encode()
        here.http.request("POST", "/RPC2", body)
        answer = here.http.getresponse()
        answer.read()
        [cookie] = SimpleCookie(answer.headers["Set-Cookie"]).values()
        for each in (here, there):
            each.headers["Cookie"] = f"{cookie.key}={cookie.value}"
            assert each.call("get_inbox_stat")["result"]
        assert there.call("logout_user")["result"]
        assert [each.call("get_inbox_stat")["result"] for each in (here, there)] == [False, False]


def reads(person: Person) -> None:
    """Open the conversation again and again, all of it anew."""
    for _ in range(EACH):
        person.attempt(lambda: person.own.call("get_conversation", str(person.room.id)))
        person.attempt(lambda: person.own.call("mark_conversation_unread", str(person.room.id)))


def test_readers_among_writers(fleet: Fleet) -> None:
    """Who reads while others write is answered every time, also where that moves his read mark."""
    room = Room(fleet.servers[0], BOTH)
    with crowd(room, *fleet.addresses) as people, ThreadPoolExecutor(BOTH) as pool:
        writers, readers = people[::2], people[1::2]
        runs = [pool.submit(speak, each) for each in writers] + [pool.submit(reads, each) for each in readers]
        for run in runs:
            run.result()
        assert [each.failed for each in people] == [[]] * BOTH
        assert [len(each.acknowledged) for each in writers] == [EACH] * len(writers)
        assert_kept(fleet.servers[0], room, people)


@pytest.fixture
def limited(fleet: Fleet, tmp_path: Path) -> Iterator[list[Live]]:
    """Two more servers on the same store, which limit how many messages may be sent at once."""
    limits = ("--message-burst", str(BURST), "--message-interval", "3600")
    made: list[Live] = []
    try:
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            made.append(Live(tmp_path / name, *limits, database=fleet.database))
        yield made
    finally:
        for each in made:
            each.stop()


def test_a_limit_is_one_for_both(limited: list[Live]) -> None:
    """What somebody has sent at one server counts at the other."""
    room = Room(limited[0], 2)
    places = [Person(room, room.players[0], each.address) for each in limited]
    for _, each in zip(range(BURST), cycle(places), strict=False):
        each.by_chat("more")
    for each in places:
        with pytest.raises(Refused, match="429"):
            each.by_chat("one more")
        each.close()
