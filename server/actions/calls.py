"""Phone calls: ringing, answered, ended, and kept in the histories of both sides."""

import datetime
import uuid
from typing import Any

from peewee import IntegrityError

from models import (
    Call,
    CallEntry,
    Line,
    Source,
    call_on,
    database,
    milliseconds,
    now,
)

from ..config import Settings
from ..errors import BadInput, NotAllowed, NotFound
from . import events, parties
from .parties import Party

KINDS = ("phone", "video")
ANSWERED, MISSED, CANCELLED, REJECTED = "answered", "missed", "cancelled", "rejected"
BUSY, UNAVAILABLE, DISCONNECTED = "busy", "unavailable", "disconnected"
RINGING, TALKING, ENDED = "ringing", "active", "ended"
RINGS = Call.ended_at.is_null() & Call.answered_at.is_null()


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
    is_here = user is not None and not user.disabled_at and Source.get_or_none(Source.user == user)
    return bool(is_here) and not parties.blocks(user, caller)


def ring(settings: Settings, caller: Party, callee: Party, kind: str) -> Call:
    """A call that holds the lines of both; in one order, so that two calls never wait for each other."""
    call = keep(settings, caller, callee, kind, "")
    Line.insert_many([{"key": key, "call": call} for key in sorted([caller.key, callee.key])]).execute()
    events.calls([call])
    return call


def keep(settings: Settings, caller: Party, callee: Party, kind: str, outcome: str) -> Call:
    """A call in the history of those of its sides that are users; it has ended if it has an *outcome*."""
    moment = now()
    call = Call.create(
        key=str(uuid.uuid4()),
        caller=caller.user,
        callee=callee.user,
        from_number=caller.number,
        to_number=callee.number,
        kind=kind,
        started_at=moment,
        rings_until=moment + datetime.timedelta(seconds=settings.ring_seconds),
        ended_at=moment if outcome else None,
        outcome=outcome,
    )
    for side, is_outgoing in ((caller, True), (callee, False)):
        if side.user is not None:
            CallEntry.create(call=call, user=side.user, is_outgoing=is_outgoing)
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
    if not end_calls([ringing_at(line).id], REJECTED, RINGS):
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
    if call is None or not (
        end_calls([call.id], ringing, RINGS) or end_calls([call.id], ANSWERED, Call.ended_at.is_null())
    ):
        raise NotFound("There is no call.")


def end_of(keys: list[str], outcome: str) -> None:
    """End the live calls of these lines."""
    lines = list(Line.select().where(Line.key.in_(keys)))
    if lines:
        settle()
        end_calls([line.call_id for line in lines], outcome, Call.ended_at.is_null())


def end_all() -> None:
    """End every live call, because all players are gone."""
    end_of([line.key for line in Line.select()], DISCONNECTED)


def end_calls(call_ids: list[int], outcome: str, still: Any) -> int:
    """End those of these calls of which *still* is true, and free their lines; how many there were."""
    return free(Call.update(ended_at=now(), outcome=outcome).where(Call.id.in_(call_ids), still))


def settle() -> None:
    """Let the calls that nobody has answered in time be over."""
    free(Call.update(ended_at=Call.rings_until, outcome=MISSED).where(Call.id.in_(lapsed()), RINGS))


def lapsed() -> Any:
    """The lines of calls that nobody has answered in time and that are not over yet."""
    return Line.select(Line.call).join(Call).where(Call.answered_at.is_null(), Call.rings_until <= now())


def free(ending: Any) -> int:
    """Carry out what ends calls, and free the lines of those that it has ended; how many there were."""
    ended = list(ending.returning(Call.id, Call.caller, Call.callee).execute())
    if ended:
        Line.delete().where(Line.call.in_([call.id for call in ended])).execute()
        events.calls(ended)
    return len(ended)


def state_of(call: Any) -> str:
    """Whether a call rings, is talked in or has ended, also where nobody has noted yet that it lapsed."""
    if call.ended_at:
        return ENDED
    if call.answered_at:
        return TALKING
    return RINGING if call.rings_until > now() else ENDED


def outcome_of(call: Any) -> str:
    """What came of a call that has ended."""
    return call.outcome or MISSED
