"""What all processes of the server hold after more and more calls of all kinds."""

import itertools
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import calls
import load
from calls import Make
from driver import Connection
from served import Memory, Served
from stores import NEWCOMER, WRITERS, Filled, token_of

MEMBERS, GUESTS, LISTENERS, COMERS = 5, 2, 4, 50
SAMPLES, LOOK_SECONDS = 10, 0.2
MOST_AT_ONCE = 1_000
# Of the calls of those whom nobody knows, one in so many is a login with a wrong password, which is slow.
LOGIN_EACH = 50


@dataclass(frozen=True)
class Sample:
    requests: int
    memory: Memory
    most: float


def samples(served: Served, filled: Filled, requests: int) -> Iterator[Sample]:
    """What is held after each tenth of the calls, of which the first warms up, and the most until then."""
    makes = [*calls.mixed(filled)[:MEMBERS], everything(filled)]
    with ExitStack() as stack:
        lines = stack.enter_context(load.opened(served, makes))
        lines += stack.enter_context(load.opened(served, [guest() for _ in range(GUESTS)], strict=False))
        stack.enter_context(listeners(served))
        for number in range(1, SAMPLES + 1):
            with watched(served) as most:
                for part in parts(requests // SAMPLES):
                    driven = load.drive(served, lines, number=part)
                    if driven.errors:
                        raise SystemExit(f"{len(driven.errors)} calls failed under load: {driven.errors[0]}")
                come_and_go(served)
            yield Sample(number * requests // SAMPLES, served.memory(), most.value)


def parts(requests: int) -> list[int]:
    """So many calls in parts of which none lasts long: who is through waits, and a server hangs up on him."""
    number = math.ceil(requests / MOST_AT_ONCE)
    return [requests // number] * number


@contextmanager
def watched(served: Served) -> Iterator[Any]:
    """The most memory that it held meanwhile, looked at many times a second."""
    most = load.FORK.RawValue("d", 0)
    with load.beside(watch, served, most):
        yield most


def watch(served: Served, most: Any) -> None:
    while True:
        most.value = max(most.value, served.memory().whole)
        time.sleep(LOOK_SECONDS)


def everything(filled: Filled) -> Make:
    """Every call that is measured, and pages."""
    return calls.in_turn(*calls.operations(filled).values(), *pages())


def guest() -> Make:
    makes = list(itertools.islice(itertools.cycle(pages()), LOGIN_EACH - 1))
    return calls.in_turn(*makes, calls.same(calls.login(NEWCOMER, "not the password")))


def pages() -> list[Make]:
    """What is open to all."""
    paths = ("/mobiquo", "/docs", "/openapi.json", "/mobiquo/avatar.php?user_id=1")
    return [calls.same(calls.get("", path)) for path in paths] + [calls.same(calls.rpc("", "get_config"))]


@contextmanager
def listeners(served: Served) -> Iterator[None]:
    """Some who listen to events all the time."""
    with ExitStack() as stack:
        for user in WRITERS[:LISTENERS]:
            connection = stack.enter_context(closing(listening(served, user)))
            stack.enter_context(load.beside(hear, connection))
        yield


def listening(served: Served, user: int) -> Connection:
    connection = Connection(served)
    connection.socket.sendall(calls.LISTEN.format(key=token_of(user)).encode())
    connection.receive()
    return connection


def hear(connection: Any) -> None:
    while True:
        connection.receive()


def come_and_go(served: Served) -> None:
    """Others listen for a moment."""
    for user in itertools.islice(itertools.cycle(WRITERS), COMERS):
        listening(served, user).close()
