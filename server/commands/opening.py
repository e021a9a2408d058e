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
    work,
)

from .. import backups, exports
from ..config import Settings, variable
from ..errors import Refusal
from ..files import Files
from ..stores import shared_use
from .sources import FIELDS, TYPES, Sources, without_newline

OWN_ERRORS = (Refusal, StoreError, backups.BadBackup, exports.BadExport)


class SettingOption(click.Option):
    """An option of a setting, whose variable is read together with the file and all other variables."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        return None

    def get_error_hint(self, ctx: click.Context | None) -> str:
        return self.opts[0]


def setting_option(field: dataclasses.Field[Any]) -> Any:
    """The command-line option of a declared setting."""
    return click.option(
        flag(field.name),
        cls=SettingOption,
        type=TYPES[field.name],
        default=field.default,
        show_default=field.default != "",
        envvar=variable(field.name),
        show_envvar=True,
        help=field.metadata["meaning"],
    )


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def config_option(heeded: Callable[..., Any] | None = None) -> Callable[[Any], Any]:
    """The option that names the file of settings."""
    return click.option(
        "--config",
        metavar="FILE",
        envvar=variable("config"),
        show_envvar=True,
        help="a file of settings, in TOML",
        # Before all others: what it says is what they are where they are not given.
        is_eager=True,
        expose_value=heeded is None,
        callback=heeded,
    )


def sources(config: str | None) -> Sources:
    return Sources(os.environ, Path(without_newline(config)) if config else None)


def heed(ctx: click.Context, option: click.Parameter, config: str | None) -> None:
    """Let the file and the environment give what flags do not, also where a command has no such flag."""
    if ctx.resilient_parsing:
        return
    found = sources(config)
    if found.faults:
        raise click.ClickException(found.faults[0])
    values = {name: given.value for name, given in found.given.items()}
    ctx.default_map = values
    flags = {each.name for each in ctx.command.params}
    ctx.params |= {
        field.name: values.get(field.name, field.default) for field in FIELDS if field.name not in flags
    }
    ctx.obj = found


def settings_options(*names: str) -> Callable[[Any], Any]:
    """Flags for the settings with these names, or for all; the command is given the values of all."""

    def decorate(command: Any) -> Any:
        for field in reversed(FIELDS):
            if not names or field.name in names:
                command = setting_option(field)(command)
        return config_option(heed)(command)

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
        raise StoreError(
            f"The folder {path.parent.absolute()} of the store does not exist; please make it, or name"
            " another store with --database."
        )
    return path


def must_exist(settings: Settings) -> None:
    path = store_path(settings.database)
    if path is not None and not path.exists():
        raise StoreError(f"There is no store at {path}; serve makes one, and --database names another.")


def must_be_writable(settings: Settings) -> None:
    path = place_of(settings)
    if path is not None:
        refuse_unwritable("folder", path.parent, "--database")
        if path.exists():
            refuse_unwritable("store", path, "--database")


def must_keep_files(settings: Settings) -> None:
    """Refuse to begin where no attachment could be kept."""
    folder = settings.files_folder.absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir():
        raise StoreError(f"{there} is no folder; please name one for attachments with --files.")
    refuse_unwritable("folder", there, "--files")


def must_have_folder(file: Path) -> None:
    """Refuse to begin a file where no folder is, or one that takes none."""
    folder = file.absolute().parent
    if not folder.is_dir():
        raise click.ClickException(
            f"The folder {folder} does not exist; please make it, or name another file."
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise click.ClickException(
            f"The folder {folder} cannot be written; please give it to the user who runs this, or name"
            " another file."
        )


def refuse_unwritable(what: str, path: Path, option: str) -> None:
    if not os.access(path, os.W_OK):
        raise StoreError(
            f"The {what} {path.absolute()} cannot be written; please give it to the user who runs this, or"
            f" name another with {option}."
        )


@contextmanager
def reported() -> Iterator[None]:
    """What goes wrong, in one sentence and with a non-zero exit."""
    try:
        yield
    except OWN_ERRORS as error:
        raise click.ClickException(str(error)) from error
    except PeeweeException as error:
        raise click.ClickException(f"{trouble(error)} ({error})") from error
    except PermissionError as error:
        raise click.ClickException(
            f"{error.filename or 'The disk'}: {error.strerror}; please run this as the user whose it is, or"
            " name another place."
        ) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'The disk'}: {error.strerror}.") from error


def prepare(settings: Settings, migrating: bool = False, begin: work.Begin = work.untold) -> list[str]:
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
        begin("Copying the store", 0)
        keep_copy(path.with_name(f"{path.name}.before-{steps[0]}"))
    return migrate(begin) if steps else []


def keep_copy(target: Path) -> None:
    """A copy of the store from before a step; the first that was made is the one to keep."""
    if not target.exists():
        copy_store(target)
