"""What administrators may do with others' accounts and with the server's keys."""

from typing import Any

from models import AccessToken, ServerKey, User, name_key

from ..errors import BadInput, NotFound
from ..passwords import Passwords
from . import accounts

LONGEST_LABEL = 100


def people(name: str, after: str) -> Any:
    """Everyone whose name begins so, from behind another *name* on, by name."""
    return User.all_beginning_with(name).where(User.username_key > name_key(after))


def person(user_id: int) -> User:
    """The user with this id, disabled ones too."""
    found: User | None = User.get_or_none(User.id == user_id)
    if found is None:
        raise NotFound(f"There is no user {user_id}.")
    return found


def add_member(passwords: Passwords, name: str, stored: str) -> User:
    """A new user, who logs in with the password of the *stored* hash."""
    made = accounts.add_user(passwords, name, None)
    accounts.set_password(made, stored)
    return made


def give_password(admin: User, user_id: int, stored: str) -> User:
    """Give somebody else the password of the *stored* hash; to change one's own, one has to know it."""
    if user_id == admin.id:
        raise BadInput("Your own password you change on your own page.")
    user = person(user_id)
    accounts.set_password(user, stored)
    return user


def disable(admin: User, user: User) -> None:
    """Shut *user* out, who is not the one who does it: he could not let himself in again."""
    if user.id == admin.id:
        raise BadInput("You cannot disable yourself.")
    accounts.disable(user)


def revoke_token(user: User, token_id: int) -> None:
    """Make an access token worthless, if it is this user's."""
    accounts.revoke_token(token(user, token_id).id)


def token(user: User, token_id: int) -> AccessToken:
    """The access token with this id, if it is this user's."""
    found: AccessToken | None = user.tokens.where(AccessToken.id == token_id).first()
    if found is None:
        raise NotFound(f"There is no access token {token_id}.")
    return found


def key(key_id: int) -> ServerKey:
    """The server key with this id."""
    found: ServerKey | None = ServerKey.get_or_none(ServerKey.id == key_id)
    if found is None:
        raise NotFound(f"There is no server key {key_id}.")
    return found


def add_key(label: str) -> str:
    """A new server key, of which its label says what it is for."""
    if not label.strip() or len(label) > LONGEST_LABEL:
        raise BadInput(f"The label of a key has 1 to {LONGEST_LABEL} characters.")
    return accounts.add_key(label.strip())
