"""Backups of an embedded store: one file with the store and its attachments, verified after writing."""

import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from models import (
    Attachment,
    User,
    check,
    close_store,
    copy_store,
    database,
    is_sqlite,
    open_store,
    pending_migrations,
)

from .files import Files

STORE, FILES = "store.db", "files"
ATTEMPTS = 10


class BadBackup(Exception):
    """The backup cannot be made or used; the text says why in one sentence."""


def write(files: Files, target: Path) -> None:
    """Write the open store and its files to *target*, which is complete or not there at all."""
    if not is_sqlite():
        raise BadBackup("A database server is backed up by its own means, such as pg_dump.")
    folder = target.absolute().parent
    with tempfile.TemporaryDirectory(dir=folder, prefix=".backup-") as name:
        workplace = Path(name)
        freeze(files, workplace)
        unfinished = workplace / "backup.tar"
        with tarfile.open(unfinished, "w") as archive:
            archive.add(workplace / STORE, STORE)
            archive.add(workplace / FILES, FILES)
        verify(unfinished, workplace / "again")
        sync(unfinished)
        os.replace(unfinished, target)
        sync(folder)


def freeze(files: Files, workplace: Path) -> None:
    """A copy of the store in *workplace*, with all the files that it names.

    A file may be erased between the two; then the copy is out of date, and is made once more.
    """
    kept = workplace / FILES
    for _ in range(ATTEMPTS):
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        copy_store(workplace / STORE)
        if all(link(files.path(name), kept / name) for name in names_in(workplace / STORE)):
            return
    raise BadBackup("Files were erased faster than they could be copied. Please try again.")


def link(source: Path, target: Path) -> bool:
    """Make *target* the same file as *source*, or a copy of it; False where it is gone."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        return False
    except OSError:
        shutil.copyfile(source, target)
    return True


def names_in(store: Path) -> list[str]:
    """The names of all files that a store names."""
    queries = (
        "SELECT file FROM attachment",
        "SELECT thumbnail FROM attachment",
        "SELECT avatar FROM account",
    )
    connection = sqlite3.connect(store)
    try:
        return [name for query in queries for (name,) in connection.execute(query) if name]
    finally:
        connection.close()


def unpack(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise BadBackup(f"{archive} cannot be read as a backup.") from error
    if not (folder / STORE).is_file():
        raise BadBackup(f"{archive} is not a backup: it holds no store.")
    (folder / FILES).mkdir(exist_ok=True)


def verify(archive: Path, folder: Path) -> None:
    """Unpack a backup into *folder* and check it through and through."""
    unpack(archive, folder)
    with another_store(folder / STORE):
        if pending_migrations():
            return
        found = next(iter([*check.faults(), *missing_files(Files(folder / FILES))]), None)
    if found:
        raise BadBackup(f"The backup has a fault: {found}.")


@contextmanager
def another_store(path: Path) -> Iterator[None]:
    """Let every table be that of the store at *path*, for a while."""
    engine = database.obj
    open_store(f"sqlite:///{path}")
    try:
        yield
    finally:
        close_store()
        if engine is not None:
            database.initialize(engine)
            database.connect(reuse_if_open=True)


def restore(archive: Path, path: Path, folder: Path, force: bool) -> None:
    """Make the store at *path* and its files in *folder* what they were when *archive* was written."""
    if path.exists() and not force:
        raise BadBackup(f"{path} is there already; --force replaces it.")
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".restore-") as name:
        workplace = Path(name)
        verify(archive, workplace / "new")
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        if folder.exists():
            os.replace(folder, workplace / "old-files")
        os.replace(workplace / "new" / FILES, folder)
        os.replace(workplace / "new" / STORE, path)
        sync(path)
        sync(path.absolute().parent)


def missing_files(files: Files) -> Iterator[str]:
    """Attachments and pictures whose file is gone or damaged."""
    stored: Iterable[tuple[str, int, str]] = [
        *(("attachment", row.id, name) for row in Attachment.select().iterator() for name in row.stored),
        *(("account", row.id, row.avatar) for row in User.select().where(User.avatar != "").iterator()),
    ]
    for what, row_id, name in stored:
        if not files.intact(name):
            yield f"{what} {row_id}: its file {name} is missing or damaged"


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
