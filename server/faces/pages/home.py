"""The first page: what this is, which doors there are, and where to go."""

from ...visits import Visit
from ...wire.pages import Shown, View
from .door import face


@face.route("GET", "/", transaction="none", anyone=True)
def home(visit: Visit, /) -> Shown:
    """Say what this server is for."""
    return View("home.html", {"address": visit.address_of("")})
