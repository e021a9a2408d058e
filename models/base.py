"""The database handle, what every table inherits, prepared queries, transactions, and the store's life."""

import datetime
import functools
import time
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import peewee
from peewee import (
    SQL,
    AutoField,
    BigIntegerField,
    CommaNodeList,
    DatabaseProxy,
    EnclosedNodeList,
    Entity,
    Model,
    NodeList,
    PeeweeException,
    Value,
    fn,
)
from playhouse.migrations import Runner

from .engines import DAMAGED, address_shown, engine_at
from .work import Begin, untold

database = DatabaseProxy()
T = TypeVar("T")
UTC, from_seconds = datetime.UTC, datetime.datetime.fromtimestamp

HISTORY = "migration"
MIGRATIONS = Path(__file__).parent / "migrations"


def now() -> datetime.datetime:
    """The current moment, aware, in UTC, to the millisecond."""
    return from_seconds(time.time_ns() // 1_000_000 / 1000, UTC)


# The newest messages are read again and again; a moment that is the same object is also written faster.
@functools.lru_cache(1000)
def moment(number: int | None) -> datetime.datetime | None:
    """The moment that is stored as this number."""
    return None if number is None else from_seconds(number / 1000, UTC)


def milliseconds(moment: datetime.datetime) -> int:
    """The stored form of a moment: whole milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


class MomentField(BigIntegerField):
    """An aware UTC moment, stored as a number so that every engine sorts it alike."""

    def db_value(self, value: datetime.datetime | None) -> int | None:
        return None if value is None else milliseconds(value)

    def python_value(self, value: int | None) -> datetime.datetime | None:
        return moment(value)


class NewIdField(AutoField):
    """An id that never comes back: SQLite on its own would give the newest deleted one out again."""

    def ddl(self, ctx: Any) -> Any:
        node, ending = super().ddl(ctx), database.obj.id_ending
        return NodeList((node, SQL(ending))) if ending else node


class CharField(peewee.CharField):
    """A short text column; how long it may be is said where it is filled, and not by the engine."""

    def ddl_datatype(self, ctx: Any) -> Any:
        return SQL(database.obj.text) if database.obj.text else super().ddl_datatype(ctx)


class TurnField(BigIntegerField):
    """The transaction that made a row, as a number that only grows; 0 where only one writes at a time."""

    def ddl(self, ctx: Any) -> Any:
        return NodeList((super().ddl(ctx), SQL(f"DEFAULT {database.obj.turn}")))


class Rows(Model):
    """What every row has; saving one writes the columns that were changed, and no others."""

    id: Any = NewIdField()

    class Meta:
        database = database
        legacy_table_names = False
        only_save_dirty = True

    @classmethod
    def of_row(cls, row: Any, start: int = 0) -> Self:
        """The object whose columns stand in *row*, in the order of the fields, from the place *start* on."""
        names = cls._meta.sorted_field_names
        made = cls.__new__(cls)
        # All that the library's own constructor makes, in one go.
        values = dict(zip(names, row[start : start + len(names)], strict=True))
        made.__dict__ = {"__data__": values, "_dirty": set(), "__rel__": {}}
        return made


class Table(Rows):
    """A table of the store."""


class Own(Rows):
    """A table that means something in one store alone: it is made with it, and its rows are never moved."""


def every_table() -> list[type[Rows]]:
    """All tables of a store."""
    return [*Table.__subclasses__(), *Own.__subclasses__()]


class Frozen(Rows):
    """A table as a migration makes it, apart from what has become of it since."""


def total(number: Any) -> Any:
    """The sum of a number over rows, as a whole number where an engine would make it a decimal one."""
    return fn.SUM(number).cast("BIGINT")


class Slot(NamedTuple):
    """The place of a named parameter in a prepared query; *store* gives the stored form of a value."""

    name: str
    store: Callable[[Any], Any] | None


def slot(name: str, field: Any = None) -> Value:
    """A parameter of a prepared query, for use where a value stands in a peewee expression.

    It takes the stored form of a value, or what a *field* takes; wherever a query has it, the same.
    """
    return Value(Slot(name, field and field.db_value), converter=False, unpack=False)


class Prepared:
    """A peewee query whose SQL is built once; calling it fills the slots and gives named tuples.

    Building the SQL is nine tenths of what a small query costs. *build* is called at the first use and
    once more when another engine is opened. One that changes rows and returns none is carried out by ``do``.
    """

    def __init__(self, build: Callable[[], Any]) -> None:
        self.build = build
        self.engine: Any = None

    def __call__(self, **values: Any) -> list[Any]:
        return self.rows(values)

    def do(self, **values: Any) -> None:
        self.send(values)

    def one(self, **values: Any) -> Any:
        """The first row, or None."""
        rows = self.rows(values)
        return rows[0] if rows else None

    def rows(self, values: dict[str, Any]) -> list[Any]:
        found = self.send(values).fetchall()
        if found and self.converters:
            # By columns, which takes a fraction of what a look at each row would.
            columns: list[Any] = list(zip(*found, strict=True))
            for place, convert in self.converters:
                columns[place] = map(convert, columns[place])
            found = zip(*columns, strict=True)
        return list(map(self.row, found))

    def send(self, values: dict[str, Any]) -> Any:
        """Send the query; the cursor."""
        if self.engine is not database.obj:
            self.compile()
        for name, store in self.stores.items():
            values[name] = store(values[name])
        given = {**values, **self.constants} if self.constants else values
        return self.engine.execute_sql(self.sql, list(map(given.__getitem__, self.keys)))

    def compile(self) -> None:
        query = self.build()
        self.sql, self.parameters = query.sql()
        # What stands at a parameter's place: the name of a slot, or the place itself of a constant.
        self.keys = [p.name if type(p) is Slot else str(place) for place, p in enumerate(self.parameters)]
        self.constants = {str(place): p for place, p in enumerate(self.parameters) if type(p) is not Slot}
        self.stores = {p.name: p.store for p in self.parameters if type(p) is Slot and p.store is not None}
        fields = query._returning or ()
        names = [getattr(field, "_alias", None) or field.column_name for field in fields]
        # The names are known only now, so a type checker cannot know the tuple.
        row = namedtuple("row", names, rename=True)  # type: ignore[misc]
        # Made without the function that a named tuple is called by, which costs more than all the rest.
        self.row = functools.partial(tuple.__new__, row)
        columns = [(place, converter(getattr(field, "node", field))) for place, field in enumerate(fields)]
        self.converters = [(place, convert) for place, convert in columns if convert is not None]
        self.engine = database.obj


def converter(field: Any) -> Callable[[Any], Any] | None:
    """What makes of a column's stored value that of Python, None where they are the same."""
    if isinstance(field, MomentField):
        return moment
    return FLAGS.get if getattr(field, "field_type", "") == "BOOL" else None


# Engines store them as numbers or as what they are, which is the same to a mapping.
FLAGS = {0: False, 1: True, None: None}


class PreparedMany:
    """A prepared query about any number of ids, asked in batches of few sizes, so that few are built.

    A batch that is smaller than its size has its last id several times.
    """

    SIZES = (1, 5, 20, 50, 250)

    def __init__(self, build: Callable[[list[Value]], Any]) -> None:
        self.names = [f"id{place}" for place in range(self.SIZES[-1])]
        self.sized = {
            size: Prepared(functools.partial(build, [slot(name) for name in self.names[:size]]))
            for size in self.SIZES
        }

    def __call__(self, ids: Iterable[Any]) -> list[Any]:
        rows: list[Any] = []
        wanted, most = sorted(set(ids)), self.SIZES[-1]
        for start in range(0, len(wanted), most):
            batch = wanted[start : start + most]
            size = next(size for size in self.SIZES if size >= len(batch))
            padded = batch + batch[-1:] * (size - len(batch))
            rows += self.sized[size].rows(dict(zip(self.names, padded, strict=False)))
        return rows


def transact(work: Callable[[], T], *, writes: bool) -> T:
    """Do *work* in one transaction, which sees one state of the store; it may be tried more than once.

    Within another transaction it is a part of that one.
    """
    engine = database.obj
    if engine.in_transaction():
        with engine.atomic():
            return work()
    done: T = engine.run(work, writes=writes)
    return done


def impatient() -> AbstractContextManager[None]:
    """Do not wait for another writer, for a write on which nothing depends."""
    waiting: AbstractContextManager[None] = database.obj.impatient()
    return waiting


class StoreError(Exception):
    """The store cannot be opened as it is; the text says why in one sentence."""


def open_store(url: str, durability: str = "full") -> Any:
    """Point every table at the database behind *url*, such as ``sqlite:///switchboard.db``.

    :param durability: ``full`` waits for the disk at every commit, ``relaxed`` may lose the last moments
        before a loss of power but never the order of things
    """
    close_store()
    engine = connected(url, durability)
    database.initialize(engine)
    return engine


def connected(url: str, durability: str = "full") -> Any:
    """The engine behind *url*, which is open while every table goes on to be that of another store."""
    try:
        engine = engine_at(url, durability)
        engine.connect()
    except (PeeweeException, RuntimeError, ValueError, ImportError) as error:
        reason = "; ".join(" ".join(line.split()) for line in str(error).splitlines())
        ending = "" if reason.endswith("?") else "."
        raise StoreError(f"The store {address_shown(url)} cannot be opened: {reason}{ending}") from error
    return engine


def close_store() -> None:
    if database.obj is not None and not database.is_closed():
        database.close()


def copy_store(target: Path) -> None:
    """Write a copy of the open embedded store, as it is at one moment, to *target*."""
    database.obj.copy_to(target)


def engine_faults() -> Iterator[str]:
    """What the engine itself finds wrong."""
    yield from database.obj.faults()


def probe() -> None:
    """Fail where the open store cannot be used."""
    database.obj.probe()


def store_size() -> int:
    """How many bytes the open store takes."""
    return int(database.obj.size())


def newest_given(table: type[Table]) -> int:
    """The newest id that a table of the open store has ever given out, or 0."""
    return int(database.obj.newest_given(table._meta.table_name))


def server_version() -> str:
    """The version of the database server, where the open store is on one."""
    return str(database.obj.version())


def server_clock() -> float:
    """What its clock tells, in seconds since 1970."""
    return float(database.obj.clock())


def met_damage() -> str:
    """What is to be said where anybody in this process has met damage in the open store, or nothing."""
    return DAMAGED if database.obj.is_damaged else ""


def damage() -> str:
    """What is seen to be wrong with the pages of the open store in a moment at most, or nothing."""
    return str(database.obj.damage())


def refuse_damaged() -> None:
    """Refuse the open store where something is seen to be wrong with its pages."""
    if found := damage():
        raise StoreError(f"The store is damaged: {found}. A backup can be restored.")


def is_embedded() -> bool:
    """Whether the open store is a file of one's own."""
    return bool(database.obj.is_embedded)


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
        if newest:
            database.obj.go_on_from(table._meta.table_name, newest)


def keep(table: type[Frozen]) -> tuple[Entity, list[str], int]:
    """Copy the rows of a table: the copy, its columns, and the newest id that was ever given out."""
    name = table._meta.table_name
    columns = [column.name for column in database.get_columns(name)]
    copy = Entity(f"kept_{name}")
    database.execute(NodeList((SQL("CREATE TABLE"), copy, SQL("AS SELECT * FROM"), Entity(name))))
    return copy, columns, database.obj.newest_given(name)


def runner(engine: Any = None) -> Runner:
    return Runner(engine or database.obj, str(MIGRATIONS), table_name=HISTORY)


def pending_migrations(engine: Any = None) -> list[str]:
    """The names of the numbered steps that a store still lacks, the open one or another.

    A store from the future is refused.
    """
    try:
        steps = runner(engine).status()
    except PeeweeException as error:
        raise StoreError(f"The store cannot be read: {error}.") from error
    newer = [step.name for step in steps if step.path is None]
    if newer:
        raise StoreError(f"The store is newer than this program: it has had the step {newer[0]}.")
    return [step.name for step in steps if not step.applied]


def is_empty() -> bool:
    """Whether nothing has been stored yet."""
    return set(database.get_tables()) <= {HISTORY}


def migrate(begin: Begin = untold) -> list[str]:
    """Bring the store up to date; the names of the steps that were taken."""
    advance = begin("Taking steps", len(pending_migrations()))
    with database.obj.alone():
        taking, steps = runner(), pending_migrations()
        for step in steps:
            taking.up(step)
            advance(1)
    return steps
