"""Sending requests over a connection that stays open, and what that takes."""

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import astuple, dataclass

from served import Served

END_OF_HEAD = b"\r\n\r\n"
WARM, ROUNDS, ROUND_SECONDS, PATIENCE = 30, 5, 0.4, 60
Make = Callable[[], bytes]


class Refused(Exception):
    """A call was not answered, or with a no."""


class Connection:
    """One HTTP/1.1 connection that is kept alive; a *strict* one takes no refusal for an answer."""

    def __init__(self, served: Served, strict: bool = True) -> None:
        self.socket = socket.create_connection((served.host, served.port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.strict, self.rest = strict, b""

    def ask(self, request: bytes) -> tuple[bytes, bytes]:
        """The head and the body of the answer."""
        self.socket.sendall(request)
        while END_OF_HEAD not in self.rest:
            self.rest += self.receive()
        head, _, self.rest = self.rest.partition(END_OF_HEAD)
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        while len(self.rest) < length:
            self.rest += self.receive()
        body, self.rest = self.rest[:length], self.rest[length:]
        if self.strict and is_refusal(head, body):
            raise Refused(f"{head[:200]!r} {body[:600]!r}")
        return head, body

    def receive(self) -> bytes:
        data = self.socket.recv(1 << 18)
        if not data:
            raise Refused("the server has closed the connection")
        return data

    def close(self) -> None:
        self.socket.close()


def is_refusal(head: bytes, body: bytes) -> bool:
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        return True
    return b"faultCode" in body or b"<name>result</name><value><boolean>0" in body


@dataclass(frozen=True)
class Figures:
    """What calls take: how many a second, milliseconds for most, milliseconds of processor time for each.

    The time is that of all processes of the server, whatever they do meanwhile.
    """

    rate: float
    p50: float
    p99: float
    cpu: float


def figures(took: list[float], seconds: float, cpu: float) -> Figures:
    """Of calls that took so many seconds each, and all of them so long and so much processor time."""
    took, number = sorted(took), len(took)
    return Figures(
        number / seconds, took[number // 2] * 1000, took[number * 99 // 100] * 1000, cpu / number * 1000
    )


def median(rounds: list[Figures]) -> Figures:
    return Figures(*(statistics.median(each) for each in zip(*map(astuple, rounds), strict=True)))


@dataclass(frozen=True)
class Turn:
    """Whose turn it can be: a server, and what it is asked."""

    served: Served
    make: Make


@dataclass(frozen=True)
class Compared:
    """Two that took turns: the medians of each, and of the ratios of neighbouring rounds."""

    one: Figures
    other: Figures
    cpu: float
    elapsed: float


def measured(turn: Turn, rounds: int = ROUNDS) -> Figures:
    """The median over some rounds of one call after another."""
    with ready(turn) as connection:
        return median([one_round(turn, connection) for _ in range(rounds)])


def compared(one: Turn, other: Turn, rounds: int) -> Compared:
    """A B A B …"""
    with ExitStack() as stack:
        pair = [(turn, stack.enter_context(ready(turn))) for turn in (one, other)]
        found = [[one_round(*each) for each in pair] for _ in range(rounds)]
    return Compared(
        *(median(list(side)) for side in zip(*found, strict=True)),
        statistics.median(first.cpu / second.cpu for first, second in found),
        statistics.median(first.p50 / second.p50 for first, second in found),
    )


@contextmanager
def ready(turn: Turn) -> Iterator[Connection]:
    """A connection over which the call was made a few times already."""
    with closing(Connection(turn.served)) as connection:
        for _ in range(WARM):
            connection.ask(turn.make())
        yield connection


def one_round(turn: Turn, connection: Connection) -> Figures:
    took: list[float] = []
    cpu, began = turn.served.cpu(), time.perf_counter()
    while (now := time.perf_counter()) - began < ROUND_SECONDS or len(took) < WARM:
        connection.ask(turn.make())
        took.append(time.perf_counter() - now)
    return figures(took, time.perf_counter() - began, turn.served.cpu() - cpu)
