"""What the engines have in common: how long is waited, and how names stand in statements."""

from collections.abc import Iterator, Sequence
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
