"""How often something may be done: so many at once, then one in so many milliseconds."""

from typing import Any

from peewee import Case, TextField

from .base import MomentField, Prepared, Table, milliseconds, now, slot


class Allowance(Table):
    """How far ahead of the clock something that is limited has been done.

    This one moment a key is the whole state of a limit: each use moves it on by the limit's interval, and
    it must not run more than a burst's worth of intervals ahead.
    """

    key = TextField(unique=True)
    until = MomentField()


def _use() -> Any:
    unused = (Allowance.until < slot("now")) | (Allowance.until > slot("most"))
    spent = Case(None, [(unused, slot("next"))], Allowance.until + slot("interval"))
    return (
        Allowance.insert({Allowance.key: slot("key"), Allowance.until: slot("next")})
        .on_conflict(
            conflict_target=[Allowance.key],
            update={Allowance.until: spent},
            where=(Allowance.until <= slot("latest")) | (Allowance.until > slot("most")),
        )
        .returning(Allowance.key)
    )


def _until() -> Any:
    return Allowance.select(Allowance.until).where(Allowance.key == slot("key"))


_used = Prepared(_use)
_spent = Prepared(_until)


def use_allowance(key: str, burst: int, interval: int) -> int:
    """Use up one of what *key* is allowed: 0, or the milliseconds to wait where nothing is left.

    One statement decides and moves the moment on, so that two uses at once never pass as one. What lies
    further ahead than a whole burst was written under a clock that has been set back since.
    """
    moment = milliseconds(now())
    latest = moment + (burst - 1) * interval
    values = {"now": moment, "next": moment + interval, "latest": latest, "most": moment + burst * interval}
    if _used(key=key, interval=interval, **values):
        return 0
    return max(1, allowance_wait(key, burst, interval))


def allowance_wait(key: str, burst: int, interval: int) -> int:
    """The milliseconds after which *key* may be used again, 0 for at once."""
    spent = _spent.one(key=key)
    latest = milliseconds(now()) + (burst - 1) * interval
    ahead = milliseconds(spent.until) - latest if spent else 0
    return ahead if 0 < ahead <= interval else 0


def allowance_spent(key: str) -> int:
    """The milliseconds by which *key* is ahead of the clock."""
    spent = _spent.one(key=key)
    return max(0, milliseconds(spent.until) - milliseconds(now())) if spent else 0
