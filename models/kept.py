"""Answers that are kept, so that a request which comes again makes nothing new."""

from peewee import ForeignKeyField, IntegerField, TextField

from .base import CharField, MomentField, Table, now
from .users import User


class KeptAnswer(Table):
    """What *user* was answered under a *key* of his own choosing; *digest* tells what he had asked."""

    user = ForeignKeyField(User, on_delete="CASCADE", index=False)
    key = CharField()
    digest = CharField()
    status = IntegerField(default=0)
    body = TextField(default="")
    kept_at = MomentField(default=now, index=True)

    class Meta:
        indexes = ((("user", "key"), True),)
