"""A server under measurement: the real one, in processes of its own, and what it uses."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READY = re.compile(r"ready at http://([^:/]+):(\d+)/")
CHECKOUT = Path(__file__).parents[2]


class Served:
    """A running server and its processes."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := READY.search(line):
                self.host, self.port = found[1], int(found[2])
                return
        raise SystemExit("the server did not start")

    @property
    def workers(self) -> list[int]:
        """The processes that the first has started: those that answer, and Python's resource tracker."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(word) for task in tasks for word in task.read_text().split()]

    def cpu(self) -> float:
        """The seconds of processor time that the workers have used so far."""
        files = [path for pid in self.workers for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
        return sum(int(path.read_text().split()[0]) for path in files) / 1e9

    def memory(self) -> float:
        """The megabytes that all its processes hold, with what they share counted once."""
        texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in [self.process.pid, *self.workers]]
        return sum(int(found[1]) for text in texts if (found := re.search(r"Pss:\s+(\d+)", text))) / 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)


@contextmanager
def serving(database: str, *options: str, checkout: Path = CHECKOUT) -> Iterator[Served]:
    """The real server of a checkout, without limits on how often something may be done."""
    fixed = ["--port", "0", "--database", database, "--limits", "off", "--log-level", "warning"]
    served = Served([sys.executable, "-m", "server", "serve", *fixed, *options], checkout)
    try:
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
