"""The threads that answer calls: as few as there are calls at once, and no more at once than is good."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger(__name__)

Work = Callable[[], object]


class Threads:
    """At most so many threads in all, of which so many are at work *at_once*, the slow ones aside.

    Of those that are idle the one that was busy last comes first: it finds what it needs still in its
    processor's cache, and its connection to the store warm. The standard library's pool goes round all of its
    threads instead, and has them fight for the interpreter's lock, each time one lets go of it for a query.
    """

    def __init__(self, most: int, at_once: int) -> None:
        self.most, self.at_once = most, at_once
        self.lock = threading.Lock()
        self.threads: list[Thread] = []
        self.idle: list[Thread] = []
        # Those whose work counts, and since when they have been at it.
        self.busy: dict[Thread, float] = {}
        self.waiting: deque[Work] = deque()
        self.is_closed = False

    def do(self, work: Work) -> None:
        """Have *work* done by the first thread that may, after what waits already."""
        with self.lock:
            if self.is_closed:
                raise RuntimeError("These threads have ended.")
            if thread := self.free():
                self.begin(thread, work)
            else:
                self.waiting.append(work)

    def let_pass(self, seconds: float) -> None:
        """Have others begin in the place of those that have been at their work for so many *seconds*."""
        with self.lock:
            slow = time.monotonic() - seconds
            self.busy = {thread: since for thread, since in self.busy.items() if since > slow}
            while self.waiting and (thread := self.free()):
                self.begin(thread, self.waiting.popleft())

    def free(self) -> "Thread | None":
        """A thread that may begin something now, which may be a new one."""
        if len(self.busy) >= self.at_once:
            return None
        if self.idle:
            return self.idle.pop()
        if len(self.threads) >= self.most:
            return None
        thread = Thread(self, len(self.threads))
        thread.start()
        self.threads.append(thread)
        return thread

    def begin(self, thread: "Thread", work: Work) -> None:
        self.busy[thread] = time.monotonic()
        thread.work.put(work)

    def has_ended(self, thread: "Thread") -> None:
        """Give the *thread* what waits, or have it be idle; it has done what it was given."""
        with self.lock:
            self.busy.pop(thread, None)
            if self.waiting and len(self.busy) < self.at_once:
                self.begin(thread, self.waiting.popleft())
            elif self.is_closed:
                thread.work.put(None)
            else:
                self.idle.append(thread)

    def close(self) -> None:
        """End all of them, when what is there to do is done."""
        with self.lock:
            self.is_closed = True
            while self.idle:
                self.idle.pop().work.put(None)
        for thread in self.threads:
            thread.join()


class Thread(threading.Thread):
    """One of several, and the *work* that it is given; None is the last."""

    def __init__(self, threads: Threads, number: int) -> None:
        # Where nobody comes to close them they do not keep the process from its end.
        super().__init__(name=f"call {number}", daemon=True)
        self.threads = threads
        self.work: SimpleQueue[Work | None] = SimpleQueue()

    def run(self) -> None:
        while has_done(self.work.get()):
            self.threads.has_ended(self)


def has_done(work: Work | None) -> bool:
    """Do *work*, if it is any; nothing of it is kept when it is done."""
    if work is None:
        return False
    try:
        work()
    except Exception:
        log.exception("a thread's work failed")
    return True
