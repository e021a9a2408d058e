"""What only PostgreSQL understands: a store on a database server."""

import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from peewee import (
    Expression,
    InternalError,
    NotSupportedError,
    OperationalError,
    PeeweeException,
    PostgresqlDatabase,
    Psycopg3Adapter,
    Select,
    Table,
    fn,
)

from .shared import BUSY_SECONDS, PATIENCE, WORDS, Row, as_peewee_does, causes, listed, quoted

T = TypeVar("T")
# How often a call is tried on a server beside others, how often alone, and the longest pause at first,
# in seconds.
TRIES_BESIDE, TRIES_ALONE, PAUSE = 4, 3, 0.01
# What all who write hold of a table that they do not use, and who has to be alone gets only after them all.
BESIDE, ALONE = (f"LOCK TABLE migration IN {mode} MODE" for mode in ("ROW EXCLUSIVE", "EXCLUSIVE"))
# Of two that write at one moment one has to begin anew: it saw what the other changed, or both wait.
COLLISIONS = {"40001", "40P01"}
# What PostgreSQL calls other failures.
FULL = "53100"
BUSY = {"55P03", *COLLISIONS}
# Whoever would write is told the one; the other is all that a standby says to who begins to.
READ_ONLY = {"25006", "0A000"}
DAMAGED = {"XX001", "XX002"}
# What PostgreSQL calls the kind of a column that says yes or no.
BOOL = 16
# By what a process that serves is known on a database server: the driver reads this of its environment.
SERVING = {"PGAPPNAME": "switchboard serve"}
ADDRESS = re.compile(r"\w+://([^/@]*@)?[^@?]*(\?.*)?")


# What stands in the index of a message. Letters and what is small are told by Unicode, whatever language the
# database is set up for. Calling it is said to cost much, so that nobody reads all messages with it.
WORDS_OF = """
    CREATE OR REPLACE FUNCTION words_of(body text, place bigint) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE COST 1000 AS $$ BEGIN
        body := lower(left(body, 100000) COLLATE "und-x-icu");
        body := regexp_replace(body COLLATE "und-x-icu", '([[:alnum:]]{100})', '\\1 ', 'g');
        RETURN array_to_tsvector(array_append(
            array_remove(regexp_split_to_array(body COLLATE "und-x-icu", '[^[:alnum:]]+'), ''),
            chr(57344) || place::text));
    END $$"""


class Adapter(Psycopg3Adapter):
    """Between peewee, which was loaded without the driver, and the driver."""

    def __init__(self) -> None:
        import psycopg
        from psycopg.pq import TransactionStatus

        super().__init__()
        self.driver = psycopg
        self.txn_idle, self.txn_inerror = TransactionStatus.IDLE, TransactionStatus.INERROR
        self.txn_unknown = TransactionStatus.UNKNOWN

    def check_driver(self) -> None:
        pass

    def connect(self, db: PostgresqlDatabase, **terms: Any) -> Any:
        return self.driver.connect(db.database, **terms)

    def get_binary_type(self) -> Any:
        return self.driver.Binary


class Unsure(OperationalError):
    """The connection was lost while a transaction was committed: nobody can tell whether it was."""


class Manners(threading.local):
    """How a thread goes about the store: what it locks first."""

    lock = ""


class Server(PostgresqlDatabase):
    """PostgreSQL: several transactions write at a time; one that got between others is done over.

    Nothing is kept in a session between transactions, so that a pooler may stand between.
    """

    psycopg2_adapter = psycopg3_adapter = Adapter
    is_embedded = False
    # It knows by itself whether it is, and may be mended while it serves.
    is_damaged = False
    id_ending = ""
    has_turns = True
    turn = "(pg_current_xact_id()::text::bigint)"
    open_turns = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    # As SQLite has it: text of any length, in the order of its code points, and numbers of 64 bits.
    text = 'TEXT COLLATE "C"'
    field_types = {
        **PostgresqlDatabase.field_types,
        "AUTO": "BIGSERIAL",
        "INT": "BIGINT",
        "TEXT": text,
    }

    def __init__(self, url: str, durability: str) -> None:
        self.manners = Manners()
        self.commits = "" if durability == "full" else "; SET LOCAL synchronous_commit = off"
        super().__init__(
            url.replace("postgres://", "postgresql://", 1),
            prepare_threshold=None,
            connect_timeout=BUSY_SECONDS,
            client_encoding="utf8",
        )

    def _initialize_connection(self, conn: Any) -> None:
        encoding = conn.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            conn.close()
            raise InternalError(f"its encoding is {encoding} and has to be UTF8")

    def run(self, work: Callable[[], T], *, writes: bool) -> T:
        """Do *work* in one transaction, and all of it anew where it got between others.

        One that only reads sees one state of the store. Of those that write each sees the store as if no
        other did: one that cannot is undone and tried again; in the end alone, or on a row that many want
        some would never be done. So is, once, what was lost with its connection before it was committed.
        """
        losses = 1
        last = TRIES_BESIDE + TRIES_ALONE
        for number in range(1, last + 1):
            if writes:
                self.manners.lock = BESIDE if number <= TRIES_BESIDE else ALONE
            try:
                with self.atomic("SERIALIZABLE" if writes else "REPEATABLE READ READ ONLY"):
                    return work()
            except OperationalError as error:
                if is_collision(error) and number < last:
                    # No secret, but not the same for all, or they would meet again.
                    time.sleep(random.uniform(0, PAUSE * number))  # noqa: S311
                elif self.is_closed() and losses and not (writes and isinstance(error, Unsure)):
                    losses -= 1
                else:
                    raise
        raise OperationalError("too many collisions")

    def begin(self, isolation_level: str | None = None) -> None:
        """Begin a transaction, on a new connection where the old one is lost."""
        level, wait = isolation_level or "SERIALIZABLE", round(PATIENCE.seconds() * 1000)
        statement = f"BEGIN ISOLATION LEVEL {level}; SET LOCAL lock_timeout = {wait}{self.commits}"
        if self.manners.lock:
            # To lock a table is the one thing that can be waited for before what is seen is settled.
            statement, self.manners.lock = f"{statement}; {self.manners.lock}", ""
        try:
            self.send(statement)
        except OperationalError:
            if not self.is_lost():
                self.rollback()
                raise
            self.drop()
            self.send(statement)

    def commit(self) -> None:
        try:
            cursor = super().execute_sql("COMMIT")
        except OperationalError as error:
            if self.is_lost():
                raise Unsure(*error.args) from error
            raise
        # To commit what has failed is no error to PostgreSQL.
        if cursor.statusmessage != "COMMIT":
            raise InternalError("the transaction had failed before")

    def rollback(self) -> None:
        """Undo the transaction, which a lost connection has done already."""
        try:
            super().rollback()
        except PeeweeException:
            self.drop()

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        try:
            return self.send(sql, params)
        except OperationalError:
            if self.in_transaction() or not self.is_lost():
                raise
            self.drop()
            if not sql.startswith("SELECT"):
                raise
            return self.send(sql, params)

    def send(self, sql: str, params: Any = None) -> Any:
        """Send a statement; a store that takes no writing or is damaged fails as one does that is full."""
        try:
            return super().execute_sql(sql, params)
        except (InternalError, NotSupportedError) as error:
            if (READ_ONLY | DAMAGED).isdisjoint(causes(error)):
                raise
            raise OperationalError(*error.args) from error

    def probe(self) -> None:
        """Fail where the store cannot be used."""
        self.execute_sql("SELECT 1").fetchone()

    def size(self) -> int:
        """How many bytes the database takes."""
        [(size,)] = self.execute_sql("SELECT pg_database_size(current_database())").fetchall()
        return int(size)

    def version(self) -> str:
        """Which PostgreSQL it is."""
        [(version,)] = self.execute_sql("SHOW server_version").fetchall()
        return str(version)

    def clock(self) -> float:
        """What the database server's clock tells, in seconds since 1970."""
        [(seconds,)] = self.execute_sql("SELECT extract(epoch FROM clock_timestamp())").fetchall()
        return float(seconds)

    def damage(self) -> str:
        """Nothing: PostgreSQL looks after its pages itself."""
        return ""

    def is_lost(self) -> bool:
        """Whether the connection of this thread has broken."""
        return not self.is_closed() and bool(self.connection().closed)

    def drop(self) -> None:
        """Forget the connection of this thread; the next statement opens another."""
        if not self.is_closed():
            with suppress(Exception):
                self.connection().close()
        self.dispose()

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Do not wait for another writer, for a write on which nothing depends."""
        with PATIENCE.haste():
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """All steps of a migration are one transaction, and whoever else wants to take them waits for it."""
        with self.atomic("READ COMMITTED"):
            self.execute_sql("SELECT pg_advisory_xact_lock(hashtext('switchboard migration'))")
            yield

    def faults(self) -> Iterator[str]:
        """Nothing: PostgreSQL looks after its pages and references itself."""
        return iter(())

    def newest_given(self, table: str) -> int:
        """The newest id that a table has ever given out, or 0."""
        query = "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)"
        [(newest,)] = self.execute_sql(query, (table,)).fetchall()
        return newest or 0

    def go_on_from(self, table: str, newest: int) -> None:
        """Let the next id of a table be newer than *newest*."""
        self.execute_sql("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", (table, newest))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A transaction that reads, and sees one state of the store for as long as it lasts.

        Where its connection is lost after the last of it was read, nothing is.
        """
        is_read = False
        try:
            with self.atomic("REPEATABLE READ READ ONLY"):
                yield
                is_read = True
        except Unsure:
            if not is_read:
                raise

    def stored(self, sql: str, params: Any) -> list[Row]:
        """What a query finds, in the form that all engines share: a yes or no is 1 or 0."""
        cursor = self.execute_sql(sql, params)
        rows: list[Row] = cursor.fetchall()
        if any(column.type_code == BOOL for column in cursor.description):
            return [tuple(int(value) if type(value) is bool else value for value in row) for row in rows]
        return rows

    def put(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Store any number of rows, given in the form that all engines share, as they come."""
        statement = f"COPY {quoted(table)} ({listed(columns)}) FROM STDIN"
        with as_peewee_does, self.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def do_after(self, event: str, table: str, condition: str, work: str) -> None:
        """Let statements be carried out with each row of a table that comes, changes or goes."""
        name = f"{table}_after_{event.lower()}"
        self.execute_sql(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {work} RETURN NULL; END $$"
        )
        self.execute_sql(
            f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW WHEN ({condition}) "
            f"EXECUTE FUNCTION {name}()"
        )

    words_come_later = False

    def index_words(self) -> None:
        """Make the index of words, which the engine keeps up to date by itself."""
        self.execute_sql(WORDS_OF)
        self.execute_sql(f"CREATE INDEX {WORDS} ON message USING gin (words_of(body, conversation_id))")

    def hits(self, wanted: Any, before: Any) -> Any:
        """The ids of messages below one with the words that are wanted."""
        message = Table("message")
        words = fn.words_of(message.c.body, message.c.conversation_id)
        query = Select([message], [message.c.id]).order_by(message.c.id.desc())
        return query.where(Expression(words, "@@", wanted.cast("tsquery")), message.c.id < before).alias(
            "hit"
        )

    def wanted(self, words: Sequence[str], places: Sequence[str]) -> str:
        """How all of the *words* and one of the *places* are asked for; none has a quotation mark."""
        anywhere = " | ".join(f"'{place}'" for place in places)
        return " & ".join([*(f"'{word}'" for word in words), f"({anywhere})"])

    def learn(self) -> None:
        """Get to know rows of which there are suddenly many; without, queries over all of them take hours."""
        self.execute_sql("ANALYZE")

    def is_served(self) -> bool:
        """Whether a server is connected, wherever it runs; its connections have a name of their own."""
        query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
        return self.execute_sql(query, (SERVING["PGAPPNAME"],)).fetchone() is not None


def is_collision(error: BaseException) -> bool:
    return not COLLISIONS.isdisjoint(causes(error))


def refuse_unreadable(url: str) -> None:
    """Refuse an address that the driver takes for another than was meant; it would name what it has misread.

    The only @ before the terms stands between the password and the host, and no / before it.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    is_plain = ADDRESS.fullmatch(url)
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        is_plain = None
    if is_plain is None:
        # Without what the driver says, for that may be a part of the password.
        raise RuntimeError(
            "the address cannot be read; in a name or password write @ as %40, / as %2F, and % as %25"
        ) from None


def has_driver() -> bool:
    """Whether there is what talks to PostgreSQL, which is installed only where it is wanted."""
    with suppress(ImportError):
        import psycopg

        return bool(psycopg.__version__)
    return False
