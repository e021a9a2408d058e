"""The forum door: private conversations for Tapatalk-style mobile apps, over XML-RPC."""

from . import account, conversations, people, unoffered, uploads
from .door import ABOUT, face

__all__ = ["ABOUT", "account", "conversations", "face", "people", "unoffered", "uploads"]
