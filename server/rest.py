"""What HTTP adds to the answers of a REST door: bodies and forms, limits, ETags, other origins."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.http import quote_etag

from .actions import limits
from .config import Settings
from .errors import BadInput, Broken, NotFound, Refusal, Unavailable, WrongType
from .http import Response
from .storing import storage
from .visits import Listening, Visit
from .wire.coding import inflated
from .wire.once import KEY, Repeat, checked, digest, head_key, written
from .wire.rest import (
    RATES,
    TOTAL,
    Answer,
    Route,
    Routes,
    call,
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
NO_GUESSING = {"X-Content-Type-Options": "nosniff"}
# A proxy shall hand on what comes when it comes.
LIVE_HEAD = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class RestDoor:
    """Answers what stands at the addresses of declared *routes*."""

    def __init__(self, routes: Iterable[Route], settings: Settings) -> None:
        self.routes, self.settings = Routes(routes), settings

    def holds(self, path: str) -> bool:
        """Whether this *path* is the door's to answer for."""
        return self.routes.holds(path)

    def __call__(self, visit: Visit) -> Response:
        visit.takes_cookie = False
        answer = self.answer(visit)
        is_live = isinstance(answer.value, Listening)
        response = live(visit, answer.value) if is_live else whole(visit, answer)
        origin = self.of_origin(visit.request.header("origin"))
        head = {**response.headers, **answer.headers, **self.of_limits(visit), **origin, **NO_GUESSING}
        return response._replace(headers=head)

    def answer(self, visit: Visit) -> Answer:
        verb, path = visit.request.verb, plain_path(visit.request.path)
        try:
            if verb == "OPTIONS":
                return self.preflight(path)
            route, in_path = self.routes.find("GET" if verb == "HEAD" else verb, path)
            visit.note(route.method.name, "")
            visit.named = route.method.name
            if route.method.actor is not None:
                visit.give(route.method.actor)
            query = visit.request.head.args.to_dict()
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
        visit.repeats = repeats_of(visit, route, in_path, sent)
        return replace(call(visit, route, in_path, query, sent), status=visit.status)

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

    def of_origin(self, origin: str | None) -> Mapping[str, str]:
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


def whole(visit: Visit, answer: Answer) -> Response:
    """An answer that is there at once; what was read is sent only to those who have something else."""
    if visit.request.verb not in ("GET", "HEAD") or answer.status != 200:
        head = {"Content-Type": answer.media_type, "Cache-Control": "no-store"}
        return Response(answer.body, answer.status, head)
    body = answer.body
    mark = digest(body, written(dict(answer.headers)))[:32]
    head = {"Content-Type": answer.media_type, "Cache-Control": "private, no-cache", "ETag": quote_etag(mark)}
    is_known = visit.request.head.if_none_match.contains_weak(mark)
    return Response(b"", 304, head) if is_known else Response(body, 200, head)


def live(visit: Visit, listening: Listening) -> Response:
    """The head of an answer that goes on; the gateway is told by what the visit keeps of it."""
    if visit.request.verb == "GET":
        visit.live = listening
        visit.note(visit.called, "listens")
    return Response(b"", 200, LIVE_HEAD)


def plain_path(path: str) -> str:
    """The path without a slash at its end, with which it means the same."""
    return path.rstrip("/") or "/"


def body_of(visit: Visit) -> dict[str, Any]:
    """What a body says, whether it is JSON or a form."""
    request = visit.request
    body = inflated(request.body, request.header("content-encoding"), visit.settings.max_request)
    if request.head.mimetype in FORMS and not body.lstrip().startswith(b"{"):
        return dict(request.form(body)[0])
    if body and request.head.mimetype not in JSON:
        raise WrongType("The body has to be JSON or a form.")
    return read_json(body)


def repeats_of(visit: Visit, route: Route, in_path: dict[str, str], sent: dict[str, Any]) -> list[Repeat]:
    """The keys of a request that may come again, each with the digest of what it asks.

    There are two where the message has an id of its client's own: a client may give each attempt a header of
    its own, and calls the message the same.
    """
    given = visit.head_key
    if visit.request.verb != "POST" or route.method.actor is None or not (given or route.once):
        return []
    asked = route.method.bind_names({**sent, **in_path})
    own = checked(asked.get(route.once) or "")
    place = written([route.method.name, {key: asked[key] for key in route.method.keys_of(in_path)}])
    whole = digest(place, written(asked))
    keys = [digest(f"body {own}".encode(), place)] if own else []
    keys += [head_key(given)] if given else []
    return [Repeat(key, whole) for key in keys]
