"""What has happened, in the order in which listeners are told of it."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from peewee import BigIntegerField, Case, CharField, ForeignKeyField, Value, chunked, fn

from .base import MomentField, Prepared, Table, milliseconds, now, slot
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

    *ref* is the id of the message or the call that it is about.
    """

    kind = CharField()
    conversation = ForeignKeyField(Conversation, null=True, on_delete="CASCADE")
    user = ForeignKeyField(User, null=True, on_delete="CASCADE")
    ref = BigIntegerField(null=True)
    happened_at = MomentField(default=now, index=True)


COLUMNS = (Event.id, Event.kind, Event.conversation, Event.user, Event.ref)


def _after() -> Any:
    """The events behind one, in the order of their ids, which is the order in which they were committed.

    It is because only one transaction writes at a time. For an engine that lets several, this is the place
    to leave out what is newer than the oldest transaction that has not ended: an event of its own could
    still come to stand before those.
    """
    return Event.select(*COLUMNS).where(Event.id > slot("after")).order_by(Event.id).limit(slot("limit"))


def _replayed() -> Any:
    """Of the events between two, those that concern one user, as he stands in conversations now."""
    places = Participant.select(Participant.conversation).where(
        Participant.user == slot("user"), Participant.status.in_(THERE)
    )
    his = (Event.user == slot("user")) | (Event.user.is_null() & Event.conversation.in_(places))
    return _after().where(Event.id <= slot("until"), his)


def _recorded() -> Any:
    return Event.insert(
        kind=slot("kind"),
        conversation=slot("conversation"),
        user=slot("user"),
        ref=slot("ref"),
        happened_at=slot("now"),
    ).returning(Event.id)


_record = Prepared(_recorded)
events_after = Prepared(_after)
events_replayed = Prepared(_replayed)


def record_event(
    kind: str, conversation: int | None = None, user: int | None = None, ref: int | None = None
) -> None:
    """Put one event at the end of the log."""
    _record(kind=kind, conversation=conversation, user=user, ref=ref, now=milliseconds(now()))


def newest_event() -> int:
    """The id of the newest event that is kept, or 0."""
    return Event.select(fn.MAX(Event.id)).scalar() or 0


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
            fn.SUM(Case(None, [(sees, UNREAD)], 0)).alias("messages"),
            fn.SUM(Case(None, [(sees & (UNREAD > 0), 1)], 0)).alias("chats"),
            fn.SUM(Case(None, [(asked, 1)], 0)).alias("requests"),
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
