"""What is read off a published function's signature and docstring."""

from collections.abc import Callable
from typing import Any, TypedDict

import pytest

from server.errors import BadParams, Refusal
from server.wire.declare import Method
from server.wire.types import Id, Text


class Done(TypedDict):
    result: bool
    seen: Text


def sample(actor: str, /, conv_id: Id, text: Text, mode: int = 1, names: list[Text] = []) -> Done:
    """Do something with a conversation.

    It is done at once.

    :param conv_id: the conversation
    :param text: what to say,
        at some length
    :param mode: how
    :param names: to whom
    """
    return {"result": True, "seen": f"{actor} {conv_id} {text} {mode} {names}"}


def loose(*rest: Any) -> int:
    """Take anything.

    :param rest: anything
    """
    return len(rest)


class Caller:
    """A request that gives its own name as the actor, and notes the transactions."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def give(self, kind: Any) -> Any:
        return kind("ann")

    def transact(self, work: Callable[[], Any], kind: str) -> Any:
        self.kinds.append(kind)
        return work()


def refuse(error: Refusal) -> Any:
    return str(error)


@pytest.fixture
def method() -> Method:
    return Method(sample, "sample", "read", refuse)


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (["5", b"hi"], b"ann 5 hi 1 []"),
        ([5, "hi", "2"], b"ann 5 hi 2 []"),
        ([5, "", "", [b"bob"]], b"ann 5  1 ['bob']"),
        ([5, b"hi", None, []], b"ann 5 hi 1 []"),
        ([5, b"hi", [], [b"x"]], b"ann 5 hi 1 ['x']"),
    ],
)
def test_call(method: Method, values: list[Any], seen: bytes) -> None:
    """Arguments are converted and bound by place; an empty optional one counts as not given."""
    caller = Caller()
    assert method.call(caller, values) == {"result": True, "seen": seen}
    assert caller.kinds == ["read"]


def test_call_by_name(method: Method) -> None:
    """The same declaration binds by name, and passes over what it does not know."""
    values = {"text": "hi", "conv_id": "5", "other": "x"}
    assert method.call_by_name(Caller(), values)["seen"] == b"ann 5 hi 1 []"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "sample takes 2 to 4 parameters, got 0 (conv_id is missing)"),
        ([1], "sample takes 2 to 4 parameters, got 1 (text is missing)"),
        ([1, "a", 1, [], 1], "sample takes 2 to 4 parameters, got 5"),
        (["x", "a"], "conv_id: expected int, got string"),
        ([1, 2], "text: expected text, got int"),
        ([1, "a", True], "mode: expected int, got boolean"),
        ([1, "a", 1, "bob"], "names: expected array, got string"),
    ],
)
def test_bad_arguments_are_named(method: Method, values: list[Any], words: str) -> None:
    """What does not fit is refused by the name of its parameter, before anything is done."""
    caller = Caller()
    with pytest.raises(BadParams) as caught:
        method.call(caller, values)
    assert (str(caught.value), caller.kinds) == (words, [])


def test_signatures(method: Method) -> None:
    """There is one signature for each accepted number of arguments, beginning with the result's type."""
    assert method.signatures() == [
        ["struct", "string", "base64"],
        ["struct", "string", "base64", "int"],
        ["struct", "string", "base64", "int", "array"],
    ]


def test_help(method: Method) -> None:
    """The help is the docstring, with the types where the parameters are described."""
    assert method.help() == (
        "Do something with a conversation.\n\nIt is done at once.\n\n"
        "conv_id (string): the conversation\n"
        "text (base64): what to say, at some length\n"
        "mode (int, optional): how\n"
        "names (array, optional): to whom"
    )


def test_rest_is_taken_and_dropped() -> None:
    """A method that takes whatever clients send is given none of it."""
    method = Method(loose, "loose", "none", refuse)
    assert method.call(Caller(), [1, "x", {}]) == 0
    assert len(method.signatures()) == 11


def test_documentation_has_to_fit() -> None:
    """A docstring that leaves a parameter out, or names one that is not there, fails at import."""

    def silent(a: int) -> int:
        """Say nothing of a."""
        return a

    def talkative(a: int) -> int:
        """Say too much.

        :param a: one
        :param b: two
        """
        return a

    with pytest.raises(KeyError):
        Method(silent, "silent", "none", refuse)
    with pytest.raises(TypeError, match="b"):
        Method(talkative, "talkative", "none", refuse)
