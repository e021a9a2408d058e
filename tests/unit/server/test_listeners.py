"""What a listener's connection has yet to take, and that looking for it does no harm."""

import asyncio
import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from server.listeners import MOST_BEHIND, Connection

TRY = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection: the server's, and the client's, who reads when he is asked to."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as server,
        closing(socket.create_connection(server.getsockname())) as client,
        closing(server.accept()[0]) as accepted,
    ):
        yield accepted, client


def connection_of(pair: tuple[socket.socket, socket.socket]) -> Connection:
    async def find() -> Connection:
        host, port = pair[1].getsockname()
        return Connection(f"{host}:{port}")

    return asyncio.run(find())


def test_a_connection_is_found(pair: tuple[socket.socket, socket.socket]) -> None:
    """The socket of a connection is found by the address of its other side, and stays open."""
    found = connection_of(pair)
    assert found.number == pair[0].fileno()
    pair[0].sendall(b"still here")
    assert pair[1].recv(20) == b"still here"
    found.forget()


def test_looking_takes_no_lock_from_a_file(tmp_path: Path, pair: tuple[socket.socket, socket.socket]) -> None:
    """The locks that the process has on files, such as the store, survive the search for a socket."""
    path = tmp_path / "locked"
    path.touch()
    with path.open("r+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        connection_of(pair).forget()
        assert subprocess.run([sys.executable, "-c", TRY, path], stderr=subprocess.DEVNULL).returncode
    assert not subprocess.run([sys.executable, "-c", TRY, path]).returncode


def test_there_is_room_for_who_reads(pair: tuple[socket.socket, socket.socket]) -> None:
    """Once all has been taken there is room for anything; while it waits, for so much."""
    found = connection_of(pair)

    async def room(size: int) -> bool:
        return found.has_room(size)

    pair[0].setblocking(False)
    while True:
        try:
            found.add(pair[0].send(bytes(65536)))
        except BlockingIOError:
            break
    found.add(MOST_BEHIND)
    assert not asyncio.run(room(1))
    pair[1].settimeout(0.5)
    with suppress(TimeoutError):
        while pair[1].recv(2**20):
            pass
    assert asyncio.run(room(MOST_BEHIND * 2))
    found.forget()


def test_an_unknown_connection_has_an_end() -> None:
    """Where no socket is found, there is room for so much in all."""

    async def rooms() -> list[bool]:
        found = Connection("192.0.2.1:9")
        found.add(MOST_BEHIND - 1)
        return [found.has_room(1), found.has_room(2)]

    assert asyncio.run(rooms()) == [True, False]


def test_cutting_ends_the_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    """A connection that is cut ends for its client, and its number stays its owner's to close."""
    found = connection_of(pair)
    found.cut()
    assert pair[1].recv(20) == b""
    os.fstat(pair[0].fileno())
    found.forget()
