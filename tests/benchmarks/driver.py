"""Sending requests over a connection that stays open, and what that takes."""

import socket
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from served import Served

END_OF_HEAD = b"\r\n\r\n"
WARM, ROUNDS, ROUND_SECONDS = 30, 5, 0.4


class Connection:
    """One HTTP/1.1 connection that is kept alive."""

    def __init__(self, served: Served) -> None:
        self.socket = socket.create_connection((served.host, served.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def ask(self, request: bytes) -> bytes:
        """The body of the answer."""
        self.socket.sendall(request)
        while END_OF_HEAD not in self.rest:
            self.rest += self.receive()
        head, _, self.rest = self.rest.partition(END_OF_HEAD)
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        while len(self.rest) < length:
            self.rest += self.receive()
        body, self.rest = self.rest[:length], self.rest[length:]
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
            raise SystemExit(f"refused: {head[:200]!r} {body[:300]!r}")
        if b"faultCode" in body or b"<name>result</name><value><boolean>0" in body:
            raise SystemExit(f"refused: {body[:600]!r}")
        return body

    def receive(self) -> bytes:
        data = self.socket.recv(1 << 18)
        if not data:
            raise SystemExit("the server has closed the connection")
        return data

    def close(self) -> None:
        self.socket.close()


@dataclass(frozen=True)
class Figures:
    """What one kind of call takes: calls a second, milliseconds for most, milliseconds of processor time."""

    rate: float
    p50: float
    p99: float
    cpu: float


def measured(served: Served, make: Callable[[], bytes], rounds: int = ROUNDS) -> Figures:
    """The median over some rounds of one call after another."""
    with closing(Connection(served)) as connection:
        for _ in range(WARM):
            connection.ask(make())
        return median([one_round(served, connection, make) for _ in range(rounds)])


def one_round(served: Served, connection: Connection, make: Callable[[], bytes]) -> Figures:
    took, cpu, began = [], served.cpu(), time.perf_counter()
    while (now := time.perf_counter()) - began < ROUND_SECONDS or len(took) < WARM:
        connection.ask(make())
        took.append(time.perf_counter() - now)
    seconds, used = time.perf_counter() - began, served.cpu() - cpu
    took.sort()
    number = len(took)
    return Figures(
        number / seconds, took[number // 2] * 1000, took[number * 99 // 100] * 1000, used / number * 1000
    )


def median(rounds: list[Figures]) -> Figures:
    return Figures(*(statistics.median(each) for each in zip(*map(values, rounds), strict=True)))


def values(figures: Figures) -> tuple[float, float, float, float]:
    return figures.rate, figures.p50, figures.p99, figures.cpu
