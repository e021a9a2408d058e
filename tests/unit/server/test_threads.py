import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from server.threads import Threads

SECONDS = 10


@pytest.fixture
def two() -> Iterator[Threads]:
    threads = Threads(2)
    yield threads
    threads.close()


def asked(threads: Threads, work: Any) -> "Future[Any]":
    """What *work* gives, when one of the *threads* has done it."""
    done: Future[Any] = Future()
    threads.do(lambda: done.set_result(work()))
    return done


def test_work_is_done_by_another_thread(two: Threads) -> None:
    """Work is done, and not by the one who asks for it."""
    assert asked(two, threading.get_ident).result(SECONDS) != threading.get_ident()


def test_the_last_that_was_busy_comes_first(two: Threads) -> None:
    """One call after another is answered by one and the same thread."""
    hold = threading.Event()
    held = asked(two, hold.wait)
    asked(two, threading.get_ident).result(SECONDS)
    hold.set()
    held.result(SECONDS)
    assert len({asked(two, threading.get_ident).result(SECONDS) for _ in range(20)}) == 1


def test_no_more_than_so_many_work_at_once() -> None:
    """What finds no thread waits, and is done in the order in which it came."""
    threads, hold, order = Threads(1), threading.Event(), list[int]()
    held = asked(threads, hold.wait)
    late = [asked(threads, lambda number=number: order.append(number)) for number in range(5)]
    assert not order
    hold.set()
    for each in (held, *late):
        each.result(SECONDS)
    threads.close()
    assert order == list(range(5))


def test_a_failure_costs_no_thread(two: Threads) -> None:
    """Work that fails leaves its thread to the next."""
    for _ in range(5):
        two.do(lambda: 1 / 0)
    assert asked(two, lambda: "here").result(SECONDS) == "here"


def test_closing_waits_for_what_is_there() -> None:
    """Nothing that was taken on is lost when the threads are closed."""
    threads, done = Threads(1), list[int]()
    for number in range(50):
        threads.do(lambda number=number: done.append(number))
    threads.close()
    assert done == list(range(50))


def test_nothing_is_taken_on_after_the_end() -> None:
    """Whoever comes after the end is told."""
    threads = Threads(1)
    threads.close()
    with pytest.raises(RuntimeError):
        threads.do(print)
