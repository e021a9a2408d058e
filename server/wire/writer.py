"""Writing XML-RPC answers in the narrow form that mobile clients read.

One newline between tags and no indentation, no self-closing tag, every value with its type, base64 on one
line, dates without an offset: clients of this field parse by position and by regular expression.
"""

import binascii
import datetime
import re
from collections.abc import Callable, Iterable
from typing import Any

# What stands in no text as it is: markup, and what XML cannot carry.
SPECIAL = re.compile("[&<>\r]|[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n<methodResponse>\n'
ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> str:
    """*text* as XML character data; what XML cannot carry becomes U+FFFD."""
    if not SPECIAL.search(text):
        return text
    text = ILLEGAL.sub("\ufffd", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;")


class Written(str):
    """A value that is XML already."""

    __slots__ = ()


def string(text: str) -> str:
    return f"<string>{escaped(text)}</string>"


def integer(number: int) -> str:
    return f"<int>{number}</int>"


def boolean(flag: bool) -> str:
    return "<boolean>1</boolean>" if flag else "<boolean>0</boolean>"


def base64(data: bytes) -> str:
    return f"<base64>{binascii.b2a_base64(data, newline=False).decode()}</base64>"


def text(text: str) -> str:
    """Text as the mobile apps want it: base64 of UTF-8."""
    return f"<base64>{binascii.b2a_base64(text.encode(), newline=False).decode()}</base64>"


def moment(moment: datetime.datetime) -> str:
    utc = moment if moment.tzinfo is datetime.UTC else moment.astimezone(datetime.UTC)
    date, time = f"{utc.year:04}{utc.month:02}{utc.day:02}", f"{utc.hour:02}:{utc.minute:02}:{utc.second:02}"
    return f"<dateTime.iso8601>{date}T{time}</dateTime.iso8601>"


def array(items: Iterable[str]) -> str:
    """An array of values that are written already."""
    inside = "</value>\n<value>".join(items)
    return f"<array><data>\n<value>{inside}</value>\n</data></array>" if inside else EMPTY


EMPTY = "<array><data></data></array>"


def struct(members: Iterable[tuple[str, str]]) -> str:
    """A struct of members whose values are written already."""
    return f"<struct>\n{''.join([MEMBER % (escaped(name), value) for name, value in members])}</struct>"


MEMBER = "<member><name>%s</name><value>%s</value></member>\n"


def template(names: Iterable[str]) -> str:
    """A struct with always the same members, with places for their values."""
    return struct((name.replace("%", "%%"), "%s") for name in names)


def write(value: Any) -> str:
    """Any value that travels over XML-RPC."""
    return WRITERS[type(value)](value)


WRITERS: dict[type, Callable[[Any], str]] = {
    Written: str,
    str: string,
    int: integer,
    bool: boolean,
    bytes: base64,
    datetime.datetime: moment,
    list: lambda values: array([write(value) for value in values]),
    dict: lambda members: struct((name, write(value)) for name, value in members.items()),
}


def write_answer(value: Any) -> bytes:
    """The response that carries *value*."""
    return f"{PROLOG}<params>\n<param><value>{write(value)}</value></param>\n{END}".encode()


END = "</params>\n</methodResponse>\n"


def write_fault(code: int, text: str) -> bytes:
    """The response that reports a fault."""
    written = write({"faultCode": code, "faultString": text})
    return f"{PROLOG}<fault>\n<value>{written}</value>\n</fault>\n</methodResponse>\n".encode()
