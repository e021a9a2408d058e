"""Copying every row of one store into another, on whatever engines the two are."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

# Peewee has it, and its types do not.
from peewee import BooleanField, sort_models  # type: ignore[attr-defined]

from .base import StoreError, Table, TurnField, close_store, database, migrate, open_store
from .engines import Engine, engine_at

PIECE = 1000


def tables() -> list[type[Table]]:
    """All tables, each after those to which it refers."""
    found: list[type[Table]] = sort_models(Table.__subclasses__())
    return found


def copied_fields(table: type[Table]) -> list[Any]:
    """What is copied of a row: all but the turn, which says something in its own store alone."""
    return [field for field in table._meta.sorted_fields if not isinstance(field, TurnField)]


def copy_rows(source: Engine, target: Engine) -> None:
    """Put all rows of *source* into *target*, which has none; both are in a transaction."""
    for table in tables():
        name, fields = table._meta.table_name, copied_fields(table)
        columns = [field.column_name for field in fields]
        flags = [place for place, field in enumerate(fields) if isinstance(field, BooleanField)]
        for rows in pieces(source, table, fields):
            # SQLite has numbers for yes and no.
            for row in rows:
                for place in flags:
                    row[place] = bool(row[place])
            target.put(name, columns, rows)
        if newest := source.newest_given(name):
            target.go_on_from(name, newest)


def pieces(source: Engine, table: type[Table], fields: list[Any]) -> Iterator[list[list[Any]]]:
    """The rows of a table in their stored form, in the order of their ids, so many at once."""
    place, last = fields.index(table.id), 0
    query = table.select(*fields).order_by(table.id).limit(PIECE)
    while rows := [list(row) for row in source.execute(query.where(table.id > last)).fetchall()]:
        yield rows
        last = rows[-1][place]


def has_rows() -> bool:
    """Whether anything is in the open store."""
    return any(table.select().exists() for table in tables())


def write_embedded(target: Path) -> None:
    """Write all that is in the open store, as it is at one moment, into a new embedded store at *target*."""
    source = database.obj
    target.touch(mode=0o600)
    open_store_beside(f"sqlite:///{target}", source)
    copy: Any = engine_at(f"sqlite:///{target}", "full")
    with closing(copy), source.snapshot(), copy.atomic():
        copy_rows(source, copy)


def open_store_beside(address: str, before: Engine) -> None:
    """Make the tables of a new store while another stays the open one."""
    database.initialize(None)
    try:
        open_store(address)
        migrate()
        close_store()
    finally:
        database.initialize(before)


def fill_from(path: Path) -> None:
    """Let the open store hold what an embedded store at *path* holds, and nothing else."""
    target, source = database.obj, engine_at(f"sqlite:///{path}", "full")
    if target.is_embedded:
        raise StoreError("An embedded store is replaced by a file, and not filled.")
    with closing(source), source.atomic("DEFERRED"):
        target.clear([table._meta.table_name for table in tables()])
        copy_rows(source, target)
