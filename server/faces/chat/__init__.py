"""The chat door: direct chat for websites and apps, over REST and JSON, and a stream of what happens."""

from . import account, chats, messages, search, totals
from .described import CODES, OTHERS, SECURITY, TITLE
from .door import ABOUT, face

__all__ = [
    "ABOUT",
    "CODES",
    "OTHERS",
    "SECURITY",
    "TITLE",
    "account",
    "chats",
    "face",
    "messages",
    "search",
    "totals",
]
