"""What the chat door needs: requests, pictures and links, kept answers, and a log of what has happened."""

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
    starter = ForeignKeyField(Account, null=True, index=False)
    started_at = BigIntegerField()
    last_seq = IntegerField()
    join_code = CharField(null=True, unique=True)
    pair = TextField(null=True, unique=True)
    peer = CharField(null=True)

    class Meta:
        indexes = ((("starter", "status"), False),)


class Participant(Frozen):
    conversation = ForeignKeyField(Conversation, on_delete="CASCADE", index=False)
    user = ForeignKeyField(Account, index=False)
    status = CharField()
    last_seq = IntegerField()
    newest_id = IntegerField()
    read_seq = IntegerField()
    own_unread = IntegerField()
    read_at = BigIntegerField(null=True)
    inviter = ForeignKeyField(Account, null=True, index=False)
    invite_reason = TextField()

    class Meta:
        indexes = ((("conversation", "user"), True), (("user", "status", "newest_id"), False))
        constraints = [
            Check("read_seq >= 0 AND own_unread >= 0 AND read_seq + own_unread <= last_seq"),
            Check("status IN ('active', 'hidden', 'left', 'ignoring', 'asked')"),
        ]


UNREAD = Participant.last_seq - Participant.read_seq - Participant.own_unread
Participant.add_index(Participant.user, Participant.status, UNREAD, name="participant_unread")


class Message(Frozen):
    conversation = ForeignKeyField(Conversation, on_delete="CASCADE", index=False)
    seq = IntegerField()
    author = ForeignKeyField(Account, null=True, index=False)
    kind = CharField()
    body = TextField()
    image_url = TextField()
    link_url = TextField()
    client_id = CharField(null=True)
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


class Event(Frozen):
    kind = CharField()
    conversation = ForeignKeyField(Conversation, null=True, on_delete="CASCADE")
    user = ForeignKeyField(Account, null=True, on_delete="CASCADE")
    ref = BigIntegerField(null=True)
    happened_at = BigIntegerField(index=True)


class KeptAnswer(Frozen):
    user = ForeignKeyField(Account, on_delete="CASCADE", index=False)
    key = CharField()
    digest = CharField()
    status = IntegerField()
    body = TextField()
    kept_at = BigIntegerField(index=True)

    class Meta:
        indexes = ((("user", "key"), True),)


def up(migrator: Any, db: Any) -> None:
    remake([Conversation, Participant, Message, Attachment], image_url="''", link_url="''")
    database.create_tables([Event, KeptAnswer])
