"""A member's own password."""

from models import User

from ...actions import accounts
from ...errors import BadInput, NotAllowed
from ...visits import Visit
from ...wire.pages import Go, Shown, View
from ...wire.types import Text
from .door import face

LEAST, MOST = 8, 200


@face.route("GET", "/account", transaction="none")
def account(user: User, /) -> Shown:
    """Ask for the password, and for another one."""
    return View("account.html", {"least": LEAST, "most": MOST})


@face.route("POST", "/account", transaction="none")
def change_password(user: User, visit: Visit, /, password: Text, wanted: Text, again: Text) -> Shown:
    """Change one's password, which ends all sessions but this one, and all access tokens.

    :param password: the password as it is
    :param wanted: the password as it shall be
    :param again: the same
    """
    if wanted != again:
        raise BadInput("The new password was not typed alike twice.")
    if not LEAST <= len(wanted) <= MOST or not wanted.isprintable():
        raise BadInput(f"A password has {LEAST} to {MOST} characters, all of which can be typed.")
    known = accounts.identify(visit.settings, visit.passwords, user.username, password, visit.address)
    if known is None or known.id != user.id:
        raise NotAllowed("That is not your password.")
    stored = accounts.hashed(visit.passwords, wanted)
    visit.log_in(lambda: accounts.change_password(known, stored), anonymous=False)
    return Go("/account/changed")


@face.route("GET", "/account/changed", transaction="none")
def changed(user: User, /) -> Shown:
    """Say that the password is another one now."""
    return View("account_changed.html")
