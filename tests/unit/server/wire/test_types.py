"""What each wire type accepts and how it is written."""

import datetime
from typing import Any, NotRequired, TypedDict

import pytest

from server.errors import BadParams
from server.wire.types import Epoch, Id, Ids, Moment, Names, Natural, Text, codec_for


@pytest.mark.parametrize(
    ("hint", "sent", "meaning"),
    [
        (Text, "é".encode(), "é"),
        (Text, "plain", "plain"),
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
        (Names, {}),
        (list[Id], "1"),
    ],
)
def test_refused(hint: Any, sent: Any) -> None:
    """A value of another type, or one that is none of its type, is refused."""
    with pytest.raises(BadParams):
        codec_for(hint).load(sent)


NOON = datetime.datetime(2024, 6, 10, 12, tzinfo=datetime.UTC)


class Sample(TypedDict):
    first: Id
    second: Text
    third: NotRequired[int]


@pytest.mark.parametrize(
    ("hint", "meaning", "sent"),
    [
        (Text, "é", "é".encode()),
        (Id, 12, "12"),
        (Epoch, NOON, "1718020800"),
        (Moment, NOON, NOON),
        (list[Id], [1, 2], ["1", "2"]),
        (dict[Id, bool], {3: True}, {"3": True}),
        (Sample, {"second": "b", "first": 1}, {"first": "1", "second": b"b"}),
    ],
)
def test_written(hint: Any, meaning: Any, sent: Any) -> None:
    """A value is written in the one form of its type."""
    assert codec_for(hint).dump(meaning) == sent


def test_members_are_written_as_declared() -> None:
    """A struct's members stand in the order of their declaration, whatever the order they were given in."""
    written = codec_for(Sample).dump({"third": 3, "second": "b", "first": 1})
    assert list(written) == ["first", "second", "third"]


@pytest.mark.parametrize("members", [{"first": 1}, {"first": 1, "second": "b", "fourth": 4}])
def test_a_struct_has_what_it_declares(members: Any) -> None:
    """A member that is missing, or that nobody declared, is a mistake of ours and is not sent."""
    with pytest.raises(AssertionError):
        codec_for(Sample).dump(members)


def test_an_int_fits_the_wire() -> None:
    """A number beyond 32 bits is found out while the call can still be undone."""
    with pytest.raises(OverflowError):
        codec_for(int).dump(2**31)
