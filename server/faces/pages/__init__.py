"""Pages for people: what this is, and a member's inbox in a browser, with no script needed."""

from . import home, inbox, session
from .door import face

__all__ = ["face", "home", "inbox", "session"]
