"""Writing XML-RPC answers in the narrow form that mobile clients read.

One newline between tags and no indentation, no self-closing tag, every value with its type, base64 on one
line, dates without an offset: clients of this field parse by position and by regular expression.
"""

import binascii
import datetime
import re
from collections.abc import Callable
from typing import Any

PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n<methodResponse>\n'
ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> str:
    """*text* as XML character data; what XML cannot carry becomes U+FFFD."""
    if not text.isprintable():
        text = ILLEGAL.sub("\ufffd", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;")


def write_string(text: str, out: list[str]) -> None:
    out.append(f"<string>{escaped(text)}</string>")


def write_int(number: int, out: list[str]) -> None:
    out.append(f"<int>{number}</int>")


def write_boolean(flag: bool, out: list[str]) -> None:
    out.append("<boolean>1</boolean>" if flag else "<boolean>0</boolean>")


def write_base64(data: bytes, out: list[str]) -> None:
    out.append(f"<base64>{binascii.b2a_base64(data, newline=False).decode()}</base64>")


def write_moment(moment: datetime.datetime, out: list[str]) -> None:
    utc = moment.astimezone(datetime.UTC)
    out.append(f"<dateTime.iso8601>{utc:%Y%m%dT%H:%M:%S}</dateTime.iso8601>")


def write_array(values: list[Any], out: list[str]) -> None:
    out.append("<array><data>")
    for place, value in enumerate(values):
        out.append("<value>" if place else "\n<value>")
        WRITERS[type(value)](value, out)
        out.append("</value>\n")
    out.append("</data></array>")


def write_struct(members: dict[str, Any], out: list[str]) -> None:
    out.append("<struct>\n")
    for name, value in members.items():
        out.append(f"<member><name>{escaped(name)}</name><value>")
        WRITERS[type(value)](value, out)
        out.append("</value></member>\n")
    out.append("</struct>")


WRITERS: dict[type, Callable[[Any, list[str]], None]] = {
    str: write_string,
    int: write_int,
    bool: write_boolean,
    bytes: write_base64,
    datetime.datetime: write_moment,
    list: write_array,
    dict: write_struct,
}


def write_answer(value: Any) -> bytes:
    """The response that carries *value*."""
    out = [PROLOG, "<params>\n<param><value>"]
    WRITERS[type(value)](value, out)
    out.append("</value></param>\n</params>\n</methodResponse>\n")
    return "".join(out).encode()


def write_fault(code: int, text: str) -> bytes:
    """The response that reports a fault."""
    out = [PROLOG, "<fault>\n<value>"]
    write_struct({"faultCode": code, "faultString": text}, out)
    out.append("</value>\n</fault>\n</methodResponse>\n")
    return "".join(out).encode()
