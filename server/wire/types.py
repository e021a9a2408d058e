"""How declared Python types travel: checked on the way in, converted on the way out.

The one place that sees wire forms: base64 for text, strings for ids, epoch seconds. A codec loads what the
XML-RPC parser gives (built-in types, ``bytes`` for base64) and dumps what the writer takes.
"""

import datetime
import re
import types
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from ..errors import BadParams
from . import writer

T = TypeVar("T")
INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
FLAGS = {0: False, 1: True, "0": False, "1": True, "false": False, "true": True}
SMALLEST_INT, LARGEST_INT, LARGEST_ID = -(2**31), 2**31 - 1, 2**63 - 1


class Codec:
    """One wire type: its XML-RPC name, its JSON schema where JSON carries it, and both directions.

    *dump* gives built-in types, *write* the same as XML: without a detour where an answer has many of them.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[Any], Any],
        dump: Callable[[Any], Any] = lambda value: value,
        schema: Mapping[str, Any] = MappingProxyType({}),
        write: Callable[[Any], str] | None = None,
    ) -> None:
        self.name, self.load, self.dump, self.schema = name, load, dump, schema
        self.write = write or (lambda value: writer.write(dump(value)))
        self.names = [name]


def wrong(expected: str, value: Any) -> BadParams:
    return BadParams(f"expected {expected}, got {WIRE_NAMES.get(type(value), 'another type')}")


WIRE_NAMES = {
    str: "string",
    int: "int",
    bool: "boolean",
    bytes: "base64",
    list: "array",
    dict: "struct",
    float: "double",
    datetime.datetime: "dateTime.iso8601",
    type(None): "nil",
}


def load_text(value: Any) -> str:
    """Text; NUL, which not every store can look for, becomes U+FFFD, as it would where text is stored."""
    if type(value) is bytes:
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise BadParams("the base64 text is not UTF-8") from None
    if type(value) is not str:
        raise wrong("text", value)
    return value.replace("\0", "\ufffd")


def load_string(value: Any) -> str:
    """Text that travels as it is; clients write ids and flags as numbers too."""
    return str(value) if type(value) is int else load_text(value)


def load_int(value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is str and INTEGER.fullmatch(value.strip()):
        return int(value)
    raise wrong("int", value)


def load_natural(value: Any) -> int:
    number = load_int(value)
    if not 0 <= number <= LARGEST_INT:
        raise BadParams(f"must be from 0 to {LARGEST_INT}")
    return number


def load_key(value: Any) -> int:
    """A number by which something is looked up; one that names nothing is found out there."""
    number = load_int(value)
    if not -LARGEST_ID <= number <= LARGEST_ID:
        raise BadParams("is out of range")
    return number


def load_id(value: Any) -> int:
    is_other_text = type(value) is str and not INTEGER.fullmatch(value.strip())
    number = -1 if is_other_text else load_int(value)
    if not 0 <= number <= LARGEST_ID:
        raise BadParams("is no id")
    return number


def load_ids(value: Any) -> list[int]:
    """Ids in an array, or in one string with commas between them."""
    if type(value) is str:
        value = [part for part in value.split(",") if part.strip()]
    if type(value) is dict:
        value = numbered(value)
    return [load_id(item) for item in (value if type(value) is list else [value])]


def load_flag(value: Any) -> bool:
    if type(value) is bool:
        return value
    flag = FLAGS.get(value.strip().lower() if type(value) is str else value if type(value) is int else None)
    if flag is None:
        raise wrong("boolean", value)
    return flag


def dump_int(value: int) -> int:
    """The number, which has to fit the 32 bits of an XML-RPC int while the call can still be undone."""
    if not SMALLEST_INT <= value <= LARGEST_INT:
        raise OverflowError(f"{value} does not fit an XML-RPC int")
    return int(value)


@lru_cache(writer.RECENT)
def dump_iso(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@lru_cache(writer.RECENT)
def dump_epoch(moment: datetime.datetime) -> str:
    return str(int(moment.timestamp()))


def dump_seconds(moment: datetime.datetime) -> int:
    return dump_int(int(moment.timestamp()))


class Scalar(Codec):
    """A type whose values are written by a *form*, so that a struct can be written as one f-string."""

    def __init__(
        self,
        name: str,
        load: Callable[[Any], Any],
        dump: Callable[[Any], Any],
        form: str,
        schema: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(name, load, dump, schema, writer.compiled(form % "value", DUMPS))
        self.form = form


# What forms call.
DUMPS = {each.__name__: each for each in (dump_int, dump_epoch, dump_seconds)}


class Page(NamedTuple, Generic[T]):
    """Some *items* of a list, the first of them at the place *skip*; at most *limit*, of *total* in all."""

    items: list[T]
    total: int
    skip: int
    limit: int


class File(NamedTuple):
    """A file as a form brings it: the name its sender gives it, and its bytes."""

    name: str
    data: bytes


def load_file(value: Any) -> File:
    if not isinstance(value, File):
        raise wrong("a file", value)
    return value


STRING = Scalar("string", load_string, str, writer.STRING % "str(%s)", {"type": "string"})
BASE64 = Scalar("base64", load_text, str.encode, writer.BASE64 % "%s.encode()")
# A call for each number would cost as much as all else that is done with it; only what does not fit has one.
FITTING = f"+n if {SMALLEST_INT} <= (n := %s) <= {LARGEST_INT} else dump_int(n)"
INT = Scalar("int", load_int, dump_int, writer.INT % FITTING, {"type": "integer"})
NATURAL = Codec("int", load_natural, dump_int, {"type": "integer", "minimum": 0, "maximum": LARGEST_INT})
BOOLEAN = Scalar("boolean", load_flag, bool, writer.BOOLEAN, {"type": "boolean"})
MOMENT = Scalar("dateTime.iso8601", lambda value: value, lambda value: value, writer.MOMENT)
SECONDS = Scalar("int", load_int, dump_seconds, writer.INT % "dump_seconds(%s)")
EPOCH = Scalar("string", load_int, dump_epoch, "<string>{dump_epoch(%s)}</string>")
ISO = Codec("string", lambda value: value, dump_iso, {"type": "string", "format": "date-time"})
# The sign refuses what is no number, as a format would at a higher price.
ID = Scalar("string", load_id, str, "<string>{+%s}</string>", {"type": "string", "pattern": "^[0-9]{1,18}$"})
KEY = Codec("int", load_key, dump_int, {"type": "integer", "minimum": -LARGEST_ID, "maximum": LARGEST_ID})
IDS = Codec("string", load_ids)
NOTHING = Codec("nil", lambda value: value)
ANYTHING = Codec("undefined", lambda value: value)


class Choice(Codec):
    """One of a few words."""

    def __init__(self, words: tuple[str, ...]) -> None:
        super().__init__("string", self.load_word, schema={"type": "string", "enum": list(words)})
        self.words = words

    def load_word(self, value: Any) -> str:
        word = load_string(value)
        if word not in self.words:
            raise BadParams(f"must be one of {', '.join(self.words)}")
        return word


class Array(Codec):
    """A list of one type; *lone* lets a single value stand for a list of one."""

    def __init__(self, item: Codec, lone: bool = False) -> None:
        schema = {"type": "array", "items": item.schema}
        super().__init__("array", self.load_items, self.dump_items, schema, self.write_items)
        self.item, self.lone = item, lone

    def load_items(self, values: Any) -> list[Any]:
        if type(values) is dict:
            values = numbered(values)
        if type(values) is not list:
            if not self.lone:
                raise wrong("array", values)
            values = [values]
        return [self.load_item(place, value) for place, value in enumerate(values)]

    def load_item(self, place: int, value: Any) -> Any:
        try:
            return self.item.load(value)
        except BadParams as error:
            raise BadParams(f"item {place}: {error}") from None

    def dump_items(self, values: Any) -> list[Any]:
        dump = self.item.dump
        return [dump(value) for value in values]

    def write_items(self, values: Any) -> str:
        return writer.array(map(self.item.write, values))


def numbered(members: dict[str, Any]) -> Any:
    """A list that came as a struct, as Lua's only kind of table does: its members are numbered from 1."""
    places = [str(place) for place in range(1, len(members) + 1)]
    return [members[place] for place in places] if members.keys() == set(places) else members


class Struct(Codec):
    """A TypedDict: its members are written in the order in which they are declared.

    *passes_over*: whether members that are not declared may come along, or are refused.
    """

    def __init__(self, declared: Any, passes_over: bool = False) -> None:
        super().__init__("struct", self.load_members, self.dump_members)
        self.passes_over = passes_over
        hints = typing.get_type_hints(declared, include_extras=True)
        self.members = {key: codec_for(hint) for key, hint in hints.items()}
        self.required = declared.__required_keys__
        self.dumps = [(key, codec.dump) for key, codec in self.members.items()]
        self.write = writer.compiled(self.form(), {"self": self, **DUMPS})
        self.title = declared.__name__
        self.schema = {
            "type": "object",
            "title": self.title,
            "properties": {key: codec.schema for key, codec in self.members.items()},
            "required": [key for key in self.members if key in self.required],
        }
        if declared.__doc__:
            self.schema["description"] = " ".join(declared.__doc__.split())

    def load_members(self, values: Any) -> dict[str, Any]:
        """The members that are given; nil stands for one that is not."""
        if type(values) is not dict:
            raise wrong("struct", values)
        given = {key: value for key, value in values.items() if value is not None}
        if self.passes_over:
            given = {key: value for key, value in given.items() if key in self.members}
        for key in sorted(self.required - given.keys()):
            raise BadParams(f"{key}: missing")
        return {key: self.load_member(key, value) for key, value in given.items()}

    def load_member(self, key: str, value: Any) -> Any:
        if key not in self.members:
            raise BadParams(f"{key[:50]}: no such member")
        try:
            return self.members[key].load(value)
        except BadParams as error:
            raise BadParams(f"{key}: {error}") from None

    def dump_members(self, values: Any) -> dict[str, Any]:
        dumped = {key: dump(values[key]) for key, dump in self.dumps if key in values}
        assert self.required <= dumped.keys() and len(dumped) == len(values), sorted(values)
        return dumped

    def form(self) -> str:
        """All members in one form, which is not written where one is missing or not declared."""
        optional = [f"({key!r} in value)" for key in self.members if key not in self.required]
        number = " + ".join([str(len(self.required)), *optional])
        check = f"{{'' if len(value) == {number} else self.refuse(value)}}"
        return check + writer.struct(map(self.form_of, self.members))

    def form_of(self, key: str) -> str:
        if key not in self.required:
            return f"{{self.write_optional({key!r}, value) if {key!r} in value else ''}}"
        codec, place = self.members[key], f"value[{key!r}]"
        form = codec.form if isinstance(codec, Scalar) else f"{{self.members[{key!r}].write(%s)}}"
        written = form % place
        if isinstance(codec, Array):
            # Most are empty, such as what a message carries.
            written = f"{{{written[1:-1]} if {place} else {writer.EMPTY!r}}}"
        return writer.member(key, written)

    def write_optional(self, key: str, values: Any) -> str:
        return writer.member(key, self.members[key].write(values[key]))

    def refuse(self, values: Any) -> str:
        raise AssertionError(sorted(values))


class Keyed(Codec):
    """A mapping that travels as a struct with one member a key, such as users by id."""

    def __init__(self, key: Codec, item: Codec) -> None:
        super().__init__("struct", lambda value: value, self.dump_items, write=self.write_items)
        self.key, self.item = key, item
        # In digits there is nothing to escape.
        self.spell = str if key is ID else lambda each: writer.escaped(str(key.dump(each)))

    def dump_items(self, values: Any) -> dict[str, Any]:
        return {self.key.dump(key): self.item.dump(value) for key, value in values.items()}

    def write_items(self, values: Any) -> str:
        spell, write = self.spell, self.item.write
        return writer.struct([writer.spelled(spell(key), write(each)) for key, each in values.items()])


class OrFalse(Codec):
    """A result of some type, or false where there is none."""

    def __init__(self, item: Codec) -> None:
        super().__init__(item.name, item.load, self.dump_item, write=self.write_item)
        self.item = item
        self.names = [*item.names, BOOLEAN.name]

    def dump_item(self, value: Any) -> Any:
        return value if value is False else self.item.dump(value)

    def write_item(self, value: Any) -> str:
        return BOOLEAN.write(False) if value is False else self.item.write(value)


class Nullable(Codec):
    """A result of some type, or JSON's null where there is none."""

    def __init__(self, item: Codec) -> None:
        schema = {"anyOf": [item.schema, {"type": "null"}]}
        super().__init__(item.name, item.load, self.dump_item, schema)
        self.item = item

    def dump_item(self, value: Any) -> Any:
        return None if value is None else self.item.dump(value)


class Paged(Codec):
    """Some of a list, with the number of all that there are."""

    def __init__(self, item: Codec) -> None:
        self.items = Array(item)
        super().__init__("array", lambda value: value, self.dump_page, self.items.schema)

    def dump_page(self, page: "Page[Any]") -> "Page[Any]":
        return page._replace(items=self.items.dump(page.items))


class Looked(Codec):
    """What is named on the wire by a value of *codec*, and found by it within the call's transaction."""

    def __init__(self, codec: Codec, find: Callable[[Any], Any]) -> None:
        super().__init__(codec.name, codec.load)
        self.find = find


Text = Annotated[str, BASE64]
Id = Annotated[int, ID]
Ids = Annotated[list[int], IDS]
Names = Annotated[list[str], Array(BASE64, lone=True)]
Natural = Annotated[int, NATURAL]
Moment = Annotated[datetime.datetime, MOMENT]
Epoch = Annotated[datetime.datetime, EPOCH]
Iso = Annotated[datetime.datetime, ISO]
Seconds = Annotated[datetime.datetime, SECONDS]
Key = Annotated[int, KEY]

FILE = Codec("file", load_file)
PLAIN = {type(None): NOTHING, Any: ANYTHING, str: STRING, int: INT, bool: BOOLEAN, File: FILE}


def codec_for(hint: Any) -> Codec:
    """The codec that a type annotation stands for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return typing.cast(Codec, arguments[1])
    if origin is typing.Literal:
        return Choice(arguments)
    if origin is typing.NotRequired:
        return codec_for(arguments[0])
    if origin is list:
        return Array(codec_for(arguments[0]))
    if origin is dict:
        return Keyed(codec_for(arguments[0]), codec_for(arguments[1]))
    if origin in (types.UnionType, typing.Union):
        [hint] = [each for each in arguments if each not in (type(None), typing.Literal[False])]
        return OrFalse(codec_for(hint)) if typing.Literal[False] in arguments else codec_for(hint)
    if origin is Page:
        return Paged(codec_for(arguments[0]))
    if typing.is_typeddict(hint):
        return Struct(hint)
    return PLAIN[hint]
