"""The server as a whole: what runs, what goes on, how much is answered, backups, and a check on demand."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from models import (
    BACKUP,
    Conversation,
    Job,
    Message,
    User,
    calls_now,
    is_embedded,
    live_calls,
    milliseconds,
    newest_given,
    now,
    store_size,
)

from .... import __version__
from ....actions import jobs, load
from ....actions.load import Piece
from ....visits import Visit
from ....wire.pages import Go, Shown, View, in_words, number
from ..door import office

MOST_CALLS = 20
HALF, NEARLY_ALL = 0.5, 0.99


@office.route("GET", "/admin", transaction="read")
def overview() -> Shown:
    """Show how the server is."""
    pieces = load.last_day()
    check = jobs.last_check()
    values = {
        "facts": facts(),
        "calls": list(calls_now(MOST_CALLS)),
        "live": live_calls.one(now=milliseconds(now())).number,
        "plots": [requests(pieces), times(pieces), refusals(pieces)],
        "backups": list(Job.last(BACKUP, jobs.KEPT)),
        "check": check,
        "found": check.found.splitlines() if check else [],
    }
    return View("admin.html", values)


@office.route("POST", "/admin/check")
def check(visit: Visit, /) -> Shown:
    """Begin to check the store."""
    jobs.begin_check(visit.files)
    return Go("/admin#check")


def facts() -> dict[str, str]:
    """What is known of the store in no time; a newest id says how many there have ever been, at most."""
    tables = {"Messages": Message, "Conversations": Conversation, "Users": User}
    return {
        "Version": __version__,
        "Engine": "SQLite" if is_embedded() else "PostgreSQL",
        "Size of the store": in_words(store_size()),
        **{f"{name} so far, at most": str(newest_given(table)) for name, table in tables.items()},
    }


def requests(pieces: Sequence[Piece]) -> dict[str, Any]:
    busiest = max(pieces, key=lambda each: each.requests)
    total = sum(each.requests for each in pieces)
    told = f"{total} requests in 24 hours"
    if total:
        told += f", at most {number(busiest.requests / busiest.minutes)} a minute, at {busiest.at:%H:%M} UTC"
    lines = [[each.requests / each.minutes for each in pieces]]
    return shown("requests", "Requests a minute", told, pieces, lines)


def times(pieces: Sequence[Piece]) -> dict[str, Any]:
    half, most = (load.within(load.summed(pieces), share) for share in (HALF, NEARLY_ALL))
    told = "Nothing was answered"
    if half is not None and most is not None:
        told = f"Half of all within {number(half)} ms (solid), 99 in 100 within {number(most)} ms (dashed)"
    lines = [[load.within(each.times, share) for each in pieces] for share in (HALF, NEARLY_ALL)]
    return shown("times", "Milliseconds until the answer", told, pieces, lines)


def refusals(pieces: Sequence[Piece]) -> dict[str, Any]:
    refused, failed = (
        sum(numbers) for numbers in ([each.refused for each in pieces], [each.failed for each in pieces])
    )
    told = f"{refused} refused (solid), {failed} failed by an error of the server's own (dashed)"
    lines = [
        [each.refused / each.minutes for each in pieces],
        [each.failed / each.minutes for each in pieces],
    ]
    return shown("refusals", "Refused and failed a minute", told, pieces, lines)


def shown(
    name: str, title: str, told: str, pieces: Sequence[Piece], lines: Sequence[Sequence[float | None]]
) -> dict[str, str | Markup]:
    # What draws is loaded when somebody looks, for the same reason as where text becomes markup.
    from ..plots import plot

    picture = plot(name, title, told, [each.at for each in pieces], lines)
    return {"title": title, "told": told, "picture": picture}
