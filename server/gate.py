"""Between Granian and the application: a call gets a thread only when all of its body is in memory.

Granian's own threads would be held for as long as a slow client takes to send its body; here such a
client holds nothing but its own buffer, and not for long.
"""

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING, Any

# Granian hands the name on without saying so to a type checker.
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from models import hurry, is_embedded, search

from . import leaving, pictures
from .actions import housekeeping
from .app import App
from .config import Settings
from .errors import BadInput, Refusal, TooMany, TooSlow, Unavailable
from .http import Request, Response
from .listeners import Hub
from .passwords import slots_for
from .storing import log_failure
from .threads import Threads
from .unread import Unread
from .visits import COOKIE, Listening
from .wire.coding import TooLarge

if TYPE_CHECKING:
    from .metrics import Metrics

log = logging.getLogger(__name__)

# How long a body may take: this, and a second for each so many bytes of it.
BODY_SECONDS, SLOWEST = 30, 32 * 1024
# What all the bodies that are being read or answered may take together, the small ones aside.
MOST_IN_MEMORY, SMALL = 64 * 1024 * 1024, 16 * 1024
# How long a body may still take when the server has been told to stop.
LAST_SECONDS = 2.0
# How long after that calls wait for other writers: what is then left of the seconds after which a process is
# killed is for a password, the work itself, and the answer.
WAITING_SECONDS = 5.0
MINUTE, DAY = 60.0, 24 * 3600.0
SPARE_THREADS = 2
# For how long a call keeps others waiting where calls come one by one.
SLOW_SECONDS = 0.01
# What tells a client to ask for nothing more on this connection.
LAST = ("connection", "close")
PLAIN = [("content-type", "text/plain")]

Answer = tuple[int, list[tuple[str, str]], bytes]
# An answer that goes on: for whom, and its head.
Live = tuple[Listening, int, list[tuple[str, str]]]


class Gate:
    """Granian's RSGI application: the one that reads, and has the *app* answer in a few *threads*."""

    def __init__(self, app: App, threads: Threads) -> None:
        self.app = app
        self.threads = threads
        self.watch: asyncio.TimerHandle | None = None
        self.hub = Hub(app.settings)
        self.in_memory = 0
        # The addresses of those whose head has come, and who have not been answered yet.
        self.heard: set[str] = set()
        self.reading: set[Body] = set()
        self.is_leaving = False

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        lasting = (self.sweep_daily(), keep_found(), self.app.load.keep_writing(), end_with(os.getppid()))
        self.tasks = [loop.create_task(each) for each in lasting]
        self.tasks += self.hub.start(loop)
        unread = Unread(self.app.settings.port).keep_looking(self.app.settings.unread)
        self.tasks.append(loop.create_task(unread))
        if self.app.metrics is not None:
            self.tasks.append(loop.create_task(self.keep_measuring(self.app.metrics)))
        # Granian hears of a signal by the loop, and then waits for all answers to end; those of listeners
        # never would. The loop hears of it by a pipe, so that the handler itself can be another one.
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(self.close))
        # Granian's own handler of this one gives way: it closes the address while some are still coming.
        loop.add_signal_handler(signal.SIGTERM, self.leave, loop)

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take no new connection, and end when those who have just connected were heard."""
        if not self.is_leaving:
            leaving.turn_away()
            self.close()
            loop.call_later(leaving.LEAVING_SECONDS, os.kill, os.getpid(), signal.SIGINT)

    def close(self) -> None:
        """End what might keep the server from stopping: answers that go on, and soon who sends slowly."""
        if not self.is_leaving:
            self.is_leaving = self.app.is_leaving = True
            hurry(WAITING_SECONDS)
        self.hub.close()
        loop = asyncio.get_running_loop()
        # A little later than bodies, which are told so.
        loop.call_later(LAST_SECONDS + 0.5, leaving.hear_no_more, self.app.settings.port, self.heard)
        for body in self.reading:
            body.end_within(LAST_SECONDS)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        for task in self.tasks:
            task.cancel()
        self.threads.close()
        self.app.load.write_last()
        self.hub.thread.shutdown(wait=True)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        self.heard.add(scope.client)
        try:
            await self.hear(scope, protocol)
        finally:
            self.heard.discard(scope.client)

    async def hear(self, scope: Any, protocol: Any) -> None:
        """Read what comes and have it answered."""
        headers = scope.headers
        body = Body(self, headers, self.app.body_limit(scope.path, lambda: has_credential(headers)))
        try:
            await body.read_in_time(protocol)
            live = await self.answered(scope, protocol, bytes(body.data))
        except Refusal as error:
            protocol.response_bytes(*self.refused(scope, error))
            return
        except ProtocolClosed:
            # Who has only ended his side too early can still be told that nothing is done.
            protocol.response_bytes(*self.refused(scope, BadInput("The body is shorter than it says.")))
            return
        finally:
            self.in_memory -= body.size
        if live is not None:
            await self.go_on(scope, protocol, *live)

    def answered(self, scope: Any, protocol: Any, body: bytes) -> "asyncio.Future[Live | None]":
        """When the call has been answered; its thread answers by itself, or says that the answer goes on."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Live | None] = loop.create_future()

        def carry_out() -> None:
            live = None
            try:
                live = self.answer(scope, protocol, body)
            except Exception:
                log.exception("a request failed outside of every door")
                protocol.response_bytes(500, PLAIN, b"internal error\n")
            finally:
                loop.call_soon_threadsafe(done.set_result, live)

        self.threads.do(carry_out)
        if self.watch is None:
            self.watch_slow(loop)
        return done

    def watch_slow(self, loop: asyncio.AbstractEventLoop) -> None:
        """While calls wait, let them pass those that take long: a login, a disk that is slow."""
        self.watch = loop.call_later(SLOW_SECONDS, self.let_pass, loop) if self.threads.waiting else None

    def let_pass(self, loop: asyncio.AbstractEventLoop) -> None:
        self.watch_slow(loop)
        self.threads.let_pass(SLOW_SECONDS)

    def answer(self, scope: Any, protocol: Any, body: bytes) -> Live | None:
        """Have the application answer, in a thread of its own for that long."""
        response, listening = self.app.respond(request_of(scope, body))
        answer = sent(scope.method, response)
        if listening is not None:
            return listening, *answer[:2]
        protocol.response_bytes(*self.last(answer) if self.is_leaving else answer)
        return None

    async def go_on(
        self, scope: Any, protocol: Any, listening: Listening, status: int, head: list[tuple[str, str]]
    ) -> None:
        if self.hub.is_full(listening.right.user_id):
            protocol.response_bytes(*self.refused(scope, TooMany("listeners", self.hub.heartbeat)))
        else:
            await self.hub.serve(listening, scope, protocol, (status, head))

    def last(self, answer: Answer) -> Answer:
        """The *answer* as the last one on its connection, where the client shall ask for nothing more."""
        status, headers, body = answer
        return status, [*(each for each in headers if each != LAST), LAST], body

    def refused(self, scope: Any, error: Refusal) -> Answer:
        """The answer to a request whose body is not taken."""
        return self.last(sent(scope.method, self.app.unread(request_of(scope, b""), error)))

    async def sweep_daily(self) -> None:
        """Throw away at the start and then once a day what nobody needs any more."""
        kept = self.app.files, self.app.settings.events_kept
        while True:
            try:
                await asyncio.to_thread(housekeeping.sweep, *kept)
            except Exception as error:
                log_failure("the daily sweep failed", error)
            await asyncio.sleep(DAY)

    async def keep_measuring(self, metrics: "Metrics") -> None:
        """Say once a second how many wait and listen."""
        while True:
            metrics.see(len(self.threads.waiting), self.hub.count.total())
            await asyncio.sleep(1)


async def keep_found() -> None:
    """Put what was sent into the index of words, in small parts, so that who searches need not."""
    while True:
        try:
            while await asyncio.to_thread(search.catch_up, 1):
                pass
        except Exception as error:
            log_failure("the index of words is behind", error)
        await asyncio.sleep(MINUTE)


async def end_with(parent: int) -> None:
    """End this worker when its supervisor has died, so that nothing is left that holds the address."""
    while os.getppid() == parent:
        await asyncio.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


class Body:
    """The body of one request, which counts for what all of them together may take while it is here."""

    def __init__(self, gate: Gate, headers: Any, limit: int) -> None:
        self.gate, self.limit = gate, limit
        self.length = int(headers.get("content-length") or 0)
        self.is_chunked = "transfer-encoding" in headers
        # In one piece: each of many small chunks would take twenty times its own size.
        self.data = bytearray()
        self.ends = 0
        self.is_late = False

    @property
    def size(self) -> int:
        return len(self.data)

    async def read_in_time(self, protocol: Any) -> None:
        if self.length > self.limit:
            raise self.too_large()
        if not self.length and not self.is_chunked:
            return
        self.reader, self.loop = asyncio.current_task(), asyncio.get_running_loop()
        self.timer = self.loop.call_later(BODY_SECONDS + self.limit / SLOWEST, self.end)
        self.gate.reading.add(self)
        try:
            await self.read(protocol)
        except asyncio.CancelledError:
            if not self.is_late:
                raise
            raise TooSlow("The body came too slowly.") from None
        finally:
            self.timer.cancel()
            self.gate.reading.discard(self)

    def end(self) -> None:
        """Read no more of it; asyncio's own timeout is a dozen calls for every body that comes in time."""
        self.is_late = True
        if self.reader is not None:
            self.reader.cancel()

    def end_within(self, seconds: float) -> None:
        """Read it for no more than so many *seconds* from now."""
        if not self.is_late:
            self.timer.cancel()
            self.timer = self.loop.call_at(min(self.timer.when(), self.loop.time() + seconds), self.end)

    async def read(self, protocol: Any) -> None:
        """Take what comes, up to the limit; of a body that was cut on its way nothing is done."""
        if not self.is_chunked and self.length <= SMALL:
            self.add(await protocol())
            return
        async for chunk in protocol:
            self.add(chunk)
        if self.is_cut:
            raise ProtocolClosed

    @property
    def is_cut(self) -> bool:
        """Whether more was to come: Granian gives an empty part for the end, and another for what is lost."""
        return self.ends > 1 if self.is_chunked else self.size < self.length

    def add(self, chunk: bytes) -> None:
        self.gate.in_memory += len(chunk)
        self.data += chunk
        self.ends += not chunk
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


def request_of(scope: Any, body: bytes) -> Request:
    headers = scope.headers.items()
    where = scope.scheme, scope.server, scope.client
    return Request(scope.method, scope.path, scope.query_string, headers, body, *where)


def sent(verb: str, response: Response) -> Answer:
    """The *response* as it goes out, to HEAD with no more than the length of its body."""
    headers = list(response.headers.items())
    if verb != "HEAD" or not response.body:
        return response.status, headers, response.body
    return response.status, [*headers, ("content-length", str(len(response.body)))], b""


def open_gate() -> Gate:
    """What a worker process runs; its settings are in the environment."""
    settings = Settings.from_environment(os.environ)
    # Where the log goes Granian has been told, which has begun it in this process.
    logging.captureWarnings(True)
    app = App(settings)
    # Logins and pictures are slow, and so only so many are let in; the spare threads are for all else.
    most = 2 * slots_for(settings.workers) + pictures.MOST_ADMITTED + SPARE_THREADS
    # A database server is waited for at each query, meanwhile others can go on. In an embedded store nothing
    # is, and threads at once only take turns with the interpreter, at the cost of each turn.
    return Gate(app, Threads(most, at_once=1 if is_embedded() else most))
