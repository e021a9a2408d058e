"""How something is said: statements in which every message goes through, prepared."""

from typing import Any

from peewee import Case

from .base import Prepared, slot
from .conversations import ACTIVE, HIDDEN, TOLD, Conversation, Message, Participant


def _next_seq() -> Any:
    return (
        Conversation.update(last_seq=Conversation.last_seq + 1)
        .where(Conversation.id == slot("conversation"))
        .returning(Conversation.last_seq)
    )


WORDS = (
    Message.conversation,
    Message.seq,
    Message.author,
    Message.kind,
    Message.body,
    Message.image_url,
    Message.link_url,
    Message.client_id,
    Message.sent_at,
)


def _say() -> Any:
    return Message.insert({field: slot(field.name, field) for field in WORDS}).returning(Message.id)


def _tell() -> Any:
    """Let all who are told know of the newest message; who has hidden the conversation sees it again."""
    is_told = Participant.newest_id.is_null(False)
    back = Case(Participant.status, [(HIDDEN, ACTIVE)], Participant.status)
    return Participant.update(
        last_seq=Case(None, [(is_told, slot("seq"))]),
        newest_id=Case(None, [(is_told, slot("message"))]),
        status=back,
    ).where(Participant.conversation == slot("conversation"), TOLD)


def _read_own() -> Any:
    return Participant.update(
        read_seq=slot("seq"), own_unread=0, read_at=slot("moment", Participant.read_at)
    ).where(Participant.conversation == slot("conversation"), Participant.user == slot("author"))


next_seq = Prepared(_next_seq)
_say_prepared = Prepared(_say)
tell = Prepared(_tell)
read_own = Prepared(_read_own)


def store_message(message: Message) -> None:
    """Store a message, which has its place, and give it its id."""
    values = {field.name: message.__data__[field.name] for field in WORDS}
    message.id = _say_prepared.one(**values).id
