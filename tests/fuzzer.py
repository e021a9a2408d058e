"""A search for bytes of which something does not hold that should, led by what of the code they reach.

`python tests/fuzzer.py FOLDER -max_total_time=60` searches for a minute, where atheris is installed, with one
process for each piece of code. What reaches more is kept in the folder of that name, and what was found in
a log beside it; bytes that break something are written down, and the search for more of them ends.
"""

import os
import sys
from pathlib import Path

import atheris

# All that the bytes go through; to follow the rest of the libraries would take longer than a short search.
FOLLOWED = ["server", "models.cleaning", "json", "werkzeug.sansio.multipart", "werkzeug.formparser"]
with atheris.instrument_imports(include=FOLLOWED):
    from fuzzed import TARGETS


def search(name: str, folder: Path, options: list[str]) -> int:
    """Begin to search in a process of its own, whose number it gives."""
    process = os.fork()
    if process == 0:
        with (folder / f"{name}.log").open("wb") as log:
            os.dup2(log.fileno(), sys.stderr.fileno())
        atheris.Setup([sys.argv[0], *options, str(folder / name)], TARGETS[name])
        atheris.Fuzz()
    return process


if __name__ == "__main__":
    processes = [search(name, Path(sys.argv[1]), sys.argv[2:]) for name in TARGETS]
    endings = [os.waitpid(process, 0)[1] for process in processes]
    sys.exit(any(endings))
