"""What a line of the log is and where it goes: text for people, or JSON for programs."""

import json
import logging
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from .config import Settings

MOST_CHARACTERS = 100
INTERNAL_ERRORS = (500, -32603)
# What comes of a request.
OK, REFUSED, FAILED = "ok", "refused", "failed"
# What ends a line, or does something to a terminal.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(slots=True)
class Line:
    """What is told of one request; *milliseconds* is None where its body was not read."""

    request: str
    actor: str
    verb: str
    method: str
    outcome: str
    milliseconds: float | None

    def __str__(self) -> str:
        took = "unread" if self.milliseconds is None else f"{self.milliseconds:.1f} ms"
        # What is declared as a route has its verb in its name.
        called = self.method.removeprefix(f"{self.verb} ")
        parts = (self.request, self.actor, self.verb, called, self.outcome, took)
        return " ".join(part[:MOST_CHARACTERS].encode("unicode_escape").decode() for part in parts)

    def fields(self) -> dict[str, Any]:
        """The same for programs."""
        values = {name: cut(value) for name, value in asdict(self).items()}
        return {**values, "message": str(self)}


def number_in(outcome: str) -> int:
    """The number of the refusal or fault that an *outcome* tells of, 0 if of none."""
    word = outcome.rpartition(" ")[2]
    number = int(word) if word.lstrip("-").isdecimal() else 0
    return number if number < 0 or number >= 400 else 0


def result_of(number: int) -> str:
    if number in INTERNAL_ERRORS:
        return FAILED
    return REFUSED if number else OK


def cut(value: Any) -> Any:
    return value[:MOST_CHARACTERS] if isinstance(value, str) else value and round(value, 1)


class TextLines(logging.Formatter):
    """A line each; what belongs to it, such as a traceback, stands below and further to the right."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join(map(escaped, super().format(record).splitlines()))


class JsonLines(logging.Formatter):
    """One object a line, also where there is a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {"time": at, "level": record.levelname.lower()}
        if isinstance(record.msg, Line):
            told |= record.msg.fields()
        else:
            told |= {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told)


class StatementsAlone(logging.Filter):
    """Of what is sent to the store the statement, without the values in it: these are what people say."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, tuple):
            record.msg = record.msg[0]
        return True


FORMATS = {"text": TextLines, "json": JsonLines}


def configuration(settings: Settings) -> dict[str, Any]:
    """The logging of every process of the server, in the standard library's words."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": FORMATS[settings.log_format]}},
        "filters": {"statements": {"()": StatementsAlone}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        # Granian says by itself from which level on it is heard.
        "loggers": {"_granian": {}, "peewee": {"filters": ["statements"]}},
        "root": {"handlers": ["stderr"], "level": settings.log_level.upper()},
    }


def escaped(text: str) -> str:
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
