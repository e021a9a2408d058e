"""What has happened, in the order in which listeners are told of it."""

from peewee import BigIntegerField, CharField, ForeignKeyField

from .base import MomentField, Table, now
from .conversations import Conversation
from .users import User

MESSAGE, REQUEST, ACCEPTED, READ, CALL = "message", "request", "accepted", "read", "call"


class Event(Table):
    """One thing that happened, for everyone in a *conversation* or for one *user*.

    *ref* is the id of the message or the call that it is about.
    """

    kind = CharField()
    conversation = ForeignKeyField(Conversation, null=True, on_delete="CASCADE")
    user = ForeignKeyField(User, null=True, on_delete="CASCADE")
    ref = BigIntegerField(null=True)
    happened_at = MomentField(default=now, index=True)
