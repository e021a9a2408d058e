"""`python tests/benchmarks`: what calls cost, and whether the server holds what it is to hold.

Figures of one run can be compared with each other, those of two runs cannot: machines are noisy. Where two
are compared they take turns in many short rounds, and what is told is the median of the ratios of neighbours,
with the two between which half of them are.
"""

import itertools
import shlex
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import click

# What tests share, and the server itself, are found beside this folder only once the path says so.
# ruff: noqa: E402
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE)]

import calls
import driver
import engines
import fleet
import marks
import served
import workers
from kept import FOLDER, SIZES, Bench
from options import Several

KINDS = {"sqlite": engines.Embedded, "postgresql": fleet.Durable}
HEAD = f"{'call':30} {'calls/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms':>8}"


def line(name: str, figures: driver.Figures, *ratios: str) -> str:
    shown = f"{name:30} {figures.rate:8.0f} {figures.p50:8.2f} {figures.p99:8.2f} {figures.cpu:8.3f}"
    return "  ".join([shown, *ratios])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--engine", type=click.Choice([*KINDS, "both"]), default="sqlite", show_default=True)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    show_default=True,
    help="Where stores on SQLite are kept for the next run.",
)
@click.option(
    "--one-core/--all-cores",
    default=True,
    show_default=True,
    help="Where the processes of servers may run while single calls are compared; all is noisier.",
)
@click.pass_context
def main(context: click.Context, engine: str, keep: Path, one_core: bool) -> None:
    """Measure what calls cost; figures of one run can be compared, those of two cannot."""
    served.Served.one_core = one_core
    # So that whoever ends a run early ends its servers as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    context.obj = Bench({name: kind() for name, kind in KINDS.items() if engine in (name, "both")}, keep)
    for each in context.obj.engines.values():
        context.call_on_close(each.stop)


@main.command()
@click.pass_obj
@click.option(
    "--sizes",
    type=Several(SIZES),
    default=",".join(SIZES),
    show_default=True,
    help="Sizes, with commas between.",
)
@click.option("--only", default="", help="Calls whose names hold this text.")
def table(bench: Bench, sizes: list[str], only: str) -> None:
    """Every call in stores of several sizes: what it takes, and its CPU time against the first store's."""
    first: dict[str, float] = {}
    for kind, size in itertools.product(bench.engines, sizes):
        with bench.store(kind, size) as (address, filled), served.serving(address) as server:
            click.echo(f"\n{kind}, {size} messages; idle: {server.idle():.4f} of a core\n{HEAD}  of first")
            for name, make in calls.operations(filled).items():
                if only in name:
                    figures = driver.measured(driver.Turn(server, make))
                    ratio = figures.cpu / first.setdefault(name, figures.cpu)
                    click.echo(line(name, figures, f"{ratio:8.2f}"))
            click.echo(f"memory: {server.memory().whole:.0f} MB")


@main.command()
@click.pass_obj
@click.option("--size", type=click.Choice(list(SIZES)), default="10k", show_default=True)
@click.option("--rounds", default=driver.ROUNDS, show_default=True)
def lean(bench: Bench, size: str, rounds: int) -> None:
    """The CPU time of some calls as a multiple of what the leanest program takes, in turns, on SQLite."""
    if "sqlite" not in bench.engines:
        raise click.UsageError("The leanest program knows SQLite alone.")
    with bench.store("sqlite", size) as (address, filled), ExitStack() as stack:
        sides = [stack.enter_context(side(address)) for side in (served.serving, served.lean)]
        in_turns(["server", "lean"], sides, marks.beside_lean(sides, filled), rounds)


@main.command()
@click.pass_obj
@click.argument("checkout", type=click.Path(exists=True, path_type=Path), default=served.CHECKOUT)
@click.option("--this", default="", help="Options of serve for this checkout, such as '--workers 1'.")
@click.option("--other", default="", help="Options of serve for the other.")
@click.option("--size", type=click.Choice(list(SIZES)), default="10k", show_default=True)
@click.option("--rounds", default=driver.ROUNDS, show_default=True)
@click.option("--only", default="", help="Calls whose names hold this text.")
def against(bench: Bench, checkout: Path, this: str, other: str, size: str, rounds: int, only: str) -> None:
    """This checkout in turns with another CHECKOUT that knows the same store, or with other options."""
    for kind in bench.engines:
        click.echo(f"\n{kind}, {size} messages")
        with bench.store(kind, size) as (address, filled), ExitStack() as stack:
            places = ((served.CHECKOUT, this), (checkout, other))
            sides = [
                stack.enter_context(served.serving(address, *shlex.split(options), checkout=place))
                for place, options in places
            ]
            made = {name: make for name, make in calls.operations(filled).items() if only in name}
            in_turns([f"this {this}", f"other {other}"], sides, made, rounds)


def in_turns(names: list[str], sides: list[served.Served], made: dict[str, driver.Make], rounds: int) -> None:
    """What both take, and the ratios."""
    for label, side in zip(names, sides, strict=True):
        click.echo(f"{label}: {side.idle():.4f} of a core when idle")
    click.echo(f"on {'one core' if served.Served.one_core else 'all cores'}\n{HEAD}")
    for name, make in made.items():
        found = driver.compared(*(driver.Turn(side, make) for side in sides), rounds)
        for label, figures in zip(names, (found.one, found.other), strict=True):
            click.echo(line(f"{name}, {label}", figures))
        click.echo(f"{'':30} CPU {found.cpu}, elapsed {found.elapsed}")


main.add_command(marks.marks)
main.add_command(workers.workers)

if __name__ == "__main__":
    main()
