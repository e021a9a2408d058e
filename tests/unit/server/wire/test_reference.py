"""The reference, as it is read off the declarations."""

from typing import TypedDict

import pytest
from lxml import html

from server.wire.declare import Method
from server.wire.reference import markdown, page, shape
from server.wire.types import Id, Text, codec_for


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


@pytest.fixture
def method() -> Method:
    return Method(sample, "sample", "none", str)


def test_a_type_is_told_to_its_last_member() -> None:
    """Structs and arrays are told with what they are made of."""
    inner = "struct (name base64)"
    outer = f"struct (result boolean, list array of {inner}, people struct of {inner} by string)"
    assert shape(codec_for(Outer)) == outer


def test_markdown(method: Method) -> None:
    """Each method has its call, its words, its parameters and its answer."""
    assert markdown({"Door": [method]}).splitlines() == [
        "## Door",
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
    ]


def test_the_page_is_escaped(method: Method) -> None:
    """What a docstring says is text on the page, and each method can be linked to."""
    read = html.document_fromstring(page("Title", "One.\n\nTwo.", {"Door": [method]}))
    assert read.get_element_by_id("sample").text_content() == "sample(first[, second])"
    assert "Do <something>." in read.text_content()
    assert read.xpath("//something") == []
