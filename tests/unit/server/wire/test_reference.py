"""The reference, as it is read off the declarations."""

from typing import Any, Literal, NotRequired, TypedDict

import pytest

from server.errors import Refusal
from server.wire.declare import Method, camel
from server.wire.reference import Examples, Section, blocks, markdown, shape
from server.wire.types import Codec, Id, Seconds, Text, codec_for


class Inner(TypedDict):
    name: Text


class Outer(TypedDict):
    result: bool
    list: list[Inner]
    people: dict[Id, Inner]


def sample(first: Id, second: Text = "") -> Outer:
    """Do <something>.

    :param first: the one
    :param second: the other
    """
    return {"result": True, "list": [], "people": {}}


class Call(TypedDict):
    callTime: Seconds
    state: NotRequired[str]


def start(from_: str, is_video: bool = False) -> Call | Literal[False]:
    """Start it.

    :param from_: who
    :param is_video: how
    """
    return False


def refuse(returns: Codec, error: Refusal) -> Any:
    return str(error)


@pytest.fixture
def method() -> Method:
    return Method(sample, "sample", "none", refuse)


def test_a_type_is_told_to_its_last_member() -> None:
    """Structs and arrays are told with what they are made of."""
    inner = "struct (name base64)"
    outer = f"struct (result boolean, list array of {inner}, people struct of {inner} by string)"
    assert shape(codec_for(Outer)) == outer


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        (int | Literal[False], "int, or false"),
        (Call | Literal[False], "struct (callTime int, state string), or false"),
        (list[Call], "array of struct (callTime int, state string)"),
    ],
)
def test_a_result_that_may_be_false_says_so(hint: Any, told: str) -> None:
    """A result of some type or false is told with both, and moments as what they travel as."""
    assert shape(codec_for(hint)) == told


def test_the_wire_s_spelling_is_told() -> None:
    """The reference has the names that clients use, and an optional parameter in brackets."""
    lines = markdown(
        [Section("Door", "About.", [Method(start, "Start", "none", refuse, spell=camel)])]
    ).splitlines()
    assert "### Start(from[, isVideo])" in lines
    assert "| `from` | string | yes | who |" in lines
    assert "| `isVideo` | boolean | no | how |" in lines
    assert lines[-3] == "Answer: struct (callTime int, state string), or false."


def test_markdown(method: Method) -> None:
    """Each method has its call, its words, its parameters and its answer."""
    assert markdown([Section("Door", "About.", [method])]).splitlines() == [
        "## Door",
        "",
        "About.",
        "",
        "### sample(first[, second])",
        "",
        "Do <something>.",
        "",
        "| parameter | type | required | meaning |",
        "| --- | --- | --- | --- |",
        "| `first` | string | yes | the one |",
        "| `second` | base64 | no | the other |",
        "",
        f"Answer: {shape(codec_for(Outer))}.",
        "",
        '    server.sample("first")',
    ]


def test_examples_have_the_values_that_are_declared(method: Method) -> None:
    """What is required stands in an example, by the method's own word for it before that of all."""
    values = {"first": "1", "sample.first": 'say "2"', "second": "left out"}
    assert Examples("ann", values).line(method) == 'ann.sample("say \\"2\\"")'


def test_code_is_told_apart() -> None:
    """Of a text each paragraph is known, and code, which is indented by four, without its indentation."""
    assert blocks("One.\nMore.\n\n    two()\n      three") == [
        ("One.\nMore.", False),
        ("two()\n  three", True),
    ]
    assert blocks("") == []
