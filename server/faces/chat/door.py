"""What all calls of the chat door share: the shapes of chats and messages, and pages of them."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypedDict

from models import ACTIVE, LEFT, User, attachments_with, is_direct, people_in

from ... import text
from ...errors import BadParams, Refusal
from ...visits import Visit
from ...wire.declare import camel
from ...wire.types import (
    KEY,
    Codec,
    Id,
    Iso,
    Nullable,
    codec_for,
    load_int,
    load_natural,
)
from ..face import Face
from ..showing import file_urls, icon_url, title_of

ABOUT = """For websites and apps, which act for one member. He is known by an access token (in the header
Authorization, with or without Bearer before it, or X-API-Key) or by HTTP Basic with name and password:

    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8000/chat

Bodies are JSON objects or forms. Ids of chats and messages are strings, those of users numbers, times
ISO 8601 in UTC. Lists take skip and limit and tell the total in X-Total-Count; with envelope=1 it stands
around them.
A POST with an Idempotency-Key is carried out once, however often it comes within a day. What is refused is
answered by a problem document (RFC 9457) with a code for programs.

GET /openapi.json describes all of this to programs (OpenAPI 3.1)."""

MOST = 100


def refuse(returns: Codec, error: Refusal) -> Any:
    """Refusals leave this door as problem documents, which HTTP's side of it makes."""
    raise error


face = Face(User, refuse, camel)


def load_limit(value: Any) -> int:
    number = load_int(value)
    if number > MOST:
        raise BadParams(f"must be at most {MOST}", "RESULT_LIMIT")
    return load_natural(number)


LIMIT = Codec("int", load_limit, schema={"type": "integer", "minimum": 0, "maximum": MOST})
Limit = Annotated[int, LIMIT]
PAGE = 15


App = Literal["chat", "forum", "darkchat", "messages"]
Status = Literal["active", "closed", "pending", "declined"]


class Person(TypedDict):
    id: int
    username: str
    displayName: str
    avatarUrl: str


class Attached(TypedDict):
    id: Id
    filename: str
    size: int
    type: str
    url: str
    thumbnailUrl: str


class ChatMessage(TypedDict):
    """A message; *userId* is null where its author has no account."""

    id: Id
    chatId: Id
    userId: Annotated[int | None, Nullable(KEY)]
    text: str
    imageUrl: Annotated[str | None, Nullable(codec_for(str))]
    linkPreviewUrl: Annotated[str | None, Nullable(codec_for(str))]
    attachments: list[Attached]
    matchId: Annotated[str | None, Nullable(codec_for(str))]
    createdAt: Iso
    updatedAt: Iso


class Chat(TypedDict):
    id: Id
    app: App
    status: Status
    name: str
    users: list[Person]
    lastMessage: Annotated[ChatMessage | None, Nullable(codec_for(ChatMessage))]
    lastMessageReadAt: Annotated[Any, Nullable(codec_for(Iso))]
    totalUnreadMessages: int
    createdAt: Iso
    updatedAt: Iso


class Request(Chat):
    """A request; *user* is the other side, *message* the first message, when there is one."""

    chatId: Id
    direction: Literal["sent", "received"]
    canAccept: bool
    user: Person
    message: Annotated[ChatMessage | None, Nullable(codec_for(ChatMessage))]


def chats(visit: Visit, user: User, rows: list[Any]) -> list[Chat]:
    """Rows of a user's places in conversations, as chats; three queries for however many."""
    ids = [row.id for row in rows]
    people: dict[int, list[Any]] = {each: [] for each in ids}
    for person_row in people_in(ids):
        people[person_row.conversation_id].append(person_row)
    files = attachments(visit.address_of, [row.last_id for row in rows if row.last_id])
    return [chat(visit, user, row, people[row.id], files) for row in rows]


def chat(visit: Visit, user: User, row: Any, people: list[Any], files: dict[int, list[Attached]]) -> Chat:
    return {
        "id": row.id,
        "app": row.app,
        "status": row.status,
        "name": text.unmarked(title_of(user, row, people)),
        "users": [person(visit, each) for each in people if is_shown(row, each)],
        "lastMessage": last_message(row, files),
        "lastMessageReadAt": row.read_at,
        "totalUnreadMessages": row.unread if row.place == ACTIVE else 0,
        "createdAt": row.started_at,
        "updatedAt": row.last_sent_at or row.started_at,
    }


def is_shown(row: Any, person_row: Any) -> bool:
    """Whether somebody is one of a chat's users; what is between two always has both."""
    return is_direct(row.app) or person_row.status != LEFT


def last_message(row: Any, files: dict[int, list[Attached]]) -> ChatMessage | None:
    if not row.last_id:
        return None
    return message(row, row.last_id, row.id, row.last_author_id, row.last_sent_at, files)


def message(
    row: Any, message_id: int, chat_id: int, author_id: int | None, sent_at: Any, files: Any
) -> ChatMessage:
    return {
        "id": message_id,
        "chatId": chat_id,
        "userId": author_id,
        "text": text.unmarked(row.body),
        "imageUrl": row.image_url or None,
        "linkPreviewUrl": row.link_url or None,
        "attachments": files.get(message_id, []),
        "matchId": row.client_id,
        "createdAt": sent_at,
        "updatedAt": sent_at,
    }


def person(visit: Visit, row: Any) -> Person:
    return {
        "id": row.id,
        "username": row.username,
        "displayName": row.display_name,
        "avatarUrl": icon_url(visit.address_of, row.id, row.avatar),
    }


def attachments(address_of: Callable[[str], str], message_ids: list[int]) -> dict[int, list[Attached]]:
    """What these messages carry, by message."""
    by_message: dict[int, list[Attached]] = {}
    for row in attachments_with(message_ids):
        url, thumbnail_url = file_urls(address_of, row)
        shown: Attached = {
            "id": row.id,
            "filename": row.filename,
            "size": row.size,
            "type": row.extension,
            "url": url,
            "thumbnailUrl": thumbnail_url,
        }
        by_message.setdefault(row.message_id, []).append(shown)
    return by_message
