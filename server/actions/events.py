"""Keeping what has happened, for those who listen."""

import datetime
from collections.abc import Iterable
from typing import Any

from peewee import Value

from models import (
    ACCEPTED,
    CALL,
    CHANGED,
    DECLINED,
    MESSAGE,
    READ,
    REQUEST,
    Conversation,
    Event,
    Message,
    Participant,
    User,
    milliseconds,
    now,
    record_event,
)

PIECE = 2000


def message(said: Message) -> None:
    """Something was said, to everyone in its conversation."""
    record_event(MESSAGE, conversation=said.conversation_id, ref=said.id)


def request(chat: Conversation, receiver: Any) -> None:
    """Somebody wants to chat with *receiver*."""
    record_event(REQUEST, conversation=chat.id, user=receiver.id)


def accepted(chat: Conversation) -> None:
    """A request was accepted, which concerns both."""
    record_event(ACCEPTED, conversation=chat.id)


def declined(chat: Conversation, receiver: User) -> None:
    """A request was declined; whoever made it is not told."""
    record_event(DECLINED, conversation=chat.id, user=receiver.id)


def changed(user_ids: Iterable[int]) -> None:
    """What waits for these users is no longer what it was, though nothing was said or read."""
    rows = [{"kind": CHANGED, "user": user_id} for user_id in user_ids]
    if rows:
        Event.insert_many(rows).execute()


def read(user: User, conversation_id: int) -> None:
    """*user* has moved his read mark, as his other devices want to know."""
    record_event(READ, conversation=conversation_id, user=user.id)


def reads(which: Any) -> None:
    """The read marks of the places that fit *which* are about to move."""
    places = Participant.select(
        Value(READ), Participant.conversation, Participant.user, Value(milliseconds(now()))
    ).where(which)
    Event.insert_from(
        places.order_by(Participant.id), [Event.kind, Event.conversation, Event.user, Event.happened_at]
    ).execute()


def calls(happened: Iterable[Any]) -> None:
    """Calls have begun, were answered or have ended, which concerns the users on their sides."""
    for call in happened:
        for side in sorted({call.caller_id, call.callee_id} - {None}):
            record_event(CALL, user=side, ref=call.id)


def forget_some(life: datetime.timedelta) -> int:
    """Delete some of the events that are older than *life*, so few that nobody waits; how many."""
    old = Event.select(Event.id).where(Event.happened_at < now() - life).limit(PIECE)
    return int(Event.delete().where(Event.id.in_(old)).execute())
