"""The reference as a page: every method and address with types, errors and examples."""

import functools
from typing import Any

from ...visits import Visit
from ...wire.pages import Shown, View
from ...wire.reference import blocks
from ..published import EXAMPLE_SERVER, sections
from .door import face


@face.route("GET", "/docs", transaction="none", anyone=True)
def docs(visit: Visit, /) -> Shown:
    """Tell of everything that is published."""
    address = visit.address_of("")
    return View("docs.html", {"sections": told(), "here": lambda text: text.replace(EXAMPLE_SERVER, address)})


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
