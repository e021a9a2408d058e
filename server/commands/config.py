"""Commands about settings."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import click
from click.core import ParameterSource

from models import address_shown

from .opening import config_option, flag, settings_options, sources
from .sources import FIELDS


@click.group()
def config() -> None:
    """Show the settings, check them, and list what there is to set."""


@config.command()
@settings_options()
@click.pass_context
def show(ctx: click.Context, /, **values: Any) -> None:
    """Show each setting, its value, and who gives it: a flag, a variable, the file or nobody."""
    rows = [(field.name, shown(field, values[field.name]), giver(ctx, field.name)) for field in FIELDS]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        click.echo(f"{name:{widths[0]}}  {value:{widths[1]}}  {source}")


def shown(field: dataclasses.Field[Any], value: Any) -> str:
    """A value as it may be shown: a secret is one for the password in it."""
    text = str(value)
    return (address_shown(text) if field.metadata["is_secret"] else text) or "-"


def giver(ctx: click.Context, name: str) -> str:
    if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        return f"flag {flag(name)}"
    given = ctx.obj.given.get(name)
    return given.giver if given else "default"


@config.command()
@config_option()
def check(config: str | None) -> None:
    """Tell what is wrong with the file and the environment, a line each."""
    faults = sources(config).faults
    for fault in faults:
        click.echo(fault)
    if faults:
        raise click.ClickException(f"Faults found: {len(faults)}.")
    click.echo("All settings are well.")


@config.command()
def table() -> None:
    """Write the table of all settings, as Markdown."""
    click.echo("\n".join(table_lines()))


def table_lines() -> Iterator[str]:
    yield "| setting | default | what it is |"
    yield "| --- | --- | --- |"
    for field in FIELDS:
        default = f"`{field.default}`" if field.default != "" else ""
        yield f"| `{field.name}` | {default} | {field.metadata['meaning']}{allowed(field)} |"


def allowed(field: dataclasses.Field[Any]) -> str:
    """What a setting may be, where that is not plain."""
    least, most = field.metadata["range"]
    if field.metadata["choices"]:
        return f" ({', '.join(field.metadata['choices'])})"
    if most is not None:
        return f" ({least} to {most})"
    if least:
        return f" (at least {least})"
    return " (secret)" if field.metadata["is_secret"] else ""
