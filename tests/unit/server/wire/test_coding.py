"""Compressed bodies, both ways."""

import gzip
import tracemalloc
import zlib

import pytest

from server.wire.coding import TooLarge, deflated, inflated

BODY = b"<methodCall>" * 100
RAW = zlib.compressobj(wbits=-15)
FORMS = [gzip.compress(BODY), zlib.compress(BODY), RAW.compress(BODY) + RAW.flush()]


@pytest.mark.parametrize("body", FORMS, ids=["gzip", "zlib", "raw"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", " GZIP "])
def test_inflated(body: bytes, encoding: str) -> None:
    """A body is inflated whichever of the forms it has, for clients confuse their names."""
    assert inflated(body, encoding, 10_000) == BODY


@pytest.mark.parametrize("body", [BODY, b"", FORMS[0][:-20]], ids=["plain", "empty", "cut"])
def test_what_does_not_inflate_is_taken_as_it_is(body: bytes) -> None:
    """An old client says gzip and sends plain bytes."""
    assert inflated(body, "gzip", 10_000) == body


@pytest.mark.parametrize("encoding", ["gzip", ""])
def test_a_body_over_the_limit_is_refused(encoding: str) -> None:
    """The limit is on the body as it was before it was compressed."""
    body = gzip.compress(BODY) if encoding else BODY
    assert inflated(body, encoding, len(BODY)) == BODY
    with pytest.raises(TooLarge):
        inflated(body, encoding, len(BODY) - 1)


def test_a_bomb_takes_no_memory() -> None:
    """A small body that inflates to a hundred mebibytes is stopped at the limit."""
    bomb = gzip.compress(bytes(100 * 1024 * 1024))
    tracemalloc.start()
    with pytest.raises(TooLarge):
        inflated(bomb, "gzip", 256 * 1024)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


def test_deflated_where_worth_it() -> None:
    """An answer is compressed only when it is long enough to matter."""
    assert gzip.decompress(deflated(BODY) or b"") == BODY
    assert deflated(b"short") is None
