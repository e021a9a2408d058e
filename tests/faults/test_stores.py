"""Stores that are damaged, cannot be written, or are taken away from under a server."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from xmlrpc.client import Fault

import engines
import pytest
from click.testing import CliRunner
from conftest import Live
from disks import small_disk
from fleet import Connection, Refused, Room, assert_kept, crowd, wait_for
from rest_client import Chatter

from models import close_store, database, open_store
from server import demo
from server.__main__ import main
from server.config import Settings
from server.files import Files

PAGE = 4096
COMMANDS = (
    "serve --port 0",
    "user add eve",
    "user list",
    "backup {}/b.tar",
    "export {}/e.jsonl",
    "migrate",
    "check",
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded store with the demo cast, which nobody has open."""
    folder = tmp_path_factory.mktemp("good")
    path = Path(engines.Embedded().empty(folder, "good").removeprefix("sqlite:///"))
    settings = Settings(database=f"sqlite:///{path}", files=str(folder / "files"))
    open_store(settings.database)
    demo.fill(settings, Files(settings.files_folder))
    database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    close_store()
    return path


def overwritten(path: Path) -> None:
    """Some pages in the middle are of something else."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xa5" * 8192)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_a_little(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1000)


def of_something_else(path: Path) -> None:
    path.write_bytes(b"This is a shopping list.\n" * 400)


def refused(path: Path, command: str) -> None:
    """The program refuses to use a store, in one sentence that is told once."""
    place = ["--database", f"sqlite:///{path}", "--files", str(path.parent / "files")]
    ended = CliRunner().invoke(main, [*command.format(path.parent).split(), *place])
    assert ended.exit_code == 1, ended.output
    assert ended.output.startswith("Error: ") or command == "check", ended.output
    assert ended.stderr.count("\n") == 1 and ended.stderr.endswith(".\n"), ended.stderr


@pytest.mark.parametrize("damage", [overwritten, cut, cut_a_little, of_something_else])
def test_a_damaged_store_is_refused(good: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Every command refuses a damaged store in one sentence, and changes and makes nothing."""
    path = tmp_path / "live.db"
    shutil.copy(good, path)
    damage(path)
    before = path.read_bytes()
    for command in COMMANDS:
        refused(path, command)
        assert path.read_bytes() == before
    close_store()
    assert [each.name for each in tmp_path.iterdir() if not each.name.startswith("live.db")] == []


@pytest.mark.parametrize("is_lock_there", [False, True])
def test_a_store_that_cannot_be_written(good: Path, tmp_path: Path, is_lock_there: bool) -> None:
    """A store on a disk that cannot be written is not served, which is said in one sentence."""
    with small_disk(tmp_path, 8 * 2**20) as disk:
        shutil.copy(good, tmp_path / "live.db")
        if is_lock_there:
            (tmp_path / "live.db.lock").touch()
        disk.mount("remount,ro")
        for command in ("serve --port 0", "user add eve"):
            refused(tmp_path / "live.db", command)
        assert (tmp_path / "live.db").read_bytes() == good.read_bytes()


def remove(path: Path, good: Path) -> None:
    path.unlink()


def replace(path: Path, good: Path) -> None:
    shutil.copy(good, path.with_name("new.db"))
    os.replace(path.with_name("new.db"), path)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Live]:
    """A server on an embedded store, whatever the engine of the run is."""
    made = Live(tmp_path, "--limits", "off", database=f"sqlite:///{tmp_path}/live.db")
    yield made
    made.stop()


@pytest.mark.parametrize("take_away", [remove, replace])
def test_a_store_that_is_taken_away(
    served: Live, good: Path, take_away: Callable[[Path, Path], None]
) -> None:
    """Where the file of a served store is gone or another, nothing is acknowledged, and health says so."""
    path, aside = served.folder / "live.db", served.folder / "aside.db"
    room = Room(served, 3)
    with crowd(room, served.address) as people, closing(Connection(served.address)) as anyone:
        for each in people:
            each.speak()
        os.link(path, aside)
        take_away(path, good)
        assert {refusal_of(door) for each in people for door in (each.by_forum, each.by_chat)} == {503}
        status, text = anyone.ask("GET", "/healthz", None, "")
        assert (status, b"removed or replaced" in text) == (503, True)
        os.replace(aside, path)
        for each in people:
            each.speak()
        assert [each.failed for each in people] == [[]] * 3
        assert len(assert_kept(served, room, people)) == 6
        assert anyone.ask("GET", "/healthz", None, "")[0] == 200


def every_page_overwritten(path: Path) -> None:
    """All pages but the first are of something else, those in the log too."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(PAGE)
        file.write(b"\xa5" * (path.stat().st_size - PAGE))


def test_damage_under_a_server_is_told(served: Live) -> None:
    """Where pages of a served store are overwritten each door refuses with the cause, and it is not ready."""
    room, log = Room(served, 2), served.folder / "live.log"
    with crowd(room, served.address) as [ann, bob], closing(Connection(served.address)) as anyone:
        for each in (ann, bob):
            each.speak()
        anyone.http.request("GET", "/chat/events", headers=ann.own.headers)
        assert anyone.http.getresponse().status == 200
        every_page_overwritten(served.folder / "live.db")
        for door in (ann.by_forum, ann.by_chat, bob.by_phone):
            with pytest.raises(Refused, match="The store is damaged") as refusal:
                door("lost")
            assert refusal.value.code == 503
        for path in ("/healthz", "/readyz", "/inbox", "/chat/events"):
            status, text = ann.own.ask("GET", path, None, "")
            assert (path, status, b"The store is damaged." in text) == (path, 503, True)
        assert ann.own.ask("GET", "/mobiquo/avatar.php?user_id=1", None, "")[0] == 503
        wait_for(lambda: "listeners have to wait: database disk image is malformed" in log.read_text())
    assert served.stop() == 0
    assert "not noted: database disk image is malformed" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_damage_of_some_pages_is_told(served: Live) -> None:
    """Where only what is asked for is damaged, that is refused, and the server is not ready from then on."""
    room = Room(served, 2)
    path = served.folder / "live.db"
    with crowd(room, served.address) as [ann, _], closing(Connection(served.address)) as anyone:
        ann.speak()
        assert anyone.ask("GET", "/readyz", None, "")[0] == 200
        overwrite(path, "message")
        assert ann.own.ask("GET", f"/chat/{room.id}/messages", None, "")[0] == 503
        assert anyone.ask("GET", "/healthz", None, "")[0] == 200
        assert anyone.ask("GET", "/readyz", None, "") == (503, b"The store is damaged.\n")


def refusal_of(door: Callable[[str], int]) -> int:
    with pytest.raises(Refused, match="removed or replaced") as refusal:
        door("lost")
    return refusal.value.code


@contextmanager
def made_read_only(cluster: engines.Cluster, name: str) -> Iterator[None]:
    """The database takes no writing, as somebody has told it."""
    cluster.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    cluster.cut(name)
    yield


@contextmanager
def made_a_standby(cluster: engines.Cluster, name: str) -> Iterator[None]:
    """The database server only follows another one."""
    mark = cluster.folder / "data" / "standby.signal"
    cluster.end(signal.SIGINT)
    mark.touch()
    shutil.chown(mark, cluster.user)
    cluster.start()
    try:
        yield
    finally:
        cluster.end(signal.SIGINT)
        mark.unlink()
        cluster.start()


@pytest.mark.parametrize("harm", [made_read_only, made_a_standby])
def test_a_store_that_takes_no_writing(
    tmp_path: Path, harm: Callable[[engines.Cluster, str], AbstractContextManager[None]]
) -> None:
    """On a database that can only be read, reading goes on, and what would write is refused with 503."""
    cluster = engines.cluster()
    name = cluster.empty(tmp_path, "live").rpartition("/")[2]
    live = Live(tmp_path, "--limits", "off", database=cluster.address(name))
    ann, bob, script = live.member(), live.member(), live.script()
    ann.rpc.new_conversation([bob.name], "Subject", "Body")
    with harm(cluster, name):
        reader = Chatter(live.address, bob.token, bob.id)
        assert reader.get("/chat").status == 200
        assert bob.rpc.get_inbox_stat()["inbox_unread_count"] == 1
        assert script.PhoneApp_IsInCallByNumber("555-1") is False
        refused = reader.post("/chat", {"userId": ann.id})
        assert (refused.status, b"cannot be written" in refused.body) == (503, True)
    live.stop()


def break_index(served: Live) -> None:
    with served.store():
        database.execute_sql(f"UPDATE message_words_data SET block = x'{'a5' * 64}'")


def overwrite(path: Path, table: str) -> None:
    """Let the first page of a table be none."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [root] = other.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    with path.open("r+b") as file:
        file.seek(PAGE * (root - 1))
        file.write(b"\xa5" * PAGE)


def test_a_broken_index_of_words(served: Live) -> None:
    """Searches of a broken index are refused with 503, `check` names it, and `migrate` makes it anew."""
    ann, bob = served.member(), served.member()
    ann.rpc.new_conversation([bob.name], "Subject", "hello there")
    reader = Chatter(served.address, bob.token, bob.id)
    assert len(reader.get("/chat/search", words="hello").json) == 1
    break_index(served)
    answer = reader.get("/chat/search", words="hello")
    assert (answer.status, b"index of words is broken" in answer.body) == (503, True)
    # What needs no index goes on.
    assert reader.get("/readyz").status == 200
    ann.rpc.new_conversation([bob.name], "Subject", "hello again")
    place = ["--database", served.database, "--files", str(served.files)]
    told = CliRunner().invoke(main, ["check", *place])
    assert told.stdout == "index of words: it cannot be read; switchboard migrate makes it anew\n"
    assert "done: index of words" in CliRunner().invoke(main, ["migrate", *place]).output
    assert len(reader.get("/chat/search", words="hello").json) == 2
    assert CliRunner().invoke(main, ["check", *place]).exit_code == 0
    assert CliRunner().invoke(main, ["migrate", *place]).output == "The store is up to date.\n"


def test_nothing_is_erased_beside_a_broken_index(served: Live) -> None:
    """What would be erased stands in the index too: where that is broken it is refused with the cause."""
    ann, bob = served.member(), served.member()
    place = ann.rpc.new_conversation([bob.name], "Subject", "hello there")["conv_id"]
    assert len(Chatter(served.address, bob.token, bob.id).get("/chat/search", words="hello").json) == 1
    break_index(served)
    assert ann.rpc.delete_conversation(place, 2)["result"]
    with pytest.raises(Fault, match="index of words is broken") as refusal:
        bob.rpc.delete_conversation(place, 2)
    assert refusal.value.faultCode == 503
    assert bob.rpc.get_conversation(place)["result"]
