"""Which bodies are calls, and what they say."""

import datetime
import encodings
from typing import Any

import pytest

from server.wire.parser import MOST_LEVELS, MOST_VALUES, NotACall, read_call


def call(*values: str, name: str = "method") -> bytes:
    params = "".join(f"<param>{value}</param>" for value in values)
    return f"<methodCall><methodName>{name}</methodName><params>{params}</params></methodCall>".encode()


def typed(kind: str, text: str) -> str:
    return f"<value><{kind}>{text}</{kind}></value>"


def read(value: str) -> Any:
    """The one value of a call that carries *value*."""
    return read_call(call(value))[1][0]


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("<value>bare</value>", "bare"),
        ("<value/>", ""),
        ("<value><string/></value>", ""),
        ("<value> <int> 7 </int> </value>", 7),
        (typed("i4", "-3"), -3),
        (typed("i8", str(2**40)), 2**40),
        (typed("ex:i8", "5"), 5),
        (typed("boolean", "1"), True),
        (typed("boolean", "0"), False),
        (typed("boolean", "TRUE"), True),
        (typed("boolean", "false"), False),
        (typed("double", "1.5"), 1.5),
        (typed("base64", "w6k="), "é".encode()),
        (typed("base64", "SGVs\nbG8=\n"), b"Hello"),
        (typed("base64", ""), b""),
        ("<value><nil/></value>", None),
        ("<value><ex:nil/></value>", None),
        (typed("string", "a<!-- no -->b<?no ?>c"), "abc"),
        (typed("string", "<![CDATA[<b>&amp;]]>&lt;"), "<b>&amp;<"),
        (typed("string", "  blank  "), "  blank  "),
        ("<value><array><data/></array></value>", []),
        ("<value><array><data><value>a</value><value><int>1</int></value></data></array></value>", ["a", 1]),
        ("<value><struct/></value>", {}),
        (
            "<value><struct><member><name>a</name><value>b</value></member></struct></value>",
            {"a": "b"},
        ),
    ],
)
def test_values(value: str, meaning: Any) -> None:
    """Every type is read in each of the forms that clients write."""
    found = read(value)
    assert (found, type(found)) == (meaning, type(meaning))


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("20240610T08:13:20", 8),
        ("2024-06-10T08:13:20Z", 8),
        ("20240610T08:13:20+02:00", 6),
        ("20240610T08:13:20-0100", 9),
        ("2024-06-10 08:13:20.123", 8),
    ],
)
def test_dates(text: str, hour: int) -> None:
    """A date is a moment in UTC, with or without an offset, hyphens and fractions."""
    assert read(typed("dateTime.iso8601", text)) == datetime.datetime(
        2024, 6, 10, hour, 13, 20, tzinfo=datetime.UTC
    )


@pytest.mark.parametrize(
    "body",
    [
        b"<methodCall><methodName>m</methodName></methodCall>",
        b"<?xml version='1.0' ?><methodCall><methodName> m </methodName><params/></methodCall>",
        b"\r\n  <?xml version='1.0'?><methodCall><methodName>m</methodName></methodCall>\n",
        '\ufeff<?xml version="1.0"?><methodCall><methodName>m</methodName></methodCall>'.encode(),
        '<?xml version="1.0" encoding="utf-16"?><methodCall><methodName>m</methodName></methodCall>'.encode(
            "utf-16"
        ),
    ],
)
def test_calls_without_parameters(body: bytes) -> None:
    """Params may be left out, and blanks or a byte order mark may stand ahead."""
    assert read_call(body) == ("m", [])


def test_other_encodings_are_read_as_they_say() -> None:
    """A body that declares its encoding is read by it."""
    body = b'<?xml version="1.0" encoding="ISO-8859-1"?>' + call(typed("string", "é")).replace(
        "é".encode(), b"\xe9"
    )
    assert read_call(body)[1] == ["é"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<methodCall>",
        b"<methodResponse/>",
        b"<methodCall></methodCall>",
        b"<methodCall><methodName/></methodCall>",
        b"<methodCall><methodName>a</methodName><methodName>b</methodName></methodCall>",
        b"<!DOCTYPE methodCall><methodCall><methodName>m</methodName></methodCall>",
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE m []><m/>'.encode("utf-16"),
        b"<methodCall>text<methodName>m</methodName></methodCall>",
        b"<methodCall><methodName>m</methodName><params><value/></params></methodCall>",
        b"<a:methodCall xmlns:a='x'><methodName>m</methodName></a:methodCall>",
        call(""),
        call("<value>a</value><value>b</value>"),
        call("<value><int></int></value>"),
        call(typed("int", "1.5")),
        call(typed("int", "9" * 30)),
        call(typed("int", str(2**63))),
        call(typed("boolean", "2")),
        call(typed("boolean", "yes")),
        call(typed("double", "x")),
        call(typed("base64", "a")),
        call(typed("base64", "???")),
        call(typed("base64", "SGVs!bG8=")),
        call(typed("base64", "é")),
        call(typed("dateTime.iso8601", "20241310T08:13:20")),
        call(typed("dateTime.iso8601", "yesterday")),
        call("<value><nil>x</nil></value>"),
        call("<value>text<int>1</int></value>"),
        call("<value><int>1</int>text</value>"),
        call("<value><int>1</int><int>2</int></value>"),
        call("<value><struct><member><value>a</value></member></struct></value>"),
        call("<value><struct><value>a</value></struct></value>"),
        call(typed("string", "&undefined;")),
        call(typed("string", "\x01")),
        call(typed("string", "x")).replace(b"x", b"\xff"),
        b"<methodCall><methodName>\x00</methodName></methodCall>",
    ],
)
def test_what_is_not_a_call(body: bytes) -> None:
    """What is not well-formed, not XML-RPC, or has a value that is none, is refused."""
    with pytest.raises(NotACall):
        read_call(body)


def nested(levels: int) -> str:
    inner = levels - 1
    return "<value><array><data>" * inner + "<value>x</value>" + "</data></array></value>" * inner


def test_depth_is_limited() -> None:
    """Values may be nested 32 levels deep and no deeper."""
    read_call(call(nested(MOST_LEVELS)))
    with pytest.raises(NotACall, match="32 levels"):
        read_call(call(nested(MOST_LEVELS + 1)))


def test_number_of_values_is_limited() -> None:
    """A call may hold 10,000 values and no more."""
    read_call(call(*["<value/>"] * MOST_VALUES))
    with pytest.raises(NotACall, match="values"):
        read_call(call(*["<value/>"] * (MOST_VALUES + 1)))


def test_entity_bombs_do_not_grow() -> None:
    """A bomb of entities is refused at its first declaration."""
    bomb = b"""<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]>""" + call("<value>&b;</value>")
    with pytest.raises(NotACall, match="document type"):
        read_call(bomb)


def test_encodings_that_there_are_not_are_not_looked_for() -> None:
    """A body in an encoding of no name that Python knows is refused, and nothing is kept of the name."""
    kept = len(encodings._cache)
    for number in range(100):
        with pytest.raises(NotACall, match="encoding"):
            read_call(f'<?xml version="1.0" encoding="made-up-{number}"?>'.encode() + call())
    assert len(encodings._cache) == kept


@pytest.mark.parametrize(
    "name",
    ["ISO-8859-1", "windows-1252", "US-ASCII", "koi8-r", "koi8-u", "cp874", "Latin-1", "cp850", "UTF-8"],
)
def test_encodings_that_there_are_are_read(name: str) -> None:
    """A body may be in any encoding of one byte a character, by any of its names."""
    assert read_call(f'<?xml version="1.0" encoding="{name}"?>'.encode() + call()) == ("method", [])
