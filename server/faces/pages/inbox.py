"""A member's conversations of every app: listed, read, answered, begun."""

from itertools import groupby
from operator import attrgetter
from typing import Any

from markupsafe import Markup

from models import (
    ACTIVE,
    APPS,
    LEFT,
    PENDING,
    Attachment,
    User,
    attachments_of_page,
    first_unread,
    number_of,
    page_of,
    page_of_messages,
    page_of_requests,
    people_in,
)

from ... import text
from ...actions import access, attachments, chats, conversations, messages
from ...errors import BadInput
from ...visits import Visit
from ...wire.once import Repeat, digest, written
from ...wire.pages import Go, Shown, View
from ...wire.types import File, Id, Natural, Text
from ..showing import file_urls, icon_url, title_of, whole
from .door import face

PAGE = 20
REQUESTS = 20


@face.route("GET", "/inbox", transaction="read")
def inbox(user: User, /, skip: Natural = 0) -> Shown:
    """List this member's conversations through whichever door they came, the newest first.

    :param skip: how many to pass over
    """
    rows = page_of((ACTIVE,), APPS)(user=user.id, limit=PAGE, offset=skip)
    asked = page_of_requests("received", PENDING)(user=user.id, limit=REQUESTS, offset=0)
    total = number_of((ACTIVE,), APPS).one(user=user.id).number
    people = people_by_conversation([row.id for row in [*rows, *asked]])
    behind = first_unread(row.place_id for row in rows if row.unread)
    unread = {row.conversation_id: row.seq for row in behind}
    values = {
        "conversations": [listed(user, row, people[row.id], unread.get(row.id)) for row in rows],
        "requests": [listed(user, row, people[row.id], None) for row in asked],
        "newer": max(0, skip - PAGE) if skip else None,
        "older": skip + PAGE if skip + len(rows) < total else None,
    }
    return View("inbox.html", values)


@face.route("GET", "/inbox/new", transaction="none")
def new_form(user: User, /, to: str = "") -> Shown:
    """Ask what to say to whom.

    :param to: names that are filled in, with commas between them
    """
    return View("new.html", {"to": to})


@face.route("POST", "/inbox/new", transaction="none")
def begin(
    user: User, visit: Visit, /, to: Text, subject: Text, body: Text, files: list[File] = [], key: str = ""
) -> Shown:
    """Begin a conversation on the forum.

    :param to: the recipients' names, with commas between them
    :param subject: what it is about
    :param body: the first message, as BBCode
    :param files: what the message carries
    :param key: what tells this form from others; one that comes again begins nothing new
    """
    settings, stored = visit.settings, kept(user, visit, files)

    def start() -> int:
        recipients = access.users_named(to.split(","), settings.max_recipients)
        uploads = attached(user, visit, stored)
        return int(conversations.start(settings, user, recipients, subject, body, uploads).id)

    begun = visit.transact_under(repeats(key, files, "begin", to, subject, body), start)
    return Go(f"/inbox/{begun}")


@face.route("GET", "/inbox/{conversation_id}", transaction="read")
def read(user: User, visit: Visit, /, conversation_id: Id, last: Natural | None = None) -> Shown:
    """Show messages of a conversation, the newest unless said otherwise, and move the read mark up to them.

    The mark stays where unread messages stand before those that are shown: nobody has seen them.

    :param conversation_id: the conversation
    :param last: the place of the last message wanted
    """
    conversation = access.chat(user, conversation_id)
    newest = conversation.last_seq
    end = newest if last is None else min(last, newest)
    page = {"conversation": conversation_id, "first": max(1, end - PAGE + 1), "last": end}
    rows = page_of_messages(**page)
    files = files_by_message(attachments_of_page(**page))
    people = people_in([conversation_id])
    authors = {row.id: row for row in people}
    place, peer = conversation.participant, conversation.peer or ""
    unread = unread_before(place, page["first"]) if place.status == ACTIVE else None
    if rows and place.status == ACTIVE and unread is None and end > place.read_seq:
        visit.afterwards(lambda: messages.read_up_to(user, conversation_id, end))
    shown = [said(user, row, authors, peer, place.read_seq, files) for row in rows]
    values = {
        "id": conversation_id,
        "title": text.unmarked(title_of(user, conversation, people)),
        "app": conversation.app,
        "people": [person(row) for row in people if row.status != LEFT],
        "reason": place.invite_reason,
        "messages": shown,
        "begin": begin_of(shown),
        "page": page,
        "newest": newest,
        "unread": unread and page_from(unread),
        "older": page["first"] - 1 or None,
        "newer": min(end + PAGE, newest) if end < newest else None,
        "is_asked": place.status != ACTIVE,
        "may_reply": place.status == ACTIVE and access.may_reply(user, conversation),
    }
    return View("conversation.html", values)


@face.route("POST", "/inbox/{conversation_id}", transaction="none")
def reply(
    user: User, visit: Visit, /, conversation_id: Id, body: Text, files: list[File] = [], key: str = ""
) -> Shown:
    """Say something in a conversation.

    :param conversation_id: the conversation
    :param body: what to say, as BBCode
    :param files: what the message carries
    :param key: what tells this form from others; one that comes again says nothing more
    """
    visit.transact(lambda: access.chat(user, conversation_id).id, "read")
    stored = kept(user, visit, files)

    def say() -> int:
        conversation = access.chat(user, conversation_id)
        uploads = attached(user, visit, stored)
        return int(messages.reply(visit.settings, user, conversation, body, uploads).id)

    message = visit.transact_under(repeats(key, files, "reply", conversation_id, body), say)
    return Go(f"/inbox/{conversation_id}#m{message}")


@face.route("POST", "/inbox/{conversation_id}/accept")
def accept(user: User, /, conversation_id: Id) -> Shown:
    """Accept a request.

    :param conversation_id: the chat that is asked for
    """
    chats.accept(user, access.chat(user, conversation_id))
    return Go(f"/inbox/{conversation_id}")


@face.route("POST", "/inbox/{conversation_id}/decline")
def decline(user: User, /, conversation_id: Id) -> Shown:
    """Decline a request.

    :param conversation_id: the chat that is asked for
    """
    chats.decline(user, access.chat(user, conversation_id))
    return Go("/inbox")


@face.route("POST", "/inbox/{conversation_id}/read")
def mark_read(user: User, /, conversation_id: Id) -> Shown:
    """Count all as read, also what was never shown.

    :param conversation_id: the conversation
    """
    messages.mark_read(access.participants(user, [conversation_id]))
    return Go(f"/inbox/{conversation_id}#new")


@face.route("POST", "/inbox/{conversation_id}/unread")
def mark_unread(user: User, /, conversation_id: Id) -> Shown:
    """Make all that others have said unread again.

    :param conversation_id: the conversation
    """
    messages.mark_unread(access.participants(user, [conversation_id]))
    return Go("/inbox")


def repeats(key: str, files: list[File], *said: Any) -> list[Repeat]:
    """By what a form is known that comes again with the same in it; with something else it is another."""
    made = digest(written([key, *said, *([file.name, digest(file.data)] for file in files)]))
    return [Repeat(made, made)] if key else []


def kept(user: User, visit: Visit, files: list[File]) -> list[attachments.Stored]:
    """Files on the disk, checked, before anybody waits for the store."""
    if len(files) > visit.settings.max_attachments:
        raise BadInput(f"A message may have at most {visit.settings.max_attachments} attachments.")
    for _ in files:
        attachments.admit(visit.settings, user, None, "")
    return [attachments.store(visit.settings, visit.files, file.name, file.data) for file in files]


def attached(user: User, visit: Visit, stored: list[attachments.Stored]) -> list[Attachment]:
    """The same as uploads of the user's."""
    group = attachments.new_group(user).key if stored else ""
    return [attachments.add(visit.settings, user, each, group) for each in stored]


def people_by_conversation(ids: list[int]) -> dict[int, list[Any]]:
    people: dict[int, list[Any]] = {each: [] for each in ids}
    for conversation_id, rows in groupby(people_in(ids), attrgetter("conversation_id")):
        people[conversation_id] += rows
    return people


def unread_before(place: Any, seq: int) -> int | None:
    """Where the first unread message stands, if it stands before *seq*."""
    if seq <= place.read_seq + 1:
        return None
    [row] = first_unread([place.id])
    return row.seq if row.seq is not None and row.seq < seq else None


def page_from(seq: int) -> int:
    """The last place of the page that begins with *seq*."""
    return seq + PAGE - 1


def listed(user: User, row: Any, people: list[Any], unread: int | None) -> dict[str, Any]:
    """A conversation in the list, which leads to the page with the first unread message.

    :param unread: the place of that message
    """
    names = {each.id: each.display_name for each in people}
    author = names.get(row.last_author_id, row.peer or "")
    is_own = row.last_author_id == user.id
    return {
        "id": row.id,
        "title": text.unmarked(title_of(user, row, people)),
        "app": row.app,
        "people": [person(each) for each in people if each.id != user.id and each.status != LEFT],
        "preview": text.preview(row.body or ""),
        "author": "You" if is_own else author,
        "last": page_from(unread) if unread and row.last_seq > page_from(unread) else None,
        "said": row.last_id,
        "by": "" if is_own else author,
        "sent_at": row.last_sent_at or row.started_at,
        "unread": row.unread,
    }


def said(
    user: User, row: Any, authors: dict[int, Any], peer: str, read_seq: int, files: Any
) -> dict[str, Any]:
    """A message as it is read."""
    author = authors.get(row.author_id)
    return {
        "id": row.id,
        "author": author.display_name if author else peer,
        "picture": icon_url(str, author.id, author.avatar) if author else "",
        "is_own": row.author_id == user.id,
        "is_unread": row.seq > read_seq and row.author_id != user.id,
        "sent_at": row.sent_at,
        # What is made of BBCode is markup that is whole and harmless: it is built as a tree.
        "body": Markup(text.page(whole(row))),  # noqa: S704
        "files": files.get(row.id, []),
    }


def begin_of(shown: list[dict[str, Any]]) -> int | None:
    """The id of the message at which a page opens: the first unread one, else the newest."""
    unread = [each["id"] for each in shown if each["is_unread"]]
    return next(iter(unread), shown[-1]["id"] if shown else None)


def person(row: Any) -> dict[str, Any]:
    """Somebody as he is shown, and as he is *called* where one writes to him if that is another name."""
    name, called = row.display_name, row.username
    is_other = called.casefold() != name.casefold()
    return {
        "name": name,
        "called": called if is_other else "",
        "picture": icon_url(str, row.id, row.avatar),
    }


def files_by_message(rows: Any) -> dict[int, list[dict[str, Any]]]:
    files: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        url, small = file_urls(str, row)
        files.setdefault(row.message_id, []).append(
            {"name": row.filename, "size": row.size, "url": url, "small": small}
        )
    return files
