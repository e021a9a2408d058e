"""Phone calls: ringing, answered, ended, and kept in the histories of both sides."""

import datetime
import uuid
from collections.abc import Callable
from typing import Any

from peewee import IntegrityError

from models import (
    LIVE,
    RINGS,
    SIDES,
    Call,
    Line,
    call_on,
    database,
    end_live,
    end_ringing,
    enter_call,
    free_lines,
    hold_line,
    is_here,
    lapse_calls,
    milliseconds,
    now,
    one_lapsed,
    still_rings,
    store_call,
)

from ..config import Settings
from ..errors import BadInput, NotAllowed, NotFound
from . import events, parties
from .parties import Party

KINDS = ("phone", "video")
ANSWERED, MISSED, CANCELLED, REJECTED = "answered", "missed", "cancelled", "rejected"
BUSY, UNAVAILABLE, DISCONNECTED = "busy", "unavailable", "disconnected"
RINGING, TALKING, ENDED = "ringing", "active", "ended"


def start(settings: Settings, from_number: str, to_number: str, kind: str) -> Call | None:
    """Ring the one number for the other; None where it cannot be, which both histories then tell."""
    caller, callee = parties.named(from_number), parties.named(to_number)
    if kind not in KINDS:
        raise BadInput(f"The type of a call is {' or '.join(KINDS)}.")
    if caller.key == callee.key:
        raise BadInput("A number cannot call itself.")
    if caller.user is not None and caller.user.disabled_at:
        raise NotAllowed("This user is disabled.")
    settle()
    outcome = "" if can_be_called(callee, caller) else UNAVAILABLE
    if not outcome:
        try:
            with database.atomic():
                return ring(settings, caller, callee, kind)
        except IntegrityError:
            outcome = BUSY
    if caller.user is not None or callee.user is not None:
        keep(settings, caller, callee, kind, outcome)
    return None


def can_be_called(callee: Party, caller: Party) -> bool:
    """Whether the callee is here and wants to hear of the caller."""
    user = callee.user
    if user is None or user.disabled_at or is_here.one(user=user.id) is None:
        return False
    return not parties.blocks(user, caller)


def ring(settings: Settings, caller: Party, callee: Party, kind: str) -> Call:
    """A call that holds the lines of both; in one order, so that two calls never wait for each other."""
    call = keep(settings, caller, callee, kind, "")
    for key in sorted([caller.key, callee.key]):
        hold_line.do(key=key, call=call.id)
    events.calls([call])
    return call


def keep(settings: Settings, caller: Party, callee: Party, kind: str, outcome: str) -> Call:
    """A call in the history of those of its sides that are users; it has ended if it has an *outcome*."""
    moment = now()
    call = Call(
        key=str(uuid.uuid4()),
        caller=caller.user and caller.user.id,
        callee=callee.user and callee.user.id,
        from_number=caller.number,
        to_number=callee.number,
        kind=kind,
        started_at=moment,
        rings_until=moment + datetime.timedelta(seconds=settings.ring_seconds),
        ended_at=moment if outcome else None,
        outcome=outcome,
    )
    store_call(call)
    for side, is_outgoing in ((caller, True), (callee, False)):
        if side.user is not None:
            enter_call.do(call=call.id, user=side.user.id, is_outgoing=is_outgoing)
    return call


def live(line: Party) -> Any:
    """The live call of a line, with the sources of both sides, or None."""
    return call_on.one(line=line.key, now=milliseconds(now()))


def accept(line: Party) -> None:
    """Answer the call that rings at the callee's."""
    call = ringing_at(line)
    if not Call.update(answered_at=now()).where(Call.id == call.id, RINGS).execute():
        raise NotFound("No call rings there.")
    events.calls([call])


def reject(line: Party) -> None:
    """Decline the call that rings at the callee's."""
    if not end_one(end_ringing, ringing_at(line), REJECTED):
        raise NotFound("No call rings there.")


def ringing_at(line: Party) -> Any:
    call = live(line)
    if call is None or call.answered_at or line.user is None or call.callee_id != line.user.id:
        raise NotFound("No call rings there.")
    return call


def end(line: Party) -> None:
    """Hang up, on either side, a call that rings or was answered."""
    call = live(line)
    is_callee = call is not None and line.user is not None and line.user.id == call.callee_id
    ringing = REJECTED if is_callee else CANCELLED
    if call is None or not (end_one(end_ringing, call, ringing) or end_one(end_live, call, ANSWERED)):
        raise NotFound("There is no call.")


def end_of(keys: list[str], outcome: str) -> None:
    """End the live calls of these lines."""
    lines = list(Line.select().where(Line.key.in_(keys)))
    if lines:
        settle()
        these = Call.id.in_([line.call_id for line in lines]) & LIVE
        ending = Call.update(ended_at=now(), outcome=outcome).where(these).returning(*SIDES)
        free(list(ending.execute()))


def end_all() -> None:
    """End every live call, because all players are gone."""
    end_of([line.key for line in Line.select()], DISCONNECTED)


def end_one(ending: Callable[..., list[Any]], call: Any, outcome: str) -> int:
    """End a call, if it is still as *ending* wants it, and free its lines; how many there were."""
    return free(ending(call=call.id, outcome=outcome, now=milliseconds(now())))


def some_lapsed() -> bool:
    """Whether there are calls that nobody has answered in time and that are not over yet."""
    return one_lapsed.one(now=milliseconds(now())) is not None


def settle() -> None:
    """Let the calls that nobody has answered in time be over."""
    free(lapse_calls(outcome=MISSED, now=milliseconds(now())))


def free(ended: list[Any]) -> int:
    """Free the lines of calls that have ended, and tell of them; how many there were."""
    free_lines(call.id for call in ended)
    events.calls(ended)
    return len(ended)


def state_of(call: Any) -> str:
    """Whether a call rings, is talked in or has ended, also where nobody has noted yet that it lapsed."""
    if call.ended_at:
        return ENDED
    if call.answered_at:
        return TALKING
    return RINGING if still_rings(call, now()) else ENDED


def outcome_of(call: Any) -> str:
    """What came of a call that has ended."""
    return call.outcome or MISSED
