"""What doctor finds, on stores and settings that are well and that are not."""

import importlib.metadata
import os
import sqlite3
import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import engines
import pytest
from click.testing import CliRunner
from shop import powerless

from models import Conversation, Message, close_store, database, now, open_store
from server.__main__ import main
from server.commands import doctor
from server.commands.doctor import LOOK, MEND, OK, Finding
from server.config import Settings

HOUR = 3600
Disk = namedtuple("Disk", "total used free")


def findings(settings: Settings) -> list[Finding]:
    return list(doctor.examined(settings))


def of(about: str, found: list[Finding]) -> set[str]:
    """What is said of one thing."""
    return {each.word for each in found if each.about == about}


@pytest.fixture
def well(settings: Settings) -> Settings:
    """Settings, store and files with which nothing is wrong."""
    settings.files_folder.mkdir(mode=0o700)
    for path in Path(settings.files).parent.glob("*.db"):
        path.chmod(0o600)
    return Settings(database=settings.database, files=settings.files)


def options(settings: Settings) -> list[str]:
    return ["--database", settings.database, "--files", settings.files]


def test_what_is_well_is_ok(well: Settings) -> None:
    """Where all is as it should be every line says so, and the status is 0."""
    done = CliRunner().invoke(main, ["doctor", *options(well)])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith("ok    ")] == []
    about = [line[6:].partition(":")[0] for line in lines]
    assert {"settings", "proxies", "Python", "packages", "room for files", "clock", "store"} <= set(about)
    assert "newest message" in about
    assert len(set(about)) == len(about)


def test_what_has_to_be_mended_is_counted(tmp_path: Path) -> None:
    """Where something has to be mended it is told in a line, and the status is not 0."""
    place = ["--database", f"sqlite:///{tmp_path}/no/where.db", "--files", str(tmp_path)]
    done = CliRunner().invoke(main, ["doctor", *place])
    assert done.exit_code != 0
    assert f"mend  place of store: the folder {tmp_path}/no does not exist; please make it." in done.stdout
    assert "1 of " in done.stderr


def test_what_may_be_meant_is_no_failure(tmp_path: Path) -> None:
    """What may be meant so is told, and the status is 0; nothing is made by looking."""
    place = ["--database", f"sqlite:///{tmp_path}/live.db", "--files", str(tmp_path / "live.files")]
    done = CliRunner().invoke(main, ["doctor", *place, "--limits", "off"])
    assert done.exit_code == 0
    assert "look  settings: limits are off" in done.stdout
    assert "look  store: there is none" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"limits": "off"}, LOOK),
        ({"durability": "relaxed"}, LOOK),
        ({"log_level": "debug"}, LOOK),
        ({"workers": 10_000}, LOOK),
        ({"metrics": "on"}, LOOK),
        ({"metrics": "local"}, OK),
        ({"cors": "*"}, LOOK),
        ({"cors": "https://forum.example.org, https://www.example.org:8443"}, OK),
        ({"cors": "capacitor://localhost"}, OK),
        ({"cors": "https://forum.example.org, *"}, LOOK),
    ],
)
def test_settings_are_looked_at(values: dict[str, Any], word: str) -> None:
    """Settings that are seldom meant are looked at, and no others."""
    assert {each.word for each in doctor.of_settings(Settings(**values))} == {word}


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({}, OK),
        ({"url": "https://talk.example.org", "proxies": "127.0.0.1"}, OK),
        ({"url": "https://example.org/talk/", "proxies": "127.0.0.1", "host": "0.0.0.0"}, OK),
        ({"url": "https://talk.example.org"}, LOOK),
        ({"url": "https://talk.example.org", "host": "0.0.0.0"}, LOOK),
        ({"url": "http://talk.example.org", "proxies": "127.0.0.1"}, LOOK),
        ({"url": "http://127.0.0.1:8000", "proxies": "127.0.0.1"}, OK),
        ({"proxies": "127.0.0.1"}, LOOK),
        ({"host": "0.0.0.0"}, LOOK),
    ],
)
def test_address_and_proxies_have_to_fit(values: dict[str, Any], word: str) -> None:
    """The address for the world, the proxies, and where the server listens are held against each other."""
    assert {each.word for each in doctor.of_proxies(Settings(**values))} == {word}


@pytest.mark.parametrize(
    ("there", "least", "word"),
    [("3.11.7", "3.11", OK), ("3.9", "3.11", MEND), ("14.2 (Debian 14.2-1)", "14", OK), ("17rc1", "14", OK)],
)
def test_versions_are_compared_by_their_numbers(there: str, least: str, word: str) -> None:
    """What is older than what is asked for has to be mended."""
    assert doctor.compared("It", there, least).word == word


def test_each_package_is_compared(well: Settings) -> None:
    """A package that is too old or missing has to be mended; what is for tests alone is not asked for."""
    asked = [
        "click>=8.1",
        "peewee>=999.0",
        "no-such-package>=1.0",
        'uvloop>=999.0; sys_platform != "win32"',
        'no-such-loop>=0.21; sys_platform != "win32"',
        'no-such-test>=1.0; extra == "tests"',
    ]
    found = {each.about: each.word for each in doctor.of_packages(asked, well)}
    assert found == {"peewee": MEND, "no-such-package": MEND, "uvloop": MEND, "no-such-loop": LOOK}


@pytest.mark.parametrize(("place", "is_asked"), [("postgresql://db/x", True), ("sqlite:///x.db", False)])
def test_the_driver_is_asked_for_where_it_is_wanted(place: str, is_asked: bool) -> None:
    """The driver of PostgreSQL has to be there where the store is on one."""
    found = doctor.of_packages(['psycopg[binary]>=999.0; extra == "postgresql"'], Settings(database=place))
    assert [each.word for each in found] == [MEND if is_asked else OK]


def test_what_is_asked_for_is_read(well: Settings) -> None:
    """All that the program asks for is understood, but for what its tests alone need."""
    asked = importlib.metadata.requires(doctor.NAME) or []
    assert [each for each in asked if not doctor.REQUIREMENT.fullmatch(each)] == []


def test_others_shall_not_read(well: Settings) -> None:
    """Where others on the machine may read the files, that is told."""
    well.files_folder.chmod(0o755)
    assert of("place of files", findings(well)) == {LOOK}


@pytest.mark.parametrize(("free", "word"), [(2**40, OK), (500 * 2**20, LOOK), (10 * 2**20, MEND), (0, MEND)])
def test_room_is_told_of(free: int, word: str) -> None:
    """Little room is told, and too little has to be mended."""
    assert doctor.of_room("room for files", free).word == word


@pytest.fixture
def message(well: Settings) -> Iterator[Message]:
    """The newest message of a store."""
    open_store(well.database)
    place = Conversation.create(app="messages", peer="Shop", last_seq=1, subject="")
    yield Message.create(conversation=place, seq=1, body="Hello")
    open_store(well.database)
    close_store()


@pytest.mark.parametrize(("ahead", "word"), [(-HOUR, OK), (HOUR, LOOK)])
def test_messages_of_the_future_are_told_of(well: Settings, message: Message, ahead: int, word: str) -> None:
    """A newest message from ahead of the clock says that one of the two is wrong."""
    sent = now().timestamp() + ahead
    Message.update(sent_at=type(now()).fromtimestamp(sent, now().tzinfo)).execute()
    close_store()
    assert of("newest message", findings(well)) == {word}


def test_a_missing_step_is_told_of(well: Settings) -> None:
    """A store that lacks a step is told of; on a server it has to be taken, a file takes it by itself."""
    open_store(well.database)
    database.execute_sql("DELETE FROM migration WHERE name = '0006_holders'")
    close_store()
    word = LOOK if engines.name == "sqlite" else MEND
    assert [each.word for each in findings(well) if "0006_holders" in each.text] == [word]


def test_a_store_that_is_newer_has_to_be_mended(well: Settings) -> None:
    """A store that has had a step which nobody here knows is told of."""
    open_store(well.database)
    database.execute_sql("INSERT INTO migration (name, applied) VALUES ('9999_future', '2026-11-22')")
    close_store()
    assert [each.word for each in findings(well) if "9999_future" in each.text] == [MEND]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that may be a store."""
    path = tmp_path / "live.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE a (b); INSERT INTO a VALUES (zeroblob(100000));")
    path.chmod(0o600)
    return path


def test_damage_has_to_be_mended(file: Path) -> None:
    """A store with a ruined page is damaged, and what to do is told."""
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * 4096)
    [finding] = doctor.of_store(Settings(database=f"sqlite:///{file}"))
    assert finding.word == MEND
    assert finding.text.startswith("it is damaged: ")
    assert "switchboard restore" in finding.text


def test_what_is_no_store_has_to_be_mended(file: Path) -> None:
    """A file that is something else is told of in one finding."""
    file.write_text("something else, and long enough to be read as a head\n" * 100)
    assert [each.word for each in doctor.of_store(Settings(database=f"sqlite:///{file}"))] == [MEND]


@pytest.mark.parametrize(("about", "name"), [("store", "live.db"), ("files", "live.files")])
def test_what_is_in_somebody_else_s_folder_has_to_be_mended(tmp_path: Path, about: str, name: str) -> None:
    """A place in a folder that this user may not enter has to be mended, and all the rest is told as well."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    places = {"store": tmp_path / "live.db", "files": tmp_path / "live.files", about: closed / name}
    where = ["--database", f"sqlite:///{places['store']}", "--files", str(places["files"])]
    lines = powerless("doctor", *where).stdout.splitlines()
    assert [line.partition(" cannot be reached")[0] for line in lines if line.startswith(MEND)] == [
        f"mend  place of {about}: {closed / name}"
    ]
    assert any(line.startswith("ok    clock: ") for line in lines)


def test_a_folder_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a place is given without its folder, the folder that has to be writable is told as it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, rights: False)
    found = list(doctor.of_places(Settings(database="sqlite:///live.db")))
    assert all(each.text.endswith(f"write in {tmp_path}.") for each in found) and len(found) == 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to others")
def test_what_another_user_has_left_has_to_be_mended(file: Path) -> None:
    """A log beside the store that belongs to somebody else keeps its server from writing."""
    beside = file.with_name("live.db-wal")
    beside.touch()
    settings = Settings(database=f"sqlite:///{file}", files=str(file.parent / "files"))
    assert of("place of store", list(doctor.of_places(settings))) == {OK}
    os.chown(beside, 12345, -1)
    assert of("place of store", list(doctor.of_places(settings))) == {OK, MEND}


def test_a_server_that_does_not_answer_has_to_be_mended() -> None:
    """A database server that is not there is told of, without the password in its address."""
    address = "postgresql://switchboard:hushhush@127.0.0.1:1/nothing"
    found = list(doctor.of_store(Settings(database=address)))
    assert [each.word for each in found] == [MEND]
    assert "hushhush" not in found[0].text


@pytest.mark.parametrize(("apart", "word"), [(0, OK), (5, LOOK), (-HOUR, MEND)])
def test_the_clock_of_a_database_server_is_compared(
    apart: int, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database server whose clock tells something else is told of."""
    open_store(engines.cluster().address("postgres"))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + apart)
    assert doctor.of_server_clock().word == word
    close_store()


def test_a_clock_that_jumps_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is set while it is looked at is told of."""
    assert [each.word for each in doctor.of_clock()] == [OK]
    moments = iter([1000.0, 1000.0 + HOUR])
    monkeypatch.setattr(time, "time", lambda: next(moments))
    assert [each.word for each in doctor.of_clock()] == [LOOK]
