"""How help and lists look: all commands by what they are for, examples below each, heads above columns."""

import sys

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
