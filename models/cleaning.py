"""The one cleaning of text on its way into the store, so that it can leave through every door."""

import functools
import re
import unicodedata
from typing import Any

from peewee import TextField

from .base import CharField

NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@functools.cache
def long_run_of_marks() -> re.Pattern[str]:
    """What matches 32 combining marks or more in a row."""
    candidates = map(chr, range(0x300, 0x20000))
    marks = "".join(c for c in candidates if unicodedata.combining(unicodedata.normalize("NFD", c)[0]))
    # No mark is a word character; to say so first spares most text the slow look into the long class.
    return re.compile(rf"(?![\w\x00-\x7f])[{marks}]{{32,}}")


def clean(text: str) -> str:
    """The text as it is stored: NFC, lines ended by a newline, and only what XML can carry."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = NOT_XML.sub("\ufffd", text)
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", long_run_of_marks().sub(in_order, text))


def in_order(run: re.Match[str]) -> str:
    """The combining marks of a run in canonical order."""
    # `normalize` orders them by insertion, in quadratic time unless they are in order already.
    marks = "".join(unicodedata.normalize("NFD", mark) for mark in run[0])
    return "".join(sorted(marks, key=unicodedata.combining))


class CleanText(TextField):
    """A text column that people fill."""

    def db_value(self, value: Any) -> Any:
        return clean(value) if isinstance(value, str) else value


def one_line(text: str) -> str:
    """The text as it is stored where it is a name: clean, and without ends of lines."""
    return " ".join(clean(text).splitlines()).replace("\t", " ") if text else text


class CleanName(CharField):
    """A short text column that people fill."""

    def db_value(self, value: Any) -> Any:
        return one_line(value) if isinstance(value, str) else value
