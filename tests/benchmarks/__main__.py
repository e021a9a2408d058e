"""`python tests/benchmarks`: what calls cost, in stores of several sizes, beside the leanest program.

Figures of one run can be compared with each other, those of two runs cannot: machines are noisy. What is
told of each call is the median of some rounds.
"""

import itertools
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import click

# What tests share, and the server itself, are found beside this folder only once the path says so.
# ruff: noqa: E402
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE)]

import calls
import driver
import engines
import fleet
import served
import stores

from models import close_store, open_store

KINDS = {"sqlite": engines.Embedded, "postgresql": fleet.Durable}
SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
LEAN = ("get_conversation (20)", "get_conversations (20)", "reply_conversation")
HEAD = f"{'call':30} {'calls/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms':>8}"


@contextmanager
def store(engine: Any, size: str) -> Iterator[tuple[str, stores.Filled]]:
    """A store of this size, made for now: its address, and what there is to call."""
    with tempfile.TemporaryDirectory(prefix="switchboard-benchmarks-") as folder:
        address = engine.empty(Path(folder), "bench")
        click.echo(f"making a store with {size} messages …", err=True)
        open_store(address)
        filled = stores.fill(SIZES[size])
        close_store()
        yield address, filled
        engine.drop(address)


def line(name: str, figures: driver.Figures, *ratios: str) -> str:
    shown = f"{name:30} {figures.rate:8.0f} {figures.p50:8.2f} {figures.p99:8.2f} {figures.cpu:8.3f}"
    return "  ".join([shown, *ratios])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--engine", type=click.Choice([*KINDS, "both"]), default="sqlite", show_default=True)
@click.pass_context
def main(context: click.Context, engine: str) -> None:
    """Measure what calls cost; figures of one run can be compared, those of two cannot."""
    context.obj = {name: kind() for name, kind in KINDS.items() if engine in (name, "both")}
    for each in context.obj.values():
        context.call_on_close(each.stop)


@main.command()
@click.pass_obj
@click.option("--sizes", default="10k,100k,1m", show_default=True, help="Sizes, with commas between.")
@click.option("--only", default="", help="Calls whose names hold this text.")
def table(kinds: dict[str, Any], sizes: str, only: str) -> None:
    """Every call in stores of several sizes: medians, and the CPU time against that in the first store."""
    first: dict[str, float] = {}
    for (kind, engine), size in itertools.product(kinds.items(), sizes.split(",")):
        with store(engine, size) as (address, filled), served.serving(address) as server:
            click.echo(f"\n{kind}, {size} messages\n{HEAD}  of first")
            for name, make in calls.operations(filled).items():
                if only in name:
                    figures = driver.measured(server, make)
                    ratio = figures.cpu / first.setdefault(name, figures.cpu)
                    click.echo(line(name, figures, f"{ratio:8.2f}"))
            click.echo(f"memory: {server.memory():.0f} MB")


@main.command()
@click.option("--size", type=click.Choice(list(SIZES)), default="10k", show_default=True)
@click.option("--rounds", default=7, show_default=True)
def lean(size: str, rounds: int) -> None:
    """The CPU time of some calls as a multiple of what the leanest program takes, in turns, on SQLite."""
    with store(engines.Embedded(), size) as (address, filled), ExitStack() as stack:
        sides = [stack.enter_context(side(address)) for side in (served.serving, served.lean)]
        made = calls.operations(filled)
        for name in LEAN[:2]:
            answers = {ask_once(side, made[name]()) for side in sides}
            if len(answers) > 1:
                raise click.ClickException(f"{name}: the two do not answer the same.")
        in_turns(["server", "lean"], sides, {name: made[name] for name in LEAN}, rounds)


@main.command()
@click.pass_obj
@click.argument("checkout", type=click.Path(exists=True, path_type=Path))
@click.option("--size", type=click.Choice(list(SIZES)), default="10k", show_default=True)
@click.option("--rounds", default=7, show_default=True)
@click.option("--only", default="", help="Calls whose names hold this text.")
def against(kinds: dict[str, Any], checkout: Path, size: str, rounds: int, only: str) -> None:
    """This checkout in turns with another CHECKOUT that knows the same store."""
    for kind, engine in kinds.items():
        click.echo(f"\n{kind}, {size} messages")
        with store(engine, size) as (address, filled), ExitStack() as stack:
            places = [served.CHECKOUT, checkout]
            sides = [stack.enter_context(served.serving(address, checkout=place)) for place in places]
            made = {name: make for name, make in calls.operations(filled).items() if only in name}
            in_turns(["this", "other"], sides, made, rounds)


def ask_once(server: served.Served, request: bytes) -> bytes:
    with closing(driver.Connection(server)) as connection:
        return connection.ask(request)


def in_turns(names: list[str], sides: list[served.Served], made: dict[str, Any], rounds: int) -> None:
    """A B A B …: the medians of both, and the median of the ratios of neighbours."""
    click.echo(HEAD)
    for name, make in made.items():
        with ExitStack() as stack:
            lines = [stack.enter_context(closing(driver.Connection(side))) for side in sides]
            for connection, _ in itertools.product(lines, range(driver.WARM)):
                connection.ask(make())
            pairs = [list(zip(sides, lines, strict=True)) for _ in range(rounds)]
            found = [[driver.one_round(*one, make) for one in pair] for pair in pairs]
        for place, label in enumerate(names):
            click.echo(line(f"{name}, {label}", driver.median([each[place] for each in found])))
        ratio = statistics.median(one.cpu / other.cpu for one, other in found)
        click.echo(f"{'':30} CPU {ratio:.2f}")


if __name__ == "__main__":
    main()
