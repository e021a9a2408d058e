"""The command line: `switchboard` and `python -m server` are the same program."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from . import __version__
from .commands.grouped import Commands, Grouped

COMMANDS = {
    "serve": "serve:serve",
    "reference": "reference:reference",
    "user": "people:user",
    "token": "people:token",
    "key": "people:key",
    "migrate": "stores:migrate_command",
    "check": "stores:check_command",
    "backup": "stores:backup",
    "restore": "stores:restore",
    "move": "stores:move",
    "export": "stores:export",
    "import": "stores:import_command",
    "config": "config:config",
    "doctor": "doctor:doctor",
    "deploy": "deploy:deploy",
    "completion": "deploy:completion",
}


@contextmanager
def in_one_sentence() -> Iterator[None]:
    """What is said of wrong words: what is wrong, and what may be meant or where to look."""
    try:
        yield
    except NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        raise click.UsageError(sentence(error)) from error


def sentence(error: click.UsageError) -> str:
    nearest: list[str] | None = getattr(error, "possibilities", None)
    if nearest:
        return f"{error.message.rstrip('.')}; did you mean {nearest[0]}?"
    if error.ctx is None or (isinstance(error, click.BadParameter) and error.message):
        return error.format_message()
    return f"{error.format_message().rstrip('.')}; see {error.ctx.command_path} --help."


class Program(Grouped):
    """Says in one sentence what is wrong, as all commands do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with in_one_sentence():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with in_one_sentence():
            return super().invoke(ctx)


@click.group(
    cls=Program,
    commands=Commands(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="To try it: switchboard serve --demo",
)
@click.version_option(__version__, prog_name="switchboard")
def main() -> None:
    """One self-hosted inbox for a gaming community: the forum app, the phone in the game, the website."""
    # What is written here is what people say to each other in private.
    os.umask(0o077)


if __name__ == "__main__":
    main(prog_name="switchboard")
