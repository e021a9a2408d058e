"""So many at once, then one in so many milliseconds."""

import datetime

from models import Allowance, allowance_wait, now, use_allowance
from server.config import Settings

HOUR = 3_600_000


def test_a_burst_and_then_a_wait(store: Settings) -> None:
    """As many uses as the burst pass, the next has to wait for one interval."""
    assert [use_allowance("key", 3, HOUR) for _ in range(3)] == [0, 0, 0]
    assert HOUR - 1000 < use_allowance("key", 3, HOUR) <= HOUR


def test_what_was_used_comes_back(store: Settings) -> None:
    """After an interval one more use passes."""
    for _ in range(3):
        use_allowance("key", 3, HOUR)
    Allowance.update(until=now() + datetime.timedelta(hours=2)).execute()
    assert use_allowance("key", 3, HOUR) == 0
    assert use_allowance("key", 3, HOUR) > 0


def test_looking_uses_nothing_up(store: Settings) -> None:
    """To ask for the wait is no use."""
    assert [allowance_wait("key", 1, HOUR) for _ in range(3)] == [0, 0, 0]
    use_allowance("key", 1, HOUR)
    assert allowance_wait("key", 1, HOUR) > 0


def test_keys_are_apart(store: Settings) -> None:
    """What one key has used up is not missed by another."""
    use_allowance("one", 1, HOUR)
    assert use_allowance("other", 1, HOUR) == 0


def test_a_clock_that_was_ahead_locks_nobody_out(store: Settings) -> None:
    """What was used up under a clock that has been set back since is as good as unused."""
    use_allowance("key", 3, HOUR)
    Allowance.update(until=now() + datetime.timedelta(days=365)).execute()
    assert allowance_wait("key", 3, HOUR) == 0
    assert [use_allowance("key", 3, HOUR) for _ in range(3)] == [0, 0, 0]
    assert use_allowance("key", 3, HOUR) > 0
