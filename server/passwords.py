"""Hashing passwords: slow on purpose, and never so much of it at once that other requests wait."""

import functools
import hashlib
import hmac
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.security import check_password_hash, generate_password_hash

from .errors import Unavailable

METHOD = "scrypt:32768:8:1"
PATIENCE = 2.0
REMEMBERED = 1000


@functools.cache
def nobody() -> str:
    """What an unknown name is checked against, so that it costs the same time as a wrong password."""
    return generate_password_hash(secrets.token_hex(), METHOD)


class Passwords:
    """Hashes in at most *slots* threads at a time (each takes 32 MB and a tenth of a second of a core).

    As many again may wait; everyone beyond is told at once to try again, so that calls that need no hash
    always find a thread. A password that was right is remembered under a key of this process's own, together
    with the stored hash, so that a client with HTTP Basic pays once and a changed password counts at once.
    """

    def __init__(self, slots: int) -> None:
        self.hashing = threading.BoundedSemaphore(slots)
        self.admitted = threading.BoundedSemaphore(2 * slots)
        self.key = os.urandom(32)
        self.right: OrderedDict[bytes, None] = OrderedDict()

    def hash(self, password: str) -> str:
        return generate_password_hash(password, METHOD)

    def remembers(self, stored: str | None, password: str) -> bool:
        """Whether this process has seen *password* to be the one behind the *stored* hash."""
        return stored is not None and self.mark(stored, password) in self.right

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A turn at hashing; a refusal where too many are waiting for theirs."""
        with entered(self.admitted, 0), entered(self.hashing, PATIENCE):
            yield

    def fits(self, stored: str | None, password: str) -> bool:
        """Whether *password* is the one behind the *stored* hash; None takes as long and never fits.

        To be called in one's turn.
        """
        if not check_password_hash(stored or nobody(), password) or stored is None:
            return False
        self.right[self.mark(stored, password)] = None
        while len(self.right) > REMEMBERED:
            self.right.popitem(last=False)
        return True

    def mark(self, stored: str, password: str) -> bytes:
        return hmac.digest(self.key, f"{stored}\0{password}".encode(errors="replace"), hashlib.sha256)


@contextmanager
def entered(slots: threading.BoundedSemaphore, patience: float) -> Iterator[None]:
    if not slots.acquire(timeout=patience):
        raise Unavailable("Too many people are logging in at this moment. Please try again.")
    try:
        yield
    finally:
        slots.release()


def slots_for(workers: int) -> int:
    """How many threads of one of so many processes may hash at a time."""
    return max(1, (os.cpu_count() or 1) // max(1, workers))
