"""Commands about a store as a whole."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from models import (
    StoreError,
    address_shown,
    migrate,
    now,
    open_store,
    pending_migrations,
    search,
    whole,
)

from .. import backups, exports, stores
from ..actions import checks, jobs
from ..config import Settings
from ..files import Files
from .grouped import examples
from .opening import (
    must_exist,
    must_have_folder,
    opened,
    place_of,
    prepare,
    reported,
    settings_options,
    store_options,
)
from .progress import shown


@click.command(name="migrate", epilog=examples("switchboard migrate"))
@store_options
def migrate_command(**values: Any) -> None:
    """Bring the store up to date with this program.

    An embedded store does so by itself at the next command, after a copy of it was made; a database server
    only when asked to, so that all who use it can be stopped first. A broken index of words is made anew.
    """
    with reported(), shown() as begin:
        done = prepare(Settings(**values), migrating=True, begin=begin)
        begin("Checking the index of words", 0)
        done += ["index of words"] * search.mend()
    click.echo("\n".join(f"done: {each}" for each in done) or "The store is up to date.")


@click.command(name="check", epilog=examples("switchboard check && echo all is well"))
@store_options
def check_command(**values: Any) -> None:
    """Verify every invariant of the store, changing nothing.

    Every count is compared with a recount, every reference with its row, every file with its digest. Each
    fault is a line on standard output that names the row by its id, and ends the command with status 1. The
    server may be running.
    """
    settings = Settings(**values)
    with reported(), shown() as begin:
        must_exist(settings)
        open_store(settings.database)
        if steps := pending_migrations():
            raise StoreError(f"The store lacks the step {steps[0]}. Please run: switchboard migrate")
        files = Files(settings.files_folder)
        faults = list(checks.faults(files, begin))
    for fault in faults:
        click.echo(fault)
    if faults:
        raise click.ClickException(f"{len(faults)} faults found.")
    click.echo("No faults found.")


@click.command(
    epilog=examples(
        "switchboard backup monday.tar",
        "switchboard backup /srv/backups/$(date +%F).tar",
    )
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@store_options
def backup(file: Path, **values: Any) -> None:
    """Write the store and its files into FILE, also while it is served.

    What was written is unpacked and checked before FILE appears under its name, so that FILE is a whole
    backup or is not there. It can be restored on another engine than that of its store.
    """
    settings, began = Settings(**values), now()
    must_have_folder(file)
    with shown() as begin, opened(settings) as files:
        backups.write(files, file, begin)
        jobs.note_backup(file, began)
    click.echo(f"Written and verified: {file}")


@click.command(epilog=examples("switchboard restore monday.tar", "switchboard restore monday.tar --force"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace a store that is there already.")
@store_options
def restore(file: Path, force: bool, **values: Any) -> None:
    """Make the store anew from the backup FILE, while it is not served.

    FILE is checked before anything is touched. Where it is interrupted, the old store is there or the new
    one, each with all of its files.
    """
    settings = Settings(**values)
    with reported(), shown() as begin:
        place_of(settings)
        backups.restore(file, settings.database, settings.files_folder, force, begin)
    click.echo(f"Restored and verified: {place_shown(settings)}")


def place_shown(settings: Settings) -> str:
    """The store's place as people write it."""
    return str(place_of(settings) or address_shown(settings.database))


@click.command(
    epilog=examples(
        "switchboard move sqlite:///switchboard.db postgresql://switchboard@db.example.org/switchboard"
    )
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@settings_options("files")
def move(source: str, target: str, **values: Any) -> None:
    """Fill a new store at TO with all that is in the store at FROM.

    FROM stays as it is and must not be served meanwhile; TO has to be empty or not there yet. Ids stay the
    same. All is moved or nothing, and it is compared afterwards. The files of attachments stay where they
    are. Who listens to events goes on where he was.
    """
    settings = Settings(**values)
    before, after = replace(settings, database=source), replace(settings, database=target)
    with reported(), shown() as begin:
        must_exist(before)
        place_of(after)
        moved = stores.move(source, target, begin)
    told(*moved)
    click.echo("The files of attachments are where they were. To serve from the new place:")
    folder = before.files_folder.absolute()
    click.echo(f"switchboard serve --database {address_shown(target)} --files {folder}")


def told(contents: whole.Contents, tally: whole.Tally) -> None:
    """What was compared, a line a table."""
    for table, (rows, digest) in tally.lines().items():
        click.echo(f"{table}\t{rows} rows\tSHA-256 {digest[:16]}\tequal")
    click.echo(f"{contents.rows} rows in {len(contents.tables)} tables are equal; check found no faults.")


@click.command(
    epilog=examples(
        "switchboard export all.jsonl.gz",
        "switchboard export - | jq -r 'select(.table == \"message\").body'",
    )
)
@click.argument("file")
@store_options
def export(file: str, **values: Any) -> None:
    """Write all that the store holds to FILE as lines of JSON.

    A FILE that ends with .gz is compressed, and - is standard output. The server may be running. Files of
    attachments are not in it.

    \b
    The first line:  {"switchboard": VERSION, "step": NEWEST STEP OF THE STORE,
                      "tables": {TABLE: {"columns": […], "rows": NUMBER, "newest_id": NUMBER}, …}}
    Each row:        {"table": TABLE, COLUMN: VALUE, …}
    The last line:   {"end": {"rows": NUMBER, "sha256": DIGEST OF ALL LINES BEFORE}}

    Rows stand in the order of the tables, so that what they refer to comes before them, and of their ids.
    Moments are milliseconds since 1970, a yes or no is 1 or 0. newest_id is the newest id that a table has
    ever given out.
    """
    if file != exports.STANDARD:
        must_have_folder(Path(file))
    with shown() as begin, opened(Settings(**values)), exports.written(file) as stream:
        exports.write(stream, begin)
    if file != exports.STANDARD:
        click.echo(f"Written: {file}")


@click.command(
    name="import",
    epilog=examples("switchboard import all.jsonl.gz --database sqlite:///new.db"),
)
@click.argument("file")
@store_options
def import_command(file: str, **values: Any) -> None:
    """Fill a new store with what was exported to FILE.

    A FILE that ends with .gz is compressed, and - is standard input. All comes in, or nothing. The store
    has to be empty or not there yet. What was exported from an older store takes the steps that it lacks.
    """
    settings = Settings(**values)
    with reported(), shown() as begin, exports.opened(file) as stream:
        place_of(settings)
        contents, rows = exports.read(stream)
        with stores.to_be_filled(settings.database):
            tally = whole.fill(contents, rows, begin)
            if migrate():
                whole.refuse_faults(begin)
    told(contents, tally)
