"""Chats: listed, asked for, accepted, declined, withdrawn."""

from typing import Any, Literal

from models import (
    ACTIVE,
    APPS,
    DECLINED,
    DIRECTIONS,
    PENDING,
    User,
    first_messages,
    number_of,
    page_of,
    page_of_requests,
    place_in,
)

from ...actions import access, requests
from ...actions import chats as talks
from ...visits import Visit
from ...wire.types import Id, Key, Natural, Page
from .door import PAGE, App, Chat, ChatMessage, Limit, Request, attachments, chats, face, message

Direction = Literal["all", "sent", "received"]


@face.route("GET", "/chat", transaction="read")
def get_chats(
    user: User, visit: Visit, /, skip: Natural = 0, limit: Limit = PAGE, app: App | None = None
) -> Page[Chat]:
    """List the conversations that this user takes part in, through whichever door they came; newest first.

    What was only asked for, by whomever, stands among the pending requests instead.

    :param skip: how many to pass over
    :param limit: how many, at most 100
    :param app: only those of one app: chat, forum, darkchat or messages
    """
    wanted = (ACTIVE,), ((app,) if app else APPS)
    rows = page_of(*wanted)(user=user.id, limit=limit, offset=skip)
    total = number_of(*wanted).one(user=user.id).number
    return Page(chats(visit, user, rows), total, skip, limit)


@face.route("POST", "/chat", statuses=(200, 201))
def request_chat(user: User, visit: Visit, /, user_id: Key) -> Chat:
    """Ask a user for a chat; 201 and the pending chat, or 200 and the chat that is there already.

    Where he has asked himself before, that is accepted.

    :param user_id: whom to ask
    """
    found, is_made = requests.request(visit.settings, user, access.user(user_id, ""))
    if is_made:
        visit.status = 201
    return one(visit, user, found.id)


@face.route("GET", "/chat/pending", transaction="read")
def get_pending(
    user: User, visit: Visit, /, skip: Natural = 0, limit: Limit = PAGE, direction: Direction = "all"
) -> Page[Request]:
    """List the requests that wait for an answer, the newest first.

    :param skip: how many to pass over
    :param limit: how many, at most 100
    :param direction: all, sent, or received
    """
    return listed(visit, user, PENDING, direction, skip, limit)


@face.route("GET", "/chat/rejected", transaction="read")
def get_rejected(
    user: User, visit: Visit, /, skip: Natural = 0, limit: Limit = PAGE, direction: Direction = "all"
) -> Page[Request]:
    """List the requests that were declined, the newest first.

    :param skip: how many to pass over
    :param limit: how many, at most 100
    :param direction: all, sent, or received
    """
    return listed(visit, user, DECLINED, direction, skip, limit)


@face.route("GET", "/chat/{chatId}", transaction="read")
def get_chat(user: User, visit: Visit, /, chat_id: Id) -> Chat:
    """Give one chat.

    :param chat_id: the chat
    """
    return one(visit, user, access.chat(user, chat_id).id)


@face.route("DELETE", "/chat/{chatId}", statuses=(204,))
def withdraw_request(user: User, visit: Visit, /, chat_id: Id) -> None:
    """Take a request back while it waits for an answer; for its sender.

    :param chat_id: the chat
    """
    requests.withdraw(visit.files, user, access.chat(user, chat_id))


@face.route("POST PUT PATCH", "/chat/{chatId}/accept")
def accept_request(user: User, visit: Visit, /, chat_id: Id) -> Chat:
    """Accept a request, also after it was declined; for its receiver.

    :param chat_id: the chat
    """
    talks.accept(user, access.chat(user, chat_id))
    return one(visit, user, chat_id)


@face.route("POST PUT PATCH", "/chat/{chatId}/decline", "/chat/{chatId}/reject")
def decline_request(user: User, visit: Visit, /, chat_id: Id) -> Chat:
    """Decline a request; for its receiver.

    :param chat_id: the chat
    """
    talks.decline(user, access.chat(user, chat_id))
    return one(visit, user, chat_id)


def one(visit: Visit, user: User, chat_id: int) -> Chat:
    return chats(visit, user, [place_in.one(user=user.id, conversation=chat_id)])[0]


def listed(
    visit: Visit, user: User, status: str, direction: Direction, skip: int, limit: int
) -> Page[Request]:
    rows = page_of_requests(direction, status)(user=user.id, limit=limit, offset=skip)
    total = number_of(DIRECTIONS[direction], (status,)).one(user=user.id).number
    shown = chats(visit, user, rows)
    first = first_by_chat(visit, [row.id for row in rows])
    items = [request(user, row, each, first.get(row.id)) for row, each in zip(rows, shown, strict=True)]
    return Page(items, total, skip, limit)


def first_by_chat(visit: Visit, chat_ids: list[int]) -> dict[int, ChatMessage]:
    rows = first_messages(chat_ids)
    files = attachments(visit.address_of, [row.id for row in rows])
    return {
        row.conversation_id: message(row, row.id, row.conversation_id, row.author_id, row.sent_at, files)
        for row in rows
    }


def request(user: User, row: Any, shown: Chat, first: ChatMessage | None) -> Request:
    is_sent = row.starter_id == user.id
    return {
        **shown,
        "chatId": row.id,
        "direction": "sent" if is_sent else "received",
        "canAccept": not is_sent,
        "user": next(each for each in shown["users"] if each["id"] != user.id),
        "message": first,
    }
