"""What waits for a user: requests, and what he has not read."""

from typing import TypedDict

from models import PENDING, User, requests_of, unread_totals

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
    return totals(user.id)


@face.route("GET", "/chat/totals/unread", "/chat/unread", transaction="read")
def get_unread(user: User, /) -> Unread:
    """Count the messages that this user has not read, through all doors."""
    return {"totalUnreadMessages": unread_totals.one(user=user.id).messages}


def totals(user_id: int) -> Totals:
    pending = requests_of("received").one(user=user_id, status=PENDING).number
    unread = unread_totals.one(user=user_id)
    return {
        "totalPendingRequest": pending,
        "totalPendingRequests": pending,
        "totalUnreadMessages": unread.messages,
        "totalUnreadChats": unread.chats,
    }
