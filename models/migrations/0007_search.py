"""The index of words, by which messages are found."""

from typing import Any

from models.base import database
from models.search import fill


def up(migrator: Any, db: Any) -> None:
    database.obj.index_words()
    fill()
