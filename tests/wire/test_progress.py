"""How far long work says that it is: each kind of work to whoever began it, and the commands to people."""

import fcntl
import io
import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import engines
import pytest
from builders import Cast
from click.testing import CliRunner

from models import close_store, migrate, open_store, whole, work
from server import backups, demo, exports, stores
from server.__main__ import main
from server.actions import accounts, checks
from server.config import Settings
from server.files import Files

PROGRAM = [sys.executable, "-m", "server"]
SECONDS = 60
SHORT = 2
# The least that a pipe holds.
LITTLE = 4096
LINE = re.compile(r"[A-Z][a-z ]+: (\d+ %, )?\d+ s\n")


class Heard:
    """Parts of work that were begun, with their steps, and how many of these were told of."""

    def __init__(self) -> None:
        self.parts: dict[str, int] = {}
        self.told: Counter[str] = Counter()

    def begin(self, part: str, steps: int) -> work.Advance:
        self.parts[part] = self.parts.get(part, 0) + steps

        def advance(number: int) -> None:
            self.told[part] += number

        return advance


@pytest.fixture
def used(cast: Cast) -> Settings:
    """A store in which something was said, with a file."""
    cast.ann.starts("Lunch", cast.bob)
    accounts.set_avatar(cast.files, cast.ann.user, demo.picture((9, 9), "red"))
    return cast.settings


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Settings]:
    """Another empty store."""
    address = engines.chosen().empty(tmp_path, "other")
    yield Settings(database=address, files=str(tmp_path / "other.files"))
    close_store()
    engines.chosen().drop(address)


def export_it(used: Settings, other: Settings, begin: work.Begin) -> None:
    exports.write(io.BytesIO(), begin)


def import_it(used: Settings, other: Settings, begin: work.Begin) -> None:
    exports.write(written := io.BytesIO())
    close_store()
    open_store(other.database)
    whole.fill(*exports.read(io.BytesIO(written.getvalue())), begin)


def move_it(used: Settings, other: Settings, begin: work.Begin) -> None:
    close_store()
    stores.move(used.database, other.database, begin)


def check_it(used: Settings, other: Settings, begin: work.Begin) -> None:
    assert list(checks.faults(Files(used.files_folder), begin)) == []


def back_it_up(used: Settings, other: Settings, begin: work.Begin) -> None:
    backups.write(Files(used.files_folder), Path(f"{used.files}.tar"), begin)


def restore_it(used: Settings, other: Settings, begin: work.Begin) -> None:
    back_it_up(used, other, work.untold)
    close_store()
    backups.restore(Path(f"{used.files}.tar"), other.database, other.files_folder, True, begin)


def migrate_it(used: Settings, other: Settings, begin: work.Begin) -> None:
    address = engines.chosen().blank(Path(other.files).parent, "blank")
    open_store(address)
    migrate(begin)
    close_store()
    engines.chosen().drop(address)


FILLING = ("Storing rows", "Comparing rows", "Checking the store")
CHECKING = ("Checking the store", "Checking files")
# Each work with its parts where the store is embedded, and with those that it has more on a database server.
WORK: dict[str, tuple[Callable[..., None], tuple[str, ...], tuple[str, ...]]] = {
    "export": (export_it, ("Writing rows",), ()),
    "import": (import_it, FILLING, ()),
    "move": (move_it, FILLING, ()),
    "migrate": (migrate_it, ("Taking steps",), ()),
    "check": (check_it, CHECKING, ()),
    "backup": (back_it_up, ("Copying files", "Writing the backup", "Reading the backup", *CHECKING), FILLING),
    "restore": (restore_it, ("Reading the backup", *CHECKING, "Copying files"), FILLING),
}


@pytest.mark.parametrize("name", WORK)
def test_all_steps_of_long_work_are_told(used: Settings, other: Settings, name: str) -> None:
    """Work tells of the parts that take long, and of each as many steps as it has announced."""
    carry_out, parts, on_a_server = WORK[name]
    heard = Heard()
    carry_out(used, other, heard.begin)
    known = {part: steps for part, steps in heard.parts.items() if steps}
    assert known == heard.told
    assert set(known) == {*parts, *(on_a_server if engines.name == "postgresql" else ())}


# What is shown


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of an embedded store with the demo cast."""
    folder = tmp_path_factory.mktemp("shop")
    settings = Settings(database=f"sqlite:///{folder}/live.db", limits="off")
    open_store(settings.database)
    migrate()
    demo.fill(settings, Files(settings.files_folder))
    close_store()
    return settings.database


@contextmanager
def running(*words: str, stderr: int = subprocess.PIPE) -> Iterator["subprocess.Popen[bytes]"]:
    """The program, which ends well once it gets or is rid of what it waits for."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([*PROGRAM, *words], stdin=pipe, stdout=pipe, stderr=stderr)
    try:
        yield process
        process.communicate(timeout=SECONDS)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def exported(shop: str) -> bytes:
    result = CliRunner().invoke(main, ["export", "-", "--database", shop])
    assert result.exit_code == 0
    return result.stdout_bytes


def test_an_export_that_takes_long_keeps_standard_output_clean(shop: str) -> None:
    """How far an export is stands on standard error, by lines where that is no terminal."""
    with running("export", "-", "--database", shop) as process:
        assert process.stdout is not None and process.stderr is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, LITTLE)
        # Nobody takes what it writes, so it has to wait.
        assert LINE.fullmatch(process.stderr.readline().decode())
        lines = process.stdout.read().splitlines()
    assert "switchboard" in json.loads(lines[0]) and "end" in json.loads(lines[-1])
    assert all("table" in json.loads(line) for line in lines[1:-1])


def test_steps_that_take_long_are_told_of(tmp_path: Path) -> None:
    """How far a store is brought up to date stands on standard error, also while it waits for its turn."""
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = wal")
        other.execute("BEGIN IMMEDIATE")
        with running("migrate", "--database", f"sqlite:///{path}") as process:
            assert process.stderr is not None
            line = process.stderr.readline().decode()
            other.execute("ROLLBACK")
    assert LINE.fullmatch(line) and line.startswith("Taking steps: 0 %")


def test_a_terminal_is_shown_a_bar(shop: str, tmp_path: Path) -> None:
    """On a terminal a bar shows how far work is that takes long."""
    data = exported(shop)
    screen, terminal = pty.openpty()
    seen = b""
    with running("import", "-", "--database", f"sqlite:///{tmp_path}/new.db", stderr=terminal) as process:
        os.close(terminal)
        assert process.stdin is not None
        # It waits for the rest, and shows where it is meanwhile.
        process.stdin.write(data[: len(data) // 2])
        process.stdin.flush()
        while not re.search(rb"Storing rows +\[[#-]{36}\] +\d+% +\d+ s", seen):
            seen += os.read(screen, 10_000)
        process.stdin.write(data[len(data) // 2 :])
    os.close(screen)


@pytest.mark.parametrize("command", ["check", "backup", "export"])
def test_short_work_shows_nothing(shop: str, tmp_path: Path, command: str) -> None:
    """Of what ends within two seconds nothing is shown."""
    file = () if command == "check" else (str(tmp_path / command),)
    begun = time.monotonic()
    result = CliRunner().invoke(main, [command, *file, "--database", shop])
    assert result.exit_code == 0
    assert time.monotonic() - begun > SHORT or result.stderr == ""
