"""The command line: `switchboard` and `python -m server` are the same program."""

import dataclasses
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from peewee import PeeweeException

from models import (
    AccessToken,
    ServerKey,
    StoreError,
    User,
    address_shown,
    check,
    close_store,
    copy_store,
    is_empty,
    migrate,
    open_store,
    pending_migrations,
    store_path,
    transact,
    trouble,
)

from . import __version__, backups, demo
from .actions import accounts
from .config import Settings, variable
from .errors import Refusal
from .files import Files
from .passwords import Passwords
from .proxies import Proxies

OWN_ERRORS = (Refusal, StoreError, backups.BadBackup)


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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="switchboard")
def main() -> None:
    """One self-hosted inbox for a gaming community: the forum app, the phone in the game, the website."""
    # What is written here is what people say to each other in private.
    os.umask(0o077)


@main.command()
@settings_options()
@click.option(
    "--demo",
    "with_demo",
    is_flag=True,
    envvar=variable("demo"),
    show_envvar=True,
    help="Fill an empty store with a small cast to try.",
)
def serve(with_demo: bool, **values: Any) -> None:
    """Answer calls until stopped by SIGTERM or SIGINT, which finishes the calls in flight."""
    from . import serve as serving

    settings = Settings(**values)
    with reported():
        Proxies(settings.proxies)
        host, port = serving.free_address(settings.host, settings.port)
    settings = dataclasses.replace(settings, host=host, port=port)
    with reported(), backups.shared_use(place_of(settings)):
        with opened(settings, creates=True) as files:
            cast = demo.fill(settings, files) if with_demo else None
        click.echo(serving.greeting(settings, cast))
        serving.serve(settings, click.echo)


@main.command(name="migrate")
@store_options
def migrate_command(**values: Any) -> None:
    """Bring the store up to date with this program; serve does it by itself on an embedded store."""
    with reported():
        steps = prepare(Settings(**values), migrating=True)
    click.echo("\n".join(f"done: {step}" for step in steps) or "The store is up to date.")


@main.command(name="check")
@store_options
def check_command(**values: Any) -> None:
    """Verify every invariant of the store, changing nothing; each fault is told by id."""
    settings = Settings(**values)
    with reported():
        must_exist(settings)
        open_store(settings.database)
        if steps := pending_migrations():
            raise StoreError(f"The store lacks the step {steps[0]}. Please run: switchboard migrate")
        files = Files(settings.files_folder)
        faults = [*check.faults(), *backups.missing_files(files)]
    for fault in faults:
        click.echo(fault)
    if faults:
        raise click.ClickException(f"{len(faults)} faults found.")
    click.echo("No faults found.")


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@store_options
def backup(file: Path, **values: Any) -> None:
    """Write the store and its files into FILE, while the server runs, and verify what was written."""
    settings = Settings(**values)
    with opened(settings) as files:
        backups.write(files, file)
    click.echo(f"Written and verified: {file}")


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace a store that is there already.")
@store_options
def restore(file: Path, force: bool, **values: Any) -> None:
    """Make the store anew from a backup FILE; the server must not be running."""
    settings = Settings(**values)
    path = store_path(settings.database)
    with reported():
        if path is not None:
            backups.restore(file, path, settings.files_folder, force)
    if path is None:
        with opened(settings):
            backups.refill(file, settings.files_folder, force)
    click.echo(f"Restored and verified: {address_shown(str(path or settings.database))}")


@main.command(name="reference")
@store_options
def reference_command(**values: Any) -> None:
    """Write the method reference, as Markdown."""
    from .app import sections
    from .wire import reference

    click.echo(reference.markdown(sections()))


@main.group()
def user() -> None:
    """Add people, list them, and change what they may do."""


def user_options(command: Any) -> Any:
    for option in reversed(
        [
            click.option("--display-name", help="The name that is shown beside the user name."),
            click.option("--number", help="The phone number; an empty one takes it away."),
            click.option("--identifier", help="What the game calls this player."),
            click.option("--email", help="The e-mail address."),
            click.option(
                "--avatar", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A picture."
            ),
        ]
    ):
        command = option(command)
    return command


@user.command(name="add")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@user_options
@store_options
def user_add(
    name: str,
    password_stdin: bool,
    display_name: str | None,
    number: str | None,
    identifier: str | None,
    email: str | None,
    avatar: Path | None,
    **values: Any,
) -> None:
    """Make a user; without a password given or typed, a random one is made and printed."""
    password, is_made = new_password(password_stdin)

    def add(files: Files) -> User:
        made = accounts.add_user(
            Passwords(1), name, password, display_name or "", number, identifier, email or ""
        )
        give_avatar(files, made, avatar)
        return made

    with opened(Settings(**values), creates=True) as files:
        made = transact(lambda: add(files), writes=True)
    click.echo(f"Added {made.username} with id {made.id}.", err=True)
    if is_made:
        click.echo(password)


def new_password(from_stdin: bool) -> tuple[str, bool]:
    """A password from standard input, from the terminal, or made here; whether it was made."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password or not password.isprintable():
            raise click.ClickException("There is no readable password on standard input.")
        return password, False
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True), False
    return secrets.token_urlsafe(12), True


def give_avatar(files: Files, user: User, avatar: Path | None) -> None:
    if avatar is not None:
        accounts.set_avatar(files, user, avatar.read_bytes())


@user.command(name="list")
@store_options
def user_list(**values: Any) -> None:
    """List everyone: id, name, number, identifier, and whether disabled or an administrator."""
    with opened(Settings(**values)):
        for each in User.select().order_by(User.id):
            notes = [word for word, on in (("disabled", each.disabled_at), ("admin", each.is_admin)) if on]
            fields = (
                each.id,
                each.username,
                each.number or "-",
                each.identifier or "-",
                ",".join(notes) or "-",
            )
            click.echo("\t".join(map(str, fields)))


@user.command(name="password")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@store_options
def user_password(name: str, password_stdin: bool, **values: Any) -> None:
    """Change a password, which ends the user's sessions."""
    password, is_made = new_password(password_stdin)
    with opened(Settings(**values)):
        transact(lambda: accounts.set_password(Passwords(1), accounts.named(name), password), writes=True)
    if is_made:
        click.echo(password)


@user.command(name="disable")
@click.argument("name")
@store_options
def user_disable(name: str, **values: Any) -> None:
    """From now on nothing of the user's opens anything: sessions, tokens, password."""
    with opened(Settings(**values)):
        transact(lambda: accounts.disable(accounts.named(name)), writes=True)


@user.command(name="enable")
@click.argument("name")
@store_options
def user_enable(name: str, **values: Any) -> None:
    """Let a disabled user in again."""
    with opened(Settings(**values)):
        transact(lambda: accounts.enable(accounts.named(name)), writes=True)


@user.command(name="edit")
@click.argument("name")
@user_options
@click.option("--messages", type=click.Choice(["everyone", "nobody"]), help="Who may begin a conversation.")
@click.option("--admin", type=click.Choice(["yes", "no"]), help="Whether the user is an administrator.")
@store_options
def user_edit(
    name: str,
    display_name: str | None,
    number: str | None,
    identifier: str | None,
    email: str | None,
    avatar: Path | None,
    messages: str | None,
    admin: str | None,
    **values: Any,
) -> None:
    """Change what is known of a user; what is not given stays as it is."""

    def edit(files: Files) -> None:
        edited = accounts.named(name)
        accounts.edit_user(
            edited,
            display_name=display_name,
            number=number,
            identifier=identifier,
            email=email,
            takes_messages=None if messages is None else messages == "everyone",
            is_admin=None if admin is None else admin == "yes",
        )
        give_avatar(files, edited, avatar)

    with opened(Settings(**values)) as files:
        transact(lambda: edit(files), writes=True)


@main.group()
def token() -> None:
    """Access tokens: a user's credential for programs."""


@token.command(name="add")
@click.argument("name")
@click.option("--label", default="", help="What the token is for.")
@store_options
def token_add(name: str, label: str, **values: Any) -> None:
    """Make an access token of a user and print it, alone and for the only time."""
    with opened(Settings(**values)):
        secret = transact(lambda: accounts.add_token(accounts.named(name), label), writes=True)
    click.echo(secret)


@token.command(name="list")
@click.argument("name")
@store_options
def token_list(name: str, **values: Any) -> None:
    """List a user's access tokens: id, label, when made."""
    with opened(Settings(**values)):
        for each in accounts.named(name).tokens.order_by(AccessToken.id):
            click.echo(f"{each.id}\t{each.label or '-'}\t{each.created_at:%Y-%m-%d %H:%M}")


@token.command(name="revoke")
@click.argument("token_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
@store_options
def token_revoke(token_id: int, **values: Any) -> None:
    """Make an access token worthless."""
    with opened(Settings(**values)):
        accounts.revoke_token(token_id)


@main.group()
def key() -> None:
    """Server keys: what a game server's scripts use at the phone door."""


@key.command(name="add")
@click.argument("label")
@store_options
def key_add(label: str, **values: Any) -> None:
    """Make a server key and print it, alone and for the only time."""
    with opened(Settings(**values), creates=True):
        secret = transact(lambda: accounts.add_key(label), writes=True)
    click.echo(secret)


@key.command(name="list")
@store_options
def key_list(**values: Any) -> None:
    """List the server keys: id, label, when made."""
    with opened(Settings(**values)):
        for each in ServerKey.select().order_by(ServerKey.id):
            click.echo(f"{each.id}\t{each.label}\t{each.created_at:%Y-%m-%d %H:%M}")


@key.command(name="revoke")
@click.argument("key_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
@store_options
def key_revoke(key_id: int, **values: Any) -> None:
    """Make a server key worthless."""
    with opened(Settings(**values)):
        accounts.revoke_key(key_id)


if __name__ == "__main__":
    main(prog_name="switchboard")
