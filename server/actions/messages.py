"""Saying things in conversations, and keeping track of what has been read."""

from dataclasses import dataclass
from typing import Any

from peewee import fn

from models import (
    ACTIVE,
    CHAT,
    GONE,
    JOINED,
    MESSAGES,
    REMOVED,
    SAID,
    Attachment,
    Conversation,
    Message,
    Participant,
    User,
    next_seq,
    now,
    others_in,
    store_message,
    tell,
)

from .. import text
from ..config import Settings
from ..errors import BadInput, Conflict, NotAllowed
from . import access, chats, events, limits, parties
from .contacts import is_web_address

LONGEST_URL = 2048

# How a room's history tells of its people.
NOTES = {
    JOINED: "{} joined the room.",
    GONE: "{} left the room.",
    REMOVED: "{} was removed from the room.",
}


@dataclass(frozen=True)
class Extras:
    """What may come with a message: addresses of a picture and a page, and its sender's own id for it."""

    image_url: str = ""
    link_url: str = ""
    client_id: str | None = None


def reply(
    settings: Settings,
    author: User,
    conversation: Conversation,
    body: str,
    uploads: list[Attachment],
    extras: Extras = Extras(),
) -> Message:
    """Say something, as often as one user may."""
    limits.message(settings, author)
    return say(settings, author, conversation, body, uploads, extras)


def say(
    settings: Settings,
    author: User,
    conversation: Conversation,
    body: str,
    uploads: list[Attachment],
    extras: Extras = Extras(),
) -> Message:
    """Add a message from *author*, who is known to be in the conversation."""
    if not access.may_reply(author, conversation):
        raise NotAllowed("You do not have permission to reply to this conversation.", "CONVERSATION_CLOSED")
    check_body(settings, body, uploads, extras)
    if conversation.app == MESSAGES:
        check_wanted(author, conversation)
    elif conversation.app == CHAT:
        chats.check_say(settings, author, conversation)
    return send(author, conversation, body, uploads, extras)


def check_wanted(author: User, conversation: Conversation) -> None:
    """Refuse what the other side of a text conversation has blocked."""
    sender = parties.Party(author.number or "", author.digits or "", author)
    others = others_in(conversation=conversation.id, user=author.id)
    if any(parties.blocks(other, sender) for other in others):
        raise NotAllowed("The receiver has blocked this number.")


def check_body(settings: Settings, body: str, uploads: list[Attachment], extras: Extras = Extras()) -> None:
    if len(body) > settings.max_body:
        raise BadInput(f"A message may have at most {settings.max_body} characters.")
    if text.is_blank(body) and not (extras.image_url or extras.link_url):
        raise BadInput("Please enter a message.", "EMPTY_MESSAGE")
    for url in filter(None, (extras.image_url, extras.link_url)):
        if len(url) > LONGEST_URL or not is_web_address(url):
            raise BadInput(f"An address begins with http or https and has at most {LONGEST_URL} characters.")
    if len(uploads) > settings.max_attachments:
        raise BadInput(f"A message may have at most {settings.max_attachments} attachments.")


def send(
    author: User | None,
    conversation: Conversation,
    body: str,
    uploads: list[Attachment],
    extras: Extras = Extras(),
) -> Message:
    """Put what *author* says at the next place; without one it comes from the conversation's peer."""
    message = append(conversation, author, SAID, body, extras, reader=author)
    attach(message, uploads)
    return message


def append(
    conversation: Conversation,
    author: User | None,
    kind: str,
    body: str,
    extras: Extras = Extras(),
    reader: User | None = None,
) -> Message:
    """Put a message at the next place; it brings the conversation back for those who have hidden it.

    :param reader: who has read it, and all before it
    """
    conversation.last_seq = seq = take_seq(conversation)
    message = store_message(
        conversation=conversation.id,
        seq=seq,
        author=author and author.id,
        kind=kind,
        body=body,
        image_url=extras.image_url,
        link_url=extras.link_url,
        client_id=extras.client_id,
    )
    tell(message, reader.id if reader else None, is_told(conversation))
    events.message(message)
    return message


def is_told(conversation: Conversation) -> bool:
    """Whether it came with the place of whoever asks, and he is told of every message in it."""
    place: Participant | None = conversation.__dict__.get("participant")
    return place is not None and place.newest_id is not None


def note(room: Conversation, user: User, kind: str) -> None:
    """Keep in the room's history what has become of *user*; to himself it is no news."""
    append(room, user, kind, NOTES[kind].format(text.unmarked(user.display_name)))
    Participant.update(own_unread=Participant.own_unread + 1).where(
        Participant.conversation == room, Participant.user == user, Participant.status == ACTIVE
    ).execute()


def attach(message: Message, uploads: list[Attachment]) -> None:
    """Let the message carry *uploads*, none of which another message has taken meanwhile."""
    if not uploads:
        return
    waiting = Attachment.id.in_([each.id for each in uploads]) & Attachment.message.is_null()
    if Attachment.update(message=message).where(waiting).execute() != len(uploads):
        raise Conflict("An attachment has been sent already.")


def take_seq(conversation: Conversation) -> int:
    """Take the conversation's next place, which holds its row to the end: order is commit order."""
    return int(next_seq.one(conversation=conversation.id).last_seq)


def read_up_to(user: User, conversation_id: int, seq: int) -> None:
    """Move the user's read mark on to *seq*, never back."""
    participant = (
        Participant.of(user)
        .where(Participant.conversation == conversation_id, Participant.read_seq < seq)
        .first()
    )
    if participant is not None:
        participant.own_unread = count_own_after(participant, seq) if participant.own_unread else 0
        participant.read_seq, participant.read_at = seq, now()
        participant.save()
        events.read(user, conversation_id)


def count_own_after(participant: Participant, seq: int) -> int:
    """How many of the user's own messages stand after *seq*, which do not count as unread."""
    return int(
        Message.select()
        .where(
            Message.conversation == participant.conversation_id,
            Message.author == participant.user_id,
            Message.seq > seq,
        )
        .count()
    )


def mark_read(participants: list[Participant]) -> None:
    move_to_end(Participant.id.in_([participant.id for participant in participants]))


def mark_all_read(user: User) -> None:
    move_to_end((Participant.user == user) & (Participant.status == ACTIVE))


def move_to_end(which: Any) -> None:
    """Move the read marks of the places that fit *which* to the newest message."""
    newest = Conversation.select(Conversation.last_seq).where(Conversation.id == Participant.conversation)
    behind = which & (Participant.read_seq < newest)
    events.reads(behind)
    Participant.update(read_seq=newest, own_unread=0, read_at=now()).where(behind).execute()


def mark_unread(participants: list[Participant]) -> None:
    """Make all that others have said unread again."""
    own = Message.select(fn.COUNT(Message.id)).where(
        Message.conversation == Participant.conversation, Message.author == Participant.user
    )
    which = Participant.id.in_([participant.id for participant in participants])
    events.reads(which & (Participant.read_seq > 0))
    Participant.update(read_seq=0, own_unread=own, read_at=None).where(which).execute()
