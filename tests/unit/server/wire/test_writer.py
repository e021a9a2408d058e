"""The narrow form in which answers are written."""

import datetime
from typing import Any

import pytest
from lxml import etree

from server.wire.writer import write_answer, write_fault


def value(written: bytes) -> str:
    """What stands in the answer's outermost value element."""
    text = written.decode()
    return text[text.index("<param><value>") + len("<param><value>") : text.rindex("</value></param>")]


@pytest.mark.parametrize(
    ("meaning", "written"),
    [
        ("", "<string></string>"),
        ("a<b>&\r\n", "<string>a&lt;b&gt;&amp;&#13;\n</string>"),
        ("\x00\ud800\uffff", "<string>\ufffd\ufffd\ufffd</string>"),
        (-7, "<int>-7</int>"),
        (True, "<boolean>1</boolean>"),
        (False, "<boolean>0</boolean>"),
        (b"", "<base64></base64>"),
        (b"x" * 100, "<base64>" + "eHh4" * 33 + "eA==</base64>"),
        (
            datetime.datetime(2024, 6, 10, 8, 13, 20, tzinfo=datetime.UTC),
            "<dateTime.iso8601>20240610T08:13:20</dateTime.iso8601>",
        ),
        ([], "<array><data></data></array>"),
        ([1, 2], "<array><data>\n<value><int>1</int></value>\n<value><int>2</int></value>\n</data></array>"),
        ({"a": "b"}, "<struct>\n<member><name>a</name><value><string>b</string></value></member>\n</struct>"),
    ],
)
def test_values(meaning: Any, written: str) -> None:
    """Every value has its type, stands on one line, and is never a self-closing tag."""
    assert value(write_answer(meaning)) == written


def test_a_date_is_written_in_utc() -> None:
    """A moment with another offset is written as the same moment in UTC, without an offset."""
    east = datetime.timezone(datetime.timedelta(hours=2))
    written = write_answer(datetime.datetime(2024, 6, 10, 10, 13, 20, tzinfo=east))
    assert "20240610T08:13:20<" in value(written)


@pytest.mark.parametrize("unwritable", [None, 1.5, {"a": None}, (1,)])
def test_what_the_clients_cannot_read_is_not_written(unwritable: Any) -> None:
    """Nil, doubles and whatever else the narrow form has not are a mistake of ours."""
    with pytest.raises(KeyError):
        write_answer(unwritable)


def test_a_fault_is_well_formed() -> None:
    """A fault carries its number and its text."""
    root = etree.fromstring(write_fault(-32601, "no <method>"))
    assert root.findtext("fault/value/struct/member[1]/value/int") == "-32601"
    assert root.findtext("fault/value/struct/member[2]/value/string") == "no <method>"
