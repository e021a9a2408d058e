"""The process that supervises: it starts the workers, which answer, and ends with them.

It loads as little as it can: all it holds, it holds for as long as the server runs.
"""

import http.client
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, NoReturn

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from . import __version__
from .addresses import base_address, own_host
from .config import Settings
from .logs import configuration

STOP_SECONDS = 8
BACKLOG = 4096
HEADER_MILLISECONDS = 10_000
# What a head may take, and how much of a body is read at once.
HEADER_BYTES = 64 * 1024


def supervise(settings: Settings) -> None:
    """Have the settings' address answered until SIGTERM or SIGINT."""
    # A forked worker would inherit the locks that other threads happen to hold, and wait for them for ever.
    multiprocessing.set_start_method("spawn")
    server = Granian(
        "server.gate:open_gate",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        workers=settings.workers,
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG,
        respawn_failed_workers=True,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=HEADER_BYTES),
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.warning,
        log_dictconfig=configuration(settings),
    )
    # Until the server has handlers of its own. What begins to serve has kept these signals back.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [each])
    waiter = threading.Thread(target=wait_until_ready, args=(settings,), daemon=True)
    server.on_startup(waiter.start)
    with room_for_metrics(settings):
        server.serve()


def end(*_: Any) -> NoReturn:
    raise SystemExit(0)


@contextmanager
def room_for_metrics(settings: Settings) -> Iterator[None]:
    """A folder in which all processes count, while the server runs; none where nothing is counted."""
    if settings.metrics == "off":
        yield
        return
    with tempfile.TemporaryDirectory(prefix="switchboard-metrics-") as folder:
        # By this name the library that counts knows it; it must not be loaded here.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def wait_until_ready(settings: Settings) -> None:
    """Say so once the server answers."""
    while not answers(settings):
        time.sleep(0.02)
    print(f"Switchboard {__version__} is ready at {base_address(settings)}/", flush=True)


def answers(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(own_host(settings.host), settings.port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    supervise(Settings.from_environment(os.environ))
