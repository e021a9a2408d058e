"""People: looked for, looked at, disabled, and what opens something in their name."""

from itertools import islice

from models import AccessToken, Session, User

from ....actions import accounts, administration
from ....visits import Administrator, Visit
from ....wire.pages import Go, Shown, View
from ....wire.types import Id, Text
from ..door import office
from ..sure import sure

PAGE = 50
# Of one person's sessions and tokens so many are shown, the newest.
MOST_CREDENTIALS = 100


@office.route("GET", "/admin/people", transaction="read")
def people(name: str = "", after: str = "") -> Shown:
    """List people by name.

    :param name: how their names begin
    :param after: the name behind which the list begins
    """
    found = list(administration.people(name, after).limit(PAGE + 1))
    listed = list(islice(found, PAGE))
    following = listed[-1].username if len(found) > PAGE else None
    return View("admin_people.html", {"people": listed, "name": name, "after": after, "following": following})


@office.route("POST", "/admin/people", transaction="none")
def add_person(visit: Visit, /, member: Text) -> Shown:
    """Add a member, with a password that is made here and shown this once.

    :param member: the member's name
    """
    password = accounts.new_password()
    stored = accounts.hashed(visit.passwords, password)
    made = visit.transact(lambda: administration.add_member(visit.passwords, member, stored), "write")
    return password_of(visit, made, password)


@office.route("GET", "/admin/people/{user_id}", transaction="read")
def person(user_id: Id) -> Shown:
    """Show one person, and what opens something in his name.

    :param user_id: the person
    """
    found = administration.person(user_id)
    sessions = Session.select().where(Session.user == found).order_by(Session.id.desc())
    tokens = found.tokens.order_by(AccessToken.id.desc())
    values = {
        "person": found,
        "sessions": list(sessions.limit(MOST_CREDENTIALS)),
        "tokens": list(tokens.limit(MOST_CREDENTIALS)),
    }
    return View("admin_person.html", values)


@office.route("GET", "/admin/people/{user_id}/password", transaction="read")
def ask_for_password(user_id: Id) -> Shown:
    """Ask whether a person shall have a new password.

    :param user_id: the person
    """
    what = "A password is made, and shown once. Sessions and access tokens end with the old one."
    return asked(user_id, "Make a new password for {}?", what, "password", "Make one")


@office.route("POST", "/admin/people/{user_id}/password", transaction="none")
def new_password(admin: Administrator, visit: Visit, /, user_id: Id) -> Shown:
    """Give a person a new password, which is made here and shown this once.

    :param user_id: the person
    """
    visit.transact(lambda: administration.person(user_id), "read")
    password = accounts.new_password()
    stored = accounts.hashed(visit.passwords, password)
    found = visit.transact(lambda: administration.give_password(admin, user_id, stored), "write")
    return password_of(visit, found, password)


@office.route("GET", "/admin/people/{user_id}/disable", transaction="read")
def ask_to_disable(user_id: Id) -> Shown:
    """Ask whether a person shall be shut out.

    :param user_id: the person
    """
    what = (
        "Sessions, access tokens and calls end for good. Enabled again, one comes in with the old password."
    )
    return asked(user_id, "Disable {}?", what, "disable", "Disable")


@office.route("POST", "/admin/people/{user_id}/disable")
def disable(admin: Administrator, /, user_id: Id) -> Shown:
    """Shut a person out.

    :param user_id: the person
    """
    administration.disable(admin, administration.person(user_id))
    return shown_again(user_id)


@office.route("POST", "/admin/people/{user_id}/enable")
def enable(user_id: Id) -> Shown:
    """Let a disabled person in again.

    :param user_id: the person
    """
    accounts.enable(administration.person(user_id))
    return shown_again(user_id)


@office.route("GET", "/admin/people/{user_id}/end", transaction="read")
def ask_to_end_sessions(user_id: Id) -> Shown:
    """Ask whether all sessions of a person shall end.

    :param user_id: the person
    """
    what = "In each browser and app one has to log in again. Access tokens stay."
    return asked(user_id, "End all sessions of {}?", what, "end", "End them")


@office.route("POST", "/admin/people/{user_id}/end")
def end_sessions(user_id: Id) -> Shown:
    """End all sessions of a person.

    :param user_id: the person
    """
    accounts.end_sessions(administration.person(user_id))
    return shown_again(user_id)


@office.route("GET", "/admin/people/{user_id}/tokens/{token_id}", transaction="read")
def ask_to_revoke_token(user_id: Id, token_id: Id) -> Shown:
    """Ask whether an access token of a person shall be worthless.

    :param user_id: the person
    :param token_id: the token
    """
    token = administration.token(administration.person(user_id), token_id)
    what = (
        f"{token.label or token.id}: whatever comes with this token is let in no more. It cannot be undone."
    )
    return asked(user_id, "Revoke this access token of {}?", what, f"tokens/{token_id}", "Revoke it")


@office.route("POST", "/admin/people/{user_id}/tokens/{token_id}")
def revoke_token(user_id: Id, token_id: Id) -> Shown:
    """Make an access token of a person worthless.

    :param user_id: the person
    :param token_id: the token
    """
    administration.revoke_token(administration.person(user_id), token_id)
    return shown_again(user_id)


def password_of(visit: Visit, person: User, password: str) -> View:
    """The page that shows a person's new password, and where he can change it."""
    values = {"person": person, "password": password, "address": visit.address_of("/account")}
    return View("admin_password.html", values)


def asked(user_id: int, question: str, what: str, place: str, words: str) -> View:
    """The question about a person that stands at this *place* below his own."""
    name, path = administration.person(user_id).username, f"/admin/people/{user_id}"
    return sure(question.format(name), what, f"{path}/{place}", words, path)


def shown_again(user_id: int) -> Go:
    return Go(f"/admin/people/{user_id}")
