"""Conversations, who takes part in them, what was said, and what was attached."""

from collections.abc import Iterator
from typing import Any

from peewee import (
    SQL,
    BooleanField,
    Check,
    ForeignKeyField,
    IntegerField,
    TextField,
    fn,
)

from .base import CharField, MomentField, Own, Table, database, now
from .cleaning import CleanName, CleanText
from .users import User

ACTIVE, HIDDEN, LEFT, IGNORING, ASKED = "active", "hidden", "left", "ignoring", "asked"
# Those who are in a conversation, whether they see it or not.
THERE = (ACTIVE, HIDDEN)
OPEN, CLOSED, PENDING, DECLINED = "active", "closed", "pending", "declined"
FORUM, DARKCHAT, MESSAGES, CHAT = "forum", "darkchat", "messages", "chat"
DIRECT = (MESSAGES, CHAT)
# What conversations are to those in them: of an app, or a chat that is asked for.
APPS, REQUESTS = (FORUM, DARKCHAT, MESSAGES, CHAT), (PENDING, DECLINED)
KINDS = APPS + REQUESTS
SAID, JOINED, GONE, REMOVED = "text", "joined", "left", "removed"


class Conversation(Table):
    """A thread of messages among participants. *last_seq* is the place of its newest message.

    *app*: where it comes from, ``forum``, ``darkchat`` (a room, into which a *join_code* lets), ``chat`` or
    ``messages`` (what two say to each other, whom *pair* names; one who has no account is known as *peer*,
    and where he has begun it there is no *starter*). *status*: ``active``; ``closed``, so that only its
    starter can say something, and nobody in what is between two, of whom one has left it; a chat may be
    ``pending``, that is not yet accepted, or ``declined``.

    One that was fetched for a user has that user's own row among its participants as *participant*.
    """

    starter_id: int | None
    participants: Any
    participant: "Participant"

    app = CharField()
    subject = CleanText()
    status = CharField(default=OPEN)
    open_invite = BooleanField(default=False)
    starter = ForeignKeyField(User, null=True, index=False)
    started_at = MomentField(default=now)
    last_seq = IntegerField(default=0)
    join_code = CharField(null=True, unique=True)
    pair = TextField(null=True, unique=True)
    peer = CleanName(null=True)

    class Meta:
        indexes = ((("starter", "status"), False),)

    @property
    def is_closed(self) -> bool:
        return bool(self.status == CLOSED)

    @property
    def kind(self) -> str:
        """What it is to those who are in it: one of its app's, or a chat that is not accepted."""
        return str(self.status if self.status in REQUESTS else self.app)


def hold(conversation_id: int) -> Conversation:
    """The conversation, in which nobody else comes, goes or says anything until this transaction ends."""
    query = Conversation.select().where(Conversation.id == conversation_id)
    # Where only one transaction writes at a time there is nothing to hold.
    held: Conversation = (query.for_update() if database.for_update else query).get()
    return held


def is_direct(app: str) -> bool:
    """Whether what is of this *app* is between two, so that each sees it under the other's name."""
    return app in DIRECT


class Participant(Table):
    """A user's place in a conversation of a *kind*, with his read mark.

    *status*: ``active``; ``hidden`` until the next message; ``left`` for good; ``asked`` for a chat that he
    has not accepted; ``ignoring``, that is invited by somebody whom he ignores, so that he never sees it.
    *last_seq* and *newest_id* are the place and the id of the conversation's newest message, or 0 and the
    newest id there was when it began; they stand here as well so that listing and counting touch nothing
    but a user's own rows. Where more than a ``CROWD`` once had to be told of every message they are null,
    and who asks looks at the conversation. *read_seq* is the read mark, *own_unread* the number of his own
    messages behind it. What is unread: ``UNREAD`` below.
    """

    conversation_id: int
    user_id: int

    conversation = ForeignKeyField(Conversation, backref="participants", on_delete="CASCADE", index=False)
    user = ForeignKeyField(User, index=False)
    kind = CharField(default=FORUM)
    status = CharField(default=ACTIVE)
    last_seq = IntegerField(null=True, default=0)
    newest_id = IntegerField(null=True, default=0)
    read_seq = IntegerField(default=0)
    own_unread = IntegerField(default=0)
    read_at = MomentField(null=True)
    inviter = ForeignKeyField(User, null=True, index=False)
    invite_reason = CleanText(default="")

    class Meta:
        indexes = (
            (("conversation", "user"), True),
            (("user", "status", "kind", "newest_id", "conversation"), False),
        )
        constraints = [
            Check("read_seq >= 0 AND own_unread >= 0 AND read_seq + own_unread <= last_seq"),
            Check(f"status IN ('{ACTIVE}', '{HIDDEN}', '{LEFT}', '{IGNORING}', '{ASKED}')"),
        ]

    @classmethod
    def create_table(cls, safe: bool = True, **options: Any) -> None:
        super().create_table(safe, **options)
        count_places()

    @classmethod
    def of(cls, user: User) -> Any:
        """The places of *user* in conversations that he sees."""
        return cls.select().where(cls.user == user, cls.status == ACTIVE)


class Message(Table):
    """One thing said. *seq* runs 1, 2, 3, … in a conversation and is its order.

    *image_url* and *link_url* are addresses that came with it, *client_id* is what its sender's program
    calls it. Without an *author* it comes from the conversation's peer. *kind*: ``text``, or what has
    become of the author in a room, in words: ``joined``, ``left``, ``removed``.
    """

    author_id: int | None
    conversation_id: int

    conversation = ForeignKeyField(Conversation, on_delete="CASCADE", index=False)
    seq = IntegerField()
    author = ForeignKeyField(User, null=True, index=False)
    kind = CharField(default=SAID)
    body = CleanText()
    image_url = TextField(default="")
    link_url = TextField(default="")
    client_id = CleanName(null=True)
    sent_at = MomentField(default=now)

    class Meta:
        indexes = ((("conversation", "seq"), True), (("conversation", "author", "seq"), False))
        constraints = [
            Check("seq > 0"),
            Check(f"kind IN ('{SAID}', '{JOINED}', '{GONE}', '{REMOVED}')"),
        ]

    @classmethod
    def create_table(cls, safe: bool = True, **options: Any) -> None:
        super().create_table(safe, **options)
        database.obj.index_words()


class UploadGroup(Table):
    """Uploads that one message will carry; *key* is what the client calls it."""

    attachments: Any

    key = CharField(unique=True)
    uploader = ForeignKeyField(User)
    started_at = MomentField(default=now, index=True)


class Attachment(Table):
    """An uploaded file; without a *message* until it is sent. *file* and *thumbnail* name stored files."""

    group_id: int
    message_id: int | None

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
        """What *user* may download: his own waiting uploads, and what is in conversations he may read."""
        seen = (
            Participant.select(Participant.id)
            .join(Message, on=(Message.conversation == Participant.conversation))
            .where(
                Message.id == cls.message,
                Participant.user == user,
                Participant.status.in_([ACTIVE, ASKED]),
            )
        )
        own = (UploadGroup.uploader == user) & cls.message.is_null()
        return cls.select().join(UploadGroup).where(own | fn.EXISTS(seen))


def stored_files() -> Iterator[tuple[str, int, str]]:
    """Every stored file that the store names, with what names it: its table, its id, the file."""
    for attachment in Attachment.select().iterator():
        yield from (("attachment", attachment.id, name) for name in attachment.stored)
    for user in User.select().where(User.avatar != "").iterator():
        yield "account", user.id, user.avatar


CROWD = 50
# Whom every message touches: who is told of it, and who has hidden the conversation and sees it again. No
# index here says that a column equals something: SQLite would plan each query with a parameter there anew.
TOLD = SQL(
    "(newest_id IS NOT NULL OR status NOT IN ('active', 'asked')) AND status IN ('active', 'hidden', 'asked')"
)
Participant.add_index(Participant.conversation, where=TOLD, name="participant_told")
Participant.add_index(
    Participant.user, Participant.status, where=SQL("newest_id IS NULL"), name="participant_in_crowd"
)
ASKING = SQL("kind IN ('pending', 'declined')")
Participant.add_index(
    Participant.user,
    Participant.status,
    Participant.kind,
    Participant.conversation,
    where=ASKING,
    name="participant_request",
)


def unread_up_to(newest: Any) -> Any:
    """How much is unread at a place in a conversation whose newest message has the place *newest*."""
    return newest - Participant.read_seq - Participant.own_unread


UNREAD = unread_up_to(Participant.last_seq)
Participant.add_index(Participant.user, Participant.status, UNREAD, name="participant_unread")


class PlaceCount(Own):
    """How many places a user has with one *status* in conversations of one *kind*, for counting at once.

    *unread* is in how many of them something is unread, without those in crowds. The engine itself keeps
    these rows as places come, change and go.
    """

    user = ForeignKeyField(User, on_delete="CASCADE", index=False)
    status = CharField()
    kind = CharField()
    number = IntegerField()
    unread = IntegerField()

    class Meta:
        indexes = ((("user", "status", "kind"), True),)


def is_unread(row: str) -> str:
    return f"CASE WHEN {row}.last_seq - {row}.read_seq - {row}.own_unread > 0 THEN 1 ELSE 0 END"


LESS = f"""
    UPDATE place_count SET number = number - 1, unread = unread - {is_unread("OLD")}
    WHERE user_id = OLD.user_id AND status = OLD.status AND kind = OLD.kind;"""  # noqa: S608 - our own words
MORE = f"""
    INSERT INTO place_count (user_id, status, kind, number, unread)
    VALUES (NEW.user_id, NEW.status, NEW.kind, 1, {is_unread("NEW")})
    ON CONFLICT (user_id, status, kind) DO UPDATE
    SET number = place_count.number + 1, unread = place_count.unread + excluded.unread;"""  # noqa: S608 - our own words
MOVED = f"OLD.status <> NEW.status OR OLD.kind <> NEW.kind OR {is_unread('OLD')} <> {is_unread('NEW')}"


def count_places() -> None:
    """Let the engine count places from now on."""
    for event, condition, work in (
        ("INSERT", "1 = 1", MORE),
        ("UPDATE", MOVED, LESS + MORE),
        ("DELETE", "1 = 1", LESS),
    ):
        database.obj.do_after(event, "participant", condition, work)
