"""A server under measurement: the real one, in processes of its own, and what it uses."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

READY = re.compile(r"ready at http://([^:/]+):(\d+)/")
CHECKOUT = Path(__file__).parents[2]
# A mapping, by the path at the end of its first line, and its share of what is in memory.
MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)\n(?:[A-Z].*\n)*?Pss: +(\d+)", re.MULTILINE)
STORE = re.compile(r"\.db(-wal|-shm)?$")
# A server that has just started is at rest when it uses less than this of a core.
REST, REST_SECONDS, MOST_SECONDS = 0.04, 0.5, 15
STOP_SECONDS = 20


class Memory(NamedTuple):
    """Megabytes, with what processes share counted once; *store* are the pages of the store's files."""

    whole: float
    store: float


class Served:
    """A running server and its processes, and after how many seconds it gave its first answer.

    Where calls are compared they may be kept to *one_core*.
    """

    one_core = True

    def __init__(self, command: list[str], folder: Path) -> None:
        began = time.monotonic()
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := READY.search(line):
                self.host, self.port = found[1], int(found[2])
                self.first_answer = time.monotonic() - began
                return
        raise SystemExit("the server did not start")

    @property
    def processes(self) -> list[int]:
        """The first process, and those that it has started: workers, and Python's resource tracker."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [self.process.pid, *(int(word) for task in tasks for word in task.read_text().split())]

    @property
    def workers(self) -> list[int]:
        """The processes that answer."""
        commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in self.processes[1:]}
        return [pid for pid, command in commands.items() if b"resource_tracker" not in command]

    def cpu(self) -> float:
        """The seconds of processor time that its processes have used so far."""
        return sum(time.clock_gettime(clock_of(pid)) for pid in self.processes)

    def keep_to(self, cores: set[int]) -> None:
        """Let all its threads, and those that they begin, run on these cores alone."""
        tasks = [int(task.name) for pid in self.processes for task in Path(f"/proc/{pid}/task").iterdir()]
        for task in tasks:
            # It may have ended meanwhile.
            with suppress(ProcessLookupError):
                os.sched_setaffinity(task, cores)

    def idle(self, seconds: float = 2) -> float:
        """The part of a core that it uses while nobody asks for anything."""
        before = self.cpu()
        time.sleep(seconds)
        return (self.cpu() - before) / seconds

    def settle(self) -> None:
        """Wait until it has done what it does after its start."""
        deadline = time.monotonic() + MOST_SECONDS
        while self.idle(REST_SECONDS) > REST and time.monotonic() < deadline:
            pass

    def memory(self) -> Memory:
        texts = [Path(f"/proc/{pid}/smaps").read_text() for pid in self.processes]
        mappings = [(path, int(pss) / 1024) for text in texts for path, pss in MAPPING.findall(text)]
        return Memory(
            sum(pss for _, pss in mappings), sum(pss for path, pss in mappings if STORE.search(path))
        )

    def worker_of(self, port: int) -> int:
        """The worker that holds the other end of a connection from this *port* of the driver."""
        rows = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines())
        ends = (f":{self.port:04X}", f":{port:04X}")
        inode = next(row[9] for row in rows if row[1].endswith(ends[0]) and row[2].endswith(ends[1]))
        return next(pid for pid in self.workers if f"socket:[{inode}]" in files_of(pid))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # Its workers end by themselves when they have lost it.
            self.process.kill()
            self.process.wait()


@contextmanager
def apart(*servers: Served) -> Iterator[None]:
    """The servers on one core, and the driver on the others, where there are any.

    What threads take to wake each other depends on where they happen to run, for seconds on end; so much
    that a server can differ from itself by a third. It costs a server of several threads more than the
    leanest program, so that figures of all cores are those of life.
    """
    cores = os.sched_getaffinity(0)
    first = {min(cores)}
    try:
        if Served.one_core and cores > first:
            for server in servers:
                server.keep_to(first)
            os.sched_setaffinity(0, cores - first)
        yield
    finally:
        os.sched_setaffinity(0, cores)
        for server in servers:
            server.keep_to(cores)


@contextmanager
def cores(one: bool) -> Iterator[str]:
    """Compare on one core or on all for this time, whatever was asked for; how to say so."""
    before, Served.one_core = Served.one_core, one
    try:
        yield "one core" if one else "all cores"
    finally:
        Served.one_core = before


def clock_of(pid: int) -> int:
    """The clock of a process's processor time, as clock_getcpuclockid(3) makes it."""
    return (~pid << 3) | 2


def files_of(pid: int) -> set[str]:
    """What a process has open."""
    return {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}


@contextmanager
def serving(database: str, *options: str, checkout: Path = CHECKOUT) -> Iterator[Served]:
    """The real server of a checkout, without limits on how often something may be done."""
    fixed = ["--port", "0", "--database", database, "--limits", "off", "--log-level", "warning"]
    served = Served([sys.executable, "-m", "server", "serve", *fixed, *options], checkout)
    try:
        served.settle()
        yield served
    finally:
        served.stop()


@contextmanager
def lean(database: str) -> Iterator[Served]:
    """The leanest program that answers some of the calls from the same store."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    served = Served([sys.executable, "lean.py", database, str(port)], Path(__file__).parent)
    try:
        yield served
    finally:
        served.stop()
