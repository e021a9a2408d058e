"""Keeping what has happened, for those who listen."""

from models import ACCEPTED, CALL, DECLINED, MESSAGE, READ, REQUEST, Conversation, Event, Message, User


def message(said: Message) -> None:
    """Something was said, to everyone in its conversation."""
    Event.create(kind=MESSAGE, conversation=said.conversation_id, ref=said.id)


def request(chat: Conversation, receiver: User) -> None:
    """Somebody wants to chat with *receiver*."""
    Event.create(kind=REQUEST, conversation=chat, user=receiver)


def accepted(chat: Conversation) -> None:
    """A request was accepted, which concerns both."""
    Event.create(kind=ACCEPTED, conversation=chat)


def declined(chat: Conversation, receiver: User) -> None:
    """A request was declined; whoever made it is not told."""
    Event.create(kind=DECLINED, conversation=chat, user=receiver)


def read(user: User, conversation_id: int) -> None:
    """*user* has moved his read mark, as his other devices want to know."""
    Event.create(kind=READ, conversation=conversation_id, user=user)


def call(call_id: int, sides: list[int]) -> None:
    """A call has begun, was answered or has ended, which concerns the users on its sides."""
    for side in sides:
        Event.create(kind=CALL, user=side, ref=call_id)
