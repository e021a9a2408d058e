"""Commands about people, and about the credentials of people and scripts."""

import secrets
import sys
from pathlib import Path
from typing import Any

import click

from models import AccessToken, ServerKey, User, transact

from ..actions import accounts
from ..config import Settings
from ..files import Files
from ..passwords import Passwords
from .opening import opened, store_options


@click.group()
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
    """Change a password, which ends the user's sessions and access tokens."""
    password, is_made = new_password(password_stdin)
    stored = Passwords(1).hash(password)
    with opened(Settings(**values)):
        transact(lambda: accounts.set_password(accounts.named(name), stored), writes=True)
    if is_made:
        click.echo(password)


@user.command(name="disable")
@click.argument("name")
@store_options
def user_disable(name: str, **values: Any) -> None:
    """From now on nothing of the user's opens anything; sessions and access tokens end for good."""
    with opened(Settings(**values)):
        transact(lambda: accounts.disable(accounts.named(name)), writes=True)


@user.command(name="enable")
@click.argument("name")
@store_options
def user_enable(name: str, **values: Any) -> None:
    """Let a disabled user in again, with the password alone."""
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


@click.group()
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
        transact(lambda: accounts.revoke_token(token_id), writes=True)


@click.group()
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
