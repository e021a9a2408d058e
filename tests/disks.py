"""Disks of the tests' own, which are soon full or cannot be written; mounting them takes root."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class Disk:
    """A small disk in memory, mounted at a *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.filler = folder, folder / "filler"

    def fill(self) -> None:
        """Leave no byte free."""
        with self.filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass

    def free(self) -> None:
        self.filler.unlink(missing_ok=True)

    def mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        subprocess.run(command, check=True, capture_output=True, timeout=20)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Disk]:
    """A disk of so many bytes; the test is skipped where none can be mounted."""
    disk = Disk(folder)
    try:
        disk.mount(f"size={size}")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk cannot be mounted here: {error}")
    try:
        yield disk
    finally:
        # Lazily, for the last of a server's processes may still be about to end.
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True, timeout=20)
