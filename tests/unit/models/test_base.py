"""Transactions, prepared queries, and the store's own life."""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import engines
import pytest
from builders import Cast
from peewee import IntegrityError, OperationalError, PeeweeException

from models import (
    ACTIVE,
    APPS,
    ASKED,
    FORUM,
    PENDING,
    Conversation,
    Event,
    Participant,
    StoreError,
    call_on,
    call_with,
    check,
    close_store,
    conversations_of,
    database,
    first_messages,
    first_unread,
    impatient,
    key_with,
    migrate,
    number_of,
    number_owner,
    open_store,
    page_of,
    page_of_calls,
    page_of_conversations,
    page_of_messages,
    page_of_requests,
    page_of_rooms,
    page_with_authors,
    pending_migrations,
    people_in,
    place_in,
    source_owner,
    transact,
    trouble,
    waiting_for,
)
from models.base import Prepared, every_table, runner
from models.inbox import attachments_of_page
from models.search import messages_found, places_to_read
from models.users import session_owner, token_owner
from server.config import Settings

Opener = Callable[[str], Any]


def schema() -> set[Any]:
    return engines.chosen().schema()


@pytest.fixture
def blank(tmp_path: Path) -> Opener:
    """Opens a store of a name in which there is nothing at all."""
    return lambda name: open_store(engines.chosen().blank(tmp_path, name))


def test_migrations_make_what_is_declared(blank: Opener) -> None:
    """The numbered steps lead to the very tables, indexes and constraints that the models declare."""
    blank("stepped")
    migrate()
    stepped = schema()
    blank("declared")
    database.create_tables(every_table())
    assert stepped == schema()


def test_migrating_twice_changes_nothing(store: Settings) -> None:
    """A store that is up to date takes no step."""
    assert pending_migrations() == []
    assert migrate() == []


def test_who_waits_for_a_migration_goes_on_with_it(blank: Opener) -> None:
    """Of two that bring a store up to date at one moment each takes what steps the other has left."""
    blank("shared")
    first, *others = pending_migrations()

    def migrate_too() -> list[str]:
        try:
            return migrate()
        finally:
            close_store()

    with ThreadPoolExecutor(1) as pool:
        with database.atomic(), database.obj.alone():
            runner().up(first)
            waiting = pool.submit(migrate_too)
            time.sleep(0.5)
            assert not waiting.done()
        assert waiting.result() == others


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


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not installed what PostgreSQL takes is told what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install '.\[postgresql\]'"):
        open_store("postgresql://nobody@127.0.0.1:1/nothing")


Row = dict[str, Any]
FIRST_STEP, PHONE_STEP, CHAT_STEP = "0001_forum", "0002_phone", "0003_chat"
AFTER_CHAT = ["0004_turns", "0005_places", "0006_holders", "0007_search", "0008_administration"]
LATER_STEPS = [PHONE_STEP, CHAT_STEP, *AFTER_CHAT]


def person(number: int) -> Row:
    """An account as the first step makes it."""
    return {
        "id": number,
        "username": f"person{number}",
        "username_key": f"person{number}",
        "display_name": f"Person {number}",
        "password": None,
        "email": "",
        "number": f"555-{number}",
        "digits": f"555{number}",
        "identifier": None,
        "avatar": "",
        "takes_messages": True,
        "is_admin": False,
        "disabled_at": None,
        "created_at": 1700000000000 + number,
        "seen_at": None,
    }


def thread(number: int, starter: int, messages: int) -> Row:
    return {
        "id": number,
        "app": "forum",
        "subject": f"Subject {number}: “é” 'quoted'",
        "status": "closed",
        "open_invite": True,
        "starter_id": starter,
        "started_at": 1700000001000 + number,
        "last_seq": messages,
    }


def place(number: int, conversation: int, user: int, read: int, own: int) -> Row:
    """A place in a conversation of two messages, of which the second has the id 40."""
    return {
        "id": number,
        "conversation_id": conversation,
        "user_id": user,
        "status": "active",
        "last_seq": 2,
        "newest_id": 40,
        "read_seq": read,
        "own_unread": own,
        "inviter_id": None if user == 1 else 1,
        "invite_reason": "Come in.",
    }


def line(number: int, conversation: int, seq: int, author: int) -> Row:
    return {
        "id": number,
        "conversation_id": conversation,
        "seq": seq,
        "author_id": author,
        "body": f"Line {number}\nand [b]more[/b]",
        "sent_at": 1700000002000 + number,
    }


def upload(number: int, message: int | None) -> Row:
    return {
        "id": number,
        "group_id": 2,
        "message_id": message,
        "filename": f"map {number}.png",
        "extension": "png",
        "size": 1234,
        "file": f"file{number}",
        "thumbnail": "",
        "uploaded_at": 1700000003000 + number,
    }


# What a store holds that has had the first step only: ids have holes, as they get with time.
BEFORE: dict[str, list[Row]] = {
    "account": [person(1), person(3), person(4)],
    "conversation": [thread(7, 1, 2)],
    "participant": [place(11, 7, 1, 1, 0), place(12, 7, 3, 0, 1)],
    "message": [line(30, 7, 1, 1), line(40, 7, 2, 3)],
    "upload_group": [{"id": 2, "key": "group", "uploader_id": 3, "started_at": 1700000004000}],
    "attachment": [upload(5, 40), upload(6, None)],
}
# A further row of each table that the later steps make anew, and what its new columns get.
NEXT: dict[str, Row] = {
    "conversation": thread(50, 3, 0),
    "participant": place(60, 7, 4, 2, 0),
    "message": line(70, 7, 3, 1),
    "attachment": upload(80, 30),
}
ADDED: dict[str, Row] = {
    "conversation": {"join_code": None, "pair": None, "peer": None},
    "participant": {"kind": "forum", "read_at": None},
    "message": {"kind": "text", "image_url": "", "link_url": "", "client_id": None},
    "attachment": {},
}


def put(table: str, row: Row) -> int:
    """Insert a row by SQL alone; its id."""
    places = ", ".join([database.param] * len(row))
    statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) RETURNING id"
    [(number,)] = database.execute_sql(statement, list(row.values())).fetchall()
    # As if the engine had given the id out itself.
    database.obj.go_on_from(table, number)
    return int(number)


def rows_of(table: str) -> list[Row]:
    cursor = database.execute_sql(f"SELECT * FROM {table} ORDER BY id")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture
def older(blank: Opener) -> Iterator[None]:
    """A store in use that has had the first step only."""
    blank("older")
    assert list(runner().up(FIRST_STEP)) == [FIRST_STEP]
    for table, rows in BEFORE.items():
        for row in rows:
            put(table, row)
    yield
    close_store()


def test_an_older_store_lacks_the_later_step(older: None) -> None:
    """A store that has had the first step only is told of the later ones, which it takes once."""
    assert pending_migrations() == LATER_STEPS
    assert migrate() == LATER_STEPS
    assert pending_migrations() == []


@pytest.mark.parametrize("table", BEFORE)
def test_migrating_keeps_every_row(older: None, table: str) -> None:
    """Every row is there after a migration with the values it had, and new columns have their defaults."""
    migrate()
    assert rows_of(table) == [{**row, **ADDED.get(table, {})} for row in BEFORE[table]]


# What the phone's step brings: a room, what two say to each other, and what became of somebody in a room.
ON_THE_PHONE: dict[str, list[Row]] = {
    "conversation": [
        {**thread(8, 1, 1), "app": "darkchat", "join_code": "ABC234", "pair": None, "peer": None},
        {**thread(9, 3, 0), "app": "messages", "join_code": None, "pair": "messages 1 and 3", "peer": None},
    ],
    "message": [{**line(50, 8, 1, 1), "kind": "joined"}],
}


@pytest.mark.parametrize("table", ON_THE_PHONE)
def test_the_chats_step_keeps_what_the_phone_has(older: None, table: str) -> None:
    """A store that has had the phone's step keeps its rooms and text conversations in the chat's step."""
    assert list(runner().up(PHONE_STEP)) == [PHONE_STEP]
    for each, rows in ON_THE_PHONE.items():
        for row in rows:
            put(each, row)
    assert migrate() == [CHAT_STEP, *AFTER_CHAT]
    kept = [row for row in rows_of(table) if row["id"] in [each["id"] for each in ON_THE_PHONE[table]]]
    assert kept == [{**ADDED[table], **row} for row in ON_THE_PHONE[table]]


def test_the_holders_step_keeps_what_users_have(older: None) -> None:
    """Answers that are kept for users are there after the step by which game servers have some too."""
    runner().up("0005_places")
    kept = {"id": 5, "user_id": 3, "key": "k", "digest": "d", "status": 201, "body": "{}", "kept_at": 17}
    put("kept_answer", kept)
    migrate()
    assert rows_of("kept_answer") == [{**kept, "server_key_id": None}]


def test_the_step_of_administration_keeps_credentials(older: None) -> None:
    """Tokens, server keys and answers kept for them are there after the step that adds their last use."""
    runner().up("0006_holders")
    key = {"id": 70, "digest": "key", "label": "game", "created_at": 17}
    put("server_key", key)
    kept = {"id": 71, "key": "k", "digest": "d", "status": 200, "body": "{}", "kept_at": 17}
    kept |= {"user_id": None, "server_key_id": 70}
    put("kept_answer", kept)
    token = {"id": 72, "user_id": 3, "digest": "token", "label": "bot", "created_at": 17}
    put("access_token", token)
    migrate()
    assert {**key, "used_at": None} in rows_of("server_key")
    assert rows_of("kept_answer") == [kept]
    assert rows_of("access_token") == [{**token, "used_at": None}]


def test_a_migrated_store_is_the_declared_one(older: None, blank: Opener) -> None:
    """A store in use comes to the same tables, indexes and constraints as a new one, and nothing is over."""
    migrate()
    stepped = schema()
    blank("declared")
    database.create_tables(every_table())
    assert stepped == schema()


def test_a_migrated_store_is_sound(older: None) -> None:
    """Every reference holds after a migration, and every count is right."""
    migrate()
    assert list(check.faults()) == []


def test_a_migrated_store_holds_its_references(older: None) -> None:
    """After a migration a row that refers to nothing is refused as before."""
    migrate()
    with pytest.raises(IntegrityError):
        put("message", {**line(90, 4711, 1, 1), **ADDED["message"]})


def test_erasing_reaches_as_far_after_a_migration(older: None) -> None:
    """After a migration a conversation takes its messages, places and attachments with it, as before."""
    migrate()
    database.execute_sql("DELETE FROM conversation")
    assert rows_of("message") == rows_of("participant") == []
    assert [row["id"] for row in rows_of("attachment")] == [6]


def without_id(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != "id"}


@pytest.mark.parametrize("table", NEXT)
def test_the_newest_id_does_not_come_back_after_a_migration(older: None, table: str) -> None:
    """The id of a table's newest row, erased before a migration, is not given out after it."""
    newest = put(table, NEXT[table])
    database.execute_sql(f"DELETE FROM {table} WHERE id = {newest}")
    migrate()
    assert put(table, {**without_id(NEXT[table]), **ADDED[table]}) == newest + 1


def test_no_id_of_an_emptied_table_comes_back_after_a_migration(older: None) -> None:
    """Where a table was emptied before a migration, its ids go on after the last one."""
    database.execute_sql("DELETE FROM conversation")
    migrate()
    assert put("conversation", {**without_id(thread(0, 1, 0)), **ADDED["conversation"]}) == 8


def test_a_migration_that_fails_changes_nothing(older: None) -> None:
    """A step that cannot be finished leaves the store as it was, to be tried again."""
    database.execute_sql("CREATE TABLE kept_attachment (id INTEGER)")
    before = schema()
    with pytest.raises(PeeweeException):
        migrate()
    assert schema() == before
    assert {table: rows_of(table) for table in BEFORE} == BEFORE
    assert pending_migrations() == LATER_STEPS


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


def test_a_failure_is_told_in_words() -> None:
    """What keeps the store from answering is said in a sentence, also where the engine has no name for it."""
    assert trouble(OperationalError("gone")) == "The store does not answer."


def test_a_lock_is_told_in_words(store: Settings) -> None:
    """Who cannot write because somebody else does is told that the store is busy."""
    with engines.chosen().locked(store.database), impatient(), pytest.raises(OperationalError) as caught:
        transact(lambda: Event.delete().execute(), writes=True)
    assert trouble(caught.value) == "The store is busy."


@pytest.mark.parametrize(
    "query",
    [
        conversations_of,
        page_of_conversations,
        page_of_messages,
        page_with_authors,
        attachments_of_page,
        places_to_read,
        messages_found,
        page_of_rooms,
        place_in,
        session_owner,
        token_owner,
        key_with,
        number_owner,
        source_owner,
        call_with,
        call_on,
        page_of_calls,
        *(
            query.sized[size]
            for query in (
                first_messages,
                first_unread,
                people_in,
                waiting_for,
            )
            for size in (1, 20)
        ),
        page_of((ACTIVE,), APPS),
        page_of((ACTIVE,), (FORUM,)),
        number_of((ACTIVE,), APPS),
        *(page_of_requests(direction, PENDING) for direction in ("sent", "received", "all")),
        number_of((ACTIVE, ASKED), (PENDING,)),
    ],
)
def test_hot_queries_search_and_never_scan(store: Settings, query: Prepared) -> None:
    """A query of every call finds its rows by an index, however large the store."""
    query.compile()
    plan = engines.chosen().plan(query)
    assert not engines.chosen().is_scan(plan), plan


def test_what_is_unread_is_summed_in_its_index(store: Settings) -> None:
    """Summing what is unread touches only the rows that are."""
    query = waiting_for.sized[1]
    query.compile()
    assert engines.chosen().by_unread in engines.chosen().plan(query)


@pytest.mark.parametrize(
    "query",
    [
        page_of_conversations,
        page_of_rooms,
        page_of((ACTIVE,), APPS),
        page_of((ACTIVE,), (FORUM,)),
        *(page_of_requests(direction, PENDING) for direction in ("sent", "received", "all")),
        page_of_messages,
        page_of_calls,
    ],
)
def test_a_page_is_read_in_its_order(store: Settings, query: Prepared) -> None:
    """A page is read from an index in the order in which it is shown, and nothing else is sorted for it."""
    query.compile()
    plan = engines.chosen().plan(query)
    assert not engines.chosen().is_sort(plan), plan


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
    with pytest.raises(IntegrityError):
        Participant.update(own_unread=5).execute()
