"""What administrators want to see: the load, backups and checks, and when credentials were last used."""

from typing import Any

from peewee import BigIntegerField, Check, ForeignKeyField, IntegerField, TextField

from models.base import CharField, Frozen, database, remake


class Load(Frozen):
    minute = BigIntegerField(index=True)
    requests = IntegerField()
    refused = IntegerField()
    failed = IntegerField()
    below_1 = IntegerField()
    below_2 = IntegerField()
    below_5 = IntegerField()
    below_10 = IntegerField()
    below_25 = IntegerField()
    below_50 = IntegerField()
    below_100 = IntegerField()
    below_250 = IntegerField()
    below_1000 = IntegerField()
    below_5000 = IntegerField()
    longer = IntegerField()


class Job(Frozen):
    kind = CharField()
    started_at = BigIntegerField()
    told_at = BigIntegerField()
    ended_at = BigIntegerField(null=True)
    part = CharField()
    done = IntegerField()
    steps = IntegerField()
    name = CharField()
    size = BigIntegerField()
    faults = IntegerField()
    found = TextField()

    class Meta:
        indexes = ((("kind", "id"), False),)


class Account(Frozen):
    """Only what the tables below refer to."""


class AccessToken(Frozen):
    user = ForeignKeyField(Account, on_delete="CASCADE")
    digest = CharField(unique=True)
    label = CharField()
    created_at = BigIntegerField()
    used_at = BigIntegerField(null=True)


class ServerKey(Frozen):
    digest = CharField(unique=True)
    label = CharField()
    created_at = BigIntegerField()
    used_at = BigIntegerField(null=True)


class KeptAnswer(Frozen):
    """As it was; it refers to a table that is made anew."""

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
    remake([AccessToken, ServerKey, KeptAnswer])
    database.create_tables([Load, Job])
