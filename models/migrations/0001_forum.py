"""The tables of the forum door, as they were first made. Frozen: changes come as further steps."""

from typing import Any

from peewee import (
    BigIntegerField,
    BooleanField,
    Check,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from models.base import CharField, Frozen, database


class Account(Frozen):
    username = CharField()
    username_key = CharField(unique=True)
    display_name = CharField()
    password = CharField(null=True)
    email = CharField()
    number = CharField(null=True)
    digits = CharField(null=True, unique=True)
    identifier = CharField(null=True, unique=True)
    avatar = CharField()
    takes_messages = BooleanField()
    is_admin = BooleanField()
    disabled_at = BigIntegerField(null=True)
    created_at = BigIntegerField()
    seen_at = BigIntegerField(null=True, index=True)


class Session(Frozen):
    user = ForeignKeyField(Account, on_delete="CASCADE")
    digest = CharField(unique=True)
    address = CharField()
    anonymous = BooleanField()
    created_at = BigIntegerField()
    used_at = BigIntegerField()


class AccessToken(Frozen):
    user = ForeignKeyField(Account, on_delete="CASCADE")
    digest = CharField(unique=True)
    label = CharField()
    created_at = BigIntegerField()


class ServerKey(Frozen):
    digest = CharField(unique=True)
    label = CharField()
    created_at = BigIntegerField()


class IgnoredUser(Frozen):
    user = ForeignKeyField(Account, on_delete="CASCADE")
    ignored = ForeignKeyField(Account, on_delete="CASCADE")

    class Meta:
        indexes = ((("user", "ignored"), True),)
        constraints = [Check("user_id <> ignored_id")]


class Allowance(Frozen):
    key = TextField(unique=True)
    until = BigIntegerField()


class Conversation(Frozen):
    app = CharField()
    subject = TextField()
    status = CharField()
    open_invite = BooleanField()
    starter = ForeignKeyField(Account)
    started_at = BigIntegerField()
    last_seq = IntegerField()


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
    author = ForeignKeyField(Account, index=False)
    body = TextField()
    sent_at = BigIntegerField()

    class Meta:
        indexes = ((("conversation", "seq"), True), (("conversation", "author", "seq"), False))
        constraints = [Check("seq > 0")]


class UploadGroup(Frozen):
    key = CharField(unique=True)
    uploader = ForeignKeyField(Account)
    started_at = BigIntegerField(index=True)


class Attachment(Frozen):
    group = ForeignKeyField(UploadGroup, on_delete="CASCADE")
    message = ForeignKeyField(Message, on_delete="CASCADE", null=True)
    filename = CharField()
    extension = CharField()
    size = IntegerField()
    file = CharField()
    thumbnail = CharField()
    uploaded_at = BigIntegerField()


TABLES = [
    Account,
    Session,
    AccessToken,
    ServerKey,
    IgnoredUser,
    Allowance,
    Conversation,
    Participant,
    Message,
    UploadGroup,
    Attachment,
]


def up(migrator: Any, db: Any) -> None:
    database.create_tables(TABLES)
