"""What members may attach, and the small pictures drawn from it.

Nothing about an attachment is believed: its extension must be allowed, its bytes must be what the extension
claims, and a picture counts as one only after it has been drawn. Everything refused raises BadInput.
"""

from __future__ import annotations

import io
import os.path
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .errors import BadInput, Refusal
from .turns import Turns

# Pillow is imported where it is used: a server that has drawn nothing yet is some six megabytes smaller.
if TYPE_CHECKING:
    from PIL import Image

BLANK = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d4944415478da63606060600000000500017aa857500000000049454e44ae426082"
)
"""A PNG of one transparent pixel."""

# What a phone takes; decoding a WebP of this size takes a quarter of a gigabyte for a moment.
MOST_PIXELS = 16_000_000
# A progressive JPEG has about ten scans. Each costs a pass over all pixels, and 2 MiB hold thirty thousand.
MOST_SCANS = 20
MOST_NAME_CHARACTERS = 120
# One picture is drawn at a time; the others of these wait.
MOST_ADMITTED = 4

_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
# An MPO is what many phones name .jpg: a JPEG with further pictures behind its end.
_JPEG_FORMATS = ("JPEG", "MPO")
_START_OF_SCAN = b"\xff\xda"

_UNTRUSTWORTHY_CHARACTER = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of reading
    "\u2028\u2029"  # line and paragraph ends
    "\ufeff\ud800-\udfff"  # byte order mark, and surrogates, which cannot be encoded
    "]"
)
_PATH_SEPARATOR = re.compile(r"[/\\]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f]")

# A hostile picture may take hundreds of megabytes to draw; several at once could exhaust a small server.
_drawing = Turns(1, MOST_ADMITTED - 1, 5.0, "Too many pictures are being uploaded at this moment.")


@dataclass(frozen=True)
class Kind:
    """A kind of attachment: its extension, lower case without the dot, and the media type to serve it as."""

    extension: str
    media_type: str
    is_image: bool


class Thumbnail(NamedTuple):
    """A small picture ready to be served."""

    data: bytes
    media_type: str


def kind_of(extension: str) -> Kind:
    """The kind of files with that extension, in either case, without the dot."""
    try:
        return _KINDS[extension.lower()]
    except KeyError:
        raise BadInput(f'Files of the type "{extension}" cannot be attached.') from None


def thumbnail_type(kind: Kind) -> str:
    """The media type of the thumbnail of a picture of that kind."""
    return "image/jpeg" if kind.media_type == "image/jpeg" else "image/png"


def checked(filename: str, data: bytes, allowed: Collection[str]) -> Kind:
    """The kind of an attachment whose bytes are what its name claims; `allowed` are lower-case extensions."""
    name = display_name(filename)
    extension = _extension(name)
    if extension not in allowed:
        raise BadInput(
            f'The file "{name}" is not of a type that may be attached: {", ".join(sorted(allowed))}.'
        )
    kind = kind_of(extension)
    if not data:
        raise BadInput(f'The file "{name}" is empty.')
    with _readable(f'The picture "{name}"'):
        if not _LOOKS_RIGHT[extension](data):
            raise BadInput(f'The content of "{name}" is not what its ending ".{extension}" promises.')
    return kind


def thumbnail(data: bytes, side: int = 240) -> Thumbnail:
    """The picture upright within `side` x `side` pixels, never enlarged; of an animation the first frame.

    A JPEG stays one, for a photo is many times smaller so; all else becomes PNG, which can be transparent.
    """
    with _readable("The picture"):
        frame, found = _drawn(data, side)
        made = "JPEG" if found in _JPEG_FORMATS else "PNG"
        return Thumbnail(_encoded(frame, made), f"image/{made.lower()}")


def avatar(data: bytes, side: int = 192) -> bytes:
    """The square at the picture's centre as a PNG of at most `side` x `side` pixels, never enlarged."""
    with _readable("The picture"):
        frame, _ = _drawn(data, side, _centre_square)
        return _encoded(frame, "PNG")


def display_name(filename: str) -> str:
    """The last component of a client's file name, fit to show and to offer for saving.

    At most 120 characters, of which the extension is kept; never empty, never starting with a dot.
    """
    last = _PATH_SEPARATOR.split(filename)[-1]
    name = _UNTRUSTWORTHY_CHARACTER.sub("", last).strip(" .")
    return _shortened(name) or "file"


def _shortened(name: str) -> str:
    stem, extension = os.path.splitext(name)
    room = max(1, MOST_NAME_CHARACTERS - len(extension))
    return (stem[:room] + extension)[:MOST_NAME_CHARACTERS]


def _extension(name: str) -> str:
    return os.path.splitext(name)[1].removeprefix(".").lower()


@contextmanager
def _readable(subject: str) -> Iterator[None]:
    """Report whatever goes wrong in reading a picture as BadInput about the subject."""
    try:
        yield
    except Refusal:
        raise
    # No narrower: hostile bytes make Pillow's parsers trip in every way there is.
    except Exception as error:
        raise BadInput(f"{subject} cannot be read.") from error


def _opened(data: bytes) -> Image.Image:
    """The picture with its header read and its cost bounded, nothing decoded yet."""
    from PIL import (
        Image,
        WebPImagePlugin,  # noqa: F401 - or else Pillow imports all its plug-ins to find this one
    )

    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    if image.width * image.height > MOST_PIXELS:
        raise BadInput(f"The picture has more than {MOST_PIXELS // 1_000_000} million pixels.")
    if image.format in _JPEG_FORMATS and data.count(_START_OF_SCAN) > MOST_SCANS:
        raise BadInput("The picture is stored in too many layers.")
    return image


def _drawn(
    data: bytes, side: int, crop: Callable[[Image.Image], Image.Image] = lambda whole: whole
) -> tuple[Image.Image, str | None]:
    """The first frame, cropped, upright and without metadata, and the format it was found in."""
    with _drawing():
        image = _opened(data)
        frame = crop(_first_frame(image, side))
        frame.thumbnail((side, side))
    _turn_upright(frame)
    frame.info = {}
    return frame, image.format


def _first_frame(image: Image.Image, side: int) -> Image.Image:
    """The frame in RGB or RGBA; of a JPEG no more pixels than a good drawing of `side` pixels needs."""
    image.draft(image.mode, (2 * side, 2 * side))
    image.load()
    mode = "RGBA" if image.has_transparency_data else "RGB"
    flat = _eight_bit(image) if image.mode == "I;16" else image
    return flat if flat.mode == mode else flat.convert(mode)


def _eight_bit(grey: Image.Image) -> Image.Image:
    """16-bit grey brought to 8 bits by its upper byte: a plain conversion clips nearly all of it to white."""
    return grey.point(lambda level: level / 256).convert("L")


def _centre_square(image: Image.Image) -> Image.Image:
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    return image.crop((left, top, left + edge, top + edge))


def _turn_upright(frame: Image.Image) -> None:
    from PIL import ImageOps

    # A photo with spoilt metadata is still a photo, merely one of unknown direction.
    with suppress(Exception):
        ImageOps.exif_transpose(frame, in_place=True)


def _encoded(frame: Image.Image, image_format: str) -> bytes:
    out = io.BytesIO()
    frame.save(out, image_format, quality=80)
    return out.getvalue()


def _pictured(*formats: str) -> Callable[[bytes], bool]:
    """The test that bytes are a sound picture in one of the formats; raises as Pillow does if unsound."""

    def looks_right(data: bytes) -> bool:
        _opened(data).verify()
        _, found = _drawn(data, side=1)
        return found in formats

    return looks_right


def _starting(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(signatures)


def _is_plain_text(data: bytes) -> bool:
    try:
        return _CONTROL_IN_TEXT.search(data.decode()) is None
    except UnicodeDecodeError:
        return False


_TABLE = (
    (Kind("png", "image/png", is_image=True), _pictured("PNG")),
    (Kind("jpg", "image/jpeg", is_image=True), _pictured(*_JPEG_FORMATS)),
    (Kind("jpeg", "image/jpeg", is_image=True), _pictured(*_JPEG_FORMATS)),
    (Kind("gif", "image/gif", is_image=True), _pictured("GIF")),
    (Kind("webp", "image/webp", is_image=True), _pictured("WEBP")),
    (Kind("pdf", "application/pdf", is_image=False), _starting(b"%PDF-")),
    (Kind("txt", "text/plain; charset=utf-8", is_image=False), _is_plain_text),
    (Kind("zip", "application/zip", is_image=False), _starting(b"PK\x03\x04", b"PK\x05\x06")),
)
_KINDS = {kind.extension: kind for kind, _ in _TABLE}
_LOOKS_RIGHT = {kind.extension: looks_right for kind, looks_right in _TABLE}
