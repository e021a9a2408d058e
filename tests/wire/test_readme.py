"""What the README tells people to type, typed as it stands in a fresh checkout, with its own cast."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import engines
import pytest
from click.testing import CliRunner
from fleet import free_port

from models import User
from server.__main__ import main
from server.actions import accounts
from server.faces.face import Face
from server.faces.tapatalk.door import YES, Result, refuse
from server.wire.types import Text

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CHECKOUT = ("models", "server", "README.md", "pyproject.toml", "setup.cfg")
MOST_SECONDS, SECONDS = 300, 60
# What cannot be typed here as it stands, by its first words, and why.
UNTYPED = {
    ".venv/bin/pip install -q -e '.[tests]'": "it is this very suite",
    "source <(switchboard completion": "each line is for another shell; the tests of the package type them",
}
# The database of the examples, for which the tests have one of their own.
EXAMPLE_STORE = re.compile(r"postgresql://[^@/ ]+@db\.example\.org/switchboard")


class Block(NamedTuple):
    """A fenced block: the language it is in, and its text."""

    language: str
    text: str

    @property
    def is_typed(self) -> bool:
        return not any(self.text.startswith(words) for words in UNTYPED)


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", README, re.M | re.S)]
# What is typed first of all, and what is typed first in every further shell.
FIRST, FURTHER, *REST = BLOCKS


def blocks(language: str, words: str = "") -> list[Block]:
    return [each for each in REST if each.language == language and words in each.text]


def environment(**variables: str) -> dict[str, str]:
    """The environment of a fresh shell, which finds no program of ours by itself."""
    places = os.get_exec_path()
    others = [each for each in places if not shutil.which("switchboard", path=each)]
    # Each module is compiled when it is first needed, and not all that is installed.
    lazy = {"PIP_NO_COMPILE": "1"}
    return {**os.environ, **lazy, "PATH": os.pathsep.join(others), "PYTHONPATH": "", **variables}


class Serving:
    """Lines of shell that end with a server, typed in a *folder*, and what they print until it is ready."""

    def __init__(self, text: str, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        with (folder / "errors").open("w") as errors:
            self.process = subprocess.Popen(
                ["sh", "-c", text],
                cwd=folder,
                env=environment(SWITCHBOARD_PORT=str(self.port), SWITCHBOARD_LIMITS="off"),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        watch = threading.Timer(MOST_SECONDS, self.interrupt)
        watch.start()
        assert self.process.stdout is not None
        self.printed = ""
        for line in self.process.stdout:
            self.printed += line
            if "is ready at" in line:
                break
        watch.cancel()

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)

    def stop(self) -> None:
        """End it; all that it printed has come when the last of its processes has ended."""
        self.interrupt()
        self.process.communicate(timeout=SECONDS)


class Served(Serving):
    """The checkout in which the README's first line was typed, and its cast."""

    def __init__(self, folder: Path) -> None:
        began = time.monotonic()
        super().__init__(FIRST.text, folder)
        self.took = time.monotonic() - began
        cast = re.findall(r"^ +(\w+): password (\S+), number \S+, token (\S+)$", self.printed, re.M)
        self.passwords = {name: password for name, password, _ in cast}
        self.tokens = {name: token for name, _, token in cast}
        self.key = "".join(re.findall(r"^ +server key: +(\S+)$", self.printed, re.M))

    def filled(self, text: str) -> str:
        """A block with this server's port and what it printed."""
        text = re.sub(r"\b(ann|bob):PASSWORD", lambda found: f"{found[1]}:{self.passwords[found[1]]}", text)
        for word, value in {"PASSWORD": self.passwords["ann"], "TOKEN": self.tokens["ann"]}.items():
            text = text.replace(word, value)
        return re.sub(r"\bKEY\b", self.key, text).replace(":8000", f":{self.port}")

    def further(self, text: str, folder: Path) -> str:
        """A text as it is typed into a further shell, which goes to *folder* then."""
        return f"cd {self.folder}\n{FURTHER.text}cd {folder}\n{text}"

    def run(self, text: str, folder: Path | None = None) -> str:
        """What is written by a text that is typed into a further shell, and succeeds."""
        done = subprocess.run(
            ["sh", "-c", self.further(text, folder or self.folder)],
            env=environment(),
            input="",
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, (text, done.stdout, done.stderr)
        return done.stdout

    def type_shell(self, block: Block) -> None:
        """Each command of a block in turn; CHAT is the id in the answer before."""
        chat = ""
        for line in commands(self.filled(block.text)):
            told = self.run(line.replace("CHAT", chat))
            assert "problem+json" not in told and '"error"' not in told and "fault" not in told, told
            if told.startswith(("{", "[")):
                answer = json.loads(told)
                chat = str((answer[0] if isinstance(answer, list) else answer).get("id", chat))

    def inbox(self, name: str) -> str:
        """The inbox of somebody, as his browser gets it after he has logged in."""
        browser = build_opener(HTTPCookieProcessor())
        address = f"http://127.0.0.1:{self.port}"
        form = urlencode({"name": name, "password": self.passwords[name], "next": "/inbox"}).encode()
        with browser.open(Request(f"{address}/login", form, {"Origin": address})) as answer:
            return str(answer.read().decode())


def commands(text: str) -> list[str]:
    """The commands of a block; what stands in quotes may go over lines."""
    found: list[str] = []
    for line in text.splitlines():
        if found and found[-1].count("'") % 2:
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """What comes of the first line of the README, typed in a fresh checkout."""
    if engines.name != "sqlite":
        pytest.skip("what the README serves first is embedded, whatever engine the tests run on")
    folder = tmp_path_factory.mktemp("checkout")
    for name in CHECKOUT:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    made = Served(folder)
    if "ready at" not in made.printed and "No matching distribution" in (folder / "errors").read_text():
        pytest.skip("pip cannot fetch what is installed")
    assert made.key, (folder / "errors").read_text()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def with_driver(served: Served) -> Served:
    """The checkout, with the driver of PostgreSQL as it is told to be installed."""
    install, *_ = on_postgresql()
    served.run(install)
    return served


def on_postgresql() -> list[str]:
    """The lines with which a server on PostgreSQL begins."""
    [block] = blocks("sh", "switchboard migrate")
    return commands(block.text)


def placed(text: str, folder: Path) -> str:
    """A text with a new database of the tests' own, and files in *folder*."""
    database = engines.cluster().blank(folder, "readme")
    return EXAMPLE_STORE.sub(database, text).replace("/srv/switchboard", str(folder))


def test_the_first_line_serves_within_minutes(served: Served) -> None:
    """Typed in a fresh checkout, one line installs and serves, and prints what is needed to go on."""
    assert served.took < MOST_SECONDS
    assert served.passwords.keys() == served.tokens.keys() == {"ann", "bob", "carol", "dave"}


def test_what_is_typed_at_the_doors_works(served: Served) -> None:
    """The lines of Python and curl work in their order, and the inbox has what came through every door."""
    for block in REST:
        if block.language == "python" and "ServerProxy(" in block.text:
            served.run(f"python -c {shlex.quote(served.filled(block.text))}")
        elif block.language == "sh" and "curl" in block.text:
            served.type_shell(block)
    shown = served.inbox("ann")
    assert "Make it one." in shown and "I am at the pier." in shown and "Dinner" in shown


def test_what_a_page_does_works(served: Served, browser: Any) -> None:
    """The lines of JavaScript send, and show what is heard."""
    [block] = blocks("js")
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{served.port}/docs")
    page.evaluate(
        f"""async (token) => {{
        window.shown = []; window.counted = [];
        const show = (message) => shown.push(message.text), badge = (number) => counted.push(number);
        {block.text}
    }}""",
        served.tokens["ann"],
    )
    page.evaluate(
        "new Promise(go => { const look = () => counted.length ? go() : setTimeout(look, 20); look() })"
    )
    page.close()


def test_what_is_typed_by_those_who_run_it_works(with_driver: Served, tmp_path: Path) -> None:
    """Each command of theirs succeeds in the order in which it stands, beside a new store."""
    [block] = blocks("sh", "switchboard user add")
    for line in commands(placed(block.text, tmp_path)):
        with_driver.run(line, tmp_path)
    assert {"monday.tar", "all.jsonl.gz"} <= {path.name for path in tmp_path.iterdir()}


def test_what_is_typed_for_postgresql_works(with_driver: Served, tmp_path: Path) -> None:
    """The lines that are about PostgreSQL end with a server on it."""
    _, *lines = on_postgresql()
    begun = Serving(with_driver.further(placed("\n".join(lines), tmp_path), tmp_path), tmp_path)
    begun.stop()
    assert "is ready at" in begun.printed, (tmp_path / "errors").read_text()
    assert "store:       postgresql://" in begun.printed


def test_settings_are_well(tmp_path: Path) -> None:
    """Each file of settings is taken by the program, where the driver of PostgreSQL is installed."""
    for block in blocks("toml"):
        (tmp_path / "switchboard.toml").write_text(block.text)
        command = ["config", "check", "--config", str(tmp_path / "switchboard.toml")]
        checked = CliRunner().invoke(main, command, catch_exceptions=False)
        assert checked.exit_code == 0, checked.output


def test_a_method_is_added_as_it_is_told() -> None:
    """The method that the README declares is one."""
    [block] = blocks("python", "@face.method")
    face = Face(User, refuse)
    exec(
        block.text,
        {"face": face, "User": User, "Text": Text, "Result": Result, "YES": YES, "accounts": accounts},
    )
    assert face.methods["rename_me"].least == 1


def test_every_block_is_typed() -> None:
    """Each block is one that a test here types, or one that is named with its reason."""
    typed = [
        *blocks("python", "ServerProxy("),
        *blocks("python", "@face.method"),
        *blocks("js"),
        *blocks("toml"),
        *blocks("sh", "curl"),
        *blocks("sh", "switchboard user add"),
        *blocks("sh", "switchboard migrate"),
    ]
    assert [each for each in REST if each.is_typed and each not in typed] == []
    assert sum(not each.is_typed for each in BLOCKS) == len(UNTYPED)
