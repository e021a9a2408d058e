"""What all methods of the forum door share: how they say yes and no, and how they show a person."""

from typing import Any, NotRequired, TypedDict

from models import User, was_just_here

from ...errors import NotAuthenticated, Refusal
from ...visits import Visit
from ...wire.types import Codec, Id, Text
from ..face import Face
from ..showing import file_urls, icon_url

ABOUT = """For forum apps and for scripts that act for one member. With Python:

    from xmlrpc.client import ServerProxy

    ann = ServerProxy("http://ann:PASSWORD@127.0.0.1:8000/RPC2", use_builtin_types=True)
    ann.new_conversation(["bob"], "Lunch", "At noon?")

With curl:

    curl -u ann:PASSWORD http://127.0.0.1:8000/RPC2 -d "<methodCall>
      <methodName>get_inbox_stat</methodName></methodCall>"

A member is known by the cookie of login, by an access token, or by name and password. Text travels as base64
of UTF-8 (strings are taken too), ids as strings, dates in UTC. Where something cannot be done, result is
false and result_text says why."""
# What examples say, by the names of parameters; all of it is true of the cast of `serve --demo`.
VALUES = {
    "login_name": "ann",
    "password": "PASSWORD",
    "user_name": ["dave"],
    "subject": "Lunch",
    "text_body": "At noon?",
    "conversation_id": "1",
    "conv_id": "1",
    "msg_id": "1",
    "start_num": 0,
    "last_num": 19,
    "username": "bob",
    "user_id": "2",
    "key": "bo",
    "page": 1,
    "perpage": 20,
    "attachment": "@map.png",
    "attachment_id": "2",
    "delete_conversation.conv_id": "2",
}
# The id of one who has no account, only a name.
NOBODY = 0
NOT_LOGGED_IN = "You are not logged in or you do not have permission to do this action."


class Result(TypedDict):
    """Whether it was done, and where it was not, why, in words for the user."""

    result: bool
    result_text: Text


class Person(TypedDict):
    """A user in a list. Clients disagree on which of the two spellings of the name they read."""

    user_id: Id
    user_name: Text
    username: Text
    user_type: Text
    icon_url: str


YES: Result = {"result": True, "result_text": ""}


def refuse(returns: Codec, error: Refusal) -> dict[str, Any]:
    """A refusal in the form of the mobile apps: a struct, never a fault."""
    if isinstance(error, NotAuthenticated):
        return no(NOT_LOGGED_IN) | {"error": b"Login required", "result_reason": 1}
    return no(str(error))


def no(text: str) -> dict[str, Any]:
    return {"result": False, "result_text": text.encode()}


face = Face(User, refuse)


def person(visit: Visit, user: User) -> Person:
    return {
        "user_id": user.id,
        "user_name": user.username,
        "username": user.username,
        "user_type": user_type(user),
        "icon_url": icon_url(visit.address_of, user.id, user.avatar),
    }


def user_type(user: Any) -> str:
    """What sort of user it is, for a user or a row with these columns."""
    if user.disabled_at:
        return "banned"
    return "admin" if user.is_admin else "normal"


class Participant(TypedDict):
    """Someone who takes or took part; the first and the last member are where a client looks for them."""

    username: Text
    user_id: Id
    user_type: Text
    is_online: bool
    has_left: bool
    icon_url: str


class Attached(TypedDict):
    """A file that came with a message."""

    attachment_id: Id
    filename: Text
    filesize: int
    content_type: str
    url: str
    thumbnail_url: NotRequired[str]


def attached(visit: Visit, row: Any) -> Attached:
    url, thumbnail_url = file_urls(visit.address_of, row)
    shown: Attached = {
        "attachment_id": row.id,
        "filename": row.filename,
        "filesize": row.size,
        "content_type": row.extension,
        "url": url,
    }
    return {**shown, "thumbnail_url": thumbnail_url} if thumbnail_url else shown


def participant(visit: Visit, row: Any, left: bool) -> Participant:
    return {
        "username": row.username,
        "user_id": row.id,
        "user_type": user_type(row),
        "is_online": was_just_here(row.seen),
        "has_left": left,
        "icon_url": icon_url(visit.address_of, row.id, row.avatar),
    }


def peer(name: str) -> Participant:
    """The other side of a text conversation where it has no account."""
    return {
        "username": name,
        "user_id": NOBODY,
        "user_type": "normal",
        "is_online": False,
        "has_left": False,
        "icon_url": "",
    }
