"""What settings such as the number of workers do to throughput, with one connection and with several."""

import itertools
import shlex
import statistics
from collections.abc import Callable
from contextlib import ExitStack

import calls
import click
import driver
import load
import served
from driver import Make
from kept import Bench
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
@click.option("--connections", default="1,4,16", show_default=True, help="Numbers, with commas between.")
@click.option("--size", default="10k", show_default=True)
@click.option("--seconds", default=1.0, show_default=True, help="How long a round is.")
@click.option("--rounds", default=3, show_default=True)
def workers(
    bench: Bench, settings: tuple[str, ...], connections: str, size: str, seconds: float, rounds: int
) -> None:
    """Throughput and slowest answers of reads, writes and a mix under several settings, in turns.

    Connections are spread over the workers evenly; each is driven by a process of its own, and the part of a
    core that these take is told.
    """
    for kind in bench.engines:
        click.echo(f"\n{kind}, {size} messages, {load.cores()}")
        with bench.store(kind, size) as (address, filled), ExitStack() as stack:
            sides = [stack.enter_context(served.serving(address, *shlex.split(each))) for each in settings]
            for setting, side in zip(settings, sides, strict=True):
                click.echo(f"{setting}: {side.memory().whole:.0f} MB, {side.idle():.4f} of a core when idle")
            click.echo(HEAD)
            numbers = [int(number) for number in connections.split(",")]
            for (name, makes), number in itertools.product(KINDS.items(), numbers):
                what = f"{name:8} {number:5}"
                compare(what, settings, sides, makes(filled)[:number], seconds, rounds)


def compare(
    what: str,
    settings: tuple[str, ...],
    sides: list[served.Served],
    makes: list[Make],
    seconds: float,
    rounds: int,
) -> None:
    """A B C A B C …"""
    with ExitStack() as stack:
        lines = [stack.enter_context(load.opened(side, makes)) for side in sides]
        pairs = list(zip(sides, lines, strict=True))
        found = [[load.drive(*each, seconds=seconds) for each in pairs] for _ in range(rounds)]
    for place, setting in enumerate(settings):
        own = [each[place] for each in found]
        shown = driver.median([each.figures for each in own])
        ratio = statistics.median(each[place].figures.rate / each[0].figures.rate for each in found)
        used = statistics.median(each.driver for each in own)
        failed = sum(len(each.errors) for each in own)
        click.echo(
            f"{what}  {setting:24} {shown.rate:8.0f} {ratio:8.2f} {shown.p50:8.2f} {shown.p99:8.2f}"
            f" {shown.cpu:8.3f} {used:7.2f}{f'  {failed} errors' if failed else ''}"
        )
