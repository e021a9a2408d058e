"""How much was answered and how fast, by all processes together, minute by minute of a day."""

import datetime
from typing import Any

from peewee import SQL, IntegerField

from .base import MomentField, Own, Prepared, now, slot, total

DAY = datetime.timedelta(days=1)


class Load(Own):
    """What one process answered in one minute.

    *below_…* is how many took fewer milliseconds than that and no fewer than the one before it says.
    """

    minute = MomentField(index=True)
    requests = IntegerField()
    refused = IntegerField()
    failed = IntegerField()
    below_1 = IntegerField()
    below_2 = IntegerField()
    below_5 = IntegerField()
    below_10 = IntegerField()
    below_25 = IntegerField()
    below_50 = IntegerField()
    below_100 = IntegerField()
    below_250 = IntegerField()
    below_1000 = IntegerField()
    below_5000 = IntegerField()
    longer = IntegerField()


NUMBERS = [field for field in Load._meta.sorted_fields if field.name not in ("id", "minute")]
# The columns that count by time, and the milliseconds at which they are divided.
TIMES = [field.name for field in NUMBERS if field.name.startswith(("below_", "longer"))]
BOUNDS = [int(name.removeprefix("below_")) for name in TIMES[:-1]]


def _load_by_place() -> Any:
    """What was answered since a moment, by pieces of time of some *width*."""
    sums = [total(field).alias(field.name) for field in NUMBERS]
    return (
        Load.select((Load.minute / slot("width")).alias("place"), *sums)
        .where(Load.minute >= slot("since"))
        .group_by(SQL("place"))
        .order_by(SQL("place"))
    )


load_by_place = Prepared(_load_by_place)


def forget_load() -> None:
    """Delete what is older than a day."""
    Load.delete().where(Load.minute < now() - DAY).execute()
