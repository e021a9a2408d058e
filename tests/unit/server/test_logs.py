"""What a line of the log looks like, whatever stands in it."""

import json
import logging

import pytest

from server.logs import JsonLines, Line, StatementsAlone, TextLines

HOSTILE = "first\nsecond\r\x1b[31mred\x7f\x85\u2028last"


def record(message: object, *, failed: bool = False) -> logging.LogRecord:
    """A record of the standard library's, perhaps of what has just gone wrong."""
    info = None
    if failed:
        try:
            raise ValueError(HOSTILE)
        except ValueError as error:
            info = (ValueError, error, error.__traceback__)
    return logging.LogRecord("server.some", logging.ERROR, __file__, 1, message, None, info)


@pytest.mark.parametrize("failed", [False, True])
def test_an_object_is_one_line(failed: bool) -> None:
    """As JSON a message, with a traceback or without, is one line that does nothing to a terminal."""
    line = JsonLines().format(record(HOSTILE, failed=failed))
    assert line.isprintable()
    assert line.isascii()
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == ("error", "server.some", HOSTILE)
    assert ("traceback" in told) is failed
    assert not failed or told["traceback"].startswith("Traceback (most recent call last):\n")


@pytest.mark.parametrize("failed", [False, True])
def test_what_follows_a_line_of_text_is_no_line(failed: bool) -> None:
    """As text, all that a message or a traceback adds stands to the right, so that it looks like no line."""
    first, *others = TextLines().format(record(HOSTILE, failed=failed)).split("\n")
    assert first.endswith(" ERROR first")
    assert len(others) >= 3
    assert all(each.startswith("    ") and each.isprintable() for each in others)


def test_a_request_is_cut_to_what_can_be_read() -> None:
    """Of each part of a request's line so much stands there, and in JSON as in text."""
    line = Line("1a", "ann", "POST", "x" * 5000, "fault -32601", 1.26)
    told = json.loads(JsonLines().format(record(line)))
    assert told["message"] == str(line) == f"1a ann POST {'x' * 100} fault -32601 1.3 ms"
    assert (told["method"], told["milliseconds"]) == ("x" * 100, 1.3)


def test_a_verb_stands_once() -> None:
    """What is called by a name that begins with its verb stands there with one verb."""
    assert " GET /docs 200 " in str(Line("1a", "ann", "GET", "GET /docs", "200", 1.0))
    assert " GET /docs 200 " in str(Line("1a", "ann", "GET", "/docs", "200", 1.0))


def test_of_a_statement_no_value_is_told() -> None:
    """What peewee tells of a statement and its values keeps the statement alone."""
    told = record(("SELECT ?", ["secret"]))
    assert StatementsAlone().filter(told)
    assert told.getMessage() == "SELECT ?"
