"""What only the phone in the game has: connected players, contacts, blocked numbers, calls."""

import datetime
from typing import Any

from peewee import JOIN, BigIntegerField, BooleanField, Check, ForeignKeyField, TextField, Value, fn

from .base import CharField, MomentField, Prepared, PreparedMany, Table, milliseconds, now, slot
from .cleaning import CleanName, CleanText
from .users import User


class Source(Table):
    """A connected player: the id by which the game server knows him until he disconnects."""

    user_id: int

    src = BigIntegerField(unique=True)
    user = ForeignKeyField(User, unique=True, on_delete="CASCADE")

    class Meta:
        constraints = [Check("src > 0")]


class GameServer(Table):
    """The game server as it runs now: its *epoch* changes when it starts anew, and with it all sources."""

    epoch = CleanName()

    class Meta:
        constraints = [Check("id = 1")]


class Contact(Table):
    """An entry of the *owner*'s phone book; *key* is the form in which its number is compared."""

    owner_id: int

    owner = ForeignKeyField(User, on_delete="CASCADE", index=False)
    number = CleanName()
    key = TextField()
    firstname = CleanName(default="")
    lastname = CleanName(default="")
    notes = CleanText(default="")
    image = CleanText(default="")
    favorite = BooleanField(default=False)

    class Meta:
        indexes = ((("owner", "key"), True),)

    @property
    def name(self) -> str:
        """What the owner calls him; the number where he has given no name."""
        return f"{self.firstname} {self.lastname}".strip() or self.number


class BlockedNumber(Table):
    """A number, or a name without an account, from which *owner* takes neither calls nor texts."""

    owner = ForeignKeyField(User, on_delete="CASCADE", index=False)
    key = TextField()

    class Meta:
        indexes = ((("owner", "key"), True),)


class Call(Table):
    """One call, tried or made. A side without an account is there by its number, or its name, alone.

    *key* is what the world calls it. It rings until *rings_until*, unless it is answered or ended before;
    *outcome* is empty while it is live.
    """

    caller_id: int | None
    callee_id: int | None

    key = CharField(unique=True)
    caller = ForeignKeyField(User, null=True, index=False)
    callee = ForeignKeyField(User, null=True, index=False)
    from_number = CleanName()
    to_number = CleanName()
    kind = CharField()
    started_at = MomentField(default=now)
    rings_until = MomentField()
    answered_at = MomentField(null=True)
    ended_at = MomentField(null=True)
    outcome = CharField(default="")

    class Meta:
        constraints = [Check("(ended_at IS NULL) = (outcome = '')")]


class Line(Table):
    """A side of a live call, by the form in which numbers are compared: no number is in two."""

    call_id: int

    key = TextField(unique=True)
    call = ForeignKeyField(Call, backref="lines", on_delete="CASCADE")


class CallEntry(Table):
    """A call in the history of one who made or got it."""

    user = ForeignKeyField(User, on_delete="CASCADE", index=False)
    call = ForeignKeyField(Call, on_delete="CASCADE")
    is_outgoing = BooleanField()

    class Meta:
        indexes = ((("user", "id"), False),)


# A call that begins so many milliseconds from now began under a clock that has been set back since; those of
# two servers may differ a little.
SET_BACK = 60_000


def _source_owner() -> Any:
    return User.select(User).join(Source).where(Source.src == slot("src"), User.disabled_at.is_null())


def _source_of() -> Any:
    """The source of the player with a number."""
    return (
        Source.select(Source.src).join(User).where(User.digits == slot("digits"), User.disabled_at.is_null())
    )


def has_lapsed(moment: Value) -> Any:
    """Whether a call has rung to its end, or began under a clock that has been set back since."""
    return (Call.rings_until <= moment) | (Call.started_at > moment + SET_BACK)


def still_rings(call: Any, moment: datetime.datetime) -> bool:
    """The same of a call that is at hand and not over, the other way round."""
    return bool(
        call.rings_until > moment and call.started_at <= moment + datetime.timedelta(milliseconds=SET_BACK)
    )


def _calls() -> Any:
    """Calls with the sources that both sides have now."""
    theirs = Source.alias("theirs")
    return (
        Call.select(
            Call.id,
            Call.key,
            Call.caller,
            Call.callee,
            Call.from_number,
            Call.to_number,
            Call.kind,
            Call.started_at,
            Call.rings_until,
            Call.answered_at,
            Call.ended_at,
            Call.outcome,
            Source.src.alias("from_src"),
            theirs.src.alias("to_src"),
        )
        .join(Source, JOIN.LEFT_OUTER, on=(Source.user == Call.caller))
        .join(theirs, JOIN.LEFT_OUTER, on=(theirs.user == Call.callee))
    )


def _call_with() -> Any:
    return _calls().where(Call.key == slot("key"))


def _call_on() -> Any:
    is_live = Call.answered_at.is_null(False) | ~has_lapsed(slot("now"))
    return _calls().join_from(Call, Line).where(Line.key == slot("line"), Call.ended_at.is_null(), is_live)


def _live_calls() -> Any:
    """How many calls are live; there are no more lines than their sides."""
    is_live = Call.answered_at.is_null(False) | ~has_lapsed(slot("now"))
    return Line.select(fn.COUNT(Line.call.distinct()).alias("number")).join(Call).where(is_live)


def calls_now(number: int) -> Any:
    """At most so many of the live calls, the newest first, with the names of both sides."""
    caller, callee = User.alias("calling"), User.alias("called")
    is_live = Call.answered_at.is_null(False) | ~has_lapsed(Value(milliseconds(now()), converter=False))
    names = (caller.display_name.alias("caller_name"), callee.display_name.alias("callee_name"))
    return (
        Call.select(Call.from_number, Call.to_number, Call.kind, Call.started_at, Call.answered_at, *names)
        .join(caller, JOIN.LEFT_OUTER, on=(caller.id == Call.caller))
        .join_from(Call, callee, JOIN.LEFT_OUTER, on=(callee.id == Call.callee))
        .where(Call.id.in_(Line.select(Line.call)), is_live)
        .order_by(Call.id.desc())
        .limit(number)
        .namedtuples()
    )


def _page_of_calls() -> Any:
    return (
        _calls()
        .join_from(Call, CallEntry)
        .select_extend(CallEntry.id.alias("entry_id"), CallEntry.is_outgoing)
        .where(CallEntry.user == slot("user"), CallEntry.id < slot("before"))
        .order_by(CallEntry.id.desc())
        .limit(slot("limit"))
    )


def _blocked_number() -> Any:
    return BlockedNumber.select(BlockedNumber.id).where(
        BlockedNumber.owner == slot("owner"), BlockedNumber.key == slot("key")
    )


def _here() -> Any:
    return Source.select(Source.id).where(Source.user == slot("user"))


KEPT = [field for field in Call._meta.sorted_fields if field.name != "id"]


def _keep() -> Any:
    return Call.insert({field: slot(field.name, field) for field in KEPT}).returning(Call.id)


def _enter() -> Any:
    """Put a call into the history of one of its sides."""
    return CallEntry.insert(call=slot("call"), user=slot("user"), is_outgoing=slot("is_outgoing"))


def _hold_line() -> Any:
    return Line.insert(key=slot("key"), call=slot("call"))


@PreparedMany
def free_lines(calls: list[Value]) -> Any:
    return Line.delete().where(Line.call.in_(calls)).returning(Line.id)


RINGS = Call.ended_at.is_null() & Call.answered_at.is_null()
LIVE = Call.ended_at.is_null()
SIDES = (Call.id, Call.caller, Call.callee)


def lapsed(moment: Value) -> Any:
    """The lines of calls that nobody has answered in time and that are not over yet."""
    return Line.select(Line.call).join(Call).where(Call.answered_at.is_null(), has_lapsed(moment))


def _lapse() -> Any:
    """Let the calls that nobody has answered in time be over."""
    late = Call.id.in_(lapsed(slot("now"))) & RINGS
    return Call.update(ended_at=Call.rings_until, outcome=slot("outcome")).where(late).returning(*SIDES)


def _ending(still: Any) -> Prepared:
    return Prepared(
        lambda: (
            Call.update(ended_at=slot("now"), outcome=slot("outcome"))
            .where(Call.id == slot("call"), still)
            .returning(*SIDES)
        )
    )


def store_call(call: Call) -> None:
    """Store a call, and give it its id."""
    call.id = _call_kept.one(**{field.name: call.__data__.get(field.name) for field in KEPT}).id


_call_kept = Prepared(_keep)
lapse_calls = Prepared(_lapse)
one_lapsed = Prepared(lambda: lapsed(slot("now")).limit(1))
end_ringing, end_live = _ending(RINGS), _ending(LIVE)
enter_call = Prepared(_enter)
hold_line = Prepared(_hold_line)
is_here = Prepared(_here)
blocked_number = Prepared(_blocked_number)
source_owner = Prepared(_source_owner)
source_of = Prepared(_source_of)
call_with = Prepared(_call_with)
call_on = Prepared(_call_on)
live_calls = Prepared(_live_calls)
page_of_calls = Prepared(_page_of_calls)
