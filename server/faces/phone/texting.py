"""Text messages to a player."""

from typing import NotRequired, TypedDict

from models import User

from ...actions import parties, texts
from ...visits import Visit
from ...wire.types import Seconds
from .door import Said, for_player, said

SYSTEM = "System"
AVATAR = "default"


class TextConversation(TypedDict):
    conversationId: int
    name: str
    avatar: str
    participants: list[str]
    isGroup: bool
    createdAt: Seconds


class Sent(TypedDict):
    success: bool
    message: NotRequired[Said]
    conversation: NotRequired[TextConversation]


@for_player("Messages_SendMessageTo", once=True)
def send_message(visit: Visit, /, player: User, message: str, sender: str = SYSTEM) -> Sent:
    """Send a text message to a player, in the conversation that he and the sender have.

    :param player: who gets it
    :param message: what to say
    :param sender: the number of the one who says it, or any name; "System" where it is left out
    """
    author = parties.named(sender)
    conversation, sent = texts.send(visit.settings, player, author, message)
    shown = conversation.peer or author.number
    return {
        "success": True,
        "message": said(sent, shown),
        "conversation": {
            "conversationId": conversation.id,
            "name": texts.name_for(player, author) or shown,
            "avatar": AVATAR,
            "participants": [player.number or player.display_name, shown],
            "isGroup": False,
            "createdAt": conversation.started_at,
        },
    }
