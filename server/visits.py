"""One request and its actor: by session cookie, access token, name and password, or server key."""

import base64
import datetime
import functools
import json
import logging
import os
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NewType, TypeVar

from werkzeug.http import parse_cookie

from models import (
    AccessToken,
    Holder,
    Position,
    ServerKey,
    Session,
    User,
    database,
    digest_of,
    key_with,
    now,
    position_of,
    session_owner,
    token_owner,
    transact,
)

from .actions import accounts, repeats
from .config import Settings
from .errors import NotAllowed, NotAuthenticated, NotFound, Refusal, TooMany, Unavailable
from .files import Files
from .http import Request, found_once
from .passwords import Passwords
from .storing import quietly, storage
from .wire.declare import Transaction
from .wire.once import KEY, Repeat, digest, head_key, written

log = logging.getLogger(__name__)
T = TypeVar("T")

COOKIE = "xf_session"
# The name that stands beside a server key in HTTP Basic; who is called so has to log in or use a token.
SERVER_NAME = "server"
SESSION_TOUCH = datetime.timedelta(hours=1)
# After so long the right to do something is asked for anew.
LONG_SECONDS = 0.1
SEEN_TOUCH = datetime.timedelta(seconds=30)
HEAD_KEY = KEY.lower()
FORM_TYPES = ("", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
OWN_SITE = ("same-origin", "none")


@dataclass(frozen=True)
class House:
    """What the process has to offer to every request."""

    settings: Settings
    files: Files
    passwords: Passwords


@dataclass(frozen=True)
class Script:
    """A trusted script of the game server's, by the *label* of its key; it acts for every player."""

    key_id: int
    label: str


# A user who may see and do what concerns the server as a whole; to all others there is nothing of it.
Administrator = NewType("Administrator", User)


@dataclass(frozen=True)
class Right:
    """By what a user listens: the digest of an access token or a session, else his stored password."""

    user_id: int
    digest: str
    password: str | None


@dataclass(frozen=True)
class Listening:
    """A wish to be told what happens; *seen* is the event up to which all is known, if any is."""

    right: Right
    seen: Position | None


class Visit:
    """One request and whoever made it.

    *cookie* is what the answer sets as the session cookie: a new value, an empty one to take it away, or
    None to leave it as it is. *id*, *called* and *outcome* are for the log: what was called, and what came
    of it where that is more than HTTP's status. *named* is what was called where that is declared here.

    *takes_forms* is on where forms are what an address is for. At a REST door *takes_cookie* is off; *status*
    is the answer's, *repeats* name a request that may come again and digest it. *secret* is the access token,
    where one was used. *live* is the wish that the answer goes on.
    """

    def __init__(self, request: Request, house: House) -> None:
        self.request = request
        self.settings, self.files, self.passwords = house.settings, house.files, house.passwords
        self.address = accounts.network(request.client)
        self.cookie: str | None = None
        self.takes_cookie = True
        self.takes_forms = request.path.endswith("/upload.php")
        self.secret = ""
        self.status = 200
        self.repeats: list[Repeat] = []
        self.live: Listening | None = None
        self.known_at = time.monotonic()
        self.id = request.name or new_id()
        self.called, self.outcome, self.named = request.path, "", ""

    def give(self, kind: Any) -> Any:
        """This visit as the *kind* of thing a method asks for, or a refusal."""
        return GIVEN[kind](self) if kind in GIVEN else self

    def transact(self, work: Callable[[], Any], kind: Transaction) -> Any:
        """The result of *work* in one transaction, where the kind says so."""
        if self.repeats:
            return self.transact_under(self.repeats, work)
        with storage():
            return work() if kind == "none" else transact(self.afresh(work), writes=kind == "write")

    def afresh(self, work: Callable[[], T]) -> Callable[[], T]:
        """*work* from the same beginning, however often it is tried, for whoever still may have it done."""
        status, cookie = self.status, self.cookie

        def attempt() -> T:
            self.status, self.cookie = status, cookie
            self.refuse_fallen()
            return work()

        return attempt

    def transact_once(self, work: Callable[[], Any], asked: Any, *place: bytes) -> Any:
        """The same where *work* writes and may be *asked* again under a key in the head."""
        if not self.head_key:
            return self.transact(work, "write")
        repeat = Repeat(head_key(self.head_key, *place), digest(written(asked)))
        return self.transact_under([repeat], work)

    def transact_under(self, keys: list[Repeat], work: Callable[[], Any]) -> Any:
        """The same, or where one of the *keys* has come before, what it was answered then."""

        def done() -> tuple[int, str]:
            value = work()
            return self.status, json.dumps(value)

        attempt = self.afresh(functools.partial(repeats.once, self.holder, keys, done))
        with storage():
            self.status, body = transact(attempt, writes=True)
        return json.loads(body)

    def refuse_fallen(self) -> None:
        """Refuse whoever has lost his right while his call waited; asked only where that was long."""
        if time.monotonic() - self.known_at < LONG_SECONDS:
            return
        self.known_at, identity = time.monotonic(), self.__dict__.get("identity")
        if isinstance(identity, Script) and not accounts.has_key(identity.key_id):
            raise NotAuthenticated("This method asks for a server key.")
        if isinstance(identity, User):
            is_revoked = self.secret and not by_token(self.secret)
            if is_revoked or not accounts.stands(identity):
                raise NotAuthenticated()

    @property
    def head_key(self) -> str:
        """By what the head says that this request may come again."""
        return self.request.header(HEAD_KEY) or ""

    @property
    def holder(self) -> Holder:
        """Whose the answers are that are kept for this request."""
        if isinstance(self.identity, Script):
            return Holder(server_key=self.identity.key_id)
        return Holder(user=self.actor().id)

    def actor(self) -> User:
        """The user who makes this request, or a refusal."""
        user = self.user
        if user is None:
            raise NotAuthenticated()
        return user

    def administrator(self) -> Administrator:
        """The user who makes this request and is an administrator, or a refusal."""
        user = self.actor()
        if not user.is_admin:
            raise NotFound("There is nothing at this address.")
        return Administrator(user)

    def script(self) -> Script:
        """The game server's script that makes this request, or a refusal."""
        if isinstance(self.identity, TooMany | Unavailable):
            raise self.identity
        if not isinstance(self.identity, Script):
            raise NotAuthenticated("This method asks for a server key.")
        return self.identity

    @property
    def user_or_none(self) -> User | None:
        """The user who makes this request, None for anybody else."""
        return self.identity if isinstance(self.identity, User) else None

    @property
    def is_login(self) -> bool:
        """Whether a user makes this request, as the mobile apps want to know with every answer."""
        return isinstance(self.identity, User)

    @property
    def actor_name(self) -> str:
        """Who it was, for the log, where anybody has asked."""
        identity = self.__dict__.get("identity")
        if isinstance(identity, Script):
            return f"server:{identity.label}"
        return identity.username if isinstance(identity, User) else "-"

    def note(self, called: str, outcome: str) -> None:
        """Keep for the log what was called and what came of it."""
        self.called, self.outcome = called, outcome

    @property
    def user(self) -> User | None:
        """The user who makes this request, None for a guest; raises the refusal of a bad credential."""
        identity = self.identity
        if isinstance(identity, Refusal):
            raise identity
        return identity if isinstance(identity, User) else None

    @found_once
    def identity(self) -> User | Script | Refusal | None:
        """What the credentials of the request come to, found out once."""
        try:
            with storage():
                actor, anonymous = self.find_actor()
        except Refusal as refusal:
            return refusal
        if isinstance(actor, User) and not anonymous:
            self.see(actor)
        return actor

    def find_actor(self) -> tuple[User | Script | None, bool]:
        """Whose credential comes with the request, and whether a user wants to go unseen."""
        credential = self.credential
        if credential:
            return self.by_header(credential), False
        if self.takes_cookie and self.session_cookie:
            return self.by_session(self.session_cookie)
        return None, False

    @property
    def credential(self) -> str:
        """The header with a credential, where one came."""
        return self.request.header("authorization") or self.request.header("x-api-key") or ""

    def listening(self) -> Listening:
        """Who listens, and what he knows; without the session cookie, which any page's script could use.

        What a script cannot put into the head of an ``EventSource`` may stand in the address.
        """
        args = self.request.head.args
        if not self.credential:
            self.identity = self.by_header(f"Bearer {args.get('access_token', '')}")
        return self.heard(self.last_event or args.get("lastEventId", ""))

    def following(self) -> Listening:
        """Who listens on a page, by whatever he is known there."""
        return self.heard(self.last_event)

    def heard(self, seen: str) -> Listening:
        """The user as one who listens, by the credential that has shown who he is."""
        user = self.actor()
        self.see(user)
        # Who comes with a credential in the head is known by it alone, whatever cookie comes along.
        secret = self.secret or ("" if self.credential else self.session_cookie)
        right = Right(user.id, digest_of(secret), None) if secret else Right(user.id, "", user.password)
        return Listening(right, position_of(seen))

    @property
    def last_event(self) -> str:
        """The event up to which a listener says that he knows all, if he does."""
        return self.request.header("last-event-id") or ""

    def by_header(self, header: str) -> User | Script | None:
        words = header.strip()
        scheme, _, rest = words.partition(" ")
        if scheme.lower() == "basic" and rest:
            return self.by_basic(rest.strip())
        # The token or key may stand there with Bearer before it or without.
        self.secret = rest.strip() if scheme.lower() == "bearer" else words
        return by_token(self.secret) or by_key(self.secret)

    def by_basic(self, encoded: str) -> User | Script | None:
        """The user of HTTP Basic, whose password is his own or one of his access tokens; or a server key."""
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return None
        if name == SERVER_NAME and (script := by_key(password)):
            return script
        user = by_token(password)
        if user is not None:
            self.secret = password
            return user if User.named([name]).where(User.id == user.id).exists() else None
        if name == SERVER_NAME:
            return None
        return accounts.identify(self.settings, self.passwords, name, password, self.address)

    def by_session(self, value: str) -> tuple[User | None, bool]:
        row = session_owner.one(digest=digest_of(value))
        if row is None or row.used_at < now() - Session.LIFE:
            return None, False
        self.refuse_forgery()
        if row.used_at < now() - SESSION_TOUCH or row.address != self.address:
            touch = Session.update(used_at=now(), address=self.address).where(Session.id == row.session_id)
            database.after_commit(lambda: quietly(touch.execute))
        return User.of_row(row), row.anonymous

    def log_in(self, known: Callable[[], User], anonymous: bool) -> None:
        """From here on this visit is that user's, with a new session instead of the one it came with.

        Who it is says *known*, within the transaction in which the session begins.
        """

        def begin() -> tuple[User, str]:
            user = known()
            accounts.end_session(self.session_cookie)
            return user, accounts.begin_session(user, self.address, anonymous)

        user, self.cookie = transact(begin, writes=True)
        self.identity = user
        if not anonymous:
            self.see(user)

    def log_out(self) -> None:
        """End the session whose cookie came with the request, if one did."""
        self.refuse_forgery()
        transact(lambda: accounts.end_session(self.session_cookie), writes=True)
        self.cookie, self.identity = "", None

    @property
    def session_cookie(self) -> str:
        return parse_cookie(self.request.header("cookie")).get(COOKIE, "").strip()

    def refuse_forgery(self) -> None:
        """Refuse a call that another site's page has its visitor's browser send along with the cookie.

        Browsers say where a request comes from; the mobile clients say nothing, and some of them send XML
        under a form type, as no page of another site can without these headers.
        """
        site, origin = self.request.header("sec-fetch-site"), self.request.header("origin")
        if self.request.verb != "POST" or (site is None and origin is None):
            return
        foreign = (site or "none") not in OWN_SITE or not self.is_own(origin)
        if foreign or (self.request.head.mimetype in FORM_TYPES and not self.takes_forms):
            raise NotAllowed(
                "This call comes from another site's page, so the session cookie does not count."
            )

    def refuse_foreign(self) -> None:
        """Refuse a form that no page of this server's own has sent, as far as the browser says; all do."""
        site, origin = self.request.header("sec-fetch-site"), self.request.header("origin")
        if site not in (None, "same-origin") or not (site or origin) or not self.is_own(origin):
            raise NotAllowed("This form does not come from a page of this server.")

    def is_own(self, origin: str | None) -> bool:
        if origin is None:
            return True
        hosts = {self.request.head.host, urllib.parse.urlsplit(self.settings.url).netloc} - {""}
        _, _, host = origin.partition("://")
        return host in hosts

    def see(self, user: User) -> None:
        """Note that *user* is here, at most twice a minute."""
        if user.seen_at is None or user.seen_at < now() - SEEN_TOUCH:
            user.seen_at = now()
            seen = User.update(seen_at=user.seen_at).where(User.id == user.id)
            database.after_commit(lambda: quietly(seen.execute))

    def afterwards(self, work: Callable[[], Any]) -> None:
        """Do *work*, on which the answer does not depend, when the call's own transaction has ended."""
        database.after_commit(lambda: quietly(work))

    def address_of(self, path: str) -> str:
        """The absolute address of a *path* here, as this client knows the server."""
        head = self.request.head
        return (self.settings.url.rstrip("/") or f"{head.scheme}://{head.host}") + path

    @property
    def cookie_set(self) -> str:
        """What the answer's head says of the session cookie where that changes."""
        value, ends = self.cookie or "deleted", "" if self.cookie else "; Max-Age=0"
        secure = "; Secure" if self.is_secure else ""
        return f"{COOKIE}={value}; Path=/{ends}; HttpOnly; SameSite=Lax{secure}"

    @property
    def is_secure(self) -> bool:
        return self.request.head.is_secure or self.settings.url.startswith("https:")


# As what a visit is given to a method.
GIVEN = {User: Visit.actor, Script: Visit.script, Administrator: Visit.administrator}


def new_id() -> str:
    """By what a request is known in the log."""
    return os.urandom(4).hex()


def by_token(token: str) -> User | None:
    row = token_owner.one(digest=digest_of(token))
    if row is None:
        return None
    touch(AccessToken, row.token_id, row.used_at)
    return User.of_row(row)


def by_key(secret: str) -> Script | None:
    row = key_with.one(digest=digest_of(secret))
    if row is None:
        return None
    touch(ServerKey, row.id, row.used_at)
    return Script(row.id, row.label)


def touch(credential: Any, row_id: int, used_at: datetime.datetime | None) -> None:
    """Note that a credential is in use, at most once an hour."""
    if used_at is None or used_at < now() - SESSION_TOUCH:
        used = credential.update(used_at=now()).where(credential.id == row_id)
        database.after_commit(lambda: quietly(used.execute))
