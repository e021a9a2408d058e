"""What has to hold of any bytes, for each piece of code that reads the bytes of strangers."""

from collections.abc import Callable, Iterable
from json import dumps
from typing import Any

from lxml import etree
from werkzeug.exceptions import HTTPException

from models import clean
from server import text
from server.errors import BadInput
from server.http import MOST_FORM_PARTS, Request
from server.wire.coding import TooLarge, inflated
from server.wire.parser import MOST_LEVELS, MOST_VALUES, NotACall, read_call
from server.wire.rest import DEEPEST, read_json

LIMIT = 10_000
EDGE = "XbX"
KINDS = (f"multipart/form-data; boundary={EDGE}", "application/x-www-form-urlencoded")
MARKUP = etree.XMLParser(huge_tree=True)


def inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def levels(values: Iterable[Any]) -> list[int]:
    """How many values there are on each level, the outermost first."""
    level, found = list(values), []
    while level:
        found.append(len(level))
        level = [inner for each in level for inner in inside(each)]
    return found


def parser(data: bytes) -> None:
    """Bytes are a call, of so many values at most, or not one."""
    try:
        name, params = read_call(data)
    except NotACall:
        return
    found = levels(params)
    assert name == name.strip() != ""
    assert len(found) <= MOST_LEVELS
    assert sum(found) <= MOST_VALUES


def json(data: bytes) -> None:
    """Bytes are an object of so many values at most, all of which can be written, or are refused."""
    try:
        value = read_json(data)
    except BadInput:
        return
    assert type(value) is dict
    assert len(levels([value])) <= DEEPEST + 1
    assert sum(levels([value])) <= MOST_VALUES + 1
    dumps(value, ensure_ascii=False).encode()


def coding(data: bytes) -> None:
    """Whatever a body says of its form, no more comes of it than is allowed."""
    for encoding in ("gzip", "deflate", "br", None):
        try:
            assert len(inflated(data, encoding, LIMIT)) <= LIMIT
        except TooLarge:
            assert encoding in ("gzip", "deflate") or len(data) > LIMIT


def form(data: bytes) -> None:
    """Bytes are a form, or one that HTTP refuses."""
    for kind in KINDS:
        head = [("content-type", kind)]
        try:
            texts, files = Request("POST", "/", "", head, data, "http", "x:1", "y:2").form(data)
        except HTTPException:
            continue
        if kind is KINDS[0]:
            assert len(texts) + len(files) <= MOST_FORM_PARTS


def markup(data: bytes) -> None:
    """Any text has each of its forms; what is markup is well-formed, and all of them can be sent."""
    source = clean(data.decode(errors="replace"))
    for shown in (text.plain(source), text.unmarked(source), text.subset(source), text.preview(source)):
        etree.Element("text").text = shown
    etree.Element("text").text = text.quote(source, source, 1, 2)
    etree.fromstring(f"<div>{text.html(source)}</div>", MARKUP)
    assert text.plain(source) or text.is_blank(source)


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (parser, json, coding, form, markup)
}
