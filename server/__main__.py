"""The command line: `switchboard` and `python -m server` are the same program."""

import dataclasses
import os
from typing import Any

import click

from . import __version__, demo
from .commands import deploy, people, stores
from .commands.grouped import Grouped
from .commands.opening import opened, place_of, reported, settings_options, store_options
from .config import Settings, variable
from .proxies import Proxies
from .stores import shared_use


@click.group(cls=Grouped, context_settings={"help_option_names": ["-h", "--help"]})
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
    with reported(), shared_use(place_of(settings)):
        with opened(settings, creates=True) as files:
            cast = demo.fill(settings, files) if with_demo else None
        click.echo(serving.greeting(settings, cast))
        serving.serve(settings, click.echo)


for command in (*stores.COMMANDS, people.user, people.token, people.key, *deploy.COMMANDS):
    main.add_command(command)


@main.command(name="reference")
@store_options
def reference_command(**values: Any) -> None:
    """Write the method reference, as Markdown."""
    from .app import sections
    from .wire import reference

    click.echo(reference.markdown(sections()))


if __name__ == "__main__":
    main(prog_name="switchboard")
