"""Where stores to measure with come from: a large one takes minutes to make, so each is kept and copied."""

import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import stores

from models import close_store, database, open_store
from server import passwords

SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
FOLDER = Path(tempfile.gettempdir()) / "switchboard-benchmarks"
MIGRATIONS = Path(__file__).parents[2] / "models" / "migrations"


@dataclass(frozen=True)
class Bench:
    """The engines to measure on, by name, and the folder in which stores are kept."""

    engines: dict[str, Any]
    folder: Path

    @contextmanager
    def store(self, kind: str, size: str) -> Iterator[tuple[str, stores.Filled]]:
        """A store of this size, for now: its address, and what there is to call."""
        engine = self.engines[kind]
        with tempfile.TemporaryDirectory(prefix="switchboard-benchmarks-") as folder:
            address = engine.empty(Path(folder), "bench")
            if kind == "sqlite":
                filled = self.fetch(size, Path(address.removeprefix("sqlite:///")))
            else:
                filled = made(address, size)
            yield address, filled
            engine.drop(address)

    def fetch(self, size: str, target: Path) -> stores.Filled:
        """Put a store of this size at *target*, where there is one in which nothing is."""
        kept = self.folder / f"{size}-{version()}.db"
        description = kept.with_suffix(".json")
        if description.exists():
            shutil.copyfile(kept, target)
            return read(description.read_text())
        filled = made(f"sqlite:///{target}", size)
        self.folder.mkdir(parents=True, exist_ok=True)
        # Each under another name first: what is there under its own is whole.
        part = self.folder / f"{target.parent.name}.part"
        shutil.copyfile(target, part)
        part.replace(kept)
        part.write_text(json.dumps(dataclasses.asdict(filled)))
        part.replace(description)
        click.echo(f"kept in {self.folder}", err=True)
        return filled


def read(description: str) -> stores.Filled:
    told = json.loads(description)
    rooms = {int(people): room for people, room in told.pop("rooms").items()}
    return stores.Filled(**told, rooms=rooms)


def made(address: str, size: str) -> stores.Filled:
    """Fill the store at this address, in which nothing is."""
    click.echo(f"making a store with {size} messages …", err=True)
    open_store(address)
    filled = stores.fill(SIZES[size])
    if database.obj.is_embedded:
        database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    close_store()
    return filled


def version() -> str:
    """What changes when stores are made in another way, have other tables, or passwords in another form."""
    sources = [Path(stores.__file__), Path(passwords.__file__), *sorted(MIGRATIONS.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
