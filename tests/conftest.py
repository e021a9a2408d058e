"""What all tests share: a store of one's own, and a live server that is started once."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

import engines
import pytest
from builders import Cast
from werkzeug.security import generate_password_hash

from models import check, close_store, open_store, transact
from server.actions import accounts, players
from server.config import Settings
from server.files import Files
from server.passwords import Passwords

READY = re.compile(r"ready at (http://[^/]+)/")
START_SECONDS = 20
LONGEST = {f"test_{name}.py" for name in ("readme", "packaging", "whole_stores", "pages_seen", "listeners")}
numbers = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=tuple(engines.KINDS), default="sqlite", help="where stores are")


def pytest_configure(config: pytest.Config) -> None:
    engines.name = config.getoption("--engine")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, or all would wait for it in the end; faults wait most of their time."""
    items.sort(key=lambda item: item.path.parent.name != "faults" and item.path.name not in LONGEST)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests wait for servers a good part of their time."""
    return (os.cpu_count() or 1) + 1


def pytest_unconfigure() -> None:
    engines.stop()


class Quick(Passwords):
    """Hashes with the least work: most of what a login costs, where that is not what a test is about."""

    def hash(self, password: str) -> str:
        return generate_password_hash(password, "pbkdf2:sha256:1")


@dataclass
class Member:
    """A user of the live server, who calls it with an access token."""

    name: str
    id: str
    token: str
    rpc: Any


@dataclass
class Player(Member):
    """A member who is connected to the game as well."""

    src: int
    number: str
    identifier: str


QUICK = Quick(1)


class Live:
    """The real server in a process of its own, and the store behind it, on the engine of this run."""

    def __init__(self, folder: Path, *options: str, database: str = "") -> None:
        self.folder = folder
        self.database = database or engines.chosen().place(folder, "live")
        self.files = folder / "live.files"
        place = ["--database", self.database, "--files", str(self.files)]
        command = [sys.executable, "-m", "server", "serve", "--port", "0", *place]
        self.log = (folder / "live.log").open("w")
        # It leads a group of its own, so that all of its processes can be killed at once.
        self.process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=self.log, text=True, start_new_session=True
        )
        self.address = self.wait()
        self.proxies: list[Any] = []

    def wait(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := READY.search(line):
                return found[1]
        raise AssertionError(f"the server did not start: {(self.folder / 'live.log').read_text()}")

    @contextmanager
    def store(self) -> Iterator[None]:
        """The live server's store, opened beside it in this process."""
        open_store(self.database)
        try:
            yield
        finally:
            close_store()

    def member(
        self, name: str = "", password: str | None = None, passwords: Passwords = QUICK, **details: Any
    ) -> Member:
        """A new user; *name* is made unique, and his password hashed by *passwords*."""
        name = f"{name or 'user'}{next(numbers)}"

        def add() -> tuple[int, str]:
            user = accounts.add_user(passwords, name, password, **details)
            return user.id, accounts.add_token(user, "test")

        with self.store():
            user_id, token = transact(add, writes=True)
        return Member(name, str(user_id), token, self.proxy(("Authorization", f"Bearer {token}")))

    def player(self, name: str = "player") -> Player:
        """A new user with a number that only he has, connected under a source that only he has."""
        place = next(numbers)
        number, identifier = f"555-{place:07}", f"license:{place}"
        member = self.member(name, number=number, identifier=identifier)
        wanted = players.Wanted.of(place, identifier, number, member.name)
        with self.store():
            transact(lambda: players.connect(wanted), writes=True)
        return Player(member.name, member.id, member.token, member.rpc, place, number, identifier)

    def script(self) -> Any:
        """A game server's script, which calls with a server key."""
        return self.proxy(("Authorization", f"Bearer {self.key()}"))

    def key(self) -> str:
        """A new server key."""
        with self.store():
            return transact(lambda: accounts.add_key("test"), writes=True)

    def proxy(self, *headers: tuple[str, str]) -> Any:
        """An `xmlrpc.client` for the server, with these headers."""
        made = ServerProxy(f"{self.address}/mobiquo/mobiquo.php", headers=headers, use_builtin_types=True)
        self.proxies.append(made)
        return made

    def kill(self) -> None:
        """End all of its processes at once, with nothing that they would do at their end."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.stop(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the server by a signal; its exit status."""
        for proxy in self.proxies:
            proxy("close")()
        self.process.send_signal(number)
        status = self.process.wait(timeout=15)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()
        return status


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server without limits on how often something may be done, for all tests that only call it.

    Whatever they have done, its store is sound in the end.
    """
    server = Live(tmp_path_factory.mktemp("live"), "--limits", "off")
    yield server
    server.stop()
    with server.store():
        assert list(check.faults()) == []


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings for an empty store of the test's own."""
    address = engines.chosen().empty(tmp_path, "test")
    yield Settings(database=address, files=str(tmp_path / "test.files"), limits="off")
    engines.chosen().drop(address)


@pytest.fixture
def store(settings: Settings) -> Iterator[Settings]:
    """An empty store, opened in this process."""
    open_store(settings.database)
    yield settings
    close_store()


@pytest.fixture
def cast(store: Settings) -> Cast:
    """Ann, Bob, Carol and Dave in an empty store."""
    return Cast(store, Files(store.files_folder))
