"""What has happened, in the order in which listeners are told of it."""

import re
from typing import Any, NamedTuple

from peewee import SQL, BigIntegerField, ForeignKeyField, Tuple, Value, fn

from .base import (
    CharField,
    MomentField,
    Prepared,
    PreparedMany,
    Table,
    TurnField,
    database,
    milliseconds,
    now,
    slot,
)
from .conversations import THERE, Conversation, Participant
from .phone import Call
from .users import AccessToken, Session, User

MESSAGE, REQUEST, ACCEPTED, READ, CALL = "message", "request", "accepted", "read", "call"
# Something that is told of by the totals that it has changed, and by nothing else.
CHANGED = "totals"


class Event(Table):
    """One thing that happened, for everyone in a *conversation* or for one *user*.

    *ref* is the id of the message or the call that it is about. *turn* is the transaction that recorded it.
    """

    kind = CharField()
    conversation = ForeignKeyField(Conversation, null=True, on_delete="CASCADE")
    user = ForeignKeyField(User, null=True, on_delete="CASCADE")
    ref = BigIntegerField(null=True)
    happened_at = MomentField(default=now, index=True)
    turn = TurnField()

    class Meta:
        indexes = ((("turn", "id"), False),)


POSITION = re.compile(r"(?:([0-9]{1,18})-)?([0-9]{1,18})", re.ASCII)


class Position(NamedTuple):
    """A place in the log: the turn and the id of the event at it, in the order in which they are told."""

    turn: int
    id: int

    def __str__(self) -> str:
        return f"{self.turn}-{self.id}" if self.turn else str(self.id)


START = Position(0, 0)


def position_of(text: str) -> Position | None:
    """The position that a listener names, None where it is none, or one that this store cannot have given.

    The store may have been moved since, which has given the events other turns and left them their ids.
    """
    match = POSITION.fullmatch(text)
    named = Position(int(match[1] or 0), int(match[2])) if match else None
    if named is None or named == START:
        return named
    if event := _turn_of.one(id=named.id):
        return Position(event.turn, named.id)
    return named if bool(named.turn) == database.obj.has_turns else None


def _turn() -> Any:
    return Event.select(Event.turn).where(Event.id == slot("id"))


_turn_of = Prepared(_turn)


COLUMNS = (Event.turn, Event.id, Event.kind, Event.conversation, Event.user, Event.ref)


def _after() -> Any:
    """The settled events behind one, in their order."""
    after = Tuple(slot("turn"), slot("id"))
    return _settled().where(after < PLACE).order_by(Event.turn, Event.id).limit(slot("limit"))


PLACE = Tuple(Event.turn, Event.id)


def _settled() -> Any:
    """The events before which no other can come to stand any more.

    Where several transactions write at a time an id says nothing about which was committed first. So what
    is as new as the oldest of those that have not ended, or newer, is left for later.
    """
    return Event.select(*COLUMNS).where(Event.turn < SQL(database.obj.open_turns))


def _newest() -> Any:
    return _settled().order_by(Event.turn.desc(), Event.id.desc()).limit(1)


def _replayed() -> Any:
    """Of the events between two, those that concern one user, as he stands in conversations now."""
    place = Participant.select(Participant.id).where(
        Participant.conversation == Event.conversation,
        Participant.user == slot("user"),
        Participant.status.in_(THERE),
    )
    his = (Event.user == slot("user")) | (Event.user.is_null() & fn.EXISTS(place))
    return _after().where(Tuple(slot("until_turn"), slot("until_id")) >= PLACE, his)


def _some_further() -> Any:
    after = Tuple(slot("turn"), slot("id"))
    further = Event.select(Event.turn, Event.id).where(after < PLACE)
    return further.order_by(Event.turn, Event.id).limit(1).offset(slot("number"))


def _recorded() -> Any:
    return Event.insert(
        kind=slot("kind"),
        conversation=slot("conversation"),
        user=slot("user"),
        ref=slot("ref"),
        happened_at=slot("now"),
    ).returning()


_record = Prepared(_recorded)
_events_after = Prepared(_after)
_events_replayed = Prepared(_replayed)
_event_further = Prepared(_some_further)
_newest_settled = Prepared(_newest)


def events_after(after: Position, limit: int) -> list[Any]:
    """The events behind a position, in their order."""
    return _events_after(turn=after.turn, id=after.id, limit=limit)


def events_replayed(user: int, after: Position, until: Position, limit: int) -> list[Any]:
    """Of the events behind a position, up to another, those that concern one user as he stands now."""
    return _events_replayed(
        user=user, turn=after.turn, id=after.id, until_turn=until.turn, until_id=until.id, limit=limit
    )


def position_behind(after: Position, number: int) -> Position | None:
    """The position so many events behind another, None where there are not so many."""
    found = _event_further.one(turn=after.turn, id=after.id, number=number)
    return Position(found.turn, found.id) if found else None


def record_event(
    kind: str, conversation: int | None = None, user: int | None = None, ref: int | None = None
) -> None:
    """Put one event at the end of the log."""
    _record.do(kind=kind, conversation=conversation, user=user, ref=ref, now=milliseconds(now()))


def newest_event() -> Position:
    """The position of the newest event that is kept, or the start."""
    newest = _newest_settled.one()
    return Position(newest.turn, newest.id) if newest else START


@PreparedMany
def calls_with(ids: list[Value]) -> Any:
    return Call.select(
        Call.id,
        Call.key,
        Call.from_number,
        Call.to_number,
        Call.started_at,
        Call.rings_until,
        Call.answered_at,
        Call.ended_at,
    ).where(Call.id.in_(ids))


@PreparedMany
def enabled_users(ids: list[Value]) -> Any:
    """Those of these users who may use the server, each with the stored form of his password."""
    return User.select(User.id, User.password).where(User.id.in_(ids), User.disabled_at.is_null())


@PreparedMany
def standing_tokens(digests: list[Value]) -> Any:
    """Those of these access tokens that still open something."""
    return AccessToken.select(AccessToken.user, AccessToken.digest).where(AccessToken.digest.in_(digests))


@PreparedMany
def standing_sessions(digests: list[Value]) -> Any:
    """Those of these sessions that have not ended."""
    return Session.select(Session.user, Session.digest).where(Session.digest.in_(digests))
