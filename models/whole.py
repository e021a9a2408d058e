"""All that a store holds: read in one state, put into an empty store at once, and compared.

Which tables there are, their order and their columns are read off the models. What is moved has the form in
which it is stored: moments are numbers, a yes or no is 1 or 0. The log of events goes along, but for the
turns in which they happened: all of them happened before anything that happens in the new store.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from itertools import groupby
from operator import itemgetter
from typing import Any

import peewee
from peewee import (
    SQL,
    DataError,
    Entity,
    IntegrityError,
    InterfaceError,
    NodeList,
    ProgrammingError,
    fn,
)

from . import check, search
from .base import HISTORY, Own, StoreError, Table, TurnField, database, pending_migrations, runner
from .engines import WORDS, Row
from .work import Advance, Begin, untold

# So many rows are in memory at a time.
BATCH = 2000
Batch = tuple[str, list[Row]]

encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class Held:
    """What a table holds: so many rows with these columns; *newest_id* is the newest id ever given out."""

    columns: list[str]
    rows: int
    newest_id: int


@dataclass(frozen=True)
class Contents:
    """What a store holds that has had this *step* as its newest, by table; references point back in them."""

    step: str
    tables: dict[str, Held]

    @property
    def rows(self) -> int:
        return sum(held.rows for held in self.tables.values())


@dataclass
class Tally:
    """How many rows each table has, and a digest of them in the order of their ids."""

    rows: dict[str, int] = field(default_factory=dict)
    digests: dict[str, Any] = field(default_factory=dict)

    def begin(self, table: str) -> None:
        self.rows[table] = 0
        self.digests[table] = hashlib.sha256()

    def add(self, table: str, rows: list[Row]) -> None:
        """Count these; in how many batches rows come makes no difference to their digest."""
        self.rows[table] += len(rows)
        self.digests[table].update(f"{encoded(rows)[1:-1]},".encode())

    def lines(self) -> dict[str, tuple[int, str]]:
        """Rows and digest of each table, for comparing and for people to read."""
        return {table: (rows, self.digests[table].hexdigest()) for table, rows in self.rows.items()}


def tables() -> list[type[Table]]:
    """Every table that is filled, after those to which it refers."""
    refers = {table: table._meta.refs.values() for table in Table.__subclasses__()}
    return list(TopologicalSorter(refers).static_order())


def own_tables() -> set[str]:
    """The names of the tables whose rows stay where they are, or which an engine fills by itself."""
    return {table._meta.table_name for table in Own.__subclasses__()}


def newest_step() -> str:
    """The newest step that this program knows."""
    return str(runner().migrations()[-1].name)


def contents(engine: Any) -> Contents:
    """What a store that is up to date holds, to be asked within its snapshot."""
    return Contents(newest_step(), {table._meta.table_name: held(engine, table) for table in tables()})


def held(engine: Any, table: type[Table]) -> Held:
    name = table._meta.table_name
    own = own_columns(name)
    columns = [field.column_name for field in table._meta.sorted_fields if field.column_name not in own]
    ids = peewee.Table(name).bind(engine)
    # Where a row was stored with an id of its own choosing, an engine may not know that it was given out.
    newest = ids.select(fn.MAX(ids.c.id)).scalar() or 0
    return Held(columns, ids.select().count(), max(newest, engine.newest_given(name)))


def own_columns(name: str) -> set[str]:
    """The columns that mean something in one store alone, and which each fills itself."""
    fields = (
        field for table in tables() if table._meta.table_name == name for field in table._meta.sorted_fields
    )
    return {field.column_name for field in fields if isinstance(field, TurnField)}


def batches(engine: Any, whole: Contents) -> Iterator[Batch]:
    """All rows of a store, in the order of the tables and of their ids."""
    for name, table in whole.tables.items():
        after = 0
        while table.rows and (rows := rows_after(engine, name, table.columns, after)):
            yield name, rows
            after = rows[-1][table.columns.index("id")]


def rows_after(engine: Any, name: str, columns: list[str], after: int) -> list[Row]:
    table = peewee.Table(name).bind(engine)
    query = table.select(*(getattr(table.c, column) for column in columns))
    rows: list[Row] = engine.stored(*query.where(table.c.id > after).order_by(table.c.id).limit(BATCH).sql())
    return rows


def tallied(whole: Contents, some: Iterable[Batch], tally: Tally, advance: Advance) -> Iterator[Batch]:
    """The same batches, counted in *tally* as they pass."""
    for table in whole.tables:
        tally.begin(table)
    for name, rows in some:
        tally.add(name, rows)
        yield name, rows
        advance(len(rows))


def fill(whole: Contents, some: Iterable[Batch], begin: Begin = untold, replaces: bool = False) -> Tally:
    """Put all rows into the open store in one transaction, and compare what is there with what came.

    The store has to be empty, unless what it holds is to be replaced. What an older program has written
    leaves the store at that program's step, from which the others can be taken.
    """
    engine, came = database.obj, Tally()
    with engine.alone(), engine.atomic():
        refuse_a_stranger()
        if not replaces:
            refuse_unless_empty()
        make_tables(whole.step)
        refuse_misfits(whole)
        put(whole, tallied(whole, some, came, begin("Storing rows", whole.rows)))
        engine.learn()
        compare(whole, came, begin("Comparing rows", whole.rows))
        if whole.step == newest_step():
            search.fill()
            refuse_faults(begin)
    return came


def table_names() -> set[str]:
    """The tables of the open store, and of whatever else is in its database."""
    return {name for name in database.get_tables() if not name.startswith(("sqlite_", WORDS))} - {HISTORY}


def refuse_a_stranger() -> None:
    """What another program has made, or a newer one of ours, is left alone."""
    pending_migrations()
    if table_names() and not database.table_exists(HISTORY):
        raise StoreError("The database to be filled holds something else; please make a new one.")


def table_with_rows() -> str | None:
    """A table of the open database in which something is, None where nothing is in any."""
    return next((name for name in sorted(table_names() - own_tables()) if has_rows(name)), None)


def has_rows(name: str) -> bool:
    return database.execute(peewee.Table(name).select(SQL("1")).limit(1)).fetchone() is not None


def refuse_unless_empty() -> None:
    if name := table_with_rows():
        raise StoreError(f"The store to be filled is not empty: there are rows in its table {name}.")


def make_tables(step: str) -> None:
    """Make the tables anew as they were at this step."""
    if step not in [each.name for each in runner().migrations()]:
        raise StoreError(f"This has had the step {step}, which this program does not know; please update it.")
    for name in [*own_tables(), *(table._meta.table_name for table in reversed(tables())), WORDS, HISTORY]:
        database.execute(NodeList((SQL("DROP TABLE IF EXISTS"), Entity(name))))
    runner().up(step)


def refuse_misfits(whole: Contents) -> None:
    """The tables and columns that are announced are those that the step has made."""
    if odd := sorted((table_names() - own_tables()) ^ set(whole.tables)):
        raise StoreError(f"The table {odd[0]} is not both in a store of the step {whole.step} and in this.")
    for name, table in whole.tables.items():
        known = {column.name for column in database.get_columns(name)} - own_columns(name)
        if odd := sorted(known ^ set(table.columns)):
            raise StoreError(f"The column {odd[0]} of {name} is not both in a store and in this.")


def put(whole: Contents, some: Iterable[Batch]) -> None:
    """Store rows, and let each table go on with the ids behind all that were ever given out."""
    for name, group in groupby(some, key=itemgetter(0)):
        try:
            database.obj.put(name, whole.tables[name].columns, (row for _, rows in group for row in rows))
        except (DataError, IntegrityError, InterfaceError, ProgrammingError) as error:
            reason = " ".join(str(error).split())
            raise StoreError(f"A row of {name} cannot be stored: {reason}.") from error
    for name, table in whole.tables.items():
        if table.newest_id:
            database.obj.go_on_from(name, table.newest_id)


def compare(whole: Contents, came: Tally, advance: Advance) -> None:
    """What is in the store now is what came, and that is what was announced."""
    there = Tally()
    for _ in tallied(whole, batches(database.obj, whole), there, advance):
        pass
    for name, table in whole.tables.items():
        if came.rows[name] != table.rows:
            raise StoreError(f"{table.rows} rows of {name} were announced, and {came.rows[name]} came.")
        if came.lines()[name] != there.lines()[name]:
            raise StoreError(f"What was stored in {name} is not what came.")


def refuse_faults(begin: Begin = untold) -> None:
    if found := next(check.faults(begin), None):
        raise StoreError(f"What was filled in has a fault: {found}.")
