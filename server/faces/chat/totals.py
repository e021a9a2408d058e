"""What waits for a user: requests, and what he has not read."""

from collections import Counter
from collections.abc import Collection
from typing import TypedDict

from models import User, requests_to, unread_in_crowds_of, unread_of

from .door import face


class Totals(TypedDict):
    """*totalPendingRequests* is the same as *totalPendingRequest*; clients read the one or the other."""

    totalPendingRequest: int
    totalPendingRequests: int
    totalUnreadMessages: int
    totalUnreadChats: int


class Unread(TypedDict):
    totalUnreadMessages: int


@face.route("GET", "/chat/totals", transaction="read")
def get_totals(user: User, /) -> Totals:
    """Count the requests that this user has received, and what he has not read, through all doors."""
    return totals_of([user.id])[user.id]


@face.route("GET", "/chat/totals/unread", "/chat/unread", transaction="read")
def get_unread(user: User, /) -> Unread:
    """Count the messages that this user has not read, through all doors."""
    return {"totalUnreadMessages": totals_of([user.id])[user.id]["totalUnreadMessages"]}


def totals_of(users: Collection[int]) -> dict[int, Totals]:
    """The totals of these users, each of whom has some, if only zeros."""
    pending = {row.user_id: row.number for row in requests_to(users)}
    messages: Counter[int] = Counter()
    chats: Counter[int] = Counter()
    for row in unread_of(users) + unread_in_crowds_of(users):
        messages[row.user_id] += row.messages
        chats[row.user_id] += row.chats
    return {user_id: shown(pending.get(user_id, 0), messages[user_id], chats[user_id]) for user_id in users}


def shown(pending: int, messages: int, chats: int) -> Totals:
    return {
        "totalPendingRequest": pending,
        "totalPendingRequests": pending,
        "totalUnreadMessages": messages,
        "totalUnreadChats": chats,
    }
