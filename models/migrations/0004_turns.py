"""The order in which events were committed, for engines that let several transactions write at a time."""

from typing import Any

from peewee import BigIntegerField, ForeignKeyField

from models.base import CharField, Frozen, TurnField, remake


class Account(Frozen):
    """Only what the table below refers to."""


class Conversation(Frozen):
    """Only what the table below refers to."""


class Event(Frozen):
    kind = CharField()
    conversation = ForeignKeyField(Conversation, null=True, on_delete="CASCADE")
    user = ForeignKeyField(Account, null=True, on_delete="CASCADE")
    ref = BigIntegerField(null=True)
    happened_at = BigIntegerField(index=True)
    turn = TurnField()

    class Meta:
        indexes = ((("turn", "id"), False),)


def up(migrator: Any, db: Any) -> None:
    remake([Event], turn="0")
