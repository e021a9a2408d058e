"""The engines on which the tests can run: where new stores come from, and what each is asked in its way."""

import atexit
import functools
import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import psycopg

from models import close_store, database, migrate, open_store
from models.base import Prepared

BINARIES = Path("/usr/lib/postgresql")
START_SECONDS = 30
FIRST_WITH_STRATEGIES = 15
numbers = count(1)


class Engine(Protocol):
    """Where stores of tests are."""

    def place(self, folder: Path, name: str) -> str:
        """The address at which a server can begin to serve a new store."""

    def blank(self, folder: Path, name: str) -> str:
        """The address of a store that has had no step yet."""

    def empty(self, folder: Path, name: str) -> str:
        """The address of a new store that is up to date and in which nothing is."""

    def drop(self, address: str) -> None:
        """Nobody needs the store any more."""

    def schema(self) -> set[Any]:
        """Every table, index and constraint of the open store."""

    def plan(self, query: Prepared) -> str:
        """How the engine goes about a prepared query in the open store, where it has the choice."""

    def is_scan(self, plan: str) -> bool:
        """Whether a plan reads all of a table."""

    def is_sort(self, plan: str) -> bool:
        """Whether a plan of a page sorts more than the page itself, and what is in crowds."""

    # How a plan says that unread places are found in their index, and by all that it has.
    by_unread: str

    def locked(self, address: str) -> AbstractContextManager[None]:
        """The store, into which nobody can write because another program does, for all this time."""

    def written(self, address: str) -> bytes:
        """All that is written in a store."""

    def cut(self, address: str) -> None:
        """Break every connection that an engine of this kind can lose."""

    def restart(self) -> None:
        """End what serves the stores, as suddenly as it can, and start it again."""

    def stop(self) -> None:
        """The tests are over."""


class Embedded:
    """SQLite, in files in the test's own folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="switchboard-tests-"))

    @functools.cached_property
    def template(self) -> Path:
        path = self.folder / "empty.db"
        open_store(f"sqlite:///{path}")
        migrate()
        database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        close_store()
        return path

    def place(self, folder: Path, name: str) -> str:
        return self.blank(folder, name)

    def blank(self, folder: Path, name: str) -> str:
        return f"sqlite:///{folder}/{name}.db"

    def empty(self, folder: Path, name: str) -> str:
        (folder / f"{name}.db").write_bytes(self.template.read_bytes())
        return self.blank(folder, name)

    def drop(self, address: str) -> None:
        pass

    def schema(self) -> set[Any]:
        rows = database.execute_sql(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        )
        return {sql for (sql,) in rows.fetchall() if '"migration' not in sql}

    def plan(self, query: Prepared) -> str:
        rows = database.execute_sql(f"EXPLAIN QUERY PLAN {query.sql}", filled(query)).fetchall()
        return " / ".join(row[3] for row in rows)

    def is_scan(self, plan: str) -> bool:
        # What is matched is found by the index of words, which is a table to SQLite.
        return "SCAN" in re.sub(r"SCAN picked|SCAN \w+ VIRTUAL TABLE INDEX \d+:M", "", plan)

    def is_sort(self, plan: str) -> bool:
        reading, is_picked, _ = plan.partition("SCAN picked")
        in_crowds = "newest_id=?"
        return "TEMP B-TREE" in reading.partition(in_crowds)[0] or (not is_picked and "TEMP B-TREE" in plan)

    by_unread = "participant_unread (user_id=? AND status=? AND <expr>>?)"

    @contextmanager
    def locked(self, address: str) -> Iterator[None]:
        path = address.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    def written(self, address: str) -> bytes:
        path = Path(address.removeprefix("sqlite:///"))
        return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))

    def cut(self, address: str) -> None:
        pass

    def restart(self) -> None:
        pass

    def stop(self) -> None:
        shutil.rmtree(self.folder)


class Cluster:
    """PostgreSQL, in a cluster of the tests' own that is gone when they end."""

    def __init__(self) -> None:
        found = sorted(BINARIES.glob("*/bin"), key=lambda path: float(path.parent.name))
        if not found:
            raise RuntimeError(f"The tests need PostgreSQL, and there is none in {BINARIES}.")
        self.binaries = found[-1]
        # PostgreSQL does not let root run it.
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self.folder = Path(tempfile.mkdtemp(prefix="switchboard-tests-"))
        shutil.chown(self.folder, self.user)
        self.process: subprocess.Popen[bytes] | None = None
        command = ["-D", "data", "-U", "switchboard", "-A", "trust", "-E", "UTF8", "--no-sync"]
        # Its own order of letters is not that of their code points.
        self.run("initdb", *command, "--locale=C", "--locale-provider=icu", "--icu-locale=en-US").wait()
        self.start()

    def run(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{program}.log").open("ab") as log:
            command = [str(self.binaries / program), *arguments]
            user = self.user if os.getuid() == 0 else None
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, user=user)

    def start(self) -> None:
        """Begin to answer, at the same port as before where there was one."""
        if self.process is None:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                self.port = probe.getsockname()[1]
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 300,
            "shared_buffers": "64MB",
            "fsync": "off",
            "full_page_writes": "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process = self.run("postgres", "-D", "data", *options)
        self.wait()

    def wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.address("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                assert self.process is not None
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "postgres.log").read_text()
                    raise RuntimeError(f"PostgreSQL did not start: {log}") from error
                time.sleep(0.05)

    def end(self, number: int) -> None:
        """End by a signal: SIGINT cuts all connections, SIGQUIT is as sudden as a loss of power."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=30)

    def address(self, name: str) -> str:
        return f"postgresql://switchboard@127.0.0.1:{self.port}/{name}"

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    @functools.cached_property
    def template(self) -> str:
        self.sql("CREATE DATABASE empty")
        open_store(self.address("empty"))
        migrate()
        close_store()
        return "empty"

    def place(self, folder: Path, name: str) -> str:
        return self.empty(folder, name)

    def blank(self, folder: Path, name: str) -> str:
        return self.made("template1")

    def empty(self, folder: Path, name: str) -> str:
        return self.made(self.template)

    def made(self, template: str) -> str:
        name = f"store{next(numbers)}"
        # Copying the files of a small database takes half of what writing its pages takes; 14 always does so.
        how = "STRATEGY file_copy" if float(self.binaries.parent.name) >= FIRST_WITH_STRATEGIES else ""
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} {how}")
        return self.address(name)

    def drop(self, address: str) -> None:
        self.sql(f"DROP DATABASE {address.rpartition('/')[2]} WITH (FORCE)")

    def schema(self) -> set[Any]:
        queries = (
            """SELECT table_name, column_name, data_type, collation_name, is_nullable,
                      replace(column_default, table_name, 'TABLE')
               FROM information_schema.columns WHERE table_schema = 'public'""",
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
            """SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
               WHERE connamespace = 'public'::regnamespace""",
        )
        rows = [row for query in queries for row in database.execute_sql(query).fetchall()]
        return {row for row in rows if "migration" not in str(row)}

    def plan(self, query: Prepared) -> str:
        with database.atomic():
            database.execute_sql("SET LOCAL enable_seqscan = off")
            rows = database.execute_sql(f"EXPLAIN {query.sql}", filled(query)).fetchall()
        return " / ".join(row[0] for row in rows)

    def is_scan(self, plan: str) -> bool:
        return "Seq Scan" in plan

    def is_sort(self, plan: str) -> bool:
        # Without rows, of which there are none here, PostgreSQL may sort where it would not otherwise.
        return False

    by_unread = "Index Cond: ((user_id = t1.id) AND (status = 'active'::text) AND (((last_seq - read"

    @contextmanager
    def locked(self, address: str) -> Iterator[None]:
        with psycopg.connect(address) as other:
            tables = other.execute(
                "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'"
            )
            other.execute(f"LOCK TABLE {tables.fetchone()[0]} IN EXCLUSIVE MODE")
            yield
            other.rollback()

    def written(self, address: str) -> bytes:
        return subprocess.run([self.binaries / "pg_dump", address], check=True, capture_output=True).stdout

    def cut(self, address: str) -> None:
        name = address.rpartition("/")[2]
        self.sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")

    def restart(self) -> None:
        self.end(signal.SIGQUIT)
        self.start()

    def stop(self) -> None:
        self.end(signal.SIGINT)
        shutil.rmtree(self.folder)


class Pooled(Cluster):
    """PostgreSQL behind a pooler that gives each transaction whichever connection is free."""

    def __init__(self) -> None:
        super().__init__()
        found = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
        if not found:
            raise RuntimeError("The tests need pgbouncer, and it is not installed.")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.entrance = probe.getsockname()[1]
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.entrance,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": 8,
            "max_client_conn": 1000,
            "server_idle_timeout": 5,
            "logfile": self.folder / "pgbouncer.log",
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        place = f"* = host=127.0.0.1 port={self.port} user=switchboard"
        (self.folder / "pgbouncer.ini").write_text("\n".join(["[databases]", place, "[pgbouncer]", *lines]))
        command = [found, str(self.folder / "pgbouncer.ini")]
        user = self.user if os.getuid() == 0 else None
        self.pooler = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=self.folder, user=user)

    def made(self, template: str) -> str:
        return super().made(template).replace(f":{self.port}/", f":{self.entrance}/")

    def written(self, address: str) -> bytes:
        return super().written(address.replace(f":{self.entrance}/", f":{self.port}/"))

    def stop(self) -> None:
        self.pooler.kill()
        self.pooler.wait()
        super().stop()


def tries(number: int) -> int:
    """How many examples of a kind are tried: on a database server each takes several times as long."""
    return number if name == "sqlite" else max(2, number // 3)


def filled(query: Prepared) -> list[Any]:
    """Some values for a prepared query, which stand for text and for numbers as well."""
    return ["1" if type(p).__name__ == "Slot" else p for p in query.parameters]


KINDS: dict[str, Any] = {"sqlite": Embedded, "postgresql": Cluster, "pgbouncer": Pooled}
name = "sqlite"


@functools.cache
def chosen() -> Any:
    """The engine of this run, started when it is first needed."""
    made = KINDS[name]()
    started.append(made)
    return made


started: list[Any] = []


@functools.cache
def cluster() -> Cluster:
    """PostgreSQL, whatever the run is about, for what is about both engines."""
    if name == "postgresql":
        served: Cluster = chosen()
        return served
    made = Cluster()
    started.append(made)
    return made


@atexit.register
def stop() -> None:
    """Stop what was started."""
    while started:
        started.pop().stop()
