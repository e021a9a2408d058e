"""What is measured of requests, of this process and of the store, as Prometheus reads it.

Loaded only where somebody may read it. Every process writes into files of its own in one folder, which the
supervising process has made, and whoever is asked adds all of them up: so what a process has counted that
was killed is not lost.
"""

import glob
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from models import TROUBLES, Message, is_embedded, live_calls, milliseconds, newest_given, now, store_size

from . import __version__
from .logs import number_in, result_of

log = logging.getLogger(__name__)

# By this name the library knows the folder.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# The files of a process, and the size of each, which holds all labels that there are.
KINDS, ROOM = ("counter", "histogram", "gauge_livesum"), 2**20
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
FAILURES: tuple[type[Exception], ...] = (*TROUBLES, OSError)


class Metrics:
    """What this process counts. Labels are words of the server's own, never a client's."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.folder = Path(os.environ[FOLDER])
        allocate([self.folder / f"{kind}_{os.getpid()}.db" for kind in KINDS])
        self.requests = Counter(
            "switchboard_requests", "Requests answered.", ["door", "method", "outcome"], registry=None
        )
        self.refusals = Counter("switchboard_refusals", "Refusals.", ["door", "kind"], registry=None)
        self.seconds = Histogram(
            "switchboard_request_seconds", "Time taken.", ["door", "method"], buckets=SECONDS, registry=None
        )
        self.known: dict[tuple[str, str, str], tuple[list[Counter], Histogram]] = {}
        self.waiting = gauge("switchboard_waiting_calls", "Calls that wait for a thread.")
        self.listeners = gauge("switchboard_listeners", "Live answers.")

    def count(self, door: str, method: str, outcome: str, milliseconds: float | None) -> None:
        """Count a request that was answered with this *outcome*, in the words of the log."""
        key = door, method, outcome
        counters, seconds = self.known.get(key) or self.learn(*key)
        for counter in counters:
            counter.inc()
        if milliseconds is not None:
            seconds.observe(milliseconds / 1000)

    def learn(self, door: str, method: str, outcome: str) -> tuple[list[Counter], Histogram]:
        """What a request with these labels counts for; looking for it costs as much as counting."""
        number = number_in(outcome)
        counters = [self.requests.labels(door, method, result_of(number))]
        if number:
            counters.append(self.refusals.labels(door, number))
        self.known[door, method, outcome] = found = counters, self.seconds.labels(door, method)
        return found

    def see(self, waiting: int, listeners: int) -> None:
        """Keep how many wait and listen in this process at this moment."""
        self.waiting.set(waiting)
        self.listeners.set(listeners)

    def text(self) -> bytes:
        """All that is known, of every process and of the store."""
        self.forget_dead()
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self.folder))
        registry.register(Store())
        return generate_latest(registry)

    def forget_dead(self) -> None:
        """Nobody waits or listens at a process that is gone."""
        for path in glob.glob(str(self.folder / "gauge_live*.db")):
            number = int(Path(path).stem.rpartition("_")[2])
            if not is_there(number):
                mark_process_dead(number, str(self.folder))


class Store:
    """What the store tells of itself, in time that does not grow with it."""

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("switchboard_info", "What runs.", labels=["version", "engine"])
        info.add_metric([__version__, "sqlite" if is_embedded() else "postgresql"], 1)
        yield info
        try:
            told = [
                ("switchboard_store_bytes", "Size of the store.", store_size()),
                ("switchboard_store_newest_message", "Id of the newest message.", newest_given(Message)),
                (
                    "switchboard_live_calls",
                    "Calls of the phone.",
                    live_calls.one(now=milliseconds(now())).number,
                ),
            ]
        except FAILURES as error:
            log.warning("the store told nothing of itself: %s", error)
            told = []
        yield GaugeMetricFamily("switchboard_store_up", "Whether the store answers.", value=bool(told))
        yield from (GaugeMetricFamily(name, meaning, value=value) for name, meaning, value in told)


def measuring() -> Metrics | None:
    """What counts from here on; None where the disk has no room for it, which keeps nobody from serving."""
    try:
        return Metrics()
    except OSError as error:
        log.warning("nothing is measured: %s", error)
        return None


def allocate(files: list[Path]) -> None:
    """Take the room on the disk now: who writes into a file's hole on a full disk is killed for it."""
    unfinished = [file.with_suffix(".new") for file in files]
    try:
        for file in unfinished:
            file.write_bytes(bytes(ROOM))
    except OSError:
        for file in unfinished:
            file.unlink(missing_ok=True)
        raise
    for file, named in zip(unfinished, files, strict=True):
        file.rename(named)


def gauge(name: str, meaning: str) -> Gauge:
    """A number that all living processes have a share in."""
    return Gauge(name, meaning, multiprocess_mode="livesum", registry=None)


def is_there(process: int) -> bool:
    """Whether a process of this user's has that number."""
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True
