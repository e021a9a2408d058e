"""Writing XML-RPC answers in the narrow form that mobile clients read.

One newline between tags and no indentation, no self-closing tag, every value with its type, base64 on one
line, dates without an offset: clients of this field parse by position and by regular expression.
"""

import datetime
import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, cast

# How many moments are kept as they were written: the newest messages are read again and again.
RECENT = 1000
PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n<methodResponse>\n'
# What XML cannot carry; none of it is printable.
ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> str:
    """*text* as XML character data; what XML cannot carry becomes U+FFFD."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text if text.isprintable() else ILLEGAL.sub("\ufffd", text).replace("\r", "&#13;")


class Written(str):
    """A value that is XML already."""

    __slots__ = ()


@lru_cache(RECENT)
def iso(moment: datetime.datetime) -> str:
    utc = moment.astimezone(datetime.UTC)
    date, time = f"{utc.year:04}{utc.month:02}{utc.day:02}", f"{utc.hour:02}:{utc.minute:02}:{utc.second:02}"
    return f"{date}T{time}"


# The form of each scalar: the inside of an f-string, with %s for the expression that gives the value.
STRING = "<string>{(text := %s) and escaped(text)}</string>"
INT = "<int>{%s}</int>"
BOOLEAN = "<boolean>{'1' if %s else '0'}</boolean>"
BASE64 = "<base64>{b2a_base64(%s, newline=False).decode('ascii')}</base64>"
MOMENT = "<dateTime.iso8601>{iso(%s)}</dateTime.iso8601>"
FUNCTIONS = {"escaped": escaped, "b2a_base64": b2a_base64, "iso": iso}


def compiled(form: str, names: Mapping[str, Any] = MappingProxyType({})) -> Callable[[Any], str]:
    """The function of a *value* that a *form* stands for; what the form calls beside these is in *names*."""
    # Declarations alone come here, nothing that anybody sends.
    return cast(Callable[[Any], str], eval(f'lambda value: f"""{form}"""', {**FUNCTIONS, **names}))  # noqa: S307


def array(items: Iterable[str]) -> str:
    """An array of values that are written already."""
    inside = "</value>\n<value>".join(items)
    return f"<array><data>\n<value>{inside}</value>\n</data></array>" if inside else EMPTY


EMPTY = "<array><data></data></array>"


def struct(members: Iterable[str]) -> str:
    """A struct of members that are written already."""
    return f"<struct>\n{''.join(members)}</struct>"


def member(name: str, value: str) -> str:
    """A member of a struct, whose value is written already."""
    return spelled(escaped(name), value)


def spelled(name: str, value: str) -> str:
    """The same where the name is written as well."""
    return f"<member><name>{name}</name><value>{value}</value></member>\n"


def write(value: Any) -> str:
    """Any value that travels over XML-RPC."""
    return WRITERS[type(value)](value)


WRITERS: dict[type, Callable[[Any], str]] = {
    Written: str,
    str: compiled(STRING % "value"),
    int: compiled(INT % "value"),
    bool: compiled(BOOLEAN % "value"),
    bytes: compiled(BASE64 % "value"),
    datetime.datetime: compiled(MOMENT % "value"),
    list: lambda values: array([write(value) for value in values]),
    dict: lambda members: struct([member(name, write(value)) for name, value in members.items()]),
}


def write_answer(value: Any) -> bytes:
    """The response that carries *value*."""
    return f"{PROLOG}<params>\n<param><value>{write(value)}</value></param>\n{END}".encode()


END = "</params>\n</methodResponse>\n"


def write_fault(code: int, text: str) -> bytes:
    """The response that reports a fault."""
    written = write({"faultCode": code, "faultString": text})
    return f"{PROLOG}<fault>\n<value>{written}</value>\n</fault>\n</methodResponse>\n".encode()
