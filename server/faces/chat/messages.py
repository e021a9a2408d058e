"""Messages: read, said, and marked as read."""

from typing import Any, Literal, TypedDict

from models import User, page_of_messages

from ...actions import access
from ...actions import messages as saying
from ...visits import Visit
from ...wire.types import Id, Natural, Page
from .door import PAGE, ChatMessage, Limit, attachments, face, message


class Done(TypedDict):
    success: bool
    message: str


@face.route("GET", "/chat/{chatId}/messages", transaction="read")
def get_messages(
    user: User,
    visit: Visit,
    /,
    chat_id: Id,
    skip: Natural = 0,
    limit: Limit = PAGE,
    order: Literal["desc", "asc"] = "desc",
    before: Id | None = None,
    after: Id | None = None,
) -> Page[ChatMessage]:
    """List the messages of a chat, the newest first.

    :param chat_id: the chat
    :param skip: how many to pass over
    :param limit: how many, at most 100
    :param order: desc for the newest first, asc for the oldest first
    :param before: gives only what was said before this message of the chat
    :param after: gives only what was said after this message of the chat
    """
    chat = access.chat(user, chat_id)
    first = access.message(chat, after).seq + 1 if after is not None else 1
    last = access.message(chat, before).seq - 1 if before is not None else chat.last_seq
    total = max(0, last - first + 1)
    start = first + skip if order == "asc" else last - skip - limit + 1
    window = {"first": max(first, start), "last": min(last, start + limit - 1)}
    rows = page_of_messages(conversation=chat.id, **window)
    if order == "desc":
        rows = rows[::-1]
    return Page(shown(visit, chat.id, rows), total, skip, limit)


@face.route("POST", "/chat/{chatId}/messages", "/chat/{chatId}", statuses=(201,), once="id_")
def send_message(
    user: User,
    visit: Visit,
    /,
    chat_id: Id,
    text_: str = "",
    image_url: str = "",
    link_preview_url: str = "",
    id_: str = "",
) -> ChatMessage:
    """Say something in a chat; who was asked for it accepts by that.

    :param chat_id: the chat
    :param text_: what to say; it may be empty where an address comes with it
    :param image_url: the http or https address of a picture
    :param link_preview_url: the http or https address of a page
    :param id_: what the client itself calls this message; the same id again within a day makes nothing new
    """
    extras = saying.Extras(image_url, link_preview_url, id_ or None)
    chat = access.chat(user, chat_id)
    sent = saying.reply(visit.settings, user, chat, text_, [], extras)
    rows = page_of_messages(conversation=chat_id, first=sent.seq, last=sent.seq)
    return shown(visit, chat_id, rows)[0]


@face.route("POST", "/chat/{chatId}/read")
def mark_read(user: User, /, chat_id: Id) -> Done:
    """Mark all messages of a chat as read.

    :param chat_id: the chat
    """
    saying.mark_read([access.chat(user, chat_id).participant])
    return {"success": True, "message": "All messages have been marked as read."}


def shown(visit: Visit, chat_id: int, rows: list[Any]) -> list[ChatMessage]:
    files = attachments(visit.address_of, [row.id for row in rows])
    return [message(row, row.id, chat_id, row.author_id, row.sent_at, files) for row in rows]
