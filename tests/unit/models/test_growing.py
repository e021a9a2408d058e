"""Whether the store could be divided, by conversations and by users, read off the tables."""

from typing import Any

import pytest
from peewee import ForeignKeyField

import models
from models.base import every_table

OWNERS = {models.Conversation, models.User}
# What fits on every machine: the one game server, its keys, limits that are forgotten when they are over,
# a day of the load, and the last work on the store.
SMALL = {"GameServer", "ServerKey", "Allowance", "Load", "Job"}
# What is unique in all the store, so that a divided one needs a directory for it; GROWING.md names them too.
DIRECTORIES = {
    "AccessToken.digest",
    "Call.key",
    "Conversation.join_code",
    "Conversation.pair",
    "KeptAnswer.server_key",
    "Line.key",
    "Session.digest",
    "Source.src",
    "UploadGroup.key",
    "User.digits",
    "User.identifier",
    "User.username_key",
}


TABLES = sorted(
    (each for each in every_table() if each.__module__.startswith("models.")),
    key=lambda table: table.__name__,
)


def indexes_of(table: type[Any]) -> list[tuple[list[Any], bool]]:
    """The columns of each index, and whether it is unique."""
    of_fields = [([f], f.unique) for f in table._meta.sorted_fields if f.index or f.unique]
    several = [([table._meta.fields[name] for name in names], u) for names, u in index_pairs(table)]
    return of_fields + several


def index_pairs(table: type[Any]) -> list[tuple[tuple[str, ...], bool]]:
    return [each for each in table._meta.indexes if isinstance(each, tuple)]


def leading(table: type[Any]) -> list[ForeignKeyField]:
    """The references by which rows are found through an index."""
    firsts = [fields[0] for fields, _ in indexes_of(table)]
    return [first for first in firsts if isinstance(first, ForeignKeyField)]


def reached() -> set[type[Any]]:
    """The tables whose rows are found from a conversation or a user, one reference after the other."""
    found = set(OWNERS)
    while True:
        by_owner = {t for t in TABLES if any(key.rel_model in found for key in leading(t))}
        # A row that several users share is found by what each of them has of it.
        shared = {key.rel_model for t in by_owner for key in t._meta.refs if not key.null}
        if by_owner | shared <= found:
            return found
        found |= by_owner | shared


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_table_can_be_divided(table: type[Any]) -> None:
    """Rows of a table that grows are found from a conversation or a user by an index."""
    assert table in reached() or table.__name__ in SMALL


def test_what_is_small_is_still_a_table() -> None:
    """What is said to be small is there, and would not be found otherwise."""
    assert {table.__name__ for table in TABLES if table not in reached()} == SMALL


def test_what_is_unique_everywhere_is_known() -> None:
    """What has to be unique beyond one conversation or user is what the directories are for."""
    unique = {
        f"{table.__name__}.{fields[0].name}"
        for table in TABLES
        for fields, is_unique in indexes_of(table)
        if is_unique and table.__name__ not in SMALL and getattr(fields[0], "rel_model", None) not in OWNERS
    }
    assert unique == DIRECTORIES
