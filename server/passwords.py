"""Hashing passwords: slow on purpose, and never so much of it at once that other requests wait."""

import hashlib
import hmac
import os
from collections import OrderedDict

from werkzeug.security import check_password_hash, generate_password_hash

from .turns import Turns

# As much work as werkzeug's own choice, in half the memory.
METHOD = "scrypt:16384:8:2"
PATIENCE = 2.0
REMEMBERED = 1000


# What an unknown name is checked against: it costs the same time as a wrong password, and nothing fits it.
NOBODY = f"{METHOD}$nobody$none"


class Passwords:
    """Checks passwords, in at most *slots* threads: each takes 16 MB and a tenth of a second of a core.

    A password that was right is remembered under a key of this process's own, together
    with the stored hash, so that a client with HTTP Basic pays once and a changed password counts at once.
    """

    def __init__(self, slots: int) -> None:
        self.turn = Turns(slots, slots, PATIENCE, "Too many people are logging in at this moment.")
        self.key = os.urandom(32)
        self.right: OrderedDict[bytes, None] = OrderedDict()

    def hash(self, password: str) -> str:
        return generate_password_hash(password, METHOD)

    def remembers(self, stored: str | None, password: str) -> bool:
        """Whether this process has seen *password* to be the one behind the *stored* hash."""
        return stored is not None and self.mark(stored, password) in self.right

    def fits(self, stored: str | None, password: str) -> bool:
        """Whether *password* is the one behind the *stored* hash; None takes as long and never fits.

        To be called in one's turn.
        """
        if not check_password_hash(stored or NOBODY, password) or stored is None:
            return False
        self.right[self.mark(stored, password)] = None
        while len(self.right) > REMEMBERED:
            self.right.popitem(last=False)
        return True

    def mark(self, stored: str, password: str) -> bytes:
        return hmac.digest(self.key, f"{stored}\0{password}".encode(errors="replace"), hashlib.sha256)


def slots_for(workers: int) -> int:
    """How many threads of one of so many processes may hash at a time."""
    return max(1, (os.cpu_count() or 1) // max(1, workers))
