"""The OpenAPI document and the page of a REST door, as they are read off the declarations."""

from typing import Any, Literal, TypedDict

import pytest
from openapi_spec_validator import validate

from server.errors import Refusal
from server.wire.declare import Method, Transaction, camel
from server.wire.openapi import About, codes_of, document, placed, refused
from server.wire.reference import Section, markdown
from server.wire.rest import Route
from server.wire.restpage import entries
from server.wire.types import Codec, Id, Key, Page, codec_for

KEYS = {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
CODES = codes_of(Refusal, {"ODD_THING": "The thing is odd."})
ABOUT = About("Things", "1.0", "All about things.", KEYS, "http://here", list(CODES))


class Part(TypedDict):
    """A part of a *thing*."""

    name: str


class Thing(TypedDict):
    id: Id
    parts: list[Part]


def list_things(skip: int = 0, order: Literal["up", "down"] = "up", word: str = "") -> Page[Thing]:
    """List the things. There may be many.

    :param skip: how many to pass over
    :param order: which comes first
    :param word: what they are about
    """
    return Page([], 0, skip, 0)


def change_thing(thing_id: Id, new_name: str, owner_id: Key = 0) -> Thing:
    """Change a thing; for its owner.

    :param thing_id: the thing
    :param new_name: its new name
    :param owner_id: its new owner
    """
    return {"id": thing_id, "parts": []}


def enter(name: str) -> None:
    """Come in.

    :param name: who comes
    """


def refuse(returns: Codec, error: Refusal) -> Any:
    raise error


def route(function: Any, verbs: str, *paths: str, actor: Any = str, kind: Transaction = "write") -> Route:
    method = Method(function, "", kind, refuse, actor, camel)
    return Route(method, verbs.split(), list(paths), [204 if function is enter else 200])


ROUTES = [
    route(list_things, "GET", "/things", kind="read"),
    route(change_thing, "POST PUT", "/things/{thingId}", "/thing/{thingId}"),
    route(enter, "POST", "/in", actor=None),
]


@pytest.fixture
def made() -> Any:
    return document(ROUTES, ABOUT)


def test_it_is_openapi(made: Any) -> None:
    """The document is one of OpenAPI 3.1."""
    assert made["openapi"].startswith("3.1.")
    validate(made)


def test_words_come_from_the_docstring(made: Any) -> None:
    """The first sentence is the summary, all of it the description, the function's name the operation's."""
    listing = made["paths"]["/things"]["get"]
    assert listing["summary"] == "List the things"
    assert listing["description"] == "List the things. There may be many."
    assert listing["operationId"] == "listThings"


def test_every_spelling_is_an_operation(made: Any) -> None:
    """Each path and verb of a route has an operation, and all but the first name the first."""
    spelled = [made["paths"][path][verb] for path in ("/things/{thingId}", "/thing/{thingId}")
               for verb in ("post", "put")]  # fmt: skip
    assert [each.get("deprecated", False) for each in spelled] == [False, True, True, True]
    assert {each["x-same-as"] for each in spelled[1:]} == {"changeThing"}
    assert len({each["operationId"] for each in spelled}) == 4


def test_parameters_of_what_reads(made: Any) -> None:
    """What reads takes its parameters in the query, with choices and those defaults that say something."""
    given = {each["name"]: each for each in made["paths"]["/things"]["get"]["parameters"]}
    assert list(given) == ["skip", "order", "word", "envelope"]
    assert {each["in"] for each in given.values()} == {"query"}
    assert given["skip"]["schema"]["default"] == 0
    assert given["order"]["schema"] == {"type": "string", "enum": ["up", "down"], "default": "up"}
    assert "default" not in given["word"]["schema"]


def test_parameters_of_what_writes(made: Any) -> None:
    """What writes takes them in its path and its body, which is JSON or a form."""
    change = made["paths"]["/things/{thingId}"]["post"]
    places = [(each["name"], each["in"], each["required"]) for each in change["parameters"]]
    assert places == [("thingId", "path", True), ("Idempotency-Key", "header", False)]
    assert list(change["requestBody"]["content"]) == ["application/json", "application/x-www-form-urlencoded"]
    schema = change["requestBody"]["content"]["application/json"]["schema"]
    assert list(schema["properties"]) == ["newName", "ownerId"]
    assert schema["required"] == ["newName"]


def test_only_a_post_takes_a_key(made: Any) -> None:
    """A key for what may come again is taken by POST, from those who say who they are."""
    paths = made["paths"]
    operations = [
        paths["/things/{thingId}"]["post"],
        paths["/things/{thingId}"]["put"],
        paths["/in"]["post"],
    ]
    assert ["422" in each["responses"] for each in operations] == [True, False, False]


def test_shapes_are_referred_to(made: Any) -> None:
    """Each shape stands once, under its name and with its words, and is referred to."""
    schemas = made["components"]["schemas"]
    assert schemas["Thing"]["properties"]["parts"]["items"] == {"$ref": "#/components/schemas/Part"}
    assert schemas["Part"]["description"] == "A part of a *thing*."
    answer = made["paths"]["/things/{thingId}"]["post"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Thing"}


def test_one_name_is_one_shape() -> None:
    """Two shapes of one name are an error of whoever declares them."""
    schemas: dict[str, Any] = {}
    placed(codec_for(Part).schema, schemas)
    with pytest.raises(TypeError, match="two shapes are called Part"):
        placed({"type": "object", "title": "Part", "properties": {}}, schemas)


def test_a_list_is_told_with_its_head(made: Any) -> None:
    """A list comes bare or in an object, its total in the head."""
    answer = made["paths"]["/things"]["get"]["responses"]["200"]
    assert answer["headers"]["X-Total-Count"]["required"]
    bare, wrapped = answer["content"]["application/json"]["schema"]["anyOf"]
    assert bare == wrapped["properties"]["payload"]
    assert wrapped["properties"]["details"] == {"$ref": "#/components/schemas/Details"}


@pytest.mark.parametrize(
    ("path", "verb", "statuses"),
    [
        ("/things", "get", "200 304 400 401 429 500 503"),
        ("/things/{thingId}", "post", "200 400 401 403 404 408 409 413 415 422 429 500 503"),
        ("/in", "post", "204 400 401 403 408 409 413 415 429 500 503"),
    ],
)
def test_statuses(made: Any, path: str, verb: str, statuses: str) -> None:
    """Each operation has the statuses that can come, and errors are problem documents."""
    responses = made["paths"][path][verb]["responses"]
    assert sorted(responses) == statuses.split()
    errors = [response for status, response in responses.items() if status >= "400"]
    assert {kind for response in errors for kind in response["content"]} == {"application/problem+json"}


def test_nothing_has_no_content(made: Any) -> None:
    """204 comes without a body."""
    assert "content" not in made["paths"]["/in"]["post"]["responses"]["204"]


def test_who_may_call(made: Any) -> None:
    """The schemes hold for all operations but those open to anyone."""
    assert made["security"] == [{"key": []}]
    assert made["paths"]["/in"]["post"]["security"] == []
    assert "security" not in made["paths"]["/things"]["get"]


def test_a_call_that_is_no_route_is_added() -> None:
    """An operation that is written by hand stands beside the declared ones, its shapes among theirs."""
    other = {"get": {"operationId": "other", "responses": refused([Refusal])}}
    made = document(ROUTES, ABOUT, {"/things": {"post": other["get"]}, "/other": other})
    assert list(made["paths"]["/things"]) == ["get", "post"]
    content = made["paths"]["/other"]["get"]["responses"]["400"]["content"]
    assert content["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    validate({**made, "paths": {"/other": other}})


def test_an_entry_for_people(made: Any) -> None:
    """A call is told with its parameters, answers, errors, other spellings, and a line that makes it."""
    told = markdown([Section("Door", "About.", list(entries(made)))])
    assert "### POST /things/{thingId}\n" in told
    assert "| `newName` | body | string | yes | its new name |" in told
    assert "| `order` | query | up or down (up) | no | which comes first |" in told
    assert "200 OK: array of Thing or {payload: array of Thing, details: Details}; 304 Not Modified." in told
    assert "Errors: 400, 401, 429, 500, 503." in told
    assert "The same: PUT /things/{thingId}, POST /thing/{thingId}, PUT /thing/{thingId}." in told
    line = """curl -H "Authorization: Bearer TOKEN" -d '{"newName": "NEWNAME"}' http://here/things/1"""
    assert f"\n    {line}\n" in told
    assert (
        "### Thing\n\n| member | type |\n| --- | --- |\n| `id` | string |\n| `parts` | array of Part |"
        in told
    )


def test_codes_for_people(made: Any) -> None:
    """Each code of a refusal is told with its status and its meaning."""
    told = markdown([Section("Door", "About.", list(entries(made)))])
    assert "| `BAD_REQUEST` | 400 Bad Request | The request was understood" in told
    assert "| `ODD_THING` | 400 Bad Request | The thing is odd. |" in told


def test_entries_for_people(made: Any) -> None:
    """The reference has one place for each call, shape and for the errors."""
    assert [each.anchor for each in entries(made)] == [
        "listThings",
        "changeThing",
        "enter",
        *("shape-Part", "shape-Thing", "shape-Details", "shape-Problem"),
        "errors",
    ]
