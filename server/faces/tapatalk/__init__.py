"""The forum door: private conversations for Tapatalk-style mobile apps, over XML-RPC."""

from . import account, conversations, people, unoffered, uploads
from .door import ABOUT, VALUES, face

__all__ = ["ABOUT", "VALUES", "account", "conversations", "face", "people", "unoffered", "uploads"]
