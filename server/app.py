"""The application: which door answers an address, and what HTTP adds to the answer."""

import json
import logging
import re
import secrets
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.http import dump_options_header, quote_etag

from models import TROUBLES, StoreError, User, met_damage, open_store, pending_migrations, probe, trouble

from . import pictures
from .actions import access
from .config import Settings
from .errors import NotFound, Refusal, Unavailable, WrongVerb
from .faces import chat, pages, phone, published, tapatalk
from .faces.published import EXAMPLE_SERVER, METHODS
from .files import Files
from .http import Request, Response
from .load import Counts
from .logs import Line
from .pages import STATIC, PageDoor, with_head
from .passwords import Passwords, slots_for
from .proxies import Proxies, is_local
from .rest import NO_GUESSING, RestDoor, plain_path
from .storing import storage
from .visits import House, Listening, Visit, new_id
from .wire.coding import deflated, inflated
from .wire.once import digest
from .wire.rest import head_of, problem
from .wire.types import File
from .wire.xmlrpc import SYSTEM, Dispatcher

if TYPE_CHECKING:
    from .metrics import Metrics

log = logging.getLogger("switchboard")
Endpoint = Callable[[Visit], Response]

ATTACHMENT = re.compile(r"/attachments/([0-9]{1,18})/(thumbnail/)?[^/]+", re.ASCII)
ATTACHMENTS, METRICS, UPLOAD = "/attachments", "/metrics", "/mobiquo/upload.php"
# What the field with a file is called.
UPLOADED = ("attachment", "attachment[]")
MULTIPART_ROOM = 64 * 1024
XML_HEAD = {
    "Content-Type": "text/xml; charset=UTF-8",
    "Vary": "Accept-Encoding",
    "Cache-Control": "no-store",
    **NO_GUESSING,
}
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
GUARDED = {
    **NO_GUESSING,
    "Content-Security-Policy": f"{POLICY}; sandbox",
    "Referrer-Policy": "no-referrer",
}
FAILURES: tuple[type[Exception], ...] = (*TROUBLES, OSError)
# The labels of whatever is not declared: what a client has made up is no label.
UNKNOWN = ("none", "unknown")
PLAIN_HEAD = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", **NO_GUESSING}


class App:
    """The server behind the gateway: one request in, one answer out."""

    def __init__(self, settings: Settings) -> None:
        open_store(settings.database, settings.durability)
        self.settings = settings
        self.files = Files(settings.files_folder)
        self.proxies = Proxies(settings.proxies)
        self.house = House(settings, self.files, Passwords(slots_for(settings.workers)))
        self.chat = RestDoor(chat.face.routes.values(), settings)
        self.pages = PageDoor(pages.face.routes.values(), settings)
        self.routes: dict[str, dict[str, Endpoint]] = {
            **{path: {"POST": self.xmlrpc, "GET": self.pages} for path in pages.ENDPOINTS},
            UPLOAD: self.shared(POST=self.upload),
            "/mobiquo/avatar.php": {"GET": self.avatar},
            "/healthz": {"GET": self.health},
            "/readyz": {"GET": self.ready},
            "/openapi.json": {"GET": self.openapi},
        }
        self.attachments = self.shared(GET=self.attachment)
        self.is_leaving = False
        self.load = Counts()
        self.metrics = metrics_of(settings)
        if self.metrics is not None:
            self.routes[METRICS] = {"GET": self.measured}
        self.doors = doors(self)

    def respond(self, request: Request) -> tuple[Response, Listening | None]:
        """The answer, and for whom it goes on where it does."""
        started = time.perf_counter()
        self.proxies.believe(request)
        visit = Visit(request, self.house)
        response = self.answer(visit)
        took = (time.perf_counter() - started) * 1000
        outcome = visit.outcome or str(response.status)
        line = Line(visit.id, visit.actor_name, request.verb, visit.called, outcome, took)
        self.record(line, visit.named)
        return named(response, visit.id), visit.live

    def unread(self, request: Request, error: Refusal) -> Response:
        """The answer to a *request* whose body is not taken."""
        self.proxies.believe(request)
        name = request.name or new_id()
        self.record(Line(name, "-", request.verb, request.path, str(error.code), None), "")
        return named(self.refused(request, error), name)

    def record(self, line: Line, name: str) -> None:
        """Log a request that was answered, and count it, under the declared *name* of what was called."""
        log.info(line)
        self.load.count(line.outcome, line.milliseconds)
        if self.metrics is not None:
            door, method = (self.doors[name], name) if name in self.doors else UNKNOWN
            self.metrics.count(door, method, line.outcome, line.milliseconds)

    def answer(self, visit: Visit) -> Response:
        try:
            return self.find(visit)(visit)
        except Refusal as error:
            return self.refused(visit.request, error)
        except HTTPException as error:
            return plain(error.name, error.code or 400)
        except Exception:
            log.exception("%s failed", visit.id)
            return plain("internal error", 500)

    def find(self, visit: Visit) -> Endpoint:
        path, verb = plain_path(visit.request.path), visit.request.verb
        verbs, name = self.routes.get(path), path
        if verbs is None:
            for door in (self.chat, self.pages):
                if door.holds(path):
                    return door
            if ATTACHMENT.fullmatch(path):
                verbs, name = self.attachments, ATTACHMENTS
        if verbs is None or (path == METRICS and not self.may_measure(visit.request)):
            if self.pages.is_wanted(visit.request):
                return self.pages
            raise NotFound("There is nothing at this address.")
        visit.named = name
        endpoint = verbs.get("GET" if verb == "HEAD" else verb)
        if endpoint is None:
            raise WrongVerb(list(verbs))
        return endpoint

    def body_limit(self, path: str, has_credential: Callable[[], bool]) -> int:
        """The largest body that is read at this *path*; a file only from somebody who says who he is."""
        takes_files = path == UPLOAD if path in self.routes else self.pages.takes_files(path)
        if takes_files and has_credential():
            return self.settings.max_upload + MULTIPART_ROOM
        return self.settings.max_request

    def xmlrpc(self, visit: Visit) -> Response:
        request = visit.request
        body = inflated(request.body, request.header("content-encoding"), self.settings.max_request)
        dispatcher = Dispatcher(METHODS, visit, lambda: self.is_leaving)
        answer = dispatcher._marshaled_dispatch(body)
        visit.note(dispatcher.called, dispatcher.outcome)
        visit.named = dispatcher.named
        return xml(visit, answer)

    def shared(self, **endpoints: Endpoint) -> dict[str, Endpoint]:
        """The *endpoints* by their verbs, whose answers pages of allowed origins may read."""
        verbs = ", ".join(endpoints)
        head = {"Allow": verbs, "Access-Control-Allow-Methods": verbs}
        all_of_them = {**endpoints, "OPTIONS": lambda visit: Response(b"", 204, head)}
        return {verb: partial(self.read_elsewhere, endpoint) for verb, endpoint in all_of_them.items()}

    def read_elsewhere(self, endpoint: Endpoint, visit: Visit) -> Response:
        return with_head(endpoint(visit), self.chat.of_origin(visit.request.header("origin")))

    def upload(self, visit: Visit) -> Response:
        texts, files = visit.request.form(visit.request.body)
        values: dict[str, Any] = dict(texts)
        chosen = [each for name in UPLOADED for each in files.getlist(name) if each.filename]
        sent = [File(each.filename or "", each.read()) for each in chosen]
        if sent:
            # More than one are no file, and refused as that.
            values["attachment"] = sent[0] if len(sent) == 1 else sent
        dispatcher = Dispatcher(tapatalk.face.forms, visit, lambda: self.is_leaving)
        answer = dispatcher.answer_form(values.pop("method_name", "upload_attach"), values)
        visit.note(dispatcher.called, dispatcher.outcome)
        visit.named = dispatcher.named
        return xml(visit, answer)

    def avatar(self, visit: Visit) -> Response:
        """The picture of a user, for other users and whoever has been told its address; else a blank."""
        with storage():
            user = wanted_user(visit.request)
            data = self.files.read(user.avatar) if user and user.avatar and may_see(visit, user) else None
        return guarded(data or pictures.BLANK, "image/png", {"Cache-Control": "private, max-age=3600"})

    def attachment(self, visit: Visit) -> Response:
        match = ATTACHMENT.fullmatch(plain_path(visit.request.path))
        assert match is not None
        with storage():
            attachment = access.attachment(visit.actor(), int(match[1]))
        small = match[2] is not None and attachment.thumbnail
        name = attachment.thumbnail if small else attachment.file
        mark = digest(name.encode())[:32]
        # Asked for each time: who has logged out leaves nothing behind in a browser that others use.
        kept = {"Cache-Control": "private, no-cache", "ETag": quote_etag(mark)}
        if visit.request.head.if_none_match.contains_weak(mark):
            return Response(b"", 304, kept)
        with storage():
            data = self.files.read(name)
        if data is None:
            raise Unavailable("The file cannot be read at this moment.")
        kind = pictures.kind_of(attachment.extension)
        media_type = pictures.thumbnail_type(kind) if small else kind.media_type
        shown = "inline" if kind.is_image else "attachment"
        disposition = dump_options_header(shown, {"filename": attachment.filename})
        return guarded(data, media_type, {"Content-Disposition": disposition, **kept})

    def refused(self, request: Request, error: Refusal) -> Response:
        """A refusal of what no door has read, as suits who asks."""
        path = plain_path(request.path)
        if self.chat.holds(path):
            answer, origin = problem(error), self.chat.of_origin(request.header("origin"))
            head = {"Content-Type": answer.media_type, **answer.headers, **origin}
            return Response(answer.body, error.code, head)
        if path not in self.routes and self.pages.holds(path):
            return self.pages.unread(error)
        is_shared = path == UPLOAD or ATTACHMENT.fullmatch(path)
        origin = self.chat.of_origin(request.header("origin")) if is_shared else {}
        return plain(str(error), error.code, {**head_of(error), **origin})

    def openapi(self, visit: Visit) -> Response:
        document = published.chat_json().replace(EXAMPLE_SERVER, json.dumps(visit.address_of(""))[1:-1])
        origin = self.chat.of_origin(visit.request.header("origin"))
        return guarded(document.encode(), "application/json", origin)

    def health(self, visit: Visit) -> Response:
        with storage():
            probe()
        return plain("ok")

    def ready(self, visit: Visit) -> Response:
        """Whether calls may be sent to this process, and if not why, to anyone."""
        reason = "The server is about to end." if self.is_leaving else store_trouble()
        return plain(reason, 503) if reason else plain("ok")

    def measured(self, visit: Visit) -> Response:
        assert self.metrics is not None
        return guarded(self.metrics.text(), self.metrics.media_type, {"Cache-Control": "no-store"})

    def may_measure(self, request: Request) -> bool:
        """Whether the metrics are shown, at one spelling of their address: a proxy keeps no other back."""
        if request.sent_path != METRICS:
            return False
        return self.settings.metrics == "on" or is_local(request)


def store_trouble() -> str:
    """Why the store cannot be worked with, in one sentence, which tells nothing else of it."""
    try:
        probe()
        steps = pending_migrations()
    except FAILURES as error:
        return trouble(error)
    except StoreError as error:
        return trouble(error) if error.__cause__ else str(error)
    return f"The store lacks the step {steps[0]}." if steps else met_damage()


def metrics_of(settings: Settings) -> "Metrics | None":
    """What is measured, where somebody may read it; the library is loaded only then."""
    if settings.metrics == "off":
        return None
    from .metrics import measuring

    return measuring()


def doors(app: App) -> dict[str, str]:
    """To which door each thing belongs that can be called, by its declared name."""
    forum = tapatalk.face.methods.keys() | tapatalk.face.forms.keys()
    return {
        **dict.fromkeys([*app.routes, ATTACHMENTS, STATIC, *pages.face.routes], "pages"),
        **dict.fromkeys(SYSTEM, "system"),
        **dict.fromkeys(forum, "forum"),
        **dict.fromkeys(phone.face.methods, "phone"),
        **dict.fromkeys(chat.face.routes, "chat"),
    }


def named(response: Response, name: str) -> Response:
    """The *response* with what its request is called in the log."""
    return Response(response.body, response.status, {**response.headers, "X-Request-ID": name})


def plain(text: str, status: int = 200, head: Mapping[str, str] = MappingProxyType({})) -> Response:
    return Response(f"{text}\n".encode(), status, {**PLAIN_HEAD, **head})


def xml(visit: Visit, body: bytes) -> Response:
    """An XML-RPC answer with what the mobile apps look for in its head."""
    head = {**XML_HEAD, "Mobiquo_is_login": "true" if visit.is_login else "false"}
    if accepts_gzip(visit.request) and (small := deflated(body)):
        head["Content-Encoding"], body = "gzip", small
    if visit.cookie is not None:
        head["Set-Cookie"] = visit.cookie_set
    return Response(body, 200, head)


def accepts_gzip(request: Request) -> bool:
    said = request.header("accept-encoding")
    return said is not None and request.head.accept_encodings.quality("gzip") > 0


def guarded(body: bytes, media_type: str, head: Mapping[str, str]) -> Response:
    """An answer of which a browser makes no more than it is."""
    return Response(body, 200, {"Content-Type": media_type, **GUARDED, **head})


def wanted_user(request: Request) -> User | None:
    """The user whom the query names by id, or by name in base64."""
    args = request.head.args
    user_id, name = args.get("user_id", ""), args.get("username", "")
    if re.fullmatch(r"[0-9]{1,18}", user_id, re.ASCII):
        return User.get_or_none(User.id == int(user_id))
    try:
        return User.named([b64decode(name).decode()]).first() if name else None
    except ValueError:
        return None


def may_see(visit: Visit, user: User) -> bool:
    mark = visit.request.head.args.get("v", "")
    return secrets.compare_digest(mark.encode(), user.avatar[-8:].encode()) or visit.is_login
