"""The sides of calls and texts: users with a number, and numbers and names without an account."""

from dataclasses import dataclass
from typing import Any

from models import User, blocked_number, digits_of, ignores, name_key, name_line, number_owner

from ..errors import BadInput, NotFound
from . import access

LONGEST_NUMBER = 64


@dataclass(frozen=True)
class Party:
    """One side of a call or a text: a user with a number, or somebody without an account.

    *number* is shown, *key* is compared: the digits, or where there are letters the name, marked as one and
    without regard to case.
    """

    number: str
    key: str
    user: User | None


def named(number: str) -> Party:
    """Whoever has this number, or nobody's number or name, such as a service's."""
    shown, digits = number.strip(), digits_of(number)
    if not shown or len(shown) > LONGEST_NUMBER:
        raise BadInput(f"A number has 1 to {LONGEST_NUMBER} characters.")
    is_name = digits is None or any(character.isalpha() for character in shown)
    row = number_owner.one(digits=digits)
    if row is not None and (not is_name or name_key(row.number) == name_key(shown)):
        return of(User.of_row(row))
    return Party(shown, name_line(shown) if is_name else digits or "", None)


def of(user: User) -> Party:
    if not user.number or not user.digits:
        raise NotFound("This player has no phone number.")
    return Party(user.number, user.digits, user)


def at(src: int) -> Party:
    """The player who is connected under this source."""
    return of(access.player_at(src))


def blocks(user: Any, other: Party) -> bool:
    """Whether *user* wants nothing from the other: by his number, or as a user whom he ignores."""
    if blocked_number.one(owner=user.id, key=other.key):
        return True
    return other.user is not None and ignores.one(user=user.id, ignored=other.user.id) is not None
