"""What each wire type accepts and how it is written."""

import datetime
from collections.abc import Callable
from typing import Any, Literal, NotRequired, TypedDict

import pytest

from server.errors import BadParams
from server.wire.types import (
    KEY,
    Epoch,
    Id,
    Ids,
    Key,
    Looked,
    Moment,
    Names,
    Natural,
    Seconds,
    Text,
    codec_for,
)
from server.wire.writer import write

LARGEST_KEY = 2**63 - 1
NOON = datetime.datetime(2024, 6, 10, 12, tzinfo=datetime.UTC)


class Sample(TypedDict):
    first: Id
    second: Text
    third: NotRequired[int]


class Loose(TypedDict, total=False):
    inner: Sample
    flag: bool


@pytest.mark.parametrize(
    ("hint", "sent", "meaning"),
    [
        (Text, "é".encode(), "é"),
        (Text, "plain", "plain"),
        (Text, b"without \0 NUL", "without \ufffd NUL"),
        (str, "the \0same", "the \ufffdsame"),
        (str, b"bytes", "bytes"),
        (int, "12", 12),
        (int, -3, -3),
        (Natural, "0", 0),
        (Id, "5001", 5001),
        (Id, 5001, 5001),
        (Ids, "5001,4870", [5001, 4870]),
        (Ids, " 1 , 2 ,", [1, 2]),
        (Ids, 7, [7]),
        (Ids, ["1", 2], [1, 2]),
        (bool, True, True),
        (bool, 0, False),
        (bool, "1", True),
        (bool, "False", False),
        (Names, [b"ann", "bob"], ["ann", "bob"]),
        (Names, b"ann", ["ann"]),
        (list[Id], ["1"], [1]),
        (int | None, 1, 1),
        (Key, 7, 7),
        (Key, " 7 ", 7),
        (Key, 0, 0),
        (Key, -1, -1),
        (Key, LARGEST_KEY, LARGEST_KEY),
        (Key, -LARGEST_KEY, -LARGEST_KEY),
        (Key, str(LARGEST_KEY), LARGEST_KEY),
        (Key | None, 7, 7),
        (str, 5550101, "5550101"),
        (str, 5550101555, "5550101555"),
        (str | Literal[False], "text", "text"),
        (Sample, {"second": b"b", "first": "1"}, {"first": 1, "second": "b"}),
        (Sample, {"first": 1, "second": "b", "third": "3"}, {"first": 1, "second": "b", "third": 3}),
        (Sample, {"first": 1, "second": "b", "third": None}, {"first": 1, "second": "b"}),
        (Sample, {"first": 1, "second": "b", "fourth": None}, {"first": 1, "second": "b"}),
        (Loose, {}, {}),
        (Loose, {"inner": {"first": 1, "second": "b"}}, {"inner": {"first": 1, "second": "b"}}),
        (list[Loose], [{"flag": 1}, {}], [{"flag": True}, {}]),
    ],
)
def test_accepted(hint: Any, sent: Any, meaning: Any) -> None:
    """A value is accepted in every form that clients send it in."""
    loaded = codec_for(hint).load(sent)
    assert (loaded, type(loaded)) == (meaning, type(meaning))


@pytest.mark.parametrize(
    ("hint", "sent"),
    [
        (Text, 5),
        (Text, b"\xff"),
        (Text, [b"a"]),
        (str, True),
        (int, True),
        (int, "1.5"),
        (int, "٣"),
        (int, b"1"),
        (int, 1.0),
        (Natural, -1),
        (Natural, "-1"),
        (Natural, 2**31),
        (Id, "abc"),
        (Id, ""),
        (Id, -1),
        (Id, 2**63),
        (Id, True),
        (Id, {}),
        (Ids, "1,x"),
        (Ids, [[1]]),
        (bool, 2),
        (bool, "yes"),
        (bool, b"1"),
        (bool, None),
        (Names, [[b"ann"]]),
        (Names, {"0": b"ann"}),
        (list[Id], "1"),
        (Key, LARGEST_KEY + 1),
        (Key, -LARGEST_KEY - 1),
        (Key, str(LARGEST_KEY + 1)),
        (Key, ""),
        (Key, "7a"),
        (Key, True),
        (Key, 7.0),
        (Key, None),
        (Sample, []),
        (Sample, "first"),
        (Sample, None),
        (list[Loose], {"flag": 1}),
    ],
)
def test_refused(hint: Any, sent: Any) -> None:
    """A value of another type, or one that is none of its type, is refused."""
    with pytest.raises(BadParams):
        codec_for(hint).load(sent)


WRITTEN: list[tuple[Any, Any, Any]] = [
    (Text, "é", "é".encode()),
    (Id, 12, "12"),
    (Epoch, NOON, "1718020800"),
    (Moment, NOON, NOON),
    (Seconds, NOON, 1718020800),
    (Seconds, NOON.replace(microsecond=999999), 1718020800),
    (Key, 12, 12),
    (str | Literal[False], "", ""),
    (int | Literal[False], 0, 0),
    (Id | Literal[False], 12, "12"),
    (Sample | Literal[False], {"first": 1, "second": "b"}, {"first": "1", "second": b"b"}),
    (list[Id], [1, 2], ["1", "2"]),
    (dict[Id, bool], {3: True}, {"3": True}),
    (dict[str, Id], {"<&": 3}, {"<&": "3"}),
    (list[Loose], [{"flag": True}, {}], [{"flag": True}, {}]),
    (Sample, {"first": 1, "second": "b", "third": 3}, {"first": "1", "second": b"b", "third": 3}),
    (Sample, {"second": "b", "first": 1}, {"first": "1", "second": b"b"}),
]


@pytest.mark.parametrize(("hint", "meaning", "sent"), WRITTEN)
def test_written(hint: Any, meaning: Any, sent: Any) -> None:
    """A value is written in the one form of its type."""
    written = codec_for(hint).dump(meaning)
    assert (written, type(written)) == (sent, type(sent))


@pytest.mark.parametrize(("hint", "meaning"), [(hint, meaning) for hint, meaning, _ in WRITTEN])
def test_xml_says_the_same(hint: Any, meaning: Any) -> None:
    """As XML a value is what its built-in form is as XML."""
    codec = codec_for(hint)
    assert codec.write(meaning) == write(codec.dump(meaning))


def test_members_are_written_as_declared() -> None:
    """A struct's members stand in the order of their declaration, whatever the order they were given in."""
    written = codec_for(Sample).dump({"third": 3, "second": "b", "first": 1})
    assert list(written) == ["first", "second", "third"]


@pytest.mark.parametrize(
    "members",
    [
        {"first": 1},
        {"first": 1, "third": 3},
        {"first": 1, "fourth": 4},
        {"first": 1, "second": "b", "fourth": 4},
    ],
)
def test_a_struct_has_what_it_declares(members: Any) -> None:
    """A member that is missing, or that nobody declared, is a mistake of ours and is not sent."""
    with pytest.raises(AssertionError):
        codec_for(Sample).dump(members)
    with pytest.raises((AssertionError, KeyError)):
        codec_for(Sample).write(members)


@pytest.mark.parametrize(
    ("hint", "number"),
    [
        (int, 2**31),
        (int, -(2**31) - 1),
        (Key, 2**31),
        (int | Literal[False], 2**31),
        (Seconds, datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)),
    ],
)
def test_an_int_fits_the_wire(hint: Any, number: Any) -> None:
    """A number beyond 32 bits is found out while the call can still be undone."""
    for convert in (codec_for(hint).dump, codec_for(hint).write):
        with pytest.raises(OverflowError):
            convert(number)


@pytest.mark.parametrize(
    ("hint", "sent", "words"),
    [
        (Sample, {"third": 1}, "first: missing"),
        (Sample, {"first": 1}, "second: missing"),
        (Sample, {"first": None, "second": "b"}, "first: missing"),
        (Sample, {"first": 1, "second": "b", "fourth": 4}, "fourth: no such member"),
        (Sample, {"first": 1, "second": "b", "x" * 90: 4}, f"{'x' * 50}: no such member"),
        (Sample, {"first": "x", "second": "b"}, "first: is no id"),
        (Sample, {"first": 1, "second": "b", "third": {}}, "third: expected int, got struct"),
        (Loose, {"inner": {"first": 1}}, "inner: second: missing"),
        (Loose, {"inner": 1}, "inner: expected struct, got int"),
        (Loose, 1, "expected struct, got int"),
    ],
)
def test_a_wrong_struct_is_refused_by_its_member(hint: Any, sent: Any, words: str) -> None:
    """A struct that does not fit is refused by the name of the member that does not."""
    with pytest.raises(BadParams) as caught:
        codec_for(hint).load(sent)
    assert str(caught.value) == words


@pytest.mark.parametrize("hint", [str, int, bool, Id, Text, list[int], Sample])
def test_no_result_is_false(hint: Any) -> None:
    """What has a result or none is written as false where it has none."""
    assert codec_for(hint | Literal[False]).dump(False) is False


@pytest.mark.parametrize(
    ("hint", "names"),
    [
        (int, ["int"]),
        (int | None, ["int"]),
        (int | Literal[False], ["int", "boolean"]),
        (Id | Literal[False], ["string", "boolean"]),
        (list[int] | Literal[False], ["array", "boolean"]),
        (Sample | Literal[False], ["struct", "boolean"]),
        (Seconds, ["int"]),
        (Key, ["int"]),
    ],
)
def test_a_result_has_its_types(hint: Any, names: list[str]) -> None:
    """A type knows every name under which its values travel, the usual one first."""
    codec = codec_for(hint)
    assert (codec.names, codec.name) == (names, names[0])


def test_what_is_looked_up_travels_as_what_names_it() -> None:
    """A thing that is named by a value loads as that value, and is not looked for before its time."""
    sought: list[int] = []
    find: Callable[[int], None] = sought.append
    looked = Looked(KEY, find)
    assert (looked.name, looked.load("7"), sought) == ("int", 7, [])
    with pytest.raises(BadParams):
        looked.load("x")
