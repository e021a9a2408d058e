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


# The field of a form that brings files.
FILES = "files"
Shown = Annotated[View | Go, Codec("page", load_nothing)]
