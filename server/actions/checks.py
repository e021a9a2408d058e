"""Whether the store is as it should be, with the files that it names."""

from collections.abc import Iterator

from models import check, stored_files, work

from ..files import Files

# What names a stored file: a table, the id of a row, and the file.
Named = tuple[str, int, str]


def faults(files: Files, begin: work.Begin = work.untold) -> Iterator[str]:
    """Every fault of the open store and of its files, in a sentence each."""
    yield from check.faults(begin)
    yield from missing_files(files, begin)


def missing_files(files: Files, begin: work.Begin = work.untold) -> Iterator[str]:
    """Attachments and pictures whose file is gone or damaged."""
    named = list(stored_files())
    found = list(damaged(files, named, begin("Checking files", len(named))))
    # While the server runs a file may be erased after its row was read.
    still_named = set(stored_files()) if found else set()
    for what, row_id, name in found:
        if (what, row_id, name) in still_named:
            yield f"{what} {row_id}: its file {name} is missing or damaged"


def damaged(files: Files, named: list[Named], advance: work.Advance) -> Iterator[Named]:
    for each in named:
        if not files.intact(each[2]):
            yield each
        advance(1)
