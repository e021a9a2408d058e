import functools
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from server.threads import Threads

SECONDS = 10


class Body:
    """Something large that came with a request."""


@pytest.fixture
def two() -> Iterator[Threads]:
    threads = Threads(2, at_once=2)
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
    answered = set()
    for _ in range(20):
        wait_until_idle(two)
        answered.add(asked(two, threading.get_ident).result(SECONDS))
    assert len(answered) == 1


def wait_until_idle(threads: Threads) -> None:
    latest = time.monotonic() + SECONDS
    while len(threads.idle) < len(threads.threads):
        assert time.monotonic() < latest
        time.sleep(0.001)


def test_idle_threads_keep_nothing(two: Threads) -> None:
    """What a thread has worked with is not kept until it works again."""
    body = Body()
    kept = weakref.ref(body)
    asked(two, functools.partial(id, body)).result(SECONDS)
    del body
    wait_until_idle(two)
    assert kept() is None


def test_a_thread_that_does_not_start_costs_nothing(two: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no thread the work is refused, and later ones are done."""
    with monkeypatch.context() as failing:
        failing.setattr(threading.Thread, "start", lambda _: 1 / 0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                two.do(print)
    assert asked(two, lambda: "here").result(SECONDS) == "here"


def test_no_more_than_so_many_work_at_once() -> None:
    """What finds no thread waits, and is done in the order in which it came."""
    threads, hold, order = Threads(1, at_once=1), threading.Event(), list[int]()
    held = asked(threads, hold.wait)
    late = [asked(threads, lambda number=number: order.append(number)) for number in range(5)]
    assert not order
    hold.set()
    for each in (held, *late):
        each.result(SECONDS)
    threads.close()
    assert order == list(range(5))


@pytest.fixture
def one_by_one() -> Iterator[Threads]:
    threads = Threads(4, at_once=1)
    yield threads
    threads.close()


class Counted:
    """Work that waits for a moment, and how much of it was being done at once at the most."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0

    def __call__(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self.lock:
            self.now -= 1


def test_work_is_done_one_by_one_where_that_is_asked(one_by_one: Threads) -> None:
    """However many threads there may be, no more work is begun than may be done at once."""
    counted = Counted()
    for each in [asked(one_by_one, counted) for _ in range(5)]:
        each.result(SECONDS)
    assert counted.most == 1


def test_who_has_not_been_long_at_it_is_not_passed(one_by_one: Threads) -> None:
    """Nothing is begun beside work that has not taken so long yet."""
    hold = threading.Event()
    held, late = asked(one_by_one, hold.wait), asked(one_by_one, threading.get_ident)
    one_by_one.let_pass(SECONDS)
    assert len(one_by_one.threads) == 1 and not late.done()
    hold.set()
    assert held.result(SECONDS) and late.result(SECONDS)


def test_others_pass_what_is_slow(one_by_one: Threads) -> None:
    """What waits behind slow work is begun beside it, and still one by one."""
    hold, counted = threading.Event(), Counted()
    held = asked(one_by_one, hold.wait)
    late = [asked(one_by_one, counted) for _ in range(5)]
    one_by_one.let_pass(0)
    for each in late:
        each.result(SECONDS)
    assert counted.most == 1 and not held.done()
    hold.set()
    assert held.result(SECONDS)


def test_slow_work_that_has_ended_counts_again(one_by_one: Threads) -> None:
    """A thread that others have passed does no work beside another one once it is through."""
    hold, again, counted = threading.Event(), threading.Event(), Counted()
    held = asked(one_by_one, hold.wait)
    one_by_one.let_pass(0)
    second = asked(one_by_one, again.wait)
    late = [asked(one_by_one, counted) for _ in range(3)]
    hold.set()
    held.result(SECONDS)
    while not one_by_one.idle:
        time.sleep(0.001)
    assert not counted.most
    again.set()
    for each in (second, *late):
        each.result(SECONDS)
    assert counted.most == 1


def test_a_failure_costs_no_thread(two: Threads) -> None:
    """Work that fails leaves its thread to the next."""
    for _ in range(5):
        two.do(lambda: 1 / 0)
    assert asked(two, lambda: "here").result(SECONDS) == "here"


def test_closing_waits_for_what_is_there() -> None:
    """Nothing that was taken on is lost when the threads are closed."""
    threads, done = Threads(1, at_once=1), list[int]()
    for number in range(50):
        threads.do(lambda number=number: done.append(number))
    threads.close()
    assert done == list(range(50))


def test_nothing_is_taken_on_after_the_end() -> None:
    """Whoever comes after the end is told."""
    threads = Threads(1, at_once=1)
    threads.close()
    with pytest.raises(RuntimeError):
        threads.do(print)
