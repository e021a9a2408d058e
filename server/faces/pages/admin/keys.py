"""Server keys: which there are, a new one, and one that opens nothing any more."""

from models import ServerKey

from ....actions import accounts, administration
from ....wire.pages import Go, Shown, View
from ....wire.types import Id, Text
from ..door import office


@office.route("GET", "/admin/keys", transaction="read")
def keys() -> Shown:
    """List the server keys."""
    return View("admin_keys.html", {"keys": list(ServerKey.select().order_by(ServerKey.id))})


@office.route("POST", "/admin/keys")
def add_key(label: Text) -> Shown:
    """Make a server key, and show it this once.

    :param label: what it is for
    """
    return View("admin_key.html", {"label": label, "secret": administration.add_key(label)})


@office.route("POST", "/admin/keys/{key_id}")
def revoke_key(key_id: Id) -> Shown:
    """Make a server key worthless.

    :param key_id: the key
    """
    accounts.revoke_key(key_id)
    return Go("/admin/keys")
