"""What commands have in common: options for settings, an opened store, and what is told when it fails."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from peewee import PeeweeException

from models import (
    StoreError,
    close_store,
    copy_store,
    is_empty,
    migrate,
    open_store,
    pending_migrations,
    refuse_damaged,
    store_path,
    trouble,
)

from .. import backups, exports
from ..config import Settings, variable
from ..errors import Refusal
from ..files import Files
from ..stores import shared_use

OWN_ERRORS = (Refusal, StoreError, backups.BadBackup, exports.BadExport)


def setting_option(field: dataclasses.Field[Any]) -> Any:
    """The command-line option of a declared setting."""
    return click.option(
        f"--{field.name.replace('_', '-')}",
        type=option_type(field),
        default=field.default,
        show_default=True,
        envvar=variable(field.name),
        show_envvar=True,
        help=field.metadata["meaning"],
    )


def option_type(field: dataclasses.Field[Any]) -> Any:
    """What a setting accepts: one of its choices, or a number in its range, or text."""
    if field.metadata["choices"]:
        return click.Choice(field.metadata["choices"])
    kinds = {int: click.IntRange, float: click.FloatRange}
    kind = kinds.get(type(field.default))
    return kind(*field.metadata["range"]) if kind else str


def settings_options(*names: str) -> Callable[[Any], Any]:
    """Options for the settings with these names, or for all."""

    def decorate(command: Any) -> Any:
        for field in reversed(dataclasses.fields(Settings)):
            if not names or field.name in names:
                command = setting_option(field)(command)
        return command

    return decorate


store_options = settings_options("database", "files")


@contextmanager
def opened(settings: Settings, creates: bool = False) -> Iterator[Files]:
    """The store, brought up to date where it is embedded, and its files; a new one only if it *creates*."""
    with reported():
        if not creates:
            must_exist(settings)
        else:
            must_be_writable(settings)
        with shared_use(place_of(settings)):
            try:
                prepare(settings)
                yield Files(settings.files_folder)
            finally:
                close_store()


def place_of(settings: Settings) -> Path | None:
    """Where an embedded store is or can be made."""
    path = store_path(settings.database)
    if path is not None and not path.parent.is_dir():
        raise StoreError(f"The folder {path.parent} of the store does not exist.")
    return path


def must_exist(settings: Settings) -> None:
    path = store_path(settings.database)
    if path is not None and not path.exists():
        raise StoreError(f"There is no store at {path}.")


def must_be_writable(settings: Settings) -> None:
    path = store_path(settings.database)
    if path is not None and path.exists() and not os.access(path, os.W_OK):
        raise StoreError(f"The store {path} cannot be written.")


@contextmanager
def reported() -> Iterator[None]:
    """What goes wrong, in one sentence and with a non-zero exit."""
    try:
        yield
    except OWN_ERRORS as error:
        raise click.ClickException(str(error)) from error
    except PeeweeException as error:
        raise click.ClickException(f"{trouble(error)} ({error})") from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'The disk'}: {error.strerror}.") from error


def prepare(settings: Settings, migrating: bool = False) -> list[str]:
    """Open the store and bring it up to date; the names of the steps that were taken.

    An embedded store does so by itself, after a copy of what it holds; a database server only when asked to.
    """
    path = place_of(settings)
    open_store(settings.database, settings.durability)
    refuse_damaged()
    steps = pending_migrations()
    if steps and path is None and not migrating:
        raise StoreError(f"The store lacks the step {steps[0]}. Please run: switchboard migrate")
    if steps and path is not None and not is_empty():
        keep_copy(path.with_name(f"{path.name}.before-{steps[0]}"))
    return migrate() if steps else []


def keep_copy(target: Path) -> None:
    """A copy of the store from before a step; the first that was made is the one to keep."""
    if not target.exists():
        copy_store(target)
