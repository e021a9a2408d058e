"""Darkchat: rooms that one enters by a code."""

from typing import Any, NotRequired, TypedDict

from models import (
    GONE,
    REMOVED,
    THERE,
    User,
    page_of_rooms,
    page_with_authors,
    people_in,
    place_in,
)

from ... import text
from ...actions import access, conversations, messages, rooms
from ...visits import Visit
from ...wire.types import Key, Natural, Seconds
from .door import PAGE, Limit, Outcome, Said, for_player, said

SHOWN = 50


class RoomMessage(Said):
    senderName: str


class Recipient(TypedDict):
    id: int
    name: str
    number: NotRequired[str]


class DarkchatConversation(TypedDict):
    id: int
    name: str
    appName: str
    createdBy: int
    joinCode: str
    createdAt: Seconds
    updatedAt: Seconds
    recipients: list[Recipient]
    messages: list[RoomMessage]
    isItRead: bool


class Created(Outcome):
    newConv: NotRequired[DarkchatConversation]


class Found(Outcome):
    conv: NotRequired[DarkchatConversation]


class Sent(TypedDict):
    success: bool
    message: NotRequired[RoomMessage]


@for_player("Darkchat_CreateConversationBy", once=True)
def create_conversation(player: User, name: str, join_code: str = "") -> Created:
    """Make a room, with its maker as the owner and only member.

    :param player: who makes it
    :param name: what it is called, 1 to 64 characters
    :param join_code: 4 to 16 letters and digits by which others enter; without it one is made up
    """
    room = rooms.create(player, name, join_code)
    return {"success": True, "newConv": opened(player, room.id)}


@for_player("Darkchat_AddToConversationBy")
def add_to_conversation(player: User, conversation_id: Key) -> bool:
    """Let a player into a room; true as well where he is in it already.

    :param player: who comes in
    :param conversation_id: the room
    """
    rooms.join(access.room(conversation_id), player)
    return True


@for_player("Darkchat_RemoveFromConversationBy")
def remove_from_conversation(
    visit: Visit, /, player: User, conversation_id: Key, is_self: bool = False
) -> bool:
    """Take a player out of a room; false where he is not in it.

    Where the owner goes, the one who is there longest becomes the owner. With the last one the room is
    erased.

    :param player: who goes
    :param conversation_id: the room
    :param is_self: true where he leaves by himself, false where he is removed; the history tells which
    """
    participant = access.to_leave(player, access.room(conversation_id).id)
    conversations.leave(visit.files, participant, GONE if is_self else REMOVED)
    return True


@for_player("Darkchat_JoinByCodeBy")
def join_by_code(player: User, join_code: str) -> Found:
    """Let a player into the room that has this code, in any case.

    :param player: who comes in
    :param join_code: the code
    """
    room = rooms.with_code(join_code)
    rooms.join(room, player)
    return {"success": True, "conv": opened(player, room.id)}


@for_player("Darkchat_GetConversationsBy", "read")
def get_conversations(player: User, start: Natural = 0, limit: Limit = PAGE) -> list[DarkchatConversation]:
    """List the rooms that a player is in, without their messages, the newest message first.

    :param player: whose rooms
    :param start: how many to pass over
    :param limit: how many, at most 200
    """
    rows = page_of_rooms(user=player.id, offset=start, limit=limit)
    members = members_of([row.id for row in rows])
    return [room(row, members[row.id], []) for row in rows]


@for_player("Darkchat_GetConversationBy", "read")
def get_conversation(player: User, conversation_id: Key) -> Found:
    """Give a room that a player is in, with its newest 50 messages, the oldest first.

    :param player: who asks
    :param conversation_id: the room
    """
    return {"success": True, "conv": opened(player, access.own_room(player, conversation_id).id)}


@for_player("Darkchat_GetMessagesBy", "read")
def get_messages(
    player: User, conversation_id: Key, before_id: Key = 0, limit: Limit = PAGE
) -> list[RoomMessage]:
    """List messages of a room that a player is in, the newest first.

    :param player: who asks
    :param conversation_id: the room
    :param before_id: gives only what is older than this message of the room; 0 begins with the newest
    :param limit: how many, at most 200
    """
    conversation = access.own_room(player, conversation_id)
    last = conversation.last_seq
    if before_id:
        last = access.message(conversation, before_id).seq - 1
    return newest(conversation.id, last, limit)[::-1]


@for_player("Darkchat_SendMessageBy", once=True)
def send_message(visit: Visit, /, player: User, conversation_id: Key, text_: str) -> Sent:
    """Say something in a room that a player is in; his read mark moves up to it.

    :param player: who says it
    :param conversation_id: the room
    :param text_: what to say
    """
    conversation = access.own_room(player, conversation_id)
    message = messages.say(visit.settings, player, conversation, text_, [])
    return {"success": True, "message": said_by(player, message)}


@for_player("Darkchat_MarkReadBy")
def mark_read(player: User, conversation_id: Key) -> bool:
    """Mark all messages of a room that a player is in as read.

    :param player: who has read them
    :param conversation_id: the room
    """
    messages.mark_read([access.own_room(player, conversation_id).participant])
    return True


def opened(player: User, room_id: int) -> DarkchatConversation:
    """A room as the player sees it, with its newest messages."""
    row = place_in.one(user=player.id, conversation=room_id)
    return room(row, members_of([room_id])[room_id], newest(room_id, row.last_seq, SHOWN))


def newest(room_id: int, last: int, limit: int) -> list[RoomMessage]:
    """At most so many messages up to the place *last*, the oldest first."""
    rows = page_with_authors(conversation=room_id, first=last - limit + 1, last=last)
    return [said_by(row, row) for row in rows]


def said_by(author: Any, message: Any) -> RoomMessage:
    """A message with its author, who may be a row as well."""
    name = author.display_name
    return {**said(message, author.number or name), "senderName": name}


def members_of(ids: list[int]) -> dict[int, list[Recipient]]:
    members: dict[int, list[Recipient]] = {each: [] for each in ids}
    for row in people_in(ids):
        if row.status in THERE:
            members[row.conversation_id].append(recipient(row))
    return members


def recipient(row: Any) -> Recipient:
    shown: Recipient = {"id": row.id, "name": row.display_name}
    return {**shown, "number": row.number} if row.number else shown


def room(row: Any, members: list[Recipient], shown: list[RoomMessage]) -> DarkchatConversation:
    return {
        "id": row.id,
        "name": text.unmarked(row.subject),
        "appName": row.app,
        "createdBy": row.starter_id,
        "joinCode": row.join_code,
        "createdAt": row.started_at,
        "updatedAt": row.last_sent_at or row.started_at,
        "recipients": members,
        "messages": shown,
        "isItRead": row.unread == 0,
    }
