"""Limits on how often something may be done: so many at once, then one in so many seconds."""

import math

from models import Allowance, User, allowance_spent, allowance_wait, now, use_allowance

from ..config import Settings
from ..errors import TooMany

LOGINS = "failed logins"


def take(settings: Settings, key: str, what: str, burst: int, interval: float) -> None:
    """Use up one of what *key* is allowed, or refuse. *what* is the plural of what is limited."""
    if settings.limits == "off" or not burst:
        return
    wait = use_allowance(key, burst, round(interval * 1000))
    if wait:
        raise TooMany(what, wait / 1000)


def message(settings: Settings, user: User) -> None:
    burst, interval = settings.message_burst, settings.message_interval
    take(settings, f"message {user.id}", "messages", burst, interval)


def standing(settings: Settings, user: User | None) -> tuple[int, int, int] | None:
    """How many messages may be sent at once, how many of them now, and in how many seconds all of them."""
    if settings.limits == "off" or not settings.message_burst:
        return None
    ahead = allowance_spent(f"message {user.id}") if user else 0
    spent = math.ceil(ahead / (settings.message_interval * 1000))
    return settings.message_burst, max(0, settings.message_burst - spent), math.ceil(ahead / 1000)


def upload(settings: Settings, user: User) -> None:
    burst, interval = settings.message_burst, settings.message_interval
    take(settings, f"upload {user.id}", "uploads", burst, interval)


def conversation(settings: Settings, user: User) -> None:
    burst, interval = settings.conversation_burst, settings.conversation_interval
    take(settings, f"conversation {user.id}", "new conversations", burst, interval)


def login(settings: Settings, key: str) -> None:
    take(settings, key, LOGINS, settings.login_burst, settings.login_interval)


def spent_logins(settings: Settings, key: str) -> TooMany | None:
    """The refusal that a login under *key* has to expect, without using anything up."""
    if settings.limits == "off" or not settings.login_burst:
        return None
    wait = allowance_wait(key, settings.login_burst, round(settings.login_interval * 1000))
    return TooMany(LOGINS, wait / 1000) if wait else None


def give_back(key: str) -> None:
    """Forget what *key* has used up."""
    Allowance.delete().where(Allowance.key == key).execute()


def forget_spent() -> None:
    """Drop what says no more than a limit that was never used."""
    Allowance.delete().where(Allowance.until < now()).execute()
