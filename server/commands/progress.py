"""What is shown of long work, on standard error: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import click

from models import work

# Of what ends sooner nothing is shown; after that the bar is drawn this often, or a line is written.
QUIET, MOVES, LINES = 2.0, 0.2, 3.0


@dataclass
class Part:
    """A part of the work, and how much of it is done."""

    name: str
    steps: int
    done: int = 0
    begun: float = field(default_factory=time.monotonic)

    def advance(self, number: int) -> None:
        self.done += number

    def seconds(self) -> str:
        return f"{time.monotonic() - self.begun:.0f} s"

    def line(self) -> str:
        share = f"{100 * self.done // self.steps} %, " if self.steps else ""
        return f"{self.name}: {share}{self.seconds()}"


class Watch:
    """Looks at the work from a thread of its own, so that it is shown also while nothing moves."""

    def __init__(self) -> None:
        self.part = Part("Opening the store", 0)
        self.has_ended = Event()

    def begin(self, part: str, steps: int) -> work.Advance:
        self.part = Part(part, steps)
        return self.part.advance

    def show(self) -> None:
        is_terminal = sys.stderr.isatty()
        is_over = self.has_ended.wait(QUIET)
        while not is_over:
            is_over = self.show_bar(self.part) if is_terminal else self.show_line(self.part)

    def show_line(self, part: Part) -> bool:
        click.echo(part.line(), err=True)
        return self.has_ended.wait(LINES)

    def show_bar(self, part: Part) -> bool:
        """Show a part until it ends; whether all of the work has."""
        with click.progressbar(
            range(part.steps),
            label=part.name,
            file=sys.stderr,
            show_eta=False,
            item_show_func=lambda _: part.seconds(),
        ) as bar:
            is_over = False
            while part is self.part and not is_over:
                is_over = self.has_ended.wait(MOVES)
                bar.update(part.done - bar.pos)
                bar.render_progress()
        return is_over


@contextmanager
def shown() -> Iterator[work.Begin]:
    """Show the work that is done meanwhile, where it takes long; it is to tell of its parts."""
    watch = Watch()
    thread = Thread(target=watch.show, daemon=True)
    thread.start()
    try:
        yield watch.begin
    finally:
        watch.has_ended.set()
        thread.join()
