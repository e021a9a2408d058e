"""Counting what is answered, and writing it down once a minute."""

from concurrent.futures import ThreadPoolExecutor

import engines

from models import Load
from server.config import Settings
from server.load import Counts

EACH = 2000


def written() -> list[dict[str, int]]:
    """What is written down, without what is nothing."""
    return [{name: n for name, n in row.items() if n and name != "id"} for row in Load.select().dicts()]


def test_each_request_counts_once(store: Settings) -> None:
    """Every request counts with its outcome and its time, whichever thread answers it."""
    counts = Counts()
    some = [("200", 0.5), ("refused 404", 1.0), ("fault -32603", 30.0), ("503", 9999.0), ("413", None)]

    def count(_: int) -> None:
        for outcome, took in some:
            counts.count(outcome, took)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(EACH)))
    counts.write(7)
    [row] = written()
    assert row.pop("minute").timestamp() == 7 * 60
    times = dict.fromkeys(("below_1", "below_2", "below_50", "longer"), EACH)
    assert row == {"requests": 5 * EACH, "refused": 3 * EACH, "failed": EACH, **times}


def test_where_nothing_was_answered_nothing_is_written(store: Settings) -> None:
    """What was written down counts no more, and a minute in which nobody came leaves no row."""
    counts = Counts()
    counts.write(7)
    counts.count("200", 1)
    counts.write(8)
    counts.write(9)
    assert [row["minute"].timestamp() // 60 for row in written()] == [8]


def test_a_store_that_takes_nothing_loses_a_row_and_no_more(store: Settings) -> None:
    """While the store cannot be written the minute is lost, which fails nothing; the next one is kept."""
    counts = Counts()
    counts.count("200", 1)
    with engines.chosen().locked(store.database):
        counts.write(7)
    assert written() == []
    for _ in range(2):
        counts.count("200", 1)
    counts.write(8)
    assert [row["requests"] for row in written()] == [2]
