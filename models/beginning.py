"""How conversations are begun and entered: statements that are prepared."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from peewee import Case, fn

from .base import Prepared, slot
from .conversations import ACTIVE, IGNORING, TOLD, Conversation, Message, Participant
from .users import IgnoredUser, User

COLUMNS = [field for field in Conversation._meta.sorted_fields if field.name != "id"]


def _store() -> Any:
    return Conversation.insert({field: slot(field.name, field) for field in COLUMNS}).returning(
        Conversation.id
    )


def _newest_of_all() -> Any:
    return Message.select(fn.MAX(Message.id).alias("id"))


def _newest_of() -> Any:
    """The newest message of a conversation, in which something has been said."""
    return Message.select(Message.id).where(
        Message.conversation == slot("conversation"), Message.seq == slot("seq")
    )


def _entering(number: int) -> Prepared:
    """Let so many users into a conversation; who ignores the inviter is there without seeing it."""

    def entering(user: Any) -> dict[Any, Any]:
        ignored = IgnoredUser.select(IgnoredUser.id).where(
            IgnoredUser.user == user, IgnoredUser.ignored == slot("inviter")
        )
        return {
            Participant.conversation: slot("conversation"),
            Participant.user: user,
            Participant.kind: slot("kind"),
            Participant.status: Case(None, [(fn.EXISTS(ignored), IGNORING)], ACTIVE),
            Participant.last_seq: slot("seq"),
            Participant.newest_id: slot("newest"),
            Participant.read_seq: 0,
            Participant.own_unread: 0,
            Participant.inviter: slot("inviter"),
            Participant.invite_reason: slot("reason", Participant.invite_reason),
        }

    return Prepared(
        lambda: Participant.insert_many([entering(slot(f"user{place}")) for place in range(number)])
    )


def _told() -> Any:
    """How many are told of every message."""
    return Participant.select(fn.COUNT(Participant.newest_id).alias("number")).where(
        Participant.conversation == slot("conversation"), TOLD
    )


_stored = Prepared(_store)
# So many enter by one statement, the most first; few sizes, so that few are built.
_entering_by = {number: _entering(number) for number in (20, 5, 1)}
_newest_message = Prepared(_newest_of_all)
_newest_message_of = Prepared(_newest_of)
told_in = Prepared(_told)


def store_conversation(conversation: Conversation) -> None:
    """Store a conversation, and give it its id."""
    values = {field.name: conversation.__data__.get(field.name) for field in COLUMNS}
    conversation.id = _stored.one(**values).id


def newest_id(conversation: Conversation) -> int:
    """The id of the newest message, and of the newest of all where nothing has been said yet."""
    if conversation.last_seq:
        return int(_newest_message_of.one(conversation=conversation.id, seq=conversation.last_seq).id)
    return _newest_message.one().id or 0


def enter(conversation: Conversation, users: Sequence[User], inviter: User | None, reason: str) -> None:
    """Make *users* participants, to whom all that was said before is unread."""
    place = {
        "conversation": conversation.id,
        "kind": conversation.kind,
        "seq": conversation.last_seq,
        "newest": newest_id(conversation),
        "inviter": inviter and inviter.id,
        "reason": reason,
    }
    waiting = deque(user.id for user in users)
    for number, entering in _entering_by.items():
        while len(waiting) >= number:
            entering.do(**place, **{f"user{each}": waiting.popleft() for each in range(number)})
