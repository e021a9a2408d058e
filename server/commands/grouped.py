"""How help and lists look: all commands by what they are for, examples below each, heads above columns."""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module

import click

SECTIONS = {
    "Serving": ("serve", "reference"),
    "People and credentials": ("user", "token", "key"),
    "The store": ("migrate", "check", "backup", "restore", "move", "export", "import"),
}
OTHERS = "Running it"
# So much of a command's help is looked at for its first sentence.
WHOLE = 1000


def examples(*lines: str) -> str:
    """What stands below a command's help: lines that can be copied."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def heads(*names: str) -> None:
    """Say above a list what stands in its columns, where a person reads it and no script."""
    if sys.stdout.isatty():
        click.echo(click.style("\t".join(names), bold=True))


class Commands(Mapping[str, click.Command]):
    """Commands by name, each loaded when it is wanted: none needs what all others do."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self.places = places

    def __getitem__(self, name: str) -> click.Command:
        module, _, attribute = self.places[name].partition(":")
        found: click.Command = getattr(import_module(f".{module}", __package__), attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


class Grouped(click.Group):
    """Commands that are listed under headings."""

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        placed = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in self.list_commands(context) if name not in placed)
        width = max(map(len, self.commands))
        for heading, names in {**SECTIONS, OTHERS: others}.items():
            # The columns of all sections begin at the same place.
            rows = [(f"{name:{width}}", self.commands[name].get_short_help_str(WHOLE)) for name in names]
            with formatter.section(heading):
                formatter.write_dl(rows)
