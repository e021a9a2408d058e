"""What clients ask every forum and this server does not have: empty answers, and plain refusals."""

from typing import Any

from models import User

from ...errors import NotAllowed
from .door import YES, Result, face


class BoardStat(Result):
    total_threads: int
    total_posts: int
    total_members: int
    total_online: int
    guest_online: int


class Smilies(Result):
    support: str
    list: dict[str, Any]


class Alerts(Result):
    total: int
    items: list[Any]


class Dashboard(Result):
    list: list[Any]


@face.method(transaction="none", anyone=True)
def get_forum(*ignored: Any) -> list[Any]:
    """List the public forums, of which this server has none; open to all.

    :param ignored: whatever clients send here
    """
    return []


@face.method(transaction="none")
def get_board_stat(user: User, /) -> BoardStat:
    """Count what is public here, which is nothing."""
    return {
        **YES,
        "total_threads": 0,
        "total_posts": 0,
        "total_members": 0,
        "total_online": 0,
        "guest_online": 0,
    }


@face.method(transaction="none")
def get_smilies(user: User, /) -> Smilies:
    """List pictures for smilies, of which there are none."""
    return {**YES, "support": "0", "list": {}}


@face.method(transaction="none")
def get_alert(user: User, /, *ignored: Any) -> Alerts:
    """List alerts, of which there are none.

    :param ignored: whatever clients send here
    """
    return {**YES, "total": 0, "items": []}


@face.method(transaction="none")
def get_dashboard(user: User, /, *ignored: Any) -> Dashboard:
    """List news of public forums, of which there are none.

    :param ignored: whatever clients send here
    """
    return {**YES, "list": []}


@face.method(transaction="none")
def update_push_status(user: User, /, *ignored: Any) -> Result:
    """Take note of what to notify about; no notification is sent.

    :param ignored: whatever clients send here
    """
    return YES


def not_offered(name: str, what: str) -> None:
    def refused(*ignored: Any) -> Result:
        raise NotAllowed(f"{what} is not offered here. Please ask the people who run this server.")

    refused.__doc__ = (
        f"Refused always: {what.lower()} is not offered.\n\n:param ignored: whatever clients send here"
    )
    face.method(name, transaction="none", anyone=True)(refused)


for name, what in {
    "register": "Registration",
    "forget_password": "Recovering a password",
    "update_password": "Changing the password",
    "update_email": "Changing the e-mail address",
    "update_profile": "Changing the profile",
    "prefetch_account": "Registration",
    "sign_in": "Signing in by Tapatalk",
    "report_pm": "Reporting a message",
    "upload_avatar": "Uploading a picture of oneself",
}.items():
    not_offered(name, what)
