"""Settings by flag, variable and file, and what is said of wrong ones, through the real program."""

import dataclasses
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen
from xmlrpc.client import ServerProxy

import click
import pytest
from click.testing import CliRunner, Result
from conftest import READY, Live
from disks import small_disk
from shop import PROGRAM, Shop, bare, one_sentence, powerless, refused

from server.__main__ import main
from server.config import variable

README = Path(__file__).parent.parent.parent / "README.md"
SERVE = main.commands["serve"]
WITH_PASSWORD = "postgresql://ann:hunter2@127.0.0.1:1/live"


def switchboard(*arguments: str, **variables: str | None) -> Result:
    """The program with these words and variables."""
    return CliRunner().invoke(main, arguments, prog_name="switchboard", env=variables, catch_exceptions=False)


def told(*arguments: str, **variables: str | None) -> str:
    """The sentence with which the program refuses these words and variables."""
    ended = switchboard(*arguments, **variables)
    assert ended.exit_code != 0 and ended.stdout == ""
    return one_sentence(ended.stderr)


def shown(*arguments: str, **variables: str | None) -> dict[str, tuple[str, str]]:
    """What `config show` has of each setting: its value, and who gives it."""
    ended = switchboard("config", "show", *arguments, **variables)
    assert ended.exit_code == 0, ended.output
    rows = (line.split(maxsplit=2) for line in ended.stdout.splitlines())
    return {name: (value, giver) for name, value, giver in rows}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


# The first minute


def test_without_a_command_the_help_says_how_to_begin() -> None:
    """`switchboard` alone lists the commands and names the one with which to try it."""
    said = switchboard().output
    assert "  backup " in said and "switchboard serve --demo" in said


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["srve"], "serve"),
        (["user", "ad", "ann"], "add"),
        (["serve", "--prot", "9000"], "--port"),
        (["user", "list", "--databse", "x"], "--database"),
    ],
)
def test_a_mistyped_word(words: list[str], meant: str) -> None:
    """A command or flag that there is not is refused with the nearest that there is."""
    assert f"did you mean {meant}?" in told(*words)


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["xyzzy"], "switchboard --help"),
        (["serve", "--xyzzy"], "switchboard serve --help"),
        (["serve", "now"], "switchboard serve --help"),
        (["user", "add"], "switchboard user add --help"),
        (["deploy", "show"], "switchboard deploy show --help"),
    ],
)
def test_a_word_that_is_like_nothing(words: list[str], place: str) -> None:
    """Words that make no sense are refused with where to look."""
    assert f"see {place}" in told(*words)


def test_a_port_in_use(shop: Shop) -> None:
    """`serve` at a port where somebody listens is refused in one sentence that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert port in shop.refused("serve", "--port", port)


def test_a_port_that_another_server_has(live: Live, shop: Shop) -> None:
    """`serve` at the port of a running server is refused rather than sharing its calls."""
    port = live.address.rsplit(":", 1)[1]
    assert port in shop.refused("serve", "--port", port)


def test_an_address_that_is_not_ours(shop: Shop) -> None:
    """`serve` at an address of another machine is refused in one sentence that names it."""
    assert "192.0.2.1" in shop.refused("serve", "--host", "192.0.2.1", "--port", "0")


def test_a_folder_that_cannot_be_written(tmp_path: Path, shop: Shop) -> None:
    """`serve` where its store or its attachments could not be kept names the folder and the flag."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, 2**20) as mounted:
        mounted.mount("remount,ro")
        said = refused(f"sqlite:///{disk}/live.db", "serve", "--port", "0")
        assert f"{disk} cannot be written" in said and "--database" in said
        said = shop.refused("serve", "--port", "0", "--files", str(disk / "new" / "files"))
        assert f"{disk} cannot be written" in said and "--files" in said


@pytest.mark.parametrize("option", ["--database=sqlite:///{}/live.db", "--files={}/new/files"])
def test_a_folder_that_cannot_be_reached(tmp_path: Path, shop: Shop, option: str) -> None:
    """`serve` with a place in a folder that it may not enter names the place and says what to do."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    ended = powerless("serve", "--port", "0", "--database", shop.database, option.format(closed))
    assert ended.returncode != 0
    said = one_sentence(ended.stderr)
    assert str(closed) in said and "please" in said


def test_attachments_need_a_folder(shop: Shop) -> None:
    """`serve` is refused where the folder of attachments is something else."""
    assert f"{shop.path} is no folder" in shop.refused("serve", "--port", "0", "--files", str(shop.path))


def test_a_database_server_that_does_not_answer() -> None:
    """`serve` names the address of a database server that does not answer, without the password."""
    said = told("serve", "--port", "0", "--database", WITH_PASSWORD)
    assert "127.0.0.1:1/live" in said and "hunter2" not in said


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:p@hunter2@127.0.0.1:1/live",
        "postgresql://ann:p/hunter2@127.0.0.1:1/live",
        "postgresql://ann:p/hunter2?x=y@127.0.0.1:1/live",
        "postgresql://ann:p@hunter2?x@127.0.0.1:1/live",
        "postgresql://ann:p%hunter2@127.0.0.1:1/live",
    ],
)
def test_a_password_that_is_not_written_as_in_an_address(address: str) -> None:
    """A password of which the driver would take a part for something else is refused, and not told."""
    for said in (told("user", "list", "--database", address), told("move", address, "sqlite:///x.db")):
        assert "@ as %40" in said
        assert "hunter2" not in said


@pytest.mark.parametrize("address", ["postgresql://ann:p%40%2F?#=x@127.0.0.1:1/live?application_name=a@b"])
def test_a_password_of_odd_signs(address: str) -> None:
    """A password may have any sign, written as in an address."""
    assert "Connection refused" in told("user", "list", "--database", address)


WRONG = {
    "port": ["70000", "-1", "x", "8000.5"],
    "workers": ["0", "-3"],
    "max_request": ["-1"],
    "message_interval": ["-1", "soon", "nan", "inf", "1e300"],
    "events_kept": ["nan", "inf", "1e12"],
    "heartbeat": ["nan", "inf"],
    "limits": ["maybe"],
    "log_level": ["loud"],
    "url": ["talk.example.org", "https://", "https://:8443", "https://[x"],
    "cors": ["https://a.example.org, forum.example.org", "https://a.example.org/path"],
    "proxies": ["nginx"],
    "database": ["nonsense", "oracle://x/y"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_a_wrong_value_is_refused(tmp_path: Path, file: Path, name: str, value: str) -> None:
    """A value that a setting cannot have is refused wherever it stands, and the place is named."""
    file.write_text(f'{name} = "{value}"\n')
    flag = f"--{name.replace('_', '-')}"
    assert flag in told("serve", f"{flag}={value}")
    assert variable(name) in told("serve", **{variable(name): value})
    assert f"{name} in {file}" in told("serve", "--config", str(file))


# Where values come from


@pytest.mark.parametrize("option", SERVE.params, ids=lambda option: option.opts[0])
def test_every_option_of_serve_has_a_variable(option: click.Parameter) -> None:
    """Every option of `serve` can also be set by an environment variable of its name."""
    assert option.envvar == variable(option.opts[0].lstrip("-").replace("-", "_"))


def test_flags_win_then_variables_then_the_file(file: Path) -> None:
    """A setting has the value of its flag, else of its variable, else of the file, else its default."""
    file.write_text('port = 1\nhost = "a"\nurl = "https://a"\n')
    variables = {"SWITCHBOARD_PORT": "2", "SWITCHBOARD_HOST": "b"}
    got = shown("--config", str(file), "--port", "3", **variables)
    assert got["port"] == ("3", "flag --port")
    assert got["host"] == ("b", "environment SWITCHBOARD_HOST")
    assert got["url"] == ("https://a", f"file {file}")
    assert got["workers"] == ("1", "default")


def test_the_file_can_be_given_by_a_variable(file: Path) -> None:
    """SWITCHBOARD_CONFIG names the file where `--config` does not."""
    file.write_text("port = 1\n")
    assert shown(SWITCHBOARD_CONFIG=str(file))["port"] == ("1", f"file {file}")


def test_a_variable_that_is_empty_says_nothing(file: Path) -> None:
    """A variable that is set to nothing leaves a setting to the file."""
    file.write_text("port = 1\n")
    assert shown("--config", str(file), SWITCHBOARD_PORT="")["port"][0] == "1"


@pytest.mark.parametrize("source", ["flag", "variable", "file of a variable", "file"])
def test_a_password_is_not_shown(tmp_path: Path, file: Path, source: str) -> None:
    """`config show` shows a store's address without its password, wherever it comes from."""
    file.write_text(f'database = "{WITH_PASSWORD}"')
    secret = tmp_path / "secret"
    secret.write_text(f"{WITH_PASSWORD}\n")
    ways: dict[str, Callable[[], Result]] = {
        "flag": lambda: switchboard("config", "show", "--database", WITH_PASSWORD),
        "variable": lambda: switchboard("config", "show", SWITCHBOARD_DATABASE=WITH_PASSWORD),
        "file of a variable": lambda: switchboard("config", "show", SWITCHBOARD_DATABASE_FILE=str(secret)),
        "file": lambda: switchboard("config", "show", "--config", str(file)),
    }
    said = ways[source]()
    assert "postgresql://ann:***@127.0.0.1:1/live" in said.stdout
    assert "hunter2" not in said.output


@pytest.mark.parametrize("command", [["user", "list"], ["check"], ["key", "list"]], ids=" ".join)
def test_every_command_heeds_file_and_variables(shop: Shop, file: Path, command: list[str]) -> None:
    """Commands with few flags find the store by the file or a variable, and refuse what is wrong there."""
    file.write_text(f'database = "{shop.database}"\nport = 9000\n')
    assert switchboard(*command, "--config", str(file)).exit_code == 0
    assert switchboard(*command, SWITCHBOARD_DATABASE=shop.database).exit_code == 0
    file.write_text(f'database = "{shop.database}"\nprot = 9000\n')
    assert "did you mean port?" in told(*command, "--config", str(file))


def test_help_is_given_whatever_is_wrong() -> None:
    """A wrong variable keeps nobody from reading the help."""
    assert switchboard("serve", "--help", SWITCHBOARD_PORT="x").exit_code == 0


# config check


def test_check_tells_every_fault(file: Path) -> None:
    """`config check` tells each fault of the file and of the variables in a line, and ends with an error."""
    file.write_text('port = "x"\nprot = 1\n')
    ended = switchboard(
        "config", "check", "--config", str(file), SWITCHBOARD_HOTS="a", SWITCHBOARD_WORKERS="0"
    )
    assert ended.exit_code != 0
    assert [line.split(" is ")[0] for line in sorted(ended.stdout.splitlines())] == [
        "SWITCHBOARD_HOTS",
        "SWITCHBOARD_WORKERS: 0",
        f"port in {file}: 'x'",
        f"prot in {file}",
    ]


def test_check_finds_what_another_source_overrides(file: Path) -> None:
    """`config check` tells a fault of the file also where a variable gives the setting."""
    file.write_text('port = "x"\n')
    assert switchboard("config", "check", "--config", str(file), SWITCHBOARD_PORT="1").exit_code != 0


def test_check_ends_well_where_all_is(file: Path) -> None:
    """`config check` of good settings says so."""
    file.write_text('port = 9000\nmessage_interval = 0.5\nlimits = "off"\n')
    ended = switchboard("config", "check", "--config", str(file), SWITCHBOARD_DEMO="yes")
    assert (ended.exit_code, ended.stdout) == (0, "All settings are well.\n")


# The table


def test_the_readme_has_the_table() -> None:
    """The table of settings in the README is the one that `config table` writes."""
    table = switchboard("config", "table").stdout
    assert f"\n\n{table}\n" in README.read_text()


def test_the_table_has_every_setting() -> None:
    """The table has a row for each flag of `serve` that sets something."""
    rows = switchboard("config", "table").stdout.splitlines()[2:]
    flags = [option.name for option in SERVE.params if option.name not in ("config", "with_demo")]
    assert [row.split("`")[1] for row in rows] == flags


# What settings do

IN_FILE = """
host = "127.0.0.9"
durability = "relaxed"
max_request = 5000
max_upload = 4321
max_attachments = 3
extensions = "txt"
max_recipients = 1
"""
IN_ENVIRONMENT = {
    "SWITCHBOARD_HOST": "127.0.0.2\n",
    "SWITCHBOARD_PORT": "0",
    "SWITCHBOARD_WORKERS": "2",
    "SWITCHBOARD_LIMITS": "off",
    "SWITCHBOARD_URL": "https://talk.example.org",
    "SWITCHBOARD_MAX_SUBJECT": "7",
    "SWITCHBOARD_MAX_BODY": "8",
}


@dataclasses.dataclass
class Configured:
    """A server that was given no flags, but a file and variables, and Ann at its door."""

    process: subprocess.Popen[str]
    greeting: str
    address: str
    ann: Any
    welcome: Any


@pytest.fixture(scope="module")
def configured(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configured]:
    folder = tmp_path_factory.mktemp("configured")
    store = Shop(Path(shutil.copytree(good, folder / "shop")))
    store.done("user", "password", "ann", "--password-stdin", input="secret\n")
    (folder / "secret").write_text(f"{store.database}\n")
    (folder / "settings.toml").write_text(f'{IN_FILE}files = "{folder}/elsewhere"\n')
    environment = bare(
        **IN_ENVIRONMENT,
        SWITCHBOARD_CONFIG=f"{folder}/settings.toml",
        SWITCHBOARD_DATABASE_FILE=f"{folder}/secret",
    )
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [*PROGRAM, "serve"], stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=folder
        ) as process,
    ):
        try:
            greeting, address = heard(process)
            with ServerProxy(
                address.replace("://", "://ann:secret@") + "/RPC2", use_builtin_types=True
            ) as ann:
                yield Configured(process, greeting, address, ann, ann.login(b"ann", b"secret"))
        finally:
            process.terminate()
            process.wait(timeout=15)


def heard(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a server says until it is ready, and its address."""
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if found := READY.search(line):
            return "".join(lines), found[1]
    raise AssertionError("the server did not start")


SEEN: dict[str, Callable[[Configured], bool]] = {
    "HOST": lambda it: it.address.startswith("http://127.0.0.2:"),
    "PORT": lambda it: not it.address.endswith((":0", ":8000")),
    "WORKERS": lambda it: len(workers_of(it.process.pid)) == 2,
    "URL": lambda it: "https://talk.example.org/mobiquo" in it.greeting,
    "FILES": lambda it: "elsewhere" in it.greeting,
    "MAX_REQUEST": lambda it: is_too_large(it, 5001),
    "MAX_UPLOAD": lambda it: it.welcome["max_attachment_size"] == 4321,
    "MAX_ATTACHMENTS": lambda it: it.welcome["max_attachment"] == 3,
    "EXTENSIONS": lambda it: it.welcome["allowed_extensions"] == "txt",
    "MAX_SUBJECT": lambda it: "7" in refusal(it, [b"bob"], b"x" * 8, b"hello"),
    "MAX_BODY": lambda it: "8" in refusal(it, [b"bob"], b"hello", b"x" * 9),
    "MAX_RECIPIENTS": lambda it: "1" in refusal(it, [b"bob", b"dave"], b"hello", b"hello"),
}


def workers_of(pid: int) -> list[int]:
    """The processes that a server has started to answer calls, and that still run."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    started = [int(word) for task in tasks for word in task.read_text().split()]
    return [each for each in started if b"resource_tracker" not in Path(f"/proc/{each}/cmdline").read_bytes()]


def is_too_large(it: Configured, size: int) -> bool:
    """Whether a body of this size is refused as such and one of half of it is not."""
    with urlopen(f"{it.address}/RPC2", b"x" * (size // 2), timeout=10) as answer:
        assert answer.status == 200
    with suppress(OSError):
        try:
            urlopen(f"{it.address}/RPC2", b"x" * size, timeout=10).close()
        except HTTPError as error:
            error.close()
            return error.code == 413
    return False


def refusal(it: Configured, names: list[bytes], subject: bytes, body: bytes) -> str:
    answer = it.ann.new_conversation(names, subject, body)
    assert not answer["result"]
    return str(answer["result_text"].decode())


@pytest.mark.parametrize("name", SEEN)
def test_a_setting_counts(configured: Configured, name: str) -> None:
    """What the file and the variables say is how the server behaves, variables before the file."""
    assert SEEN[name](configured)
