"""Reading XML-RPC calls from strangers: liberal in the forms that clients really send, bounded in all else.

Expat is driven by handlers of our own: what is not XML-RPC is refused as it appears, so that neither
memory nor time depends on what a body claims to hold.
"""

import binascii
import datetime
import encodings
import pkgutil
import re
from collections.abc import Callable
from encodings.aliases import aliases
from typing import Any, NoReturn
from xml.parsers import expat

MOST_LEVELS, MOST_VALUES = 32, 10_000

INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[T ](\d\d):?(\d\d):?(\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
MODULES = {found.name for found in pkgutil.iter_modules(encodings.__path__)}
ENCODINGS = {*aliases, *MODULES}
WORDS = {"1": True, "0": False, "true": True, "false": False}


class NotACall(ValueError):
    """The body is not an XML-RPC call; the text says what about it."""


def integer(text: str) -> int:
    text = text.strip()
    number = int(text) if INTEGER.fullmatch(text) else 2**63
    if not -(2**63) <= number < 2**63:
        raise NotACall("a number is not an integer of at most 64 bits")
    return number


def boolean(text: str) -> bool:
    try:
        return WORDS[text.strip().lower()]
    except KeyError:
        raise NotACall("a boolean is neither 0 nor 1") from None


def double(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise NotACall("a double is not a number") from None


def base64(text: str) -> bytes:
    try:
        # What is not of its alphabet would be passed over, and the whole be taken for empty.
        return binascii.a2b_base64("".join(text.split()).encode("ascii"), strict_mode=True)
    except (ValueError, UnicodeEncodeError):
        raise NotACall("a base64 value is broken") from None


def moment(text: str) -> datetime.datetime:
    """An aware moment; a date without an offset is in UTC."""
    match = DATE.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        *numbers, offset = match.groups()
        year, month, day, hour, minute, second = map(int, numbers)
        plain = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
        return plain - shift(offset)
    except (ValueError, OverflowError):
        raise NotACall("a date is not in ISO 8601 form") from None


def shift(offset: str | None) -> datetime.timedelta:
    if not offset or offset == "Z":
        return datetime.timedelta()
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    return datetime.timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)


def nothing(text: str) -> None:
    if text.strip():
        raise NotACall("nil holds something")


SCALARS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "int": integer,
    "i4": integer,
    "i8": integer,
    "i2": integer,
    "i1": integer,
    "boolean": boolean,
    "double": double,
    "base64": base64,
    "dateTime.iso8601": moment,
    "nil": nothing,
    "ex:nil": nothing,
    "ex:i8": integer,
}
CHILDREN: dict[str, set[str]] = {
    "": {"methodCall"},
    "methodCall": {"methodName", "params"},
    "params": {"param"},
    "param": {"value"},
    "value": {*SCALARS, "array", "struct"},
    "array": {"data"},
    "data": {"value"},
    "struct": {"member"},
    "member": {"name", "value"},
}
ONCE = {"methodName", "params"}
HOLD_TEXT = {"methodName", "name", "value", *SCALARS}
MISSING = object()


class Reader:
    """Expat's handlers for one call."""

    def __init__(self) -> None:
        self.open = [""]
        self.seen: set[str] = set()
        self.text: list[str] = []
        self.level = self.values = self.begun = 0
        self.held: list[Any] = []
        self.holders: list[list[Any] | dict[str, Any]] = []
        self.names: list[str | None] = []
        self.method: str | None = None
        self.params: list[Any] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag not in CHILDREN.get(self.open[-1], ()):
            raise NotACall("an element stands where XML-RPC has none of its kind")
        if tag in ONCE:
            self.once(tag)
        if self.open[-1] == "value":
            self.no_text_before()
        self.open.append(tag)
        self.text.clear()
        if tag in STARTS:
            STARTS[tag](self)

    def once(self, tag: str) -> None:
        if tag in self.seen:
            raise NotACall(f"{tag} stands there twice")
        self.seen.add(tag)

    def no_text_before(self) -> None:
        if self.held[-1] is not MISSING:
            raise NotACall("a value has two types")
        if "".join(self.text).strip():
            raise NotACall("a value has text beside its type")

    def end(self, tag: str) -> None:
        self.open.pop()
        if tag in SCALARS:
            self.held[-1] = SCALARS[tag]("".join(self.text))
            self.text.clear()
        elif tag in ENDS:
            ENDS[tag](self)

    def characters(self, text: str) -> None:
        if self.open[-1] in HOLD_TEXT:
            self.text.append(text)
        elif text.strip():
            raise NotACall("there is text between the elements")

    def start_param(self) -> None:
        self.begun += 1

    def end_param(self) -> None:
        if len(self.params) != self.begun:
            raise NotACall("a parameter does not have one value")

    def start_value(self) -> None:
        self.level += 1
        self.values += 1
        if self.level > MOST_LEVELS:
            raise NotACall(f"it is more than {MOST_LEVELS} levels deep")
        if self.values > MOST_VALUES:
            raise NotACall(f"it has more than {MOST_VALUES} values")
        self.held.append(MISSING)

    def end_value(self) -> None:
        self.level -= 1
        value = self.held.pop()
        if value is MISSING:
            value = "".join(self.text)
        elif "".join(self.text).strip():
            raise NotACall("a value has text beside its type")
        self.text.clear()
        self.place(value)

    def place(self, value: Any) -> None:
        if not self.holders:
            self.params.append(value)
            return
        holder = self.holders[-1]
        if isinstance(holder, list):
            holder.append(value)
        else:
            self.place_member(holder, value)

    def place_member(self, holder: dict[str, Any], value: Any) -> None:
        name = self.names[-1]
        if name is None:
            raise NotACall("a member has no name")
        holder[name] = value

    def start_array(self) -> None:
        self.holders.append([])

    def start_struct(self) -> None:
        self.holders.append({})

    def end_holder(self) -> None:
        self.held[-1] = self.holders.pop()
        self.text.clear()

    def start_member(self) -> None:
        self.names.append(None)

    def end_member(self) -> None:
        self.names.pop()

    def end_name(self) -> None:
        self.names[-1] = "".join(self.text)
        self.text.clear()

    def end_method_name(self) -> None:
        self.method = "".join(self.text).strip()
        self.text.clear()


STARTS: dict[str, Callable[[Reader], None]] = {
    "param": Reader.start_param,
    "value": Reader.start_value,
    "array": Reader.start_array,
    "struct": Reader.start_struct,
    "member": Reader.start_member,
}
ENDS: dict[str, Callable[[Reader], None]] = {
    "param": Reader.end_param,
    "value": Reader.end_value,
    "array": Reader.end_holder,
    "struct": Reader.end_holder,
    "member": Reader.end_member,
    "name": Reader.end_name,
    "methodName": Reader.end_method_name,
}


def refuse_doctype(*_: Any) -> NoReturn:
    raise NotACall("a document type is not accepted")


def refuse_unknown(version: str, encoding: str | None, standalone: int) -> None:
    """Refuse a body in an encoding that there is not: Python keeps every name that it has looked for."""
    if encoding is not None and encoding.lower().replace("-", "_") not in ENCODINGS:
        raise NotACall("its encoding is not known")


def read_call(body: bytes) -> tuple[str, list[Any]]:
    """The method's name and the parameters in *body*, as built-in types; raises NotACall."""
    reader = Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.XmlDeclHandler = refuse_unknown
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.EntityDeclHandler = refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        # Some PHP clients send blank lines ahead of the prolog, which expat does not accept.
        parser.Parse(body.lstrip(b" \t\r\n"), True)
    except NotACall:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise NotACall("it is not well-formed XML") from error
    if not reader.method:
        raise NotACall("it names no method")
    return reader.method, reader.params
