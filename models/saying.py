"""How something is said: statements in which every message goes through, prepared."""

from typing import Any

from peewee import Case

from .base import Prepared, now, slot
from .conversations import ACTIVE, HIDDEN, TOLD, Conversation, Message, Participant


def _next_seq() -> Any:
    return (
        Conversation.update(last_seq=Conversation.last_seq + 1)
        .where(Conversation.id == slot("conversation"))
        .returning(Conversation.last_seq)
    )


def _say() -> Any:
    values = {
        Message.conversation: slot("conversation"),
        Message.seq: slot("seq"),
        Message.author: slot("author"),
        Message.kind: slot("kind"),
        Message.body: slot("body", Message.body),
        Message.image_url: slot("image_url"),
        Message.link_url: slot("link_url"),
        Message.client_id: slot("client_id", Message.client_id),
        Message.sent_at: slot("sent_at", Message.sent_at),
    }
    return Message.insert(values).returning(Message.id)


def _told() -> Any:
    """Let all who are told know of the newest message; who has hidden the conversation sees it again.

    The reader's mark moves along, so that his place is not counted as unread in between.
    """
    is_told = Participant.newest_id.is_null(False)
    is_reader = Participant.user == slot("reader")
    return Participant.update(
        last_seq=Case(None, [(is_told, slot("seq"))]),
        newest_id=Case(None, [(is_told, slot("message"))]),
        status=Case(Participant.status, [(HIDDEN, ACTIVE)], Participant.status),
        read_seq=Case(None, [(is_reader, slot("seq"))], Participant.read_seq),
        own_unread=Case(None, [(is_reader, 0)], Participant.own_unread),
        read_at=Case(None, [(is_reader, slot("moment", Participant.read_at))], Participant.read_at),
    ).where(Participant.conversation == slot("conversation"), TOLD)


def _read_in_crowd() -> Any:
    return Participant.update(
        read_seq=slot("seq"), own_unread=0, read_at=slot("moment", Participant.read_at)
    ).where(
        Participant.conversation == slot("conversation"),
        Participant.user == slot("reader"),
        Participant.newest_id.is_null(),
    )


next_seq = Prepared(_next_seq)
_store = Prepared(_say)
_tell = Prepared(_told)
_read_untold = Prepared(_read_in_crowd)
WORDS = [field.name for field in Message._meta.sorted_fields[1:]]


def store_message(**values: Any) -> Message:
    """Store a message, which has its place; what it says stays here as it was given."""
    values["sent_at"] = now()
    stored = _store.one(**values)
    return Message.of_row([stored.id, *map(values.__getitem__, WORDS)])


def tell(message: Message, reader: int | None, is_told: bool) -> None:
    """Let everyone who is told know of the conversation's newest message; the *reader* has read it.

    :param is_told: whether he is known to be told himself, which needs no look at his row
    """
    place = {"conversation": message.conversation_id, "seq": message.seq, "moment": message.sent_at}
    _tell.do(message=message.id, reader=reader, **place)
    if reader is not None and not is_told:
        _read_untold.do(reader=reader, **place)
