"""Between Granian and the application: a call gets a thread only when all of its body is in memory.

Granian's WSGI side would hold a thread for as long as a slow client takes to send its body; here such a
client holds nothing but its own buffer, and not for long.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import BytesIO
from typing import Any

# Granian hands the name on without saying so to a type checker.
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from . import leaving, pictures
from .actions import housekeeping
from .app import App, log_request
from .config import Settings
from .errors import Refusal, TooMany, TooSlow, Unavailable
from .listeners import Hub
from .passwords import slots_for
from .rest import LISTENING
from .visits import COOKIE, new_id
from .wire.coding import TooLarge

log = logging.getLogger(__name__)

# How long a body may take: this, and a second for each so many bytes of it.
BODY_SECONDS, SLOWEST = 30, 32 * 1024
# What all the bodies that are being read or answered may take together, the small ones aside.
MOST_IN_MEMORY, SMALL = 64 * 1024 * 1024, 16 * 1024
# How long a body may still take when the server has been told to stop.
LAST_SECONDS = 2.0
DAY = 24 * 3600.0
SPARE_THREADS = 2
# What tells a client to ask for nothing more on this connection.
LAST = ("connection", "close")

Answer = tuple[int, list[tuple[str, str]], bytes]


class Gate:
    """Granian's RSGI application around a WSGI one."""

    def __init__(self, app: App, threads: int) -> None:
        self.app = app
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="call")
        self.hub = Hub(app.settings)
        self.in_memory = 0
        self.reading: set[asyncio.Timeout] = set()
        self.is_leaving = False

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.tasks = [loop.create_task(self.sweep_daily()), loop.create_task(end_with(os.getppid()))]
        self.tasks += self.hub.start(loop)
        # Granian hears of a signal by the loop, and then waits for all answers to end; those of listeners
        # never would. The loop hears of it by a pipe, so that the handler itself can be another one.
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(self.close))
        # Granian's own handler of this one gives way: it closes the address while some are still coming.
        loop.add_signal_handler(signal.SIGTERM, self.leave, loop)

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take no new connection, and end when those who have just connected were heard."""
        if not self.is_leaving:
            self.is_leaving = True
            leaving.turn_away()
            self.close()
            loop.call_later(leaving.LEAVING_SECONDS, os.kill, os.getpid(), signal.SIGINT)

    def close(self) -> None:
        """End what might keep the server from stopping: answers that go on, and soon slow bodies."""
        self.hub.close()
        deadline = asyncio.get_running_loop().time() + LAST_SECONDS
        for reading in self.reading:
            if not reading.expired():
                reading.reschedule(min(deadline, reading.when() or deadline))

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        for task in self.tasks:
            task.cancel()
        for pool in (self.pool, self.hub.thread):
            pool.shutdown(wait=True)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        environ: dict[str, Any] = {}
        body = Body(self, scope, self.app.body_limit(scope.path, has_credential(scope.headers)))
        try:
            await body.read_in_time(protocol)
            loop, environ = asyncio.get_running_loop(), environ_of(scope, body.data)
            answer = await loop.run_in_executor(self.pool, call, self.app, environ)
        except Refusal as error:
            answer = self.refused(scope, error)
        except ProtocolClosed:
            # The client went away before its body was whole, so nothing is done and nobody is there to tell.
            return
        finally:
            self.in_memory -= body.size
        listening = environ.get(LISTENING)
        if listening is None:
            protocol.response_bytes(*self.last(answer) if self.is_leaving else answer)
        elif self.hub.is_full(listening.right.user_id):
            protocol.response_bytes(*self.refused(scope, TooMany("listeners", self.hub.heartbeat)))
        else:
            await self.hub.serve(listening, scope, protocol, answer[:2])

    def last(self, answer: Answer) -> Answer:
        """The *answer* as the last one on its connection, where the client shall ask for nothing more."""
        status, headers, body = answer
        return status, [*(each for each in headers if each != LAST), LAST], body

    def refused(self, scope: Any, error: Refusal) -> Answer:
        """The answer to a request whose body is not taken, after its line in the log."""
        log_request(new_id(), "-", scope.method, scope.path, error.code, "unread")
        headers, body = self.app.refused(scope.path, scope.headers.get("origin", ""), error)
        return error.code, [*headers.items(), LAST], body

    async def sweep_daily(self) -> None:
        """Throw away at the start and then once a day what nobody needs any more."""
        loop, kept = asyncio.get_running_loop(), (self.app.files, self.app.settings.events_kept)
        while True:
            try:
                await loop.run_in_executor(self.pool, housekeeping.sweep, *kept)
            except Exception:
                log.exception("the daily sweep failed")
            await asyncio.sleep(DAY)


async def end_with(parent: int) -> None:
    """End this worker when its supervisor has died, so that nothing is left that holds the address."""
    while os.getppid() == parent:
        await asyncio.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


class Body:
    """The body of one request, which counts for what all of them together may take while it is here."""

    def __init__(self, gate: Gate, scope: Any, limit: int) -> None:
        self.gate, self.limit = gate, limit
        self.length = int(scope.headers.get("content-length") or 0)
        self.is_chunked = "transfer-encoding" in scope.headers
        self.chunks: list[bytes] = []
        self.size = 0

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)

    async def read_in_time(self, protocol: Any) -> None:
        if self.length > self.limit:
            raise self.too_large()
        if not self.length and not self.is_chunked:
            return
        try:
            async with asyncio.timeout(BODY_SECONDS + self.limit / SLOWEST) as reading:
                self.gate.reading.add(reading)
                try:
                    await self.read(protocol)
                finally:
                    self.gate.reading.discard(reading)
        except TimeoutError:
            raise TooSlow("The body came too slowly.") from None

    async def read(self, protocol: Any) -> None:
        """Take what comes, up to the limit; a body that is shorter than it says was cut on its way."""
        async for chunk in protocol:
            self.add(chunk)
        if self.size < self.length and not self.is_chunked:
            raise ProtocolClosed

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.gate.in_memory += len(chunk)
        self.chunks.append(chunk)
        if self.size > self.limit:
            raise self.too_large()
        if self.gate.in_memory > MOST_IN_MEMORY and self.size > SMALL:
            raise Unavailable("The server has too much to read at this moment. Please try again.")

    def too_large(self) -> TooLarge:
        return TooLarge(f"The body is larger than {self.limit} bytes.")


def has_credential(headers: Any) -> bool:
    """Whether the request says who makes it, truly or not."""
    if "authorization" in headers or "x-api-key" in headers:
        return True
    return any(COOKIE in value for name, value in headers.items() if name == "cookie")


def environ_of(scope: Any, body: bytes) -> dict[str, Any]:
    """The request as WSGI describes it."""
    host, _, port = scope.server.rpartition(":")
    client, _, client_port = scope.client.rpartition(":")
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        # Granian has undone the percent signs already; WSGI wants the bytes as if they were Latin-1.
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client.strip("[]"),
        "REMOTE_PORT": client_port,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    add_headers(environ, scope.headers.items())
    return environ


def add_headers(environ: dict[str, Any], headers: Iterable[tuple[str, str]]) -> None:
    """Add *headers*, but those that would pass for another one here, such as one that only a proxy sets."""
    for name, value in headers:
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):
            key = f"HTTP_{key}"
            joint = "; " if key == "HTTP_COOKIE" else ", "
            environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value


def call(app: App, environ: dict[str, Any]) -> Answer:
    """What the application answers."""
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        head[:] = [int(status[:3]), headers]

    try:
        with closing(app(environ, start_response)) as chunks:
            body = b"".join(chunks)
            return head[0], head[1], body
    except Exception:
        log.exception("a request failed outside of every door")
        return 500, [("content-type", "text/plain")], b"internal error\n"


def open_gate() -> Gate:
    """What a worker process runs; its settings are in the environment."""
    settings = Settings.from_environment(os.environ)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=settings.log_level.upper())
    # Logins and pictures are slow, and so only so many are let in; the spare threads are for all else.
    slow = 2 * slots_for(settings.workers) + pictures.MOST_ADMITTED
    return Gate(App(settings), threads=slow + SPARE_THREADS)
