"""Pages: what a declared route answers to a browser, and where one leads that has done something."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from ..errors import BadParams
from .types import Codec


@dataclass(frozen=True)
class View:
    """A page: the *template* by name, and the *values* that it shows."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Go:
    """Another page of this server that the browser shall ask for now, by its *path*."""

    path: str


def load_nothing(value: Any) -> Any:
    raise BadParams("is only answered")


UNITS = ((2**30, "GB"), (2**20, "MB"), (2**10, "KB"))


def in_words(size: int) -> str:
    """A number of bytes as people say it, and no more than there are."""
    unit, name = next(each for each in UNITS if size >= each[0] or each is UNITS[-1])
    return f"{size * 10 // unit / 10:g} {name}"


def number(value: float) -> str:
    """A number as people write it, no more exact than matters."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


# The field of a form that brings files.
FILES = "files"
Shown = Annotated[View | Go, Codec("page", load_nothing)]
