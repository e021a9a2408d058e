"""What settings such as the number of workers do to throughput, with one connection and with several."""

import itertools
import shlex
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import calls
import click
import driver
import load
import served
from driver import Make
from kept import SIZES, Bench
from stores import Filled

KINDS: dict[str, Callable[[Filled], list[Make]]] = {
    "reads": calls.readers,
    "writes": calls.writers,
    "mix": calls.mixed,
}
HEAD = (
    f"{'what':8} {'conns':>5}  {'setting':24} {'calls/s':>8} {'of first':>8} {'p50 ms':>8} {'p99 ms':>8}"
    f" {'CPU ms':>8} {'driver':>7}"
)


@dataclass(frozen=True)
class Side:
    """A server under one of the settings."""

    name: str
    served: served.Served


@click.command()
@click.pass_obj
@click.option(
    "--setting",
    "settings",
    multiple=True,
    default=["--workers 1", "--workers 2", "--workers 4"],
    show_default=True,
    help="Options of serve; once for each server.",
)
@click.option(
    "--checkout",
    "checkouts",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    default=[served.CHECKOUT],
    help="Whose servers, with each of the settings; this one's, if none is named.",
)
@click.option("--connections", default="1,4,16", show_default=True, help="Numbers, with commas between.")
@click.option("--size", type=click.Choice(list(SIZES)), default="10k", show_default=True)
@click.option("--seconds", default=1.0, show_default=True, help="How long a round is.")
@click.option("--rounds", default=3, show_default=True)
def workers(
    bench: Bench,
    settings: tuple[str, ...],
    checkouts: tuple[Path, ...],
    connections: str,
    size: str,
    seconds: float,
    rounds: int,
) -> None:
    """Throughput and slowest answers of reads, writes and a mix under several settings, in turns.

    Connections are spread over the workers evenly; each is driven by a process of its own, and the part of a
    core that these take is told.
    """
    numbers = [int(number) for number in connections.split(",")]
    for kind in bench.engines:
        click.echo(f"\n{kind}, {size} messages, {load.cores()}")
        with bench.store(kind, size) as (address, filled), ExitStack() as stack:
            sides = []
            for checkout, setting in itertools.product(checkouts, settings):
                server = served.serving(address, *shlex.split(setting), checkout=checkout)
                name = f"{checkout.resolve().name} {setting}" if len(checkouts) > 1 else setting
                sides.append(Side(name, stack.enter_context(server)))
            for side in sides:
                memory, idle = side.served.memory().whole, side.served.idle()
                click.echo(f"{side.name}: {memory:.0f} MB, {idle:.4f} of a core when idle")
            click.echo(HEAD)
            for (name, makes), number in itertools.product(KINDS.items(), numbers):
                some = list(itertools.islice(itertools.cycle(makes(filled)), number))
                compare(f"{name:8} {number:5}", sides, some, seconds, rounds)


def compare(what: str, sides: list[Side], makes: list[Make], seconds: float, rounds: int) -> None:
    """A B C A B C …"""
    with ExitStack() as stack:
        lines = [stack.enter_context(load.opened(side.served, makes)) for side in sides]
        pairs = list(zip(sides, lines, strict=True))
        found = [
            [load.drive(side.served, own, seconds=seconds) for side, own in pairs] for _ in range(rounds)
        ]
    for place, side in enumerate(sides):
        own = [each[place] for each in found]
        shown = driver.all_of(each.round for each in own)
        rates = [(each[place].round.figures.rate, each[0].round.figures.rate) for each in found]
        ratio = statistics.median(one / first for one, first in rates)
        used = statistics.median(each.driver for each in own)
        errors = [error for each in own for error in each.errors]
        click.echo(
            f"{what}  {side.name:24} {shown.rate:8.0f} {ratio:8.2f} {shown.p50:8.2f} {shown.p99:8.2f}"
            f" {shown.cpu:8.3f} {used:7.2f}{f'  {len(errors)} errors: {errors[0]}' if errors else ''}"
        )
