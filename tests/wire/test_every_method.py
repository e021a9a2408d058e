"""Every published method, read off the registry: called by nobody, with wrong numbers, with wrong types."""

import inspect
import io
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.request import Request, urlopen
from xmlrpc.client import Fault, dumps, loads

import pytest
from conftest import Live, Member
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from models import User
from server.faces.published import METHODS
from server.faces.tapatalk import face
from server.visits import Script
from server.wire.declare import Method, Param
from server.wire.types import ANYTHING, BASE64, ID, IDS, STRING, Codec

BAD_PARAMS, NO_KEY = -32602, 401
LOGIN_REQUIRED = {
    "result": False,
    "result_text": b"You are not logged in or you do not have permission to do this action.",
    "error": b"Login required",
    "result_reason": 1,
}
Credentials = dict[Any, dict[str, str]]
# A value of each type that a method may ask for; the text names a method, as the system methods want.
SAMPLES = {
    "string": "get_config",
    "base64": b"get_config",
    "int": 1,
    "boolean": True,
    "array": [],
    "struct": {},
    "undefined": "",
}
WITH_REQUIRED = {name: method for name, method in METHODS.items() if method.least}
WRONG = {"a struct": {"key": "value"}, "a double": 1.5}


class Answer(NamedTuple):
    """What came back, a fault too, and whether somebody is logged in."""

    status: int
    is_login: str
    value: Any


def answer_to(request: Request) -> Answer:
    with urlopen(request) as response:
        body = response.read()
        return Answer(response.status, response.headers["Mobiquo_is_login"], value_in(body))


def value_in(body: bytes) -> Any:
    try:
        [value], _ = loads(body, use_builtin_types=True)
    except Fault as fault:
        return fault
    return value


def call(live: Live, name: str, values: list[Any], headers: Mapping[str, str]) -> Answer:
    body = dumps(tuple(values), name).encode()
    return answer_to(
        Request(f"{live.address}/mobiquo/mobiquo.php", body, {"Content-Type": "text/xml", **headers})
    )


def post(live: Live, name: str, values: dict[str, Any], headers: Mapping[str, str]) -> Answer:
    boundary, body = encode_multipart({"method_name": name, **values}, "between-parts")
    form = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return answer_to(Request(f"{live.address}/mobiquo/upload.php", body, {**form, **headers}))


def samples(method: Method, number: int) -> list[Any]:
    """So many values, each of the type that is declared for its place."""
    declared = [sample(param) for param in method.params]
    return (declared + [""] * number)[:number]


def sample(param: Param) -> Any:
    return "1" if param.codec in (ID, IDS) else SAMPLES[param.codec.name]


def sample_form(method: Method) -> dict[str, Any]:
    """The required values of a form."""
    return {param.name: a_file() for param in method.params if param.required}


def a_file() -> FileStorage:
    return FileStorage(io.BytesIO(b"text"), "note.txt")


def parameters(declared: dict[str, Method], *any_value: Codec) -> list[Any]:
    """Each parameter of each method, but for those whose type takes *any_value*."""
    return [
        pytest.param(method, param, id=f"{name}-{param.name}")
        for name, method in declared.items()
        for param in method.params
        if param.codec not in any_value
    ]


def each(declared: dict[str, Method]) -> list[Any]:
    return [pytest.param(method, id=name) for name, method in declared.items()]


def refuses(value: Any, beginning: str) -> bool:
    """Whether it is the fault of wrong arguments, with a text that begins so."""
    return (
        isinstance(value, Fault) and value.faultCode == BAD_PARAMS and value.faultString.startswith(beginning)
    )


@pytest.fixture(scope="module")
def member(live: Live) -> Member:
    """Someone who may call everything."""
    return live.member("every")


@pytest.fixture(scope="module")
def headers(member: Member) -> dict[str, str]:
    return {"Authorization": f"Bearer {member.token}"}


@pytest.fixture(scope="module")
def credentials(live: Live, headers: dict[str, str]) -> Credentials:
    """What opens the methods of each kind of actor."""
    return {User: headers, Script: {"Authorization": f"Bearer {live.key()}"}, None: headers}


def wanted_by(value: Any) -> Any:
    """The kind of actor that an answer says is missing; None where the method has answered."""
    if isinstance(value, Fault):
        assert value.faultCode == NO_KEY
        return Script
    return User if value == LOGIN_REQUIRED else None


@pytest.mark.parametrize("method", each(METHODS))
def test_a_stranger_gets_in_where_nobody_is_asked_for(live: Live, method: Method) -> None:
    """Without a credential what asks for an actor is refused in its face's words, and no other."""
    answer = call(live, method.name, samples(method, method.least), {})
    assert (answer.status, answer.is_login) == (200, "false")
    assert wanted_by(answer.value) is method.actor


@pytest.mark.parametrize("method", each(face.forms))
def test_a_stranger_posts_no_form(live: Live, method: Method) -> None:
    """Without a credential every form is refused in the documented words."""
    answer = post(live, method.name, sample_form(method), {})
    assert answer == (200, "false", LOGIN_REQUIRED)


@pytest.mark.parametrize("method", each(WITH_REQUIRED))
def test_one_parameter_too_few_is_named(live: Live, credentials: Credentials, method: Method) -> None:
    """A call that lacks a required parameter is a fault that names the method and the parameter."""
    given = method.least - 1
    value = call(live, method.name, samples(method, given), credentials[method.actor]).value
    assert refuses(value, f"{method.name} ")
    assert method.params[given].name in value.faultString


@pytest.mark.parametrize("method", each(METHODS))
def test_one_parameter_too_many_is_a_fault(live: Live, credentials: Credentials, method: Method) -> None:
    """A call with more parameters than are declared is a fault that names the method."""
    value = call(live, method.name, samples(method, method.most + 1), credentials[method.actor]).value
    assert refuses(value, f"{method.name} ")


@pytest.mark.parametrize("method", each(METHODS))
def test_every_number_between_is_taken(live: Live, credentials: Credentials, method: Method) -> None:
    """A call with any of the accepted numbers of parameters is no fault."""
    for number in range(method.least, method.most + 1):
        answer = call(live, method.name, samples(method, number), credentials[method.actor])
        assert not isinstance(answer.value, Fault)


@pytest.mark.parametrize("method", each(face.forms))
def test_an_empty_form_is_a_fault(live: Live, headers: dict[str, str], method: Method) -> None:
    """A form without what is required is a fault that names the first thing missing."""
    value = post(live, method.name, {}, headers).value
    assert refuses(value, next(param.name for param in method.params if param.required) + ": ")


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("method", "param"), parameters(METHODS, ANYTHING))
def test_a_wrong_type_is_a_fault(
    live: Live, credentials: Credentials, method: Method, param: Param, wrong: str
) -> None:
    """A parameter of a wrong type is a fault whose text begins with the parameter's name."""
    place = method.params.index(param)
    values = samples(method, max(method.least, place + 1))
    values[place] = WRONG[wrong]
    answer = call(live, method.name, values, credentials[method.actor])
    assert refuses(answer.value, f"{param.name}: ")


@pytest.mark.parametrize(("method", "param"), parameters(face.forms, STRING, BASE64))
def test_a_wrong_field_is_a_fault(live: Live, headers: dict[str, str], method: Method, param: Param) -> None:
    """A form's field that does not fit its type is a fault whose text begins with the field's name."""
    values = {**sample_form(method), param.name: "neither a number nor a file"}
    assert refuses(post(live, method.name, values, headers).value, f"{param.name}: ")


def test_every_method_is_listed(live: Live) -> None:
    """The list of methods names what is declared, all of it, in order."""
    assert live.proxy().system.listMethods() == sorted(METHODS)


@pytest.mark.parametrize("method", each(METHODS))
def test_there_is_a_signature_for_each_number_of_arguments(live: Live, method: Method) -> None:
    """The signatures are the declared types, for each number of arguments and each type of the result."""
    signatures = live.proxy().system.methodSignature(method.name)
    assert signatures == method.signatures()
    types = signatures[-1][1:]
    assert signatures == [
        [result, *types[:number]]
        for number in range(method.least, method.most + 1)
        for result in method.returns.names
    ]


@pytest.mark.parametrize("method", each(METHODS))
def test_the_help_tells_of_every_parameter(live: Live, method: Method) -> None:
    """The help is the function's first sentence, and a line for each parameter with its type."""
    told = live.proxy().system.methodHelp(method.name)
    first = (inspect.getdoc(method.function) or "").splitlines()[0]
    assert told.startswith(first)
    lines = [line.partition(":")[0] for line in told.splitlines()]
    for param in method.params:
        optional = "" if param.required else ", optional"
        assert f"{param.name} ({param.codec.name}{optional})" in lines
