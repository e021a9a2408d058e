"""The phone door: the exports of a game server's phone, for trusted scripts, over XML-RPC."""

from . import calls, contacts, darkchat, players, texting
from .door import face

__all__ = ["calls", "contacts", "darkchat", "face", "players", "texting"]
