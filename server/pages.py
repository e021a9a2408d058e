"""What HTTP adds to pages: templates, forms, who has to log in, and what a browser may do with it all."""

import hashlib
import logging
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import resources
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException

from . import __version__
from .config import Settings
from .errors import BadInput, Broken, NotAuthenticated, NotFound, Refusal, TooSlow
from .http import Request, Response
from .rest import live, plain_path
from .visits import Listening, Visit
from .wire.coding import TooLarge
from .wire.pages import FILES, Go, View, in_words
from .wire.rest import Route, Routes, head_of
from .wire.types import File

log = logging.getLogger(__name__)

READS = ("GET", "HEAD")
PACKAGE = "server.faces.pages"
STATIC = "/static"
KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
GUARDED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
}
PAGE_HEAD = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", **GUARDED}
# What is asked for by its digest never changes. Another one's bytes may be had by it while servers of two
# versions run side by side, and nobody shall keep those.
KEPT, ASKED_AGAIN = "public, max-age=31536000, immutable", "no-cache"
# More than a message takes files, so that of too many it is said and nothing of the form is lost.
MOST_PARTS = 200
# Where one goes on from where nothing is: the first of them that is above it, for those who may.
START, INBOX = ("/", "To the first page"), ("/inbox", "To the inbox")
OFFICE = (
    ("/admin/people", "To all people"),
    ("/admin/keys", "To all server keys"),
    ("/admin", "To the administration"),
)
# What is said of a form that was not read.
UNREAD: dict[type[Refusal], str] = {
    BadInput: "Not all of it has come. Please send it again.",
    TooLarge: "That is too much at once.",
    TooSlow: "It came too slowly. Please send it again.",
}


class PageDoor:
    """Answers what stands at the addresses of declared *routes* with pages, and with what these load."""

    def __init__(self, routes: Iterable[Route], settings: Settings) -> None:
        self.routes = Routes(routes)
        # Asked for each request, of whatever door, before its body is read.
        self.with_files = [pattern for route in self.routes.routes for pattern in patterns_with_files(route)]
        files = resources.files(PACKAGE).joinpath("static").iterdir()
        self.static = {file.name: file.read_bytes() for file in files}
        self.digests = {name: hashlib.sha256(body).hexdigest()[:12] for name, body in self.static.items()}
        self.templates = Environment(
            loader=PackageLoader(PACKAGE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.globals.update(
            version=__version__, static=self.address_of, settings=settings, new_key=secrets.token_urlsafe
        )
        self.templates.filters.update(moment=moment, machine=datetime.isoformat, size=in_words)

    def holds(self, path: str) -> bool:
        """Whether this *path* is the door's to answer for."""
        return path.startswith(f"{STATIC}/") or self.routes.holds(path)

    def is_wanted(self, request: Request) -> bool:
        """Whether it is a browser that wants to show what stands at an address."""
        return request.verb in READS and "text/html" in (request.header("accept") or "").lower()

    def takes_files(self, path: str) -> bool:
        """Whether a form at this *path* may bring files."""
        return any(pattern.fullmatch(path) for pattern in self.with_files)

    def __call__(self, visit: Visit) -> Response:
        visit.takes_forms = True
        try:
            return self.answer(visit, plain_path(visit.request.path))
        except Refusal as error:
            visit.note(visit.called, f"refused {error.code}")
            return self.refused(visit, error)
        except HTTPException as error:
            return self.refused(visit, BadInput(error.name))
        except Exception:
            log.exception("%s failed", visit.id)
            return self.refused(visit, Broken())

    def answer(self, visit: Visit, path: str) -> Response:
        verb = "GET" if visit.request.verb == "HEAD" else visit.request.verb
        if path.startswith(f"{STATIC}/") and verb == "GET":
            visit.named = STATIC
            return self.file(path.removeprefix(f"{STATIC}/"), visit.request.head.args.get("v", ""))
        route, in_path = self.routes.find(verb, path)
        visit.named = route.method.name
        visit.note(route.method.name, "")
        if route.reads_query:
            values = visit.request.head.args.to_dict()
            return self.shown(visit, route.method.call_by_name(visit, {**values, **in_path}), 200)
        visit.refuse_foreign()
        given: dict[str, str] = {}
        try:
            given, files = filled_in(visit)
            return self.shown(visit, route.method.call_by_name(visit, {**given, **files, **in_path}), 200)
        except Refusal as error:
            visit.note(visit.called, f"refused {error.code}")
            return self.form_again(visit, path, error, given)

    def form_again(self, visit: Visit, path: str, error: Refusal, given: dict[str, str]) -> Response:
        """The page on which the form stands, with what was filled in and why that cannot be."""
        try:
            route, in_path = self.routes.find("GET", path)
            view = route.method.call_by_name(visit, {**given, **in_path})
        except Refusal:
            return self.refused(visit, error, given)
        response = self.shown(visit, view, error.code, error=str(error), given=given)
        return with_head(response, head_of(error))

    def shown(self, visit: Visit, found: View | Go | Listening, status: int, **more: Any) -> Response:
        if isinstance(found, Listening):
            return live(visit, found)
        if isinstance(found, Go):
            return self.with_cookie(visit, Response(b"", 303, {"Location": found.path, **PAGE_HEAD}))
        return self.page(visit, found.template, status, {**found.values, **more})

    def page(self, visit: Visit, template: str, status: int, values: Mapping[str, Any]) -> Response:
        return self.with_cookie(
            visit, self.rendered(template, status, {"user": visit.user_or_none, **values})
        )

    def rendered(self, template: str, status: int, values: Mapping[str, Any]) -> Response:
        shared: dict[str, Any] = {"error": "", "given": {}, "user": None}
        body = self.templates.get_template(template).render(shared | dict(values))
        return Response(body.encode(), status, PAGE_HEAD)

    def with_cookie(self, visit: Visit, response: Response) -> Response:
        return response if visit.cookie is None else with_head(response, {"Set-Cookie": visit.cookie_set})

    def refused(
        self, visit: Visit, error: Refusal, given: Mapping[str, str] = MappingProxyType({})
    ) -> Response:
        """A page that says why not, and what of a form is lost by it; who is not known is asked who he is."""
        login = self.login_for(visit) if isinstance(error, NotAuthenticated) else ""
        if login and visit.request.verb in READS:
            return self.shown(visit, Go(login), 303)
        back = way_back(visit)
        values = {"reason": str(error), "given": given, "login": login, "is_too_large": False, "back": back}
        return with_head(self.page(visit, "refused.html", error.code, values), head_of(error))

    def login_for(self, visit: Visit) -> str:
        """Where one logs in, and comes back from to the page that was wanted, or on which the form stands."""
        path, query = visit.request.path, visit.request.query
        if visit.request.verb not in READS and "GET" not in self.routes.verbs(plain_path(path)):
            return "/login"
        return f"/login?{urlencode({'next': f'{path}?{query}' if query else path})}"

    def unread(self, error: Refusal) -> Response:
        """The page for somebody whose request is not even read."""
        reason, is_too_large = UNREAD.get(type(error), str(error)), isinstance(error, TooLarge)
        values = {"reason": reason, "login": "", "is_too_large": is_too_large, "back": INBOX}
        return with_head(self.rendered("refused.html", error.code, values), head_of(error))

    def file(self, name: str, digest: str) -> Response:
        """What pages load: styles, scripts, pictures."""
        body = self.static.get(name)
        if body is None:
            raise NotFound("There is nothing at this address.")
        kept = KEPT if digest == self.digests[name] else ASKED_AGAIN
        head = {"Content-Type": KINDS[name.rpartition(".")[2]], "Cache-Control": kept, **GUARDED}
        return Response(body, 200, head)

    def address_of(self, name: str) -> str:
        """Where a page finds a file of this name, of which a browser may keep what it has."""
        return f"{STATIC}/{name}?v={self.digests[name]}"


def with_head(response: Response, head: Mapping[str, str]) -> Response:
    return response._replace(headers={**response.headers, **head})


def filled_in(visit: Visit) -> tuple[dict[str, str], dict[str, list[File]]]:
    """The texts and the files of a form."""
    try:
        texts, uploads = visit.request.form(visit.request.body, MOST_PARTS)
    except HTTPException:
        raise BadInput("The form has too many parts or is no form.") from None
    return texts, {name: chosen(uploads.getlist(name)) for name in uploads}


def patterns_with_files(route: Route) -> list[re.Pattern[str]]:
    """What the paths of a route look like, where its form brings files."""
    return route.patterns if any(param.name == FILES for param in route.method.params) else []


def chosen(uploads: Iterable[FileStorage]) -> list[File]:
    """The files that were chosen in a field, which sends an empty one where none was."""
    return [File(each.filename, each.read()) for each in uploads if each.filename]


def way_back(visit: Visit) -> tuple[str, str]:
    """Where somebody finds his way from what is not possible, and what that is called."""
    path, user = visit.request.path, visit.user_or_none
    if user is None:
        return START
    ways = OFFICE if user.is_admin else ()
    return next((way for way in ways if path == way[0] or path.startswith(f"{way[0]}/")), INBOX)


def moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
