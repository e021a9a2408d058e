"""Whatever bytes come in, well-formed XML-RPC goes out."""

from typing import Any
from urllib.request import Request, urlopen
from xmlrpc.client import dumps

import pytest
from conftest import Live
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from server.wire.parser import NotACall, read_any, read_call, read_plain
from server.wire.writer import write_answer

TAGS = [
    "methodCall",
    "methodName",
    "params",
    "param",
    "value",
    "array",
    "data",
    "struct",
    "member",
    "name",
    "string",
    "int",
    "boolean",
    "base64",
    "dateTime.iso8601",
    "nil",
]
PIECES = (
    [f"<{tag}>" for tag in TAGS]
    + [f"</{tag}>" for tag in TAGS]
    + ["1", "a", "&amp;", "&x;", "<!--", "-->", "]]>"]
)
soup = st.lists(st.sampled_from(PIECES)).map("".join).map(str.encode)
mutated = st.builds(
    lambda place, junk: VALID[:place] + junk + VALID[place + len(junk) :],
    st.integers(0, 250),
    st.binary(max_size=6),
)
scalars = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")),
    st.integers(-(2**31), 2**31 - 1),
    st.booleans(),
    st.binary(),
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc<&"), inner))
VALID = dumps(([b"ann"], "a", 1, True), "get_conversation").encode()


@given(st.one_of(st.binary(), soup, mutated))
def test_any_bytes_are_a_call_or_not_one(body: bytes) -> None:
    """The parser either gives a name and parameters, or says that it is no call, and does nothing else."""
    try:
        name, params = read_call(body)
    except NotACall:
        return
    assert name
    assert isinstance(params, list)


PLAIN = dumps(("24", 0, 19, True, b"At noon?"), "get_conversation").encode()
CUT = st.integers(0, len(PLAIN))


@given(CUT, st.integers(0, 3), st.one_of(st.binary(max_size=3), st.sampled_from(PIECES).map(str.encode)))
def test_a_plain_call_is_read_as_any_other(place: int, gone: int, junk: bytes) -> None:
    """What is read at a glance says the same when it is read in full."""
    body = PLAIN[:place] + junk + PLAIN[place + gone :]
    try:
        plain = read_plain(body)
    except NotACall:
        with pytest.raises(NotACall):
            read_any(body)
    else:
        assert plain is None or plain == read_any(body)


@given(
    st.lists(st.integers(-(2**31), 2**31 - 1) | st.booleans() | st.binary() | st.text("ab 1\t"), max_size=4)
)
def test_a_call_of_scalars_is_plain(params: list[Any]) -> None:
    """A call as the standard library writes it is read at a glance, and as meant."""
    assert read_plain(dumps(tuple(params), "method").encode()) == ("method", params)


@given(st.lists(values, max_size=4))
def test_what_another_library_writes_is_read_as_meant(params: list[Any]) -> None:
    """A call that the standard library writes has the same values when it is read here."""
    assert read_call(dumps(tuple(params), "method").encode()) == ("method", params)


@given(values)
def test_what_is_written_is_read_as_meant(value: Any) -> None:
    """An answer has the same value when it is read again, and is well-formed."""
    written = write_answer(value)
    assert etree.fromstring(written).tag == "methodResponse"
    start, end = written.index(b"<value>"), written.rindex(b"</value>") + len(b"</value>")
    call = b"<methodCall><methodName>m</methodName><params><param>%s</param></params></methodCall>"
    assert read_call(call % written[start:end]) == ("m", [value])


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=st.one_of(st.binary(), soup, mutated))
def test_any_bytes_get_an_answer(live: Live, body: bytes) -> None:
    """The server answers any body with HTTP 200 and a response that is well-formed."""
    with urlopen(Request(f"{live.address}/RPC2", body, {"Content-Type": "text/xml"})) as answer:
        assert etree.fromstring(answer.read()).tag == "methodResponse"
