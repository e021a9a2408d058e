"""The chat door against its own description: the document, the page, and what the live server answers."""

import copy
import json
import shlex
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import schemathesis
from conftest import Live, Member
from hypothesis import HealthCheck, given, settings
from lxml import html
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server.faces import chat
from server.faces.published import chat_document

FITS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
# Not a declared route: its answer has no end.
STREAM = "/chat/events"
DOCUMENT = chat_document("http://127.0.0.1:8000")
OPERATIONS = [(verb, path) for path, item in DOCUMENT["paths"].items() for verb in item if path != STREAM]
# A head with one of these of its own is no HTTP, and is refused before any door.
FRAMING = {"content-length", "transfer-encoding", "connection", "host", "expect", "upgrade"}
EXAMPLES = 12


class Scene(NamedTuple):
    """A member with chats of every kind, and what is known by an id: values by the names of parameters."""

    member: Member
    known: dict[str, list[Any]]


def send(live: Live, verb: str, path: str, token: str = "", sent: Any = None) -> Any:
    """The status and the JSON of an answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if sent is None else json.dumps(sent).encode()
    try:
        answer = urlopen(Request(live.address + path, data, headers, method=verb))
    except HTTPError as error:
        answer = error
    with answer:
        body = answer.read()
    return answer.status, json.loads(body) if body else None


def asked(live: Live, one: Member, other: Member) -> str:
    """The id of a chat that *one* asks *other* for."""
    return str(send(live, "POST", "/chat", one.token, {"userId": int(other.id)})[1]["id"])


def scene_of(live: Live) -> Scene:
    ann, others = live.member("ann"), [live.member("bob") for _ in range(6)]
    sent, received = asked(live, ann, others[0]), asked(live, others[1], ann)
    active, declined = asked(live, others[2], ann), asked(live, others[3], ann)
    said = send(live, "POST", f"/chat/{active}/messages", ann.token, {"text": "Hello"})[1]
    answered = send(live, "POST", f"/chat/{active}/messages", others[2].token, {"text": "Hi"})[1]
    send(live, "POST", f"/chat/{declined}/decline", ann.token)
    forum = ann.rpc.new_conversation([others[4].name], "Lunch", "At [b]noon[/b]?")["conv_id"]
    known = {
        "chatId": [sent, received, active, active, declined, forum],
        "userId": [int(each.id) for each in others],
        "before": [said["id"], answered["id"]],
        "after": [said["id"], answered["id"]],
    }
    return Scene(ann, known)


@pytest.fixture(scope="module")
def scene(live: Live) -> Scene:
    return scene_of(live)


def aware(document: dict[str, Any], known: dict[str, list[Any]]) -> dict[str, Any]:
    """The document with the ids that are known among the values of their parameters."""
    document = copy.deepcopy(document)
    for item in document["paths"].values():
        for operation in item.values():
            for each in operation.get("parameters", []):
                if each["name"] in known:
                    each["schema"] = {"anyOf": [{"enum": known[each["name"]]}, each["schema"]]}
            for content in operation.get("requestBody", {}).get("content", {}).values():
                for name in content["schema"]["properties"].keys() & known.keys():
                    content["schema"]["properties"][name] = {"type": "integer", "enum": known[name]}
    return document


def explore(
    live: Live, scene: Scene, verb: str, path: str, checks: list[Callable[..., Any]], **options: Any
) -> None:
    """Call one operation with what its description allows, and have the answers checked."""
    schema = schemathesis.openapi.from_dict(aware(DOCUMENT, scene.known))
    operation = schema[path][verb.upper()]

    @settings(
        max_examples=options.get("examples", EXAMPLES),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=options.get("mode", GenerationMode.POSITIVE)))
    def run(case: Any) -> None:
        case.headers = {
            name: case.headers[name] for name in case.headers or () if name.lower() not in FRAMING
        }
        token = live.member("eve").token if (verb, path) == ("delete", "/auth/token") else scene.member.token
        case.call_and_validate(
            base_url=live.address, headers={"Authorization": f"Bearer {token}"}, checks=checks
        )

    run()


def test_the_document_is_valid(live: Live) -> None:
    """What the server describes itself by is OpenAPI, and names the address at which it was asked."""
    status, document = send(live, "GET", "/openapi.json")
    assert status == 200
    validate(document)
    assert document["servers"] == [{"url": live.address}]


def test_every_route_is_in_it(live: Live) -> None:
    """Each declared route is described, with all its paths and verbs."""
    paths = send(live, "GET", "/openapi.json")[1]["paths"]
    for route in chat.face.routes.values():
        for path in route.paths:
            assert {verb.lower() for verb in route.verbs} <= paths[path].keys()


@pytest.mark.parametrize(("verb", "path"), OPERATIONS)
def test_answers_fit(live: Live, scene: Scene, verb: str, path: str) -> None:
    """What the document allows is answered as the document says, and not with an error of the server's."""
    explore(live, scene, verb, path, [*FITS])


@pytest.mark.parametrize(("verb", "path"), OPERATIONS)
def test_refusals_fit(live: Live, scene: Scene, verb: str, path: str) -> None:
    """So is what the document does not allow."""
    explore(live, scene, verb, path, FITS, mode=GenerationMode.NEGATIVE, examples=EXAMPLES // 2)


def test_half_a_character_is_no_error(live: Live, scene: Scene) -> None:
    """Half a character, which JSON can hold, is taken as a sign for one that is not known."""
    chat_id, token = scene.known["chatId"][2], scene.member.token
    sent = {"text": "half \ud800", "id": "\udfff"}
    status, said = send(live, "POST", f"/chat/{chat_id}/messages", token, sent)
    assert (status, said["text"]) == (201, "half \N{REPLACEMENT CHARACTER}")
    status, _ = send(live, "POST", "/auth/token", sent={"username": "\ud800", "password": "\ud800"})
    assert status == 401


@pytest.mark.parametrize("path", [path for path in DOCUMENT["paths"] if path != STREAM])
def test_other_verbs_are_refused(live: Live, path: str) -> None:
    """A verb that the document does not name is refused, and those that it names are told."""
    named = {verb.upper() for verb in DOCUMENT["paths"][path]}
    for verb in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - named:
        with pytest.raises(HTTPError) as refused:
            urlopen(
                Request(live.address + path.replace("{chatId}", "1").replace("{userId}", "1"), method=verb)
            )
        assert refused.value.code == 405
        assert sorted(refused.value.headers["Allow"].split(", ")) == sorted(named)
        refused.value.close()


def test_a_body_that_is_too_large_is_a_problem(live: Live) -> None:
    """A body that is not even read is refused by a problem document as well."""
    status, told = send(live, "POST", "/chat", sent={"userId": "1" * 300_000})
    assert (status, told["status"], told["code"]) == (413, 413, "TOO_LARGE")


# The page


@pytest.fixture(scope="module")
def shown(live: Live) -> Any:
    with urlopen(f"{live.address}/docs") as answer:
        assert answer.headers.get_content_type() == "text/html"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        return html.document_fromstring(answer.read())


def test_the_page_tells_of_every_route(shown: Any) -> None:
    """The page has each declared route, under its first path and verb."""
    calls = {each.text_content() for each in shown.iter("h3")}
    assert {f"{route.verbs[0]} {route.paths[0]}" for route in chat.face.routes.values()} <= calls


def test_the_lines_of_the_page_work(live: Live, shown: Any) -> None:
    """Each line of shell on the page is taken by the server, with ids that exist in the place of its own."""
    [chats] = shown.cssselect("section[aria-labelledby=Chat]")
    lines = [text for each in chats.iter("pre") if STREAM not in (text := each.text_content())]
    assert len(lines) >= len(chat.face.routes) - 1
    for line in lines:
        curl = shlex.split(line.strip())
        url = curl[-1].replace("http://127.0.0.1:8000", "").replace(live.address, "")
        sent = json.loads(curl[curl.index("-d") + 1]) if "-d" in curl else None
        verb = curl[curl.index("-X") + 1] if "-X" in curl else "POST" if sent else "GET"
        assert worked(live, verb, url, sent, "TOKEN" in line), line


def worked(live: Live, verb: str, path: str, sent: Any, has_token: bool) -> bool:
    password = None if has_token else "a good password"
    ann, bob = live.member("ann", password), live.member("bob")
    real = {"userId": int(bob.id), "username": ann.name, "password": password}
    chat_id = asked(live, ann, bob)
    asks = any(word in path for word in ("accept", "decline"))
    path = path.replace("/chat/1", f"/chat/{chat_id}").replace("/users/2", f"/users/{bob.id}")
    sent = sent and {name: real.get(name, value) for name, value in sent.items()}
    token = (bob if asks else ann).token if has_token else ""
    return bool(send(live, verb, path, token, sent)[0] in (200, 201, 204))
