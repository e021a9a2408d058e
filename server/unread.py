"""Clients that take nothing of what they are answered: Granian would wait for ever."""

import asyncio
import os
import socket
import sys
from contextlib import suppress

from .leaving import is_at
from .listeners import INFO, borrowed


class Unread:
    """The connections at a *port* on which something waits; *seen* is how much of each was ever taken."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: dict[int, tuple[int, int]] = {}

    async def keep_looking(self, seconds: float) -> None:
        """Cut off who has taken nothing between two looks, so many *seconds* apart; only Linux can tell."""
        while sys.platform == "linux":
            await asyncio.sleep(seconds)
            self.look()

    def look(self) -> None:
        before, self.seen = self.seen, {}
        with suppress(OSError):
            for number in map(int, os.listdir("/dev/fd")):
                with suppress(OSError), borrowed(number) as found:
                    self.look_at(found, before)

    def look_at(self, found: socket.socket, before: dict[int, tuple[int, int]]) -> None:
        # Of the address itself the same figures tell how many wait to be connected.
        if not is_at(found, self.port) or found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return
        info = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO.size)
        unacknowledged, acknowledged, unsent = INFO.unpack(info)
        if not unacknowledged and not unsent:
            return
        number = found.fileno()
        # A number may be another connection's by now, which the inode tells.
        self.seen[number] = os.fstat(number).st_ino, acknowledged
        if self.seen[number] == before.get(number):
            found.shutdown(socket.SHUT_RDWR)
