"""What waits for a user: requests, and what he has not read."""

from collections.abc import Collection
from typing import TypedDict

from models import User, waiting_for

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
    return {row.id: shown(row.requests, row.messages, row.chats) for row in waiting_for(users)}


def shown(pending: int, messages: int, chats: int) -> Totals:
    return {
        "totalPendingRequest": pending,
        "totalPendingRequests": pending,
        "totalUnreadMessages": messages,
        "totalUnreadChats": chats,
    }
