"""Requests that may come again: by what clients name them, and what tells one from another."""

import hashlib
import json
from typing import Any, NamedTuple

from ..errors import BadParams

KEY = "Idempotency-Key"
LONGEST_KEY = 255
TOLD = f"Under an {KEY} in the head it is carried out once, however often it comes within a day."


class Repeat(NamedTuple):
    """The *key* under which a request may come again, as it is kept, and a digest of all that it *asks*."""

    key: str
    asks: str


def head_key(given: str, *place: bytes) -> str:
    """What is kept of the key that the head has *given*.

    *place*: which of several calls in one request it stands for, each of which is a request of its own.
    """
    return digest(f"header {checked(given)}".encode(errors="surrogatepass"), *place)


def checked(key: str) -> str:
    """A *key* of a client's, if it is no longer than one may be."""
    if len(key) > LONGEST_KEY:
        raise BadParams(f"A key has at most {LONGEST_KEY} characters.", "BAD_KEY")
    return key


def written(value: Any) -> bytes:
    """A *value* as bytes that are the same whenever it is."""
    return json.dumps(value, sort_keys=True).encode()


def digest(*parts: bytes) -> str:
    """What tells one request or answer from another."""
    made = hashlib.sha256()
    for part in parts:
        made.update(len(part).to_bytes(8, "big") + part)
    return made.hexdigest()
