"""Whole stores by the command line: moved between engines, exported and imported, backed up and restored."""

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event as Flag
from typing import Any

import engines
import pytest
from click.testing import CliRunner, Result
from conftest import Live
from peewee import fn

from models import (
    AccessToken,
    Allowance,
    BlockedNumber,
    Contact,
    Conversation,
    Event,
    IgnoredUser,
    KeptAnswer,
    Message,
    Position,
    ServerKey,
    Session,
    User,
    close_store,
    database,
    events_after,
    migrate,
    open_store,
    record_event,
    transact,
    whole,
)
from server import demo
from server.__main__ import main
from server.actions import accounts, calls, parties
from server.config import Settings
from server.files import Files
from server.passwords import Passwords

PROGRAM = [sys.executable, "-m", "server"]
# What an engine or a format could take for something of its own.
ODD = "a\tb\\c\nd\\N \"e\" 'f' %s ? {} \\. \u2028\u0085 \U0001f600 Grüße"
MANY = 12_000
# More than empty tables take.
GROWN = 3_000_000
ENGINES = ["sqlite", "postgresql"]
WAYS = [("sqlite", "postgresql"), ("postgresql", "sqlite")]

Filled = Callable[[str], str]


def run(*words: str, **extra: Any) -> Result:
    return CliRunner().invoke(main, words, prog_name="switchboard", catch_exceptions=False, **extra)


def done(*words: str, **extra: Any) -> str:
    """What a command that succeeds writes to standard output."""
    result = run(*words, **extra)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*words: str, **extra: Any) -> str:
    """The last line of a command that does not succeed, which is one sentence."""
    result = run(*words, **extra)
    assert result.exit_code != 0
    assert result.stdout == ""
    *progress, sentence = result.stderr.splitlines()
    assert all(re.fullmatch(r"[A-Z][a-z ]+: .*\d s", line) for line in progress), result.stderr
    assert sentence.startswith("Error: ")
    return sentence


class Places:
    """Places for stores, which are gone when the test ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = count(1)
        self.databases: list[str] = []

    def __call__(self, engine: str, template: str = "template1") -> str:
        """The address of a new place on an engine of this name, where no store is yet or a copy of one."""
        if engine == "sqlite":
            (folder := self.folder / f"place{next(self.numbers)}").mkdir()
            return f"sqlite:///{folder}/store.db"
        if not engines.BINARIES.is_dir():
            pytest.skip("there is no PostgreSQL here")
        self.databases.append(engines.cluster().made(template))
        return self.databases[-1]

    def drop(self) -> None:
        close_store()
        for address in self.databases:
            engines.cluster().drop(address)


@contextmanager
def places(folder: Path) -> Iterator[Places]:
    made = Places(folder)
    try:
        yield made
    finally:
        made.drop()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Places]:
    with places(tmp_path) as made:
        yield made


@contextmanager
def opened(address: str) -> Iterator[None]:
    open_store(address)
    try:
        yield
    finally:
        close_store()


def fill(address: str, files: Path) -> str:
    """Fill a place with a store in which there is something of every kind; its address."""
    settings = Settings(database=address, files=str(files), limits="off")
    with opened(address):
        migrate()
        demo.fill(settings, Files(files))
        transact(lambda: add_what_the_demo_has_not(settings), writes=True)
        assert [table.__name__ for table in whole.tables() if not table.select().exists()] == []
    return address


def add_what_the_demo_has_not(settings: Settings) -> None:
    ann, bob = User.get_by_id(1), User.get_by_id(2)
    Session.create(user=ann, digest="d", address="192.0.2.1")
    Allowance.create(key="k", until=ann.created_at)
    IgnoredUser.create(user=ann, ignored=bob)
    BlockedNumber.create(owner=ann, key="5550199")
    KeptAnswer.create(user=ann, key="k", digest="d", status=200, body=ODD)
    KeptAnswer.create(server_key=ServerKey.get(), key="k", digest="d", status=200, body=ODD)
    Contact.update(notes=ODD).execute()
    Message.update(body=ODD, client_id="mine").where(Message.id == 1).execute()
    calls.start(settings, "555-0101", "555-0103", "phone")
    calls.accept(parties.of(User.get_by_id(3)))


class Samples:
    """A store on each engine in which there is something of every kind, and copies of it."""

    def __init__(self, folder: Path) -> None:
        self.files = folder / "files"
        self.path = folder / "store.db"
        fill(f"sqlite:///{self.path}", self.files)
        if engines.BINARIES.is_dir():
            self.address = fill(engines.cluster().blank(folder, "unused"), self.files)

    def copy(self, engine: str, place: Places) -> str:
        if engine == "postgresql":
            return place(engine, self.address.rpartition("/")[2])
        address = place(engine)
        shutil.copyfile(self.path, address.removeprefix("sqlite:///"))
        return address


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return Samples(tmp_path_factory.mktemp("samples"))


@pytest.fixture
def files(samples: Samples, tmp_path: Path) -> Path:
    """The files of the filled stores."""
    shutil.copytree(samples.files, tmp_path / "live.files")
    return tmp_path / "live.files"


@pytest.fixture
def filled(place: Places, samples: Samples) -> Filled:
    """Gives the address of a new store on an engine of this name, with something of every kind in it."""
    return lambda engine: samples.copy(engine, place)


def rows(address: str) -> dict[str, list[Any]]:
    """All that a store holds, as the models see it, but for what means something in one store alone."""
    with opened(address):
        return {table.__name__: list(shared(table).order_by(table.id).tuples()) for table in whole.tables()}


def shared(table: Any) -> Any:
    return table.select(*(field for field in table._meta.sorted_fields if field.name != "turn"))


def newest_ids(address: str) -> dict[str, int]:
    """The newest id that each table has ever given out, or has."""
    with opened(address):
        return {table.__name__: newest_id(table) for table in whole.tables()}


def newest_id(table: Any) -> int:
    return max(
        database.obj.newest_given(table._meta.table_name), table.select(fn.MAX(table.id)).scalar() or 0
    )


def tables(address: str) -> set[str]:
    with opened(address):
        return whole.table_names()


def is_untouched(address: str) -> bool:
    """Whether there is no store at an address, or nothing at all in it."""
    path = Path(address.removeprefix("sqlite:///"))
    return not path.exists() if address.startswith("sqlite") else tables(address) == set()


# move


class Moved:
    """A move that was made once: the places, what they held, and what was told of it."""

    def __init__(self, old: str, new: str) -> None:
        self.before = rows(old), newest_ids(old)
        self.told = done("move", old, new, "--files", "/srv/files").splitlines()
        self.old, self.new = ((rows(place), newest_ids(place)) for place in (old, new))
        self.line = f"switchboard serve --database {new} --files /srv/files"


@pytest.fixture(scope="module", params=WAYS, ids="-".join)
def moved(
    request: pytest.FixtureRequest, samples: Samples, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Moved]:
    """A store with something of every kind, which was moved to the other engine."""
    source, target = request.param
    with places(tmp_path_factory.mktemp("moved")) as place:
        yield Moved(samples.copy(source, place), place(target))


def test_a_store_is_moved_whole(moved: Moved) -> None:
    """What is at the new place is what was at the old one, row by row."""
    assert moved.new[0] == moved.before[0]


def test_a_moved_store_is_left_as_it_was(moved: Moved) -> None:
    """The old place still holds all that it held."""
    assert moved.old == moved.before


def test_every_table_goes_on_from_its_newest_id(moved: Moved) -> None:
    """All tables go on from the ids of the old place, the log too, so that no place in it recurs."""
    assert moved.new[1] == moved.before[1]


def test_what_was_compared_is_told(moved: Moved) -> None:
    """A move tells the rows of each table that it compared, and at last how to serve from the new place."""
    told = {line.split("\t")[0]: line.split("\t")[1:] for line in moved.told if "\t" in line}
    assert set(told) == {table._meta.table_name for table in whole.tables()}
    assert told["message"][0] == f"{len(moved.before[0]['Message'])} rows"
    assert moved.told[-1] == moved.line


@pytest.mark.parametrize("source", ENGINES)
def test_a_store_is_moved_within_its_engine(place: Places, filled: Filled, source: str) -> None:
    """A store is moved to another place of its own engine as well."""
    old, new = filled(source), place(source)
    done("move", old, new)
    assert rows(new) == rows(old)


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_ids_go_on(place: Places, filled: Filled, source: str, target: str) -> None:
    """An id that was given out at the old place, even if its row is gone, is not given out at the new one."""
    old, new = filled(source), place(target)
    with opened(old):
        gone = transact(lambda: accounts.add_user(Passwords(1), "gone", None), writes=True)
        User.delete_by_id(gone.id)
    done("move", old, new)
    with opened(new):
        added = transact(lambda: accounts.add_user(Passwords(1), "next", None), writes=True)
    assert added.id == gone.id + 1


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_the_log_of_events_is_moved(place: Places, filled: Filled, source: str, target: str) -> None:
    """The events of the old place can be told at the new one, in their order, before those that come."""
    old, new = filled(source), place(target)
    with opened(old):
        before = [event.id for event in Event.select().order_by(Event.id)]
    done("move", old, new)
    with opened(new):
        transact(lambda: record_event("call", ref=1), writes=True)
        told = [event.id for event in events_after(Position(0, 0), 1000)]
    assert told == [*before, before[-1] + 1]


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_a_moved_store_is_served(
    place: Places, filled: Filled, files: Path, tmp_path: Path, source: str, target: str
) -> None:
    """A credential of the old place opens the new one, which can be written."""
    old, new = filled(source), place(target)
    with opened(old):
        secret = transact(lambda: accounts.add_token(accounts.named("ann"), "x"), writes=True)
    done("move", old, new)
    live = Live(tmp_path, database=new)
    try:
        ann = live.proxy(("Authorization", f"Bearer {secret}"))
        assert ann.new_conversation(["bob"], b"Here", b"now")["result"]
    finally:
        live.stop()
    done("check", "--database", new, "--files", str(files))


def test_a_move_tells_no_password(place: Places, filled: Filled) -> None:
    """The password of a database server is not shown by a move to it."""
    target = place("postgresql").replace("switchboard@", "switchboard:secret@")
    assert "secret" not in run("move", filled("sqlite"), target).output


@pytest.mark.parametrize("engine", ENGINES)
def test_a_move_into_a_prepared_store(place: Places, filled: Filled, engine: str) -> None:
    """A store in which all tables are and no row counts as empty."""
    old, new = filled("sqlite"), place(engine)
    done("migrate", "--database", new)
    done("move", old, new)
    assert rows(new) == rows(old)


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_moved_onto_something(place: Places, filled: Filled, engine: str) -> None:
    """A store that is not empty is no target, and stays as it is."""
    old, new = filled("sqlite"), place(engine)
    done("migrate", "--database", new)
    done("user", "add", "eve", "--database", new)
    before = rows(new)
    assert "not empty" in refused("move", old, new)
    assert rows(new) == before


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_no_store_is_no_target(place: Places, filled: Filled, engine: str) -> None:
    """A database in which something else is stays as it is."""
    old, new = filled("sqlite"), place(engine)
    with opened(new):
        database.execute_sql("CREATE TABLE other (x INTEGER)")
    assert "something else" in refused("move", old, new)
    assert tables(new) == {"other"}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_newer_store_is_no_target(place: Places, filled: Filled, engine: str) -> None:
    """A store that a newer program has made stays as it is."""
    old, new = filled("sqlite"), place(engine)
    done("migrate", "--database", new)
    with opened(new):
        database.execute_sql("INSERT INTO migration (name, applied) VALUES ('9999_future', '2030-01-01')")
    assert "newer" in refused("move", old, new)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_older_store_is_not_moved(place: Places, filled: Filled, engine: str) -> None:
    """A source that lacks a step is left as it is, and the way to take it is told."""
    old, new = filled(engine), place("sqlite")
    with opened(old):
        database.execute_sql("DELETE FROM migration WHERE name = '0004_turns'")
    assert "switchboard migrate" in refused("move", old, new)
    assert is_untouched(new)


def test_a_store_is_not_moved_onto_itself(filled: Filled) -> None:
    """The two places of a move are two."""
    old = filled("sqlite")
    refused("move", old, old)
    assert rows(old)["User"]


def test_a_move_from_nowhere(place: Places) -> None:
    """Where there is no source, no target is made."""
    new = place("sqlite")
    assert "no store" in refused("move", place("sqlite"), new)
    assert is_untouched(new)


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_a_faulty_store_is_not_moved(place: Places, filled: Filled, source: str, target: str) -> None:
    """What `check` does not pass at the new place is not left there."""
    old, new = filled(source), place(target)
    with opened(old):
        Conversation.update(last_seq=Conversation.last_seq + 1).where(Conversation.id == 1).execute()
    assert "conversation 1" in refused("move", old, new)
    assert is_untouched(new)


def with_many(address: str) -> str:
    """The same store, in which so much has been said that a move takes its time."""
    with opened(address), database.atomic():
        first = Conversation.get_by_id(1)
        said = [
            {"conversation": first, "seq": first.last_seq + n, "author": 1, "body": f"{n} " * 100}
            for n in range(1, MANY + 1)
        ]
        for start in range(0, MANY, 1000):
            Message.insert_many(said[start : start + 1000]).execute()
    return address


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_a_killed_move_leaves_nothing(place: Places, filled: Filled, source: str, target: str) -> None:
    """A move that is killed while rows are on their way leaves not one of them."""
    old, new = with_many(filled(source)), place(target)
    before = size(new)
    mover = subprocess.Popen([*PROGRAM, "move", old, new])
    while mover.poll() is None and size(new) < before + GROWN:
        time.sleep(0.02)
    mover.send_signal(signal.SIGKILL)
    assert mover.wait(30) == -signal.SIGKILL
    assert tables(new) == set()


def size(address: str) -> int:
    """The bytes that a place takes, also those of rows on their way into it."""
    if address.startswith("sqlite"):
        folder = Path(address.removeprefix("sqlite:///")).parent
        return sum(path.stat().st_size for path in folder.iterdir())
    with opened(address):
        return int(database.execute_sql("SELECT pg_database_size(current_database())").fetchone()[0])


# export and import


@pytest.mark.parametrize("name", ["whole.jsonl", "whole.jsonl.gz"])
@pytest.mark.parametrize(("source", "target"), WAYS)
def test_an_export_is_imported(
    place: Places, filled: Filled, tmp_path: Path, source: str, target: str, name: str
) -> None:
    """What was exported from one engine is in another once it was imported, row by row, and ids go on."""
    old, new, file = filled(source), place(target), str(tmp_path / name)
    done("export", file, "--database", old)
    done("import", file, "--database", new)
    assert rows(new) == rows(old)
    assert newest_ids(new) == newest_ids(old)


def exported(address: str) -> list[dict[str, Any]]:
    """The lines of an export."""
    return [json.loads(line) for line in done("export", "-", "--database", address).split("\n")[:-1]]


def sealed(lines: list[Any]) -> str:
    """Lines with a last line that fits to them."""
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    end = {"rows": len(lines) - 1, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return f"{text}{json.dumps({'end': end})}\n"


def test_standard_output_into_standard_input(place: Places, filled: Filled) -> None:
    """An export goes from one program into another by a pipe."""
    old, new = filled("sqlite"), place("sqlite")
    done("import", "-", "--database", new, input=done("export", "-", "--database", old))
    assert rows(new) == rows(old)


@pytest.mark.parametrize("engine", ENGINES)
def test_references_in_an_export_point_back(filled: Filled, engine: str) -> None:
    """A row stands in an export after those to which it refers."""
    seen: set[tuple[str, int]] = set()
    names = {table._meta.table_name: table for table in whole.tables()}
    for line in exported(filled(engine))[1:-1]:
        for reference in names[line["table"]]._meta.refs:
            referred = line[reference.column_name]
            assert referred is None or (reference.rel_model._meta.table_name, referred) in seen
        seen.add((line["table"], line["id"]))


def test_an_export_says_what_it_is(filled: Filled) -> None:
    """The first line of an export names its step and its tables with their columns and numbers of rows."""
    first, *lines, _ = exported(filled("sqlite"))
    assert first["step"] == whole.newest_step()
    for name, table in first["tables"].items():
        mine = [line for line in lines if line["table"] == name]
        assert len(mine) == table["rows"]
        assert all(list(line) == ["table", *table["columns"]] for line in mine)


@pytest.mark.parametrize("engine", ENGINES)
def test_both_engines_export_alike(place: Places, filled: Filled, engine: str) -> None:
    """A store is exported to the same lines wherever it is."""
    old, new = filled("sqlite"), place(engine)
    done("move", old, new)
    there = exported(old)
    assert exported(new)[1:] == there[1:-1] + exported(new)[-1:]


def test_an_export_is_for_its_owner_alone(filled: Filled, tmp_path: Path) -> None:
    """Nobody else on the machine can read an export, and nothing else is left beside it."""
    (folder := tmp_path / "exports").mkdir()
    done("export", str(folder / "whole.jsonl.gz"), "--database", filled("sqlite"))
    [file] = folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0


Lines = list[Any]


def without_end(lines: Lines) -> str:
    return "".join(f"{json.dumps(line)}\n" for line in lines[:-1])


def with_another_word(lines: Lines) -> str:
    return (
        "".join(f"{json.dumps(line)}\n" for line in lines)
        .replace("Big Ann", "Bad Ann", 1)
        .replace("The heist", "The feast", 1)
    )


def with_a_row_less(lines: Lines) -> str:
    return sealed(lines[:-2])


def with_an_unknown_column(lines: Lines) -> str:
    return sealed([*lines[:-2], {**lines[-2], "colour": "red"}])


def with_an_unknown_table(lines: Lines) -> str:
    return sealed([*lines[:-1], {"table": "parrot", "id": 1}])


def with_a_column_of_its_own(lines: Lines) -> str:
    lines[0]["tables"]["line"]["columns"].append("colour")
    return sealed(
        [*({**each, "colour": "x"} if each.get("table") == "line" else each for each in lines[:-1])]
    )


def with_a_table_of_its_own(lines: Lines) -> str:
    lines[0]["tables"]["parrot"] = {"columns": ["id"], "rows": 0, "newest_id": 0}
    return sealed(lines[:-1])


def with_a_later_step(lines: Lines) -> str:
    lines[0]["step"] = "9999_future"
    return sealed(lines[:-1])


def with_a_row_twice(lines: Lines) -> str:
    return sealed([*lines[:-1], lines[-2]])


def with_a_reference_to_nothing(lines: Lines) -> str:
    return sealed([*lines[:-2], {**lines[-2], "group_id": 4711}])


def with_something_behind(lines: Lines) -> str:
    return f"{sealed(lines[:-1])}{{}}\n"


def in_the_middle_of_a_line(lines: Lines) -> str:
    text = sealed(lines[:-1])
    return text[: len(text) * 2 // 3]


WRONG = {
    without_end: "cut",
    in_the_middle_of_a_line: "cut",
    with_another_word: "changed or damaged",
    with_a_row_less: "announced",
    with_an_unknown_column: "colour",
    with_an_unknown_table: "parrot",
    with_a_column_of_its_own: "colour",
    with_a_table_of_its_own: "parrot",
    with_a_later_step: "9999_future",
    with_a_row_twice: "cannot be stored",
    with_a_reference_to_nothing: "cannot be stored",
    with_something_behind: "behind the last line",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_what_is_not_a_whole_export_is_refused(
    place: Places, filled: Filled, wrong: Callable[[Lines], str]
) -> None:
    """An export with something missing, changed or unknown is refused, and nothing of it comes in."""
    new = place(engines.name.replace("pgbouncer", "postgresql"))
    text = wrong(exported(filled("sqlite")))
    assert WRONG[wrong] in refused("import", "-", "--database", new, input=text)
    assert is_untouched(new)


@pytest.mark.parametrize(
    "text", ["", "{}\n", "[1]\n", "Dear Ann,\n", '{"step": 1, "tables": []}\n', "\x00\xff"]
)
def test_what_is_no_export_is_refused(place: Places, text: str) -> None:
    """Anything else than an export is refused."""
    new = place("sqlite")
    assert "no export" in refused("import", "-", "--database", new, input=text)
    assert is_untouched(new)


def test_a_compressed_export_that_was_cut_is_refused(place: Places, filled: Filled, tmp_path: Path) -> None:
    """A compressed export that lacks its end is refused."""
    file, new = tmp_path / "whole.jsonl.gz", place("sqlite")
    done("export", str(file), "--database", filled("sqlite"))
    file.write_bytes(file.read_bytes()[:-100])
    assert "cut" in refused("import", str(file), "--database", new)
    assert is_untouched(new)


def test_what_says_gz_and_is_not_is_refused(place: Places, tmp_path: Path) -> None:
    """A file that is not compressed, but named as if it were, is refused."""
    file = tmp_path / "whole.jsonl.gz"
    file.write_text("{}\n")
    assert "damaged" in refused("import", str(file), "--database", place("sqlite"))


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_imported_into_something(place: Places, filled: Filled, engine: str) -> None:
    """A store that is not empty takes no import, and stays as it is."""
    old = filled(engine)
    before = rows(old)
    assert "not empty" in refused(
        "import", "-", "--database", old, input=done("export", "-", "--database", old)
    )
    assert rows(old) == before


@pytest.mark.parametrize("engine", ENGINES)
def test_an_export_of_an_older_store_is_imported(place: Places, filled: Filled, engine: str) -> None:
    """What was exported before the newest step comes in as it was, and takes that step."""
    old, new = filled("sqlite"), place(engine)
    with opened(old), database.atomic():
        KeptAnswer.delete().where(KeptAnswer.user.is_null()).execute()
    lines = exported(old)
    lines[0]["step"] = "0003_chat"
    added = {"participant": "kind", "kept_answer": "server_key_id"}
    for table, column in {**added, "access_token": "used_at", "server_key": "used_at"}.items():
        lines[0]["tables"][table]["columns"].remove(column)
        for line in lines:
            if line.get("table") == table:
                del line[column]
    done("import", "-", "--database", new, input=sealed(lines[:-1]))
    assert rows(new) == rows(old)
    assert done("migrate", "--database", new) == "The store is up to date.\n"


# backup and restore


@pytest.mark.parametrize("target", ENGINES)
@pytest.mark.parametrize("source", ENGINES)
def test_a_backup_of_either_engine_restores_into_either(
    place: Places, filled: Filled, files: Path, tmp_path: Path, source: str, target: str
) -> None:
    """What was backed up is there again, with its files, on whatever engine."""
    old, new, there = filled(source), place(target), tmp_path / "there"
    done("backup", str(tmp_path / "b.tar"), "--database", old, "--files", str(files))
    done("restore", str(tmp_path / "b.tar"), "--database", new, "--files", str(there))
    assert rows(new) == rows(old)
    assert newest_ids(new) == newest_ids(old)
    done("check", "--database", new, "--files", str(there))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_restore_replaces_only_by_force(place: Places, filled: Filled, files: Path, engine: str) -> None:
    """A store in which something is is replaced, with its files, only when it is said so."""
    old, archive = filled(engine), str(files.with_name("b.tar"))
    at = ["--database", old, "--files", str(files)]
    done("backup", archive, *at)
    done("user", "add", "late", *at)
    assert "--force" in refused("restore", archive, *at)
    assert "late" in done("user", "list", *at)
    done("restore", archive, *at, "--force")
    assert "late" not in done("user", "list", *at)
    done("check", *at)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cut_backup_changes_nothing(place: Places, filled: Filled, files: Path, engine: str) -> None:
    """A backup that was cut is not restored, not even by force."""
    old, archive = filled(engine), files.with_name("b.tar")
    at = ["--database", old, "--files", str(files)]
    done("backup", str(archive), *at)
    with archive.open("r+b") as file:
        file.truncate(archive.stat().st_size // 2)
    before = rows(old)
    refused("restore", str(archive), *at, "--force")
    assert rows(old) == before
    done("check", *at)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_faulty_store_is_not_backed_up(filled: Filled, files: Path, engine: str) -> None:
    """A backup that does not pass `check` is not left."""
    old, archive = filled(engine), files.with_name("b.tar")
    with opened(old):
        AccessToken.delete().execute()
        Conversation.update(last_seq=Conversation.last_seq + 1).where(Conversation.id == 1).execute()
    assert "conversation 1" in refused("backup", str(archive), "--database", old, "--files", str(files))
    assert not archive.exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_backup_whose_file_is_missing_is_refused(filled: Filled, files: Path, engine: str) -> None:
    """A backup is made only of all files that the store names."""
    old, archive = filled(engine), files.with_name("b.tar")
    shutil.rmtree(files)
    refused("backup", str(archive), "--database", old, "--files", str(files))
    assert not archive.exists()


# while a server is at work


@pytest.fixture(scope="module", params=ENGINES)
def served(
    request: pytest.FixtureRequest, samples: Samples, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """A server of a store with something of every kind, on each engine."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(samples.files, folder / "live.files")
    with places(folder) as place:
        live = Live(folder, "--limits", "off", database=samples.copy(request.param, place))
        yield live
        live.stop()


def test_a_served_store_is_not_moved(served: Live, place: Places) -> None:
    """While the source is served nothing is moved, since what is written meanwhile would be missing."""
    new = place("sqlite")
    assert "stop the server" in refused("move", served.database, new)
    assert is_untouched(new)


def test_a_served_store_is_no_target(served: Live, filled: Filled) -> None:
    """Nothing is moved to where a server is at work already."""
    assert "stop the server" in refused("move", filled("sqlite"), served.database)


def test_a_served_store_is_exported(served: Live, place: Places) -> None:
    """An export holds what was there before it while a server goes on."""
    new, name = place("sqlite"), served.member().name
    done("import", "-", "--database", new, input=done("export", "-", "--database", served.database))
    with opened(new):
        assert User.select().where(User.username == name).exists()


def test_a_served_store_is_not_restored(served: Live, tmp_path: Path) -> None:
    """While a server uses a store it is not replaced, and a backup of it is made all the same."""
    at = ["--database", served.database, "--files", str(served.files)]
    done("backup", str(tmp_path / "b.tar"), *at)
    member = served.member()
    assert "stop the server" in refused("restore", str(tmp_path / "b.tar"), *at, "--force")
    assert member.rpc.get_inbox_stat()["result"]


def test_a_backup_under_load_holds_all_that_was_said(served: Live, place: Places, tmp_path: Path) -> None:
    """A backup that is made while others write passes `check` and holds what was acknowledged before it."""
    new, at = place("sqlite"), ["--database", served.database, "--files", str(served.files)]
    has_ended, said = Flag(), []
    ann = served.member("writer")
    thread = ann.rpc.new_conversation(["bob"], b"Busy", b"first")["conv_id"]

    def write() -> None:
        while not has_ended.is_set():
            said.append(int(ann.rpc.reply_conversation(thread, b"more")["msg_id"]))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while len(said) < 10:
            time.sleep(0.01)
        before = set(said)
        command = [*PROGRAM, "backup", str(tmp_path / "b.tar"), *at]
        backup = subprocess.run(command, capture_output=True, text=True)
        has_ended.set()
        writing.result()
    assert backup.returncode == 0, backup.stderr
    there = ["--database", new, "--files", str(tmp_path / "there")]
    done("restore", str(tmp_path / "b.tar"), *there)
    done("check", *there)
    with opened(new):
        assert before <= {message.id for message in Message.select(Message.id)}
