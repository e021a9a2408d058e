"""How much this process answers and how fast: counted in a few numbers, and written down once a minute."""

import asyncio
import threading
import time
from bisect import bisect_right
from datetime import UTC, datetime
from functools import lru_cache

from models import BOUNDS, TIMES, Load

from .logs import FAILED, REFUSED, number_in, result_of
from .storing import log_failure, quietly

MINUTE = 60
# How long the end of a process waits for the store to take what it has counted last.
LAST_SECONDS = 1.0
NAMES = ["requests", REFUSED, FAILED, *TIMES]
# Found out once for each of the few words by which requests end.
result_in = lru_cache(1000)(lambda outcome: result_of(number_in(outcome)))


class Counts:
    """What was answered since it was written down last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.numbers = dict.fromkeys(NAMES, 0)

    def count(self, outcome: str, milliseconds: float | None) -> None:
        """Count a request that was answered with this *outcome*, in the words of the log."""
        result = result_in(outcome)
        with self.lock:
            self.numbers["requests"] += 1
            if result in self.numbers:
                self.numbers[result] += 1
            if milliseconds is not None:
                self.numbers[TIMES[bisect_right(BOUNDS, milliseconds)]] += 1

    def take(self) -> dict[str, int]:
        """What was counted, which is counted no more."""
        with self.lock:
            taken, self.numbers = self.numbers, dict.fromkeys(NAMES, 0)
        return taken

    def write(self, minute: int) -> None:
        """Write down what was counted; where nothing was, nothing, and what the store cannot take is lost."""
        taken = self.take()
        if taken["requests"]:
            at = datetime.fromtimestamp(minute * MINUTE, UTC)
            quietly(lambda: Load.create(minute=at, **taken))

    async def keep_writing(self) -> None:
        """Write at the end of each minute what was answered in it."""
        while True:
            minute = int(time.time() // MINUTE)
            await asyncio.sleep((minute + 1) * MINUTE - time.time())
            try:
                await asyncio.to_thread(self.write, minute)
            except Exception as error:
                log_failure("the load was not written down", error)

    def write_last(self) -> None:
        """Write what is left when the process ends, which does not wait for long."""
        minute = int(time.time() // MINUTE)
        writing = threading.Thread(target=self.write, args=(minute,), daemon=True)
        writing.start()
        writing.join(LAST_SECONDS)
