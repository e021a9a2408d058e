"""Backups: one file with the store, as an embedded one, and its attachments, verified after writing."""

import math
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models import (
    address_shown,
    close_store,
    connected,
    copy_store,
    database,
    end_log,
    is_embedded,
    is_empty,
    migrate,
    open_store,
    pending_migrations,
    store_path,
    stored_files,
    whole,
    work,
)

from . import stores
from .actions import checks
from .files import PARTIAL, Files

STORE, FILES = "store.db", "files"
ATTEMPTS = 10


class BadBackup(Exception):
    """The backup cannot be made or used; the text says why in one sentence."""


def write(files: Files, target: Path, begin: work.Begin = work.untold) -> None:
    """Write the open store and its files to *target*, which is complete or not there at all."""
    folder = target.absolute().parent
    with tempfile.TemporaryDirectory(dir=folder, prefix=".backup-") as name:
        workplace = Path(name)
        freeze(files, workplace, begin)
        unfinished = workplace / "backup.tar"
        pack(workplace, unfinished, begin)
        verify(unfinished, workplace / "again", begin)
        sync(unfinished)
        os.replace(unfinished, target)
        sync(folder)


def freeze(files: Files, workplace: Path, begin: work.Begin) -> None:
    """A copy of the store in *workplace*, with all the files that it names.

    A file may be erased between the two; then the copy is out of date, and is made once more.
    """
    kept = workplace / FILES
    for _ in range(ATTEMPTS):
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(mode=0o700)
        copy(workplace / STORE, begin)
        names = names_in(workplace / STORE)
        advance = begin("Copying files", len(names))
        if all(link(files.path(name), kept / name, advance) for name in names):
            return
    raise BadBackup("Files were erased faster than they could be copied. Please try again.")


def copy(target: Path, begin: work.Begin) -> None:
    """Write all that is in the open store, as it is at one moment, into an embedded one at *target*."""
    source = database.obj
    if is_embedded():
        begin("Copying the store", 0)
        copy_store(target)
        return
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    with source.snapshot():
        contents = whole.contents(source)
        with another_store(target):
            whole.fill(contents, whole.batches(source, contents), begin)


def link(source: Path, target: Path, advance: work.Advance) -> bool:
    """Make *target* the same file as *source*, or a copy of it; False where it is gone."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        return False
    except OSError:
        shutil.copyfile(source, target)
    advance(1)
    return True


def names_in(store: Path) -> list[str]:
    """The names of all files that a store names."""
    with another_store(store):
        return [name for _, _, name in stored_files()]


def pack(folder: Path, archive: Path, begin: work.Begin) -> None:
    """Put the store and the files in *folder* into an archive."""
    contents = [folder / STORE, *(folder / FILES).iterdir()]
    advance = begin("Writing the backup", sum(path.stat().st_size for path in contents))
    archive.touch(mode=0o600)
    with tarfile.open(archive, "w") as packed:
        packed.add(folder / FILES, FILES, recursive=False)
        for path in contents:
            packed.add(path, path.relative_to(folder))
            advance(path.stat().st_size)


def unpack(archive: Path, folder: Path, begin: work.Begin) -> None:
    folder.mkdir(mode=0o700)
    try:
        with tarfile.open(archive, "r:") as packed:
            members = packed.getmembers()
            advance = begin("Reading the backup", sum(member.size for member in members))
            packed.extractall(folder, passing(members, advance), filter="data")
    except tarfile.TarError as error:
        raise BadBackup(f"{archive} cannot be read as a backup.") from error
    if not (folder / STORE).is_file():
        raise BadBackup(f"{archive} is not a backup: it holds no store.")
    (folder / STORE).chmod(0o600)
    (folder / FILES).mkdir(exist_ok=True)


def passing(members: list[tarfile.TarInfo], advance: work.Advance) -> Iterator[tarfile.TarInfo]:
    """The same members; *advance* is told of the bytes of each one that has passed."""
    for member in members:
        yield member
        advance(member.size)


def verify(archive: Path, folder: Path, begin: work.Begin) -> None:
    """Unpack a backup into *folder* and check it through and through."""
    unpack(archive, folder, begin)
    with another_store(folder / STORE):
        if is_empty():
            raise BadBackup(f"{archive} is not a backup: its store is empty.")
        if pending_migrations():
            return
        found = next(iter([*checks.faults(Files(folder / FILES), begin)]), None)
    if found:
        raise BadBackup(f"The backup has a fault: {found}.")


@contextmanager
def another_store(path: Path) -> Iterator[None]:
    """Let every table be that of the store at *path*, for a while, in which the other stays open."""
    before = database.obj
    database.initialize(connected(f"sqlite:///{path}"))
    try:
        yield
    finally:
        close_store()
        database.initialize(before)


def restore(archive: Path, url: str, folder: Path, force: bool, begin: work.Begin = work.untold) -> None:
    """Make the store at *url* and its files in *folder* what they were when *archive* was written.

    The new files come beside the old ones, then the new store takes the old one's place in one step, and only
    then the old files go: at every moment there is a whole store with all of its files, old or new.
    """
    taken = [address_shown(url)] * holds_something(url) + [str(folder)] * is_there(folder)
    if taken and not force:
        there, them = ("is", "it") if len(taken) == 1 else ("are", "them")
        raise BadBackup(f"{' and '.join(taken)} {there} there already; --force replaces {them}.")
    path = store_path(url)
    with stores.sole_use(url), workplace_beside(path or folder) as workplace:
        verify(archive, workplace / "new", begin)
        new, files = workplace / "new" / STORE, Files(workplace / "new" / FILES)
        add_files(files, folder, begin)
        if path is None:
            replace_rows(new, url, begin)
        else:
            replace_store(new, path)
        Files(folder).erase_leniently(every(Files(folder)) - every(files))


def every(files: Files) -> set[str]:
    """The names of all stored files, and of leftovers."""
    return set(files.older_than(-math.inf))


def add_files(files: Files, folder: Path, begin: work.Begin) -> None:
    """Put files into *folder*, beside what is there; where that fails they go again.

    Where what comes after it fails they stay: by then a store may name them, and the daily sweep knows.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    added: list[Path] = []
    names = every(files)
    advance = begin("Copying files", len(names))
    try:
        for name in names:
            # No name ever stands for other bytes.
            if not Files(folder).intact(name):
                unfinished = folder / f"{name}{PARTIAL}"
                added.append(unfinished)
                shutil.copyfile(files.path(name), unfinished)
                unfinished.chmod(0o600)
                sync(unfinished)
                os.replace(unfinished, folder / name)
                added.append(folder / name)
            advance(1)
        sync(folder)
        sync(folder.absolute().parent)
    except BaseException:
        for each in added:
            each.unlink(missing_ok=True)
        raise


def holds_something(url: str) -> bool:
    """Whether there is a store at *url*; a database server's counts once there are rows in it."""
    path = store_path(url)
    if path is not None:
        return path.exists()
    open_store(url)
    try:
        return whole.table_with_rows() is not None
    finally:
        close_store()


def replace_rows(new: Path, url: str, begin: work.Begin) -> None:
    """Put all that an embedded store holds in the place of what is at *url*, in one transaction."""
    with another_store(new):
        migrate()
    open_store(url)
    try:
        with stores.beside(f"sqlite:///{new}") as engine:
            contents = whole.contents(engine)
            whole.fill(contents, whole.batches(engine, contents), begin, replaces=True)
    finally:
        close_store()


def replace_store(new: Path, path: Path) -> None:
    """Put an embedded store where another is, in one step."""
    sync(new)
    settle(path)
    os.replace(new, path)
    sync(path.absolute().parent)


def settle(path: Path) -> None:
    """Let the log of the old store end in it; one that belongs to another store must not lie beside the new.

    Of a store that cannot be opened any more nothing else can be kept.
    """
    if path.exists() and not end_log(path):
        raise BadBackup(f"{path} is in other use; please wait.")
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def is_there(place: Path) -> bool:
    """Whether there is a file, or a folder that holds something."""
    return place.exists() and (place.is_file() or any(place.iterdir()))


@contextmanager
def workplace_beside(path: Path) -> Iterator[Path]:
    """A folder for unfinished work on the same disk as *path*."""
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".restore-") as name:
        yield Path(name)


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
