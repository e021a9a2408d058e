"""Phone calls: started, answered, ended, looked up, and their history."""

import datetime
from collections.abc import Callable
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from models import User, call_with, now, page_of_calls

from ...actions import calls, parties
from ...actions.parties import Party
from ...visits import Visit
from ...wire.declare import Instead, Transaction
from ...wire.types import KEY, LARGEST_ID, STRING, Key, Looked, Seconds
from .door import NUMBER_WORDS, PAGE, SOURCE_WORDS, F, Limit, face, for_player, published_twice

LINE_BY_NAME = {
    "Src": Instead("src", Annotated[Party, Looked(KEY, parties.at)], SOURCE_WORDS),
    "Number": Instead("number", Annotated[Party, Looked(STRING, parties.named)], NUMBER_WORDS),
}


def for_line(stem: str, transaction: Transaction = "write") -> Callable[[F], F]:
    """Publish the function below twice: for the *line* of the player under a source, and with a number.

    The number may be nobody's: services and other characters of the game make calls too.
    """
    return published_twice(stem, "line", LINE_BY_NAME, transaction)


class PhoneCall(TypedDict):
    callId: str
    fromId: int
    fromNumber: str
    toId: int
    toNumber: str
    callTime: Seconds
    inCall: bool
    type: str
    isNumberHidden: bool
    isCompanyCall: bool
    state: str


class PastCall(TypedDict):
    """A call in a history; *number* is the other side's, *duration* is in seconds."""

    id: int
    callId: str
    direction: str
    number: str
    type: str
    callTime: Seconds
    state: str
    outcome: NotRequired[str]
    duration: NotRequired[int]


@face.method("PhoneApp_StartCall")
def start_call(visit: Visit, /, from_: str, to: str, type_: str = "phone") -> PhoneCall | Literal[False]:
    """Start a call, which rings until it is answered, ended, or missed.

    False where the callee is not connected, blocks the caller or is busy, or the caller himself is in a
    call; both histories keep that. So a call that is started again while it rings is busy: whoever lost the
    answer looks first with PhoneApp_GetCallDataFromNumber whether it rings.

    :param from_: the caller's phone number, or that or the name of somebody without an account
    :param to: the number of the player who is called
    :param type_: phone or video
    """
    call = calls.start(visit.settings, from_, to, type_)
    return phone_call(call_with.one(key=call.key)) if call else False


@for_line("PhoneApp_EndCallBy")
def end_call(line: Party) -> bool:
    """End a call, whether it rings or was answered; false where there is none.

    :param line: one of its two sides
    """
    calls.end(line)
    return True


@for_line("PhoneApp_IsInCallBy", "read")
def is_in_call(line: Party) -> bool:
    """Whether there is a call now, ringing or answered.

    :param line: one of its two sides
    """
    return calls.live(line) is not None


@for_line("PhoneApp_AcceptCallBy")
def accept_call(line: Party) -> bool:
    """Answer the call that rings; false for the caller, and where none rings.

    :param line: who is called
    """
    calls.accept(line)
    return True


@for_line("PhoneApp_RejectCallBy")
def reject_call(line: Party) -> bool:
    """Decline the call that rings; false for the caller, and where none rings.

    :param line: who is called
    """
    calls.reject(line)
    return True


@for_line("PhoneApp_GetCallIdFrom", "read")
def call_id(line: Party) -> str | Literal[False]:
    """Give the id of the live call, or false.

    :param line: one of its two sides
    """
    call = calls.live(line)
    return call.key if call else False


@for_line("PhoneApp_GetCallDataFrom", "read")
def call_data(line: Party) -> PhoneCall | Literal[False]:
    """Give the live call, or false.

    :param line: one of its two sides
    """
    call = calls.live(line)
    return phone_call(call) if call else False


@face.method("PhoneApp_GetCallDataFromCallId", "read")
def call_data_by_id(call_id: str) -> PhoneCall | Literal[False]:
    """Give a call, one that has ended too, or false.

    :param call_id: what StartCall has given as callId
    """
    call = call_with.one(key=call_id)
    return phone_call(call) if call else False


@for_player("PhoneApp_GetCallHistoryBy", "read")
def call_history(player: User, before_id: Key = 0, limit: Limit = PAGE) -> list[PastCall]:
    """List the calls that a player has made, got or missed, the newest first.

    :param player: whose calls
    :param before_id: gives only what is older than the entry with this id; 0 begins with the newest
    :param limit: how many, at most 200
    """
    rows = page_of_calls(user=player.id, before=before_id or LARGEST_ID, limit=limit)
    return [past_call(row) for row in rows]


def phone_call(row: Any) -> PhoneCall:
    state = calls.state_of(row)
    return {
        "callId": row.key,
        "fromId": row.from_src or 0,
        "fromNumber": row.from_number,
        "toId": row.to_src or 0,
        "toNumber": row.to_number,
        "callTime": row.started_at,
        "inCall": state != calls.ENDED,
        "type": row.kind,
        "isNumberHidden": False,
        "isCompanyCall": False,
        "state": state,
    }


def past_call(row: Any) -> PastCall:
    state = calls.state_of(row)
    past: PastCall = {
        "id": row.entry_id,
        "callId": row.key,
        "direction": "outgoing" if row.is_outgoing else "incoming",
        "number": row.to_number if row.is_outgoing else row.from_number,
        "type": row.kind,
        "callTime": row.started_at,
        "state": state,
    }
    if state == calls.ENDED:
        past["outcome"] = calls.outcome_of(row)
    if row.answered_at:
        past["duration"] = seconds(row.answered_at, row.ended_at or now())
    return past


def seconds(start: datetime.datetime, end: datetime.datetime) -> int:
    return max(0, int((end - start).total_seconds()))
