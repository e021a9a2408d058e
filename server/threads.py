"""The threads that answer calls: as few as there are calls at once, up to so many."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger(__name__)

Work = Callable[[], object]


class Threads:
    """At most so many threads; of those that are idle the one that was busy last comes first.

    A thread that has just worked finds what it needs still in its processor's cache, and its connection to
    the store warm. The standard library's pool goes round all of its threads instead.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.lock = threading.Lock()
        self.threads: list[threading.Thread] = []
        self.idle: list[SimpleQueue[Work | None]] = []
        self.waiting: deque[Work] = deque()
        self.is_closed = False

    def do(self, work: Work) -> None:
        """Have *work* done by the first thread that can, after what waits already."""
        with self.lock:
            if self.is_closed:
                raise RuntimeError("These threads have ended.")
            if self.idle:
                self.idle.pop().put(work)
            elif len(self.threads) < self.most:
                self.start(work)
            else:
                self.waiting.append(work)

    def start(self, work: Work) -> None:
        own: SimpleQueue[Work | None] = SimpleQueue()
        own.put(work)
        name = f"call {len(self.threads)}"
        # Where nobody comes to close them they do not keep the process from its end.
        thread = threading.Thread(target=self.keep_working, args=(own,), name=name, daemon=True)
        thread.start()
        self.threads.append(thread)

    def keep_working(self, own: "SimpleQueue[Work | None]") -> None:
        while has_done(own.get()):
            self.be_free(own)

    def be_free(self, own: "SimpleQueue[Work | None]") -> None:
        """Take what waits, or be idle: the thread gets its work from *own*."""
        with self.lock:
            if self.waiting:
                own.put(self.waiting.popleft())
            elif self.is_closed:
                own.put(None)
            else:
                self.idle.append(own)

    def close(self) -> None:
        """End all of them, when what is there to do is done."""
        with self.lock:
            self.is_closed = True
            while self.idle:
                self.idle.pop().put(None)
        for thread in self.threads:
            thread.join()


def has_done(work: Work | None) -> bool:
    """Do *work*, if it is any; nothing of it is kept when it is done."""
    if work is None:
        return False
    try:
        work()
    except Exception:
        log.exception("a thread's work failed")
    return True
