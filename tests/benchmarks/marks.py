"""Every mark that the server is to hold, measured in one run; each is a ratio of neighbouring rounds."""

import itertools
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import calls
import click
import driver
import load
import memory
import served
from driver import ROUNDS, Connection, Make, Turn, compared
from kept import SIZES, Bench
from options import Several
from served import Memory
from stores import HEAVY, LIGHT, ROOMS, Filled
from stores import WRITERS as WRITING

LEAN = {"get_conversation (20)": 2.0, "get_conversations (20)": 2.0, "reply_conversation": 2.5}
SIZE, CONVERSATIONS, ROOM, STAT, WRITERS = 1.2, 1.3, 3.0, 1.5, 0.8
MEGABYTES, GROWTH = 200, 1.05
FIRST_ANSWER, IDLE_MEGABYTES, STARTS = 2.0, 80, 5
# Where it is not clear whether a mark is held, there are so many times as many rounds.
DOUBTFUL = 4
MANY_WRITERS, WRITING_SECONDS, WRITING_ROUNDS = 8, 1.0, 5
WHO_HAS_READ_ALL = WRITING[0]
HEAD = f"{'what':66} {'found':>8} {'mark':>9}"


@dataclass(frozen=True)
class Mark:
    """What was found, and what it may be *at_most*, or has to be at least."""

    what: str
    found: float
    mark: float
    detail: str
    at_most: bool = True

    @property
    def is_held(self) -> bool:
        return self.found <= self.mark if self.at_most else self.found >= self.mark

    def __str__(self) -> str:
        sign, held = "≤" if self.at_most else "≥", "held" if self.is_held else "NOT HELD"
        return f"{self.what:66} {self.found:8.2f} {sign} {self.mark:7.2f}  {held:8}  {self.detail}"


@dataclass(frozen=True)
class Run:
    """What is measured with; the first of *sizes* is that of the store where no other is spoken of."""

    bench: Bench
    kind: str
    sizes: list[str]
    rounds: int
    requests: int

    def compare(self, what: str, one: Turn, other: Turn, mark: float) -> Mark:
        """By processor time; where a database server does some of the work, by the time it took.

        Where the mark is among what was found, on either side of it, more rounds have to say.
        """
        for rounds in (self.rounds, self.rounds * DOUBTFUL):
            found = compared(one, other, rounds)
            ratio = found.cpu if self.kind == "sqlite" else found.elapsed
            if not ratio.low <= mark <= ratio.high:
                break
        return Mark(what, ratio.median, mark, str(found))


def beginning(run: Run) -> Iterator[Mark]:
    """A server with a new store: its first answer, and what all of its processes take while nobody asks."""
    if run.kind != "sqlite":
        return
    first, idle = [], []
    for _ in range(STARTS):
        with TemporaryDirectory() as folder, served.serving(f"sqlite:///{folder}/new.db") as server:
            first.append(server.first_answer)
            idle.append(server.memory().whole)
    yield Mark("first answer of a new server, seconds", statistics.median(first), FIRST_ANSWER, spread(first))
    yield Mark("memory of a new server, MB", statistics.median(idle), IDLE_MEGABYTES, spread(idle))


def spread(found: list[float]) -> str:
    return f"{min(found):.2f} to {max(found):.2f}"


def lean(run: Run) -> Iterator[Mark]:
    """Beside the leanest program, on all cores as in life, and on one, where what is noise there is gone."""
    if run.kind != "sqlite":
        return
    with run.bench.store("sqlite", run.sizes[0]) as (address, filled), ExitStack() as stack:
        sides = [stack.enter_context(side(address)) for side in (served.serving, served.lean)]
        made = beside_lean(sides, filled)
        for one_core, name in itertools.product((False, True), made):
            one, other = (Turn(side, made[name]) for side in sides)
            with served.cores(one_core) as where:
                yield run.compare(f"{name}: times the leanest program, {where}", one, other, LEAN[name])


def beside_lean(sides: list[served.Served], filled: Filled) -> dict[str, Make]:
    """The calls that the leanest program knows; those that only read are answered the same by it."""
    made = {name: make for name, make in calls.operations(filled).items() if name in LEAN}
    for name in (name for name in made if name.startswith("get")):
        if len({ask_once(side, made[name]()) for side in sides}) > 1:
            raise click.ClickException(f"{name}: the two do not answer the same.")
    return made


def ask_once(server: served.Served, request: bytes) -> bytes:
    with closing(Connection(server)) as connection:
        _, body = connection.ask(request)
        return body


def sizes(run: Run) -> Iterator[Mark]:
    """A large store against a small one, both served at once."""
    names = [run.sizes[-1], run.sizes[0]]
    with ExitStack() as stack:
        filled = [stack.enter_context(run.bench.store(run.kind, size)) for size in names]
        sides = [stack.enter_context(served.serving(address)) for address, _ in filled]
        made = [calls.operations(each) for _, each in filled]
        for name in made[0]:
            one, other = (Turn(side, makes[name]) for side, makes in zip(sides, made, strict=True))
            yield run.compare(f"{name}: {names[0]} messages against {names[1]}", one, other, SIZE)


def within(run: Run, pairs: Callable[[Filled], Iterator[tuple[str, Make, Make, float]]]) -> Iterator[Mark]:
    """One call against another in the same store."""
    with (
        run.bench.store(run.kind, run.sizes[0]) as (address, filled),
        served.serving(address) as server,
    ):
        for what, one, other, mark in pairs(filled):
            yield run.compare(what, Turn(server, one), Turn(server, other), mark)


def conversations(run: Run) -> Iterator[Mark]:
    """Somebody with many conversations against somebody with a few."""

    def pairs(filled: Filled) -> Iterator[tuple[str, Make, Make, float]]:
        made = calls.operations(filled)
        for name in [name for name in made if name.startswith("many: ")]:
            call = name.removeprefix("many: ")
            what = f"{call}: {HEAVY} conversations against {LIGHT}"
            yield what, made[name], made[f"ten: {call}"], CONVERSATIONS

    return within(run, pairs)


def rooms(run: Run) -> Iterator[Mark]:
    """Sending to a large room against a small one."""

    def pairs(filled: Filled) -> Iterator[tuple[str, Make, Make, float]]:
        made = calls.operations(filled)
        large, small = calls.room_call(ROOMS[-1]), calls.room_call(ROOMS[0])
        yield f"sending: {large} against {small}", made[large], made[small], ROOM

    return within(run, pairs)


def inbox(run: Run) -> Iterator[Mark]:
    """Asking for what is new, where nothing is, against asking for nothing at all."""

    def pairs(filled: Filled) -> Iterator[tuple[str, Make, Make, float]]:
        what = "get_inbox_stat: against an empty authenticated call"
        yield what, calls.stat(WHO_HAS_READ_ALL), calls.empty(WHO_HAS_READ_ALL), STAT

    return within(run, pairs)


def writers(run: Run) -> Iterator[Mark]:
    """The throughput of many writers against that of one."""
    if run.kind != "sqlite":
        return
    for workers in ("1", "2"):
        with (
            run.bench.store("sqlite", run.sizes[0]) as (address, filled),
            served.serving(address, "--workers", workers) as server,
        ):
            yield from writing(server, calls.writers(filled), f"each his own, --workers {workers}")
            together = calls.writers_together(filled)
            yield from writing(server, together, f"one conversation, --workers {workers}")


def writing(server: served.Served, makes: list[Make], how: str) -> Iterator[Mark]:
    with load.opened(server, makes[:MANY_WRITERS]) as lines:
        rounds = [
            [load.drive(server, some, seconds=WRITING_SECONDS) for some in (lines, lines[:1])]
            for _ in range(WRITING_ROUNDS)
        ]
    rates = [[each.round.figures.rate for each in pair] for pair in rounds]
    found = driver.ratio([many / one for many, one in rates])
    shown = "{:.0f}/{:.0f} calls/s".format(*map(statistics.median, zip(*rates, strict=True)))
    what = f"{MANY_WRITERS} writers, {how}"
    yield Mark(f"{what}: throughput of one", found.median, WRITERS, f"{found}: {shown}", at_most=False)
    errors = [error for pair in rounds for each in pair for error in each.errors]
    yield Mark(f"{what}: errors", len(errors), 0, errors[0] if errors else "")


def held_memory(run: Run) -> Iterator[Mark]:
    """The memory of a server with two workers under a load of all kinds."""
    with (
        run.bench.store(run.kind, run.sizes[0]) as (address, filled),
        served.serving(address, "--workers", "2") as server,
    ):
        click.echo(f"  --workers 2, idle: {server.idle():.4f} of a core")
        found = []
        for sample in memory.samples(server, filled, run.requests):
            found.append(sample)
            click.echo(
                f"  after {sample.requests} calls {told(sample.memory)}; meanwhile {sample.most:.0f} MB"
            )
    most, own = max(each.most for each in found), [each.memory.whole - each.memory.store for each in found]
    yield Mark("memory of --workers 2 under load, MB", most, MEGABYTES, told(found[-1].memory))
    what = f"memory after {run.requests} calls, against a tenth of them"
    yield Mark(what, own[-1] / own[0], GROWTH, f"{own[-1]:.1f}/{own[0]:.1f} MB without the store's pages")


def told(held: Memory) -> str:
    return f"{held.whole:.0f} MB, of which {held.store:.0f} are pages of the store"


SUBJECTS: dict[str, Callable[[Run], Iterator[Mark]]] = {
    "beginning": beginning,
    "lean": lean,
    "inbox": inbox,
    "conversations": conversations,
    "rooms": rooms,
    "sizes": sizes,
    "writers": writers,
    "memory": held_memory,
}


@click.command()
@click.pass_obj
@click.option(
    "--sizes",
    type=Several(SIZES),
    default="10k,1m",
    show_default=True,
    help="The small store and the large one, with a comma between.",
)
@click.option("--rounds", default=ROUNDS, show_default=True)
@click.option("--requests", default=20_000, show_default=True, help="Calls under which memory is measured.")
@click.option(
    "--only",
    type=Several(SUBJECTS),
    default=",".join(SUBJECTS),
    show_default=True,
    help="Subjects, with commas between.",
)
def marks(bench: Bench, sizes: list[str], rounds: int, requests: int, only: list[str]) -> None:
    """Every mark that the server is to hold, and whether it does."""
    for kind in bench.engines:
        run = Run(bench, kind, sizes, rounds, requests)
        click.echo(f"\n{kind}, {load.cores()}\n{HEAD}")
        found = []
        for subject in only:
            for mark in SUBJECTS[subject](run):
                click.echo(str(mark))
                found.append(mark)
        click.echo(f"{sum(mark.is_held for mark in found)} of {len(found)} are held")
