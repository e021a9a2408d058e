"""What is asked of conversations for those who take part in them: lists, counts and pages, prepared."""

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any

from peewee import JOIN, SQL, Value, fn

from .base import Prepared, PreparedMany, slot, total
from .conversations import (
    ACTIVE,
    ASKED,
    ASKING,
    DARKCHAT,
    KINDS,
    PENDING,
    THERE,
    UNREAD,
    Attachment,
    Conversation,
    Message,
    Participant,
    PlaceCount,
    unread_up_to,
)
from .users import User


def _with_place() -> Any:
    return (
        Conversation.select(Conversation, Participant)
        .join(Participant)
        .where(Conversation.id == slot("conversation"), Participant.user == slot("user"))
    )


_conversation_with_place = Prepared(_with_place)


def conversation_with_place(user: User, conversation_id: int) -> Conversation | None:
    """A conversation with the *user*'s own row as its ``participant``; None where he never had one."""
    row = _conversation_with_place.one(user=user.id, conversation=conversation_id)
    if row is None:
        return None
    found = Conversation.of_row(row)
    found.participant = Participant.of_row(row, len(Conversation._meta.sorted_fields))
    return found


# What is unread of a conversation, whose own row is at hand.
UNREAD_THERE = unread_up_to(Conversation.last_seq)
IS_LAST = (Message.conversation == Conversation.id) & (Message.seq == Conversation.last_seq)


def _crowds(query: Any) -> Any:
    """The places in crowds, with which the newest message is looked for in the conversation."""
    return query.join(Conversation).where(Participant.newest_id.is_null())


def _conversations_of() -> Any:
    """In how many conversations a user is, and in how many of them something is unread."""
    in_crowds = _crowds(Participant.select(fn.COUNT(Participant.id))).where(
        Participant.user == slot("user"),
        Participant.status == ACTIVE,
        UNREAD_THERE > 0,
    )
    unread = fn.COALESCE(total(PlaceCount.unread) + in_crowds, 0).alias("unread")
    return _counted([ACTIVE], unread)


def _counted(statuses: Sequence[str], *further: Any) -> Any:
    number = fn.COALESCE(total(PlaceCount.number), 0).alias("number")
    return PlaceCount.select(number, *further).where(
        PlaceCount.user == slot("user"), PlaceCount.status.in_(statuses)
    )


# What a message says, and its sender's own id for it.
SAYING = (Message.body, Message.image_url, Message.link_url, Message.client_id)


def _places(picked: Any = None) -> Any:
    """What a user's list of conversations says of each, read from his own places in them.

    :param picked: the ids of those places that are wanted, as another query
    """
    places = Participant.select(
        Participant.conversation.alias("id"),
        Conversation.subject,
        Conversation.app,
        Conversation.status,
        Conversation.open_invite,
        Conversation.starter,
        Conversation.started_at,
        Conversation.last_seq,
        UNREAD_THERE.alias("unread"),
        Participant.id.alias("place_id"),
        Participant.invite_reason,
        Conversation.peer,
        Conversation.join_code,
        Participant.status.alias("place"),
        Participant.read_at,
        Message.id.alias("last_id"),
        Message.author.alias("last_author_id"),
        Message.sent_at.alias("last_sent_at"),
        *SAYING,
    )
    if picked is not None:
        places = places.join(picked, on=(picked.c.id == Participant.id)).switch(Participant)
    return places.join(Conversation).join(Message, JOIN.LEFT_OUTER, on=IS_LAST)


def _picked(user: Any, statuses: Sequence[str], kinds: Sequence[str]) -> Any:
    """A user's places of certain statuses and kinds, the one with the newest message first.

    Each status of each kind is read from the index in this order, and so no further than is asked for. What
    is in crowds has to be put into it.
    """
    mine = Participant.select(Participant.id, Participant.newest_id, Participant.conversation).where(
        Participant.user == user
    )
    parts = [
        mine.where(
            Participant.status == status, Participant.kind == kind, Participant.newest_id.is_null(False)
        )
        for status, kind in itertools.product(statuses, kinds)
    ]
    in_crowds = (
        _crowds(Participant.select(Participant.id, Message.id, Participant.conversation))
        .join(
            Message,
            JOIN.LEFT_OUTER,
            on=IS_LAST,
        )
        .where(
            Participant.user == user,
            Participant.status.in_(statuses),
            Participant.kind.in_(kinds),
        )
    )
    return functools.reduce(operator.add, [*parts, in_crowds]).order_by(SQL("2 DESC"), SQL("3 DESC"))


@functools.cache
def page_of(statuses: Sequence[str], kinds: Sequence[str]) -> Prepared:
    """A page of a user's conversations in which he has one of these places, the newest first."""

    def build() -> Any:
        picked = (
            _picked(slot("user"), statuses, kinds).limit(slot("limit")).offset(slot("offset")).alias("picked")
        )
        return _places(picked).order_by(picked.c.newest_id.desc(), picked.c.conversation_id.desc())

    return Prepared(build)


@functools.cache
def number_of(statuses: Sequence[str], kinds: Sequence[str]) -> Prepared:
    """How many they are."""
    return Prepared(lambda: _counted(statuses).where(PlaceCount.kind.in_(kinds)))


def _place_in() -> Any:
    return _places().where(Participant.user == slot("user"), Participant.conversation == slot("conversation"))


# Whether a user's place in a chat that is asked for says that he has asked, or that he is asked.
DIRECTIONS = {"sent": (ACTIVE,), "received": (ASKED,), "all": (ACTIVE, ASKED)}


@functools.cache
def page_of_requests(direction: str, kind: str) -> Prepared:
    """Requests that are ``sent``, ``received``, or ``all``, the newest first."""

    def asking(status: str) -> Any:
        return Participant.select(Participant.id, Participant.conversation).where(
            Participant.user == slot("user"), Participant.status == status, Participant.kind == kind, ASKING
        )

    def build() -> Any:
        found = functools.reduce(operator.add, map(asking, DIRECTIONS[direction]))
        picked = found.order_by(SQL("2 DESC")).limit(slot("limit")).offset(slot("offset")).alias("picked")
        return _places(picked).order_by(picked.c.conversation_id.desc())

    return Prepared(build)


def _of_page(query: Any) -> Any:
    return query.where(
        Message.conversation == slot("conversation"), Message.seq.between(slot("first"), slot("last"))
    ).order_by(Message.seq)


def _page_of_messages() -> Any:
    return _of_page(Message.select(Message.id, Message.seq, Message.author, Message.sent_at, *SAYING))


def _page_with_authors() -> Any:
    """The same with how a phone names who said it."""
    said = (Message.id, Message.kind, Message.sent_at, *SAYING, User.display_name, User.number)
    return _of_page(Message.select(*said).join(User, JOIN.LEFT_OUTER))


def _carried() -> Any:
    return Attachment.select(
        Attachment.id,
        Attachment.message,
        Attachment.filename,
        Attachment.extension,
        Attachment.size,
        Attachment.thumbnail,
    )


def _others_in() -> Any:
    """The users with whom a user is in a conversation."""
    return (
        User.select(User)
        .join(Participant, on=(Participant.user == User.id))
        .where(Participant.conversation == slot("conversation"), User.id != slot("user"))
    )


def _attachments_of_page() -> Any:
    return (
        _carried()
        .join(Message)
        .where(Message.conversation == slot("conversation"), Message.seq.between(slot("first"), slot("last")))
        .order_by(Attachment.id)
    )


conversations_of = Prepared(_conversations_of)
page_of_conversations = page_of((ACTIVE,), KINDS)
page_of_rooms = page_of(THERE, (DARKCHAT,))
place_in = Prepared(_place_in)
others_in = Prepared(_others_in)
page_of_messages = Prepared(_page_of_messages)
page_with_authors = Prepared(_page_with_authors)
attachments_of_page = Prepared(_attachments_of_page)


@PreparedMany
def attachments_with(messages: list[Value]) -> Any:
    """What these messages carry, in the order of the uploads."""
    return _carried().where(Attachment.message.in_(messages)).order_by(Attachment.id)


@PreparedMany
def people_in(conversations: list[Value]) -> Any:
    """Everyone who takes or took part in these conversations, in the order in which they came."""
    return (
        Participant.select(
            Participant.conversation,
            Participant.status,
            User.id,
            User.username,
            User.display_name,
            User.number,
            User.avatar,
            # As it is stored, since few ask for more than whether it is long ago, or at all; 0 for never.
            fn.COALESCE(User.seen_at, 0).alias("seen"),
            fn.COALESCE(User.disabled_at, 0).alias("disabled_at"),
            fn.COALESCE(User.is_admin, False).alias("is_admin"),
        )
        .join(User, on=(Participant.user == User.id))
        .where(Participant.conversation.in_(conversations))
        .order_by(Participant.id)
    )


RECENT = 200


def people_met(user: User) -> Any:
    """Those with whom *user* talks, by the newest message of a conversation they share."""
    mine = _picked(user.id, (ACTIVE,), KINDS).limit(RECENT).alias("mine")
    return (
        User.enabled()
        .join(Participant, on=(Participant.user == User.id))
        .join(mine, on=(mine.c.conversation_id == Participant.conversation))
        .where(User.id != user.id)
        .group_by(User.id)
        .order_by(fn.MAX(mine.c.newest_id).desc(), User.id)
    )


@PreparedMany
def first_unread(places: list[Value]) -> Any:
    """For each of these places: where the first message after its read mark stands that another has said."""
    by_another = Message.author.is_null() | (Message.author != Participant.user)
    unread = Message.select(Message.seq).where(
        Message.conversation == Participant.conversation, Message.seq > Participant.read_seq, by_another
    )
    first = unread.order_by(Message.seq).limit(1)
    return Participant.select(Participant.conversation, first.alias("seq")).where(Participant.id.in_(places))


@PreparedMany
def waiting_for(users: list[Value]) -> Any:
    """For each of these users: the requests that wait for him, what he has not read, in how many chats."""
    his, counted = Participant.user == User.id, PlaceCount.user == User.id
    asked = PlaceCount.select(total(PlaceCount.number)).where(
        counted, PlaceCount.status == ASKED, PlaceCount.kind == PENDING
    )
    # Messages alone are added up; in how many conversations they stand is counted already.
    chats = PlaceCount.select(total(PlaceCount.unread)).where(counted, PlaceCount.status == ACTIVE)
    messages = Participant.select(total(UNREAD)).where(his, Participant.status == ACTIVE, UNREAD > 0)
    crowds = _crowds(Participant.select()).where(his, Participant.status == ACTIVE, UNREAD_THERE > 0)
    return User.select(
        User.id,
        _or_zero(asked).alias("requests"),
        (_or_zero(messages) + _or_zero(crowds.select(total(UNREAD_THERE)))).alias("messages"),
        (_or_zero(chats) + _or_zero(crowds.select(fn.COUNT(Participant.id)))).alias("chats"),
    ).where(User.id.in_(users))


def _or_zero(number: Any) -> Any:
    return fn.COALESCE(number, 0)


@PreparedMany
def members_of(conversations: list[Value]) -> Any:
    """Who is in these conversations, whether he sees them or not."""
    return Participant.select(Participant.conversation, Participant.user).where(
        Participant.conversation.in_(conversations), Participant.status.in_(THERE)
    )


@PreparedMany
def messages_with(ids: list[Value]) -> Any:
    """These messages, with all that they say."""
    return Message.select(Message.id, Message.conversation, Message.author, Message.sent_at, *SAYING).where(
        Message.id.in_(ids)
    )


@PreparedMany
def first_messages(conversations: list[Value]) -> Any:
    """What was said first in these conversations."""
    return Message.select(Message.id, Message.conversation, Message.author, Message.sent_at, *SAYING).where(
        Message.conversation.in_(conversations), Message.seq == 1
    )
