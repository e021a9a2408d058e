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
    spent = Case(None, [(Allowance.until < slot("now"), slot("next"))], Allowance.until + slot("interval"))
    return (
        Allowance.insert({Allowance.key: slot("key"), Allowance.until: slot("next")})
        .on_conflict(
            conflict_target=[Allowance.key],
            update={Allowance.until: spent},
            where=Allowance.until <= slot("latest"),
        )
        .returning(Allowance.key)
    )


def _until() -> Any:
    return Allowance.select(Allowance.until).where(Allowance.key == slot("key"))


_used = Prepared(_use)
_spent = Prepared(_until)


def use_allowance(key: str, burst: int, interval: int) -> int:
    """Use up one of what *key* is allowed: 0, or the milliseconds to wait where nothing is left.

    One statement decides and moves the moment on, so that two uses at once never pass as one.
    """
    moment = milliseconds(now())
    latest = moment + (burst - 1) * interval
    if _used(key=key, now=moment, next=moment + interval, interval=interval, latest=latest):
        return 0
    return max(1, allowance_wait(key, burst, interval))


def allowance_wait(key: str, burst: int, interval: int) -> int:
    """The milliseconds after which *key* may be used again, 0 for at once."""
    spent = _spent.one(key=key)
    latest = milliseconds(now()) + (burst - 1) * interval
    return max(0, milliseconds(spent.until) - latest) if spent else 0
