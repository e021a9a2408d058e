"""Direct chats between two: accepted, declined, and talked in."""

from typing import Any

from models import (
    ACTIVE,
    ASKED,
    CHAT,
    DECLINED,
    HIDDEN,
    LEFT,
    OPEN,
    PENDING,
    Conversation,
    Message,
    Participant,
    User,
    ignores,
    newest_id,
    others_in,
)

from ..config import Settings
from ..errors import Conflict, NotAllowed
from . import events


def check_wanted(user: User, other: Any) -> None:
    """Refuse, without a word of the reason, what *other* does not want to hear."""
    if ignores.one(user=other.id, ignored=user.id) or other.disabled_at or not other.takes_messages:
        raise NotAllowed("This user does not take messages.", "CANNOT_MESSAGE")


def activate(chat: Conversation) -> None:
    """Let a chat that was asked for be one that both see, also who asked and has hidden or left it since."""
    if chat.status not in (PENDING, DECLINED):
        return
    chat.status = OPEN
    Conversation.update(status=OPEN).where(Conversation.id == chat.id).execute()
    places = Participant.conversation == chat
    Participant.update(kind=CHAT).where(places).execute()
    Participant.update(status=ACTIVE).where(places, Participant.status == ASKED).execute()
    Participant.update(status=ACTIVE, last_seq=chat.last_seq, newest_id=newest_id(chat)).where(
        places, Participant.status.in_([HIDDEN, LEFT])
    ).execute()
    events.accepted(chat)


def check_asked(user: User, chat: Conversation) -> None:
    if chat.app != CHAT or chat.starter_id == user.id:
        raise NotAllowed("Only who was asked can say yes or no.", "NOT_RECIPIENT")


def accept(user: User, chat: Conversation) -> None:
    """Say yes to a chat, also after a no."""
    check_asked(user, chat)
    activate(chat)


def decline(user: User, chat: Conversation) -> None:
    """Say no to a chat, of which whoever asked is not told."""
    check_asked(user, chat)
    if chat.status not in (PENDING, DECLINED):
        raise Conflict("This chat has been accepted already.", "ALREADY_ACTIVE")
    if chat.status != DECLINED:
        chat.status = DECLINED
        chat.save()
        Participant.update(kind=DECLINED).where(Participant.conversation == chat).execute()
        events.declined(chat, user)


def check_say(settings: Settings, author: User, chat: Conversation) -> None:
    """Let *author* say something: what the one who was asked says accepts, and the other has to wait."""
    is_waiting = chat.status != OPEN and chat.starter_id == author.id
    others = others_in(conversation=chat.id, user=author.id)
    for other in others:
        check_wanted(author, other)
    if not is_waiting:
        activate(chat)
        return
    sent = Message.select().where(Message.conversation == chat, Message.author == author).count()
    if chat.status == DECLINED or sent >= settings.pending_messages:
        raise NotAllowed("This chat has not been accepted yet.", "REQUEST_PENDING")
    for other in others:
        # The request has a message now, which he hears of only so.
        events.request(chat, other)
