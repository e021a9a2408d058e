"""The files of attachments on disk."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from server.files import PARTIAL, Files

DIGEST = hashlib.sha256(b"hello").hexdigest()
NEVER_PUT = f"{DIGEST}-00000000"

NAMES_NEVER_MADE = (
    "",
    ".",
    "..",
    "../secret",
    f"../{NEVER_PUT}",
    f"/{NEVER_PUT}",
    f"{NEVER_PUT}/..",
    f"{NEVER_PUT}\n",
    f"{NEVER_PUT}\0",
    f"{NEVER_PUT}.png",
    NEVER_PUT.upper(),
    DIGEST,
)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "attachments")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def age(path: Path, seconds: float) -> None:
    moment = path.stat().st_mtime - seconds
    os.utime(path, (moment, moment))


def failing_with(number: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def failing_for_folders(descriptor: int) -> None:
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_was_put_is_read(files: Files) -> None:
    """The bytes put are the bytes read."""
    assert files.read(files.put(b"hello")) == b"hello"


def test_name_tells_digest(files: Files) -> None:
    """A file is named by the SHA-256 of its bytes."""
    assert files.put(b"hello").startswith(f"{DIGEST}-")


def test_equal_bytes_are_separate_files(files: Files) -> None:
    """Erasing one of two equal attachments leaves the other."""
    first, second = files.put(b"hello"), files.put(b"hello")
    files.erase([first])
    assert (files.read(first), files.read(second)) == (None, b"hello")


def test_another_instance_reads(tmp_path: Path) -> None:
    """What one instance put, another on the same folder reads."""
    assert Files(tmp_path).read(Files(tmp_path).put(b"hello")) == b"hello"


def test_empty_data_is_stored(files: Files) -> None:
    """No bytes at all are a content like any other."""
    name = files.put(b"")
    assert files.read(name) == b""
    assert files.intact(name)


def test_folder_appears_with_first_put(tmp_path: Path) -> None:
    """Only a put creates the folder."""
    folder = tmp_path / "attachments"
    files = Files(folder)
    assert (list(files.older_than(-1)), files.read(NEVER_PUT), folder.exists()) == ([], None, False)
    files.put(b"hello")
    assert folder.is_dir()


def test_everything_is_private(files: Files) -> None:
    """Nobody but the server's own user may enter the folder or read a file."""
    path = files.path(files.put(b"hello"))
    assert (mode_of(path), mode_of(path.parent)) == (0o600, 0o700)


def test_path_leads_to_the_bytes(files: Files) -> None:
    """The path of a name is that of the stored file."""
    assert files.path(files.put(b"hello")).read_bytes() == b"hello"


def test_erasing_what_is_gone_is_fine(files: Files) -> None:
    """Erasing a file twice does nothing the second time."""
    name = files.put(b"hello")
    files.erase([name, name])
    files.erase([name])
    assert list(files.older_than(-1)) == []


def test_erase_is_all_or_nothing_about_names(files: Files) -> None:
    """A refused name among those to erase leaves all files in place."""
    name = files.put(b"hello")
    with pytest.raises(ValueError):
        files.erase([name, "../secret"])
    assert files.read(name) == b"hello"


def test_intact_notices_damage(files: Files) -> None:
    """A file is intact exactly as long as it holds the bytes that were put."""
    name = files.put(b"hello")
    assert files.intact(name)
    files.path(name).write_bytes(b"hellp")
    assert not files.intact(name)
    files.erase([name])
    assert not files.intact(name)


def test_older_than_goes_by_age(files: Files) -> None:
    """Only files written longer ago than the given seconds are listed."""
    old, _young = files.put(b"old"), files.put(b"young")
    age(files.path(old), 3600)
    assert list(files.older_than(1800)) == [old]


def test_sweep_takes_stale_leftovers(files: Files) -> None:
    """What an interrupted put left behind is listed when stale, and erase accepts it."""
    folder = files.path(files.put(b"hello")).parent
    leftover = folder / (NEVER_PUT + PARTIAL)
    leftover.touch()
    age(leftover, 3600)
    files.erase(files.older_than(1800))
    assert not leftover.exists()


def test_sweep_leaves_strangers(files: Files) -> None:
    """A file this server did not make is never listed for the sweep."""
    stranger = files.path(files.put(b"hello")).parent / "README"
    stranger.touch()
    age(stranger, 3600)
    assert list(files.older_than(1800)) == []


def test_file_vanishing_during_sweep_is_skipped(files: Files) -> None:
    """A file erased while the sweep goes on is passed over."""
    for data in (b"one", b"two"):
        age(files.path(files.put(data)), 3600)
    sweep = files.older_than(1800)
    found = next(sweep)
    files.erase(files.older_than(-1))
    assert (list(sweep), files.read(found)) == ([], None)


@pytest.mark.parametrize("name", NAMES_NEVER_MADE)
@pytest.mark.parametrize("method", ["read", "path", "intact"])
def test_names_never_made_are_refused(files: Files, method: str, name: str) -> None:
    """A name that put cannot have returned is refused by every method that takes one."""
    with pytest.raises(ValueError):
        getattr(files, method)(name)


@pytest.mark.parametrize("name", NAMES_NEVER_MADE)
def test_erase_refuses_names_never_made(files: Files, name: str) -> None:
    """Erase refuses names that lead out of the folder or to strangers in it."""
    with pytest.raises(ValueError):
        files.erase([name])


@pytest.mark.parametrize("method", ["read", "path", "intact"])
def test_leftovers_cannot_be_read(files: Files, method: str) -> None:
    """The unfinished file of a put can be erased but never read."""
    with pytest.raises(ValueError):
        getattr(files, method)(NEVER_PUT + PARTIAL)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """A put for which the disk has no room raises the system's error and leaves no file behind."""
    monkeypatch.setattr(os, call, failing_with(number))
    with pytest.raises(OSError) as caught:
        Files(tmp_path).put(b"hello")
    assert (caught.value.errno, os.listdir(tmp_path)) == (number, [])


def test_name_that_did_not_become_durable_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A put that fails in its very last step, making the name durable, leaves no file behind."""
    monkeypatch.setattr(os, "fsync", failing_for_folders)
    with pytest.raises(OSError):
        Files(tmp_path).put(b"hello")
    assert os.listdir(tmp_path) == []


def test_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A put stopped from outside cleans up as a failed one does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Files(tmp_path).put(b"hello")
    assert os.listdir(tmp_path) == []
