"""What HTTP adds to the answers of a REST door: bodies and forms, limits, ETags, other origins."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from .actions import limits
from .config import Settings
from .errors import BadInput, Broken, NotFound, Refusal, Unavailable, WrongType
from .visits import Visit, storage
from .wire.coding import inflated
from .wire.rest import (
    KEY,
    LONGEST_KEY,
    RATES,
    TOTAL,
    Answer,
    Route,
    Routes,
    call,
    digest,
    problem,
    read_json,
)

log = logging.getLogger(__name__)

# A body of no type, or of the one that curl gives it by itself, can be JSON as well.
JSON = ("application/json", "", "application/x-www-form-urlencoded")
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
SHOWN = ", ".join([TOTAL, "Link", "ETag", "Retry-After", *RATES])
TAKEN = f"Authorization, Content-Type, {KEY}, If-None-Match, Last-Event-ID, X-API-Key"
DAY = "86400"


class RestDoor:
    """Answers what stands at the addresses of declared *routes*."""

    def __init__(self, routes: list[Route], settings: Settings) -> None:
        self.routes, self.settings = Routes(routes), settings

    def holds(self, path: str) -> bool:
        """Whether this *path* is the door's to answer for."""
        return self.routes.holds(path)

    def __call__(self, visit: Visit) -> Response:
        visit.takes_cookie = False
        answer = self.answer(visit)
        response = Response(answer.body, answer.status, content_type=answer.media_type)
        origin = self.of_origin(visit.request.headers.get("Origin", ""))
        for name, value in {**answer.headers, **self.of_limits(visit), **origin}.items():
            response.headers[name] = value
        response.headers["X-Content-Type-Options"] = "nosniff"
        if visit.request.method in ("GET", "HEAD") and answer.status == 200:
            response.headers["Cache-Control"] = "private, no-cache"
            response.set_etag(digest(answer.body)[:32])
            response.make_conditional(visit.request)
        else:
            response.headers["Cache-Control"] = "no-store"
        return response

    def answer(self, visit: Visit) -> Answer:
        verb, path = visit.request.method, plain_path(visit.request.path)
        try:
            if verb == "OPTIONS":
                return self.preflight(path)
            route, in_path = self.routes.find("GET" if verb == "HEAD" else verb, path)
            visit.note(route.method.name, "")
            query = visit.request.args.to_dict()
            sent = {} if route.reads_query else body_of(visit)
            return self.carry_out(visit, route, in_path, query, sent)
        except Refusal as error:
            visit.note(visit.called, f"refused {error.code}")
            return problem(error)
        except HTTPException as error:
            return problem(BadInput(error.name))
        except Exception:
            log.exception("%s failed", visit.id)
            return problem(Broken())

    def carry_out(
        self, visit: Visit, route: Route, in_path: dict[str, str], query: dict[str, str], sent: dict[str, Any]
    ) -> Answer:
        visit.status = route.statuses[0]
        visit.repeat = repeat_of(visit, route, in_path, sent)
        answer = call(visit, route, in_path, query, sent)
        return Answer(visit.status, answer.value, answer.headers) if answer.status != visit.status else answer

    def preflight(self, path: str) -> Answer:
        verbs = ", ".join(self.routes.verbs(path))
        if not verbs:
            raise NotFound("There is nothing at this address.")
        return Answer(204, None, {"Allow": verbs, "Access-Control-Allow-Methods": verbs})

    def of_limits(self, visit: Visit) -> Mapping[str, str]:
        """How many messages may still be sent now, and in how many seconds as many as at first."""
        try:
            with storage():
                standing = limits.standing(self.settings, visit.user_or_none)
        except Unavailable:
            return {}
        return dict(zip(RATES, map(str, standing), strict=True)) if standing else {}

    def of_origin(self, origin: str) -> Mapping[str, str]:
        """Whether a page of the *origin* that the request comes from may read the answer."""
        allowed = [each.strip() for each in self.settings.cors.split(",") if each.strip()]
        if not origin or not ("*" in allowed or origin in allowed):
            return {"Vary": "Origin"} if allowed else {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Headers": TAKEN,
            "Access-Control-Expose-Headers": SHOWN,
            "Access-Control-Max-Age": DAY,
            "Vary": "Origin",
        }


def plain_path(path: str) -> str:
    """The path without a slash at its end, with which it means the same."""
    return path.rstrip("/") or "/"


def body_of(visit: Visit) -> dict[str, Any]:
    """What a body says, whether it is JSON or a form."""
    request = visit.request
    body = request.get_data(parse_form_data=False)
    if request.mimetype in FORMS and not body.lstrip().startswith(b"{"):
        return request.form.to_dict()
    if body and request.mimetype not in JSON:
        raise WrongType("The body has to be JSON or a form.")
    encoding = request.headers.get("Content-Encoding", "")
    return read_json(inflated(body, encoding, visit.settings.max_request))


def repeat_of(
    visit: Visit, route: Route, in_path: dict[str, str], sent: dict[str, Any]
) -> tuple[str, str] | None:
    """The key of a request that may come again, with the digest of what it asks; None without a key."""
    given = visit.request.headers.get(KEY, "")
    own = str(sent.get(route.once) or "") if route.once else ""
    if visit.request.method != "POST" or route.method.actor is None or not (given or own):
        return None
    if len(given) > LONGEST_KEY or len(own) > LONGEST_KEY:
        raise BadInput(f"A key has at most {LONGEST_KEY} characters.", "BAD_KEY")
    # A client may give each attempt a header of its own; what it calls the message itself is the same.
    numbers = {name: int(value) if value.isdecimal() else value for name, value in in_path.items()}
    place = json.dumps([route.method.name, numbers]).encode()
    asked = json.dumps(sent, sort_keys=True).encode()
    name = f"body {own}" if own else f"header {given}"
    return digest(name.encode(errors="surrogatepass"), place if own else b""), digest(place, asked)
