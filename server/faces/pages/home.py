"""The first page: what this is, which doors there are, and where to go."""

from ...visits import Visit
from ...wire.pages import Shown, View
from .door import face

# Where the calls of forum apps and game servers go; whoever opens such an address is told what it is.
ENDPOINTS = ("/mobiquo/mobiquo.php", "/mobiquo/mobiquo", "/mobiquo", "/RPC2")


@face.route("GET", "/", *ENDPOINTS, transaction="none", anyone=True)
def home(visit: Visit, /) -> Shown:
    """Say what this server is for."""
    return View("home.html", {"address": visit.address_of("")})
