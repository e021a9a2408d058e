"""Who uses a store, and how an empty one is filled with all of another, on whatever engine."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from models import (
    StoreError,
    address_shown,
    close_store,
    connected,
    open_store,
    pending_migrations,
    store_path,
    whole,
    work,
)

SERVED = "is being served; please stop the server first"
# The connections of a server that has just ended are seen for a moment longer.
LOOKS, PAUSE = 5, 0.2


def move(source: str, target: str, begin: work.Begin) -> tuple[whole.Contents, whole.Tally]:
    """Fill the store at *target* with all that is at *source*, which is left as it is."""
    if source == target:
        raise StoreError("A store cannot be moved to where it is.")
    with sole_use(source), to_be_filled(target), beside(source) as engine:
        contents = whole.contents(engine)
        return contents, whole.fill(contents, whole.batches(engine, contents), begin)


@contextmanager
def to_be_filled(url: str) -> Iterator[None]:
    """The store at *url*, open and for nobody else; where nothing was before, no failure leaves anything."""
    path = store_path(url)
    with sole_use(url):
        is_new = path is not None and not path.exists()
        try:
            open_store(url)
            yield
            close_store()
        except BaseException:
            close_store()
            if path is not None and is_new:
                discard(path)
            raise


@contextmanager
def beside(url: str) -> Iterator[Any]:
    """The engine of another store than the open one, in one snapshot; the store has to be up to date."""
    engine = connected(url)
    try:
        if steps := pending_migrations(engine):
            raise StoreError(f"The store lacks the step {steps[0]}. Please run: switchboard migrate")
        with engine.snapshot():
            yield engine
    finally:
        engine.close()


def discard(path: Path) -> None:
    """Remove an embedded store."""
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def sole_use(url: str) -> AbstractContextManager[None]:
    """The store at *url* for nobody else, which a server that serves it does not grant."""
    path = store_path(url)
    if path is not None:
        return locked(path, fcntl.LOCK_EX, SERVED)
    refuse_served(url)
    return nullcontext()


def refuse_served(url: str) -> None:
    """On a database server only the connections of those who serve can be seen, at this moment."""
    engine = connected(url)
    try:
        for _ in range(LOOKS):
            if not engine.is_served():
                return
            time.sleep(PAUSE)
        raise StoreError(f"{address_shown(url)} {SERVED}.")
    finally:
        engine.close()


def shared_use(path: Path | None) -> AbstractContextManager[None]:
    """The embedded store at *path*, for as long as it is served, by however many."""
    return nullcontext() if path is None else locked(path, fcntl.LOCK_SH, "is in other use; please wait")


@contextmanager
def locked(path: Path, kind: int, refusal: str) -> Iterator[None]:
    """The lock that stands for the use of a store, on a file beside it; SQLite's own locks come and go."""
    with path.with_name(f"{path.name}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{path} {refusal}.") from None
        # The program that begins to serve goes on as another, which holds the lock from then on.
        os.set_inheritable(lock.fileno(), True)
        yield
