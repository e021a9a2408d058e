"""Where a store may be: in a file of one's own (SQLite), or on a server (PostgreSQL).

Nothing outside knows which; what only one of them understands stands in its file.
"""

import re
import sqlite3
from pathlib import Path

from peewee import OperationalError

from . import postgresql, sqlite
from .postgresql import SERVING, Server, has_driver, refuse_unreadable
from .shared import WORDS, Row, causes, hurry
from .sqlite import BrokenIndex, Embedded, Replaced, end_log, index_in_use, options

__all__ = [
    "DAMAGED",
    "SERVING",
    "TROUBLES",
    "WORDS",
    "BrokenIndex",
    "Engine",
    "Row",
    "address_shown",
    "end_log",
    "engine_at",
    "hurry",
    "index_in_use",
    "is_trouble",
    "store_path",
    "trouble",
]

EMBEDDED = "sqlite:///"
SERVERS = ("postgresql://", "postgres://")
# A password where a store's address can have it: before the last @, which it may itself have, or as a term.
PASSWORD = re.compile(r"(?<=//)([^:@/]*):.*(?=@)|(?<=[?&]password=)[^&]*")
Engine = Embedded | Server
DAMAGED = "The store is damaged."


def engine_at(url: str, durability: str) -> Engine:
    """The engine behind *url*, not yet connected."""
    if url.startswith(SERVERS):
        if not has_driver():
            raise RuntimeError("psycopg is missing; please run in the checkout: pip install '.[postgresql]'")
        refuse_unreadable(url)
        return Server(url, durability)
    path = store_path(url)
    if path is None:
        raise RuntimeError("Only sqlite:///… and postgresql://… are stores")
    return Embedded(str(path), **options(durability))


def store_path(url: str) -> Path | None:
    """The file of an embedded store, None for a database server."""
    return Path(url.removeprefix(EMBEDDED)) if url.startswith(EMBEDDED) else None


def address_shown(url: str) -> str:
    """The address of a store as it may be shown: without a password."""
    return PASSWORD.sub(lambda found: f"{found[1]}:***" if found[1] is not None else "***", url)


def trouble(error: BaseException) -> str:
    """What keeps the store from answering, in a few words."""
    names = set(causes(error))
    if names & {sqlite.FULL, postgresql.FULL}:
        return "The storage is full."
    if names & (sqlite.BUSY | postgresql.BUSY):
        return "The store is busy."
    if names & (sqlite.READ_ONLY | postgresql.READ_ONLY):
        return "The store cannot be written."
    if BrokenIndex.sqlite_errorname in names:
        return "The index of words is broken."
    if names & postgresql.DAMAGED or any(map(sqlite.is_ruin, names)):
        return DAMAGED
    if Replaced.sqlite_errorname in names:
        return "The file of the store was removed or replaced."
    return "The store does not answer."


# What is raised where a store cannot go on. Of SQLite's peewee wraps only what comes before the first row;
# PostgreSQL's driver has all rows by then.
TROUBLES: tuple[type[Exception], ...] = (OperationalError, sqlite3.OperationalError)


def is_trouble(error: BaseException) -> bool:
    """Whether it is one of those, or damage that is met behind the first row and outside a transaction."""
    return isinstance(error, TROUBLES) or sqlite.is_damage(error)
