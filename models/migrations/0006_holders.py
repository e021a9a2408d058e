"""Kept answers of game servers, beside those of users."""

from typing import Any

from peewee import BigIntegerField, Check, ForeignKeyField, IntegerField, TextField

from models.base import CharField, Frozen, remake


class Account(Frozen):
    """Only what the table below refers to."""


class ServerKey(Frozen):
    """Only what the table below refers to."""


class KeptAnswer(Frozen):
    user = ForeignKeyField(Account, on_delete="CASCADE", index=False, null=True)
    server_key = ForeignKeyField(ServerKey, on_delete="CASCADE", index=False, null=True)
    key = CharField()
    digest = CharField()
    status = IntegerField()
    body = TextField()
    kept_at = BigIntegerField(index=True)

    class Meta:
        indexes = ((("user", "key"), True), (("server_key", "key"), True))
        constraints = [Check("(user_id IS NULL) <> (server_key_id IS NULL)")]


def up(migrator: Any, db: Any) -> None:
    remake([KeptAnswer])
