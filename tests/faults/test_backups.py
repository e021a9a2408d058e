"""Backups that are made under load, and backups and restores that are killed.

By hand: BACKUPS=20 python -m pytest tests/faults/test_backups.py -n 0 -s --timeout 0
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xmlrpc.client import loads

import engines
import pytest
from conftest import Live
from fleet import Fleet, Room, acknowledged, assert_kept, crowd, serving, speaking, wait_for

from models import Message, check, close_store, open_store
from server import backups
from server.actions.checks import missing_files
from server.files import Files

BACKUPS = int(os.environ.get("BACKUPS", "1"))
KILLED = BACKUPS + 1
SPEAKERS, FIRST, PAUSE = 4, 8, 0.02
PROGRAM = [sys.executable, "-m", "server"]
UPLOAD = b'--x\r\nContent-Disposition: form-data; name="attachment"; filename="a.txt"\r\n\r\n%s\r\n--x--\r\n'


class Store:
    """A store and its files, and what the program does with them in a process of its own."""

    def __init__(self, database: str, files: Path) -> None:
        self.database, self.files = database, files
        self.place = ["--database", database, "--files", str(files)]

    def begins(self, *words: str) -> "subprocess.Popen[str]":
        command = [*PROGRAM, *words, *self.place]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ends(self, *words: str) -> tuple[int, str]:
        process = self.begins(*words)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said

    def done(self, *words: str) -> None:
        status, said = self.ends(*words)
        assert status == 0, said

    def killed(self, most: float, *words: str) -> bool:
        """Begin and kill it after some time; whether it had not ended before."""
        process = self.begins(*words)
        time.sleep(random.uniform(most / 4, most))
        process.kill()
        process.communicate(timeout=30)
        return process.returncode == -signal.SIGKILL

    def texts(self) -> list[str]:
        """The text of every message, in a store that is sound and has all of its files."""
        open_store(self.database)
        try:
            assert list(check.faults()) == []
            assert list(missing_files(Files(self.files))) == []
            return [row.body for row in Message.select(Message.body).order_by(Message.id)]
        finally:
            close_store()


def with_a_file(person: Any, text: str) -> None:
    """Say something to which a file is attached."""
    kind = "multipart/form-data; boundary=x"
    _, answer = person.own.ask("POST", "/mobiquo/upload.php", UPLOAD % text.encode(), kind)
    upload = loads(answer)[0][0]["attachment_id"]
    person.own.call("reply_conversation", str(person.room.id), text.encode(), b"", [upload])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two servers on one store."""
    folder = tmp_path_factory.mktemp("backups")
    with serving(folder, engines.chosen().place(folder, "live")) as made:
        yield made


def test_backups_under_load(fleet: Fleet, tmp_path: Path) -> None:
    """Each backup under load restores, passes `check`, and has all that was said before it."""
    store = Store(fleet.database, fleet.folder / "files")
    room = Room(fleet.servers[0], SPEAKERS)
    took = []
    with crowd(room, *fleet.addresses) as people:
        with speaking(people, PAUSE):
            for number in range(BACKUPS):
                before = acknowledged(people)
                wait_for(lambda least=before + FIRST: acknowledged(people) >= least)
                said = {body for each in people for body in list(each.acknowledged)}
                began = time.monotonic()
                store.done("backup", str(tmp_path / f"{number}.tar"))
                took.append(time.monotonic() - began)
                other = Store(f"sqlite:///{tmp_path}/{number}.db", tmp_path / f"{number}.files")
                other.done("restore", str(tmp_path / f"{number}.tar"))
                assert said <= set(other.texts())
        assert [each.failed for each in people] == [[]] * SPEAKERS
        assert_kept(fleet.servers[0], room, people)
    print(f"{BACKUPS} backups under load, all restored, none with a fault; at most {max(took):.1f} s")


@pytest.fixture(scope="module")
def used(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Path, list[str], list[str]]:
    """A store that nobody serves, a backup of it, and its messages then and now."""
    folder = tmp_path_factory.mktemp("used")
    store = Store(engines.chosen().place(folder, "used"), folder / "used.files")
    live = Live(folder, "--limits", "off", "--files", str(store.files), database=store.database)
    room = Room(live, 2)
    with crowd(room, live.address) as people:
        for number in range(3):
            with_a_file(people[0], f"before {number}")
        store.done("backup", str(folder / "b.tar"))
        then = store.texts()
        for number in range(3):
            with_a_file(people[1], f"after {number}")
    live.stop()
    return store, folder / "b.tar", then, store.texts()


def test_a_killed_backup_is_not_half_a_file(used: Any, tmp_path: Path) -> None:
    """Where a backup is killed, its file is the whole one from before or the whole new one, never a part."""
    store, first, then, now = used
    target = tmp_path / "b.tar"
    target.write_bytes(first.read_bytes())
    began = time.monotonic()
    store.done("backup", str(tmp_path / "other.tar"))
    took = time.monotonic() - began
    killed: list[bool] = []
    while len(killed) < KILLED or not any(killed):
        killed.append(store.killed(took / (1 + len(killed) / KILLED), "backup", str(target)))
    other = Store(f"sqlite:///{tmp_path}/again.db", tmp_path / "again.files")
    other.done("restore", str(target))
    assert other.texts() in (then, now)
    assert any(killed)
    assert store.texts() == now
    print(f"{sum(killed)} backups killed")


def test_a_killed_restore_leaves_a_whole_store(used: Any) -> None:
    """Where a restore is killed, there is the old store or the new one, sound and with all of its files."""
    store, backup, then, now = used
    latest = backup.with_name("now.tar")
    store.done("backup", str(latest))
    began = time.monotonic()
    store.done("restore", str(backup), "--force")
    took = time.monotonic() - began
    assert store.texts() == then
    found = []
    for number in range(KILLED):
        store.killed(took, "restore", str((latest, backup)[number % 2]), "--force")
        found.append(store.texts())
        assert found[-1] in (then, now)
    status, said = store.ends("restore", str(latest))
    assert (status, "--force" in said) == (1, True)
    store.done("restore", str(latest), "--force")
    assert store.texts() == now
    print(f"{KILLED} restores killed, the store was whole each time")


def test_a_restore_cut_short_after_the_swap_keeps_its_files(
    used: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restore that ends right after the new store took its place leaves it all of its files."""
    store, first, then, now = used
    latest = first.with_name("latest.tar")
    store.done("backup", str(latest))
    other = Store(f"sqlite:///{tmp_path}/again.db", tmp_path / "again.files")
    other.done("restore", str(first))
    replace = os.replace

    def replace_and_end(source: Path, target: Path) -> None:
        replace(source, target)
        if target == tmp_path / "again.db":
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replace_and_end)
    with pytest.raises(KeyboardInterrupt):
        backups.restore(latest, other.database, other.files, force=True)
    assert other.texts() == now != then
