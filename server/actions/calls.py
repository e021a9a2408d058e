"""Phone calls: ringing, answered, ended, and kept in the histories of both sides."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from peewee import IntegrityError

from models import (
    BlockedNumber,
    Call,
    CallEntry,
    IgnoredUser,
    Line,
    Source,
    User,
    call_on,
    database,
    digits_of,
    milliseconds,
    name_key,
    now,
    number_owner,
)

from ..config import Settings
from ..errors import BadInput, NotAllowed, NotFound
from . import access, events

KINDS = ("phone", "video")
LONGEST_NUMBER = 64
ANSWERED, MISSED, CANCELLED, REJECTED = "answered", "missed", "cancelled", "rejected"
BUSY, UNAVAILABLE, DISCONNECTED = "busy", "unavailable", "disconnected"


@dataclass(frozen=True)
class Party:
    """One side of a call or a text: a user with a number, or somebody without an account.

    *number* is shown, *key* is compared: the digits, or where there are letters the name, marked as one and
    without regard to case.
    """

    number: str
    key: str
    user: User | None


def party(number: str) -> Party:
    """Whoever has this number, or nobody's number or name, such as a service's."""
    shown, digits = number.strip(), digits_of(number)
    if not shown or len(shown) > LONGEST_NUMBER:
        raise BadInput(f"A number has 1 to {LONGEST_NUMBER} characters.")
    is_name = digits is None or any(character.isalpha() for character in shown)
    row = number_owner.one(digits=digits)
    if row is not None and (not is_name or name_key(row.number) == name_key(shown)):
        return party_of(User.of_row(row))
    return Party(shown, f"name {name_key(shown)}" if is_name else digits or "", None)


def party_of(user: User) -> Party:
    if not user.number or not user.digits:
        raise NotFound("This player has no phone number.")
    return Party(user.number, user.digits, user)


def party_at(src: int) -> Party:
    """The player who is connected under this source."""
    return party_of(access.player_at(src))


def start(settings: Settings, from_number: str, to_number: str, kind: str) -> Call | None:
    """Ring the one number for the other; None where it cannot be, which both histories then tell."""
    caller, callee = party(from_number), party(to_number)
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
    keep(settings, caller, callee, kind, outcome)
    return None


def can_be_called(callee: Party, caller: Party) -> bool:
    """Whether the callee is here and wants to hear of the caller."""
    user = callee.user
    is_here = user is not None and not user.disabled_at and Source.get_or_none(Source.user == user)
    return bool(is_here) and not blocks(user, caller)


def blocks(user: User | None, other: Party) -> bool:
    """Whether *user* wants nothing from the other: by his number, or as a user whom he ignores."""
    number = BlockedNumber.select().where(BlockedNumber.owner == user, BlockedNumber.digits == other.key)
    ignored = IgnoredUser.select().where(IgnoredUser.user == user, IgnoredUser.ignored == other.user)
    return number.exists() or (other.user is not None and ignored.exists())


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
    Call.update(answered_at=now()).where(Call.id == call.id).execute()
    events.calls([call])


def reject(line: Party) -> None:
    """Decline the call that rings at the callee's."""
    end_calls([ringing_at(line).id], REJECTED)


def ringing_at(line: Party) -> Any:
    call = live(line)
    if call is None or call.answered_at or line.user is None or call.callee_id != line.user.id:
        raise NotFound("No call rings there.")
    return call


def end(line: Party) -> None:
    """Hang up, on either side, a call that rings or was answered."""
    call = live(line)
    if call is None:
        raise NotFound("There is no call.")
    is_callee = line.user is not None and line.user.id == call.callee_id
    ringing = REJECTED if is_callee else CANCELLED
    end_calls([call.id], ANSWERED if call.answered_at else ringing)


def end_of(keys: list[str], outcome: str) -> None:
    """End the live calls of these lines."""
    settle()
    end_calls([line.call_id for line in Line.select().where(Line.key.in_(keys))], outcome)


def end_all() -> None:
    """End every live call, because all players are gone."""
    settle()
    end_calls([line.call_id for line in Line.select()], DISCONNECTED)


def end_calls(call_ids: list[int], outcome: str) -> None:
    if not call_ids:
        return
    Line.delete().where(Line.call.in_(call_ids)).execute()
    close(call_ids, now(), outcome)


def settle() -> None:
    """Let the calls that nobody has answered in time be over."""
    ids = [line.call_id for line in lapsed()]
    if ids:
        Line.delete().where(Line.call.in_(ids)).execute()
        close(ids, Call.rings_until, MISSED)


def lapsed() -> Any:
    """The lines of calls that nobody has answered in time and that are not over yet."""
    return Line.select(Line.call).join(Call).where(Call.answered_at.is_null(), Call.rings_until <= now())


def close(call_ids: list[int], moment: Any, outcome: str) -> None:
    """Note that these calls have ended, unless they had before."""
    ended = (
        Call.update(ended_at=moment, outcome=outcome)
        .where(Call.id.in_(call_ids), Call.ended_at.is_null())
        .returning(Call.id, Call.caller, Call.callee)
    )
    events.calls(list(ended.execute()))
