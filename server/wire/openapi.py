"""The declared routes of a REST door as an OpenAPI 3.1 document."""

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors import (
    BadInput,
    Broken,
    Conflict,
    KeyReused,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Refusal,
    TooMany,
    TooSlow,
    Unavailable,
    WrongType,
)
from .coding import TooLarge
from .declare import NOT_GIVEN, Param, camel
from .once import KEY, LONGEST_KEY
from .rest import ENVELOPE, RATES, TOTAL, Details, Problem, Route
from .types import ID, codec_for
from .types import KEY as NUMBER

Json = dict[str, Any]

SCHEMAS = "#/components/schemas/"
HEADERS = "#/components/headers/"
FIRST_SENTENCE = re.compile(r"(.+?)\.(?:\s|$)", re.DOTALL)
# The operation of which another one is a second spelling.
SAME_AS = "x-same-as"
# What the codes of problems mean.
CODES = "x-codes"
BODIES = ("application/json", "application/x-www-form-urlencoded")
PROBLEM = "application/problem+json"
COUNT = {"type": "integer", "minimum": 0}
SHARED_HEADERS = {
    RATES[0]: {"description": "How many messages may be sent at once.", "schema": COUNT},
    RATES[1]: {"description": "How many of them may be sent now.", "schema": COUNT},
    RATES[2]: {"description": "In how many seconds all of them may be.", "schema": COUNT},
}


class Code(NamedTuple):
    """What a problem document can have as its code, with which status, and what it means."""

    status: int
    code: str
    description: str


def codes_of(kind: type[Refusal], words: Mapping[str, str]) -> Iterator[Code]:
    """The code of a kind of refusal, and those *words*, with what they mean, that tell more of it."""
    yield Code(kind.code, kind.word, meaning(kind))
    yield from (Code(kind.code, word, words[word]) for word in sorted(words))


class About(NamedTuple):
    """What a document says of all its routes.

    *security* has the schemes by name, *server* is the address, *codes* are those of all refusals.
    """

    title: str
    version: str
    description: str
    security: Mapping[str, Json]
    server: str = "/"
    codes: Iterable[Code] = ()


def document(
    routes: Iterable[Route], about: About, others: Mapping[str, Json] = MappingProxyType({})
) -> Json:
    """All *routes*, and *others*: path items, by path, of what is not declared as a route."""
    schemas: Json = {}
    paths: Json = {}
    for route in routes:
        for path, verb, spelled in operations(route):
            paths.setdefault(path, {})[verb.lower()] = placed(spelled, schemas)
    for path, item in others.items():
        paths[path] = {**paths.get(path, {}), **placed(item, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {"title": about.title, "version": about.version, "description": about.description},
        "servers": [{"url": about.server}],
        "security": [{name: []} for name in about.security],
        "paths": paths,
        CODES: [code._asdict() for code in sorted(about.codes, key=attrgetter("status"))],
        "components": {
            "schemas": schemas,
            "headers": SHARED_HEADERS,
            "securitySchemes": dict(about.security),
        },
    }


def placed(value: Any, schemas: Json) -> Any:
    """The *value* with a reference in the place of each titled schema, which goes among the *schemas*."""
    if isinstance(value, list):
        return [placed(each, schemas) for each in value]
    if not isinstance(value, Mapping):
        return value
    inner = {key: placed(each, schemas) for key, each in value.items()}
    title = inner.pop("title", None) if value.get("type") == "object" else None
    if title is None:
        return inner
    if schemas.setdefault(title, inner) != inner:
        raise TypeError(f"two shapes are called {title}")
    return {"$ref": SCHEMAS + title}


def operations(route: Route) -> Iterator[tuple[str, str, Json]]:
    """The route's path, verb and operation, and then the same for each other spelling of it."""
    name = camel(route.method.function.__name__)
    spellings = [(path, verb) for path in route.paths for verb in route.verbs]
    for number, (path, verb) in enumerate(spellings, 1):
        spelled = operation(route, verb)
        if number == 1:
            yield path, verb, {"operationId": name, **spelled}
        else:
            told = f"The same as {route.verbs[0]} {route.paths[0]}."
            other = {"operationId": f"{name}{number}", "deprecated": True, SAME_AS: name}
            yield path, verb, {**other, **spelled, "description": told}


def operation(route: Route, verb: str) -> Json:
    """What one *verb* does at the route."""
    doc = route.method.doc
    sentence = FIRST_SENTENCE.match(doc)
    made: Json = {"summary": " ".join((sentence[1] if sentence else doc).split()), "description": doc}
    if route.method.actor is None:
        made["security"] = []
    if parameters := list(parameters_of(route, verb)):
        made["parameters"] = parameters
    if not route.reads_query and route.asked():
        made["requestBody"] = body_of(route.asked())
    made["responses"] = {**answers(route, verb), **refused(refusals(route, verb))}
    return made


def parameters_of(route: Route, verb: str) -> Iterator[Json]:
    """What stands in the path, in the query and in the head."""
    for param in route.method.params:
        if param.name in route.in_path:
            yield parameter("path", param)
        elif route.reads_query:
            yield parameter("query", param)
    if route.is_paged:
        schema = {"type": "string", "enum": ["0", "1"], "default": "0"}
        told = "1 puts the list into an object, with the total beside it"
        yield {"name": ENVELOPE, "in": "query", "required": False, "description": told, "schema": schema}
    if takes_key(route, verb):
        yield {
            "name": KEY,
            "in": "header",
            "required": False,
            "description": "names this request, which is carried out once a day however often it comes",
            "schema": {"type": "string", "maxLength": LONGEST_KEY},
        }


def parameter(place: str, param: Param) -> Json:
    return {
        "name": param.name,
        "in": place,
        "required": param.required,
        "description": param.doc,
        "schema": schema_of(param),
    }


def schema_of(param: Param) -> Json:
    default = {} if param.default in NOT_GIVEN else {"default": param.default}
    return {**param.codec.schema, **default}


def body_of(params: list[Param]) -> Json:
    required = [param.name for param in params if param.required]
    schema: Json = {
        "type": "object",
        "properties": {param.name: {**schema_of(param), "description": param.doc} for param in params},
    }
    if required:
        schema["required"] = required
    return {"required": bool(required), "content": {kind: {"schema": schema} for kind in BODIES}}


def takes_key(route: Route, verb: str) -> bool:
    """Whether a request may say by a key that it is the same as an earlier one."""
    return verb == "POST" and route.method.actor is not None


def answers(route: Route, verb: str) -> Json:
    """What is answered where nothing is refused, by status."""
    made = {str(status): answer(route, verb, status) for status in route.statuses}
    if verb == "GET":
        made["304"] = {"description": HTTPStatus.NOT_MODIFIED.phrase}
    return made


def answer(route: Route, verb: str, status: int) -> Json:
    headers: Json = {name: {"$ref": HEADERS + name} for name in SHARED_HEADERS}
    if verb == "GET":
        headers["ETag"] = {"description": "What tells this answer from others.", "schema": {"type": "string"}}
    schema = route.method.returns.schema
    if route.is_paged:
        headers[TOTAL] = {"description": "How many there are in all.", "required": True, "schema": COUNT}
        told = "The next and the previous part of the list."
        headers["Link"] = {"description": told, "schema": {"type": "string"}}
        schema = {"anyOf": [schema, envelope(schema)]}
    made: Json = {"description": HTTPStatus(status).phrase, "headers": headers}
    if status != HTTPStatus.NO_CONTENT:
        made["content"] = {"application/json": {"schema": schema}}
    return made


def envelope(items: Mapping[str, Any]) -> Json:
    """A list with what there is to know of it."""
    properties = {"payload": items, "details": codec_for(Details).schema}
    return {"type": "object", "properties": properties, "required": list(properties)}


def refusals(route: Route, verb: str) -> list[type[Refusal]]:
    """What may be refused, as far as a declaration tells; rather one too many than one too few.

    What only reads finds or does not find: it forbids nothing and meets no conflict. Anybody's name and
    password can come with anything, so that too many of them can be wrong anywhere.
    """
    writes, has_body = route.method.transaction == "write", not route.reads_query
    looks_up = any(param.codec in (ID, NUMBER) for param in route.method.params)
    possible = {
        BadInput: has_body or bool(route.method.params),
        NotAuthenticated: True,
        NotAllowed: writes,
        NotFound: looks_up,
        TooSlow: has_body,
        Conflict: writes,
        TooLarge: has_body,
        WrongType: has_body,
        KeyReused: takes_key(route, verb),
        TooMany: True,
        Broken: True,
        Unavailable: True,
    }
    return [kind for kind, can_be in possible.items() if can_be]


def refused(kinds: Iterable[type[Refusal]]) -> Json:
    """The answers to what is refused, by status."""
    return {str(kind.code): refusal(kind) for kind in kinds}


def refusal(kind: type[Refusal]) -> Json:
    content = {PROBLEM: {"schema": codec_for(Problem).schema}}
    made: Json = {"description": meaning(kind), "content": content}
    if kind is TooMany:
        told = "In how many seconds it may be tried again."
        made["headers"] = {"Retry-After": {"description": told, "required": True, "schema": COUNT}}
    return made


def meaning(kind: type[Refusal]) -> str:
    """What a kind of refusal says, in one sentence."""
    return " ".join((kind.__doc__ or kind.__name__).split())
