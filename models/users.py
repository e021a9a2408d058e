"""People, and the credentials that stand for them."""

import datetime
import hashlib
import time
import unicodedata
from typing import Any

from peewee import BooleanField, Check, ForeignKeyField, Value

from .base import CharField, MomentField, Prepared, PreparedMany, Table, milliseconds, now, slot
from .cleaning import CleanName, clean

LONGEST_GIVEN = 512
# No name has this key, because no text in the store has this character.
NOBODY = "\uffff"
ONLINE = datetime.timedelta(minutes=5)
ONLINE_MILLISECONDS = ONLINE.total_seconds() * 1000


def name_key(name: str) -> str:
    """The form in which user names are compared: without regard to case, after Unicode NFKC.

    What is far longer than any name is nobody's; to normalise it could take minutes.
    """
    if len(name) > LONGEST_GIVEN:
        return NOBODY
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", clean(name).strip()).casefold())


def name_line(name: str) -> str:
    """The form in which a name is compared where a number could stand: no number's digits look like it."""
    return f"name {name_key(name)}"


def digits_of(number: str) -> str | None:
    """The form in which phone numbers are compared, None for a number without digits."""
    return "".join(character for character in number if character in "0123456789") or None


def digest_of(secret: str) -> str:
    """The only form in which a secret that is random by itself is stored."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


class User(Table):
    """An account. *avatar* names a stored file; *seen_at* is when a credential of his was last used."""

    tokens: Any
    _dirty: set[str]

    username = CleanName()
    username_key = CharField(unique=True)
    display_name = CleanName(default="")
    password = CharField(null=True)
    email = CleanName(default="")
    number = CleanName(null=True)
    digits = CharField(null=True, unique=True)
    identifier = CleanName(null=True, unique=True)
    avatar = CharField(default="")
    takes_messages = BooleanField(default=True)
    is_admin = BooleanField(default=False)
    disabled_at = MomentField(null=True)
    created_at = MomentField(default=now)
    seen_at = MomentField(null=True, index=True)

    class Meta:
        # "user" is a word of PostgreSQL's own.
        table_name = "account"

    @classmethod
    def enabled(cls) -> Any:
        """Everyone who may use the server."""
        return cls.select().where(cls.disabled_at.is_null())

    @classmethod
    def named(cls, names: list[str]) -> Any:
        """The users with one of these *names*, found in any case."""
        return cls.with_keys([name_key(name) for name in names])

    @classmethod
    def with_keys(cls, keys: list[str]) -> Any:
        """The users whose names have these keys."""
        return cls.select().where(cls.username_key.in_(keys))

    @classmethod
    def beginning_with(cls, key: str) -> Any:
        """The enabled users whose name begins with *key*, in the order of their names."""
        return cls.all_beginning_with(key).where(cls.disabled_at.is_null())

    @classmethod
    def all_beginning_with(cls, key: str) -> Any:
        """The same with those who are disabled."""
        start = name_key(key)
        is_so = (cls.username_key >= start) & (cls.username_key < start + "\U0010ffff")
        return cls.select().where(is_so).order_by(cls.username_key)

    @classmethod
    def online(cls) -> Any:
        """Those who were here in the last five minutes, the latest first."""
        return cls.enabled().where(cls.seen_at > now() - ONLINE).order_by(cls.seen_at.desc())

    @classmethod
    def ignored_by(cls, user: "User") -> Any:
        """Those whom *user* ignores."""
        return (
            cls.select()
            .join(IgnoredUser, on=(IgnoredUser.ignored == cls.id))
            .where(IgnoredUser.user == user)
            .order_by(IgnoredUser.id)
        )


def is_online(seen_at: datetime.datetime | None) -> bool:
    """Whether someone last seen at this moment counts as online."""
    return seen_at is not None and was_just_here(milliseconds(seen_at))


def was_just_here(seen: int) -> bool:
    """The same for a moment in its stored form."""
    return seen > time.time() * 1000 - ONLINE_MILLISECONDS


class Session(Table):
    """A login. *address* is where it was last used from."""

    LIFE = datetime.timedelta(days=30)

    user = ForeignKeyField(User, on_delete="CASCADE")
    digest = CharField(unique=True)
    address = CharField()
    anonymous = BooleanField(default=False)
    created_at = MomentField(default=now)
    used_at = MomentField(default=now)


class AccessToken(Table):
    """A user's credential for programs."""

    user = ForeignKeyField(User, backref="tokens", on_delete="CASCADE")
    digest = CharField(unique=True)
    label = CleanName(default="")
    created_at = MomentField(default=now)
    used_at = MomentField(null=True)


class ServerKey(Table):
    """A game server's credential: it opens the phone methods and nothing else."""

    digest = CharField(unique=True)
    label = CleanName()
    created_at = MomentField(default=now)
    used_at = MomentField(null=True)


class IgnoredUser(Table):
    """*user* wants nothing from *ignored*."""

    user = ForeignKeyField(User, on_delete="CASCADE")
    ignored = ForeignKeyField(User, on_delete="CASCADE")

    class Meta:
        indexes = ((("user", "ignored"), True),)
        constraints = [Check("user_id <> ignored_id")]


def _session_owner() -> Any:
    session = (Session.id.alias("session_id"), Session.anonymous, Session.used_at, Session.address)
    return (
        User.select(User, *session)
        .join(Session)
        .where(Session.digest == slot("digest"), User.disabled_at.is_null())
    )


def _token_owner() -> Any:
    token = (AccessToken.id.alias("token_id"), AccessToken.used_at)
    return (
        User.select(User, *token)
        .join(AccessToken)
        .where(AccessToken.digest == slot("digest"), User.disabled_at.is_null())
    )


def _number_owner() -> Any:
    return User.select(User).where(User.digits == slot("digits"))


def _key_with() -> Any:
    key = (ServerKey.id, ServerKey.label, ServerKey.used_at)
    return ServerKey.select(*key).where(ServerKey.digest == slot("digest"))


def _user_with_key() -> Any:
    return User.select(User).where(User.username_key == slot("key"), User.disabled_at.is_null())


def _ignores() -> Any:
    return IgnoredUser.select(IgnoredUser.id).where(
        IgnoredUser.user == slot("user"), IgnoredUser.ignored == slot("ignored")
    )


SESSION = [field for field in Session._meta.sorted_fields if field.name != "id"]


def _store_session() -> Any:
    return Session.insert({field: slot(field.name, field) for field in SESSION})


@PreparedMany
def users_with_keys(keys: list[Value]) -> Any:
    """The users whose names have these keys."""
    return User.select(User).where(User.username_key.in_(keys))


user_with_key = Prepared(_user_with_key)
ignores = Prepared(_ignores)
_session_stored = Prepared(_store_session)
session_owner = Prepared(_session_owner)
token_owner = Prepared(_token_owner)
number_owner = Prepared(_number_owner)
key_with = Prepared(_key_with)


def store_session(session: Session) -> None:
    """Store a new session."""
    _session_stored.do(**{field.name: session.__data__[field.name] for field in SESSION})
