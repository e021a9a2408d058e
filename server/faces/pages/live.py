"""What a page is told while it is open."""

from typing import Any

from models import User

from ...visits import Visit
from .door import face


@face.route("GET", "/inbox/events", transaction="none")
def follow(user: User, visit: Visit, /) -> Any:
    """Follow what happens, as it happens, in the events of the chat door; the answer has no end."""
    return visit.following()
