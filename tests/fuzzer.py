"""A search for bytes of which something does not hold that should, led by what of the code they reach.

`python tests/fuzzer.py parser FOLDER -max_total_time=60` searches for a minute, where atheris is installed,
and keeps in the folder what reaches more. Bytes that break something are written down, and the search ends.
"""

import sys

import atheris

with atheris.instrument_imports(include=["server", "models", "json", "werkzeug"]):
    from fuzzed import TARGETS

if __name__ == "__main__":
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()
