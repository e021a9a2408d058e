"""What has happened, in the order in which listeners are told of it."""

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from peewee import SQL, BigIntegerField, Case, ForeignKeyField, Tuple, Value, chunked

from .base import CharField, MomentField, Prepared, Table, TurnField, database, milliseconds, now, slot, total
from .conversations import (
    ACTIVE,
    ASKED,
    PENDING,
    SAYING,
    THERE,
    UNREAD,
    Conversation,
    Message,
    Participant,
)
from .phone import Call
from .users import AccessToken, User

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
    """The position that a listener names, None where it is none, or one in a store on another engine."""
    match = POSITION.fullmatch(text)
    named = Position(int(match[1] or 0), int(match[2])) if match else None
    return named if named == START or (named and bool(named.turn) == database.obj.has_turns) else None


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
    places = Participant.select(Participant.conversation).where(
        Participant.user == slot("user"), Participant.status.in_(THERE)
    )
    his = (Event.user == slot("user")) | (Event.user.is_null() & Event.conversation.in_(places))
    return _after().where(Tuple(slot("until_turn"), slot("until_id")) >= PLACE, his)


def _recorded() -> Any:
    return Event.insert(
        kind=slot("kind"),
        conversation=slot("conversation"),
        user=slot("user"),
        ref=slot("ref"),
        happened_at=slot("now"),
    ).returning(Event.id)


_record = Prepared(_recorded)
_events_after = Prepared(_after)
_events_replayed = Prepared(_replayed)
_newest_settled = Prepared(_newest)


def events_after(after: Position, limit: int) -> list[Any]:
    """The events behind a position, in their order."""
    return _events_after(turn=after.turn, id=after.id, limit=limit)


def events_replayed(user: int, after: Position, until: Position, limit: int) -> list[Any]:
    """Of the events behind a position, up to another, those that concern one user as he stands now."""
    return _events_replayed(
        user=user, turn=after.turn, id=after.id, until_turn=until.turn, until_id=until.id, limit=limit
    )


def record_event(
    kind: str, conversation: int | None = None, user: int | None = None, ref: int | None = None
) -> None:
    """Put one event at the end of the log."""
    _record(kind=kind, conversation=conversation, user=user, ref=ref, now=milliseconds(now()))


def newest_event() -> Position:
    """The position of the newest event that is kept, or the start."""
    newest = _newest_settled.one()
    return Position(newest.turn, newest.id) if newest else START


SIZES = (1, 16, 256)


def about_many(build: Callable[[list[Value]], Any]) -> Callable[[Iterable[Any]], list[Any]]:
    """A prepared query about any number of ids, asked in batches of few sizes, so that few are built.

    A batch that is smaller than its size has its last id several times.
    """

    @functools.cache
    def prepared(size: int) -> Prepared:
        return Prepared(lambda: build([slot(f"id{place}") for place in range(size)]))

    def ask(ids: Iterable[Any]) -> list[Any]:
        rows: list[Any] = []
        for batch in chunked(sorted(set(ids)), SIZES[-1]):
            size = next(size for size in SIZES if size >= len(batch))
            padded = list(batch) + [batch[-1]] * (size - len(batch))
            rows += prepared(size)(**{f"id{place}": each for place, each in enumerate(padded)})
        return rows

    return ask


@about_many
def members_of(conversations: list[Value]) -> Any:
    """Who is in these conversations, whether he sees them or not."""
    return Participant.select(Participant.conversation, Participant.user).where(
        Participant.conversation.in_(conversations), Participant.status.in_(THERE)
    )


@about_many
def messages_with(ids: list[Value]) -> Any:
    """These messages, with all that they say."""
    return Message.select(Message.id, Message.conversation, Message.author, Message.sent_at, *SAYING).where(
        Message.id.in_(ids)
    )


@about_many
def calls_with(ids: list[Value]) -> Any:
    return Call.select(
        Call.id,
        Call.key,
        Call.from_number,
        Call.to_number,
        Call.rings_until,
        Call.answered_at,
        Call.ended_at,
    ).where(Call.id.in_(ids))


@about_many
def totals_of(users: list[Value]) -> Any:
    """For each of these users who has any place: what is unread, in how many conversations, and requests."""
    sees = Participant.status == ACTIVE
    asked = (Participant.status == ASKED) & (Conversation.status == PENDING)
    return (
        Participant.select(
            Participant.user,
            total(Case(None, [(sees, UNREAD)], 0)).alias("messages"),
            total(Case(None, [(sees & (UNREAD > 0), 1)], 0)).alias("chats"),
            total(Case(None, [(asked, 1)], 0)).alias("requests"),
        )
        .join(Conversation)
        .where(Participant.user.in_(users), Participant.status.in_([ACTIVE, ASKED]))
        .group_by(Participant.user)
    )


@about_many
def enabled_users(ids: list[Value]) -> Any:
    """Those of these users who may use the server, each with the stored form of his password."""
    return User.select(User.id, User.password).where(User.id.in_(ids), User.disabled_at.is_null())


@about_many
def standing_tokens(digests: list[Value]) -> Any:
    """Those of these access tokens that still open something."""
    return AccessToken.select(AccessToken.digest).where(AccessToken.digest.in_(digests))
