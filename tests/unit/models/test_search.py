"""The index of words: what it holds, how it is kept, and that each engine has the same words."""

import io
import time
from pathlib import Path

import engines
import pytest
from builders import Cast
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import (
    Conversation,
    Message,
    check,
    clean,
    close_store,
    database,
    open_store,
    search,
    transact,
    whole,
)
from models.engines.shared import BUSY_SECONDS
from server import exports
from server.actions import search as searching
from server.config import Settings

ALL = 100
only_sqlite = pytest.mark.skipif(engines.name != "sqlite", reason="where the index is filled later")
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"])) | st.text("aÄß9_ .İΣʼ²٣", max_size=300)


def found(user: int, words: str, before: int | None = None, limit: int = ALL) -> list[str]:
    searching.freshen()
    return [row.body for row in search.search(user, search.words_of(words), before, limit)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(text=TEXTS)
def test_a_message_is_found_by_each_of_its_words(cast: Cast, text: str) -> None:
    """Whatever a message says, the engine knows the very words of it that a search asks for."""
    with database.atomic() as transaction:
        thread = cast.ann.starts("Lunch", cast.bob, body=f"begin {text}")
        search.catch_up(1)
        for word in search.words_of(clean(f"begin {text}")):
            [only] = search.search(cast.bob.user.id, [word], None, ALL)
            assert only.conversation_id == thread.id
        transaction.rollback()


def test_of_many_conversations_each_is_searched(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest messages come first, however many conversations there are for one question."""
    monkeypatch.setattr(search, "AT_ONCE", 3)
    threads = [cast.ann.starts(f"Talk {number}", cast.bob, body=f"word {number}") for number in range(8)]
    for number, thread in enumerate([*threads[::3], *threads[::2]]):
        thread.says(f"more word {number}")
    wanted = [m.body for m in Message.select().order_by(Message.id.desc())]
    assert found(cast.bob.user.id, "word") == wanted
    assert found(cast.bob.user.id, "more") == wanted[:7]
    for limit in (0, 1, 4, 9):
        assert found(cast.bob.user.id, "word", limit=limit) == wanted[:limit]
    fifth = Message.get(Message.body == wanted[4]).id
    assert found(cast.bob.user.id, "word", before=fifth) == wanted[5:]


def test_only_so_many_conversations_are_searched(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the most that one search looks through, those are left out in which nobody spoke for longest."""
    threads = [cast.ann.starts("Talk", cast.bob, body=f"word {number}") for number in range(3)]
    threads[0].says("again")
    monkeypatch.setattr(search, "MOST_PLACES", 2)
    search.places_to_read.compile()
    try:
        assert found(cast.bob.user.id, "word") == ["word 2", "word 0"]
    finally:
        monkeypatch.undo()
        search.places_to_read.compile()


def test_what_is_erased_goes_out_of_the_index(cast: Cast) -> None:
    """Erasing a conversation takes its messages out, also those that the index has not had yet."""
    first, second = cast.ann.starts("One", cast.bob), cast.ann.starts("Two", cast.bob)
    assert found(cast.bob.user.id, "first") == ["first", "first"]
    first.says("late")
    Conversation.delete().where(Conversation.id == first.id).execute()
    assert found(cast.bob.user.id, "first") == ["first"]
    assert found(cast.bob.user.id, "late") == []
    assert second.says("later").id and found(cast.bob.user.id, "later") == ["later"]
    assert list(search.faults()) == []


@only_sqlite
@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM message_words WHERE rowid = 1",
        "UPDATE message_words SET words = 'else' WHERE rowid = 1",
        "UPDATE message SET body = 'else' WHERE id = 1",
        "INSERT INTO message_words (rowid, words) VALUES (9, 'else')",
        "UPDATE message_words_content SET c0 = c0 || ' ' || c0 WHERE id = 1",
        "UPDATE message SET conversation_id = 2 WHERE id = 1",
    ],
)
def test_an_index_that_says_something_else_is_a_fault(cast: Cast, harm: str) -> None:
    """Where the index does not hold what messages say, or finds what it does not hold, check tells."""
    for thread in (cast.ann.starts("One", cast.bob), cast.ann.starts("Two", cast.bob)):
        thread.says("again")
    assert list(check.faults()) == []
    search.catch_up(1)
    assert list(check.faults()) == []
    database.execute_sql("DROP INDEX message_conversation_id_seq")
    database.execute_sql(harm)
    assert list(search.faults()) != []


def test_a_store_in_use_is_searched(cast: Cast) -> None:
    """While nothing can be written a search waits for nobody and finds what the index has; afterwards all."""
    thread = cast.ann.starts("Lunch", cast.bob)
    assert found(cast.bob.user.id, "first") == ["first"]
    thread.says("first of all")
    with engines.chosen().locked(cast.settings.database):
        began = time.monotonic()
        assert "first" in found(cast.bob.user.id, "first")
        assert time.monotonic() - began < BUSY_SECONDS
    assert found(cast.bob.user.id, "first") == ["first of all", "first"]


def test_an_imported_store_is_searched(cast: Cast, tmp_path: Path) -> None:
    """What was exported is found in the store that it was imported into, whose index is made anew."""
    thread = cast.ann.starts("Lunch", cast.bob, body="needle")
    thread.says("hay")
    stream = io.BytesIO()
    exports.write(stream)
    new = engines.chosen().empty(tmp_path, "new")
    open_store(new)
    whole.fill(*exports.read(io.BytesIO(stream.getvalue())))
    rows = search.search(cast.bob.user.id, ["needle"], None, ALL)
    assert [row.body for row in rows] == ["needle"]
    assert not search.catch_up(1)
    close_store()
    engines.chosen().drop(new)


@only_sqlite
def test_the_index_is_filled_in_parts(store: Settings, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many messages are taken at a time, and it is told whether there are more."""
    monkeypatch.setattr(search, "BATCH", 2)
    thread = cast.ann.starts("Lunch", cast.bob)
    for number in range(4):
        thread.says(str(number))
    steps = []
    while search.catch_up(1):
        steps.append(len(database.execute_sql("SELECT 1 FROM message_words").fetchall()))
    assert steps == [2, 4]
    assert not search.is_behind()
    transact(search.take_batch, writes=True)
    assert list(search.faults()) == []


def test_not_every_character_is_remembered() -> None:
    """What is known of characters has an end, whatever somebody writes; the words are the same."""
    letters = search.Letters()
    text = "".join(map(chr, range(0x20000, 0x20000 + 2 * search.MOST_LETTERS)))
    assert text.translate(letters) == text
    assert len(letters) == search.MOST_LETTERS
