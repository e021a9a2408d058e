"""What HTTP adds to pages: templates, forms, who has to log in, and what a browser may do with it all."""

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException

from . import __version__
from .errors import BadInput, Broken, NotAuthenticated, NotFound, Refusal
from .http import Response
from .rest import live, plain_path
from .visits import Listening, Visit
from .wire.pages import FILES, Go, View
from .wire.rest import Route, Routes, head_of
from .wire.types import File

log = logging.getLogger(__name__)

READS = ("GET", "HEAD")
PACKAGE = "server.faces.pages"
STATIC = "/static/"
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
# What stands here has its digest in its address, so a new one has another.
STATIC_HEAD = {"Cache-Control": "public, max-age=31536000, immutable", **GUARDED}


class PageDoor:
    """Answers what stands at the addresses of declared *routes* with pages, and with what these load."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = Routes(routes)
        # Asked for each request, of whatever door, before its body is read.
        self.with_files = [pattern for route in self.routes.routes for pattern in patterns_with_files(route)]
        files = resources.files(PACKAGE).joinpath("static").iterdir()
        self.static = {file.name: file.read_bytes() for file in files}
        self.templates = Environment(
            loader=PackageLoader(PACKAGE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.globals.update(version=__version__, static=self.address_of)
        self.templates.filters.update(moment=moment, machine=datetime.isoformat)

    def holds(self, path: str) -> bool:
        """Whether this *path* is the door's to answer for."""
        return path.startswith(STATIC) or self.routes.holds(path)

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
        if path.startswith(STATIC) and verb == "GET":
            return self.file(path.removeprefix(STATIC))
        route, in_path = self.routes.find(verb, path)
        visit.named = route.method.name
        visit.note(route.method.name, "")
        if route.reads_query:
            values = visit.request.head.args.to_dict()
            return self.shown(visit, route.method.call_by_name(visit, {**values, **in_path}), 200)
        visit.refuse_foreign()
        given, uploads = visit.request.form(visit.request.body)
        files = {name: chosen(uploads.getlist(name)) for name in uploads}
        try:
            return self.shown(visit, route.method.call_by_name(visit, {**given, **files, **in_path}), 200)
        except Refusal as error:
            if isinstance(error, NotAuthenticated) or "GET" not in self.routes.verbs(path):
                raise
            visit.note(visit.called, f"refused {error.code}")
            return self.form_again(visit, path, error, given)

    def form_again(self, visit: Visit, path: str, error: Refusal, given: dict[str, str]) -> Response:
        """The page on which the form stands, with what was filled in and why that cannot be."""
        route, in_path = self.routes.find("GET", path)
        view = route.method.call_by_name(visit, {**given, **in_path})
        return self.shown(visit, view, error.code, error=str(error), given=given)

    def shown(self, visit: Visit, found: View | Go | Listening, status: int, **more: Any) -> Response:
        if isinstance(found, Listening):
            return live(visit, found)
        if isinstance(found, Go):
            return self.with_cookie(visit, Response(b"", 303, {"Location": found.path, **PAGE_HEAD}))
        return self.page(visit, found.template, status, {**found.values, **more})

    def page(self, visit: Visit, template: str, status: int, values: Mapping[str, Any]) -> Response:
        shared: dict[str, Any] = {"error": "", "given": {}, "user": visit.user_or_none}
        body = self.templates.get_template(template).render(shared | dict(values))
        return self.with_cookie(visit, Response(body.encode(), status, PAGE_HEAD))

    def with_cookie(self, visit: Visit, response: Response) -> Response:
        if visit.cookie is None:
            return response
        return replace(response, headers={**response.headers, "Set-Cookie": visit.cookie_set})

    def refused(self, visit: Visit, error: Refusal) -> Response:
        """A page that says why not; who is not known is asked who he is."""
        request = visit.request
        if isinstance(error, NotAuthenticated) and request.verb in READS:
            wanted = f"{request.path}?{request.query}" if request.query else request.path
            return self.shown(visit, Go(f"/login?{urlencode({'next': wanted})}"), 303)
        response = self.page(visit, "refused.html", error.code, {"reason": str(error)})
        return replace(response, headers={**response.headers, **head_of(error)})

    def file(self, name: str) -> Response:
        """What pages load: styles, scripts, pictures."""
        body = self.static.get(name)
        if body is None:
            raise NotFound("There is nothing at this address.")
        return Response(body, 200, {"Content-Type": KINDS[name.rpartition(".")[2]], **STATIC_HEAD})

    def address_of(self, name: str) -> str:
        """Where a page finds a file of this name, of which a browser may keep what it has."""
        return f"{STATIC}{name}?v={hashlib.sha256(self.static[name]).hexdigest()[:12]}"


def patterns_with_files(route: Route) -> list[re.Pattern[str]]:
    """What the paths of a route look like, where its form brings files."""
    return route.patterns if any(param.name == FILES for param in route.method.params) else []


def chosen(uploads: Iterable[FileStorage]) -> list[File]:
    """The files that were chosen in a field, which sends an empty one where none was."""
    return [File(each.filename, each.read()) for each in uploads if each.filename]


def moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
