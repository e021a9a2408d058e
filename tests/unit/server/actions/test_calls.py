"""How long calls ring, what is left of them, and what the schema itself holds."""

import datetime
from collections.abc import Callable
from dataclasses import replace

import pytest
from builders import Cast
from peewee import IntegrityError

from models import Call, CallEntry, Line, check, close_store, database, now, open_store
from server.actions import calls, housekeeping, parties, players
from server.config import Settings
from server.files import Files

ANN, BOB, CAROL = "555-0001", "555-0002", "555-0003"


@pytest.fixture
def phones(store: Settings) -> Settings:
    """A store in which Ann, Bob and Carol are connected players."""
    for src, number in enumerate((ANN, BOB, CAROL), start=1):
        players.connect(players.Wanted.of(src, f"license:{src}", number, f"player {src}"))
    return store


def ring(settings: Settings, caller: str, callee: str) -> Call:
    """A call that rings."""
    call = calls.start(settings, caller, callee, "phone")
    assert call is not None
    return call


def outlast(call: Call) -> datetime.datetime:
    """Let the time be over in which this call could be answered; when that was."""
    past = now() - datetime.timedelta(minutes=5)
    Call.update(rings_until=past).where(Call.id == call.id).execute()
    return past


def is_in_call(number: str) -> bool:
    return calls.live(parties.named(number)) is not None


def kept(call: Call) -> Call:
    """The call as the store has it now."""
    found: Call = Call.get_by_id(call.id)
    return found


@pytest.mark.parametrize("ring_seconds", [1, 30, 600])
def test_a_call_rings_as_long_as_is_set(phones: Settings, ring_seconds: int) -> None:
    """A call can be answered for as many seconds as the setting says."""
    call = ring(replace(phones, ring_seconds=ring_seconds), ANN, BOB)
    assert call.rings_until - call.started_at == datetime.timedelta(seconds=ring_seconds)


def test_a_call_rings_half_a_minute(phones: Settings) -> None:
    """Where nothing else is set, a call rings for 30 seconds."""
    call = ring(phones, ANN, BOB)
    assert call.rings_until - call.started_at == datetime.timedelta(seconds=30)


def test_a_late_call_is_over_before_anyone_cleans_up(phones: Settings) -> None:
    """A call that was not answered in time is live for nobody, though its lines are still in the store."""
    outlast(ring(phones, ANN, BOB))
    assert Line.select().count() == 2
    assert not is_in_call(ANN) and not is_in_call(BOB)


def test_a_late_call_is_missed(phones: Settings) -> None:
    """The next call settles one that was not answered in time: it was missed when its time was over."""
    late = ring(phones, ANN, BOB)
    end = outlast(late)
    ring(phones, "Taxi", CAROL)
    assert (kept(late).outcome, kept(late).ended_at) == (calls.MISSED, end)


@pytest.mark.parametrize(("caller", "callee"), [(CAROL, BOB), (CAROL, ANN), (ANN, CAROL), (BOB, ANN)])
def test_the_lines_of_a_late_call_are_free(phones: Settings, caller: str, callee: str) -> None:
    """Both sides of a call that was not answered in time can call and be called at once."""
    outlast(ring(phones, ANN, BOB))
    call = ring(phones, caller, callee)
    assert {line.call_id for line in Line.select()} == {call.id}
    assert is_in_call(caller) and is_in_call(callee)


def test_an_answered_call_is_not_missed(phones: Settings) -> None:
    """A call that was answered stays when the time to answer it is over."""
    call = ring(phones, ANN, BOB)
    calls.accept(parties.named(BOB))
    outlast(call)
    calls.settle()
    assert is_in_call(ANN)
    assert kept(call).outcome == ""


def test_a_ringing_call_is_not_settled(phones: Settings) -> None:
    """A call that can still be answered stays when late ones are settled."""
    late, call = ring(phones, ANN, BOB), ring(phones, "Taxi", CAROL)
    outlast(late)
    calls.settle()
    assert (kept(late).outcome, kept(call).outcome) == (calls.MISSED, "")
    assert is_in_call(CAROL)


def test_housekeeping_settles_late_calls(phones: Settings) -> None:
    """The daily housekeeping ends a call that was not answered in time as missed, and frees its lines."""
    call = ring(phones, ANN, BOB)
    end = outlast(call)
    housekeeping.sweep(Files(phones.files_folder))
    assert (kept(call).outcome, kept(call).ended_at) == (calls.MISSED, end)
    assert Line.select().count() == 0


def bob_disconnects() -> None:
    players.disconnect([2])


def the_game_begins_anew() -> None:
    players.sync("another epoch", [])


@pytest.mark.parametrize("leave", [bob_disconnects, the_game_begins_anew])
def test_who_leaves_later_has_missed_the_call(phones: Settings, leave: Callable[[], None]) -> None:
    """A call that was not answered in time is missed, also for who disconnects before it is settled."""
    call = ring(phones, ANN, BOB)
    outlast(call)
    leave()
    assert kept(call).outcome == calls.MISSED


@pytest.mark.parametrize("answered", [False, True])
def test_a_call_survives_a_restart(phones: Settings, answered: bool) -> None:
    """A call goes on, and holds its lines, when the store is closed and opened again."""
    call = ring(phones, ANN, BOB)
    if answered:
        calls.accept(parties.named(BOB))
    close_store()
    open_store(phones.database)
    assert calls.live(parties.named(ANN)).key == calls.live(parties.named(BOB)).key == call.key
    assert calls.start(phones, CAROL, BOB, "phone") is None


def test_a_missed_call_survives_a_restart(phones: Settings) -> None:
    """A call whose time is over while the server is down is missed, and its lines are free."""
    late = ring(phones, ANN, BOB)
    outlast(late)
    close_store()
    open_store(phones.database)
    assert not is_in_call(ANN)
    assert ring(phones, CAROL, BOB)
    assert kept(late).outcome == calls.MISSED


def test_the_schema_holds_one_live_call_for_a_number(phones: Settings) -> None:
    """A line that is in a call cannot be put into a second one, whatever the code has checked."""
    call = ring(phones, ANN, BOB)
    other = ring(phones, "Taxi", CAROL)
    line = Line.get(Line.call == call)
    with pytest.raises(IntegrityError), database.atomic():
        Line.create(key=line.key, call=other)


def test_the_schema_holds_an_end_and_its_outcome_together(phones: Settings) -> None:
    """A call that has an outcome has an end too."""
    call = ring(phones, ANN, BOB)
    with pytest.raises(IntegrityError), database.atomic():
        Call.update(outcome=calls.MISSED).where(Call.id == call.id).execute()


def test_a_busy_call_leaves_no_line(phones: Settings) -> None:
    """A call that finds one of its sides busy holds no line, not that of the other either."""
    call = ring(phones, ANN, BOB)
    assert calls.start(phones, CAROL, BOB, "phone") is None
    assert {line.call_id for line in Line.select()} == {call.id}
    assert not is_in_call(CAROL)


def test_a_call_of_two_players_has_two_entries(phones: Settings) -> None:
    """Each side of a call that is a user has one entry, whether the call was made or not."""
    ring(phones, ANN, BOB)
    calls.start(phones, CAROL, BOB, "phone")
    calls.start(phones, "Taxi", BOB, "phone")
    assert CallEntry.select().count() == 2 + 2 + 1


def test_the_store_of_calls_is_sound(phones: Settings) -> None:
    """After calls that were answered, missed, rejected and refused no check finds a fault."""
    outlast(ring(phones, ANN, BOB))
    ring(phones, BOB, ANN)
    calls.accept(parties.named(ANN))
    calls.start(phones, CAROL, ANN, "phone")
    calls.end(parties.named(BOB))
    ring(phones, "Taxi", CAROL)
    calls.reject(parties.named(CAROL))
    assert list(check.faults()) == []


def test_a_user_without_a_number_makes_no_call_by_name(cast: Cast) -> None:
    """A name is that of somebody without an account, also where a forum member has it."""
    assert parties.named("ann").user is None
