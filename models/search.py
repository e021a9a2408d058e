"""Finding messages by their words, in the conversations that a user can read.

The index has a message's words, and the conversation as one word more. So a search asks for the words in
these conversations, and what others say to each other makes it no slower.
"""

import re
from collections.abc import Iterator
from typing import Any

from peewee import JOIN, Join

from .base import Prepared, database, slot, transact
from .conversations import ACTIVE, ASKED, Conversation, Message, Participant
from .engines import BrokenIndex, index_in_use
from .inbox import SAYING

# Those who can read what is said in a conversation.
READERS = (ACTIVE, ASKED)
# Of a text so much is looked at, and a longer word is as many words as it has pieces of this length.
LONGEST_TEXT, WORD = 100_000, re.compile("[^ ]{1,100}")
# So many messages are put into the index at a time.
BATCH = 1000
# In so many conversations a search looks, those in which something was said last, and in so many at once.
MOST_PLACES, AT_ONCE = 10_000, 500
# What a conversation is called in the index begins with a letter that no word has.
PLACE = "\ue000"
# So many characters are remembered, more than a community writes in, and fewer than there are.
MOST_LETTERS = 10_000
# Below it all ids are.
LARGEST = 2**63 - 1


class Letters(dict[int, str]):
    """What stays of each character: itself where it is a letter or a digit, else a blank."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        kept = letter if letter.isalpha() or letter.isdecimal() else " "
        if len(self) < MOST_LETTERS:
            self[code] = kept
        return kept


LETTERS = Letters()


def words_of(text: str) -> list[str]:
    """The words of a text, each once: its runs of letters and digits, in small letters.

    The engines that find them by themselves have to find the same.
    """
    return list(dict.fromkeys(WORD.findall(text[:LONGEST_TEXT].lower().translate(LETTERS))))


def indexed(body: str, conversation_id: int) -> str:
    """What the index holds of a message, where it is written from here."""
    return " ".join([*words_of(body), f"{PLACE}{conversation_id}"])


def catch_up(batches: int) -> bool:
    """Put messages into the index that it does not hold yet, so many batches at most; whether more are left.

    Who sends a message does not wait for the index, where the engine does not do both in one.
    """
    if not database.obj.words_come_later:
        return False
    with index_in_use():
        return all(is_behind() and transact(take_batch, writes=True) for _ in range(batches))


def fill() -> None:
    """Put all messages of a store into its index, within the transaction that has made it."""
    if database.obj.words_come_later:
        while take_batch():
            pass
        database.obj.join_words()


def mend() -> bool:
    """Make the index anew where it is not as it should be; whether it had to be."""
    if next(faults(), None) is None:
        return False
    with database.obj.alone():
        database.obj.drop_words()
        database.obj.index_words()
        fill()
    return True


def is_behind() -> bool:
    """Whether there is a message that is newer than all in the index."""
    return bool(database.obj.wordless(1))


def take_batch() -> bool:
    """Put the next messages into the index; whether there may be more."""
    rows = database.obj.wordless(BATCH)
    database.obj.put_words((row_id, indexed(body, place)) for row_id, place, body in rows)
    return len(rows) == BATCH


def faults() -> Iterator[str]:
    """Where the index does not hold what messages say; one that the engine keeps itself does."""
    if not database.obj.words_come_later:
        return
    try:
        with index_in_use():
            yield from differences()
    except BrokenIndex:
        yield "index of words: it cannot be read; switchboard migrate makes it anew"


def differences() -> Iterator[str]:
    """Where an index that can be read says something else than messages do."""
    for message_id, words, place, body in database.obj.worded():
        if body is None:
            yield f"message {message_id}: it is not there, and can be searched for"
        # Which letters there are beyond these is told by each version of Unicode anew.
        elif (body.isascii() and words != indexed(body, place)) or words.split()[-1] != f"{PLACE}{place}":
            yield f"message {message_id}: it is not found by its words"
    missing, found, kept = database.obj.word_counts()
    if missing or found != kept:
        yield f"index of words: it lacks {missing} messages, and finds {found} of {kept} words"


def _places() -> Any:
    """The conversations that a user can read, by their newest messages; crowds come first."""
    return (
        Participant.select(Participant.conversation, Participant.newest_id)
        .where(Participant.user == slot("user"), Participant.status.in_(READERS))
        .order_by(Participant.newest_id.desc(nulls="FIRST"))
        .limit(MOST_PLACES)
    )


def _found() -> Any:
    """Messages of some conversations with all words wanted, the newest first, for who can read them."""
    hits = database.obj.hits(slot("wanted"), slot("before"))
    # In this order, whatever an engine believes of how many there are of each.
    source = hits
    for table in (Message, Conversation, Participant):
        source = Join(source, table, JOIN.CROSS)
    return (
        Message.select(
            Message.id,
            Message.seq,
            Message.conversation,
            Message.author,
            Message.sent_at,
            *SAYING,
            Conversation.app,
            Conversation.subject,
            Conversation.peer,
        )
        .from_(source)
        .where(
            Message.id == hits.c.id,
            Conversation.id == Message.conversation,
            Participant.conversation == Message.conversation,
            Participant.user == slot("user"),
            Participant.status.in_(READERS),
        )
        .order_by(hits.c.id.desc())
        .limit(slot("limit"))
    )


places_to_read = Prepared(_places)
messages_found = Prepared(_found)


def search(user_id: int, words: list[str], before: int | None, limit: int) -> list[Any]:
    """The newest messages with all of the *words* that the user can read, below the id *before* if given."""
    found: list[Any] = []
    older = LARGEST if before is None else before
    places = places_to_read(user=user_id)
    for start in range(0, len(places), AT_ONCE):
        some = places[start : start + AT_ONCE]
        newest = some[0].newest_id
        # What is left was said in conversations in which nothing as new was said.
        if newest is not None and len(found) == limit > 0 and found[-1].id > newest:
            break
        wanted = database.obj.wanted(words, [f"{PLACE}{place.conversation_id}" for place in some])
        with index_in_use():
            found += messages_found(user=user_id, wanted=wanted, before=older, limit=limit)
        found = sorted(found, key=lambda row: row.id, reverse=True)[:limit]
    return found
