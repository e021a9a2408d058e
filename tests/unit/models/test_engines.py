"""What holds on every engine: transactions that meet, connections that break, the order of things."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from typing import Any

import engines
import pytest
from peewee import OperationalError

from models import (
    TROUBLES,
    Position,
    User,
    address_shown,
    close_store,
    database,
    is_empty,
    is_trouble,
    migrate,
    name_key,
    open_store,
    record_event,
    transact,
    trouble,
)
from models.events import events_after
from server.actions import accounts
from server.config import Settings
from server.errors import Conflict
from server.faces.chat.events import Feed
from server.passwords import Passwords

SECONDS = 20
START = Position(0, 0)
Aside = Callable[[Callable[[], Any]], "Future[Any]"]


@pytest.fixture
def aside(store: Settings) -> Iterator[Aside]:
    """Does work in a thread, and so by a connection, of its own."""

    def alone(work: Callable[[], Any]) -> Any:
        try:
            return work()
        finally:
            close_store()

    with ThreadPoolExecutor(4) as pool:
        yield lambda work: pool.submit(alone, work)


def add(name: str) -> User:
    return accounts.add_user(Passwords(1), name, None)


def meeting(aside: Aside, first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
    """What comes of two transactions, the second tried when the first has read but not written."""
    has_read, may_write = Flag(), Flag()

    def slow() -> Any:
        User.select().count()
        has_read.set()
        may_write.wait(SECONDS)
        return first()

    one = aside(lambda: outcome(lambda: transact(slow, writes=True)))
    assert has_read.wait(SECONDS)
    two = aside(lambda: outcome(lambda: transact(second, writes=True)))
    with suppress(TimeoutError):
        # Where only one writes at a time this one waits for the first.
        two.result(0.3)
    may_write.set()
    return [one.result(SECONDS), two.result(SECONDS)]


def outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Conflict as refusal:
        return refusal


def count_and_add(name: str) -> int:
    count = User.select().count()
    add(name)
    return count


def test_of_two_that_meet_one_sees_the_other(aside: Aside) -> None:
    """Of two transactions that count and then add, one counts what the other has added."""
    counts = meeting(aside, lambda: count_and_add("ann"), lambda: count_and_add("bob"))
    assert sorted(counts) == [0, 1]


def test_of_two_who_want_one_name_one_gets_it(aside: Aside) -> None:
    """Of two who take the same name at one moment one is told that it is taken."""
    found = meeting(aside, lambda: add("ann"), lambda: add("ann"))
    assert [type(each) for each in found].count(Conflict) == 1
    assert User.select().count() == 1


def test_who_makes_what_is_not_there_finds_what_another_has_made(aside: Aside) -> None:
    """Two who each make something only if it is not there come to the same thing."""

    def found_or_made() -> int:
        found = User.get_or_none(User.username_key == name_key("ann"))
        return int((found or add("ann")).id)

    one, two = meeting(aside, found_or_made, found_or_made)
    assert one == two


def test_many_who_write_one_row_are_all_done(aside: Aside) -> None:
    """However many change one row at a time, each does so once."""
    ann = add("ann")

    def more() -> None:
        user = User.get_by_id(ann.id)
        User.update(email=f"{user.email}x").where(User.id == ann.id).execute()

    def ten_times() -> None:
        for _ in range(10):
            transact(more, writes=True)

    for each in [aside(ten_times) for _ in range(4)]:
        each.result(SECONDS)
    assert User.get_by_id(ann.id).email == "x" * 40


def test_an_event_that_was_committed_late_is_told(aside: Aside) -> None:
    """A look never passes an event whose transaction has not ended, and tells all, each once and in order."""
    has_written, may_end = Flag(), Flag()

    def late() -> None:
        record_event("call", ref=1)
        has_written.set()
        may_end.wait(SECONDS)

    one = aside(lambda: transact(late, writes=True))
    assert has_written.wait(SECONDS)
    two = aside(lambda: transact(lambda: record_event("call", ref=2), writes=True))
    with suppress(TimeoutError):
        two.result(0.3)
    seen = Feed().look(START, set(), []).position
    early = [row.ref for row in events_after(START, 10)]
    may_end.set()
    one.result(SECONDS)
    two.result(SECONDS)
    assert early + [row.ref for row in events_after(seen, 10)] == [1, 2]


def test_a_broken_connection_is_replaced(store: Settings) -> None:
    """Where connections can break, reading goes on by a new one."""
    assert User.select().count() == 0
    engines.chosen().cut(store.database)
    assert User.select().count() == 0


@pytest.mark.parametrize("writes", [False, True])
def test_what_broke_before_its_end_is_done_anew(store: Settings, writes: bool) -> None:
    """A transaction whose connection breaks in its middle is carried out all the same."""
    cuts = iter([lambda: engines.chosen().cut(store.database)])

    def work() -> int:
        count = User.select().count()
        next(cuts, lambda: None)()
        return count + User.select().count()

    assert transact(work, writes=writes) == 0


def test_nobody_tries_again_what_may_have_been_done(store: Settings) -> None:
    """Where the connection breaks at the very end of what writes, it is not carried out twice."""
    tried = []

    def work() -> None:
        tried.append(add(f"ann{len(tried)}"))
        engines.chosen().cut(store.database)

    with suppress(OperationalError):
        transact(work, writes=True)
    assert len(tried) == 1


def test_a_restart_is_survived(store: Settings) -> None:
    """What was committed is there after a sudden restart of whatever serves the store."""
    transact(lambda: add("ann"), writes=True)
    engines.chosen().restart()
    assert [user.username for user in User.select()] == ["ann"]


def test_what_follows_a_failure_is_not_lost_silently(store: Settings) -> None:
    """A transaction in which something failed is either stored or says that it is not."""

    def work() -> None:
        add("ann")
        with suppress(Conflict):
            add("ann")

    try:
        transact(work, writes=True)
        stored = 1
    except Exception:
        stored = 0
    assert User.select().count() == stored


def test_a_store_that_takes_no_writing_says_so(store: Settings) -> None:
    """What would write into a store that can only be read fails as one that is full does."""

    def work() -> None:
        is_embedded = engines.name == "sqlite"
        database.execute_sql("PRAGMA query_only = 1" if is_embedded else "SET TRANSACTION READ ONLY")
        add("ann")

    with pytest.raises(TROUBLES) as failure:
        transact(work, writes=True)
    assert trouble(failure.value) == "The store cannot be written."
    assert User.select().count() == 0


def test_a_damaged_store_says_so(store: Settings) -> None:
    """What meets damage, be it behind the first row, is a trouble that is called so."""
    for number in range(100):
        add(f"{number:0>50}")
    damage_users()
    with pytest.raises(TROUBLES) as failure:
        transact(read_users, writes=False)
    assert trouble(failure.value) == "The store is damaged."
    with pytest.raises(Exception) as failure:
        read_users()
    assert (is_trouble(failure.value), trouble(failure.value)) == (True, "The store is damaged.")


def damage_users() -> None:
    """The last page of the users is none, and the first is whole."""
    if engines.name != "sqlite":
        return
    database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    query = "SELECT pageno FROM dbstat WHERE name = ? ORDER BY path DESC LIMIT 1"
    [number] = database.execute_sql(query, (User._meta.table_name,)).fetchone()
    with Path(database.obj.database).open("r+b") as file:
        file.seek(4096 * (number - 1))
        file.write(bytes(4096))


def read_users() -> None:
    if engines.name != "sqlite":
        database.execute_sql("DO $$ BEGIN RAISE data_corrupted; END $$")
    database.execute_sql(f'SELECT * FROM "{User._meta.table_name}"').fetchall()


def waits_for_the_disk(durability: str, address: str) -> bool:
    """Whether a commit is on the disk when it is told, by what the engine itself says."""
    open_store(address, durability)
    asked = "PRAGMA synchronous" if engines.name == "sqlite" else "SHOW synchronous_commit"
    [said] = transact(lambda: database.execute_sql(asked).fetchone(), writes=True)
    return said in (2, "on")


def test_what_is_stored_waits_for_the_disk(settings: Settings) -> None:
    """As it comes, a store waits for the disk at each commit; where that is relaxed it does not."""
    assert waits_for_the_disk(Settings().durability, settings.database)
    assert not waits_for_the_disk("relaxed", settings.database)
    close_store()


NAMES = ["co-op", "co_op", "coop", "coöp", "zoe", "ärger", "éa", "ｅ", "\U0001f600"]


def test_names_stand_in_the_order_of_their_characters(store: Settings) -> None:
    """Names are sorted by code points, whatever language the engine was set up for."""
    for name in reversed(NAMES):
        add(name)
    keys = [user.username_key for user in User.select().order_by(User.username_key)]
    assert keys == sorted(name_key(name) for name in NAMES)
    assert [user.username for user in User.beginning_with("co")] == ["co-op", "co_op", "coop", "coöp"]


def test_a_name_that_grows_is_kept(store: Settings) -> None:
    """A name of the longest that is taken is found, however long the form in which it is compared."""
    name = "\ufdfa" * accounts.LONGEST_NAME
    add(name)
    assert User.named([name]).count() == 1


@pytest.mark.parametrize("number", [2**31, 2**62, 2**63 - 1])
def test_a_large_id_is_nobody_s(store: Settings, number: int) -> None:
    """An id that nothing can have is looked for in vain."""
    assert User.get_or_none(User.id == number) is None


def test_nobody_is_shown_the_password_of_the_store() -> None:
    """The address of a store is shown without its password."""
    shown = address_shown("postgresql://ann:secret@db.example.org:5433/inbox?sslmode=require")
    assert shown == "postgresql://ann:***@db.example.org:5433/inbox?sslmode=require"
    assert address_shown("sqlite:///a/b.db") == "sqlite:///a/b.db"


def test_what_was_undone_has_no_consequences(tmp_path: Path) -> None:
    """Where the disk is full, what was to follow the commit does not follow a later one instead."""
    followed: list[str] = []
    open_store(f"sqlite:///{tmp_path}/full.db")
    migrate()
    database.execute_sql("CREATE TABLE heap (data)")
    [[pages]] = database.execute_sql("PRAGMA page_count").fetchall()
    database.execute_sql(f"PRAGMA max_page_count = {pages + 2}")

    def fill() -> None:
        database.after_commit(lambda: followed.append("erased"))
        database.execute_sql("INSERT INTO heap VALUES (zeroblob(1000000))")

    try:
        with pytest.raises(OperationalError, match="full"):
            transact(fill, writes=True)
        transact(is_empty, writes=False)
    finally:
        close_store()
    assert followed == []
