"""The store as lines of JSON, which any program can read: written in one snapshot, read only when whole.

The first line says what it is, each line after it is a row, the last says that nothing is missing.
"""

import gzip
import hashlib
import json
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, cast

from peewee import chunked

from models import database, whole, work

from . import __version__

STANDARD, COMPRESSED = "-", ".gz"
LARGEST = 2**63
ESCAPE = b"\\u"
# To compress harder costs several times the time for a tenth of the size.
LEVEL = 3
Line = tuple[str, tuple[Any, ...]]


class BadExport(Exception):
    """What is read is no export, or not all of one; the text says so in one sentence."""


class Digesting:
    """A stream that knows the digest of all that has gone through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.digest, self.rows = stream, hashlib.sha256(), 0

    def write(self, lines: list[dict[str, Any]]) -> None:
        data = "".join(f"{whole.encoded(line)}\n" for line in lines).encode()
        self.digest.update(data)
        self.stream.write(data)

    def read(self) -> Iterator[dict[str, Any]]:
        """Each line with what it says; the digest is that of the lines before it."""
        previous = b""
        for line in self.stream:
            self.digest.update(previous)
            yield said(line)
            previous = line

    def ending(self) -> dict[str, Any]:
        """What the last line says of those before it."""
        return {"end": {"rows": self.rows, "sha256": self.digest.hexdigest()}}


@contextmanager
def written(file: str) -> Iterator[BinaryIO]:
    """A stream into a file of this name, which is complete or not there at all."""
    if file == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(file)
    if target.exists() and not target.is_file():
        raise BadExport(f"{file} is there already, and is no file.")
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as stream:
            if target.suffix == COMPRESSED:
                with gzip.open(stream, "wb", LEVEL) as packed:
                    yield cast(BinaryIO, packed)
            else:
                yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """A stream out of the file of this name."""
    if file == STANDARD:
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as stream:
        if Path(file).suffix == COMPRESSED:
            with gzip.open(stream) as packed:
                yield cast(BinaryIO, packed)
        else:
            yield stream


def said(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
        if ESCAPE in line:
            # Half a character can be escaped, and nothing can store it.
            whole.encoded(value).encode()
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadExport("A line of this is no JSON object: it is no export, or was cut.")
    return value


def write(stream: BinaryIO, begin: work.Begin = work.untold) -> None:
    """Write all that the open store holds, as it is at one moment."""
    with database.obj.snapshot():
        contents, out = whole.contents(database.obj), Digesting(stream)
        tables = {name: asdict(table) for name, table in contents.tables.items()}
        out.write([{"switchboard": __version__, "step": contents.step, "tables": tables}])
        advance = begin("Writing rows", contents.rows)
        for name, rows in whole.batches(database.obj, contents):
            columns = ("table", *contents.tables[name].columns)
            out.write([dict(zip(columns, (name, *row), strict=True)) for row in rows])
            out.rows += len(rows)
            advance(len(rows))
        out.write([out.ending()])


def read(stream: BinaryIO) -> tuple[whole.Contents, Iterator[whole.Batch]]:
    """What an export announces, and its rows; they end with an error where it is not whole."""
    source = Digesting(stream)
    lines = lines_of(source)
    contents = announced(next(lines, {}))
    return contents, in_batches(rows_of(source, contents, lines))


def lines_of(source: Digesting) -> Iterator[dict[str, Any]]:
    try:
        yield from source.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadExport("The export was cut or damaged.") from error


def announced(first: dict[str, Any]) -> whole.Contents:
    try:
        tables = {name: held(**table) for name, table in first["tables"].items()}
        return whole.Contents(str(first["step"]), tables)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadExport("This is no export of Switchboard: its first line does not say so.") from error


def held(columns: list[str], rows: int, newest_id: int) -> whole.Held:
    """What the first line says of a table, if it can be so."""
    if not 0 <= int(rows) < LARGEST or not 0 <= int(newest_id) < LARGEST:
        raise ValueError
    return whole.Held([str(column) for column in columns], int(rows), int(newest_id))


def rows_of(source: Digesting, contents: whole.Contents, lines: Iterator[dict[str, Any]]) -> Iterator[Line]:
    """Each row with its table, up to the end of which the last line tells."""
    columns = {name: set(table.columns) for name, table in contents.tables.items()}
    for line in lines:
        if "end" in line:
            break
        table = line.pop("table", None)
        if not isinstance(table, str) or table not in columns:
            raise BadExport(f"A row is of the table {table}, which the first line does not name.")
        if line.keys() != columns[table]:
            odd = sorted(line.keys() ^ columns[table])[0]
            raise BadExport(f"A row of {table} has not the columns that the first line names: {odd}.")
        source.rows += 1
        yield table, tuple(line[column] for column in contents.tables[table].columns)
    else:
        raise BadExport("The export was cut: its last line is missing.")
    if line != source.ending():
        raise BadExport("The export was changed or damaged: its last line does not fit to the others.")
    if next(lines, None) is not None:
        raise BadExport("Something stands behind the last line of the export.")


def in_batches(rows: Iterator[Line]) -> Iterator[whole.Batch]:
    for table, group in groupby(rows, key=itemgetter(0)):
        for some in chunked((row for _, row in group), whole.BATCH):
            yield table, list(some)
