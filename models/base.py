"""The database handle, what every table inherits, prepared queries, transactions, and the store's life."""

import datetime
import functools
import os
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from peewee import (
    SQL,
    AutoField,
    BigIntegerField,
    CommaNodeList,
    DatabaseProxy,
    EnclosedNodeList,
    Entity,
    IntegrityError,
    Model,
    NodeList,
    OperationalError,
    PeeweeException,
    SqliteDatabase,
    Value,
    chunked,
)
from playhouse.db_url import connect
from playhouse.migrations import Runner

database = DatabaseProxy()
T = TypeVar("T")

HISTORY = "migration"
MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 5
SYNCHRONOUS = {"full": 2, "relaxed": 1}


def now() -> datetime.datetime:
    """The current moment, aware, in UTC, to the millisecond."""
    moment = datetime.datetime.now(datetime.UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def milliseconds(moment: datetime.datetime) -> int:
    """The stored form of a moment: whole milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


class MomentField(BigIntegerField):
    """An aware UTC moment, stored as a number so that every engine sorts it alike."""

    def db_value(self, value: datetime.datetime | None) -> int | None:
        return None if value is None else milliseconds(value)

    def python_value(self, value: int | None) -> datetime.datetime | None:
        if value is None:
            return None
        return datetime.datetime.fromtimestamp(value / 1000, datetime.UTC)


class NewIdField(AutoField):
    """An id that never comes back: SQLite on its own would give the newest deleted one out again."""

    def ddl(self, ctx: Any) -> Any:
        node = super().ddl(ctx)
        return NodeList((node, SQL("AUTOINCREMENT"))) if is_sqlite() else node


class Rows(Model):
    """What every row has; saving one writes the columns that were changed, and no others."""

    id: Any = NewIdField()

    class Meta:
        database = database
        legacy_table_names = False
        only_save_dirty = True


class Table(Rows):
    """A table of the store."""


class Frozen(Rows):
    """A table as a migration makes it, apart from what has become of it since."""


class Slot:
    """The place of a named parameter in a prepared query."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def slot(name: str) -> Value:
    """A parameter of a prepared query, for use where a value stands in a peewee expression."""
    return Value(Slot(name), converter=False, unpack=False)


class Prepared:
    """A peewee query whose SQL is built once; calling it fills the slots and gives named tuples.

    Building the SQL is nine tenths of what a small query costs. *build* is called at the first use and
    once more when another engine is opened. A slot takes the stored form of a value: ids, text, booleans.
    """

    def __init__(self, build: Callable[[], Any]) -> None:
        self.build = build
        self.engine: Any = None

    def __call__(self, **values: Any) -> list[Any]:
        if self.engine is not database.obj:
            self.compile()
        parameters = [values[p.name] if type(p) is Slot else p for p in self.parameters]
        rows = database.execute_sql(self.sql, parameters).fetchall()
        if self.converters:
            rows = map(self.convert, rows)
        return [self.row(*row) for row in rows]

    def one(self, **values: Any) -> Any:
        """The first row, or None."""
        return next(iter(self(**values)), None)

    def compile(self) -> None:
        query = self.build()
        self.sql, self.parameters = query.sql()
        fields = query._returning
        names = [getattr(field, "_alias", None) or field.column_name for field in fields]
        # The names are known only now, so a type checker cannot know the tuple.
        self.row: Any = namedtuple("row", names)  # type: ignore[misc]
        self.converters = [
            (place, field.python_value)
            for place, field in enumerate(getattr(f, "node", f) for f in fields)
            if isinstance(field, MomentField) or getattr(field, "field_type", "") == "BOOL"
        ]
        self.engine = database.obj

    def convert(self, row: Iterable[Any]) -> list[Any]:
        values = list(row)
        for place, python_value in self.converters:
            values[place] = python_value(values[place])
        return values


class PreparedMany:
    """A prepared query about any number of ids, asked in batches of few sizes, so that few are built.

    A batch that is smaller than its size has its last id several times.
    """

    SIZES = (1, 16, 256)

    def __init__(self, build: Callable[[list[Value]], Any]) -> None:
        self.sized = {
            size: Prepared(functools.partial(build, [slot(f"id{place}") for place in range(size)]))
            for size in self.SIZES
        }

    def __call__(self, ids: Iterable[Any]) -> list[Any]:
        rows: list[Any] = []
        for batch in chunked(sorted(set(ids)), self.SIZES[-1]):
            size = next(size for size in self.SIZES if size >= len(batch))
            padded = list(batch) + [batch[-1]] * (size - len(batch))
            rows += self.sized[size](**{f"id{place}": each for place, each in enumerate(padded)})
        return rows


def is_sqlite() -> bool:
    return isinstance(database.obj, SqliteDatabase)


def transact(work: Callable[[], T], *, writes: bool) -> T:
    """Do *work* in one transaction; one that only reads sees one state of the store and blocks nobody."""
    with database.atomic(*([] if writes else [SNAPSHOT[is_sqlite()]])):
        return work()


# How a transaction that only reads starts, by whether the engine is SQLite. One that writes takes SQLite's
# write lock at once (see sqlite_options): it would fail if it read first and another writer came between.
SNAPSHOT = {True: "DEFERRED", False: "REPEATABLE READ"}


@contextmanager
def impatient() -> Iterator[None]:
    """Do not wait for another writer, for a write on which nothing depends."""
    if not is_sqlite():
        yield
        return
    database.execute_sql("PRAGMA busy_timeout = 50")
    try:
        yield
    finally:
        database.execute_sql(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def causes(error: BaseException) -> Iterable[str]:
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


FULL = {"SQLITE_FULL", "53100"}
BUSY = {"SQLITE_BUSY", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED", "55P03"}


def trouble(error: BaseException) -> str:
    """What keeps the store from answering, in a few words."""
    names = set(causes(error))
    if names & FULL:
        return "The storage is full."
    if names & BUSY:
        return "The store is busy."
    return "The store does not answer."


# What an engine's driver raises where it cannot go on; peewee wraps only what comes before the first row.
TROUBLES = (OperationalError, sqlite3.OperationalError)


class StoreError(Exception):
    """The store cannot be opened as it is; the text says why in one sentence."""


def open_store(url: str, durability: str = "full") -> Any:
    """Point every table at the database behind *url*, such as ``sqlite:///switchboard.db``.

    :param durability: ``full`` waits for the disk at every commit, ``relaxed`` may lose the last moments
        before a loss of power but never the order of things
    """
    close_store()
    try:
        engine = connect(url, **(sqlite_options(durability) if url.startswith("sqlite") else {}))
        database.initialize(engine)
        database.connect()
    except (PeeweeException, RuntimeError, ImportError) as error:
        raise StoreError(f"The store {url} cannot be opened: {error}.") from error
    return engine


def close_store() -> None:
    if database.obj is not None and not database.is_closed():
        database.close()


def sqlite_options(durability: str) -> dict[str, Any]:
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


def store_path(url: str) -> Path | None:
    """The file of an embedded store, None for a database server."""
    prefix = "sqlite:///"
    return Path(url.removeprefix(prefix).partition("?")[0]) if url.startswith(prefix) else None


def copy_store(target: Path) -> None:
    """Write a copy of the open embedded store, as it is at one moment, to *target*, for its owner alone.

    In one statement: a copy in steps begins anew with every write, and a copy of the file misses the log.
    """
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    try:
        database.execute_sql("VACUUM INTO ?", (str(unfinished),))
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def engine_faults() -> Iterator[str]:
    """What an embedded engine itself finds: damaged pages, rows that refer to nothing."""
    if not is_sqlite():
        return
    try:
        texts = [text for (text,) in database.execute_sql("PRAGMA integrity_check").fetchall()]
    except sqlite3.DatabaseError as error:
        texts = [str(error)]
    if texts != ["ok"]:
        yield from (f"store: {text}" for text in texts)
        return
    for table, row, parent, _ in database.execute_sql("PRAGMA foreign_key_check").fetchall():
        yield f"{table} {row}: what it refers to in {parent} is not there"


def remake(tables: list[type[Frozen]], **filling: str) -> None:
    """Give tables another form and keep their rows and what ids they have given out.

    SQLite changes little of a table that is there. Tables stand after those to which they refer.

    :param filling: what stands in a new column, in SQL, by the column's name
    """
    kept = [keep(table) for table in tables]
    database.drop_tables(reversed(tables), safe=False)
    database.create_tables(tables)
    for table, (copy, columns, newest) in zip(tables, kept, strict=True):
        new = [field.column_name for field in table._meta.sorted_fields if field.column_name not in columns]
        names = EnclosedNodeList([Entity(name) for name in columns + new])
        values = CommaNodeList(
            [*(Entity(name) for name in columns), *(SQL(filling.get(name, "NULL")) for name in new)]
        )
        into = NodeList((SQL("INSERT INTO"), Entity(table._meta.table_name), names))
        database.execute(NodeList((into, SQL("SELECT"), values, SQL("FROM"), copy)))
        database.execute(NodeList((SQL("DROP TABLE"), copy)))
        go_on_from(table, newest)


def keep(table: type[Frozen]) -> tuple[Entity, list[str], int]:
    """Copy the rows of a table: the copy, its columns, and the newest id that was ever given out."""
    name = table._meta.table_name
    columns = [column.name for column in database.get_columns(name)]
    copy = Entity(f"kept_{name}")
    database.execute(NodeList((SQL("CREATE TABLE"), copy, SQL("AS SELECT * FROM"), Entity(name))))
    return copy, columns, newest_given(table)


def newest_given(table: type[Rows]) -> int:
    name = table._meta.table_name
    if is_sqlite():
        query, values = "SELECT seq FROM sqlite_sequence WHERE name = ?", (name,)
    else:
        query, values = "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)", (name,)
    row = database.execute_sql(query, values).fetchone()
    return (row and row[0]) or 0


def go_on_from(table: type[Rows], newest: int) -> None:
    """Let the next id of the table be newer than *newest*."""
    if not newest:
        return
    name = table._meta.table_name
    if is_sqlite():
        database.execute_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        database.execute_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, newest))
    else:
        database.execute_sql("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", (name, newest))


def runner() -> Runner:
    return Runner(database.obj, str(MIGRATIONS), table_name=HISTORY)


def pending_migrations() -> list[str]:
    """The names of the numbered steps that this store still lacks; a store from the future is refused."""
    try:
        steps = runner().status()
    except PeeweeException as error:
        raise StoreError(f"The store cannot be read: {error}.") from error
    newer = [step.name for step in steps if step.path is None]
    if newer:
        raise StoreError(f"The store is newer than this program: it has had the step {newer[0]}.")
    return [step.name for step in steps if not step.applied]


def is_empty() -> bool:
    """Whether nothing has been stored yet."""
    return set(database.get_tables()) <= {HISTORY}


def migrate() -> list[str]:
    """Bring the store up to date; the names of the steps that were taken."""
    try:
        return list(runner().up())
    except IntegrityError:
        # Another process took the same step at the same moment, and this one has been rolled back.
        if pending_migrations():
            raise
        return []
