"""Finding what was said by its words."""

from contextlib import suppress
from typing import Any

from models import TROUBLES, User, clean, impatient, search

from ..errors import BadInput

MOST_WORDS, MOST_LETTERS = 16, 1000
# What was sent since somebody last looked is put into the index first, so many batches of it.
BATCHES = 20


def words(text: str) -> list[str]:
    """The words that are searched for."""
    if len(text) > MOST_LETTERS:
        raise BadInput(f"At most {MOST_LETTERS} letters can be searched for at once.", "TOO_MANY_WORDS")
    found = search.words_of(clean(text))
    if not found:
        raise BadInput("Please enter a word of letters or digits.", "NO_WORDS")
    if len(found) > MOST_WORDS:
        raise BadInput(f"At most {MOST_WORDS} words can be searched for at once.", "TOO_MANY_WORDS")
    return found


def freshen() -> None:
    """Let what was just said be found; a store that takes nothing is searched as far as its index goes."""
    with suppress(*TROUBLES), impatient():
        search.catch_up(BATCHES)


def found(user: User, wanted: list[str], before: int | None, limit: int) -> list[Any]:
    """The newest messages with all words wanted that the user can read, and that are older than *before*."""
    return search.search(user.id, wanted, before, limit)
