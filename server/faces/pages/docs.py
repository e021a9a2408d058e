"""The reference and the cookbook as pages: every method and address, and programs that use them."""

import functools
import re
from typing import Any

from ... import cookbook
from ...visits import Visit
from ...wire.pages import Shown, View
from ...wire.reference import blocks
from ..published import EXAMPLE_SERVER, sections
from .door import face

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
    return [
        {
            "title": section.title,
            "about": blocks(section.about),
            "entries": [{**entry._asdict(), "doc": blocks(entry.doc)} for entry in section.entries()],
        }
        for section in sections()
    ]


@functools.cache
def recipes() -> list[dict[str, Any]]:
    """What the cookbook has, read once."""
    return [{**each._asdict(), "programs": each.programs} for each in cookbook.RECIPES]
