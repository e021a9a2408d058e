"""Compressed bodies, both ways."""

import gzip
import zlib

from ..errors import Refusal

WORTH_IT = 1000
# Anything above level 1 costs more time than the network saves.
LEVEL = 1


class TooLarge(Refusal):
    """A body is larger than what is accepted here."""

    code = 413
    word = "TOO_LARGE"


def inflated(body: bytes, encoding: str | None, limit: int) -> bytes:
    """The *body* as it was before it was compressed, never more than *limit* bytes of it.

    An old client says gzip and sends plain bytes, so what does not inflate is taken as it is.
    """
    if encoding and encoding.strip().lower() in ("gzip", "x-gzip", "deflate"):
        for form in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
            inflater = zlib.decompressobj(form)
            try:
                data = inflater.decompress(body, limit + 1)
            except zlib.error:
                continue
            if inflater.eof or len(data) > limit:
                body = data
                break
    if len(body) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")
    return body


def deflated(body: bytes) -> bytes | None:
    """The *body* under gzip, or None where it is too short to be worth it."""
    return gzip.compress(body, LEVEL, mtime=0) if len(body) >= WORTH_IT else None
