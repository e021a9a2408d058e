"""Asking somebody for a direct chat, and taking that back."""

from models import ACTIVE, ASKED, CHAT, HIDDEN, LEFT, PENDING, Conversation, Participant, User, newest_id

from ..config import Settings
from ..errors import BadInput, Conflict, NotAllowed
from ..files import Files
from . import chats, conversations, events, limits


def request(settings: Settings, user: User, other: User) -> tuple[Conversation, bool]:
    """The chat of *user* with *other*, and whether it was asked for now; who was asked himself accepts."""
    if other.id == user.id:
        raise BadInput("You cannot chat with yourself.", "SELF_CHAT")
    first, second = sorted([user.id, other.id])
    pair = f"{CHAT} {first} and {second}"
    known = Conversation.get_or_none(Conversation.pair == pair)
    if known is None:
        chats.check_wanted(user, other)
        limits.conversation(settings, user)
        known, is_made = begin(user, other, pair)
        if is_made:
            return known, True
    if known.starter_id != user.id:
        chats.activate(known)
    see_again(known, user)
    return known, False


def see_again(chat: Conversation, user: User) -> None:
    """Let *user*, who has hidden or left the chat, see it again because he asks for it."""
    away = Participant.update(status=ACTIVE, last_seq=chat.last_seq, newest_id=newest_id(chat)).where(
        Participant.conversation == chat,
        Participant.user == user,
        Participant.status.in_([HIDDEN, LEFT]),
    )
    if away.execute():
        events.changed([user.id])


def begin(user: User, other: User, pair: str) -> tuple[Conversation, bool]:
    """A pending chat; where both ask at one moment it is made once."""
    made = (
        Conversation.insert(app=CHAT, subject="", starter=user, pair=pair, status=PENDING)
        .on_conflict_ignore()
        .returning(Conversation.id)
        .execute()
    )
    is_made = bool(list(made))
    chat = Conversation.get(Conversation.pair == pair)
    if is_made:
        conversations.add(chat, [user, other])
        of_other = (Participant.conversation == chat) & (Participant.user == other)
        Participant.update(status=ASKED).where(of_other).execute()
        events.request(chat, other)
    return chat, is_made


def withdraw(files: Files, user: User, chat: Conversation) -> None:
    """Take a request back as if it had never been made."""
    if chat.app != CHAT or chat.starter_id != user.id:
        raise NotAllowed("Only who has asked can take it back.", "NOT_SENDER")
    if chat.status != PENDING:
        raise Conflict("This chat is no longer a pending request.", "NOT_PENDING")
    conversations.erase(files, chat.id)
