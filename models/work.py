"""How work that takes long says how far it is, to whoever has begun it and wants to hear of it."""

from collections.abc import Callable

# Told how many more steps are done.
Advance = Callable[[int], None]
# Told which part of the work begins and how many steps it has, 0 where that cannot be known; what it gives is
# told of the steps. A part lasts until the next one begins.
Begin = Callable[[str, int], Advance]


def untold(part: str, steps: int) -> Advance:
    """For work of which nobody wants to hear."""
    return lambda number: None
