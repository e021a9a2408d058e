"""Backups of a store on the engine of the run, and of what they are made into."""

from pathlib import Path
from typing import Any

import engines
import pytest
from click.testing import CliRunner

from models import (
    Conversation,
    Event,
    Job,
    Message,
    Position,
    close_store,
    events_after,
    open_store,
    whole,
)
from server import demo
from server.__main__ import main
from server.config import Settings
from server.files import Files


@pytest.fixture
def used(store: Settings) -> Settings:
    """A store with the demo cast."""
    demo.fill(store, Files(store.files_folder))
    return store


@pytest.fixture
def other(tmp_path: Path) -> Settings:
    """Another empty store."""
    address = engines.chosen().empty(tmp_path, "other")
    return Settings(database=address, files=str(tmp_path / "other.files"), limits="off")


def run(settings: Settings, *arguments: str) -> str:
    place = ["--database", settings.database, "--files", settings.files]
    result = CliRunner().invoke(main, [*arguments, *place])
    assert result.exit_code == 0, result.output
    return result.output


def rows() -> dict[str, list[object]]:
    """All rows of the open store, but for what means something in one store alone."""
    return {
        table._meta.table_name: list(shared(table).order_by(table.id).tuples()) for table in whole.tables()
    }


def shared(table: Any) -> Any:
    return table.select(*(field for field in table._meta.sorted_fields if field.name != "turn"))


def test_a_backup_holds_every_row_and_file(used: Settings, other: Settings, tmp_path: Path) -> None:
    """What is restored from a backup has the rows and files of what it was made of, and passes `check`."""
    before = rows()
    run(used, "backup", str(tmp_path / "b.tar"))
    run(other, "restore", str(tmp_path / "b.tar"), "--force")
    assert "No faults" in run(other, "check")
    open_store(other.database)
    assert rows() == before
    names = [{path.name for path in each.files_folder.iterdir()} for each in (used, other)]
    assert names[0] == names[1] != set()


def test_ids_go_on_after_a_restore(used: Settings, other: Settings, tmp_path: Path) -> None:
    """What was erased before a backup does not give its id to what comes after the restore."""
    newest = Conversation.select().order_by(Conversation.id.desc()).get()
    Conversation.delete().where(Conversation.id == newest.id).execute()
    run(used, "backup", str(tmp_path / "b.tar"))
    run(other, "restore", str(tmp_path / "b.tar"), "--force")
    open_store(other.database)
    assert Conversation.create(app="forum", subject="new").id > newest.id


def test_listeners_go_on_after_a_restore(used: Settings, other: Settings, tmp_path: Path) -> None:
    """The events of a restored store are all there to be told, in their order."""
    count = Event.select().count()
    run(used, "backup", str(tmp_path / "b.tar"))
    run(other, "restore", str(tmp_path / "b.tar"), "--force")
    open_store(other.database)
    ids = [row.id for row in events_after(Position(0, 0), 1000)]
    assert len(ids) == count and ids == sorted(ids)


def test_a_backup_is_the_same_on_every_engine(used: Settings, tmp_path: Path) -> None:
    """A backup can be restored as an embedded store, whatever it was made of."""
    before = rows()
    run(used, "backup", str(tmp_path / "b.tar"))
    embedded = Settings(database=f"sqlite:///{tmp_path}/embedded.db", files=str(tmp_path / "embedded.files"))
    run(embedded, "restore", str(tmp_path / "b.tar"))
    open_store(embedded.database)
    assert rows() == before


def test_a_store_in_use_is_replaced_only_by_force(used: Settings, tmp_path: Path) -> None:
    """`restore` over a store with people in it is refused without --force, and changes nothing then."""
    run(used, "backup", str(tmp_path / "b.tar"))
    open_store(used.database)
    Message.update(body="changed").execute()
    place = ["--database", used.database, "--files", used.files]
    result = CliRunner().invoke(main, ["restore", str(tmp_path / "b.tar"), *place])
    assert result.exit_code == 1 and "--force" in result.output
    open_store(used.database)
    assert {message.body for message in Message.select()} == {"changed"}


def test_a_store_that_is_only_read_is_backed_up(tmp_path: Path) -> None:
    """Who may read the store and not write it makes a backup, of which the store then knows nothing."""
    cluster = engines.cluster()
    owned = cluster.empty(tmp_path, "owned")
    cluster.sql("CREATE ROLE reader LOGIN IN ROLE pg_read_all_data")
    address = owned.replace("//switchboard@", "//reader@")
    made = tmp_path / "b.tar"
    assert str(made) in run(Settings(database=address, files=str(tmp_path / "files")), "backup", str(made))
    open_store(owned)
    assert (made.exists(), Job.select().count()) == (True, 0)
    close_store()
    cluster.drop(owned)
    cluster.sql("DROP ROLE reader")
