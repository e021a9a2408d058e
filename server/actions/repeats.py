"""Requests that come again: answered as the first time, and carried out once."""

import datetime
from collections.abc import Callable, Sequence

from models import Holder, KeptAnswer, now

from ..errors import KeyReused

LIFE = datetime.timedelta(hours=24)


def once(
    holder: Holder, keys: Sequence[tuple[str, str]], work: Callable[[], tuple[int, str]]
) -> tuple[int, str]:
    """The status and body that *work* gives, or gave when this *holder* came with one of the *keys* before.

    :param keys: each with a digest of all that was asked; the same key with something else is refused
    """
    if not keys:
        return work()
    (key, digest), *others = keys
    place = KeptAnswer.under(holder, key)
    KeptAnswer.delete().where(place, KeptAnswer.kept_at < now() - LIFE).execute()
    made = (
        KeptAnswer.insert(**holder._asdict(), key=key, digest=digest)
        .on_conflict_ignore()
        .returning(KeptAnswer.id)
        .execute()
    )
    if not list(made):
        return again(KeptAnswer.get(place), digest)
    status, body = once(holder, others, work)
    KeptAnswer.update(status=status, body=body).where(place).execute()
    return status, body


def again(kept: KeptAnswer, digest: str) -> tuple[int, str]:
    if kept.digest != digest:
        raise KeyReused("This key came with another request before.")
    return kept.status, kept.body


def forget() -> None:
    """Drop the answers that are too old to be asked for again."""
    KeptAnswer.delete().where(KeptAnswer.kept_at < now() - LIFE).execute()
