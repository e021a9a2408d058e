"""The bytes of attachments, one file each in one private folder.

A stored file's name is made here and only here: the SHA-256 of its bytes, a hyphen and eight random hex
digits. The digest lets damage be noticed; the random part gives every put a file of its own, so that erasing
one attachment never takes the bytes of another that happens to be equal.
"""

import hashlib
import logging
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

log = logging.getLogger(__name__)

PARTIAL = ".part"

_NAME = re.compile(r"([0-9a-f]{64})-[0-9a-f]{8}")
_LEFTOVER = re.compile(_NAME.pattern + f"({re.escape(PARTIAL)})?")

_open_private = partial(os.open, mode=0o600)


class Files:
    """A folder of stored files. Every method refuses a name it could not have made with ValueError.

    Safe to share between threads and processes: nothing is kept in memory and no name is made twice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Store the bytes and return their name once both would survive a power cut.

        Raises OSError, such as ENOSPC of a full disk, having removed whatever it wrote.
        """
        name = f"{hashlib.sha256(data).hexdigest()}-{secrets.token_hex(4)}"
        unfinished = name + PARTIAL
        self._make_folder()
        try:
            _write_through(self._folder / unfinished, data)
            os.replace(self._folder / unfinished, self.path(name))
            _sync_folder(self._folder)
        except BaseException:
            self.erase([unfinished, name])
            raise
        return name

    def read(self, name: str) -> bytes | None:
        """The stored bytes, or None if they are gone."""
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            return None

    def path(self, name: str) -> Path:
        """Where the file of that name is, or would be."""
        return self._folder / _matching(_NAME, name)

    def erase(self, names: Iterable[str]) -> None:
        """Remove the named files, and leftovers of unfinished puts as `older_than` names them.

        Files already gone are fine. A refused name among them leaves all of them in place.
        """
        paths = [self._folder / _matching(_LEFTOVER, name) for name in names]
        for path in paths:
            path.unlink(missing_ok=True)

    def erase_leniently(self, names: Iterable[str]) -> None:
        """Remove the named files where that works; what stays is found and swept away in time."""
        try:
            self.erase(names)
        except OSError as error:
            log.warning("not erased: %s", error)

    def intact(self, name: str) -> bool:
        """Whether the file is there and holds the very bytes that were put."""
        data = self.read(name)
        return data is not None and name.startswith(hashlib.sha256(data).hexdigest())

    def older_than(self, seconds: float) -> Iterator[str]:
        """What was written more than `seconds` ago, leftovers of unfinished puts included, for `erase`."""
        latest = time.time() - seconds
        for name in filter(_LEFTOVER.fullmatch, self._listing()):
            with suppress(FileNotFoundError):
                if (self._folder / name).stat().st_mtime < latest:
                    yield name

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync_folder(self._folder.parent)

    def _listing(self) -> list[str]:
        try:
            return os.listdir(self._folder)
        except FileNotFoundError:
            return []


def _matching(form: re.Pattern[str], name: str) -> str:
    if form.fullmatch(name) is None:
        raise ValueError(f"not the name of a stored file: {name!r}")
    return name


def _write_through(path: Path, data: bytes) -> None:
    with open(path, "xb", opener=_open_private) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the names in the folder durable: syncing a file does not sync the entry that leads to it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
