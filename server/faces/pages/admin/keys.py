"""Server keys: which there are, a new one, and one that opens nothing any more."""

from models import ServerKey

from ....actions import accounts, administration
from ....visits import Visit
from ....wire.pages import Go, Shown, View
from ....wire.types import Id, Text
from ..door import office
from ..sure import sure


@office.route("GET", "/admin/keys", transaction="read")
def keys() -> Shown:
    """List the server keys."""
    return View("admin_keys.html", {"keys": list(ServerKey.select().order_by(ServerKey.id))})


@office.route("POST", "/admin/keys")
def add_key(visit: Visit, /, label: Text) -> Shown:
    """Make a server key, and show it this once.

    :param label: what it is for
    """
    secret = administration.add_key(label)
    return View("admin_key.html", {"label": label, "secret": secret, "address": visit.address_of("/RPC2")})


@office.route("GET", "/admin/keys/{key_id}", transaction="read")
def ask_to_revoke_key(key_id: Id) -> Shown:
    """Ask whether a server key shall be worthless.

    :param key_id: the key
    """
    key = administration.key(key_id)
    what = f"{key.label or key.id}: whoever calls with this key is let in no more. It cannot be undone."
    return sure("Revoke this server key?", what, f"/admin/keys/{key_id}", "Revoke it", "/admin/keys")


@office.route("POST", "/admin/keys/{key_id}")
def revoke_key(key_id: Id) -> Shown:
    """Make a server key worthless.

    :param key_id: the key
    """
    accounts.revoke_key(key_id)
    return Go("/admin/keys")
