"""Work on the whole store, of which those who run it want to know: the last backups, the last check."""

import datetime
from typing import Any

from peewee import BigIntegerField, IntegerField, TextField

from .base import CharField, MomentField, Own, now
from .cleaning import CleanName

BACKUP, CHECK = "backup", "check"
# Work of which nothing was heard for so long has died with its process.
SILENCE = datetime.timedelta(minutes=1)


class Job(Own):
    """One piece of work of some *kind*, which says of itself that it goes on until it has ended.

    It is at *done* of the *steps* of a *part*. A backup has the *name* of its file and the *size*, a check
    the number of *faults* and, a line each, the first of those it has *found*.
    """

    kind = CharField()
    started_at = MomentField(default=now)
    told_at = MomentField(default=now)
    ended_at = MomentField(null=True)
    part = CharField(default="")
    done = IntegerField(default=0)
    steps = IntegerField(default=0)
    name = CleanName(default="")
    size = BigIntegerField(default=0)
    faults = IntegerField(default=0)
    found = TextField(default="")

    class Meta:
        indexes = ((("kind", "id"), False),)

    @classmethod
    def last(cls, kind: str, number: int) -> Any:
        """The newest of a kind, at most so many."""
        return cls.select().where(cls.kind == kind).order_by(cls.id.desc()).limit(number)

    @property
    def goes_on(self) -> bool:
        return self.ended_at is None and self.told_at > now() - SILENCE
