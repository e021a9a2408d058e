"""What the phone door needs: rooms with codes, texts from who has no account, players, contacts, calls."""

from typing import Any

from peewee import (
    BigIntegerField,
    BooleanField,
    Check,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from models.base import CharField, Frozen, database, remake


class Account(Frozen):
    """Only what the tables below refer to."""


class UploadGroup(Frozen):
    """Only what the tables below refer to."""


class Conversation(Frozen):
    app = CharField()
    subject = TextField()
    status = CharField()
    open_invite = BooleanField()
    starter = ForeignKeyField(Account, null=True)
    started_at = BigIntegerField()
    last_seq = IntegerField()
    join_code = CharField(null=True, unique=True)
    pair = TextField(null=True, unique=True)
    peer = CharField(null=True)


class Participant(Frozen):
    conversation = ForeignKeyField(Conversation, on_delete="CASCADE", index=False)
    user = ForeignKeyField(Account, index=False)
    status = CharField()
    last_seq = IntegerField()
    newest_id = IntegerField()
    read_seq = IntegerField()
    own_unread = IntegerField()
    inviter = ForeignKeyField(Account, null=True, index=False)
    invite_reason = TextField()

    class Meta:
        indexes = ((("conversation", "user"), True), (("user", "status", "newest_id"), False))
        constraints = [
            Check("read_seq >= 0 AND own_unread >= 0 AND read_seq + own_unread <= last_seq"),
            Check("status IN ('active', 'hidden', 'left', 'ignoring')"),
        ]


UNREAD = Participant.last_seq - Participant.read_seq - Participant.own_unread
Participant.add_index(Participant.user, Participant.status, UNREAD, name="participant_unread")


class Message(Frozen):
    conversation = ForeignKeyField(Conversation, on_delete="CASCADE", index=False)
    seq = IntegerField()
    author = ForeignKeyField(Account, null=True, index=False)
    kind = CharField()
    body = TextField()
    sent_at = BigIntegerField()

    class Meta:
        indexes = ((("conversation", "seq"), True), (("conversation", "author", "seq"), False))
        constraints = [
            Check("seq > 0"),
            Check("kind IN ('text', 'joined', 'left', 'removed')"),
        ]


class Attachment(Frozen):
    group = ForeignKeyField(UploadGroup, on_delete="CASCADE")
    message = ForeignKeyField(Message, on_delete="CASCADE", null=True)
    filename = CharField()
    extension = CharField()
    size = IntegerField()
    file = CharField()
    thumbnail = CharField()
    uploaded_at = BigIntegerField()


class Source(Frozen):
    src = BigIntegerField(unique=True)
    user = ForeignKeyField(Account, unique=True, on_delete="CASCADE")

    class Meta:
        constraints = [Check("src > 0")]


class GameServer(Frozen):
    epoch = CharField()

    class Meta:
        constraints = [Check("id = 1")]


class Contact(Frozen):
    owner = ForeignKeyField(Account, on_delete="CASCADE", index=False)
    number = CharField()
    key = TextField()
    firstname = CharField()
    lastname = CharField()
    notes = TextField()
    image = TextField()
    favorite = BooleanField()

    class Meta:
        indexes = ((("owner", "key"), True),)


class BlockedNumber(Frozen):
    owner = ForeignKeyField(Account, on_delete="CASCADE", index=False)
    key = TextField()

    class Meta:
        indexes = ((("owner", "key"), True),)


class Call(Frozen):
    key = CharField(unique=True)
    caller = ForeignKeyField(Account, null=True, index=False)
    callee = ForeignKeyField(Account, null=True, index=False)
    from_number = CharField()
    to_number = CharField()
    kind = CharField()
    started_at = BigIntegerField()
    rings_until = BigIntegerField()
    answered_at = BigIntegerField(null=True)
    ended_at = BigIntegerField(null=True)
    outcome = CharField()

    class Meta:
        constraints = [Check("(ended_at IS NULL) = (outcome = '')")]


class Line(Frozen):
    key = TextField(unique=True)
    call = ForeignKeyField(Call, on_delete="CASCADE")


class CallEntry(Frozen):
    user = ForeignKeyField(Account, on_delete="CASCADE", index=False)
    call = ForeignKeyField(Call, on_delete="CASCADE")
    is_outgoing = BooleanField()

    class Meta:
        indexes = ((("user", "id"), False),)


NEW = [Source, GameServer, Contact, BlockedNumber, Call, Line, CallEntry]


def up(migrator: Any, db: Any) -> None:
    remake([Conversation, Participant, Message, Attachment], kind="'text'")
    database.create_tables(NEW)
