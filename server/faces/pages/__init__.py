"""Pages for people: what this is, and a member's inbox in a browser, with no script needed."""

from . import about, account, admin, docs, inbox, live, search, session
from .door import face
from .home import ENDPOINTS

__all__ = ["ENDPOINTS", "about", "account", "admin", "docs", "face", "inbox", "live", "search", "session"]
