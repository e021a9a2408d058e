"""Transactions, prepared queries, and the store's own life."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from builders import Cast
from peewee import OperationalError

from models import (
    Conversation,
    Participant,
    StoreError,
    conversations_of,
    database,
    migrate,
    open_store,
    page_of_conversations,
    page_of_messages,
    pending_migrations,
    transact,
    trouble,
    unread_conversations,
)
from models.base import Prepared, Table
from models.conversations import attachments_of_page, people_in
from models.users import session_owner, token_owner
from server.config import Settings


def schema() -> set[str]:
    rows = database.execute_sql(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    )
    return {sql for (sql,) in rows.fetchall() if '"migration' not in sql}


def test_migrations_make_what_is_declared(tmp_path: Path) -> None:
    """The numbered steps lead to the very tables, indexes and constraints that the models declare."""
    open_store(f"sqlite:///{tmp_path}/stepped.db")
    migrate()
    stepped = schema()
    open_store(f"sqlite:///{tmp_path}/declared.db")
    database.create_tables(Table.__subclasses__())
    assert stepped == schema()


def test_migrating_twice_changes_nothing(store: Settings) -> None:
    """A store that is up to date takes no step."""
    assert pending_migrations() == []
    assert migrate() == []


def test_a_newer_store_is_refused(store: Settings) -> None:
    """A store that has had a step which this program does not know is refused by the name of the step."""
    database.execute_sql("INSERT INTO migration (name, applied) VALUES ('9999_future', '2030-01-01')")
    with pytest.raises(StoreError, match="9999_future"):
        pending_migrations()


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file that is no database is refused in one sentence."""
    path = tmp_path / "text.db"
    path.write_text("hello " * 1000)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(f"sqlite:///{path}")


def test_ids_never_come_back(cast: Cast) -> None:
    """The id of what was erased is not given out again."""
    first = cast.ann.starts("One", cast.bob)
    Conversation.delete().execute()
    assert cast.ann.starts("Two", cast.bob).id > first.id


def test_a_failed_transaction_leaves_nothing(cast: Cast) -> None:
    """What is done before a failure is undone with it."""

    def half() -> None:
        cast.ann.starts("Half", cast.bob)
        raise LookupError

    with pytest.raises(LookupError):
        transact(half, writes=True)
    assert Conversation.select().count() == 0


def test_a_failure_is_told_in_words(store: Settings) -> None:
    """What keeps the store from answering is said in a sentence, from whatever the engine calls it."""
    with pytest.raises(OperationalError) as caught:
        database.execute_sql("SELECT * FROM no_such_table")
    assert trouble(caught.value) == "The store does not answer."
    database.execute_sql("PRAGMA busy_timeout = 1")
    with locked(store), pytest.raises(OperationalError) as caught:
        transact(lambda: None, writes=True)
    assert trouble(caught.value) == "The store is busy."


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Another connection's write lock on the store."""
    other = sqlite3.connect(settings.database.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


def plan(query: Prepared) -> str:
    """How SQLite goes about a prepared query."""
    query.compile()
    values = [1 if type(p).__name__ == "Slot" else p for p in query.parameters]
    rows = database.execute_sql(f"EXPLAIN QUERY PLAN {query.sql}", values).fetchall()
    return " / ".join(row[3] for row in rows)


@pytest.mark.parametrize(
    "query",
    [
        conversations_of,
        unread_conversations,
        page_of_conversations,
        page_of_messages,
        attachments_of_page,
        session_owner,
        token_owner,
    ],
)
def test_hot_queries_search_and_never_scan(store: Settings, query: Prepared) -> None:
    """A query of every call finds its rows by an index, however large the store."""
    assert "SCAN" not in plan(query)


def test_unread_conversations_are_counted_in_their_index(store: Settings) -> None:
    """Counting what is unread touches only the rows that are."""
    assert "participant_unread (user_id=? AND status=? AND <expr>>?)" in plan(unread_conversations)


def test_a_list_costs_the_same_number_of_queries_for_two_rows_as_for_twenty(cast: Cast) -> None:
    """People of all conversations of a page come with one query."""
    threads = [cast.ann.starts(f"Talk {n}", cast.bob, cast.carol) for n in range(20)]
    seen: list[str] = []
    database.query_hooks.append(lambda event: seen.append(event.sql))
    try:
        for ids in ([threads[0].id], [each.id for each in threads]):
            rows = people_in(ids)
            assert len(rows) == 3 * len(ids)
    finally:
        database.query_hooks.clear()
    assert len(seen) == 2


def test_the_schema_holds_the_read_mark(cast: Cast) -> None:
    """A read mark behind which more is unread than there are messages cannot be stored."""
    cast.ann.starts("Talk", cast.bob)
    with pytest.raises(Exception, match="CHECK constraint failed"):
        Participant.update(own_unread=5).execute()
