"""A store with the demo cast and the commands on it, through the real program."""

import dataclasses
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from server.__main__ import main

PROGRAM = [sys.executable, "-m", "server"]


def run(database: str, *arguments: str, **extra: Any) -> Result:
    """A command on a store; what goes wrong in it goes wrong in the test."""
    return CliRunner().invoke(
        main, [*arguments, "--database", database], prog_name="switchboard", catch_exceptions=False, **extra
    )


def done(database: str, *arguments: str, **extra: Any) -> str:
    """What a command that succeeds writes to standard output."""
    result = run(database, *arguments, **extra)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(database: str, *arguments: str, **extra: Any) -> str:
    """The one sentence with which a command ends that does not succeed."""
    result = run(database, *arguments, **extra)
    assert result.exit_code != 0
    assert result.stdout == ""
    return one_sentence(result.stderr)


def one_sentence(text: str) -> str:
    assert "Traceback" not in text
    assert re.fullmatch(r"Error: \S[^\n]*\n", text), text
    return text


def powerless(*words: str) -> "subprocess.CompletedProcess[str]":
    """The program of a user, be he root, who gets only where the rights of folders let him."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    return subprocess.run([*drop, *PROGRAM, *words], env=bare(), capture_output=True, text=True, timeout=60)


def bare(**settings: str) -> dict[str, str]:
    """This process's environment with these settings and no others, and the program to be found in it."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHBOARD_")}
    return {**others, "PYTHONPATH": os.getcwd(), **settings}


@dataclasses.dataclass
class Shop:
    """A good store with the demo cast, in a folder of its own, whose server does not run."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "live.db"

    @property
    def database(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def files(self) -> Path:
        return self.folder / "live.files"

    def done(self, *arguments: str, **extra: Any) -> str:
        return done(self.database, *arguments, **extra)

    def refused(self, *arguments: str, **extra: Any) -> str:
        return refused(self.database, *arguments, **extra)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Do to the store what no action of the server's would."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchall()

    def faults(self) -> str:
        """What `check` says of the store, which is not as it should be."""
        result = run(self.database, "check")
        assert result.exit_code != 0
        one_sentence(result.stderr)
        return result.stdout
