"""The reference of all doors, without a server."""

from typing import Any

import click

from ..faces.published import sections
from ..wire.reference import markdown
from .opening import store_options


@click.command()
@store_options
def reference(**values: Any) -> None:
    """Write the method reference, as Markdown."""
    click.echo(markdown(sections()))
