"""REST: declared routes, JSON and forms in, JSON and problem documents out; no address of any door."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NotRequired, TypedDict
from urllib.parse import urlencode

from ..errors import BadInput, BadParams, NotAuthenticated, NotFound, Refusal, TooMany, WrongVerb
from .declare import Giver, Method, Param
from .types import Page, Paged

JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
PLACE = re.compile(r"\{(\w+)\}")
# What may stand at a place of an address, where no schema says it.
ANY = "^[^/]+$"
READS = ("GET", "DELETE")
HALF = re.compile("[\ud800-\udfff]")
DEEPEST, MOST_VALUES = 32, 10_000
ENVELOPE = "envelope"
TOTAL = "X-Total-Count"
RATES = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


class Problem(TypedDict):
    """What a refusal says (RFC 9457): *code* is for programs, *error* is *detail*, *field* what is wrong."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    code: str
    field: NotRequired[str]


class Details(TypedDict):
    """Which part of a list this is: *size* of *total*, the first of them at the place *offset*."""

    total: int
    size: int
    offset: int
    hasMore: bool


@dataclass(frozen=True)
class Answer:
    """What goes back: a status, a JSON value (or none), and what else stands in the head."""

    status: int
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"

    @cached_property
    def body(self) -> bytes:
        return b"" if self.value is None else JSON.encode(self.value).encode()


class Route:
    """A declared method at an address: its *verbs*, its *paths* with places in braces, its statuses.

    Of several paths and verbs the first is the one that is told of; the others do the same. Values of the
    parameter *once* name a request that may come twice and is carried out once.
    """

    def __init__(
        self, method: Method, verbs: list[str], paths: list[str], statuses: list[int], once: str = ""
    ) -> None:
        self.method, self.verbs, self.paths, self.statuses = method, verbs, paths, statuses
        self.once = once
        # What is no id was never given to anybody, so nothing is there.
        shapes = {param.name: param.codec.schema.get("pattern", ANY)[1:-1] for param in method.params}
        filled = [PLACE.sub(lambda place: f"(?P<{place[1]}>{shapes[place[1]]})", path) for path in paths]
        self.patterns = [re.compile(path) for path in filled]
        self.in_path = set(PLACE.findall(paths[0]))
        self.is_paged = isinstance(method.returns, Paged)

    def match(self, path: str) -> dict[str, str] | None:
        """The values that stand in the *path*, None where it is another's."""
        found = next(filter(None, (pattern.fullmatch(path) for pattern in self.patterns)), None)
        return found.groupdict() if found else None

    @property
    def reads_query(self) -> bool:
        """Whether the values that do not stand in the path stand in the query, and no body is read."""
        return self.verbs[0] in READS

    def asked(self) -> list[Param]:
        """The parameters that do not stand in the path: in the query of what reads, else in the body."""
        return [param for param in self.method.params if param.name not in self.in_path]


class Routes:
    """All routes of a door; an address that is named as it is fills no place of another route."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = list(routes)
        self.roots = {path.split("/")[1] for route in self.routes for path in route.paths}

    def holds(self, path: str) -> bool:
        """Whether this *path* is the door's to answer for."""
        return path.lstrip("/").partition("/")[0] in self.roots

    def at(self, path: str) -> list[tuple[Route, dict[str, str]]]:
        """The routes at this *path*, with the values that stand in it."""
        found = [(route, values) for route in self.routes if (values := route.match(path)) is not None]
        fewest = min((len(values) for _, values in found), default=0)
        return [(route, values) for route, values in found if len(values) == fewest]

    def verbs(self, path: str) -> list[str]:
        """What can be done at this *path*."""
        return [verb for route, _ in self.at(path) for verb in route.verbs]

    def find(self, verb: str, path: str) -> tuple[Route, dict[str, str]]:
        for route, values in self.at(path):
            if verb in route.verbs:
                return route, values
        if verbs := self.verbs(path):
            raise WrongVerb(verbs)
        raise NotFound("There is nothing at this address.")


def call(
    giver: Giver, route: Route, in_path: dict[str, str], query: Mapping[str, str], sent: dict[str, Any]
) -> Answer:
    """What the method at the *route* answers to values from the path, the query, and the body."""
    given = query if route.reads_query else sent
    value = route.method.call_by_name(giver, {**given, **in_path})
    return listed(value, query) if route.is_paged else Answer(route.statuses[0], value)


def listed(page: Page[Any], query: Mapping[str, str]) -> Answer:
    """A list with what there is to know of the rest, in the head or around it."""
    headers = {TOTAL: str(page.total)}
    links = ", ".join(f'<?{terms(query, *part)}>; rel="{rel}"' for rel, *part in neighbours(page))
    if links:
        headers["Link"] = links
    if query.get(ENVELOPE) not in ("1", "true"):
        return Answer(200, page.items, headers)
    details: Details = {
        "total": page.total,
        "size": len(page.items),
        "offset": page.skip,
        "hasMore": bool(page.items) and page.skip + len(page.items) < page.total,
    }
    return Answer(200, {"payload": page.items, "details": details}, headers)


def neighbours(page: Page[Any]) -> Iterable[tuple[str, int, int]]:
    """Where the pages beside this one begin, and how many they hold."""
    if page.limit and page.skip + len(page.items) < page.total:
        yield "next", page.skip + page.limit, page.limit
    if page.limit and page.skip:
        start = min(page.skip, page.total)
        yield "prev", max(0, start - page.limit), min(start, page.limit)


def terms(query: Mapping[str, str], skip: int, limit: int) -> str:
    return urlencode({**query, "skip": skip, "limit": limit})


def problem(error: Refusal) -> Answer:
    """A refusal as RFC 9457 has it, with the two members that older clients read."""
    text = str(error)
    value: Problem = {
        "type": "about:blank",
        "title": error.word.replace("_", " ").capitalize(),
        "status": error.code,
        "detail": text,
        "error": text,
        "code": error.word,
    }
    if isinstance(error, BadParams) and error.param:
        value["field"] = error.param
    return Answer(error.code, value, head_of(error), "application/problem+json")


def head_of(error: Refusal) -> dict[str, str]:
    """What HTTP has to say of a refusal in the head."""
    if isinstance(error, TooMany):
        return {"Retry-After": str(error.wait)}
    if isinstance(error, NotAuthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, WrongVerb):
        return {"Allow": ", ".join(error.verbs)}
    return {}


def read_json(body: bytes) -> dict[str, Any]:
    """The object that a body holds; an empty body holds an empty one."""
    if not body.strip():
        return {}
    try:
        value = whole(json.loads(body, parse_constant=refuse_constant))
    except (ValueError, RecursionError):
        raise BadInput("The body is no JSON.", "BAD_JSON") from None
    if type(value) is not dict or not is_modest(value):
        raise BadInput("The body has to be a JSON object, not too deep and not too long.", "BAD_JSON")
    return value


def whole(value: Any) -> Any:
    """The *value* with a sign in the place of each half character, which JSON can hold and no store can."""
    text = json.dumps(value, ensure_ascii=False)
    if text.isascii() or not HALF.search(text):
        return value
    return json.loads(HALF.sub("\N{REPLACEMENT CHARACTER}", text))


def refuse_constant(word: str) -> Any:
    raise ValueError(word)


def is_modest(value: Any) -> bool:
    """Whether not too many values stand in it, nor too many inside each other; counted level by level."""
    level, deep, many = [value], 0, 0
    while level and deep <= DEEPEST and many <= MOST_VALUES:
        level = [inner for each in level for inner in inside(each)]
        deep, many = deep + 1, many + len(level)
    return not level


def inside(value: Any) -> Iterable[Any]:
    """What stands in a JSON value."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
