"""What all pages share: who they are for, and how they say when something was."""

from models import User

from ...errors import Refusal
from ...visits import Administrator
from ...wire.pages import Shown, View
from ...wire.types import Codec
from ..face import Face


def refuse(returns: Codec, error: Refusal) -> Shown:
    """Refusals leave this door as pages, which HTTP's side of it makes."""
    raise error


face = Face(User, refuse)
# What is for administrators stands among the other pages, and to everybody else is not there.
office = Face(Administrator, refuse)
office.routes = face.routes

__all__ = ["Shown", "View", "face", "office"]
