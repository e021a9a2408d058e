"""Commands about people, and about the credentials of people and scripts."""

import sys
from pathlib import Path
from typing import Any

import click

from models import AccessToken, ServerKey, User, transact

from ..actions import accounts
from ..config import Settings
from ..files import Files
from ..passwords import Passwords
from ..visits import SERVER_NAME
from .grouped import examples, heads
from .opening import opened, store_options

NO_BASIC = "this user cannot use HTTP Basic with the password."


@click.group()
def user() -> None:
    """Add people, list them, change what is known of them and what they may do."""


def user_options(command: Any) -> Any:
    for option in reversed(
        [
            click.option("--display-name", help="The name that is shown for the user."),
            click.option("--number", help="The phone number in the game; an empty one takes it away."),
            click.option("--identifier", help="What the game calls this player; an empty one takes it away."),
            click.option("--email", help="The e-mail address, by which a member can be found."),
            click.option(
                "--avatar",
                type=click.Path(exists=True, dir_okay=False, path_type=Path),
                help="A file with a picture of the user.",
            ),
        ]
    ):
        command = option(command)
    return command


@user.command(
    name="add",
    epilog=examples(
        "switchboard user add ann",
        "switchboard user add eve --number 555-0107 --identifier license:5f3a",
        "pass show switchboard/bob | switchboard user add bob --password-stdin",
    ),
)
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
    """Make a user called NAME, who can log in at once.

    The password is asked for on a terminal. Elsewhere, without --password-stdin, a random one is made and
    printed, alone on standard output.
    """
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
    if made.username == SERVER_NAME:
        click.echo(f"As {SERVER_NAME} stands for server keys, {NO_BASIC}", err=True)
    elif ":" in made.username:
        click.echo(f"As a colon ends the name in HTTP Basic, {NO_BASIC}", err=True)
    if is_made:
        tell_password(password)


def new_password(from_stdin: bool) -> tuple[str, bool]:
    """A password from standard input, from the terminal, or made here; whether it was made."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password or not password.isprintable():
            raise click.ClickException("There is no readable password on standard input.")
        return password, False
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True), False
    return accounts.new_password(), True


def tell_password(password: str) -> None:
    """Show a password that was made here, alone on standard output."""
    click.echo("The password, which is shown this once:", err=True)
    click.echo(password)


def give_avatar(files: Files, user: User, avatar: Path | None) -> None:
    if avatar is not None:
        accounts.set_avatar(files, user, avatar.read_bytes())


@user.command(name="list", epilog=examples("switchboard user list | cut -f 2"))
@store_options
def user_list(**values: Any) -> None:
    """List everyone, with what is known of each.

    A line a user, with tabs between id, name, number, identifier, and "disabled" or "admin" for who is; a -
    stands for what is not there. On a terminal a line above says what is what.
    """
    with opened(Settings(**values)):
        heads("id", "name", "number", "identifier", "notes")
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


@user.command(name="password", epilog=examples("switchboard user password ann"))
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@store_options
def user_password(name: str, password_stdin: bool, **values: Any) -> None:
    """Change the password of the user called NAME.

    It is asked for as by "user add". The user's sessions and access tokens end with the old one.
    """
    password, is_made = new_password(password_stdin)
    stored = Passwords(1).hash(password)
    with opened(Settings(**values)):
        transact(lambda: accounts.set_password(accounts.named(name), stored), writes=True)
    if is_made:
        tell_password(password)


@user.command(name="disable", epilog=examples("switchboard user disable eve"))
@click.argument("name")
@store_options
def user_disable(name: str, **values: Any) -> None:
    """Shut out the user called NAME.

    From now on nothing of his opens anything; sessions and access tokens end for good, and a call of his is
    over. What he has said stays.
    """
    with opened(Settings(**values)):
        transact(lambda: accounts.disable(accounts.named(name)), writes=True)


@user.command(name="enable", epilog=examples("switchboard user enable eve"))
@click.argument("name")
@store_options
def user_enable(name: str, **values: Any) -> None:
    """Let the disabled user called NAME in again, with his password."""
    with opened(Settings(**values)):
        transact(lambda: accounts.enable(accounts.named(name)), writes=True)


@user.command(
    name="edit",
    epilog=examples(
        "switchboard user edit ann --identifier license:5f3a", "switchboard user edit bob --admin yes"
    ),
)
@click.argument("name")
@user_options
@click.option(
    "--messages",
    type=click.Choice(["everyone", "nobody"]),
    help="Who may begin a conversation with the user.",
)
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
    """Change what is known of the user called NAME; what is not given stays as it is."""

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
    """Access tokens, with which a user's programs call in his name."""


@token.command(name="add", epilog=examples('switchboard token add ann --label "my bot"'))
@click.argument("name")
@click.option("--label", default="", help="What the token is for.")
@store_options
def token_add(name: str, label: str, **values: Any) -> None:
    """Make an access token of the user called NAME and print it.

    It is shown this once, alone on standard output; the store keeps only its digest.
    """
    with opened(Settings(**values)):
        secret = transact(lambda: accounts.add_token(accounts.named(name), label), writes=True)
    click.echo(secret)


@token.command(name="list", epilog=examples("switchboard token list ann"))
@click.argument("name")
@store_options
def token_list(name: str, **values: Any) -> None:
    """List the access tokens of the user called NAME: id, label, when made."""
    with opened(Settings(**values)):
        heads("id", "label", "made")
        for each in accounts.named(name).tokens.order_by(AccessToken.id):
            click.echo(f"{each.id}\t{each.label or '-'}\t{each.created_at:%Y-%m-%d %H:%M}")


@token.command(name="revoke", epilog=examples("switchboard token revoke 3"))
@click.argument("token_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
@store_options
def token_revoke(token_id: int, **values: Any) -> None:
    """Make the access token with this ID worthless."""
    with opened(Settings(**values)):
        transact(lambda: accounts.revoke_token(token_id), writes=True)


@click.group()
def key() -> None:
    """Server keys, with which a game server's scripts call at the phone door."""


@key.command(name="add", epilog=examples('switchboard key add "my game server"'))
@click.argument("label")
@store_options
def key_add(label: str, **values: Any) -> None:
    """Make a server key, called LABEL, and print it.

    It is shown this once, alone on standard output; the store keeps only its digest.
    """
    with opened(Settings(**values), creates=True):
        secret = transact(lambda: accounts.add_key(label), writes=True)
    click.echo(secret)


@key.command(name="list", epilog=examples("switchboard key list"))
@store_options
def key_list(**values: Any) -> None:
    """List the server keys: id, label, when made."""
    with opened(Settings(**values)):
        heads("id", "label", "made")
        for each in ServerKey.select().order_by(ServerKey.id):
            click.echo(f"{each.id}\t{each.label}\t{each.created_at:%Y-%m-%d %H:%M}")


@key.command(name="revoke", epilog=examples("switchboard key revoke 2"))
@click.argument("key_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
@store_options
def key_revoke(key_id: int, **values: Any) -> None:
    """Make the server key with this ID worthless."""
    with opened(Settings(**values)):
        accounts.revoke_key(key_id)
