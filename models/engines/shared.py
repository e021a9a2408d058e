"""What the engines have in common: how long is waited, and how names stand in statements."""

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import peewee

# Raises what drivers raise under its own names; the types of the library leave it out.
as_peewee_does = peewee.__exception_wrapper__  # type: ignore[attr-defined]
Row = tuple[Any, ...]

# The index of words; where it is a table, it has some more of its own, whose names begin with this one.
WORDS = "message_words"
BUSY_SECONDS = 5
# How long a write waits on which nothing depends.
HASTE = 0.05


class Patience(threading.local):
    """How long a thread waits for another writer: hardly where *is_hasty*, and nobody much beyond *until*.

    The latter is the same for all threads: it is set when the process is about to end.
    """

    until = math.inf
    is_hasty = False

    def seconds(self) -> float:
        return HASTE if self.is_hasty else min(BUSY_SECONDS, max(HASTE, self.until - time.monotonic()))

    @contextmanager
    def haste(self) -> Iterator[None]:
        self.is_hasty = True
        try:
            yield
        finally:
            self.is_hasty = False


PATIENCE = Patience()


def hurry(seconds: float) -> None:
    """Wait for other writers no longer than so many seconds from now, because this process is to end."""
    Patience.until = time.monotonic() + seconds


def quoted(name: str) -> str:
    """The name of a table or column in a statement."""
    return '"{}"'.format(name.replace('"', '""'))


def listed(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names))


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
