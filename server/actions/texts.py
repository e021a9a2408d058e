"""Text messages: from a number, or a name without an account, to a player."""

from models import MESSAGES, Contact, Conversation, Message, User

from ..config import Settings
from ..errors import BadInput, NotAllowed
from . import conversations, messages, parties
from .parties import Party


def send(settings: Settings, receiver: User, sender: Party, body: str) -> tuple[Conversation, Message]:
    """Say something to the *receiver* in the conversation that the two have, which is made if need be."""
    if sender.user is not None and sender.user.disabled_at:
        raise NotAllowed("This user is disabled.")
    if sender.user is not None and sender.user.id == receiver.id:
        raise BadInput("A number cannot text itself.")
    messages.check_body(settings, body, [])
    if parties.blocks(receiver, sender):
        raise NotAllowed("The receiver has blocked this number.")
    conversation = between(sender, receiver)
    return conversation, messages.send(sender.user, conversation, body, [])


def between(sender: Party, receiver: User) -> Conversation:
    """The conversation of the two; of two that are begun at one moment the store keeps one."""
    pair = pair_of(sender, receiver)
    known: Conversation | None = Conversation.get_or_none(Conversation.pair == pair)
    if known is not None:
        return known
    if sender.user is not None:
        conversations.check_takers([receiver])
    peer = None if sender.user else sender.number
    made = (
        Conversation.insert(app=MESSAGES, subject="", starter=sender.user, pair=pair, peer=peer)
        .on_conflict_ignore()
        .returning(Conversation.id)
        .execute()
    )
    conversation: Conversation = Conversation.get(Conversation.pair == pair)
    if list(made):
        conversations.add(conversation, [receiver, *([sender.user] if sender.user else [])])
    return conversation


def pair_of(sender: Party, receiver: User) -> str:
    """What names the two, whoever of them writes first."""
    if sender.user is None:
        return f"{MESSAGES} {receiver.id} from {sender.key}"
    first, second = sorted([sender.user.id, receiver.id])
    return f"{MESSAGES} {first} and {second}"


def name_for(receiver: User, sender: Party) -> str | None:
    """What the sender is called in the receiver's phone book, if he stands there."""
    contact = Contact.get_or_none(Contact.owner == receiver, Contact.key == sender.key)
    return contact.name if contact else None
