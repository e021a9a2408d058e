"""Calls: started, answered, ended, refused, looked up, and kept in the histories."""

import datetime
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from threading import Barrier
from typing import Any
from xmlrpc.client import ServerProxy

import pytest
from conftest import Live, Player

from models import Call, User, database, now
from server.actions import accounts

BAD_PARAMS = -32602
CALL = {
    "callId": str,
    "fromId": int,
    "fromNumber": str,
    "toId": int,
    "toNumber": str,
    "callTime": int,
    "inCall": bool,
    "type": str,
    "isNumberHidden": bool,
    "isCompanyCall": bool,
    "state": str,
}
NOBODY = {"Src": 2**31 - 1, "Number": "000-000"}
AT_ONCE = 8
services = count(3_000_000)
both_ways = pytest.mark.parametrize("way", ["Src", "Number"])


def service() -> str:
    """The name of somebody without an account, whom no other test knows."""
    return f"Taxi no. {next(services)}"


def ask(script: Any, stem: str, way: str, who: Player, *values: Any) -> Any:
    """What the method with this stem answers for a player, who is named in this way."""
    name = who.src if way.endswith("Src") else who.number
    return getattr(script, f"PhoneApp_{stem}{way}")(name, *values)


def start(script: Any, caller: Player | str, callee: Player, *kind: str) -> Any:
    """A call that rings."""
    number = caller if isinstance(caller, str) else caller.number
    made = script.PhoneApp_StartCall(number, callee.number, *kind)
    assert made, "the call was not made"
    return made


def talk(script: Any, caller: Player, callee: Player) -> Any:
    """A call that is answered."""
    made = start(script, caller, callee)
    assert script.PhoneApp_AcceptCallBySrc(callee.src) is True
    return made


def history(script: Any, who: Player, *page: Any) -> list[Any]:
    entries: list[Any] = script.PhoneApp_GetCallHistoryByNumber(who.number, *page)
    return entries


def is_free(script: Any, *players: Player) -> bool:
    """Whether none of them is in a call."""
    return not any(script.PhoneApp_IsInCallByNumber(player.number) for player in players)


def outlast(live: Live, made: Any) -> None:
    """Let the time be over in which this call could be answered."""
    past = now() - datetime.timedelta(seconds=1)
    with live.store(), database.atomic():
        Call.update(rings_until=past).where(Call.key == made["callId"]).execute()


def at_once(work: list[Callable[[], Any]]) -> list[Any]:
    """What comes of all these, done at the same instant by as many threads."""
    barrier = Barrier(len(work))

    def wait_and_do(each: Callable[[], Any]) -> Any:
        barrier.wait()
        return each()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(wait_and_do, work))


@pytest.fixture
def script(live: Live) -> Any:
    """A script of the game server's."""
    return live.script()


@pytest.fixture
def script_with_nil(live: Live) -> Iterator[Any]:
    """A script that writes None as nil."""
    headers = [("Authorization", f"Bearer {live.key()}")]
    with ServerProxy(f"{live.address}/mobiquo/mobiquo.php", headers=headers, allow_none=True) as script:
        yield script


@pytest.fixture
def caller(live: Live) -> Player:
    return live.player("caller")


@pytest.fixture
def callee(live: Live) -> Player:
    return live.player("callee")


def test_a_call_has_the_documented_members(script: Any, caller: Player, callee: Player) -> None:
    """A call has exactly the members of the documented struct, with their types."""
    made = start(script, caller, callee)
    assert {key: type(value) for key, value in made.items()} == CALL


def test_a_call_rings(script: Any, caller: Player, callee: Player) -> None:
    """A new call tells who calls whom, by source and number, and counts as a call while it rings."""
    made = start(script, caller, callee)
    assert {key: made[key] for key in CALL if key not in ("callId", "callTime")} == {
        "fromId": caller.src,
        "fromNumber": caller.number,
        "toId": callee.src,
        "toNumber": callee.number,
        "inCall": True,
        "type": "phone",
        "isNumberHidden": False,
        "isCompanyCall": False,
        "state": "ringing",
    }


def test_a_call_s_id_is_a_uuid(script: Any, caller: Player, callee: Player) -> None:
    """Every call has a UUID of its own, in the usual form."""
    first = start(script, caller, callee)["callId"]
    script.PhoneApp_EndCallBySrc(caller.src)
    second = start(script, caller, callee)["callId"]
    assert [str(uuid.UUID(each)) for each in (first, second)] == [first, second]
    assert first != second


def test_a_call_s_time_is_its_start(script: Any, caller: Player, callee: Player) -> None:
    """The time of a call is when it began, in seconds since 1970, also after it was answered."""
    before = int(time.time())
    made = talk(script, caller, callee)
    assert before <= made["callTime"] <= int(time.time())
    assert script.PhoneApp_GetCallDataFromSrc(caller.src)["callTime"] == made["callTime"]


@pytest.mark.parametrize("name", ["Police {}", "1-800-{}", "*#{}", "Zo\u00eb {}"])
def test_nobody_in_particular_may_call(script: Any, callee: Player, name: str) -> None:
    """A call from a name, or a number that nobody has, rings, with 0 as the caller's source."""
    name = name.format(next(services))
    made = start(script, name, callee)
    assert (made["fromId"], made["fromNumber"], made["toId"]) == (0, name, callee.src)


def test_a_name_with_digits_is_a_name(live: Live, script: Any, callee: Player) -> None:
    """A name in which a player's number stands is not that player, who stays free."""
    other = live.player()
    made = start(script, f"Taxi {other.number}", callee)
    assert (made["fromId"], made["fromNumber"]) == (0, f"Taxi {other.number}")
    assert is_free(script, other)


def test_a_caller_need_not_be_connected(script: Any, caller: Player, callee: Player) -> None:
    """A call may be made from the number of a player who is not there; he has no source."""
    script.Players_Disconnect(caller.src)
    made = start(script, caller, callee)
    assert (made["fromId"], made["fromNumber"]) == (0, caller.number)


def test_numbers_match_on_their_digits(script: Any, caller: Player, callee: Player) -> None:
    """Both numbers are matched on their digits, and the call has them as their players do."""
    made = script.PhoneApp_StartCall(f"({caller.number})", callee.number.replace("-", " "))
    assert (made["fromId"], made["fromNumber"]) == (caller.src, caller.number)
    assert (made["toId"], made["toNumber"]) == (callee.src, callee.number)


def test_a_number_may_be_an_integer(script: Any, callee: Player) -> None:
    """A number is taken as an int, and given as a string."""
    number = next(services)
    assert script.PhoneApp_StartCall(number, callee.number)["fromNumber"] == str(number)


@pytest.mark.parametrize("kind", ["phone", "video"])
def test_a_call_has_a_type(script: Any, caller: Player, callee: Player, kind: str) -> None:
    """A call is of the type that was asked for."""
    assert start(script, caller, callee, kind)["type"] == kind
    assert history(script, caller)[0]["type"] == kind


@pytest.mark.parametrize("kind", ["", None])
def test_a_type_may_be_empty(script_with_nil: Any, caller: Player, callee: Player, kind: Any) -> None:
    """A type that is empty or nil is that of a phone."""
    assert start(script_with_nil, caller, callee, kind)["type"] == "phone"


@pytest.mark.parametrize("kind", ["fax", "Phone", "phone ", 5])
def test_there_is_no_such_type(script: Any, caller: Player, callee: Player, kind: Any) -> None:
    """A call of another type is false."""
    assert script.PhoneApp_StartCall(caller.number, callee.number, kind) is False
    assert is_free(script, caller, callee)


@pytest.mark.parametrize("name", ["", "   ", "\n"])
def test_a_caller_has_a_name(script: Any, callee: Player, name: str) -> None:
    """A call from an empty text is false."""
    assert script.PhoneApp_StartCall(name, callee.number) is False


@pytest.mark.parametrize("number", ["", "000-000", "Police"])
def test_only_players_are_called(script: Any, caller: Player, number: str) -> None:
    """A call to what is no player's number is false."""
    assert script.PhoneApp_StartCall(caller.number, number) is False
    assert is_free(script, caller)


@pytest.mark.parametrize("form", ["{}", "({})", "+{}"])
def test_a_number_does_not_call_itself(script: Any, caller: Player, form: str) -> None:
    """A call from a number to itself, however it is written, is false."""
    assert script.PhoneApp_StartCall(caller.number, form.format(caller.number)) is False
    assert is_free(script, caller)


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("side", ["caller", "callee"])
def test_who_is_in_a_call_is_busy(live: Live, script: Any, side: str, answered: bool) -> None:
    """Neither side of a call can be called, whether it rings or was answered; the call goes on."""
    players = {"caller": live.player(), "callee": live.player()}
    made = start(script, players["caller"], players["callee"])
    if answered:
        script.PhoneApp_AcceptCallBySrc(players["callee"].src)
    assert script.PhoneApp_StartCall(service(), players[side].number) is False
    assert script.PhoneApp_GetCallIdFromSrc(players[side].src) == made["callId"]


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_who_is_in_a_call_calls_nobody(live: Live, script: Any, side: str) -> None:
    """Neither side of a call can make another one, and the third is left in peace."""
    players = {"caller": live.player(), "callee": live.player()}
    start(script, players["caller"], players["callee"])
    third = live.player()
    assert script.PhoneApp_StartCall(players[side].number, third.number) is False
    assert is_free(script, third)


@pytest.mark.parametrize("other", ["{}", " {}", "TAXI NO. {}"])
def test_a_name_is_in_one_call(live: Live, script: Any, callee: Player, other: str) -> None:
    """A name without an account is in one call at a time, in whatever case it is written."""
    place = next(services)
    start(script, f"Taxi no. {place}", callee)
    again = other.format(place if "TAXI" in other else f"Taxi no. {place}")
    assert script.PhoneApp_StartCall(again, live.player().number) is False


def test_other_names_are_other_callers(live: Live, script: Any, callee: Player) -> None:
    """Two names without an account may be in calls at the same time."""
    assert start(script, service(), callee)["callId"] != start(script, service(), live.player())["callId"]


@both_ways
def test_a_blocked_caller_does_not_get_through(script: Any, caller: Player, callee: Player, way: str) -> None:
    """A call from a number that the callee blocks is false, until he stops blocking it."""
    ask(script, "SetBlockedBy", way, callee, caller.number, True)
    assert script.PhoneApp_StartCall(caller.number, callee.number) is False
    assert is_free(script, caller, callee)
    ask(script, "SetBlockedBy", way, callee, caller.number, False)
    assert start(script, caller, callee)


def test_nobody_s_number_may_be_blocked(script: Any, callee: Player) -> None:
    """A number without an account is blocked like any other, however it is written."""
    number = str(next(services))
    script.PhoneApp_SetBlockedBySrc(callee.src, number, True)
    assert script.PhoneApp_StartCall(f"+{number}", callee.number) is False


def test_who_blocks_may_call(script: Any, caller: Player, callee: Player) -> None:
    """To block a number stops its calls alone, and not those to it."""
    script.PhoneApp_SetBlockedBySrc(caller.src, callee.number, True)
    assert start(script, caller, callee)


def test_a_player_who_is_not_there_cannot_be_called(script: Any, caller: Player, callee: Player) -> None:
    """A call to a player who is not connected is false."""
    script.Players_Disconnect(callee.src)
    assert script.PhoneApp_StartCall(caller.number, callee.number) is False
    assert is_free(script, caller, callee)


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_a_disabled_user_has_no_calls(
    live: Live, script: Any, caller: Player, callee: Player, side: str
) -> None:
    """A user who is disabled neither calls nor is called, and the call that he is in ends."""
    start(script, caller, callee)
    with live.store(), database.atomic():
        accounts.disable(User.get_by_id(int({"caller": caller, "callee": callee}[side].id)))
    assert is_free(script, caller, callee)
    assert script.PhoneApp_StartCall(caller.number, callee.number) is False


@both_ways
@pytest.mark.parametrize("answered", [False, True])
def test_both_sides_are_in_a_call(
    script: Any, caller: Player, callee: Player, way: str, answered: bool
) -> None:
    """Both sides are in a call from when it rings until it ends."""
    (talk if answered else start)(script, caller, callee)
    assert [ask(script, "IsInCallBy", way, who) for who in (caller, callee)] == [True, True]
    script.PhoneApp_EndCallBySrc(caller.src)
    assert [ask(script, "IsInCallBy", way, who) for who in (caller, callee)] == [False, False]


@both_ways
@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("side", ["caller", "callee"])
def test_a_call_ends_once(
    script: Any, caller: Player, callee: Player, way: str, answered: bool, side: str
) -> None:
    """Either side ends a call, ringing or answered; the second time there is none to end."""
    (talk if answered else start)(script, caller, callee)
    who = {"caller": caller, "callee": callee}[side]
    assert [ask(script, "EndCallBy", way, who) for _ in range(2)] == [True, False]
    assert is_free(script, caller, callee)


def test_a_name_ends_its_call(script: Any, callee: Player) -> None:
    """Somebody without an account is in his call and ends it by his name, in any case."""
    name = service()
    start(script, name, callee)
    assert script.PhoneApp_IsInCallByNumber(name.upper()) is True
    assert script.PhoneApp_EndCallByNumber(name.upper()) is True
    assert is_free(script, callee)


@both_ways
def test_the_callee_accepts(script: Any, caller: Player, callee: Player, way: str) -> None:
    """A call that is accepted is active for both sides, and goes on."""
    made = start(script, caller, callee)
    assert ask(script, "AcceptCallBy", way, callee) is True
    accepted = {**made, "state": "active"}
    assert script.PhoneApp_GetCallDataFromSrc(caller.src) == accepted
    assert script.PhoneApp_GetCallDataFromSrc(callee.src) == accepted


@both_ways
def test_the_callee_rejects(script: Any, caller: Player, callee: Player, way: str) -> None:
    """A call that is rejected has ended for both sides."""
    start(script, caller, callee)
    assert ask(script, "RejectCallBy", way, callee) is True
    assert is_free(script, caller, callee)


@both_ways
@pytest.mark.parametrize("stem", ["AcceptCallBy", "RejectCallBy"])
def test_a_caller_does_not_answer_himself(
    script: Any, caller: Player, callee: Player, way: str, stem: str
) -> None:
    """To accept or reject one's own call is false, and it rings on."""
    made = start(script, caller, callee)
    assert ask(script, stem, way, caller) is False
    assert script.PhoneApp_GetCallDataFromSrc(callee.src) == made


@pytest.mark.parametrize("stem", ["AcceptCall", "RejectCall"])
def test_a_name_does_not_answer(script: Any, callee: Player, stem: str) -> None:
    """Somebody without an account, who can only call, neither accepts nor rejects."""
    name = service()
    made = start(script, name, callee)
    assert getattr(script, f"PhoneApp_{stem}ByNumber")(name) is False
    assert script.PhoneApp_GetCallDataFromSrc(callee.src) == made


@both_ways
@pytest.mark.parametrize("stem", ["AcceptCallBy", "RejectCallBy"])
def test_what_was_answered_rings_no_more(
    script: Any, caller: Player, callee: Player, way: str, stem: str
) -> None:
    """To accept or reject a call that was accepted is false, and it goes on."""
    made = talk(script, caller, callee)
    assert ask(script, stem, way, callee) is False
    assert script.PhoneApp_GetCallDataFromSrc(callee.src) == {**made, "state": "active"}


@both_ways
@pytest.mark.parametrize(
    "stem",
    ["EndCallBy", "IsInCallBy", "AcceptCallBy", "RejectCallBy", "GetCallIdFrom", "GetCallDataFrom"],
)
def test_without_a_call_it_is_false(script: Any, caller: Player, way: str, stem: str) -> None:
    """For a player who is in no call, and for nobody, the answer is false."""
    assert ask(script, stem, way, caller) is False
    assert getattr(script, f"PhoneApp_{stem}{way}")(NOBODY[way]) is False


@both_ways
def test_a_call_is_looked_up(script: Any, caller: Player, callee: Player, way: str) -> None:
    """Both sides have the id and the data of the one call that they are in."""
    made = start(script, caller, callee)
    for who in (caller, callee):
        assert ask(script, "GetCallIdFrom", way, who) == made["callId"]
        assert ask(script, "GetCallDataFrom", way, who) == made


def test_a_call_is_looked_up_by_its_id(script: Any, caller: Player, callee: Player) -> None:
    """A call is found by its id, also when it has ended."""
    made = start(script, caller, callee)
    assert script.PhoneApp_GetCallDataFromCallId(made["callId"]) == made
    script.PhoneApp_EndCallBySrc(callee.src)
    ended = {**made, "inCall": False, "state": "ended"}
    assert script.PhoneApp_GetCallDataFromCallId(made["callId"]) == ended


@pytest.mark.parametrize("call_id", ["", "unique-uuid", str(uuid.UUID(int=0)), 1])
def test_there_is_no_such_call(script: Any, call_id: Any) -> None:
    """An unknown id of a call is false."""
    assert script.PhoneApp_GetCallDataFromCallId(call_id) is False


def test_an_unanswered_call_is_over(live: Live, script: Any, caller: Player, callee: Player) -> None:
    """A call whose time to be answered is over has ended, for both sides and in every look-up."""
    made = start(script, caller, callee)
    outlast(live, made)
    assert is_free(script, caller, callee)
    assert script.PhoneApp_GetCallIdFromSrc(caller.src) is False
    assert script.PhoneApp_GetCallDataFromNumber(callee.number) is False
    found = script.PhoneApp_GetCallDataFromCallId(made["callId"])
    assert (found["inCall"], found["state"]) == (False, "ended")


@pytest.mark.parametrize("stem", ["EndCallBy", "AcceptCallBy", "RejectCallBy"])
def test_it_is_too_late_to_answer(live: Live, script: Any, caller: Player, callee: Player, stem: str) -> None:
    """A call whose time to be answered is over can neither be answered nor ended, and stays missed."""
    outlast(live, start(script, caller, callee))
    assert ask(script, stem, "Src", callee) is False
    assert history(script, callee)[0]["outcome"] == "missed"


def test_an_answered_call_has_no_end_of_its_own(
    live: Live, script: Any, caller: Player, callee: Player
) -> None:
    """A call that was answered goes on when the time to answer it is over."""
    made = talk(script, caller, callee)
    outlast(live, made)
    assert script.PhoneApp_StartCall(service(), callee.number) is False
    assert script.PhoneApp_GetCallIdFromSrc(caller.src) == made["callId"]


def busy_callee(live: Live, script: Any, caller: Player, callee: Player) -> None:
    start(script, service(), callee)
    script.PhoneApp_StartCall(caller.number, callee.number)


def busy_caller(live: Live, script: Any, caller: Player, callee: Player) -> None:
    start(script, service(), caller)
    script.PhoneApp_StartCall(caller.number, callee.number)


def not_connected(live: Live, script: Any, caller: Player, callee: Player) -> None:
    script.Players_Disconnect(callee.src)
    script.PhoneApp_StartCall(caller.number, callee.number)


def blocked(live: Live, script: Any, caller: Player, callee: Player) -> None:
    script.PhoneApp_SetBlockedBySrc(callee.src, caller.number, True)
    script.PhoneApp_StartCall(caller.number, callee.number)


def rejected(live: Live, script: Any, caller: Player, callee: Player) -> None:
    start(script, caller, callee)
    script.PhoneApp_RejectCallBySrc(callee.src)


def hung_up_by_callee(live: Live, script: Any, caller: Player, callee: Player) -> None:
    start(script, caller, callee)
    script.PhoneApp_EndCallBySrc(callee.src)


def hung_up_by_caller(live: Live, script: Any, caller: Player, callee: Player) -> None:
    start(script, caller, callee)
    script.PhoneApp_EndCallBySrc(caller.src)


def talked_until_caller_ended(live: Live, script: Any, caller: Player, callee: Player) -> None:
    talk(script, caller, callee)
    script.PhoneApp_EndCallBySrc(caller.src)


def talked_until_callee_ended(live: Live, script: Any, caller: Player, callee: Player) -> None:
    talk(script, caller, callee)
    script.PhoneApp_EndCallBySrc(callee.src)


def not_answered(live: Live, script: Any, caller: Player, callee: Player) -> None:
    outlast(live, start(script, caller, callee))


def not_answered_and_called_again(live: Live, script: Any, caller: Player, callee: Player) -> None:
    outlast(live, start(script, caller, callee))
    script.PhoneApp_StartCall(service(), service())


def rang_when_callee_left(live: Live, script: Any, caller: Player, callee: Player) -> None:
    start(script, caller, callee)
    script.Players_Disconnect(callee.src)


def talked_when_caller_left(live: Live, script: Any, caller: Player, callee: Player) -> None:
    talk(script, caller, callee)
    script.Players_Disconnect(caller.src)


def talked_when_the_game_began_anew(live: Live, script: Any, caller: Player, callee: Player) -> None:
    talk(script, caller, callee)
    script.Players_Sync(f"calls {next(services)}", [])


@pytest.mark.parametrize(
    ("arrange", "outcome"),
    [
        (busy_callee, "busy"),
        (busy_caller, "busy"),
        (not_connected, "unavailable"),
        (blocked, "unavailable"),
        (rejected, "rejected"),
        (hung_up_by_callee, "rejected"),
        (hung_up_by_caller, "cancelled"),
        (talked_until_caller_ended, "answered"),
        (talked_until_callee_ended, "answered"),
        (not_answered, "missed"),
        (not_answered_and_called_again, "missed"),
        (rang_when_callee_left, "disconnected"),
        (talked_when_caller_left, "disconnected"),
        (talked_when_the_game_began_anew, "disconnected"),
    ],
)
def test_both_histories_have_the_outcome(
    live: Live,
    script: Any,
    caller: Player,
    callee: Player,
    arrange: Callable[[Live, Any, Player, Player], None],
    outcome: str,
) -> None:
    """Each side has one entry of a call, with the other's number, its direction, and what came of it."""
    arrange(live, script, caller, callee)
    made, got = history(script, caller)[0], history(script, callee)[0]
    assert (made["direction"], made["number"], made["outcome"]) == ("outgoing", callee.number, outcome)
    assert (got["direction"], got["number"], got["outcome"]) == ("incoming", caller.number, outcome)
    assert made["callId"] == got["callId"]
    assert made["id"] != got["id"]


def test_an_unknown_number_is_kept_by_the_caller(script: Any, caller: Player) -> None:
    """A call to a number of nobody's is in the history of the player who tried."""
    script.PhoneApp_StartCall(caller.number, "000-000")
    [entry] = history(script, caller)
    assert (entry["number"], entry["outcome"]) == ("000-000", "unavailable")


def test_a_name_is_kept_by_the_callee(script: Any, callee: Player) -> None:
    """A call from somebody without an account is in the callee's history with his name."""
    name = service()
    start(script, name, callee)
    script.PhoneApp_RejectCallBySrc(callee.src)
    [entry] = history(script, callee)
    assert (entry["direction"], entry["number"], entry["outcome"]) == ("incoming", name, "rejected")


@pytest.mark.parametrize("answered", [False, True])
def test_a_live_call_has_no_outcome_yet(script: Any, caller: Player, callee: Player, answered: bool) -> None:
    """A call that goes on is in both histories, without an outcome."""
    (talk if answered else start)(script, caller, callee)
    for who in (caller, callee):
        [entry] = history(script, who)
        assert entry["state"] == ("active" if answered else "ringing")
        assert "outcome" not in entry


def test_a_history_entry_has_types(script: Any, caller: Player, callee: Player) -> None:
    """Ids, times and durations are ints, everything else is a string."""
    talk(script, caller, callee)
    script.PhoneApp_EndCallBySrc(caller.src)
    [entry] = history(script, callee)
    whole = {"id", "callTime", "duration"}
    assert {key for key, value in entry.items() if type(value) is int} == whole
    assert all(type(entry[key]) is str for key in entry.keys() - whole)


def test_an_unanswered_call_has_no_duration(script: Any, caller: Player, callee: Player) -> None:
    """What was never answered did not last: the member is absent."""
    rejected_call = start(script, caller, callee)
    script.PhoneApp_RejectCallBySrc(callee.src)
    [entry] = history(script, callee)
    assert entry["callId"] == rejected_call["callId"]
    assert "duration" not in entry


@both_ways
def test_a_history_is_newest_first(script: Any, caller: Player, callee: Player, way: str) -> None:
    """The history of a player has his calls in both directions, the newest first."""
    made = []
    for one, other in ((caller, callee), (callee, caller), (caller, callee)):
        made.append(start(script, one, other)["callId"])
        script.PhoneApp_EndCallBySrc(one.src)
    entries = ask(script, "GetCallHistoryBy", way, caller)
    assert [entry["callId"] for entry in entries] == made[::-1]
    assert [entry["direction"] for entry in entries] == ["outgoing", "incoming", "outgoing"]


@both_ways
def test_nobody_has_no_history(script: Any, way: str) -> None:
    """The history of nobody is an empty list."""
    assert getattr(script, f"PhoneApp_GetCallHistoryBy{way}")(NOBODY[way]) == []


def test_a_history_is_its_owner_s(live: Live, script: Any, caller: Player, callee: Player) -> None:
    """A call is in the histories of its two sides and in no other."""
    start(script, caller, callee)
    assert history(script, live.player()) == []


def try_five(script: Any, caller: Player) -> list[Any]:
    """The history of a player who has tried five numbers that nobody has, the newest first."""
    for place in range(5):
        script.PhoneApp_StartCall(caller.number, f"000-{place}")
    return history(script, caller)


@both_ways
def test_a_history_has_pages(script: Any, caller: Player, way: str) -> None:
    """A page ends after as many entries as wanted, and the next begins before the last of them."""
    entries = try_five(script, caller)
    first = ask(script, "GetCallHistoryBy", way, caller, "", 2)
    second = ask(script, "GetCallHistoryBy", way, caller, first[-1]["id"], 2)
    rest = ask(script, "GetCallHistoryBy", way, caller, str(second[-1]["id"]))
    assert [*first, *second, *rest] == entries
    assert [len(first), len(second), len(rest)] == [2, 2, 1]


@pytest.mark.parametrize(
    ("page", "shown"), [([], 5), (["", ""], 5), (["", 0], 0), (["", 5000], 5), ([0], 5), ([2**31 - 1], 5)]
)
def test_a_page_may_be_any(script: Any, caller: Player, page: list[Any], shown: int) -> None:
    """Where a page begins and how long it is may be left out, and may be more than there is."""
    entries = try_five(script, caller)
    assert history(script, caller, *page) == entries[:shown]


@pytest.mark.parametrize("side", ["caller", "callee"])
@pytest.mark.parametrize("answered", [False, True])
def test_who_disconnects_ends_his_call(
    script: Any, caller: Player, callee: Player, side: str, answered: bool
) -> None:
    """A call ends for both sides when one of them disconnects, whether it rings or was answered."""
    (talk if answered else start)(script, caller, callee)
    script.Players_Disconnect({"caller": caller, "callee": callee}[side].src)
    assert is_free(script, caller, callee)


def test_a_source_that_passes_on_ends_a_call(live: Live, script: Any, caller: Player, callee: Player) -> None:
    """A call ends when the source of one side passes to another player, who is not in it."""
    made, other = talk(script, caller, callee), live.player()
    assert script.Players_Connect(callee.src, other.identifier, other.number, other.name)["success"] is True
    assert is_free(script, caller, callee, other)
    assert [history(script, who)[0]["outcome"] for who in (caller, callee)] == ["disconnected"] * 2
    assert script.PhoneApp_GetCallDataFromCallId(made["callId"])["inCall"] is False


def test_another_number_ends_a_call(script: Any, caller: Player, callee: Player) -> None:
    """A call of a number ends when its player gets another one."""
    made, number = talk(script, caller, callee), f"9{callee.number}"
    script.Players_Connect(callee.src, callee.identifier, number, callee.name)
    assert script.PhoneApp_IsInCallByNumber(number) is False
    assert is_free(script, caller, callee)
    assert script.PhoneApp_GetCallDataFromCallId(made["callId"])["state"] == "ended"


@pytest.mark.parametrize("form", ["{}", "({})"])
def test_to_connect_again_ends_no_call(script: Any, caller: Player, callee: Player, form: str) -> None:
    """A call goes on when the game server says again that a player is there, with the number that he has."""
    made = talk(script, caller, callee)
    script.Players_Connect(callee.src, callee.identifier, form.format(callee.number), callee.name)
    assert script.PhoneApp_GetCallIdFromSrc(callee.src) == made["callId"]


def test_a_refused_connection_ends_no_call(live: Live, script: Any, caller: Player, callee: Player) -> None:
    """A call goes on when one of its players is refused another's number."""
    made, other = talk(script, caller, callee), live.player()
    refused = script.Players_Connect(callee.src, callee.identifier, other.number, callee.name)
    assert refused["success"] is False
    assert script.PhoneApp_GetCallIdFromSrc(callee.src) == made["callId"]


def test_many_who_call_one_at_once(live: Live, script: Any, callee: Player) -> None:
    """Of many calls to one number at one instant exactly one rings; the others find it busy."""
    calls = [(live.script(), service()) for _ in range(AT_ONCE)]
    answers = at_once([partial(each.PhoneApp_StartCall, name, callee.number) for each, name in calls])
    [ringing] = [answer for answer in answers if answer]
    assert answers.count(False) == AT_ONCE - 1
    assert script.PhoneApp_GetCallDataFromSrc(callee.src) == ringing
    outcomes = [entry.get("outcome") for entry in history(script, callee)]
    assert (outcomes.count("busy"), outcomes.count(None)) == (AT_ONCE - 1, 1)


def test_one_who_calls_many_at_once(live: Live, script: Any, caller: Player) -> None:
    """Of many calls from one number at one instant exactly one rings, and the others stay free."""
    calls = [(live.script(), live.player()) for _ in range(AT_ONCE)]
    answers = at_once([partial(each.PhoneApp_StartCall, caller.number, who.number) for each, who in calls])
    [ringing] = [answer for answer in answers if answer]
    called = [player.number for _, player in calls if not is_free(script, player)]
    assert called == [ringing["toNumber"]]


def test_two_who_call_each_other_at_once(live: Live, caller: Player, callee: Player) -> None:
    """Of two calls between two players at one instant one rings, and both are in it."""
    numbers = [(caller.number, callee.number), (callee.number, caller.number)]
    answers = at_once([partial(live.script().PhoneApp_StartCall, *pair) for pair in numbers])
    [ringing] = [answer for answer in answers if answer]
    assert answers.count(False) == 1
    ids = [live.script().PhoneApp_GetCallIdFromSrc(who.src) for who in (caller, callee)]
    assert ids == [ringing["callId"]] * 2


def test_a_call_is_ended_once_by_many(live: Live, caller: Player, callee: Player) -> None:
    """Of many who end one call at one instant exactly one is told that he did."""
    scripts = [live.script() for _ in range(AT_ONCE)]
    talk(scripts[0], caller, callee)
    answers = at_once([partial(each.PhoneApp_EndCallBySrc, callee.src) for each in scripts])
    assert sorted(answers) == [False] * (AT_ONCE - 1) + [True]


def test_a_call_is_answered_in_one_way(live: Live, caller: Player, callee: Player) -> None:
    """Of accepting and rejecting a call at one instant exactly one is done."""
    one, other = live.script(), live.script()
    start(one, caller, callee)
    answers = at_once(
        [
            partial(one.PhoneApp_AcceptCallBySrc, callee.src),
            partial(other.PhoneApp_RejectCallBySrc, callee.src),
        ]
    )
    assert sorted(answers) == [False, True]
