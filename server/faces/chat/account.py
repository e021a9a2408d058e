"""Tokens, and whom a user does not want to hear."""

from typing import Any, Literal, TypedDict

from models import User

from ...actions import access, accounts
from ...errors import WrongPassword
from ...visits import Visit
from ...wire.types import Key
from .door import face


class Token(TypedDict):
    accessToken: str
    tokenType: Literal["Bearer"]
    userId: int


class Blocked(TypedDict):
    userId: int
    blocked: bool


@face.route("POST", "/auth/token", transaction="none", anyone=True)
def get_token(visit: Visit, /, username: str, password: str) -> Token:
    """Get an access token for a name and a password.

    :param username: the user's name, in any case
    :param password: the user's password
    """
    user = accounts.identify(visit.settings, visit.passwords, username, password, visit.address)
    if user is None:
        raise WrongPassword()
    secret: Any = visit.transact(lambda: accounts.exchange(user, "chat"), "write")
    return {"accessToken": secret, "tokenType": "Bearer", "userId": user.id}


@face.route("DELETE", "/auth/token", statuses=(204,))
def revoke_token(user: User, visit: Visit, /) -> None:
    """Make the access token that this request comes with worthless."""
    accounts.revoke_secret(user, visit.secret)


@face.route("POST", "/users/{userId}/block")
def block_user(user: User, /, user_id: Key) -> Blocked:
    """Want nothing more from a user, through any door.

    :param user_id: who is not to be heard
    """
    accounts.ignore(user, access.user(user_id, ""))
    return {"userId": user_id, "blocked": True}


@face.route("POST", "/users/{userId}/unblock")
def unblock_user(user: User, /, user_id: Key) -> Blocked:
    """Hear a user again.

    :param user_id: who is to be heard
    """
    accounts.stop_ignoring(user, access.user(user_id, ""))
    return {"userId": user_id, "blocked": False}
