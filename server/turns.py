"""Taking turns at work that is slow or large, so that calls that are neither always find a thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import Unavailable


class Turns:
    """At most *slots* at work at once, *waiting* more for up to *patience* seconds; others are refused."""

    def __init__(self, slots: int, waiting: int, patience: float, refusal: str) -> None:
        self.working = threading.BoundedSemaphore(slots)
        self.admitted = threading.BoundedSemaphore(slots + waiting)
        self.patience, self.refusal = patience, f"{refusal} Please try again."

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self.entered(self.admitted, 0), self.entered(self.working, self.patience):
            yield

    @contextmanager
    def entered(self, slots: threading.BoundedSemaphore, patience: float) -> Iterator[None]:
        if not slots.acquire(timeout=patience):
            raise Unavailable(self.refusal)
        try:
            yield
        finally:
            slots.release()
