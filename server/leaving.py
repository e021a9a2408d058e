"""Leaving an address without losing anybody: new connections stop first, and those that are there end later.

When a process closes its address, those who have connected and were not heard yet are cut off. A client may
have sent his call by then, and a proxy cannot know whether it was carried out, so it must not send it again.
Who could not connect at all has sent nothing, and is sent on to another process.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
import termios
from collections.abc import Collection
from contextlib import suppress

from .listeners import address_of, borrowed

# How long those who have connected just before may take to be heard; shorter than the second after which
# a system asks again for a connection, so that by then it is refused.
LEAVING_SECONDS = 0.5
SO_ATTACH_FILTER = 26
# Of a segment of TCP: load its flags, keep SYN and ACK; drop it where only SYN is set, and else take all.
ASKS_FOR_A_CONNECTION = (
    (0x30, 0, 0, 13),
    (0x54, 0, 0, 0x12),
    (0x15, 0, 1, 0x02),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


def turn_away() -> None:
    """From now on nobody gets a new connection to this process, and who asks for one hears nothing yet.

    Only Linux can do so; elsewhere who connects in these last moments may be cut off.
    """
    if sys.platform == "linux":
        # Where all descriptors are in use even this list cannot be read; then a few are not heard.
        with suppress(OSError):
            for number in map(int, os.listdir("/dev/fd")):
                turn_away_from(number)


def hear_no_more(port: int, heard: Collection[str]) -> None:
    """From now on no client of *port* is waited for, but those who were *heard* and not answered yet.

    Who has sent half a head would be waited for until the process is killed.
    """
    with suppress(OSError):
        for number in map(int, os.listdir("/dev/fd")):
            with suppress(OSError), borrowed(number) as found:
                if is_at(found, port) and address_of(found) not in heard and has_sent_all(found):
                    found.shutdown(socket.SHUT_RD)


def is_at(found: socket.socket, port: int) -> bool:
    """Whether this is the server's end of a client's connection."""
    return found.family in (socket.AF_INET, socket.AF_INET6) and found.getsockname()[1] == port


def has_sent_all(found: socket.socket) -> bool:
    """Whether the other side has taken all that was written; a long answer may still be on its way."""
    [waiting] = struct.unpack("i", fcntl.ioctl(found, termios.TIOCOUTQ, bytes(4)))
    return bool(waiting == 0)


def turn_away_from(number: int) -> None:
    with suppress(OSError), borrowed(number) as found:
        if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            drop_new(found)


def drop_new(listening: socket.socket) -> None:
    """Let the system drop what asks *listening* for a connection; what waits in its queue stays there."""
    steps = b"".join(struct.pack("HBBI", *step) for step in ASKS_FOR_A_CONNECTION)
    kept = ctypes.create_string_buffer(steps, len(steps))
    program = struct.pack("HP", len(ASKS_FOR_A_CONNECTION), ctypes.addressof(kept))
    listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
