"""What listeners are told of the log, and what is kept of it."""

import datetime
import json

import pytest
from builders import Cast

from models import Conversation, Event, Participant, Position, now, position_of
from server.actions import events, housekeeping, messages
from server.config import Settings
from server.faces.chat import events as feeds
from server.faces.chat.events import Arrival, Feed, News, block
from server.files import Files

START = Position(0, 0)


def kinds(chunks: list[bytes]) -> list[str]:
    return [chunk.decode().splitlines()[1].removeprefix("event: ") for chunk in chunks]


def look(position: Position, listening: set[int], *arrivals: Arrival) -> News:
    return Feed().look(position, listening, list(arrivals))


def test_an_event_is_three_lines() -> None:
    """An event is its id, its kind, and JSON in one line, as it is in any script."""
    made = block(Position(0, 7), "message", {"text": "Grüße\n😀"})
    assert made.decode() == 'id: 7\nevent: message\ndata: {"text": "Grüße\\n😀"}\n\n'


def test_a_position_is_read_as_it_is_written(cast: Cast) -> None:
    """What stands as the id of an event is understood as the position at which to go on."""
    places = [Feed().start()]
    cast.ann.starts("Lunch", cast.bob)
    places.append(Feed().start())
    assert [position_of(str(place)) for place in places] == places


def test_a_position_from_before_a_move(cast: Cast) -> None:
    """An event that is there is found by its id, whatever turn it had in the store that named it."""
    cast.ann.starts("Lunch", cast.bob)
    place = Feed().start()
    assert [position_of(f"{place.turn + 7}-{place.id}"), position_of(str(place.id))] == [place, place]


def test_a_position_on_another_engine(store: Settings) -> None:
    """A position that this engine cannot have given says nothing."""
    assert [position_of("7"), position_of("8123-7")].count(None) == 1


@pytest.mark.parametrize("text", ["", "x", "-7", "7-", "1-2-3", "٣", "9" * 19, "1-" + "9" * 19])
def test_what_is_no_position(store: Settings, text: str) -> None:
    """Anything else says nothing of what a listener knows."""
    assert position_of(text) is None


def test_nothing_new_moves_nothing(cast: Cast) -> None:
    """A look that finds nothing leaves the position where it is."""
    place = Position(0, 5)
    assert look(place, {1}) == News(place, False, {}, [])


def test_the_position_passes_what_concerns_nobody(cast: Cast) -> None:
    """What concerns nobody who listens is passed and not looked at again."""
    cast.ann.starts("Lunch", cast.bob)
    news = look(START, {cast.dave.user.id})
    assert (news.position, news.told) == (Feed().start(), {})


def test_a_request_concerns_its_receiver(cast: Cast) -> None:
    """A request, and a decline, is told to the one user whom it names; an acceptance to everyone there."""
    chat = Conversation.get_by_id(cast.ann.starts("Lunch", cast.bob).id)
    start = Feed().start()
    events.request(chat, cast.bob.user)
    events.declined(chat, cast.bob.user)
    events.accepted(chat)
    told = look(start, {cast.ann.user.id, cast.bob.user.id}).told
    assert kinds(told[cast.ann.user.id]) == ["accepted", "totals"]
    assert kinds(told[cast.bob.user.id]) == ["request", "declined", "accepted", "totals"]


def test_what_was_missed_comes_in_pages(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who missed much is told it page by page, and with the last page his totals."""
    monkeypatch.setattr(feeds, "PAGE", 2)
    lunch = cast.ann.starts("Lunch", cast.bob)
    for number in range(4):
        lunch.says(str(number))
    seen, told, pages = START, [], 0
    while True:
        news = look(Feed().start(), set(), Arrival(cast.bob.user.id, seen))
        [welcome] = news.welcomes
        told += kinds(welcome.chunks)
        seen, pages = welcome.seen, pages + 1
        if welcome.is_current:
            break
    assert (told, pages) == (["message"] * 5 + ["totals"], 3)


def test_what_others_did_is_passed_in_pages_too(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """One look for an arrival passes only so many events, also where none of them concerns him."""
    monkeypatch.setattr(feeds, "SPAN", 2)
    lunch = cast.ann.starts("Lunch", cast.bob)
    for number in range(6):
        lunch.says(str(number))
    [first] = look(Feed().start(), set(), Arrival(cast.dave.user.id, START)).welcomes
    assert (first.chunks, first.is_current) == ([], False)
    [second] = look(Feed().start(), set(), Arrival(cast.dave.user.id, first.seen)).welcomes
    assert first.seen < second.seen


def test_arrivals_wait_while_there_is_more(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is welcomed before a look has reached the end of the log, so that all stand at one position."""
    monkeypatch.setattr(feeds, "LOOK", 2)
    lunch = cast.ann.starts("Lunch", cast.bob)
    for number in range(3):
        lunch.says(str(number))
    news = look(START, set(), Arrival(cast.bob.user.id, None))
    assert (news.is_more, news.welcomes) == (True, [])


def test_an_event_without_its_message_is_left_out(cast: Cast) -> None:
    """Of a message that is gone nothing is told, and the rest is."""
    lunch = cast.ann.starts("Lunch", cast.bob)
    start = Feed().start()
    Event.create(kind="message", conversation=lunch.id, ref=10**9)
    lunch.says("there")
    told = look(start, {cast.bob.user.id}).told[cast.bob.user.id]
    assert kinds(told) == ["message", "totals"]
    assert json.loads(told[0].decode().splitlines()[2].removeprefix("data: "))["message"]["text"] == "there"


def test_a_message_is_one_event(cast: Cast) -> None:
    """One message to many is one row of the log."""
    lunch = cast.ann.starts("Lunch", cast.bob, cast.carol, cast.dave)
    before = Event.select().count()
    lunch.says("hi")
    assert Event.select().count() == before + 1


def test_a_mark_that_does_not_move_is_no_event(cast: Cast) -> None:
    """Marking read what was read already is not kept."""
    lunch = cast.ann.starts("Lunch", cast.bob)
    mine = list(Participant.of(cast.bob.user))
    messages.mark_read(mine)
    before = Event.select().count()
    messages.mark_read(mine)
    messages.mark_all_read(cast.bob.user)
    messages.read_up_to(cast.bob.user, lunch.id, 1)
    assert Event.select().count() == before


def test_old_events_are_swept(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are kept for as long as it is set, and then swept, however many they are."""
    monkeypatch.setattr(events, "PIECE", 2)
    lunch = cast.ann.starts("Lunch", cast.bob)
    for number in range(5):
        lunch.says(str(number))
    Event.update(happened_at=now() - datetime.timedelta(seconds=100)).execute()
    lunch.says("new")
    files = Files(cast.settings.files_folder)
    housekeeping.sweep(files, events_kept=200)
    assert Event.select().count() == 7
    housekeeping.sweep(files, events_kept=50)
    assert Event.select().count() == 1
