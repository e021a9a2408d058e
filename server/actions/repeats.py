"""Requests that come again: answered as the first time, and carried out once."""

import datetime
from collections.abc import Callable

from models import KeptAnswer, User, now

from ..errors import KeyReused

LIFE = datetime.timedelta(hours=24)


def once(user: User, keys: list[tuple[str, str]], work: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """The status and body that *work* gives, or gave when this *user* came with one of the *keys* before.

    :param keys: each with a digest of all that was asked; the same key with something else is refused
    """
    if not keys:
        return work()
    (key, digest), *others = keys
    KeptAnswer.delete().where(
        KeptAnswer.user == user, KeptAnswer.key == key, KeptAnswer.kept_at < now() - LIFE
    ).execute()
    made = (
        KeptAnswer.insert(user=user, key=key, digest=digest)
        .on_conflict_ignore()
        .returning(KeptAnswer.id)
        .execute()
    )
    if not list(made):
        return again(user, key, digest)
    status, body = once(user, others, work)
    KeptAnswer.update(status=status, body=body).where(
        KeptAnswer.user == user, KeptAnswer.key == key
    ).execute()
    return status, body


def again(user: User, key: str, digest: str) -> tuple[int, str]:
    kept = KeptAnswer.get(KeptAnswer.user == user, KeptAnswer.key == key)
    if kept.digest != digest:
        raise KeyReused("This key came with another request before.")
    return kept.status, kept.body


def forget() -> None:
    """Drop the answers that are too old to be asked for again."""
    KeptAnswer.delete().where(KeptAnswer.kept_at < now() - LIFE).execute()
