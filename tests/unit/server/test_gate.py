"""What the gateway reads of bodies, from a connection that a test plays."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import engines
import pytest
from builders import Cast

from models import database, search
from server import gate
from server.app import App
from server.config import Settings
from server.errors import TooSlow, Unavailable
from server.gate import SMALL, Body, Gate
from server.threads import Threads

LARGE = 2 * SMALL


class Sending:
    """A client that sends some chunks, and then nothing for a while."""

    def __init__(self, *chunks: bytes, pause: float = 0) -> None:
        self.chunks, self.pause = chunks, pause

    async def __call__(self) -> bytes:
        await asyncio.sleep(self.pause)
        return b"".join(self.chunks)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk
        await asyncio.sleep(self.pause)


@pytest.fixture
def gateway(store: Settings) -> Iterator[Gate]:
    made = Gate(App(store), Threads(1, at_once=1))
    yield made
    made.threads.close()


def read(gateway: Gate, length: int, sending: Sending) -> Body:
    """A body of this *length*, once all of it was read."""
    body = Body(gateway, {"content-length": str(length)}, LARGE)
    asyncio.run(body.read_in_time(sending))
    return body


@pytest.mark.parametrize("length", [20, LARGE])
def test_a_slow_body_is_refused(gateway: Gate, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """A body that takes longer than its limit allows for is refused with 408."""
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.02)
    monkeypatch.setattr(gate, "SLOWEST", LARGE * 100)
    with pytest.raises(TooSlow):
        read(gateway, length, Sending(b"x", pause=5))
    assert not gateway.reading


def test_only_so_much_is_read_at_once(gateway: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """While others fill the memory for bodies a large one is refused with 503, and a small one is read."""
    monkeypatch.setattr(gate, "MOST_IN_MEMORY", LARGE)
    gateway.in_memory = LARGE - 10
    with pytest.raises(Unavailable):
        read(gateway, LARGE, Sending(b"x" * LARGE))
    assert read(gateway, 20, Sending(b"x" * 20)).size == 20


@pytest.mark.skipif(engines.name != "sqlite", reason="where the index of words is filled later")
def test_what_was_sent_gets_into_the_index_by_itself(cast: Cast) -> None:
    """A server that nobody asks brings its index of words up to date, and goes on with that."""
    cast.ann.starts("Lunch", cast.bob)
    assert search.is_behind()

    async def serve_for_a_while() -> None:
        task = asyncio.create_task(gate.keep_found())
        async with asyncio.timeout(30):
            while search.is_behind():
                await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()

    asyncio.run(serve_for_a_while())
    assert list(search.faults()) == []


@pytest.mark.skipif(engines.name != "sqlite", reason="where the index of words is filled later")
def test_a_broken_index_is_filled_once_it_is_mended(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose index of words is broken goes on, and fills it when it has been made anew."""
    monkeypatch.setattr(gate, "MINUTE", 0.01)
    cast.ann.starts("Lunch", cast.bob)
    database.execute_sql(f"UPDATE message_words_data SET block = x'{'a5' * 64}'")
    assert list(search.faults()) == [
        "index of words: it cannot be read; switchboard migrate makes it anew",
    ]

    async def serve_for_a_while() -> None:
        task = asyncio.create_task(gate.keep_found())
        await asyncio.sleep(0.3)
        assert search.mend()
        cast.ann.starts("Dinner", cast.bob)
        async with asyncio.timeout(30):
            while search.is_behind():
                await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(serve_for_a_while())
    assert list(search.faults()) == []
