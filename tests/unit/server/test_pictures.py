"""What may be attached, and the pictures drawn from it."""

import io
import random
import struct
import sys
import zipfile
import zlib
from subprocess import run
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from server import pictures
from server.errors import BadInput
from server.pictures import BLANK, Kind, avatar, checked, display_name, kind_of, thumbnail

ALLOWED = ("png", "jpg", "jpeg", "gif", "webp", "pdf", "txt", "zip")
PICTURES = (("png", "PNG"), ("jpg", "JPEG"), ("jpeg", "JPEG"), ("gif", "GIF"), ("webp", "WEBP"))
ORIENTATION, DESCRIPTION = 0x0112, 0x010E
ROTATED_RIGHT = 6
HTML = b"<!DOCTYPE html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def plain(image_format: str, size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any) -> bytes:
    return encoded(Image.new(mode, size), image_format, **options)


def noise(image_format: str, **options: Any) -> bytes:
    return encoded(Image.effect_noise((200, 200), 90), image_format, **options)


def animated(image_format: str) -> bytes:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    return encoded(frames[0], image_format, save_all=True, append_images=frames[1:], lossless=True)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_claiming(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", "a")
    return out.getvalue()


def oriented(description: str = "") -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = ROTATED_RIGHT
    exif[DESCRIPTION] = description
    return exif


def repeated_scans(times: int) -> bytes:
    """A JPEG in which the last scan is repeated: small to send, slow to decode."""
    data = plain("JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * times + data[-2:]


# Kinds


@pytest.mark.parametrize("extension", ALLOWED)
def test_kind_is_found_in_either_case(extension: str) -> None:
    """An extension means the same in upper and lower case."""
    assert kind_of(extension.upper()) == kind_of(extension)
    assert kind_of(extension).extension == extension


@pytest.mark.parametrize("extension", ["exe", "svg", "html", "", ".png"])
def test_unknown_kind_is_refused(extension: str) -> None:
    """There is no kind for an extension outside the table."""
    with pytest.raises(BadInput):
        kind_of(extension)


def test_kind_tells_how_to_serve() -> None:
    """A kind tells its media type and whether it is a picture."""
    assert kind_of("jpg") == Kind("jpg", "image/jpeg", is_image=True)
    assert kind_of("zip") == Kind("zip", "application/zip", is_image=False)


# What is accepted


@pytest.mark.parametrize(("extension", "image_format"), PICTURES)
def test_picture_of_its_format_is_accepted(extension: str, image_format: str) -> None:
    """A sound picture in the format its extension names is accepted as that kind."""
    assert checked(f"a.{extension}", plain(image_format), ALLOWED) == kind_of(extension)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP"])
def test_animation_is_accepted(image_format: str) -> None:
    """An animated picture is a picture."""
    assert checked(f"a.{image_format.lower()}", animated(image_format), ALLOWED).is_image


def test_several_pictures_in_one_jpeg_are_accepted() -> None:
    """The multi-picture JPEG of a phone is a jpg, thumbnail and all."""
    data = plain("MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    assert checked("a.jpg", data, ALLOWED) == kind_of("jpg")
    assert thumbnail(data).media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("filename", "data"),
    [
        ("a.pdf", b"%PDF-1.7\n"),
        ("a.zip", zipped()),
        ("a.zip", b"PK\x05\x06" + bytes(18)),
        ("a.txt", "Grüße,\n\tund tschüß\r\n\f".encode()),
        ("a.txt", b"\xef\xbb\xbfwith a byte order mark"),
    ],
)
def test_other_files_are_accepted(filename: str, data: bytes) -> None:
    """A document, archive or text that begins or reads as its extension says is accepted."""
    assert not checked(filename, data, ALLOWED).is_image


def test_last_extension_counts() -> None:
    """A file with two extensions is what the last one says."""
    assert checked("x.php.png", plain("PNG"), ALLOWED) == kind_of("png")


def test_extension_may_be_upper_case() -> None:
    """A camera's IMG_1.JPG is a jpg."""
    assert checked("IMG_1.JPG", plain("JPEG"), ALLOWED) == kind_of("jpg")


@pytest.mark.parametrize("behind", [HTML, zipped()])
def test_polyglot_is_only_what_it_is_named(behind: bytes) -> None:
    """A picture with something behind its end is a picture, and nothing else under another name."""
    data = plain("PNG") + behind
    assert checked("a.png", data, ALLOWED).media_type == "image/png"
    for other in ("a.jpg", "a.zip", "a.pdf", "a.txt"):
        with pytest.raises(BadInput):
            checked(other, data, ALLOWED)


# What is refused


@pytest.mark.parametrize(
    "filename", ["a.exe", "png", ".png", "a", "a.", "a.png.exe", "a\u202egnp.exe", "", "a.svg"]
)
def test_extension_not_allowed_is_refused(filename: str) -> None:
    """A file whose extension is not allowed is refused, however its bytes look."""
    with pytest.raises(BadInput, match="may be attached"):
        checked(filename, plain("PNG"), ALLOWED)


def test_only_allowed_extensions_count() -> None:
    """A known extension outside the allowed ones is refused."""
    with pytest.raises(BadInput, match="png"):
        checked("a.gif", plain("GIF"), ["png"])


def test_allowed_but_unknown_extension_is_refused() -> None:
    """Allowing an extension the table does not know does not let it in."""
    with pytest.raises(BadInput):
        checked("a.exe", b"MZ", ["exe"])


@pytest.mark.parametrize("extension", ALLOWED)
def test_empty_file_is_refused(extension: str) -> None:
    """No kind of file may be empty."""
    with pytest.raises(BadInput, match="empty"):
        checked(f"a.{extension}", b"", ALLOWED)


@pytest.mark.parametrize(
    ("filename", "data"),
    [
        ("a.png", plain("GIF")),
        ("a.jpg", plain("PNG")),
        ("a.gif", plain("WEBP")),
        ("a.webp", plain("JPEG")),
        ("a.pdf", zipped()),
        ("a.pdf", HTML + b"%PDF-1.7"),
        ("a.zip", b"%PDF-1.7"),
        ("a.zip", b"PK\x07\x08"),
        ("a.txt", b"nul\0"),
        ("a.txt", b"bell\x07"),
        ("a.txt", b"escape\x1b[2J"),
        ("a.txt", "Grüße".encode("latin-1")),
        ("a.txt", "hi".encode("utf-16")),
    ],
)
def test_false_extension_is_refused(filename: str, data: bytes) -> None:
    """Bytes that are something other than their extension claims are refused."""
    with pytest.raises(BadInput, match="promises"):
        checked(filename, data, ALLOWED)


@pytest.mark.parametrize(
    ("filename", "data"),
    [
        ("a.jpg", HTML),
        ("a.png", SVG),
        ("a.gif", b"GIF89a/*" + HTML),
        ("a.png", plain("BMP")),
        ("a.png", plain("TIFF")),
        ("a.png", b"\x89PNG\r\n\x1a\n"),
        ("a.webp", b"RIFF\xff\xff\xff\xffWEBPVP8X" + bytes(40)),
        ("a.png", png_claiming(0, 0)),
        ("a.png", png_claiming(64, 64)),
    ],
)
def test_what_is_no_picture_is_refused(filename: str, data: bytes) -> None:
    """Bytes that cannot be drawn are refused under a picture's name, which the message repeats."""
    with pytest.raises(BadInput, match=f'The picture "{filename}" cannot be read'):
        checked(filename, data, ALLOWED)


@pytest.mark.parametrize(("extension", "image_format"), PICTURES)
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.95])
def test_truncated_picture_is_refused(extension: str, image_format: str, kept: float) -> None:
    """A picture cut off anywhere is refused."""
    whole = noise(image_format)
    with pytest.raises(BadInput, match="cannot be read"):
        checked(f"a.{extension}", whole[: int(len(whole) * kept)], ALLOWED)


def test_png_without_end_is_refused() -> None:
    """A PNG that lacks no pixel but its end mark is refused."""
    with pytest.raises(BadInput, match="cannot be read"):
        checked("a.png", plain("PNG").removesuffix(chunk(b"IEND", b"")), ALLOWED)


def test_png_with_wrong_checksum_is_refused() -> None:
    """A PNG of which a checksum does not fit is refused."""
    good = plain("PNG")
    spoilt = good[:-20] + bytes([good[-20] ^ 1]) + good[-19:]
    with pytest.raises(BadInput, match="cannot be read"):
        checked("a.png", spoilt, ALLOWED)


@pytest.mark.parametrize("size", [(50_000, 50_000), (8_000, 5_001)])
def test_too_many_pixels_are_refused(size: tuple[int, int]) -> None:
    """A picture over 16 million pixels is refused on its header alone, by every function that draws."""
    data = png_claiming(*size)
    for draw in (thumbnail, avatar, lambda data: checked("a.png", data, ALLOWED)):
        with pytest.raises(BadInput):
            draw(data)


def test_pixel_limit_is_named() -> None:
    """The refusal of a large picture tells the limit."""
    with pytest.raises(BadInput, match="16 million pixels"):
        thumbnail(png_claiming(8_000, 5_001))


def test_jpeg_of_endless_scans_is_refused() -> None:
    """A JPEG made slow by repeating scans is refused before it is decoded."""
    with pytest.raises(BadInput, match="layers"):
        checked("a.jpg", repeated_scans(pictures.MOST_SCANS), ALLOWED)


@pytest.mark.parametrize(("extension", "image_format"), PICTURES)
def test_damaged_picture_is_drawn_or_refused(extension: str, image_format: str) -> None:
    """Whatever bytes are damaged, nothing but BadInput is raised, and what is accepted can be drawn."""
    dice = random.Random(0)
    whole = plain(image_format, (24, 16))
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            checked(f"a.{extension}", bytes(data), ALLOWED)
        except BadInput:
            continue
        assert opened(thumbnail(bytes(data)).data).size


# Thumbnails and avatars


@pytest.mark.parametrize(
    ("size", "expected"),
    [((960, 480), (240, 120)), ((480, 960), (120, 240)), ((100, 50), (100, 50)), ((3000, 2), (240, 1))],
)
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "GIF", "WEBP"])
def test_thumbnail_fits_and_keeps_its_shape(
    image_format: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    """A thumbnail lies within the square, in the picture's proportions, and is never enlarged."""
    assert opened(thumbnail(plain(image_format, size)).data).size == expected


@pytest.mark.parametrize(
    ("image_format", "expected"), [("JPEG", "JPEG"), ("PNG", "PNG"), ("GIF", "PNG"), ("WEBP", "PNG")]
)
def test_thumbnail_is_jpeg_or_png(image_format: str, expected: str) -> None:
    """A JPEG's thumbnail is a JPEG, any other's a PNG, and the media type says which."""
    drawn = thumbnail(plain(image_format))
    assert (opened(drawn.data).format, drawn.media_type) == (expected, f"image/{expected.lower()}")


@pytest.mark.parametrize(
    ("mode", "image_format"),
    [(mode, "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")]
    + [(mode, "JPEG") for mode in ("L", "RGB", "CMYK")],
)
def test_every_colour_mode_is_drawn(mode: str, image_format: str) -> None:
    """A picture in any colour mode of its format is accepted and drawn."""
    data = plain(image_format, mode=mode)
    assert checked(f"a.{image_format.lower()}", data, ALLOWED).is_image
    assert opened(thumbnail(data).data).mode in ("RGB", "RGBA")


def test_deep_grey_keeps_its_shade() -> None:
    """16-bit grey of half brightness is half bright in the thumbnail."""
    half = encoded(Image.new("I;16", (8, 8), 0x8000), "PNG")
    assert opened(thumbnail(half).data).getpixel((0, 0)) == (0x80, 0x80, 0x80)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_transparency_stays(image_format: str) -> None:
    """What is transparent in the picture is so in thumbnail and avatar."""
    clear = encoded(Image.new("RGBA", (8, 8), (255, 0, 0, 0)), image_format)
    for drawn in (thumbnail(clear).data, avatar(clear)):
        assert set(opened(drawn).getchannel("A").tobytes()) == {0}


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP"])
def test_first_frame_is_drawn(image_format: str) -> None:
    """Of an animation the first frame is drawn, and that alone."""
    image = opened(thumbnail(animated(image_format)).data)
    assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert getattr(image, "n_frames", 1) == 1


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_thumbnail_is_upright(image_format: str) -> None:
    """A photo taken with the camera turned is drawn the right way up."""
    assert opened(thumbnail(plain(image_format, (64, 48), exif=oriented())).data).size == (48, 64)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_spoilt_metadata_does_not_spoil_the_picture(image_format: str) -> None:
    """A photo whose metadata makes no sense is accepted and drawn as it lies."""
    data = plain(image_format, exif=b"Exif\0\0" + b"nonsense" * 4)
    assert checked(f"a.{image_format.lower()}", data, ALLOWED).is_image
    assert opened(thumbnail(data).data).size == (64, 48)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_metadata_is_stripped(image_format: str) -> None:
    """Nothing the camera or the author wrote into the picture is left in what is drawn from it."""
    options: dict[str, Any] = {
        "exif": oriented("SECRET"),
        "comment": b"SECRET",
        "icc_profile": b"SECRET" * 30,
        "xmp": b"SECRET",
    }
    data = plain(image_format, **options)
    assert b"SECRET" in data or image_format == "PNG"
    for drawn in (thumbnail(data).data, avatar(data)):
        assert b"SECRET" not in drawn
        assert not opened(drawn).info.keys() & options.keys()
        assert not opened(drawn).getexif()


def test_what_lies_behind_the_picture_is_stripped() -> None:
    """Bytes behind the end of a picture do not reach its thumbnail."""
    assert HTML not in thumbnail(plain("JPEG") + HTML).data


@pytest.mark.parametrize(
    ("size", "side"), [((400, 300), 192), ((300, 400), 192), ((50, 20), 20), ((192, 192), 192), ((1, 9), 1)]
)
def test_avatar_is_square(size: tuple[int, int], side: int) -> None:
    """An avatar is a square PNG, no larger than the picture's shorter edge."""
    image = opened(avatar(plain("JPEG", size)))
    assert (image.format, image.size) == ("PNG", (side, side))


def test_avatar_shows_the_centre() -> None:
    """Of a wide picture the avatar shows the middle."""
    wide = Image.new("RGB", (90, 30), "red")
    wide.paste("lime", (30, 0, 60, 30))
    shown = opened(avatar(encoded(wide, "PNG")))
    assert (shown.size, shown.tobytes()) == ((30, 30), b"\0\xff\0" * 900)


@pytest.mark.parametrize("data", [b"", HTML, SVG, b"%PDF-1.7", noise("PNG")[:200], noise("JPEG")[:200]])
def test_drawing_refuses_what_is_no_picture(data: bytes) -> None:
    """Thumbnails and avatars of anything but a sound picture are refused."""
    for draw in (thumbnail, avatar):
        with pytest.raises(BadInput, match="The picture cannot be read"):
            draw(data)


def test_blank_is_one_transparent_pixel() -> None:
    """The blank picture is a PNG of a single transparent pixel."""
    image = opened(BLANK)
    assert (image.format, image.size, image.getpixel((0, 0))) == ("PNG", (1, 1), (0, 0, 0, 0))


def test_pillow_waits_until_it_is_needed() -> None:
    """Importing the module does not import Pillow, so an idle server does without it."""
    script = "import sys, server.pictures; sys.exit('PIL' in sys.modules)"
    assert run([sys.executable, "-c", script], check=False).returncode == 0


# Names


@pytest.mark.parametrize(
    ("claimed", "shown"),
    [
        ("holiday.png", "holiday.png"),
        ("Grüße aus Köln.jpg", "Grüße aus Köln.jpg"),
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\Users\\me\\a.png", "a.png"),
        ("a/b\\c.png", "c.png"),
        ("x.php.png", "x.php.png"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("a\0b\r\nc\x7f\x85.png", "abc.png"),
        ("\u2066a\u2069\u200f.txt", "a.txt"),
        (".htaccess", "htaccess"),
        (" . . a.png . ", "a.png"),
        ("a\ud800.png", "a.png"),
        ("..", "file"),
        ("folder/", "file"),
        ("\u202e", "file"),
        ("", "file"),
    ],
)
def test_display_name_is_harmless(claimed: str, shown: str) -> None:
    """Of what a client calls a file the last component is shown, without what could mislead."""
    assert display_name(claimed) == shown


def test_long_name_keeps_its_extension() -> None:
    """A long name loses the end of its stem, not its extension."""
    assert display_name("a" * 300 + ".jpeg") == "a" * 115 + ".jpeg"


def test_overlong_extension_is_cut() -> None:
    """An extension too long to keep is cut without the name coming to start with its dot."""
    assert display_name("a." + "b" * 300) == "a." + "b" * 118


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_every_display_name_is_fit(claimed: str) -> None:
    """Any name becomes one of 1 to 120 encodable characters, without separators or a leading dot."""
    name = display_name(claimed)
    assert 1 <= len(name) <= 120
    assert name.encode()
    assert not name.startswith(".")
    assert not set(name) & set("/\\\0\r\n\u202e")
