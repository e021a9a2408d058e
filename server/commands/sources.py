"""What a file and the environment say of settings, and what is wrong with it."""

import dataclasses
import math
import re
import tomllib
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import click

from models.engines import engine_at

from ..addresses import networks_of, words_of
from ..config import PREFIX, Settings, variable
from ..errors import BadInput, Refusal

FILE_ENDING = "_FILE"


class WholeNumber(click.IntRange):
    name = "whole number"


class Number(click.FloatRange):
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a valid {self.name}.", param, ctx)
        return number


class Proven(click.types.StringParamType):
    """Text that a *check* lets pass, or nothing at all."""

    def __init__(self, check: Callable[[str], object]) -> None:
        self.check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = super().convert(value, param, ctx)
        try:
            if text:
                self.check(text)
        except (Refusal, RuntimeError, ValueError) as error:
            self.fail(f"{str(error).removesuffix('.')}.", param, ctx)
        return text


def store_address(text: str) -> None:
    engine_at(text, "full")


def web_address(text: str) -> None:
    if not re.fullmatch(r"https?://\S+", text) or not urllib.parse.urlsplit(text).hostname:
        raise BadInput(f"{text!r} is no address such as https://talk.example.org.")


def origins(text: str) -> None:
    for word in words_of(text):
        if not re.fullmatch(r"\*|[a-z][a-z0-9+.-]*://[^\s/]+", word):
            raise BadInput(f"{word!r} is no origin such as https://forum.example.org.")


CHECKS: dict[str, Callable[[str], object]] = {
    "database": store_address,
    "url": web_address,
    "proxies": networks_of,
    "cors": origins,
}


def type_of(field: dataclasses.Field[Any]) -> Any:
    """What a setting accepts: one of its choices, a number in its range, or text."""
    if field.metadata["choices"]:
        return click.Choice(field.metadata["choices"])
    kinds: dict[type, Any] = {int: WholeNumber, float: Number}
    kind = kinds.get(type(field.default))
    if kind:
        return kind(*field.metadata["range"])
    return Proven(CHECKS[field.name]) if field.name in CHECKS else click.STRING


FIELDS = dataclasses.fields(Settings)
TYPES = {field.name: type_of(field) for field in FIELDS}
# Options of commands that have a variable as well, and are no settings.
OPTIONS = {"config": click.STRING, "demo": click.BOOL}
VARIABLES = {variable(name): kind for name, kind in (TYPES | OPTIONS).items()}
SECRETS = {variable(field.name) + FILE_ENDING: field.name for field in FIELDS if field.metadata["is_secret"]}


class Given(NamedTuple):
    """The value of a setting, and who gives it."""

    value: Any
    giver: str


class Sources:
    """What a *file* and then an *environment* give; each fault of theirs is a sentence."""

    def __init__(self, environment: Mapping[str, str], file: Path | None) -> None:
        self.given: dict[str, Given] = {}
        self.faults: list[str] = []
        if file is not None:
            self.read_file(file)
        self.read_environment(environment)

    def read_file(self, file: Path) -> None:
        for key, value in self.table_in(file).items():
            place = f"{key} in {file}"
            if key not in TYPES:
                self.faults.append(unknown(place, key, TYPES))
            elif isinstance(value, bool) or not isinstance(value, str | int | float):
                self.faults.append(f"{place}: it has to be text in quotes, or a number.")
            else:
                self.take(key, str(value), place, f"file {file}")

    def table_in(self, file: Path) -> dict[str, Any]:
        text = self.text_in(file, str(file))
        try:
            return tomllib.loads(text or "")
        except tomllib.TOMLDecodeError as error:
            self.faults.append(f"{file} is not written in TOML: {error}.")
            return {}

    def text_in(self, file: Path, place: str) -> str | None:
        """What is in a *file*, without the mark that some editors put before it."""
        try:
            return file.read_text(encoding="utf-8-sig")
        except OSError as error:
            self.faults.append(f"{place} cannot be read: {error.strerror}.")
        except UnicodeDecodeError:
            self.faults.append(f"{place} is no text in UTF-8.")
        return None

    def read_environment(self, environment: Mapping[str, str]) -> None:
        # One that is empty counts as absent, as those who start containers write it.
        ours = {name: text for name, text in environment.items() if name.startswith(PREFIX) and text}
        for name, text in ours.items():
            if name in SECRETS:
                self.read_secret(name, ours)
            elif name in VARIABLES:
                self.take(name.removeprefix(PREFIX).lower(), text, name, f"environment {name}")
            else:
                self.faults.append(unknown(name, name, [*VARIABLES, *SECRETS]))

    def read_secret(self, name: str, ours: Mapping[str, str]) -> None:
        """A variable that names the file in which a secret stands."""
        plain = name.removesuffix(FILE_ENDING)
        if plain in ours:
            self.faults.append(f"{plain} and {name} are both set, and only one of them may be.")
            return
        file = Path(without_newline(ours[name]))
        place = f"{file} of {name}"
        text = self.text_in(file, place)
        if text is not None and not text.strip():
            self.faults.append(f"{place} is empty.")
        elif text is not None:
            self.take(SECRETS[name], text, place, f"environment {name}")

    def take(self, name: str, text: str, place: str, giver: str) -> None:
        """Take the value of a setting, unless it cannot have it."""
        try:
            value = VARIABLES[variable(name)].convert(without_newline(text), None, None)
        except click.BadParameter as error:
            self.faults.append(f"{place}: {error.message}")
        else:
            self.given[name] = Given(value, giver)


def without_newline(text: str) -> str:
    """Text without the end of the line, with which editors and `echo` end every file."""
    return text.rstrip("\r\n")


def unknown(place: str, word: str, known: Iterable[str]) -> str:
    """Say that a *word* names no setting, and which of the *known* is meant, if that can be told."""
    nearest = get_close_matches(word, known, n=1)
    return f"{place} is no setting; " + (
        f"did you mean {nearest[0]}?" if nearest else "see all there are: switchboard config table"
    )
