"""Several connections at once, each driven by a process of its own, so that the driver is not in the way."""

import itertools
import math
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from driver import PATIENCE, WARM, Connection, Make, Refused, Round
from served import Served

# What is asked are functions, which only a fork takes along.
FORK = multiprocessing.get_context("fork")
MOST_TRIES = 1000
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@dataclass(frozen=True)
class Line:
    """A connection, and what is asked over it."""

    connection: Connection
    make: Make


@dataclass(frozen=True)
class Driven:
    """What came of it: the calls, why some failed, and the part of a core that the driver used."""

    round: Round
    errors: list[str]
    driver: float


@contextmanager
def opened(served: Served, makes: Sequence[Make], strict: bool = True) -> Iterator[list[Line]]:
    """A line for each of *makes*, all of them warm; those that are not *strict* take refusals."""
    with ExitStack() as stack:
        connections = spread(served, len(makes), strict, stack)
        lines = [Line(connection, make) for connection, make in zip(connections, makes, strict=True)]
        for line, _ in itertools.product(lines, range(WARM)):
            line.connection.ask(line.make())
        yield lines


def spread(served: Served, number: int, strict: bool, stack: ExitStack) -> list[Connection]:
    """So many connections, as many to one worker as to another.

    The system gives each to a worker by chance. With many clients it comes out even; with a few it would be
    another setting that is measured each time.
    """
    kept: list[Connection] = []
    share, held = math.ceil(number / len(served.workers)), Counter[int]()
    for _ in range(MOST_TRIES):
        if len(kept) == number:
            return kept
        connection = stack.enter_context(closing(Connection(served, strict)))
        connection.ask(HEALTH)
        worker = served.worker_of(connection.socket.getsockname()[1])
        if held[worker] < share:
            held[worker] += 1
            kept.append(connection)
        else:
            connection.close()
    raise SystemExit("the connections do not come to all workers")


def drive(
    served: Served, lines: Sequence[Line], seconds: float = math.inf, number: float = math.inf
) -> Driven:
    """Ask over all lines at once, for so many seconds or so many times in all."""
    start, each = FORK.Barrier(len(lines)), number / len(lines)
    cpu = served.cpu()
    with ExitStack() as stack:
        ends = [begun(stack, line, start, seconds, each) for line in lines]
        told = [end.recv() for end in ends]
    took = [one for calls, _, _, _ in told for one in calls]
    errors = [error for _, found, _, _ in told for error in found]
    if not took:
        raise Refused(errors[0])
    # Each line has its own rate, so that one late answer at the end does not count for all.
    rate = sum(len(calls) / lasted for calls, _, lasted, _ in told)
    driver = sum(used / lasted for _, _, lasted, used in told)
    return Driven(Round(took, len(took) / rate, served.cpu() - cpu), errors, driver)


def begun(stack: ExitStack, line: Line, *how: Any) -> Any:
    """The end of a pipe at which a process tells what came of its *line*."""
    here, there = FORK.Pipe(duplex=False)
    stack.enter_context(beside(work, there, line, *how))
    there.close()
    return stack.enter_context(here)


@contextmanager
def beside(task: Callable[..., None], *values: Any) -> Iterator[None]:
    """Have a process of its own do the *task*, at most for this time."""
    process = FORK.Process(target=alone, args=(task, *values), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def alone(task: Callable[..., None], *values: Any) -> None:
    """Do a *task*, and leave it to the first process to hear of Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    task(*values)


def work(told: Any, line: Line, start: Any, seconds: float, number: float) -> None:
    took: list[float] = []
    errors: list[str] = []
    start.wait(PATIENCE)
    used, began = time.process_time(), time.perf_counter()
    while (now := time.perf_counter()) - began < seconds and len(took) + len(errors) < number:
        try:
            line.connection.ask(line.make())
            took.append(time.perf_counter() - now)
        except Refused as error:
            errors.append(str(error))
        except OSError as error:
            errors.append(f"the connection is lost: {error}")
            break
    told.send((took, errors, time.perf_counter() - began, time.process_time() - used))


def cores() -> str:
    """What to know about the machine where the driver shares it with the server."""
    return f"{os.cpu_count()} cores, shared with the driver"
