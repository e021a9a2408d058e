"""The command that looks whether all is as it should be, and says what to do where it is not."""

import importlib.metadata
import os
import platform
import re
import shutil
import sqlite3
import stat
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from models import (
    TROUBLES,
    Message,
    StoreError,
    close_store,
    damage,
    is_embedded,
    newest_given,
    now,
    open_store,
    pending_migrations,
    server_clock,
    server_version,
    store_path,
    trouble,
)

from ..addresses import is_loopback, words_of
from ..config import Settings
from .opening import settings_options

OK, LOOK, MEND = "ok", "look", "mend"
NAME = "switchboard"
# What is asked for, such as: peewee>=4.0; extra == "tests"
REQUIREMENT = re.compile(r"([\w.-]+)(?:\[\w+\])?\s*>=\s*([\d.]+)\s*(?:;\s*(.*))?")
DRIVER = 'extra == "postgresql"'
# The first that gives back the rows which a statement changes; the first on which the tests have run.
SQLITE_LEAST, POSTGRESQL_LEAST = "3.35", "14"
# What lies beside an embedded store, and has to be its owner's.
BESIDE = ("-wal", "-shm", ".lock")
MEGABYTE = 2**20
LITTLE, TOO_LITTLE = 1024 * MEGABYTE, 64 * MEGABYTE
# How far clocks may be apart, in seconds: unnoticed, and so that calls still ring as they should.
APART, FAR_APART = 2, 15
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Finding:
    """What was found of one thing: *word* is ok, look or mend, *text* what it is and what to do."""

    word: str
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.word:<5} {self.about}: {self.text}"


Findings = Iterator[Finding]


@click.command()
@settings_options()
def doctor(**values: Any) -> None:
    """Look whether all is as it should be, also beside a running server, and say what to do where it is not.

    Each line begins with ok, look (it may be meant so) or mend. The status is 0 where nothing has to be
    mended. Give it the settings that serve has.
    """
    findings = []
    for finding in examined(Settings(**values)):
        findings.append(finding)
        click.echo(finding)
    to_mend = sum(each.word == MEND for each in findings)
    if to_mend:
        raise click.ClickException(f"{to_mend} of {len(findings)} things have to be mended.")


def examined(settings: Settings) -> Findings:
    yield from of_settings(settings)
    yield from of_proxies(settings)
    yield from of_versions(settings)
    yield from of_places(settings)
    yield from of_disks(settings)
    yield from of_clock()
    yield from of_store(settings)


def of_settings(settings: Settings) -> Findings:
    """What is allowed, and still seldom meant."""
    cores = os.cpu_count() or 1
    odd = [
        (settings.limits == "off", "limits are off, so passwords can be guessed without end; leave it out."),
        (
            settings.durability == "relaxed",
            "with durability relaxed a loss of power loses what was just said.",
        ),
        (settings.log_level == "debug", "with log-level debug the log grows fast; info says enough."),
        (settings.workers > cores, f"{settings.workers} workers share {cores} cores; take {cores}."),
        (
            "*" in words_of(settings.cors),
            "cors lets the pages of every site use the chat door; name those you mean.",
        ),
        (settings.metrics == "on", "everybody who reaches the server may read /metrics; local is safer."),
    ]
    findings = [Finding(LOOK, "settings", text) for is_so, text in odd if is_so]
    yield from findings or [Finding(OK, "settings", "nothing odd.")]


def of_proxies(settings: Settings) -> Findings:
    """Whether the address for the world, the proxies, and the address to listen on fit each other."""
    findings = [Finding(LOOK, "proxies", text) for text in mismatches(settings)]
    yield from findings or [Finding(OK, "proxies", "url, proxies and host fit each other.")]


def mismatches(settings: Settings) -> Iterator[str]:
    if settings.url and not settings.proxies:
        if is_loopback(settings.host):
            yield (
                "url is set and the server listens on loopback, so a proxy is in front, and none is named: "
                "all clients count as one. Set proxies to the proxy's address, such as 127.0.0.1."
            )
        else:
            yield "url is set and proxies are not: if one is in front, all clients count as one. Name it."
    if settings.proxies and not settings.url:
        yield "proxies are set and url is not: addresses in answers are those the proxy asks for. Set url."
    if not is_loopback(settings.host) and not settings.proxies and not settings.url.startswith("https:"):
        yield "passwords travel readable: put a proxy with TLS in front, and name it."
    if settings.url.startswith("http:") and not is_loopback(
        urllib.parse.urlsplit(settings.url).hostname or ""
    ):
        yield "url begins with http:, so cookies and passwords travel readable. Use https:."


def of_versions(settings: Settings) -> Findings:
    """Whether what this runs on is new enough, and each package that it asks for."""
    if store_path(settings.database) is not None:
        yield compared("SQLite", sqlite3.sqlite_version, SQLITE_LEAST)
    try:
        about = importlib.metadata.metadata(NAME)
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            LOOK, "packages", "this runs without having been installed, so nothing can be compared."
        )
        return
    yield compared("Python", platform.python_version(), about["Requires-Python"].strip(">= "))
    yield from of_packages(about.get_all("Requires-Dist") or [], settings)


def compared(about: str, there: str, least: str) -> Finding:
    if numbers(there) >= numbers(least):
        return Finding(OK, about, f"{there}.")
    return Finding(MEND, about, f"{there} is older than {least}; please install a newer one.")


def numbers(version: str) -> tuple[int, ...]:
    """The numbers at the beginning of a *version*, for comparing."""
    [beginning] = re.findall(r"^[\d.]*", version)
    return tuple(int(word) for word in beginning.split(".") if word)


def of_packages(asked: list[str], settings: Settings) -> Findings:
    wanted = [match for match in map(REQUIREMENT.match, asked) if match and is_wanted(match[3], settings)]
    findings = [of_package(match[1], match[2], bool(match[3])) for match in wanted]
    bad = [each for each in findings if each.word != OK]
    yield from bad or [Finding(OK, "packages", f"all {len(findings)} are new enough.")]


def is_wanted(marker: str | None, settings: Settings) -> bool:
    """Whether a package is for these settings; extras are for tests, and for PostgreSQL."""
    if marker and "extra ==" in marker:
        return marker.strip() == DRIVER and store_path(settings.database) is None
    return True


def of_package(name: str, least: str, is_conditional: bool) -> Finding:
    try:
        return compared(name, importlib.metadata.version(name), least)
    except importlib.metadata.PackageNotFoundError:
        word = LOOK if is_conditional and name != "psycopg" else MEND
        return Finding(word, name, f"it is missing; please install it in version {least} or newer.")


def of_places(settings: Settings) -> Findings:
    """Whether the store and the files can be written by this user, and read by nobody else."""
    path = store_path(settings.database)
    if path is not None:
        yield of_place("place of store", path.absolute())
        if is_reached(path):
            yield from of_owners(path)
    yield of_place("place of files", settings.files_folder.absolute())


def is_reached(path: Path) -> bool:
    """Whether this user can tell what is at *path*, if anything is."""
    try:
        path.stat()
    except OSError as error:
        return not isinstance(error, PermissionError)
    return True


def of_place(about: str, path: Path) -> Finding:
    home = path.parent
    if not is_reached(path):
        return Finding(MEND, about, f"{path} cannot be reached; please run this as the server's user.")
    if not path.exists():
        if not home.is_dir():
            return Finding(MEND, about, f"the folder {home} does not exist; please make it.")
        if not os.access(home, os.W_OK | os.X_OK):
            return Finding(MEND, about, f"{path} cannot be made; please let this user write in {home}.")
        return Finding(OK, about, f"{path} will be made on first use.")
    rights = os.W_OK | os.R_OK | (os.X_OK if path.is_dir() else 0)
    if not os.access(path, rights) or not os.access(home, os.X_OK):
        return Finding(
            MEND, about, f"{path} cannot be written; run this as the server's user, or give it to him."
        )
    if not path.is_dir() and not os.access(home, os.W_OK):
        return Finding(MEND, about, f"{home} cannot be written, where the store keeps its log beside itself.")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding(LOOK, about, f"others on this machine may read {path}; chmod go= {path} forbids it.")
    return Finding(OK, about, f"{path} is this user's alone.")


def of_owners(path: Path) -> Findings:
    """What somebody else's command has left beside a store its own server cannot write."""
    for beside in (path.with_name(path.name + ending) for ending in BESIDE):
        if path.exists() and beside.exists() and beside.stat().st_uid != path.stat().st_uid:
            text = f"{beside} is another user's than {path}; please run: chown --reference={path} {beside}"
            yield Finding(MEND, "place of store", text)


def of_disks(settings: Settings) -> Findings:
    """The room that is left where something is written."""
    path = store_path(settings.database)
    places = {"files": settings.files_folder.absolute(), "temporary files": Path(tempfile.gettempdir())}
    if path is not None:
        places = {"store": path.absolute(), **places}
    for about, place in places.items():
        home = next(each for each in (place, *place.parents) if is_reached(each) and each.is_dir())
        yield of_room(f"room for {about}", shutil.disk_usage(home).free)


def of_room(about: str, free: int) -> Finding:
    left = f"{free // MEGABYTE} MB are left"
    if free < TOO_LITTLE:
        return Finding(MEND, about, f"{left}; please make room, or nothing can be written soon.")
    if free < LITTLE:
        return Finding(LOOK, about, f"{left}, which may not last for long.")
    return Finding(OK, about, f"{left}.")


def of_clock() -> Findings:
    """Whether the clock goes, and about as fast as time."""
    clock, time_passed = time.time(), time.monotonic()
    time.sleep(LOOK_SECONDS)
    gone, passed = time.time() - clock, time.monotonic() - time_passed
    if abs(gone - passed) < LOOK_SECONDS / 2:
        yield Finding(OK, "clock", "it goes as fast as time.")
    else:
        text = f"it went {gone:.1f} s in {passed:.1f} s; please look after whatever sets it."
        yield Finding(LOOK, "clock", text)


def of_store(settings: Settings) -> Findings:
    """Whether the store answers, has had every step, and looks sound; changes nothing."""
    path = store_path(settings.database)
    if path is not None and not is_reached(path):
        # It was told of with the places.
        return
    if path is not None and not path.exists():
        yield Finding(LOOK, "store", f"there is none at {path} yet; serve makes one.")
        return
    try:
        open_store(settings.database, settings.durability)
        yield from of_open_store()
    except StoreError as error:
        yield Finding(MEND, "store", str(error))
    except TROUBLES as error:
        yield Finding(MEND, "store", f"{trouble(error)} Please see whether it runs, and the disk has room.")
    finally:
        close_store()


def of_open_store() -> Findings:
    if not is_embedded():
        yield compared("PostgreSQL", server_version(), POSTGRESQL_LEAST)
    if harm := damage():
        yield Finding(MEND, "store", f"it is damaged: {harm}. A backup can be restored: switchboard restore.")
        return
    steps = pending_migrations()
    if steps:
        yield of_steps(steps)
        return
    yield Finding(OK, "store", "it answers and has had every step; check sees more.")
    yield of_newest()
    if not is_embedded():
        yield of_server_clock()


def of_steps(steps: list[str]) -> Finding:
    if is_embedded():
        return Finding(LOOK, "store", f"it lacks the step {steps[0]}, which serve takes when it starts.")
    return Finding(MEND, "store", f"it lacks the step {steps[0]}. Please run: switchboard migrate")


def of_newest() -> Finding:
    """Whether the newest message is from before now."""
    newest = Message.get_or_none(Message.id == newest_given(Message))
    ahead = (newest.sent_at - now()).total_seconds() if newest else 0.0
    if ahead < APART:
        return Finding(OK, "newest message", "it is not from the future.")
    text = f"it is from {ahead:.0f} s ahead: the clock was, or is, wrong. Please compare it."
    return Finding(LOOK, "newest message", text)


def of_server_clock() -> Finding:
    """Whether the database server's clock tells what this machine's does."""
    before = time.time()
    there = server_clock()
    apart = abs(there - (before + time.time()) / 2)
    if apart < APART:
        return Finding(OK, "clock of database", "it tells the same.")
    word = MEND if apart >= FAR_APART else LOOK
    return Finding(
        word,
        "clock of database",
        f"it is {apart:.0f} s apart from this machine's; please set both by the net.",
    )
