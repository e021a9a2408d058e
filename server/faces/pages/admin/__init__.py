"""Pages for administrators: how the server is, who is there, and which keys there are."""

from . import keys, overview, people

__all__ = ["keys", "overview", "people"]
