"""Starting up, logging in and out, and the number on the badge."""

from typing import Any, NotRequired, TypedDict

from models import User, conversations_of

from ... import __version__
from ...actions import accounts
from ...errors import WrongPassword
from ...visits import Visit
from ...wire.types import Id, Text
from ..showing import icon_url
from .door import YES, Result, face, user_type

ON, OFF = "1", "0"
MEMBERS = "2"
SHORTEST_SEARCH = 2

# The oldest of the apps drops all keys after the first whose type it does not expect, so that all flags are
# strings and nothing else comes before them.
FLAGS = {
    "conversation": ON,
    "inbox_stat": ON,
    "pm_load": ON,
    "mark_pm_unread": ON,
    "mark_pm_read": ON,
    "report_pm": OFF,
    "multi_quote": OFF,
    "search_user": ON,
    "user_recommended": ON,
    "ignore_user": ON,
    "get_ignored_users": ON,
    "user_id": ON,
    "alert": OFF,
    "disable_pm": OFF,
    "disable_bbcode": OFF,
    "disable_search": ON,
    "disable_latest": ON,
    "emoji_support": ON,
    "support_md5": OFF,
    "support_sha1": OFF,
    "login_type": "username",
    "anonymous": OFF,
    "avatar": ON,
    "upload_avatar": OFF,
    "push": OFF,
    "push_type": "conv",
    "inappreg": OFF,
    "native_register": OFF,
    "sign_in": OFF,
    "sso_login": OFF,
    "sso_signin": OFF,
    "sso_register": OFF,
    "reg_url": "register",
    "guest_search": OFF,
    "guest_whosonline": OFF,
    "get_latest_topic": OFF,
    "can_unread": OFF,
    "announcement": OFF,
    "get_smilies": OFF,
    "default_smilies": OFF,
    "goto_post": OFF,
    "goto_unread": OFF,
    "get_contact": OFF,
    "timezone": OFF,
}


class PushType(TypedDict):
    name: str
    value: bool


class Login(Result):
    user_id: NotRequired[Id]
    login_name: NotRequired[Text]
    username: NotRequired[Text]
    email: NotRequired[Text]
    user_type: NotRequired[Text]
    usergroup_id: NotRequired[list[str]]
    icon_url: NotRequired[str]
    post_count: NotRequired[int]
    can_pm: NotRequired[bool]
    can_send_pm: NotRequired[bool]
    can_moderate: NotRequired[bool]
    can_search: NotRequired[bool]
    can_whosonline: NotRequired[bool]
    can_profile: NotRequired[bool]
    can_upload_avatar: NotRequired[bool]
    can_report_pm: NotRequired[bool]
    max_attachment: NotRequired[int]
    max_attachment_size: NotRequired[int]
    max_png_size: NotRequired[int]
    max_jpg_size: NotRequired[int]
    allowed_extensions: NotRequired[str]
    ignored_uids: NotRequired[str]
    post_countdown: NotRequired[int]
    push_type: NotRequired[list[PushType]]


class InboxStat(Result):
    inbox_unread_count: int
    subscribed_topic_unread_count: int


@face.method(transaction="none", anyone=True)
def get_config() -> dict[str, Any]:
    """Say what this server offers; the first call of every client, open to all."""
    return {
        "is_open": True,
        "guest_okay": False,
        "version": "dev",
        "sys_version": __version__,
        "api_level": "4",
        "charset": "UTF-8",
        "min_search_length": SHORTEST_SEARCH,
        **FLAGS,
    }


@face.method(transaction="none", anyone=True)
def login(
    visit: Visit, /, login_name: Text, password: Text, anonymous: bool = False, push: str = "", *ignored: Any
) -> Login:
    """Begin a session; the answer sets its cookie.

    An unknown name and a wrong password get the same answer after the same time.

    :param login_name: the user's name, in any case
    :param password: the user's password
    :param anonymous: whether the user wants not to be shown as online
    :param push: "1" asks for the kinds of notification as well
    :param ignored: whatever else clients send here
    """
    visit.refuse_forgery()
    user = accounts.identify(visit.settings, visit.passwords, login_name, password, visit.address)
    if user is None:
        raise WrongPassword()
    visit.log_in(lambda: user, anonymous)
    welcome: Login = greeting(visit, user)
    if push == ON:
        welcome["push_type"] = [{"name": "conv", "value": True}]
    return welcome


def greeting(visit: Visit, user: User) -> Any:
    settings = visit.settings
    return {
        **YES,
        "user_id": user.id,
        "login_name": user.username,
        "username": user.username,
        "email": user.email,
        "user_type": user_type(user),
        "usergroup_id": [MEMBERS],
        "icon_url": icon_url(visit.address_of, user.id, user.avatar),
        "post_count": 0,
        "can_pm": True,
        "can_send_pm": True,
        "can_moderate": False,
        "can_search": False,
        "can_whosonline": True,
        "can_profile": True,
        "can_upload_avatar": False,
        "can_report_pm": False,
        "max_attachment": settings.max_attachments,
        "max_attachment_size": settings.max_upload,
        "max_png_size": settings.max_upload,
        "max_jpg_size": settings.max_upload,
        "allowed_extensions": ",".join(settings.extension_list),
        "ignored_uids": ",".join(str(other.id) for other in User.ignored_by(user)),
        "post_countdown": 0,
    }


@face.method(transaction="none", anyone=True)
def logout_user(visit: Visit, /) -> Result:
    """End the session that this call comes with; a guest has nothing to end, and gets the same answer."""
    visit.log_out()
    return YES


@face.method(transaction="read")
def get_inbox_stat(user: User, /, *ignored: Any) -> InboxStat:
    """Count the conversations in which something is unread, for the badge.

    :param ignored: since when clients want to know, which changes nothing
    """
    unread = conversations_of.one(user=user.id).unread
    return {**YES, "inbox_unread_count": unread, "subscribed_topic_unread_count": 0}
