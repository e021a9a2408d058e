"""What all pages share: who they are for, and how they say when something was."""

from models import User

from ...errors import Refusal
from ...wire.pages import Shown, View
from ...wire.types import Codec
from ..face import Face


def refuse(returns: Codec, error: Refusal) -> Shown:
    """Refusals leave this door as pages, which HTTP's side of it makes."""
    raise error


face = Face(User, refuse)

__all__ = ["Shown", "View", "face"]
