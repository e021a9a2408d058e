"""What is asked of conversations for those who take part in them: lists, counts and pages, prepared."""

import functools
from typing import Any

from peewee import JOIN, Value, fn

from .base import Prepared, PreparedMany, slot, total
from .conversations import (
    ACTIVE,
    ASKED,
    CHAT,
    CLOSED,
    DARKCHAT,
    OPEN,
    PENDING,
    THERE,
    UNREAD,
    Attachment,
    Conversation,
    Message,
    Participant,
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


def _unread_conversations() -> Any:
    return Participant.select(fn.COUNT(Participant.id).alias("number")).where(
        Participant.user == slot("user"), Participant.status == ACTIVE, UNREAD > 0
    )


def _conversations_of() -> Any:
    return Participant.select(fn.COUNT(Participant.id).alias("number")).where(
        Participant.user == slot("user"), Participant.status == ACTIVE
    )


# What a message says, and its sender's own id for it.
SAYING = (Message.body, Message.image_url, Message.link_url, Message.client_id)


def _places() -> Any:
    """What a user's list of conversations says of each, read from his own places in them."""
    return (
        Participant.select(
            Participant.conversation.alias("id"),
            Conversation.subject,
            Conversation.app,
            Conversation.status,
            Conversation.open_invite,
            Conversation.starter,
            Conversation.started_at,
            Conversation.last_seq,
            UNREAD.alias("unread"),
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
        .join(Conversation)
        .join(
            Message,
            JOIN.LEFT_OUTER,
            on=(Message.id == Participant.newest_id) & (Message.conversation == Conversation.id),
        )
        .where(Participant.user == slot("user"))
    )


def _page(places: Any) -> Any:
    return (
        places.order_by(Participant.newest_id.desc(), Participant.conversation.desc())
        .limit(slot("limit"))
        .offset(slot("offset"))
    )


def _page_of_conversations() -> Any:
    return _page(_places().where(Participant.status == ACTIVE))


def _page_of_rooms() -> Any:
    return _page(_places().where(Participant.status.in_(THERE), Conversation.app == DARKCHAT))


def _place_in() -> Any:
    return _places().where(Participant.conversation == slot("conversation"))


def _in_talk(query: Any) -> Any:
    """Those conversations, of all apps or of one, in which the user sees what is said by both sides."""
    is_wanted = (slot("app") == "") | (Conversation.app == slot("app"))
    return query.where(Participant.status == ACTIVE, Conversation.status.in_([OPEN, CLOSED]), is_wanted)


def _page_of_chats() -> Any:
    return _page(_in_talk(_places()))


def _chats_of() -> Any:
    counted = Participant.select(fn.COUNT(Participant.id).alias("number")).join(Conversation)
    return _in_talk(counted.where(Participant.user == slot("user")))


def _requested(query: Any, direction: str) -> Any:
    """Those chats with a certain status that the user has asked for, or is asked for, or both."""
    sent = (Conversation.starter == slot("user")) & (Participant.status == ACTIVE)
    received = Participant.status == ASKED
    ways = {"sent": sent, "received": received, "all": sent | received}
    return query.where(Conversation.app == CHAT, Conversation.status == slot("status"), ways[direction])


@functools.cache
def page_of_requests(direction: str) -> Prepared:
    """Requests that are ``sent``, ``received``, or ``all``, the newest first."""
    return Prepared(
        lambda: (
            _requested(_places(), direction)
            .order_by(Participant.conversation.desc())
            .limit(slot("limit"))
            .offset(slot("offset"))
        )
    )


@functools.cache
def requests_of(direction: str) -> Prepared:
    """How many of them there are."""
    counted = Participant.select(fn.COUNT(Participant.id).alias("number")).join(Conversation)
    return Prepared(lambda: _requested(counted.where(Participant.user == slot("user")), direction))


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


def _attachments_of_page() -> Any:
    return (
        Attachment.select(
            Attachment.id,
            Attachment.message,
            Attachment.filename,
            Attachment.extension,
            Attachment.size,
            Attachment.thumbnail,
        )
        .join(Message)
        .where(Message.conversation == slot("conversation"), Message.seq.between(slot("first"), slot("last")))
        .order_by(Attachment.id)
    )


def attachments_with(message_ids: list[int]) -> Any:
    """What these messages carry, in the order of the uploads."""
    return Attachment.select().where(Attachment.message.in_(message_ids)).order_by(Attachment.id)


unread_conversations = Prepared(_unread_conversations)
conversations_of = Prepared(_conversations_of)
page_of_conversations = Prepared(_page_of_conversations)
page_of_rooms = Prepared(_page_of_rooms)
place_in = Prepared(_place_in)
page_of_chats = Prepared(_page_of_chats)
chats_of = Prepared(_chats_of)
page_of_messages = Prepared(_page_of_messages)
page_with_authors = Prepared(_page_with_authors)
attachments_of_page = Prepared(_attachments_of_page)


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
            # As it is stored, since few ask for more than whether it is long ago; 0 for never.
            fn.COALESCE(User.seen_at, 0).alias("seen"),
            User.is_admin,
            User.disabled_at,
        )
        .join(User, on=(Participant.user == User.id))
        .where(Participant.conversation.in_(conversations))
        .order_by(Participant.id)
    )


RECENT = 200


def people_met(user: User) -> Any:
    """Those with whom *user* talks, by the newest message of a conversation they share."""
    mine = (
        Participant.of(user)
        .select(Participant.conversation, Participant.newest_id)
        .order_by(Participant.newest_id.desc())
        .limit(RECENT)
        .alias("mine")
    )
    return (
        User.enabled()
        .join(Participant, on=(Participant.user == User.id))
        .join(mine, on=(mine.c.conversation_id == Participant.conversation))
        .where(User.id != user.id)
        .group_by(User.id)
        .order_by(fn.MAX(mine.c.newest_id).desc(), User.id)
    )


@PreparedMany
def unread_of(users: list[Value]) -> Any:
    """For each of these users who has not read everything: how many messages, in how many conversations."""
    return (
        Participant.select(
            Participant.user,
            total(UNREAD).alias("messages"),
            fn.COUNT(Participant.id).alias("chats"),
        )
        .where(Participant.user.in_(users), Participant.status == ACTIVE, UNREAD > 0)
        .group_by(Participant.user)
    )


@PreparedMany
def requests_to(users: list[Value]) -> Any:
    """For each of these users who is asked for chats: how many of them wait for his answer."""
    return (
        Participant.select(Participant.user, fn.COUNT(Participant.id).alias("number"))
        .join(Conversation)
        .where(Participant.user.in_(users), Participant.status == ASKED, Conversation.status == PENDING)
        .group_by(Participant.user)
    )


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
