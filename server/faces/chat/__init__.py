"""The chat door: direct chat for websites and apps, over REST and JSON."""

from . import account, chats, messages, totals
from .door import ABOUT, face

__all__ = ["ABOUT", "account", "chats", "face", "messages", "totals"]
