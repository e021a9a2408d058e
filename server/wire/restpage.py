"""An OpenAPI document as entries of the reference, for people."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode

from .openapi import CODES, SAME_AS, Json
from .reference import Entry

HEADS = ("parameter", "in", "type", "required", "meaning")
EXAMPLES = {"integer": 2, "boolean": True}
NAMED = {"username": "ann", "text": "Hello"}
FIRST_ERROR = 400


class Call(NamedTuple):
    """An operation of the document and where it stands."""

    verb: str
    path: str
    operation: Json

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"


def entries(document: Json) -> Iterator[Entry]:
    """Each call, then each shape that is sent, then what the codes of errors mean."""
    calls = [
        Call(verb.upper(), path, operation)
        for path, item in document["paths"].items()
        for verb, operation in item.items()
    ]
    for each in calls:
        if SAME_AS not in each.operation:
            same = [other for other in calls if other.operation.get(SAME_AS) == each.operation["operationId"]]
            yield call_entry(document, each, same)
    for name, schema in document["components"]["schemas"].items():
        yield shape_entry(name, schema)
    yield errors_entry(document[CODES])


def call_entry(document: Json, call: Call, same: list[Call]) -> Entry:
    told = ["; ".join(answers(call.operation)) + "."]
    told += [f"Errors: {', '.join(errors(call.operation))}."]
    if same:
        told.append(f"The same: {', '.join(map(str, same))}.")
    rows = list(rows_of(call.operation))
    return Entry(
        call.operation["operationId"],
        str(call),
        call.operation["description"],
        HEADS,
        rows,
        told,
        curl(document["servers"][0]["url"].rstrip("/"), call),
    )


def rows_of(operation: Json) -> Iterator[tuple[str, ...]]:
    """One row a parameter, wherever it stands."""
    for each in operation.get("parameters", []):
        yield row(each["name"], each["in"], each["schema"], each["required"], each["description"])
    schema = body_schema(operation)
    for name, member in schema.get("properties", {}).items():
        yield row(name, "body", member, name in schema.get("required", []), member["description"])


def row(name: str, place: str, schema: Json, is_required: bool, meaning: str) -> tuple[str, ...]:
    return name, place, words(schema), "yes" if is_required else "no", meaning


def body_schema(operation: Json) -> Json:
    contents = operation.get("requestBody", {}).get("content", {})
    return next((content["schema"] for content in contents.values()), {})


def words(schema: Mapping[str, Any]) -> str:
    """A schema in a few words; a shape by its name."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(words(each) for each in schema["anyOf"])
    if "enum" in schema:
        told = " or ".join(schema["enum"])
    elif schema.get("type") == "array":
        return f"array of {words(schema['items'])}"
    elif schema.get("type") == "object" and "properties" in schema:
        members = (f"{name}: {words(member)}" for name, member in schema["properties"].items())
        return f"{{{', '.join(members)}}}"
    else:
        told = "time" if schema.get("format") == "date-time" else schema.get("type", "anything")
    return told + (f" ({schema['default']})" if "default" in schema else "")


def answers(operation: Json) -> Iterator[str]:
    for status, response in operation["responses"].items():
        if int(status) < FIRST_ERROR:
            kinds = [words(content["schema"]) for content in response.get("content", {}).values()]
            yield f"{status} {response['description']}{': ' if kinds else ''}{' or '.join(kinds)}"


def errors(operation: Json) -> list[str]:
    return [status for status in operation["responses"] if int(status) >= FIRST_ERROR]


def shape_entry(name: str, schema: Json) -> Entry:
    rows = [(member, words(kind)) for member, kind in schema["properties"].items()]
    return Entry(f"shape-{name}", name, schema.get("description", ""), ("member", "type"), rows)


def errors_entry(codes: list[Json]) -> Entry:
    """Every code that can come, with its status and its meaning."""
    rows = [
        (each["code"], f"{each['status']} {HTTPStatus(each['status']).phrase}", each["description"])
        for each in codes
    ]
    about = "A problem document has one of these as its code."
    return Entry("errors", "Errors", about, ("code", "status", "meaning"), rows)


def curl(server: str, call: Call) -> str:
    """A line of shell that makes the call, with examples of what it requires or else of its first value."""
    path = call.path
    required = [each for each in call.operation.get("parameters", []) if each["required"]]
    examples = {each["name"]: str(example(each["name"], each["schema"])) for each in required}
    for name, value in examples.items():
        path = path.replace(f"{{{name}}}", value)
    query = urlencode({each["name"]: examples[each["name"]] for each in required if each["in"] == "query"})
    schema = body_schema(call.operation)
    names = schema.get("required") or list(schema.get("properties", {}))[:1]
    sent = {name: example(name, schema["properties"][name]) for name in names}
    parts = ["curl"]
    if call.operation.get("security") != []:
        parts.append('-H "Authorization: Bearer TOKEN"')
    if sent:
        parts.append(f"-d '{json.dumps(sent)}'")
    elif call.verb != "GET":
        parts.append(f"-X {call.verb}")
    return " ".join([*parts, f"'{server}{path}?{query}'" if query else server + path])


def example(name: str, schema: Json) -> Any:
    if "pattern" in schema:
        return "1"
    return NAMED.get(name) or EXAMPLES.get(schema["type"], name.upper())
