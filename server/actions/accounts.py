"""People: who they are, how they show it, and whom they do not want to hear."""

import functools
import ipaddress
import secrets
import unicodedata

from peewee import IntegrityError

from models import (
    AccessToken,
    IgnoredUser,
    ServerKey,
    Session,
    Source,
    User,
    clean,
    database,
    digest_of,
    digits_of,
    name_key,
    now,
    store_session,
    user_with_key,
)

from .. import pictures
from ..config import Settings
from ..errors import BadInput, Conflict, NotAllowed, NotFound, Refusal, WrongPassword
from ..files import Files
from ..passwords import Passwords
from . import calls, events, limits

LONGEST_NAME, LONGEST_NUMBER = 64, 32
# What stands between names where people type several.
SEPARATOR = ","
# Controls, signs without a width, ends of lines: with them one name could look like another.
UNSEEN = {"Cc", "Cf", "Zl", "Zp"}


def identify(settings: Settings, passwords: Passwords, name: str, password: str, address: str) -> User | None:
    """The enabled user whose name and password these are, or None, in the same time for whatever reason.

    Attempts count against the limit of this name and address until one is right. Where the limit is spent,
    the right password still opens from an address at which the user has a session, for as many attempts.
    """
    row = user_with_key.one(key=name_key(name))
    user = None if row is None else User.of_row(row)
    stored = user.password if user else None
    key = f"login {digest_of(name_key(name))} {address}"
    spent = limits.spent_logins(settings, key)
    if spent:
        key = key_of_second_chance(settings, user, key, address, spent)
    if passwords.remembers(stored, password):
        return user
    with passwords.turn():
        limits.login(settings, key)
        fits = passwords.fits(stored, password)
    if fits:
        limits.give_back(key)
        return user
    if spent:
        raise spent
    return None


def key_of_second_chance(
    settings: Settings, user: User | None, key: str, address: str, spent: Refusal
) -> str:
    """The key of the limit for an address that is known to be the user's; elsewhere *spent* is the end."""
    if not has_session_at(user, address):
        raise spent
    known = f"{key} known"
    if spent_too := limits.spent_logins(settings, known):
        raise spent_too
    return known


@functools.lru_cache(maxsize=4096)
def network(address: str) -> str:
    """What counts as one address: all of an IPv4 one, the half of an IPv6 one that names a household."""
    try:
        given = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(given, ipaddress.IPv4Address):
        return str(given)
    return str(given.ipv4_mapped or ipaddress.ip_network((given, 64), strict=False))


def has_session_at(user: User | None, address: str) -> bool:
    alive = Session.used_at >= now() - Session.LIFE
    return Session.select().where(Session.user == user, Session.address == address, alive).exists()


def confirm(user: User) -> None:
    """Refuse a *user* whose password has changed since it was checked, or who has been disabled since.

    To check one takes a while, and what ends his sessions and tokens can come between.
    """
    if not stands(user):
        raise WrongPassword()


def stands(user: User) -> bool:
    """Whether a *user* who was known a while ago still is: enabled, with the same password and rights."""
    same = (User.id == user.id) & (User.password == user.password) & (User.is_admin >= user.is_admin)
    return bool(User.enabled().where(same).exists())


def begin_session(user: User, address: str, anonymous: bool) -> str:
    """Begin a session for a password that was checked just now; its secret, which nobody can learn again."""
    confirm(user)
    secret = new_secret()
    store_session(Session(user=user.id, digest=digest_of(secret), address=address, anonymous=anonymous))
    return secret


def end_session(secret: str) -> None:
    Session.delete().where(Session.digest == digest_of(secret)).execute()


def new_secret() -> str:
    """256 random bits as letters, digits, - and _."""
    return secrets.token_urlsafe(32)


def add_user(
    passwords: Passwords,
    name: str,
    password: str | None,
    display_name: str = "",
    number: str | None = None,
    identifier: str | None = None,
    email: str = "",
) -> User:
    """Make a user; without a password only tokens and a game server speak for him."""
    name = clean(name).strip()
    if not name or len(name) > LONGEST_NAME or any(unicodedata.category(c) in UNSEEN for c in name):
        raise BadInput(f"A user name has 1 to {LONGEST_NAME} characters, all of which can be seen.")
    if SEPARATOR in name:
        raise BadInput("A user name has no comma: it stands between names where several are given.")
    user = User(username=name, username_key=name_key(name), display_name=display_name or name, email=email)
    user.password = passwords.hash(password) if password else None
    set_number(user, number)
    user.identifier = identifier or None
    save(user)
    return user


def add_player(identifier: str, number: str, name: str) -> User:
    """Make a user of a player; only the game speaks for him."""
    shown = visible(name) or visible(f"Player {number}")
    username = free_name(visible(shown.replace(SEPARATOR, " ")) or "Player")
    user = User(username=username, username_key=name_key(username), display_name=shown)
    user.identifier = identifier
    set_number(user, number)
    save(user)
    return user


def free_name(name: str) -> str:
    """A user name for a player: his own where nobody has it, or else one that tells him apart."""
    endings = ["", *(f" {number}" for number in range(2, 10)), f" {secrets.token_hex(8)}"]
    names = [name[: LONGEST_NAME - len(ending)] + ending for ending in endings]
    taken = {user.username_key for user in User.named(names)}
    return next(each for each in names if name_key(each) not in taken)


def visible(name: str) -> str:
    """What can be seen of a name that a player has given himself, no longer than names may be."""
    seen = "".join(c for c in clean(name) if unicodedata.category(c) not in UNSEEN)
    return " ".join(seen.split())[:LONGEST_NAME].strip()


def edit_user(
    user: User,
    display_name: str | None = None,
    number: str | None = None,
    identifier: str | None = None,
    email: str | None = None,
    takes_messages: bool | None = None,
    is_admin: bool | None = None,
) -> None:
    """Change what is given; None leaves a thing as it is, an empty number or identifier takes it away."""
    if number is not None:
        set_number(user, number)
    if identifier is not None:
        user.identifier = identifier or None
    changes = {
        "display_name": display_name,
        "email": email,
        "takes_messages": takes_messages,
        "is_admin": is_admin,
    }
    for name, value in changes.items():
        if value is not None:
            setattr(user, name, value)
    save(user)


def set_avatar(files: Files, user: User, data: bytes) -> None:
    """Give the user a picture, drawn anew from *data*."""
    before, user.avatar = user.avatar, files.put(pictures.avatar(data))
    user.save()
    database.after_commit(lambda: files.erase_leniently([before] if before else []))


def set_number(user: User, number: str | None) -> None:
    """Give the user a number, or none; a call of the one that he had, or of the new one, is over."""
    digits = digits_of(number or "")
    if number and (not digits or len(number) > LONGEST_NUMBER):
        raise BadInput(f"A phone number has digits, and at most {LONGEST_NUMBER} characters.")
    if user.digits != digits:
        calls.end_of([each for each in (user.digits, digits) if each], calls.DISCONNECTED)
    user.number, user.digits = number or None, digits


def save(user: User) -> None:
    """Store a user, whose name, number and identifier have to be his alone."""
    try:
        user.save()
    except IntegrityError as error:
        taken = next((word for word in ("username", "digits", "identifier") if word in str(error)), "name")
        what = {"username": "user name", "digits": "phone number"}.get(taken, taken)
        raise Conflict(f"Another user has that {what} already.") from None


def named(name: str) -> User:
    """The user with this name, disabled ones too."""
    found: User | None = User.named([name]).first()
    if found is None:
        raise NotFound(f"There is no user named {name}.")
    return found


def set_password(user: User, stored: str) -> None:
    """Change the password to that of the *stored* hash, which ends all sessions and access tokens."""
    user.password = stored
    user.save()
    end_credentials(user)


def change_password(known: User, stored: str) -> User:
    """The user with another password, unless it has become one since it was checked."""
    confirm(known)
    user: User = User.get_by_id(known.id)
    set_password(user, stored)
    return user


def hashed(passwords: Passwords, password: str) -> str:
    """What is stored of a password, made in one's turn: nobody in a transaction shall wait for it."""
    with passwords.turn():
        return passwords.hash(password)


def new_password() -> str:
    """A password for somebody, who may change it."""
    return secrets.token_urlsafe(12)


def end_credentials(user: User) -> None:
    """Make the sessions and access tokens of *user* worthless; who listens with one is cut off at once."""
    for credential in (Session, AccessToken):
        credential.delete().where(credential.user == user).execute()
    events.changed([user.id])


def end_sessions(user: User) -> None:
    """Make the sessions of *user* worthless, and nothing else."""
    Session.delete().where(Session.user == user).execute()
    events.changed([user.id])


def disable(user: User) -> None:
    """From now on nothing of the user's opens anything."""
    user.disabled_at = user.disabled_at or now()
    user.save()
    calls.end_of([user.digits or ""], calls.DISCONNECTED)
    Source.delete().where(Source.user == user).execute()
    end_credentials(user)


def enable(user: User) -> None:
    user.disabled_at = None
    user.save()


def add_token(user: User, label: str) -> str:
    """A new access token of *user*; only its digest is kept."""
    secret = new_secret()
    AccessToken.create(user=user, digest=digest_of(secret), label=label)
    return secret


def exchange(user: User, label: str) -> str:
    """A new access token for a password that was checked just now."""
    confirm(user)
    return add_token(user, label)


def revoke_token(token_id: int) -> None:
    owner = User.select().join(AccessToken).where(AccessToken.id == token_id).first()
    if owner is None:
        raise NotFound(f"There is no access token {token_id}.")
    AccessToken.delete().where(AccessToken.id == token_id).execute()
    events.changed([owner.id])


def revoke_secret(user: User, secret: str) -> None:
    """Make the token with which *user* has come worthless."""
    own = (AccessToken.user == user) & (AccessToken.digest == digest_of(secret))
    if not AccessToken.delete().where(own).execute():
        raise NotAllowed("This request came without an access token.")
    events.changed([user.id])


def add_key(label: str) -> str:
    """A new server key; only its digest is kept."""
    secret = new_secret()
    ServerKey.create(digest=digest_of(secret), label=label)
    return secret


def has_key(key_id: int) -> bool:
    """Whether the game server's key with this id still opens something."""
    return bool(ServerKey.select().where(ServerKey.id == key_id).exists())


def revoke_key(key_id: int) -> None:
    if not ServerKey.delete().where(ServerKey.id == key_id).execute():
        raise NotFound(f"There is no server key {key_id}.")


def ignore(user: User, other: User) -> None:
    """From now on *user* is not told when *other* wants to talk to him."""
    if other.id == user.id:
        raise BadInput("You cannot ignore yourself.")
    IgnoredUser.insert(user=user, ignored=other).on_conflict_ignore().execute()


def stop_ignoring(user: User, other: User) -> None:
    IgnoredUser.delete().where(IgnoredUser.user == user, IgnoredUser.ignored == other).execute()
