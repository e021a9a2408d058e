"""What only one engine understands: SQLite in a file of one's own, or a PostgreSQL server."""

import logging
import os
import random
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import peewee
from peewee import (
    DataError,
    InternalError,
    OperationalError,
    PeeweeException,
    PostgresqlDatabase,
    SqliteDatabase,
)

T = TypeVar("T")
# Raises what drivers raise under its own names; the types of the library leave it out.
as_peewee_does = peewee.__exception_wrapper__  # type: ignore[attr-defined]
Row = tuple[Any, ...]
STATEMENTS = logging.getLogger("peewee")

BUSY_SECONDS = 5
# How long a write waits on which nothing depends.
HASTE = 0.05
# For how long a store is looked at before it is used; larger ones are not seen to their end.
GLANCE_SECONDS = 0.5
SYNCHRONOUS = {"full": 2, "relaxed": 1}
EMBEDDED = "sqlite:///"
SERVERS = ("postgresql://", "postgres://")
# A password where a store's address can have it: before the last @, which it may itself have, or as a term.
PASSWORD = re.compile(r"(?<=//)([^:@/]*):.*(?=@)|(?<=[?&]password=)[^&]*")
# How often a call is tried on a server beside others, how often alone, and the longest pause at first,
# in seconds.
TRIES_BESIDE, TRIES_ALONE, PAUSE = 4, 3, 0.01
# What all who write hold of a table that they do not use, and who has to be alone gets only after them all.
BESIDE, ALONE = (f"LOCK TABLE migration IN {mode} MODE" for mode in ("ROW EXCLUSIVE", "EXCLUSIVE"))
# Of two that write at one moment one has to begin anew: it saw what the other changed, or both wait.
COLLISIONS = {"40001", "40P01"}
# What PostgreSQL calls the kind of a column that says yes or no.
BOOL = 16
# By what a process that serves is known on a database server: the driver reads this of its environment.
SERVING = {"PGAPPNAME": "switchboard serve"}


class Replaced(OperationalError):
    """The file that was opened is not where it was: what is written now would be in no store."""

    sqlite_errorname = "REPLACED"


class Embedded(SqliteDatabase):
    """SQLite: one transaction writes at a time while the others wait, so that ids are in commit order."""

    # Which file was opened, whatever is at its path by now.
    opened: tuple[int, int] | None = None

    is_embedded = True
    id_ending = "AUTOINCREMENT"
    # What an event's turn is, and below which turns all transactions have ended.
    has_turns, turn, open_turns = False, "0", "1"
    text = ""

    def run(self, work: Callable[[], T], *, writes: bool) -> T:
        """Do *work* in one transaction; one that only reads sees one state of the store and blocks nobody.

        One that writes takes the write lock at once (see ``options``): it would fail if it read first and
        another writer came between.
        """
        if writes:
            self.refuse_replaced()
        with self.transaction(None if writes else "DEFERRED"):
            return work()

    def _connect(self) -> Any:
        if self.opened is not None:
            self.refuse_replaced()
        made = super()._connect()  # type: ignore[misc]  # what has no types is unknown there
        self.opened = self.opened or self.in_place()
        return made

    def in_place(self) -> tuple[int, int] | None:
        """Which file is where the store should be."""
        try:
            found = os.stat(self.database)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def refuse_replaced(self) -> None:
        if self.in_place() != self.opened:
            raise Replaced("the file of the store was removed or replaced")

    def probe(self) -> None:
        """Fail where the store cannot be used."""
        self.refuse_replaced()
        self.execute_sql("SELECT 1 FROM sqlite_master").fetchone()

    def damage(self) -> str:
        """What is wrong with its pages, as far as that can be seen in a moment; check sees all."""
        connection = self.connection()
        if self.is_cut():
            return "its file ends within a page"
        watch = threading.Timer(GLANCE_SECONDS, connection.interrupt)
        watch.start()
        try:
            [(found,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
        except sqlite3.DatabaseError as error:
            found = "ok" if error.sqlite_errorname == "SQLITE_INTERRUPT" else str(error)
        finally:
            watch.cancel()
            watch.join()
        return "" if found == "ok" else " ".join(found.replace("*** in database main ***", "").split())

    def is_cut(self) -> bool:
        """Whether the file ends within a page, and there is no log that might have the rest of it.

        The engine takes what is missing for zeros, in which there may be nothing wrong to see.
        """
        [(size,)] = self.connection().execute("PRAGMA page_size").fetchall()
        path = Path(self.database)
        log = path.with_name(f"{path.name}-wal")
        return path.stat().st_size % size > 0 and not (log.exists() and log.stat().st_size)

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Send a statement; in the library's longer way where somebody wants to hear of every one."""
        if self.query_hooks or STATEMENTS.isEnabledFor(logging.DEBUG):
            return super().execute_sql(sql, params)
        try:
            return self.connection().execute(sql, params or ())
        except sqlite3.Error:
            with as_peewee_does:
                raise

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Do not wait for another writer, for a write on which nothing depends."""
        self.execute_sql(f"PRAGMA busy_timeout = {round(HASTE * 1000)}")
        try:
            yield
        finally:
            self.execute_sql(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")

    def alone(self) -> AbstractContextManager[None]:
        """Each step of a migration takes the write lock by itself."""
        return nullcontext()

    def copy_to(self, target: Path) -> None:
        """Write a copy of the store, as it is at one moment, to *target*, for its owner alone.

        In one statement: a copy in steps begins anew with every write, and a copy of the file misses the log.
        """
        unfinished = target.with_name(f"{target.name}.{os.getpid()}")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        try:
            self.execute_sql("VACUUM INTO ?", (str(unfinished),))
            with unfinished.open("rb") as copy:
                os.fsync(copy.fileno())
            os.replace(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)

    def faults(self) -> Iterator[str]:
        """What SQLite itself finds: damaged pages, rows that refer to nothing."""
        try:
            texts = [text for (text,) in self.execute_sql("PRAGMA integrity_check").fetchall()]
        except sqlite3.DatabaseError as error:
            texts = [str(error)]
        if texts != ["ok"]:
            yield from (f"store: {text}" for text in texts)
            return
        for table, row, parent, _ in self.execute_sql("PRAGMA foreign_key_check").fetchall():
            yield f"{table} {row}: what it refers to in {parent} is not there"

    def newest_given(self, table: str) -> int:
        """The newest id that a table has ever given out, or 0."""
        row = self.execute_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return (row and row[0]) or 0

    def go_on_from(self, table: str, newest: int) -> None:
        """Let the next id of a table be newer than *newest*."""
        self.execute_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        self.execute_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, newest))

    def snapshot(self) -> AbstractContextManager[Any]:
        """A transaction that reads, and sees one state of the store for as long as it lasts.

        Who reads all of the store would have all of its file in memory where the file is mapped.
        """
        self.execute_sql("PRAGMA mmap_size = 0")
        return self.atomic("DEFERRED")

    def stored(self, sql: str, params: Any) -> list[Row]:
        """What a query finds, in the form that all engines share."""
        rows: list[Row] = self.execute_sql(sql, params).fetchall()
        return rows

    def put(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Store any number of rows, given in the form that all engines share, as they come."""
        names, places = listed(columns), ", ".join("?" for _ in columns)
        # The names are those of our own tables, and quoted; values have their places.
        statement = f"INSERT INTO {quoted(table)} ({names}) VALUES ({places})"  # noqa: S608
        try:
            with as_peewee_does:
                self.connection().executemany(statement, rows)
        except OverflowError as error:
            raise DataError("a number is too large") from error

    def do_after(self, event: str, table: str, condition: str, work: str) -> None:
        """Let statements be carried out with each row of a table that comes, changes or goes."""
        name = f"{table}_after_{event.lower()}"
        self.execute_sql(f"CREATE TRIGGER {name} AFTER {event} ON {table} WHEN {condition} BEGIN {work} END")

    def learn(self) -> None:
        """Get to know rows of which there are suddenly many; SQLite plans well enough without."""

    def is_served(self) -> bool:
        """A lock beside its file tells whether a store is served (see where backups are restored)."""
        return False


class Unsure(OperationalError):
    """The connection was lost while a transaction was committed: nobody can tell whether it was."""


class Manners(threading.local):
    """How a thread goes about the store: how long it waits, and what it locks first."""

    patience: float = BUSY_SECONDS
    lock = ""


class Server(PostgresqlDatabase):
    """PostgreSQL: several transactions write at a time; one that got between others is done over.

    Nothing is kept in a session between transactions, so that a pooler may stand between.
    """

    is_embedded = False
    id_ending = ""
    has_turns = True
    turn = "(pg_current_xact_id()::text::bigint)"
    open_turns = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    # As SQLite has it: text of any length, in the order of its code points, and numbers of 64 bits.
    text = 'TEXT COLLATE "C"'
    field_types = {
        **PostgresqlDatabase.field_types,
        "AUTO": "BIGSERIAL",
        "INT": "BIGINT",
        "TEXT": text,
    }

    def __init__(self, url: str, durability: str) -> None:
        self.manners = Manners()
        self.commits = "" if durability == "full" else "; SET LOCAL synchronous_commit = off"
        super().__init__(
            url.replace("postgres://", "postgresql://", 1),
            prefer_psycopg3=True,
            prepare_threshold=None,
            connect_timeout=BUSY_SECONDS,
            client_encoding="utf8",
        )

    def _initialize_connection(self, conn: Any) -> None:
        encoding = conn.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            conn.close()
            raise InternalError(f"its encoding is {encoding} and has to be UTF8")

    def run(self, work: Callable[[], T], *, writes: bool) -> T:
        """Do *work* in one transaction, and all of it anew where it got between others.

        One that only reads sees one state of the store. Of those that write each sees the store as if no
        other did: one that cannot is undone and tried again; in the end alone, or on a row that many want
        some would never be done. So is, once, what was lost with its connection before it was committed.
        """
        losses = 1
        last = TRIES_BESIDE + TRIES_ALONE
        for number in range(1, last + 1):
            if writes:
                self.manners.lock = BESIDE if number <= TRIES_BESIDE else ALONE
            try:
                with self.atomic("SERIALIZABLE" if writes else "REPEATABLE READ READ ONLY"):
                    return work()
            except OperationalError as error:
                if is_collision(error) and number < last:
                    # No secret, but not the same for all, or they would meet again.
                    time.sleep(random.uniform(0, PAUSE * number))  # noqa: S311
                elif self.is_closed() and losses and not (writes and isinstance(error, Unsure)):
                    losses -= 1
                else:
                    raise
        raise OperationalError("too many collisions")

    def begin(self, isolation_level: str | None = None) -> None:
        """Begin a transaction, on a new connection where the old one is lost."""
        level, wait = isolation_level or "SERIALIZABLE", round(self.manners.patience * 1000)
        statement = f"BEGIN ISOLATION LEVEL {level}; SET LOCAL lock_timeout = {wait}{self.commits}"
        if self.manners.lock:
            # To lock a table is the one thing that can be waited for before what is seen is settled.
            statement, self.manners.lock = f"{statement}; {self.manners.lock}", ""
        try:
            super().execute_sql(statement)
        except OperationalError:
            if not self.is_lost():
                self.rollback()
                raise
            self.drop()
            super().execute_sql(statement)

    def commit(self) -> None:
        try:
            cursor = super().execute_sql("COMMIT")
        except OperationalError as error:
            if self.is_lost():
                raise Unsure(*error.args) from error
            raise
        # To commit what has failed is no error to PostgreSQL.
        if cursor.statusmessage != "COMMIT":
            raise InternalError("the transaction had failed before")

    def rollback(self) -> None:
        """Undo the transaction, which a lost connection has done already."""
        try:
            super().rollback()
        except PeeweeException:
            self.drop()

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        try:
            return super().execute_sql(sql, params)
        except OperationalError:
            if self.in_transaction() or not self.is_lost():
                raise
            self.drop()
            if not sql.startswith("SELECT"):
                raise
            return super().execute_sql(sql, params)

    def probe(self) -> None:
        """Fail where the store cannot be used."""
        self.execute_sql("SELECT 1").fetchone()

    def damage(self) -> str:
        """Nothing: PostgreSQL looks after its pages itself."""
        return ""

    def is_lost(self) -> bool:
        """Whether the connection of this thread has broken."""
        return not self.is_closed() and bool(self.connection().closed)

    def drop(self) -> None:
        """Forget the connection of this thread; the next statement opens another."""
        if not self.is_closed():
            with suppress(Exception):
                self.connection().close()
        self.dispose()

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Do not wait for another writer, for a write on which nothing depends."""
        self.manners.patience = HASTE
        try:
            yield
        finally:
            self.manners.patience = BUSY_SECONDS

    @contextmanager
    def alone(self) -> Iterator[None]:
        """All steps of a migration are one transaction, and whoever else wants to take them waits for it."""
        with self.atomic("READ COMMITTED"):
            self.execute_sql("SELECT pg_advisory_xact_lock(hashtext('switchboard migration'))")
            yield

    def faults(self) -> Iterator[str]:
        """Nothing: PostgreSQL looks after its pages and references itself."""
        return iter(())

    def newest_given(self, table: str) -> int:
        """The newest id that a table has ever given out, or 0."""
        query = "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)"
        [(newest,)] = self.execute_sql(query, (table,)).fetchall()
        return newest or 0

    def go_on_from(self, table: str, newest: int) -> None:
        """Let the next id of a table be newer than *newest*."""
        self.execute_sql("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", (table, newest))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A transaction that reads, and sees one state of the store for as long as it lasts.

        Where its connection is lost after the last of it was read, nothing is.
        """
        is_read = False
        try:
            with self.atomic("REPEATABLE READ READ ONLY"):
                yield
                is_read = True
        except Unsure:
            if not is_read:
                raise

    def stored(self, sql: str, params: Any) -> list[Row]:
        """What a query finds, in the form that all engines share: a yes or no is 1 or 0."""
        cursor = self.execute_sql(sql, params)
        rows: list[Row] = cursor.fetchall()
        if any(column.type_code == BOOL for column in cursor.description):
            return [tuple(int(value) if type(value) is bool else value for value in row) for row in rows]
        return rows

    def put(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Store any number of rows, given in the form that all engines share, as they come."""
        statement = f"COPY {quoted(table)} ({listed(columns)}) FROM STDIN"
        with as_peewee_does, self.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def do_after(self, event: str, table: str, condition: str, work: str) -> None:
        """Let statements be carried out with each row of a table that comes, changes or goes."""
        name = f"{table}_after_{event.lower()}"
        self.execute_sql(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {work} RETURN NULL; END $$"
        )
        self.execute_sql(
            f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW WHEN ({condition}) "
            f"EXECUTE FUNCTION {name}()"
        )

    def learn(self) -> None:
        """Get to know rows of which there are suddenly many; without, queries over all of them take hours."""
        self.execute_sql("ANALYZE")

    def is_served(self) -> bool:
        """Whether a server is connected, wherever it runs; its connections have a name of their own."""
        query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
        return self.execute_sql(query, (SERVING["PGAPPNAME"],)).fetchone() is not None


Engine = Embedded | Server


def engine_at(url: str, durability: str) -> Engine:
    """The engine behind *url*, not yet connected."""
    if url.startswith(SERVERS):
        if find_driver() is None:
            raise RuntimeError("psycopg is missing, please install switchboard[postgresql]")
        return Server(url, durability)
    path = store_path(url)
    if path is None:
        raise RuntimeError("Only sqlite:///… and postgresql://… are stores")
    return Embedded(str(path), **options(durability))


def store_path(url: str) -> Path | None:
    """The file of an embedded store, None for a database server."""
    return Path(url.removeprefix(EMBEDDED)) if url.startswith(EMBEDDED) else None


def end_log(path: Path) -> bool:
    """Let the log of an embedded store, if it still is one, end in its file; False where others use it."""
    try:
        with closing(sqlite3.connect(path)) as engine:
            [(is_busy, _, _)] = engine.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname in BUSY:
            return False
        if error.sqlite_errorname.startswith(RUINED):
            return True
        with as_peewee_does:
            raise
    return not is_busy


def quoted(name: str) -> str:
    """The name of a table or column in a statement."""
    return '"{}"'.format(name.replace('"', '""'))


def listed(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names))


def options(durability: str) -> dict[str, Any]:
    """How SQLite is opened."""
    return {
        "timeout": BUSY_SECONDS,
        "lock_type": "IMMEDIATE",
        "pragmas": {
            "journal_mode": "wal",
            "synchronous": SYNCHRONOUS[durability],
            "foreign_keys": 1,
            "wal_autocheckpoint": 4000,
            "mmap_size": 2**30,
            "temp_store": "memory",
        },
    }


def address_shown(url: str) -> str:
    """The address of a store as it may be shown: without a password."""
    return PASSWORD.sub(lambda found: f"{found[1]}:***" if found[1] is not None else "***", url)


def causes(error: BaseException) -> Iterator[str]:
    """The names by which the engine calls a failure, through all that was raised on top of it."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        link = pending.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield getattr(link, "sqlite_errorname", "") or getattr(link, "sqlstate", "") or ""
        pending += [link.__cause__, link.__context__, *(a for a in link.args if isinstance(a, BaseException))]


def is_collision(error: BaseException) -> bool:
    return not COLLISIONS.isdisjoint(causes(error))


FULL = {"SQLITE_FULL", "53100"}
RUINED = ("SQLITE_NOTADB", "SQLITE_CORRUPT")
BUSY = {"SQLITE_BUSY", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED", "55P03", *COLLISIONS}


def trouble(error: BaseException) -> str:
    """What keeps the store from answering, in a few words."""
    names = set(causes(error))
    if names & FULL:
        return "The storage is full."
    if names & BUSY:
        return "The store is busy."
    if Replaced.sqlite_errorname in names:
        return "The file of the store was removed or replaced."
    return "The store does not answer."


def find_driver() -> ModuleType | None:
    """What talks to PostgreSQL, which is installed only where it is wanted."""
    with suppress(ImportError):
        import psycopg

        return psycopg
    return None


def driver_troubles() -> tuple[type[Exception], ...]:
    driver = find_driver()
    return (sqlite3.OperationalError, driver.OperationalError) if driver else (sqlite3.OperationalError,)


# What an engine's driver raises where it cannot go on; peewee wraps only what comes before the first row.
TROUBLES: tuple[type[Exception], ...] = (OperationalError, *driver_troubles())
