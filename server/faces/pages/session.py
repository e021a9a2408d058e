"""Coming and going: the session is the one that the forum's apps begin, with the same cookie."""

from typing import Any

from ...actions import accounts
from ...errors import WrongPassword
from ...visits import Visit
from ...wire.pages import Go, Shown, View
from ...wire.types import Text
from .door import face

INBOX = "/inbox"


@face.route("GET", "/login", transaction="none", anyone=True)
def login_form(visit: Visit, /, next: str = "") -> Shown:
    """Ask for name and password.

    :param next: the path of the page that was wanted
    """
    return Go(own_path(next)) if visit.is_login else View("login.html", {"next": own_path(next)})


@face.route("POST", "/login", transaction="none", anyone=True)
def login(visit: Visit, /, name: Text, password: Text, next: str = "") -> Shown:
    """Begin a session.

    :param name: the user's name, in any case
    :param password: the user's password
    :param next: the path of the page that was wanted
    """
    user = accounts.identify(visit.settings, visit.passwords, name, password, visit.address)
    if user is None:
        raise WrongPassword()
    visit.log_in(lambda: user, anonymous=False)
    return Go(own_path(next))


@face.route("POST", "/logout", transaction="none", anyone=True)
def logout(visit: Visit, /) -> Shown:
    """End the session."""
    visit.log_out()
    return Go("/")


def own_path(path: Any) -> str:
    """*path*, or that of the inbox where it could lead away from this server."""
    is_own = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_own else INBOX
