"""Throwing away what has had its time."""

import datetime

from models import Attachment, Session, UploadGroup, forget_load, now, stored_files, transact

from ..config import Settings
from ..files import Files
from . import calls, events, limits, repeats

WAITING_LIFE = datetime.timedelta(days=1)


def sweep(files: Files, events_kept: float = Settings.events_kept) -> None:
    """Erase what is too old: waiting uploads, their groups, sessions, limits, kept answers, events, the load.

    :param events_kept: how long an event is kept, in seconds
    """
    orphans = transact(forget, writes=True)
    while transact(lambda: events.forget_some(datetime.timedelta(seconds=events_kept)), writes=True):
        pass
    files.erase(name for each in orphans for name in each.stored)
    files.erase(unknown(files))


def forget() -> list[Attachment]:
    """Delete the rows that have had their time; the attachments among them, whose files are left."""
    oldest = now() - WAITING_LIFE
    waiting = Attachment.delete().where(Attachment.message.is_null(), Attachment.uploaded_at < oldest)
    orphans = list(waiting.returning(Attachment).execute())
    kept = Attachment.select(Attachment.group)
    UploadGroup.delete().where(UploadGroup.started_at < oldest, UploadGroup.id.not_in(kept)).execute()
    Session.delete().where(Session.used_at < now() - Session.LIFE).execute()
    limits.forget_spent()
    repeats.forget()
    calls.settle()
    forget_load()
    return orphans


def unknown(files: Files) -> set[str]:
    """Stored files older than a day that no row names: what a crash or a refusal has left behind."""
    old = set(files.older_than(WAITING_LIFE.total_seconds()))
    return old - {name for _, _, name in stored_files()} if old else old
