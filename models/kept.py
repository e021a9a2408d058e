"""Answers that are kept, so that a request which comes again makes nothing new."""

from typing import Any, NamedTuple

from peewee import Check, ForeignKeyField, IntegerField, TextField

from .base import CharField, MomentField, Table, now
from .users import ServerKey, User


class Holder(NamedTuple):
    """Whose kept answers are, by id: a user's, or else those of a game server that comes with a key."""

    user: int | None = None
    server_key: int | None = None


class KeptAnswer(Table):
    """What its holder was answered under a *key* of his own choosing; *digest* tells what he had asked."""

    user = ForeignKeyField(User, on_delete="CASCADE", index=False, null=True)
    server_key = ForeignKeyField(ServerKey, on_delete="CASCADE", index=False, null=True)
    key = CharField()
    digest = CharField()
    status = IntegerField(default=0)
    body = TextField(default="")
    kept_at = MomentField(default=now, index=True)

    class Meta:
        indexes = ((("user", "key"), True), (("server_key", "key"), True))
        constraints = [Check("(user_id IS NULL) <> (server_key_id IS NULL)")]

    @classmethod
    def under(cls, holder: Holder, key: str) -> Any:
        """The condition for what is kept under this *key* of the holder's."""
        is_his = cls.server_key == holder.server_key if holder.user is None else cls.user == holder.user
        return is_his & (cls.key == key)
