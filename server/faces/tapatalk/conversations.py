"""Private conversations: begin, answer, invite, list, read, quote, leave, mark, edit, close."""

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from typing import Any, NotRequired, TypedDict, cast

from models import (
    CLOSED,
    LEFT,
    Conversation,
    User,
    attachments_of_page,
    conversations_of,
    page_of_conversations,
    page_of_messages,
    people_in,
)

from ... import text
from ...actions import access, conversations, messages
from ...errors import BadInput
from ...visits import Visit
from ...wire.types import Epoch, Id, Ids, Moment, Names, Natural, Text
from ..showing import title_of, whole
from .door import NOBODY, YES, Attached, Participant, Result, attached, face, participant, peer

BOTH_MODES = 3
HIDE, LEAVE = 1, 2
PAGE, MOST = 20, 50


class Started(Result):
    conv_id: NotRequired[Id]


class Posted(Result):
    msg_id: NotRequired[Id]


class Listed(TypedDict):
    """A conversation in the list; some clients read the first eleven members by their place."""

    conv_id: Id
    reply_count: int
    participant_count: int
    start_user_id: Id
    last_user_id: Id
    last_conv_time: Moment
    timestamp: Epoch
    start_conv_time: Moment
    conv_subject: Text
    participants: dict[Id, Participant]
    new_post: bool
    unread_num: int
    start_timestamp: Epoch
    conv_title: Text
    total_message_num: int
    short_content: Text
    is_closed: bool
    can_invite: bool
    can_edit: bool
    can_close: bool
    can_upload: bool
    delete_mode: int
    invite_reason_text: NotRequired[Text]


class Box(Result):
    conversation_count: int
    unread_count: int
    can_upload: bool
    list: list[Listed]


class Shown(TypedDict):
    """A message as it is read."""

    msg_id: Id
    msg_content: Text
    msg_author_id: Id
    is_unread: bool
    is_online: bool
    has_left: bool
    post_time: Moment
    timestamp: Epoch
    new_post: bool
    attachments: list[Attached]


class Thread(Result):
    conv_id: Id
    conv_title: Text
    participant_count: int
    total_message_num: int
    can_invite: bool
    can_edit: bool
    can_close: bool
    is_closed: bool
    can_upload: bool
    delete_mode: int
    participants: dict[Id, Participant]
    list: list[Shown]
    invite_reason_text: NotRequired[Text]


class Quote(Result):
    text_body: Text


@face.method(once=True)
def new_conversation(
    user: User,
    visit: Visit,
    /,
    user_name: Names,
    subject: Text,
    text_body: Text,
    attachment_id_array: list[Id] = [],
    group_id: str = "",
) -> Started:
    """Begin a conversation between this user and others.

    All or nothing: where one name is unknown nothing is made, and the text names every unknown one.

    :param user_name: the recipients' names; one alone may stand without an array
    :param subject: what it is about
    :param text_body: the first message, as BBCode
    :param attachment_id_array: ids of uploads that the message carries
    :param group_id: the group of those uploads; without ids, all of the group
    """
    settings = visit.settings
    recipients = access.users_named(user_name, settings.max_recipients)
    uploads = access.uploads(user, attachment_id_array, group_id)
    begun = conversations.start(settings, user, recipients, subject, text_body, uploads)
    return {**YES, "conv_id": begun.id}


@face.method(once=True)
def reply_conversation(
    user: User,
    visit: Visit,
    /,
    conversation_id: Id,
    text_body: Text,
    subject: Text = "",
    attachment_id_array: list[Id] = [],
    group_id: str = "",
) -> Posted:
    """Reply to an existing conversation.

    :param conversation_id: the conversation this message belongs to
    :param text_body: what to say, as BBCode
    :param subject: accepted because clients send it, and not used
    :param attachment_id_array: ids of uploads that the message carries
    :param group_id: the group of those uploads; without ids, all of the group
    """
    conversation = access.conversation(user, conversation_id)
    uploads = access.uploads(user, attachment_id_array, group_id)
    message = messages.reply(visit.settings, user, conversation, text_body, uploads)
    return {**YES, "msg_id": message.id}


@face.method()
def invite_participant(
    user: User,
    visit: Visit,
    /,
    user_name: Names,
    conversation_id: Id,
    invite_reason_text: Text = "",
) -> Result:
    """Invite more people to a conversation; they see all that has been said, as unread.

    :param user_name: the names of those invited; one alone may stand without an array
    :param conversation_id: the conversation they are invited to
    :param invite_reason_text: shown to those invited
    """
    conversation = access.conversation(user, conversation_id)
    invited = access.users_named(user_name, visit.settings.max_recipients)
    conversations.invite(visit.settings, user, conversation, invited, invite_reason_text)
    return YES


@face.method(transaction="read")
def get_conversations(
    user: User, visit: Visit, /, start_num: Natural | None = None, last_num: Natural | None = None
) -> Box:
    """List this user's conversations, the one with the newest message first.

    :param start_num: place of the first one wanted, from 0
    :param last_num: place of the last one wanted; without it 20 are given, and never more than 50
    """
    offset, limit = window(start_num, last_num)
    rows = page_of_conversations(user=user.id, offset=offset, limit=limit)
    people = people_by_conversation([row.id for row in rows])
    counted = conversations_of.one(user=user.id)
    show = shown_once(visit)
    return {
        **YES,
        "conversation_count": counted.number,
        "unread_count": counted.unread,
        "can_upload": True,
        "list": [listed(user, row, people[row.id], show) for row in rows],
    }


@face.method(transaction="read")
def get_conversation(
    user: User,
    visit: Visit,
    /,
    conv_id: Id,
    start_num: Natural | None = None,
    last_num: Natural | None = None,
    return_html: bool = False,
) -> Thread:
    """Read messages of a conversation, the oldest first, and move the read mark up to the newest of them.

    What was unread before is still shown as unread in this answer.

    :param conv_id: the conversation
    :param start_num: place of the first message wanted, from 0
    :param last_num: place of the last one wanted; without it 20 are given, and never more than 50
    :param return_html: whether line ends, bold, italic, underlined and coloured text come as HTML
    """
    conversation = access.conversation(user, conv_id)
    offset, limit = window(start_num, last_num)
    page = {"conversation": conv_id, "first": offset + 1, "last": offset + limit}
    rows = page_of_messages(**page)
    files = attachments_by_message(visit, attachments_of_page(**page))
    render = text.html if return_html else text.subset
    people = people_in([conv_id])
    shown_people = participants(conversation, people, shown_once(visit))
    stranger = peer(conversation.peer or "")
    reader, read_seq = user.id, conversation.participant.read_seq
    answer: Any = {
        **thread(user, conversation, text.plain(title_of(user, conversation, people))),
        "participant_count": len(shown_people),
        "participants": shown_people,
        # Unread is what others wrote after the read mark as it was before this call.
        "list": [
            shown(
                row,
                render(whole(row)),
                shown_people.get(row.author_id, stranger),
                row.seq > read_seq and row.author_id != reader,
                files.get(row.id, []),
            )
            for row in rows
        ],
    }
    if rows and rows[-1].seq > read_seq:
        visit.afterwards(lambda: messages.read_up_to(user, conv_id, rows[-1].seq))
    return cast(Thread, answer)


@face.method(transaction="read")
def get_quote_conversation(user: User, /, conv_id: Id, msg_id: Id) -> Quote:
    """Give a message as a quote that can be put into a reply as it is.

    :param conv_id: the conversation
    :param msg_id: the message, which belongs to it
    """
    conversation = access.conversation(user, conv_id)
    message = access.message(conversation, msg_id)
    name = message.author.username if message.author else conversation.peer or ""
    quote = text.quote(whole(message), name, message.id, message.author_id or NOBODY)
    return {**YES, "text_body": quote}


@face.method()
def delete_conversation(user: User, visit: Visit, /, conv_id: Id, mode: int) -> Result:
    """Take a conversation out of this user's list.

    :param conv_id: the conversation
    :param mode: 1 hides it until the next message, 2 leaves it for good
    """
    if mode == HIDE:
        conversations.hide(access.conversation(user, conv_id).participant)
    elif mode == LEAVE:
        conversations.leave(visit.files, access.to_leave(user, conv_id))
    else:
        raise BadInput("The mode is 1 to hide a conversation or 2 to leave it.")
    return YES


@face.method()
def mark_conversation_unread(user: User, /, conv_id: Ids) -> Result:
    """Make all messages of others in these conversations unread; all of them or none.

    :param conv_id: the conversation, or several with commas between them
    """
    messages.mark_unread(access.participants(user, conv_id))
    return YES


@face.method()
def mark_conversation_read(user: User, /, conv_id: Ids | None = None) -> Result:
    """Make all messages in these conversations read; all of them or none.

    :param conv_id: the conversation, or several with commas between them; without it, every conversation
    """
    if conv_id is None:
        messages.mark_all_read(user)
    else:
        messages.mark_read(access.participants(user, conv_id))
    return YES


@face.method()
def edit_conversation(
    user: User, visit: Visit, /, conv_id: Id, subject: Text, open_invite: bool | None = None
) -> Result:
    """Change what a conversation is about; for its starter.

    :param conv_id: the conversation
    :param subject: the new subject
    :param open_invite: whether everyone in it may invite; without it that stays as it is
    """
    conversation = access.own_conversation(user, conv_id)
    conversations.edit(visit.settings, conversation, subject, open_invite)
    return YES


@face.method()
def close_conversation(user: User, /, conv_id: Id) -> Result:
    """Close a conversation, so that only its starter can say something; for its starter.

    :param conv_id: the conversation
    """
    conversations.close(access.own_conversation(user, conv_id))
    return YES


@face.method()
def open_conversation(user: User, /, conv_id: Id) -> Result:
    """Open a closed conversation again; for its starter.

    :param conv_id: the conversation
    """
    conversations.reopen(access.own_conversation(user, conv_id))
    return YES


def window(start_num: int | None, last_num: int | None) -> tuple[int, int]:
    """The protocol's first and last place, both counted from 0, as an offset and a limit."""
    start = start_num or 0
    last = start + PAGE - 1 if last_num is None else last_num
    return start, min(MOST, max(0, last - start + 1))


def people_by_conversation(ids: list[int]) -> dict[int, list[Any]]:
    people: dict[int, list[Any]] = {each: [] for each in ids}
    for row in people_in(ids):
        people[row.conversation_id].append(row)
    return people


def shown_once(visit: Visit) -> Callable[[Any], Participant]:
    """How people are shown: most in a list are in several of its conversations, and are looked at once."""
    known: dict[tuple[int, str], Participant] = {}

    def show(row: Any) -> Participant:
        key = row.id, row.status
        if key not in known:
            known[key] = participant(visit, row, row.status == LEFT)
        return known[key]

    return show


def participants(
    conversation: Any, people: list[Any], show: Callable[[Any], Participant]
) -> dict[int, Participant]:
    """Who takes or took part, by id, and the one who has no account."""
    shown_people = {row.id: show(row) for row in people}
    return {NOBODY: peer(conversation.peer), **shown_people} if conversation.peer else shown_people


def attachments_by_message(visit: Visit, rows: Iterable[Any]) -> dict[int, list[Attached]]:
    by_message = attrgetter("message_id")
    return {
        key: [attached(visit, row) for row in group]
        for key, group in groupby(sorted(rows, key=by_message), by_message)
    }


def listed(user: User, row: Any, people: list[Any], show: Callable[[Any], Participant]) -> Listed:
    may_edit = access.may_edit(user, row)
    title = text.plain(title_of(user, row, people))
    shown_people = participants(row, people, show)
    newest = row.last_sent_at or row.started_at
    item: Listed = {
        "conv_id": row.id,
        "reply_count": max(0, row.last_seq - 1),
        "participant_count": len(shown_people),
        "start_user_id": row.starter_id or NOBODY,
        "last_user_id": (row.last_author_id if row.last_seq else row.starter_id) or NOBODY,
        "last_conv_time": newest,
        "timestamp": newest,
        "start_conv_time": row.started_at,
        "conv_subject": title,
        "participants": shown_people,
        "new_post": row.unread > 0,
        "unread_num": row.unread,
        "start_timestamp": row.started_at,
        "conv_title": title,
        "total_message_num": row.last_seq,
        "short_content": text.preview(whole(row) if row.last_seq else ""),
        "is_closed": row.status == CLOSED,
        "can_invite": access.may_invite(user, row),
        "can_edit": may_edit,
        "can_close": may_edit,
        "can_upload": access.may_reply(user, row),
        "delete_mode": BOTH_MODES,
    }
    if row.invite_reason:
        item["invite_reason_text"] = text.plain(row.invite_reason)
    return item


def thread(user: User, conversation: Conversation, title: str) -> Any:
    """What an opened conversation says of itself, without its people and messages."""
    may_edit = access.may_edit(user, conversation)
    reason = conversation.participant.invite_reason
    return {
        **YES,
        "conv_id": conversation.id,
        "conv_title": title,
        "total_message_num": conversation.last_seq,
        "can_invite": access.may_invite(user, conversation),
        "can_edit": may_edit,
        "can_close": may_edit,
        "is_closed": conversation.is_closed,
        "can_upload": access.may_reply(user, conversation),
        "delete_mode": BOTH_MODES,
        **({"invite_reason_text": text.plain(reason)} if reason else {}),
    }


def shown(row: Any, content: str, author: Participant, unread: bool, attachments: list[Attached]) -> Shown:
    return {
        "msg_id": row.id,
        "msg_content": content,
        "msg_author_id": row.author_id or NOBODY,
        "is_unread": unread,
        "is_online": author["is_online"],
        "has_left": author["has_left"],
        "post_time": row.sent_at,
        "timestamp": row.sent_at,
        "new_post": unread,
        "attachments": attachments,
    }
