"""Conversations, who takes part in them, what was said, and what was attached."""

import functools
from collections.abc import Iterator
from typing import Any

from peewee import (
    JOIN,
    BooleanField,
    CharField,
    Check,
    ForeignKeyField,
    IntegerField,
    TextField,
    fn,
)

from .base import MomentField, Prepared, Table, is_sqlite, now, slot
from .cleaning import CleanName, CleanText
from .users import User

ACTIVE, HIDDEN, LEFT, IGNORING = "active", "hidden", "left", "ignoring"
# Those who are in a conversation, whether they see it or not.
THERE = [ACTIVE, HIDDEN]
OPEN, CLOSED = "active", "closed"
FORUM, DARKCHAT, MESSAGES = "forum", "darkchat", "messages"
SAID, JOINED, GONE, REMOVED = "text", "joined", "left", "removed"


class Conversation(Table):
    """A thread of messages among participants. *last_seq* is the place of its newest message.

    *app*: where it comes from, ``forum``, ``darkchat`` (a room, into which a *join_code* lets) or
    ``messages`` (the texts between two, whom *pair* names; one who has no account is known as *peer*,
    and where he has begun it there is no *starter*).

    One that was fetched for a user has that user's own row among its participants as *participant*.
    """

    starter_id: int | None
    participants: Any
    participant: "Participant"

    app = CharField()
    subject = CleanText()
    status = CharField(default=OPEN)
    open_invite = BooleanField(default=False)
    starter = ForeignKeyField(User, null=True)
    started_at = MomentField(default=now)
    last_seq = IntegerField(default=0)
    join_code = CharField(null=True, unique=True)
    pair = TextField(null=True, unique=True)
    peer = CleanName(null=True)

    @classmethod
    def visible_to(cls, user: User) -> Any:
        """The conversations in which *user* is active: the whole of the permission to read."""
        return cls.of(user).where(Participant.status == ACTIVE)

    @classmethod
    def rooms_of(cls, user: User) -> Any:
        """The rooms that *user* is in; a phone shows those too that he has hidden on the forum."""
        return cls.of(user).where(Participant.status.in_(THERE), cls.app == DARKCHAT)

    @classmethod
    def of(cls, user: User) -> Any:
        """The conversations in which *user* takes or took part, each with his own place in it."""
        return (
            cls.select(cls, Participant).join(Participant, attr="participant").where(Participant.user == user)
        )

    @property
    def is_closed(self) -> bool:
        return self.status == CLOSED

    @property
    def is_direct(self) -> bool:
        """Whether it is between two, so that each sees it under the other's name."""
        return is_direct(self.app)


def hold(conversation_id: int) -> Conversation:
    """The conversation, in which nobody else comes, goes or says anything until this transaction ends."""
    query = Conversation.select().where(Conversation.id == conversation_id)
    # SQLite has only one transaction that writes.
    held: Conversation = (query if is_sqlite() else query.for_update()).get()
    return held


def is_direct(app: str) -> bool:
    return app == MESSAGES


class Participant(Table):
    """A user's place in a conversation, with his read mark.

    *status*: ``active``; ``hidden`` until the next message; ``left`` for good; ``ignoring``, that is
    invited by somebody whom he ignores, so that he never sees it.
    *last_seq* and *newest_id* are the place and the id of the conversation's newest message, or 0 and the
    newest id there was when it began; they stand here as well so that listing and counting touch nothing
    but a user's own rows. *read_seq* is the read mark, *own_unread* the number of his own messages behind
    it. What is unread: ``UNREAD`` below.
    """

    conversation_id: int
    user_id: int

    conversation = ForeignKeyField(Conversation, backref="participants", on_delete="CASCADE", index=False)
    user = ForeignKeyField(User, index=False)
    status = CharField(default=ACTIVE)
    last_seq = IntegerField(default=0)
    newest_id = IntegerField(default=0)
    read_seq = IntegerField(default=0)
    own_unread = IntegerField(default=0)
    inviter = ForeignKeyField(User, null=True, index=False)
    invite_reason = CleanText(default="")

    class Meta:
        indexes = ((("conversation", "user"), True), (("user", "status", "newest_id"), False))
        constraints = [
            Check("read_seq >= 0 AND own_unread >= 0 AND read_seq + own_unread <= last_seq"),
            Check(f"status IN ('{ACTIVE}', '{HIDDEN}', '{LEFT}', '{IGNORING}')"),
        ]

    @classmethod
    def of(cls, user: User) -> Any:
        """The places of *user* in conversations that he sees."""
        return cls.select().where(cls.user == user, cls.status == ACTIVE)


class Message(Table):
    """One thing said. *seq* runs 1, 2, 3, … in a conversation and is its order.

    Without an *author* it comes from the conversation's peer. *kind*: ``text``, or what has become of the
    author in a room, in words: ``joined``, ``left``, ``removed``.
    """

    author_id: int | None

    conversation = ForeignKeyField(Conversation, on_delete="CASCADE", index=False)
    seq = IntegerField()
    author = ForeignKeyField(User, null=True, index=False)
    kind = CharField(default=SAID)
    body = CleanText()
    sent_at = MomentField(default=now)

    class Meta:
        indexes = ((("conversation", "seq"), True), (("conversation", "author", "seq"), False))
        constraints = [
            Check("seq > 0"),
            Check(f"kind IN ('{SAID}', '{JOINED}', '{GONE}', '{REMOVED}')"),
        ]


class UploadGroup(Table):
    """Uploads that one message will carry; *key* is what the client calls it."""

    attachments: Any

    key = CharField(unique=True)
    uploader = ForeignKeyField(User)
    started_at = MomentField(default=now, index=True)


class Attachment(Table):
    """An uploaded file; without a *message* until it is sent. *file* and *thumbnail* name stored files."""

    group_id: int

    group = ForeignKeyField(UploadGroup, backref="attachments", on_delete="CASCADE")
    message = ForeignKeyField(Message, on_delete="CASCADE", null=True)
    filename = CleanName()
    extension = CharField()
    size = IntegerField()
    file = CharField()
    thumbnail = CharField(default="")
    uploaded_at = MomentField(default=now)

    @property
    def stored(self) -> list[str]:
        """The names of the stored files that belong to it."""
        return [name for name in (self.file, self.thumbnail) if name]

    @classmethod
    def waiting(cls, user: User) -> Any:
        """What *user* has uploaded and not yet sent, in the order of the uploads."""
        return (
            cls.select(cls, UploadGroup)
            .join(UploadGroup)
            .where(UploadGroup.uploader == user, cls.message.is_null())
            .order_by(cls.id)
        )

    @classmethod
    def visible_to(cls, user: User) -> Any:
        """What *user* may download: his own waiting uploads, and what is in conversations that he sees."""
        seen = (
            Participant.select(Participant.id)
            .join(Message, on=(Message.conversation == Participant.conversation))
            .where(Message.id == cls.message, Participant.user == user, Participant.status == ACTIVE)
        )
        own = (UploadGroup.uploader == user) & cls.message.is_null()
        return cls.select().join(UploadGroup).where(own | fn.EXISTS(seen))


def stored_files() -> Iterator[tuple[str, int, str]]:
    """Every stored file that the store names, with what names it: its table, its id, the file."""
    for attachment in Attachment.select().iterator():
        yield from (("attachment", attachment.id, name) for name in attachment.stored)
    for user in User.select().where(User.avatar != "").iterator():
        yield "account", user.id, user.avatar


UNREAD = Participant.last_seq - Participant.read_seq - Participant.own_unread
Participant.add_index(Participant.user, Participant.status, UNREAD, name="participant_unread")


def _unread_conversations() -> Any:
    return Participant.select(fn.COUNT(Participant.id).alias("number")).where(
        Participant.user == slot("user"), Participant.status == ACTIVE, UNREAD > 0
    )


def _conversations_of() -> Any:
    return Participant.select(fn.COUNT(Participant.id).alias("number")).where(
        Participant.user == slot("user"), Participant.status == ACTIVE
    )


def _places() -> Any:
    """What a user's list of conversations says of each, read from his own places in them."""
    return (
        Participant.select(
            Participant.conversation.alias("id"),
            Conversation.subject,
            Conversation.app,
            Conversation.status,
            Conversation.open_invite,
            Conversation.starter,
            Conversation.started_at,
            Conversation.last_seq,
            UNREAD.alias("unread"),
            Participant.invite_reason,
            Conversation.peer,
            Conversation.join_code,
            Message.author.alias("last_author_id"),
            Message.sent_at.alias("last_sent_at"),
            Message.body.alias("last_body"),
        )
        .join(Conversation)
        .join(
            Message,
            JOIN.LEFT_OUTER,
            on=(Message.id == Participant.newest_id) & (Message.conversation == Conversation.id),
        )
        .where(Participant.user == slot("user"))
    )


def _page(places: Any) -> Any:
    return (
        places.order_by(Participant.newest_id.desc(), Participant.conversation.desc())
        .limit(slot("limit"))
        .offset(slot("offset"))
    )


def _page_of_conversations() -> Any:
    return _page(_places().where(Participant.status == ACTIVE))


def _page_of_rooms() -> Any:
    return _page(_places().where(Participant.status.in_(THERE), Conversation.app == DARKCHAT))


def _place_in() -> Any:
    return _places().where(Participant.conversation == slot("conversation"))


def _page_of_messages() -> Any:
    return (
        Message.select(
            Message.id,
            Message.seq,
            Message.author,
            Message.kind,
            Message.body,
            Message.sent_at,
            User.seen_at,
            User.display_name,
            User.number,
            Participant.status,
        )
        .join(User, JOIN.LEFT_OUTER)
        .join(
            Participant,
            JOIN.LEFT_OUTER,
            on=(Participant.conversation == Message.conversation) & (Participant.user == Message.author),
        )
        .where(Message.conversation == slot("conversation"), Message.seq.between(slot("first"), slot("last")))
        .order_by(Message.seq)
    )


def _attachments_of_page() -> Any:
    return (
        Attachment.select(
            Attachment.id,
            Attachment.message,
            Attachment.filename,
            Attachment.extension,
            Attachment.size,
            Attachment.thumbnail,
        )
        .join(Message)
        .where(Message.conversation == slot("conversation"), Message.seq.between(slot("first"), slot("last")))
        .order_by(Attachment.id)
    )


unread_conversations = Prepared(_unread_conversations)
conversations_of = Prepared(_conversations_of)
page_of_conversations = Prepared(_page_of_conversations)
page_of_rooms = Prepared(_page_of_rooms)
place_in = Prepared(_place_in)
page_of_messages = Prepared(_page_of_messages)
attachments_of_page = Prepared(_attachments_of_page)


@functools.cache
def _people(conversations: int) -> Prepared:
    places = [slot(f"conversation{number}") for number in range(conversations)]
    return Prepared(
        lambda: (
            Participant.select(
                Participant.conversation,
                Participant.status,
                User.id,
                User.username,
                User.display_name,
                User.number,
                User.avatar,
                User.seen_at,
                User.is_admin,
                User.disabled_at,
            )
            .join(User, on=(Participant.user == User.id))
            .where(Participant.conversation.in_(places))
            .order_by(Participant.id)
        )
    )


def people_in(conversation_ids: list[int]) -> list[Any]:
    """Everyone who takes or took part in these conversations, in the order in which they came."""
    if not conversation_ids:
        return []
    values = {f"conversation{number}": each for number, each in enumerate(conversation_ids)}
    return _people(len(conversation_ids))(**values)


RECENT = 200


def people_met(user: User) -> Any:
    """Those with whom *user* talks, by the newest message of a conversation they share."""
    mine = (
        Participant.of(user)
        .select(Participant.conversation, Participant.newest_id)
        .order_by(Participant.newest_id.desc())
        .limit(RECENT)
        .alias("mine")
    )
    return (
        User.enabled()
        .join(Participant, on=(Participant.user == User.id))
        .join(mine, on=(mine.c.conversation_id == Participant.conversation))
        .where(User.id != user.id)
        .group_by(User.id)
        .order_by(fn.MAX(mine.c.newest_id).desc(), User.id)
    )
