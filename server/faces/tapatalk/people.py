"""People: who they are, who is here, whom one talks to, whom one ignores."""

from typing import Any, TypedDict

from models import User, is_online, people_met

from ...actions import access, accounts
from ...errors import BadInput
from ...visits import Visit
from ...wire.types import Epoch, Id, Moment, Natural, Text
from ..showing import icon_url
from .account import SHORTEST_SEARCH
from .door import YES, Person, Result, face, person, user_type

PER_PAGE, MOST_PER_PAGE = 20, 50
IGNORE, STOP_IGNORING = 1, 0


class UserInfo(Result):
    user_id: Id
    username: Text
    user_type: Text
    post_count: int
    reg_time: Moment
    timestamp_reg: Epoch
    reg_timestamp: Epoch
    last_activity_time: Moment
    timestamp: Epoch
    is_online: bool
    accept_pm: bool
    accept_follow: bool
    i_follow_u: bool
    u_follow_me: bool
    can_ban: bool
    is_ban: bool
    icon_url: str
    display_text: Text
    current_action: Text
    current_activity: Text
    custom_fields_list: list[Any]


# In this form because one member is named by a word of Python's own.
Here = TypedDict(
    "Here",
    {
        "user_id": Id,
        "user_name": Text,
        "username": Text,
        "user_type": Text,
        "from": str,
        "display_text": Text,
        "icon_url": str,
    },
)


class Online(Result):
    member_count: int
    guest_count: int
    list: list[Here]


class Found(Result):
    total: int
    list: list[Person]


class Ignored(Result):
    list: list[Person]


@face.method(transaction="read")
def get_user_info(user: User, visit: Visit, /, username: Text = "", user_id: Id | None = None) -> UserInfo:
    """Tell about a user; without parameters, about the one who asks.

    :param username: the user's name, in any case
    :param user_id: the user's id, which wins over a name
    """
    shown = access.user(user_id, username) if user_id is not None or username else user
    seen_at = shown.seen_at or shown.created_at
    return {
        **YES,
        "user_id": shown.id,
        "username": shown.username,
        "user_type": user_type(shown),
        "post_count": 0,
        "reg_time": shown.created_at,
        "timestamp_reg": shown.created_at,
        "reg_timestamp": shown.created_at,
        "last_activity_time": seen_at,
        "timestamp": seen_at,
        "is_online": is_online(shown.seen_at),
        "accept_pm": shown.takes_messages and shown.disabled_at is None,
        "accept_follow": False,
        "i_follow_u": False,
        "u_follow_me": False,
        "can_ban": False,
        "is_ban": shown.disabled_at is not None,
        "icon_url": icon_url(visit.address_of, shown.id, shown.avatar),
        "display_text": "",
        "current_action": "",
        "current_activity": "",
        "custom_fields_list": [],
    }


@face.method(transaction="read")
def get_online_users(
    user: User, visit: Visit, /, page: Natural = 1, perpage: Natural = MOST_PER_PAGE, *ignored: Any
) -> Online:
    """List the users who were here in the last five minutes, the latest first.

    :param page: which page of them, from 1
    :param perpage: how many users make a page, at most 50
    :param ignored: whose whereabouts clients ask for, which changes nothing
    """
    online = User.online()
    return {
        **YES,
        "member_count": online.count(),
        "guest_count": 0,
        "list": [here(visit, each) for each in some_of(online, page, perpage)],
    }


def here(visit: Visit, user: User) -> Here:
    return {**person(visit, user), "from": "tapatalk", "display_text": ""}


@face.method(transaction="read")
def search_user(
    user: User, visit: Visit, /, key: Text, page: Natural = 1, perpage: Natural = PER_PAGE
) -> Found:
    """Find users whose name begins with a few letters.

    :param key: the beginning of the name, at least 2 characters
    :param page: which page of the result, from 1
    :param perpage: how many users make a page, at most 50
    """
    if len(key.strip()) < SHORTEST_SEARCH:
        raise BadInput(f"Please enter at least {SHORTEST_SEARCH} characters.")
    return found(visit, User.beginning_with(key.strip()), page, perpage)


@face.method(transaction="read")
def get_recommended_user(
    user: User, visit: Visit, /, page: Natural = 1, perpage: Natural = PER_PAGE, mode: Natural = 1
) -> Found:
    """List the people with whom this user talks already, the most recent first.

    :param page: which page of the result, from 1
    :param perpage: how many users make a page, at most 50
    :param mode: accepted because clients send it, and not used
    """
    return found(visit, people_met(user), page, perpage)


def found(visit: Visit, users: Any, page: int, perpage: int) -> Found:
    shown = [person(visit, each) for each in some_of(users, page, perpage)]
    return {**YES, "total": users.count(), "list": shown}


def some_of(users: Any, page: int, perpage: int) -> Any:
    return users.paginate(max(1, page), max(1, min(perpage, MOST_PER_PAGE)))


@face.method()
def ignore_user(user: User, /, user_id: Id, mode: int) -> Result:
    """Ignore a user, or stop ignoring him; what somebody ignored begins never arrives.

    :param user_id: whom to ignore
    :param mode: 1 ignores, 0 stops ignoring
    """
    other = access.user(user_id, "")
    if mode == IGNORE:
        accounts.ignore(user, other)
    elif mode == STOP_IGNORING:
        accounts.stop_ignoring(user, other)
    else:
        raise BadInput("The mode is 1 to ignore a user or 0 to stop ignoring him.")
    return YES


@face.method(transaction="read")
def get_ignored_users(user: User, visit: Visit, /) -> Ignored:
    """List those whom this user ignores."""
    return {**YES, "list": [person(visit, other) for other in User.ignored_by(user)]}
