"""What settings are made of: a file, an environment, and what workers are told."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from server.commands.opening import settings_options
from server.commands.sources import Sources
from server.config import Settings


def values(sources: Sources) -> dict[str, object]:
    return {name: given.value for name, given in sources.given.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def test_workers_have_the_settings_of_their_server() -> None:
    """What workers read of the environment is what was put there for them."""
    settings = Settings(port=9, database="postgresql://a:b@c/d", url="https://x", heartbeat=0.5, limits="off")
    assert Settings.from_environment(settings.environment()) == settings


def test_a_command_has_the_settings_that_are_no_flags_of_it(file: Path) -> None:
    """A command with some of the flags is given all settings, as the file and the environment have them."""
    seen = []

    @click.command()
    @settings_options("database")
    def look(**given: object) -> None:
        seen.append(Settings(**given))  # type: ignore[arg-type]  # they are of the types that flags make

    file.write_text('port = 9\nhost = "a"\n')
    words = ["--config", str(file), "--database", "sqlite:///x.db"]
    ended = CliRunner().invoke(look, words, env={"SWITCHBOARD_HOST": "b"}, catch_exceptions=False)
    assert (ended.exit_code, seen) == (0, [Settings(port=9, host="b", database="sqlite:///x.db")])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("port 9", "{} is not written in TOML: "),
        ("[serve]\nport = 9", "serve in {} is no setting; "),
        ("max-body = 9", "max-body in {} is no setting; did you mean max_body?"),
        ("config = 'x'", "config in {} is no setting; "),
        ("xyzzy = 9", "xyzzy in {} is no setting; see all there are: switchboard config table"),
        ("host = true", "host in {}: it has to be text in quotes, or a number."),
        ("extensions = ['png']", "extensions in {}: "),
        ("port = 8.5", "port in {}: '8.5' is not a valid whole number."),
    ],
)
def test_what_a_file_may_not_say(file: Path, text: str, fault: str) -> None:
    """Each fault of a file is a sentence that names the place, and the key that may be meant."""
    file.write_text(text)
    found = Sources({}, file)
    assert [each.startswith(fault.format(file)) for each in found.faults] == [True], found.faults
    assert found.given == {}


def test_a_file_that_is_not_there(file: Path) -> None:
    """A file of settings that cannot be read is a fault that names it."""
    assert Sources({}, file).faults == [f"{file} cannot be read: No such file or directory."]


def test_a_file_of_something_else(file: Path) -> None:
    """A file of settings that is no text is a fault that names it."""
    file.write_bytes(b"\xff\xfe")
    assert Sources({}, file).faults == [f"{file} is no text in UTF-8."]


def test_text_ends_before_its_last_newline(file: Path) -> None:
    """The newline at the end of a text is not part of it, wherever it stands."""
    file.write_bytes('\ufefffiles = """/srv/files\n"""'.encode())
    found = Sources({"SWITCHBOARD_HOST": "a\r\n", "SWITCHBOARD_PORT": "9\n"}, file)
    assert values(found) == {"files": "/srv/files", "host": "a", "port": 9}


def test_a_secret_in_a_file_of_its_own(tmp_path: Path) -> None:
    """SWITCHBOARD_DATABASE_FILE names the file in which the store's address stands."""
    secret = tmp_path / "secret"
    secret.write_text("sqlite:///x.db\n")
    assert values(Sources({"SWITCHBOARD_DATABASE_FILE": f"{secret}\n"}, None)) == {
        "database": "sqlite:///x.db"
    }


def test_a_secret_is_given_once(tmp_path: Path) -> None:
    """A secret that is given as it is and in a file as well is a fault."""
    secret = tmp_path / "secret"
    secret.write_text("sqlite:///x.db")
    both = {"SWITCHBOARD_DATABASE": "sqlite:///y.db", "SWITCHBOARD_DATABASE_FILE": str(secret)}
    assert Sources(both, None).faults == [
        "SWITCHBOARD_DATABASE and SWITCHBOARD_DATABASE_FILE are both set, and only one of them may be."
    ]


@pytest.mark.parametrize(("content", "told"), [(None, "cannot be read"), ("\n", "is empty")])
def test_a_secret_that_is_not_there(tmp_path: Path, content: str | None, told: str) -> None:
    """The file of a secret has to be there and hold something."""
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_text(content)
    [fault] = Sources({"SWITCHBOARD_DATABASE_FILE": str(secret)}, None).faults
    assert fault.startswith(f"{secret} of SWITCHBOARD_DATABASE_FILE {told}")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("SWITCHBOARD_PROT", "SWITCHBOARD_PORT"), ("SWITCHBOARD_HOST_FILE", "SWITCHBOARD_HOST")],
)
def test_a_variable_that_nobody_knows(name: str, meant: str) -> None:
    """A variable of ours that is no setting's is a fault that names the nearest that is."""
    assert Sources({name: "1"}, None).faults == [f"{name} is no setting; did you mean {meant}?"]


def test_variables_of_others_are_no_business_of_ours() -> None:
    """Variables without our prefix are passed over."""
    found = Sources({"PORT": "x", "PATH": "/bin", "MY_SWITCHBOARD_PROT": "1"}, None)
    assert (found.given, found.faults) == ({}, [])
