"""Those who listen to what happens: long answers that cost neither a thread nor a query while it is quiet.

One task looks at the log of events, in a thread of its own, and only while somebody listens. Whoever
arrives is brought up to date by the same task, so that between what he missed and what comes nothing is lost.
"""

import asyncio
import errno
import logging
import os
import random
import socket
import stat
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

# Granian hands the name on without saying so to a type checker.
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from models import Position, is_trouble

from .config import Settings
from .faces.chat.events import Arrival, Feed, News
from .visits import Listening

log = logging.getLogger(__name__)

LOOK_SECONDS, TROUBLE_SECONDS = 0.2, 1.0
# How many arrivals are brought up to date before those who are here hear the next news.
AT_ONCE = 50
# How much may wait for a listener before he is cut off, and for how long nothing may be taken of it.
MOST_BEHIND, LONGEST_BEHIND = 256 * 1024, 60.0
RETRY_MILLISECONDS = (1000, 3000)
SIGN_OF_LIFE = b":\n\n"
# Of what Linux tells of a connection: segments sent and not acknowledged, bytes acknowledged, bytes not sent.
INFO = struct.Struct("=24xI92xQ16xI")


class Hub:
    """Everybody who listens in this process."""

    def __init__(self, settings: Settings) -> None:
        self.feed = Feed(settings.url)
        self.heartbeat = settings.heartbeat
        self.most = settings.most_listeners if settings.limits == "on" else 0
        self.count: Counter[int] = Counter()
        self.here: dict[int, set[Listener]] = {}
        self.arriving: dict[Listener, None] = {}
        self.position: Position | None = None
        self.is_closed = False
        self.wanted = asyncio.Event()
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="listen")

    def start(self, loop: asyncio.AbstractEventLoop) -> list["asyncio.Task[None]"]:
        return [loop.create_task(self.keep_looking()), loop.create_task(self.keep_alive())]

    @property
    def listeners(self) -> list["Listener"]:
        return [*self.arriving, *(each for some in self.here.values() for each in some)]

    def is_full(self, user_id: int) -> bool:
        """Whether as many listen for this user as may."""
        return 0 < self.most <= self.count[user_id]

    async def serve(self, listening: Listening, scope: Any, protocol: Any, head: tuple[int, Any]) -> None:
        """Answer one listener until he goes or is cut off."""
        transport = protocol.response_stream(*head)
        if self.is_closed:
            return
        listener = Listener(listening, transport, Connection(scope.client))
        gone = asyncio.ensure_future(protocol.client_disconnect())
        gone.add_done_callback(lambda _: listener.end())
        self.count[listener.right.user_id] += 1
        try:
            # No secret, but not the same for all, or after an interruption they would all come at once.
            await listener.send([f"retry: {random.randint(*RETRY_MILLISECONDS)}\n\n".encode()])  # noqa: S311
            self.arriving[listener] = None
            self.wanted.set()
            await listener.ended.wait()
        finally:
            gone.cancel()
            self.forget(listener)

    def forget(self, listener: "Listener") -> None:
        # Granian ends the answer when nobody has its transport any more.
        listener.transport = None
        listener.connection.forget()
        self.arriving.pop(listener, None)
        self.count[listener.right.user_id] -= 1
        if not self.count[listener.right.user_id]:
            del self.count[listener.right.user_id]
        mates = self.here.get(listener.right.user_id, set())
        mates.discard(listener)
        if not mates:
            self.here.pop(listener.right.user_id, None)

    def close(self) -> None:
        """End every answer, as the server has to before it stops."""
        self.is_closed = True
        for listener in self.listeners:
            listener.end()

    async def keep_looking(self) -> None:
        """Tell what is new, as long as there is somebody to tell."""
        while True:
            if not self.here and not self.arriving:
                self.position = None
                self.wanted.clear()
                await self.wanted.wait()
            try:
                is_more = await self.look()
                await asyncio.sleep(0 if is_more else LOOK_SECONDS)
            except Exception as error:
                log_trouble(error)
                await asyncio.sleep(TROUBLE_SECONDS)

    async def look(self) -> bool:
        """One look at the log; whether another one is due at once."""
        if self.position is None:
            self.position = await self.in_thread(self.feed.start)
        arriving = self.next_arriving()
        arrivals = [Arrival(each.right.user_id, each.seen) for each in arriving]
        news: News = await self.in_thread(self.feed.look, self.position, set(self.here), arrivals)
        # Nobody is told anything who may not listen any more, not even until the next sign of life.
        told = [each for user_id in news.told for each in self.here.get(user_id, ())]
        await self.end_fallen([*arriving, *told])
        # Only now: where that fails, the next look finds the same again.
        self.position = news.position
        for user_id, chunks in news.told.items():
            for listener in list(self.here.get(user_id, ())):
                await listener.send(chunks)
        # Where there is more, nobody has been welcomed yet.
        for listener, welcome in zip(arriving, news.welcomes, strict=False):
            listener.seen = welcome.seen
            await listener.send(welcome.chunks, is_missed=True)
            if self.arriving.pop(listener, self) is not None:
                continue
            if welcome.is_current:
                self.here.setdefault(listener.right.user_id, set()).add(listener)
            else:
                self.arriving[listener] = None
        return news.is_more or (bool(news.welcomes) and bool(self.arriving))

    def next_arriving(self) -> list["Listener"]:
        """Those who are brought up to date now: first who missed nothing, then whoever waits the longest."""
        ready = [each for each in self.arriving if each.connection.has_room(0)]
        return sorted(ready, key=lambda each: each.seen is not None)[:AT_ONCE]

    async def in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.thread, work, *arguments)

    async def keep_alive(self) -> None:
        """Now and then give all a sign of life, and cut those off who may not listen any more."""
        while True:
            await asyncio.sleep(self.heartbeat)
            try:
                await self.give_signs()
                await self.end_fallen(self.listeners)
            except Exception as error:
                log_trouble(error)

    async def give_signs(self) -> None:
        for listener in self.listeners:
            # To whom something is on its way nobody has to give a sign, unless it has been for too long.
            if listener.connection.is_free() or listener.connection.is_stuck():
                await listener.send([SIGN_OF_LIFE])

    async def end_fallen(self, listeners: list["Listener"]) -> None:
        """End the answers to those of *listeners* who may not listen any more."""
        rights = {listener.right for listener in listeners}
        fallen = rights - await self.in_thread(self.feed.standing, rights) if rights else set()
        for listener in listeners:
            if listener.right in fallen:
                listener.end()


def log_trouble(error: Exception) -> None:
    if is_trouble(error):
        log.warning("listeners have to wait: %s", error)
    else:
        log.error("listeners were not told", exc_info=error)


class Listener:
    """One long answer. *seen* is up to where its client knows all, None if he asks for nothing old."""

    def __init__(self, listening: Listening, transport: Any, connection: "Connection") -> None:
        self.right, self.seen = listening.right, listening.seen
        self.transport, self.connection = transport, connection
        self.ended = asyncio.Event()

    async def send(self, chunks: list[bytes], is_missed: bool = False) -> None:
        """Send on; or cut the client off, who can resume, where he takes too little of what is sent.

        :param is_missed: is he told what he asked for, page by page, and so not more than he can take
        """
        if self.ended.is_set() or not chunks:
            return
        data = b"".join(chunks)
        if not self.connection.has_room(0 if is_missed else len(data)):
            log.info("a listener was cut off: he did not take what was sent")
            self.connection.cut()
            self.end()
            return
        self.connection.add(len(data))
        try:
            await self.transport.send_bytes(data)
        except ProtocolClosed:
            self.end()

    def end(self) -> None:
        self.ended.set()


class Connection:
    """How much of what was sent a client has yet to take.

    Granian takes all that it is given into its memory, whether the client reads or not, and tells nothing
    of it. So Linux is asked about the socket, which is found by the client's address: how much of all that
    was ever sent has been acknowledged. Where that cannot be asked, all that was sent counts as waiting, so
    that the answer ends in time and the client resumes.
    """

    known: dict[int, int] = {}

    def __init__(self, client: str) -> None:
        self.number, self.inode = self.find(client)
        self.sent, self.start, self.acknowledged = 0, 0, 0
        self.since = asyncio.get_running_loop().time()
        if (state := self.state()) is not None:
            self.start = self.acknowledged = state[0]

    def find(self, client: str) -> tuple[int, int]:
        """The number of the socket that is connected to *client*, and what tells it from a later one."""
        numbers: list[int] = []
        if sys.platform == "linux":
            # Those of other listeners come last: one may have been closed and its number given out anew.
            numbers = sorted((int(name) for name in os.listdir("/dev/fd")), key=self.known.__contains__)
        for number in numbers:
            with suppress(OSError), borrowed(number) as found:
                if address_of(found) == client:
                    inode = os.fstat(number).st_ino
                    self.known[number] = inode
                    return number, inode
        return -1, 0

    def state(self) -> tuple[int, bool] | None:
        """How much the client has ever acknowledged, and whether that is all; None if nobody can tell."""
        if self.number < 0:
            return None
        with suppress(OSError), borrowed(self.number) as found:
            if os.fstat(self.number).st_ino == self.inode:
                info = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO.size)
                unacknowledged, acknowledged, unsent = INFO.unpack(info)
                return acknowledged, not unacknowledged and not unsent
        return None

    def behind(self) -> int:
        """How much waits; what HTTP puts around it is not counted, and made up for whenever nothing waits."""
        state = self.state()
        if state is None:
            return self.sent
        acknowledged, is_all = state
        waiting = self.sent - (acknowledged - self.start)
        if is_all or waiting <= 0:
            self.start, waiting = acknowledged - self.sent, 0
        if not waiting or acknowledged != self.acknowledged:
            self.acknowledged, self.since = acknowledged, asyncio.get_running_loop().time()
        return waiting

    def is_free(self) -> bool:
        """Whether nothing waits."""
        return not self.behind()

    def has_room(self, size: int) -> bool:
        behind = self.behind()
        return not behind or (behind + size <= MOST_BEHIND and not self.is_late)

    def is_stuck(self) -> bool:
        """Whether something waits and nothing was taken for too long; or else too much was ever sent."""
        if self.number < 0:
            return self.sent > MOST_BEHIND
        return self.behind() > 0 and self.is_late

    @property
    def is_late(self) -> bool:
        """Whether it is long ago that the socket is known to have taken anything."""
        return self.number >= 0 and asyncio.get_running_loop().time() - self.since >= LONGEST_BEHIND

    def add(self, size: int) -> None:
        self.sent += size

    def cut(self) -> None:
        """End the connection together with what waits to be sent."""
        with suppress(OSError), borrowed(self.number) as found:
            if os.fstat(self.number).st_ino == self.inode:
                found.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        if self.known.get(self.number) == self.inode:
            del self.known[self.number]


@contextmanager
def borrowed(number: int) -> Iterator[socket.socket]:
    """The socket that Granian has under this number, which only Granian may close.

    It is never copied: the number may have come to be a file's meanwhile, and whoever closes a copy of that
    takes from the process all the locks on the file, without which SQLite destroys the store.
    """
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        raise OSError(errno.ENOTSOCK, "not a socket")
    found = socket.socket(fileno=number)
    try:
        yield found
    finally:
        found.detach()


def address_of(found: socket.socket) -> str:
    """The other side of a socket, in the form in which Granian tells it."""
    if found.family == socket.AF_INET6:
        host, port = found.getpeername()[:2]
        return f"[{host}]:{port}"
    if found.family == socket.AF_INET:
        host, port = found.getpeername()
        return f"{host}:{port}"
    return ""
