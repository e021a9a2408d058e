"""How much was answered in the last day and how fast, in pieces of ten minutes."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from models import BOUNDS, TIMES, load_by_place, milliseconds, now

PIECE = datetime.timedelta(minutes=10)
WIDTH = PIECE // datetime.timedelta(milliseconds=1)
PIECES = 24 * 6


@dataclass(frozen=True)
class Piece:
    """What was answered from a moment on, for so many *minutes*; *times* are numbers by how long it took."""

    at: datetime.datetime
    minutes: float
    requests: int
    refused: int
    failed: int
    times: list[int]


def last_day() -> list[Piece]:
    """The last 24 hours, the oldest piece first; the newest is not over yet."""
    moment = milliseconds(now())
    newest = moment // WIDTH
    first = newest - PIECES + 1
    rows = {row.place: row for row in load_by_place(since=first * WIDTH, width=WIDTH)}
    return [piece(place, rows.get(place), moment) for place in range(first, newest + 1)]


def piece(place: int, row: object, moment: int) -> Piece:
    begun = place * WIDTH
    at = datetime.datetime.fromtimestamp(begun / 1000, datetime.UTC)
    minutes = min(WIDTH, max(60_000, moment - begun)) / 60_000
    requests, refused, failed = (getattr(row, name, 0) for name in ("requests", "refused", "failed"))
    return Piece(at, minutes, requests, refused, failed, [getattr(row, name, 0) for name in TIMES])


def summed(pieces: Sequence[Piece]) -> list[int]:
    """How many took how long, in all *pieces* together."""
    return [sum(numbers) for numbers in zip(*(each.times for each in pieces), strict=True)]


def within(times: Sequence[int], share: float) -> float | None:
    """The milliseconds within which this *share* was answered, as far as the bounds tell; None of nothing."""
    wanted, passed, low = share * sum(times), 0, 0
    if not wanted:
        return None
    for bound, number in zip(BOUNDS, times, strict=False):
        if number and passed + number >= wanted:
            return low + (bound - low) * (wanted - passed) / number
        passed, low = passed + number, bound
    return BOUNDS[-1]
