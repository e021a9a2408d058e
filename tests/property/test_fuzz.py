"""What reads the bytes of strangers takes them or says no, whatever they are.

Where atheris is installed it looks for bytes of which that does not hold, for FUZZ_SECONDS.
By hand: FUZZ_SECONDS=60 python -m pytest tests/property/test_fuzz.py -k search -n 0 -s
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzzed import EDGE, LIMIT, TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

from models import clean
from server import text
from server.text.bbcode import KNOWN
from server.wire.coding import TooLarge, inflated
from server.wire.rest import read_json

ROOT = Path(__file__).parents[2]
RECORDED = {path.stem: path.read_bytes() for path in sorted((ROOT / "fixtures" / "requests").glob("*.xml"))}
SECONDS = int(os.environ.get("FUZZ_SECONDS", "1"))
HAS_ATHERIS = importlib.util.find_spec("atheris") is not None
REPEATED = 100
PART = f'--{EDGE}\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'.encode()
TAGS = [f"[{name}]".encode() for name in sorted(KNOWN)]
SCRAPS = {
    "parser": [b"<", b">", b"<value>", b"</value>", b"<!DOCTYPE a>", b"&#0;", b"&a;", b"]]>", b"\xff\xfe"],
    "json": [b"{", b"}", b"[", b"]", b'"', b"\\", b"\\ud800", b":", b",", b"1e999", b"NaN", b"\x00", b"\xff"],
    "form": [
        PART,
        b"\r\n",
        b"\r",
        b"--",
        EDGE.encode(),
        b";",
        b'"',
        b"name=",
        b"filename=",
        b"&",
        b"=",
        b"%",
        b"\xff",
    ],
    "coding": [b"\x1f\x8b", b"\x78\x9c", b"\x00", b"\xff"],
    "markup": [
        *(f"[{name}]".encode() for name in sorted(KNOWN)),
        b"[/",
        b"[url=",
        b"]",
        b'"',
        b"=",
        b"\n",
        b"\xff",
    ],
}
GOOD = {
    "parser": list(RECORDED.values()),
    "json": [b'{"text": "Hello", "id": "a", "list": [1, 2.5, null, true, {"a": "\\u00e9\\ud83d\\ude00"}]}'],
    "form": [
        b'--%b\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nx\r\n--%b--\r\n'
        % (EDGE.encode(), EDGE.encode()),
        b"a=b&c=%20d&e",
    ],
    "coding": [zlib.compress(b"x" * 3 * LIMIT), zlib.compress(b"x" * 50)],
    "markup": [
        b"[quote=a][b]x[/b][/quote][color=red]z[/color] [url=https://a.example]y[/url] [img]https://a.example/b[/img]"
    ],
}


@st.composite
def changed(draw: st.DrawFn, name: str) -> bytes:
    """What is good, with scraps or other bytes in some places, in addition or instead of what was there."""
    body = draw(st.sampled_from(GOOD[name]))
    for _ in range(draw(st.integers(1, 6))):
        place, gone = draw(st.integers(0, len(body))), draw(st.sampled_from((0, 0, 1, 5, LIMIT)))
        scrap = draw(st.one_of(st.sampled_from(SCRAPS[name]), st.binary(max_size=4)))
        body = body[:place] + scrap * draw(st.sampled_from((1, 1, 2, 40))) + body[place + gone :]
    return body


@settings(max_examples=300, deadline=None)
@given(st.data())
@pytest.mark.parametrize("name", TARGETS)
def test_what_is_changed_is_taken_or_refused(name: str, data: st.DataObject) -> None:
    """Good bytes, changed in some places, are read within the limits or refused, and nothing else happens."""
    TARGETS[name](data.draw(changed(name)))


@settings(deadline=None)
@given(st.data())
@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_taken_or_refused(name: str, data: st.DataObject) -> None:
    """The same holds of bytes of any origin, be they repeated."""
    pieces = st.lists(st.one_of(st.sampled_from(SCRAPS[name]), st.binary(max_size=8)), max_size=20)
    TARGETS[name](b"".join(data.draw(pieces)) * data.draw(st.sampled_from((1, 1, REPEATED))))


NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5))
def test_json_is_read_as_meant(value: dict[str, Any]) -> None:
    """An object that another library has written is the same when it is read."""
    assert read_json(json.dumps(value).encode()) == value


@given(st.text(st.characters(categories=["Cs", "Ll"]), min_size=1))
def test_half_characters_are_not_kept(source: str) -> None:
    """What JSON can hold and no store can is gone when it is read, and nothing else."""
    [(key, value)] = read_json(json.dumps({source: source}).encode()).items()
    assert key == value
    value.encode()


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 400), st.sampled_from(["gzip", "deflate"]))
def test_what_was_packed_is_the_same_or_too_large(body: bytes, times: int, encoding: str) -> None:
    """A packed body comes out as it went in, or is refused where it would be larger than the limit."""
    whole = body * times
    packed = zlib.compress(whole, wbits=31 if encoding == "gzip" else 15)
    if len(whole) > LIMIT:
        with pytest.raises(TooLarge):
            inflated(packed, encoding, LIMIT)
    else:
        assert inflated(packed, encoding, LIMIT) == whole


# Work in proportion


def steps(work: Callable[[], object]) -> int:
    """How many calls of functions a piece of work takes."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


FORMS: dict[str, Callable[[str], object]] = {
    "subset": text.subset,
    "html": text.html,
    "preview": text.preview,
    "quote": lambda source: text.quote(source, source[:50], 1, 2),
}
FRAGMENTS = st.one_of(
    st.sampled_from([scrap.decode(errors="replace") for scrap in SCRAPS["markup"]]),
    st.sampled_from([f"[/{name}]" for name in sorted(KNOWN)]),
    st.text(max_size=3),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(FRAGMENTS, min_size=1, max_size=8).map("".join))
@pytest.mark.parametrize("form", FORMS)
def test_work_grows_as_the_text_does(form: str, pattern: str) -> None:
    """Four times as much of any text takes about four times the steps, and not sixteen times."""
    source = clean(pattern)
    once = steps(lambda: FORMS[form](source * REPEATED))
    assert steps(lambda: FORMS[form](source * REPEATED * 4)) <= 5 * once + 1000


# The search


@pytest.mark.skipif(not HAS_ATHERIS, reason="atheris is not installed")
@pytest.mark.timeout(SECONDS + 120)
def test_a_search_finds_nothing(tmp_path: Path) -> None:
    """No bytes are found that do what they should not, take ten seconds, or a gigabyte."""
    for name in TARGETS:
        (tmp_path / name).mkdir()
        for number, body in enumerate(GOOD[name]):
            (tmp_path / name / str(number)).write_bytes(body)
    bounds = (f"-max_total_time={SECONDS}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=20000")
    command = [sys.executable, str(ROOT / "tests" / "fuzzer.py"), str(tmp_path), *bounds]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    found = {name: (tmp_path / f"{name}.log").read_text(errors="replace") for name in TARGETS}
    assert said.returncode == 0, said.stderr + "".join(found.values())
    for name, log in found.items():
        [done] = re.findall(r"Done \d+ runs in \d+ second", log)
        print(f"{name}: {done}")
