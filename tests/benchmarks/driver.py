"""Sending requests over a connection that stays open, and what that takes."""

import socket
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from served import Served, apart

END_OF_HEAD = b"\r\n\r\n"
# How often a call is made before it counts; how many rounds there are, their seconds and their fewest calls.
WARM, ROUNDS, ROUND_SECONDS, LEAST = 30, 20, 0.1, 6
PATIENCE = 60
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


@dataclass(frozen=True)
class Round:
    """Calls that took so many seconds each, and all of them so long and so much processor time."""

    took: list[float]
    seconds: float
    cpu: float

    @property
    def figures(self) -> Figures:
        took, number = sorted(self.took), len(self.took)
        p50, p99 = took[number // 2], took[number * 99 // 100]
        return Figures(number / self.seconds, p50 * 1000, p99 * 1000, self.cpu / number * 1000)


def all_of(rounds: Iterable[Round]) -> Figures:
    """The figures of all calls of some rounds."""
    rounds = list(rounds)
    took = [one for each in rounds for one in each.took]
    return Round(took, sum(each.seconds for each in rounds), sum(each.cpu for each in rounds)).figures


@dataclass(frozen=True)
class Turn:
    """Whose turn it can be: a server, and what it is asked."""

    served: Served
    make: Make


@dataclass(frozen=True)
class Ratio:
    """The median of the ratios of neighbouring rounds; half of them are between *low* and *high*."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


@dataclass(frozen=True)
class Compared:
    """Two that took turns: the figures of each, and the ratios of their processor time and of their time."""

    one: Figures
    other: Figures
    cpu: Ratio
    elapsed: Ratio

    def __str__(self) -> str:
        one, other = self.one, self.other
        cpu = f"CPU {self.cpu}: {one.cpu:.3f}/{other.cpu:.3f} ms"
        return f"{cpu}, elapsed {self.elapsed}: {one.p50:.2f}/{other.p50:.2f} ms"


def measured(turn: Turn, rounds: int = ROUNDS) -> Figures:
    """One call after another."""
    with apart(turn.served), ready(turn) as connection:
        return all_of(one_round(turn, connection) for _ in range(rounds))


def compared(one: Turn, other: Turn, rounds: int) -> Compared:
    """A B A B …, in rounds so short that what else goes on at the machine comes to both."""
    with apart(one.served, other.served), ExitStack() as stack:
        pair = [(turn, stack.enter_context(ready(turn))) for turn in (one, other)]
        found = [[one_round(*each) for each in pair] for _ in range(rounds)]
    figures = [[each.figures for each in pair] for pair in found]
    return Compared(
        *(all_of(side) for side in zip(*found, strict=True)),
        ratio([first.cpu / second.cpu for first, second in figures]),
        ratio([first.p50 / second.p50 for first, second in figures]),
    )


def ratio(ratios: list[float]) -> Ratio:
    return Ratio(*statistics.quantiles(ratios, n=4, method="inclusive"))


@contextmanager
def ready(turn: Turn) -> Iterator[Connection]:
    """A connection over which the call was made a few times already."""
    with closing(Connection(turn.served)) as connection:
        for _ in range(WARM):
            connection.ask(turn.make())
        yield connection


def one_round(turn: Turn, connection: Connection) -> Round:
    took: list[float] = []
    cpu, began = turn.served.cpu(), time.perf_counter()
    while (now := time.perf_counter()) - began < ROUND_SECONDS or len(took) < LEAST:
        connection.ask(turn.make())
        took.append(time.perf_counter() - now)
    return Round(took, time.perf_counter() - began, turn.served.cpu() - cpu)
