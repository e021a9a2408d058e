"""What is told of the load of a day."""

import datetime

import pytest

from models import NUMBERS, Load, now
from server.actions import housekeeping, load
from server.config import Settings
from server.files import Files

MINUTE = datetime.timedelta(minutes=1)


def minute(ago: int, requests: int, **more: int) -> None:
    """What a process has answered in one minute, so many minutes ago."""
    nothing = dict.fromkeys((field.name for field in NUMBERS), 0)
    Load.create(**{**nothing, "minute": now() - ago * MINUTE, "requests": requests, **more})


def test_all_processes_add_up(store: Settings) -> None:
    """What several have answered in the same time is one number, over all of the day and no longer."""
    for _ in range(3):
        minute(700, 5, refused=1, below_2=4, below_10=1)
    minute(0, 2, failed=2)
    minute(24 * 60 + 20, 1000)
    pieces = load.last_day()
    assert (len(pieces), sum(each.requests for each in pieces)) == (load.PIECES, 17)
    [piece] = [each for each in pieces if each.requests == 15]
    assert (piece.refused, piece.failed, sum(piece.times), piece.minutes) == (3, 0, 15, 10)
    assert piece.at <= now() - 700 * MINUTE < piece.at + load.PIECE
    assert (pieces[-1].requests, pieces[-1].failed) in ((2, 2), (0, 0))
    assert 1 <= pieces[-1].minutes <= 10
    assert load.summed(pieces)[1] == 12


def test_what_is_older_than_a_day_is_swept(store: Settings) -> None:
    """The daily sweep leaves a day of it."""
    minute(24 * 60 + 1, 1)
    minute(24 * 60 - 5, 2)
    housekeeping.sweep(Files(store.files_folder))
    assert [row.requests for row in Load.select()] == [2]


@pytest.mark.parametrize(
    ("times", "share", "milliseconds"),
    [
        ([], 0.5, None),
        ([0] * 11, 0.5, None),
        ([10], 0.5, 0.5),
        ([0, 0, 0, 1], 1.0, 10),
        ([98, 0, 0, 2], 0.99, 7.5),
        ([1, 0, 1], 0.5, 1),
        ([0] * 10 + [1], 0.5, 5000),
    ],
)
def test_a_share_is_answered_within_a_time(
    times: list[int], share: float, milliseconds: float | None
) -> None:
    """Between two bounds times count as evenly spread; beyond the last one that bound is told."""
    assert load.within([*times, *[0] * (11 - len(times))], share) == milliseconds
