"""The phone door: the exports of a game server's phone, for trusted scripts, over XML-RPC."""

from . import calls, contacts, darkchat, players, texting
from .door import ABOUT, VALUES, face

__all__ = ["ABOUT", "VALUES", "calls", "contacts", "darkchat", "face", "players", "texting"]
