"""What has happened, in the order in which listeners are told of it."""

from typing import Any

from peewee import BigIntegerField, CharField, ForeignKeyField, Value, fn

from .base import MomentField, Prepared, PreparedMany, Table, milliseconds, now, slot
from .conversations import THERE, Conversation, Participant
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
    place = Participant.select(Participant.id).where(
        Participant.conversation == Event.conversation,
        Participant.user == slot("user"),
        Participant.status.in_(THERE),
    )
    his = (Event.user == slot("user")) | (Event.user.is_null() & fn.EXISTS(place))
    return _after().where(Event.id <= slot("until"), his)


def _some_further() -> Any:
    return (
        Event.select(Event.id)
        .where(Event.id > slot("after"))
        .order_by(Event.id)
        .limit(1)
        .offset(slot("number"))
    )


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
event_further = Prepared(_some_further)


def record_event(
    kind: str, conversation: int | None = None, user: int | None = None, ref: int | None = None
) -> None:
    """Put one event at the end of the log."""
    _record(kind=kind, conversation=conversation, user=user, ref=ref, now=milliseconds(now()))


def newest_event() -> int:
    """The id of the newest event that is kept, or 0."""
    return Event.select(fn.MAX(Event.id)).scalar() or 0


@PreparedMany
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


@PreparedMany
def enabled_users(ids: list[Value]) -> Any:
    """Those of these users who may use the server, each with the stored form of his password."""
    return User.select(User.id, User.password).where(User.id.in_(ids), User.disabled_at.is_null())


@PreparedMany
def standing_tokens(digests: list[Value]) -> Any:
    """Those of these access tokens that still open something."""
    return AccessToken.select(AccessToken.digest).where(AccessToken.digest.in_(digests))
