"""The reference and the cookbook as pages: every method and address, and programs that use them."""

import functools
import re
from collections.abc import Mapping
from typing import Any

from ... import cookbook
from ...visits import Visit
from ...wire.pages import Shown, View
from ...wire.reference import Entry, Section, blocks
from ..published import EXAMPLE_SERVER, sections
from .door import face

# How a docstring sets off the name of a parameter or a member.
NAMED = re.compile(r"\*(\w+)\*")
EXAMPLE = re.compile(re.escape(EXAMPLE_SERVER).replace("://", r"://(\w+:\w+@)?"))


@face.route("GET", "/docs", transaction="none", anyone=True)
def docs(visit: Visit, /) -> Shown:
    """Tell of everything that is published."""
    return view(visit, "docs.html", sections=told())


@face.route("GET", "/docs/cookbook", transaction="none", anyone=True)
def programs(visit: Visit, /) -> Shown:
    """Show whole programs for what clients want."""
    return view(visit, "cookbook.html", recipes=recipes())


def view(visit: Visit, template: str, **values: Any) -> View:
    """A page whose examples name this server *here* as the client knows it."""
    address = visit.address_of("")
    return View(template, {**values, "here": lambda text: placed(text, address)})


def placed(text: str, address: str) -> str:
    """An example with the *address* of this server, also where a name and password stand in it."""
    scheme, _, host = address.partition("://")
    return EXAMPLE.sub(lambda found: f"{scheme}://{found[1] or ''}{host}", text)


@functools.cache
def told() -> list[dict[str, Any]]:
    """What the page tells of each door, read off the declarations once."""
    return [door(section, list(section.entries())) for section in sections()]


def door(section: Section, entries: list[Entry]) -> dict[str, Any]:
    """What is told of one door; what is no call of it can be come to from where it is named."""
    places = {entry.call: entry.anchor for entry in entries if not entry.example}
    return {
        "title": section.title,
        "about": blocks(section.about),
        "entries": [shown(entry) for entry in entries],
        "linked": lambda text: linked(text, places),
    }


def shown(entry: Entry) -> dict[str, Any]:
    name, *_ = entry.call.split("(")
    return {**entry._asdict(), "name": name, "doc": blocks(NAMED.sub(r"\1", entry.doc))}


def linked(text: str, places: Mapping[str, str]) -> list[tuple[str, str]]:
    """The pieces of a text, each with the anchor of what it names, or with none."""
    return [(piece, places.get(piece, "")) for piece in re.split(r"(\w+)", text)]


@functools.cache
def recipes() -> list[dict[str, Any]]:
    """What the cookbook has, read once."""
    return [{**each._asdict(), "programs": each.programs} for each in cookbook.RECIPES]
