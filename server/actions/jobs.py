"""Work on the whole store that administrators are told of: backups that were made, a check on demand."""

import datetime
import logging
import threading
from contextlib import suppress
from pathlib import Path

from peewee import PeeweeException

from models import BACKUP, CHECK, TROUBLES, Job, close_store, database, impatient, now, transact

from ..errors import Conflict
from ..files import Files
from . import checks

log = logging.getLogger(__name__)

KEPT = 20
# So many faults are told of; of all the others there is their number.
MOST_TOLD = 100
TELL_SECONDS = 2.0
# Whatever a store says to a write that it does not take.
REFUSED: tuple[type[Exception], ...] = (*TROUBLES, PeeweeException)


def note_backup(file: Path, started_at: datetime.datetime) -> None:
    """Keep that *file* was written, where the store can be written too."""
    size, moment = file.stat().st_size, now()

    def note() -> None:
        Job.create(
            kind=BACKUP, started_at=started_at, told_at=moment, ended_at=moment, name=file.name, size=size
        )
        forget_old(BACKUP)

    try:
        transact(note, writes=True)
    except REFUSED as error:
        log.warning("the backup was not noted: %s", error)


def forget_old(kind: str) -> None:
    """Delete all of a *kind* but the last few."""
    kept = [job.id for job in Job.last(kind, KEPT)]
    Job.delete().where(Job.kind == kind, Job.id.not_in(kept)).execute()


def last_check() -> Job | None:
    """The check that goes on, or the last one."""
    found: Job | None = Job.last(CHECK, 1).first()
    return found


def begin_check(files: Files) -> None:
    """Check the store from now on, in a thread of this process, unless that goes on somewhere already."""
    last = last_check()
    if last is not None and last.goes_on:
        raise Conflict("A check goes on already.")
    job = Job.create(kind=CHECK)
    forget_old(CHECK)
    checking = Checking(job.id, files)
    database.after_commit(threading.Thread(target=checking.run, daemon=True).start)


class Checking:
    """A check that goes on, and says in its row how far it is."""

    def __init__(self, job_id: int, files: Files) -> None:
        self.job_id, self.files = job_id, files
        self.part, self.done, self.steps = "", 0, 0
        self.found: list[str] = []
        self.faults = 0
        self.is_over = threading.Event()

    def run(self) -> None:
        teller = threading.Thread(target=self.keep_telling, daemon=True)
        teller.start()
        try:
            self.look()
        except Exception:
            log.exception("the check was broken off")
            self.add("The check was broken off; the log says why.")
        self.is_over.set()
        teller.join()
        try:
            self.tell(ended_at=now(), faults=self.faults, found="\n".join(self.found))
        except TROUBLES as error:
            log.warning("what the check has found was not stored: %s", error)
        finally:
            close_store()

    def look(self) -> None:
        for fault in checks.faults(self.files, self.begin):
            self.add(fault)

    def add(self, fault: str) -> None:
        self.faults += 1
        if len(self.found) < MOST_TOLD:
            self.found.append(" ".join(fault.split()))

    def begin(self, part: str, steps: int) -> "Checking":
        self.part, self.done, self.steps = part, 0, steps
        return self

    def __call__(self, number: int) -> None:
        """So many more steps are done."""
        self.done += number

    def keep_telling(self) -> None:
        """Say every few seconds that it goes on, as nobody could know once this process has died."""
        while not self.is_over.wait(TELL_SECONDS):
            with suppress(*TROUBLES), impatient():
                self.tell(part=self.part, done=self.done, steps=self.steps)
        close_store()

    def tell(self, **known: object) -> None:
        update = Job.update(told_at=now(), **known).where(Job.id == self.job_id)
        transact(update.execute, writes=True)
