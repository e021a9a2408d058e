"""What only SQLite understands: a store in a file of one's own."""

import logging
import math
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from peewee import DatabaseError, DataError, Expression, OperationalError, Select, SqliteDatabase, Table

from .shared import BUSY_SECONDS, PATIENCE, WORDS, Row, as_peewee_does, causes, listed, quoted

T = TypeVar("T")
STATEMENTS = logging.getLogger("peewee")

# For how long a store is looked at before it is used; larger ones are not seen to their end.
GLANCE_SECONDS = 0.5
SYNCHRONOUS = {"full": 2, "relaxed": 1}
# What SQLite calls its failures.
FULL = "SQLITE_FULL"
BUSY = {"SQLITE_BUSY", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED"}
READ_ONLY = {"SQLITE_READONLY", "SQLITE_READONLY_DIRECTORY"}
RUINED = ("SQLITE_NOTADB", "SQLITE_CORRUPT")
# What a table says of itself, as the index of words is one.
RUINED_INDEX = "SQLITE_CORRUPT_VTAB"
BROKEN_INDEX = "the index of words is broken"
# So fails what is asked of a broken index, which is a table to SQLite.
BROKEN = ("SQLITE_CORRUPT", "SQLITE_ERROR")


# The index of words: whatever is no ASCII counts as a letter, since the words in it are cut already.
MAKE_WORDS = """
    CREATE VIRTUAL TABLE message_words USING fts5(words, tokenize = 'ascii', detail = none, columnsize = 0)"""
# What a new index has of its own: a table whose inside cannot be read cannot be dropped either.
EMPTY_WORDS = "REPLACE INTO message_words_data (id, block) VALUES (1, x''), (10, zeroblob(7))"
WORDLESS = """
    SELECT id, conversation_id, body FROM message
    WHERE id > COALESCE((SELECT rowid FROM message_words ORDER BY rowid DESC LIMIT 1), 0)
    ORDER BY id LIMIT ?"""
WORDED = """
    SELECT w.rowid, w.words, m.conversation_id, m.body
    FROM message_words w LEFT JOIN message m ON m.id = w.rowid"""
# What the index finds by: its words, with how many messages have each.
MAKE_TERMS = """
    CREATE VIRTUAL TABLE IF NOT EXISTS temp.message_terms USING fts5vocab(main, message_words, row)"""
COUNT_WORDS = """
    SELECT (SELECT COUNT(*) FROM message
            WHERE id < (SELECT rowid FROM message_words ORDER BY rowid DESC LIMIT 1)
              AND id NOT IN (SELECT rowid FROM message_words)),
           (SELECT COALESCE(SUM(doc), 0) FROM temp.message_terms),
           (SELECT COALESCE(SUM(length(words) - length(replace(words, ' ', '')) + 1), 0)
            FROM message_words)"""


class Replaced(OperationalError):
    """The file that was opened is not where it was: what is written now would be in no store."""

    sqlite_errorname = "REPLACED"


class BrokenIndex(OperationalError):
    """The index of words cannot be read; all that was said is there, of which it can be made anew."""

    sqlite_errorname = "BROKEN_INDEX"


class Damaged(OperationalError):
    """Pages of the file are not what they were; the driver has no kind of failure for that alone."""


def is_damage(error: BaseException) -> bool:
    return isinstance(error, DatabaseError | sqlite3.DatabaseError) and any(map(is_ruin, causes(error)))


def is_ruin(name: str) -> bool:
    return name.startswith(RUINED) and name != RUINED_INDEX


@contextmanager
def index_in_use() -> Iterator[None]:
    """Work with the index of words, which may be broken in a store that is sound."""
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError) as error:
        if any(name.startswith(BROKEN) for name in causes(error)):
            raise BrokenIndex(BROKEN_INDEX) from error
        raise


class Embedded(SqliteDatabase):
    """SQLite: one transaction writes at a time while the others wait, so that ids are in commit order."""

    # Which file was opened, whatever is at its path by now.
    opened: tuple[int, int] | None = None
    # Whether damage was met since then; nothing mends it while the store is served.
    is_damaged = False

    is_embedded = True
    id_ending = "AUTOINCREMENT"
    # What an event's turn is, and below which turns all transactions have ended.
    has_turns, turn, open_turns = False, "0", "1"
    text = ""

    def run(self, work: Callable[[], T], *, writes: bool) -> T:
        """Do *work* in one transaction; one that only reads sees one state of the store and blocks nobody.

        One that writes takes the write lock at once (see ``options``): it would fail if it read first and
        another writer came between.
        """
        if writes:
            self.refuse_replaced()
            if PATIENCE.until < math.inf:
                self.wait()
        try:
            return self.done(work, "IMMEDIATE" if writes else "DEFERRED")
        except (DatabaseError, sqlite3.DatabaseError) as error:
            self.refuse_damage(error)
            raise

    def done(self, work: Callable[[], T], lock: str) -> T:
        """What the library's own transaction does, in a third of its steps: every call goes through here."""
        # What the library does after a commit its types do not know.
        afterwards: Any = self
        self.execute_sql(f"BEGIN {lock}")
        self.push_transaction(self)
        try:
            try:
                done = work()
            finally:
                self.pop_transaction()
            self.execute_sql("COMMIT")
        except BaseException:
            # What was to be done once this is stored, such as erasing a file, must not follow something else.
            afterwards._clear_commit_callbacks()
            # Where the disk is full SQLite has gone back by itself.
            if self.connection().in_transaction:
                self.rollback()
            raise
        afterwards._run_commit_callbacks()
        return done

    def refuse_damage(self, error: BaseException) -> None:
        """Let a failure be a trouble where it comes of damage, be it that of the index."""
        if RUINED_INDEX in causes(error) and not isinstance(error, BrokenIndex):
            raise BrokenIndex(BROKEN_INDEX) from error
        if is_damage(error):
            self.is_damaged = True
            if not isinstance(error, OperationalError):
                raise Damaged(*error.args) from error

    def connection(self) -> Any:
        """This thread's connection, by one look where it is open; the types do not know of the state."""
        state: Any = self._state  # type: ignore[attr-defined]
        return state.conn or super().connection()

    def _connect(self) -> Any:
        if self.opened is not None:
            self.refuse_replaced()
        try:
            made = super()._connect()  # type: ignore[misc]  # what has no types is unknown there
        except sqlite3.DatabaseError as error:
            self.refuse_damage(error)
            raise
        self.opened = self.opened or self.in_place()
        return made

    def in_place(self) -> tuple[int, int] | None:
        """Which file is where the store should be."""
        try:
            found = os.stat(self.database)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def refuse_replaced(self) -> None:
        if self.in_place() != self.opened:
            raise Replaced("the file of the store was removed or replaced")

    def probe(self) -> None:
        """Fail where the store cannot be used."""
        self.refuse_replaced()
        self.execute_sql("SELECT 1 FROM sqlite_master").fetchone()

    def size(self) -> int:
        """How many bytes the store takes, with its log."""
        paths = [Path(self.database), Path(f"{self.database}-wal")]
        return sum(path.stat().st_size for path in paths if path.exists())

    def damage(self) -> str:
        """What is wrong with its pages, as far as that can be seen in a moment; check sees all."""
        connection = self.connection()
        if self.is_cut():
            return "its file ends within a page"
        watch = threading.Timer(GLANCE_SECONDS, connection.interrupt)
        watch.start()
        try:
            [(found,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
        except sqlite3.DatabaseError as error:
            found = "ok" if error.sqlite_errorname == "SQLITE_INTERRUPT" else str(error)
        finally:
            watch.cancel()
            watch.join()
        return "" if found == "ok" else " ".join(found.replace("*** in database main ***", "").split())

    def is_cut(self) -> bool:
        """Whether the file ends within a page, and there is no log that might have the rest of it.

        The engine takes what is missing for zeros, in which there may be nothing wrong to see.
        """
        [(size,)] = self.connection().execute("PRAGMA page_size").fetchall()
        path = Path(self.database)
        log = path.with_name(f"{path.name}-wal")
        return path.stat().st_size % size > 0 and not (log.exists() and log.stat().st_size)

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Send a statement; in the library's longer way where somebody wants to hear of every one."""
        if self.query_hooks or STATEMENTS.isEnabledFor(logging.DEBUG):
            return super().execute_sql(sql, params)
        try:
            return self.connection().execute(sql, params or ())
        except sqlite3.Error as error:
            self.refuse_damage(error)
            with as_peewee_does:
                raise

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Do not wait for another writer, for a write on which nothing depends."""
        try:
            with PATIENCE.haste():
                self.wait()
                yield
        finally:
            self.wait()

    def wait(self) -> None:
        """Let the connection wait for another writer as long as this thread has patience."""
        self.execute_sql(f"PRAGMA busy_timeout = {round(PATIENCE.seconds() * 1000)}")

    def alone(self) -> AbstractContextManager[Any]:
        """All steps of a migration are one transaction, and whoever else wants to take them waits for it."""
        return self.transaction()

    def copy_to(self, target: Path) -> None:
        """Write a copy of the store, as it is at one moment, to *target*, for its owner alone.

        In one statement: a copy in steps begins anew with every write, and a copy of the file misses the log.
        """
        unfinished = target.with_name(f"{target.name}.{os.getpid()}")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        try:
            self.execute_sql("VACUUM INTO ?", (str(unfinished),))
            with unfinished.open("rb") as copy:
                os.fsync(copy.fileno())
            os.replace(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)

    def faults(self) -> Iterator[str]:
        """What SQLite itself finds: damaged pages, rows that refer to nothing."""
        try:
            texts = [text for (text,) in self.execute_sql("PRAGMA integrity_check").fetchall()]
        except sqlite3.DatabaseError as error:
            texts = [str(error)]
        if texts != ["ok"]:
            yield from (f"store: {text}" for text in texts)
            return
        for table, row, parent, _ in self.execute_sql("PRAGMA foreign_key_check").fetchall():
            yield f"{table} {row}: what it refers to in {parent} is not there"

    def newest_given(self, table: str) -> int:
        """The newest id that a table has ever given out, or 0."""
        row = self.execute_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return (row and row[0]) or 0

    def go_on_from(self, table: str, newest: int) -> None:
        """Let the next id of a table be newer than *newest*."""
        self.execute_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        self.execute_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, newest))

    def snapshot(self) -> AbstractContextManager[Any]:
        """A transaction that reads, and sees one state of the store for as long as it lasts.

        Who reads all of the store would have all of its file in memory where the file is mapped.
        """
        self.execute_sql("PRAGMA mmap_size = 0")
        return self.atomic("DEFERRED")

    def stored(self, sql: str, params: Any) -> list[Row]:
        """What a query finds, in the form that all engines share."""
        rows: list[Row] = self.execute_sql(sql, params).fetchall()
        return rows

    def put(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Store any number of rows, given in the form that all engines share, as they come."""
        names, places = listed(columns), ", ".join("?" for _ in columns)
        # The names are those of our own tables, and quoted; values have their places.
        statement = f"INSERT INTO {quoted(table)} ({names}) VALUES ({places})"  # noqa: S608
        try:
            with as_peewee_does:
                self.connection().executemany(statement, rows)
        except OverflowError as error:
            raise DataError("a number is too large") from error

    def do_after(self, event: str, table: str, condition: str, work: str) -> None:
        """Let statements be carried out with each row of a table that comes, changes or goes."""
        name = f"{table}_after_{event.lower()}"
        self.execute_sql(f"CREATE TRIGGER {name} AFTER {event} ON {table} WHEN {condition} BEGIN {work} END")

    # The index of words is filled after the messages: to do both at once would cost several times as much.
    words_come_later = True

    def index_words(self) -> None:
        """Make the index of words, in which nothing is; what is erased goes out of it at once.

        It keeps what was put in, so that this goes again whatever the words of a text will be by then.
        """
        self.execute_sql(MAKE_WORDS)
        self.do_after("DELETE", "message", "1 = 1", "DELETE FROM message_words WHERE rowid = OLD.id;")

    def drop_words(self) -> None:
        """Throw the index of words away, with whatever is in it."""
        self.execute_sql("DROP TRIGGER message_after_delete")
        self.execute_sql(EMPTY_WORDS)
        self.execute_sql("DROP TABLE message_words")

    def wordless(self, most: int) -> list[Row]:
        """The id, conversation and body of the next messages that are not in the index of words."""
        return self.stored(WORDLESS, (most,))

    def put_words(self, rows: Iterable[Row]) -> None:
        """Put messages into the index, each with its id and its words with blanks between them."""
        self.put(WORDS, ("rowid", "words"), rows)

    def join_words(self) -> None:
        """Make one piece of the index, in which searches are several times as fast."""
        self.execute_sql("INSERT INTO message_words (message_words) VALUES ('optimize')")

    def worded(self) -> Iterator[Row]:
        """What the index holds: ids and words, with conversation and body where the message is there."""
        return iter(self.execute_sql(WORDED))

    def word_counts(self) -> Row:
        """How many messages the index lacks up to its newest; how many words it finds, and has kept."""
        self.execute_sql(MAKE_TERMS)
        [counts] = self.stored(COUNT_WORDS, ())
        return counts

    def hits(self, wanted: Any, before: Any) -> Any:
        """The ids of messages below one with the words that are wanted."""
        words = Table(WORDS)
        query = Select([words], [words.c.rowid.alias("id")])
        return query.where(Expression(words.c[WORDS], "MATCH", wanted), words.c.rowid < before).alias("hit")

    def wanted(self, words: Sequence[str], places: Sequence[str]) -> str:
        """How all of the *words* and one of the *places* are asked for; none has a quotation mark."""
        anywhere = " OR ".join(map(quoted, places))
        return " AND ".join([*map(quoted, words), f"({anywhere})"])

    def learn(self) -> None:
        """Get to know rows of which there are suddenly many; SQLite plans well enough without."""

    def is_served(self) -> bool:
        """A lock beside its file tells whether a store is served (see where backups are restored)."""
        return False


def options(durability: str) -> dict[str, Any]:
    """How SQLite is opened."""
    return {
        "timeout": BUSY_SECONDS,
        "lock_type": "IMMEDIATE",
        "pragmas": {
            "journal_mode": "wal",
            "synchronous": SYNCHRONOUS[durability],
            "foreign_keys": 1,
            "wal_autocheckpoint": 4000,
            "mmap_size": 2**30,
            # KiB for every thread: what is read comes from the mapped file, only what is written needs it.
            "cache_size": -500,
            "temp_store": "memory",
        },
    }


def end_log(path: Path) -> bool:
    """Let the log of an embedded store, if it still is one, end in its file; False where others use it."""
    try:
        with closing(sqlite3.connect(path)) as engine:
            [(is_busy, _, _)] = engine.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname in BUSY:
            return False
        if error.sqlite_errorname.startswith(RUINED):
            return True
        with as_peewee_does:
            raise
    return not is_busy
