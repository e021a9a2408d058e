"""What holds of every export, whatever stands in it."""

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import engines
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peewee import PeeweeException

from models import Contact, StoreError, User, close_store, database, open_store, whole
from server import exports

SHARED = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=engines.tries(15),
)
NUMBERS = st.integers(0, 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
PEOPLE = st.dictionaries(NUMBERS.filter(bool), st.lists(st.text(max_size=20), max_size=3), max_size=5)


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two empty stores."""
    two = [engines.chosen().empty(tmp_path, name) for name in ("old", "new")]
    yield two[0], two[1]
    close_store()
    for address in two:
        engines.chosen().drop(address)


def people(names: dict[int, list[str]]) -> None:
    """Make people of these ids with phone books in which these names stand."""
    Contact.delete().execute()
    User.delete().execute()
    for number, contacts in names.items():
        name = f"person{number}"
        User.insert(id=number, username=name, username_key=name, display_name=name).execute()
        for place, contact in enumerate(contacts):
            row = {"owner": number, "number": str(place), "key": str(place), "firstname": contact}
            Contact.insert(**row).execute()


def exported() -> bytes:
    stream = io.BytesIO()
    exports.write(stream)
    return stream.getvalue()


@SHARED
@given(names=PEOPLE)
def test_what_is_exported_is_imported(places: tuple[str, str], names: dict[int, list[str]]) -> None:
    """Whatever is in a store is in the next one as well, once it went through an export."""
    old, new = places
    open_store(old)
    people(names)
    before = exported()
    open_store(new)
    people({})
    whole.fill(*exports.read(io.BytesIO(before)))
    assert exported().splitlines()[1:] == before.splitlines()[1:]


def tried(data: bytes) -> None:
    """Read an export into an empty store, which refuses it in words or takes it, and undo that."""
    with suppress(exports.BadExport, StoreError, PeeweeException), database.atomic() as transaction:
        whole.fill(*exports.read(io.BytesIO(data)))
        transaction.rollback()


@SHARED
@given(data=st.binary() | st.lists(JSON).map(lambda all_: "\n".join(map(json.dumps, all_)).encode()))
def test_any_bytes_are_refused_in_words(places: tuple[str, str], data: bytes) -> None:
    """What is no export is refused as that, whatever it is."""
    open_store(places[0])
    with pytest.raises(exports.BadExport):
        whole.fill(*exports.read(io.BytesIO(data)))


@SHARED
@given(data=st.data(), value=JSON)
def test_any_value_is_refused_in_words(places: tuple[str, str], data: st.DataObject, value: Any) -> None:
    """A value that no store would have written is refused like any fault of an export."""
    open_store(places[0])
    people({1: ["Bob"]})
    lines = [json.loads(line) for line in exported().splitlines()[:-1]]
    people({})
    line = data.draw(st.sampled_from(lines))
    held = line.get("tables", {}).get(data.draw(st.sampled_from(["account", "line"])), line)
    held[data.draw(st.sampled_from(sorted(held)))] = value
    text = "".join(f"{json.dumps(each)}\n" for each in lines).encode()
    end = {"rows": len(lines) - 1, "sha256": hashlib.sha256(text).hexdigest()}
    tried(text + json.dumps({"end": end}).encode())
