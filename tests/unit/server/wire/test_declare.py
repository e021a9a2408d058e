"""What is read off a published function's signature and docstring."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypedDict

import pytest

from server.errors import BadParams, NotAuthenticated, NotFound, Refusal
from server.wire.declare import Instead, Method, as_written, camel
from server.wire.types import KEY, STRING, Codec, Id, Looked, Text


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


def spelled(join_code: str, from_: int = 0, type_: str = "") -> str:
    """Take names that Python spells in its own way.

    :param join_code: one
    :param from_: two
    :param type_: three
    """
    return f"{join_code} {from_} {type_}"


def greet(who: str, times: int = 1) -> str:
    """Greet somebody.

    :param who: whom
    :param times: how often
    """
    return f"hello {who}" * times


class Caller:
    """A request that gives its own name as the actor, and notes what it was asked for."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.asked: list[Any] = []
        self.is_inside = False

    def give(self, kind: Any) -> Any:
        self.asked.append(kind)
        return kind("ann")

    def transact(self, work: Callable[[], Any], kind: str) -> Any:
        self.kinds.append(kind)
        self.is_inside = True
        try:
            return work()
        finally:
            self.is_inside = False

    def transact_once(self, work: Callable[[], Any], asked: Any, *place: bytes) -> Any:
        self.asked.append(asked)
        return self.transact(work, "write")


class Stranger(Caller):
    """A request that comes from nobody."""

    def give(self, kind: Any) -> Any:
        raise NotAuthenticated()


def refuse(returns: Codec, error: Refusal) -> Any:
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
        (["x", "a"], "conv_id: is no id"),
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


@pytest.mark.parametrize(
    ("name", "spelling"),
    [
        ("src", "src"),
        ("join_code", "joinCode"),
        ("is_self_too", "isSelfToo"),
        ("from_", "from"),
        ("conversation_id", "conversationId"),
        ("players_", "players"),
        ("joinCode", "joinCode"),
    ],
)
def test_camel_spelling(name: str, spelling: str) -> None:
    """Words are joined by capitals, and the underscore that keeps off Python's own words is dropped."""
    assert (camel(name), as_written(name)) == (spelling, name)


@pytest.fixture
def in_camel() -> Method:
    return Method(spelled, "spelled", "none", refuse, spell=camel)


def test_parameters_are_told_in_the_spelling_of_the_wire(in_camel: Method) -> None:
    """The help and the refusals of a method name its parameters as its clients do."""
    assert "joinCode (string): one\nfrom (int, optional): two\ntype (string, optional): three" in (
        in_camel.help()
    )
    with pytest.raises(BadParams, match=r"\(joinCode is missing\)"):
        in_camel.call(Caller(), [])
    with pytest.raises(BadParams, match="from: expected int, got struct"):
        in_camel.call(Caller(), ["x", {}])


def test_another_spelling_is_bound_to_the_same_function(in_camel: Method) -> None:
    """Whatever the wire calls a parameter, the function gets it under its own name, by place or by name."""
    assert in_camel.call(Caller(), ["code", 5, "t"]) == "code 5 t"
    assert in_camel.call_by_name(Caller(), {"joinCode": "code", "from": "5"}) == "code 5 "


def test_a_parameter_has_another_name_and_type_instead() -> None:
    """One function is published with another name, type and words for one of its parameters."""
    method = Method(greet, "greet", "none", refuse, instead={"who": Instead("number", int, "a number")})
    assert method.signatures() == [["string", "int"], ["string", "int", "int"]]
    assert [(p.key, p.name, p.doc) for p in method.params] == [
        ("who", "number", "a number: whom"),
        ("times", "times", "how often"),
    ]
    assert method.call(Caller(), ["12"]) == "hello 12"


def looking(find: Callable[[Any], Any], codec: Codec = KEY) -> Method:
    """The greeting of whomever a number finds."""
    way = Instead("number", Annotated[str, Looked(codec, find)])
    return Method(greet, "greet", "write", refuse, instead={"who": way})


def test_what_is_named_is_found_for_the_function() -> None:
    """The function gets what was found by the value on the wire, not the value."""
    assert looking({7: "ann"}.get).call(Caller(), ["7", 2]) == "hello annhello ann"
    assert looking({"7": "bob"}.get, STRING).call_by_name(Caller(), {"number": 7}) == "hello bob"


def test_what_is_named_is_found_within_the_transaction() -> None:
    """Things are looked up in the transaction of the call, never before it."""
    caller, seen = Caller(), list[bool]()

    def find(number: int) -> str:
        seen.append(caller.is_inside)
        return "ann"

    looking(find).call(caller, [7])
    assert (seen, caller.kinds) == ([True], ["write"])


def test_a_refusal_of_the_finder_is_the_method_s() -> None:
    """Where nothing is found, the call is refused with the finder's own refusal."""

    def find(number: int) -> str:
        raise NotFound(f"nobody has {number}")

    with pytest.raises(NotFound, match="nobody has 7"):
        looking(find).call(Caller(), [7])


def test_nothing_is_looked_up_where_other_arguments_are_wrong() -> None:
    """All arguments are checked before anything is looked up."""
    caller, sought = Caller(), list[int]()
    with pytest.raises(BadParams, match="times: "):
        looking(sought.append).call(caller, [7, {}])
    assert (sought, caller.kinds) == ([], [])


def test_the_actor_is_asked_for_where_the_function_does_not_take_it() -> None:
    """A method for an actor of some kind asks the request for one, and the function need not take it."""
    caller = Caller()
    assert Method(greet, "greet", "none", refuse, actor=str).call(caller, ["bob"]) == "hello bob"
    assert caller.asked == [str]


@pytest.mark.parametrize("values", [["bob"], [], [{}]])
def test_a_stranger_is_turned_away_before_his_arguments_are_looked_at(values: list[Any]) -> None:
    """Without the actor a call is refused, whatever its arguments, and nothing is done."""
    stranger = Stranger()
    with pytest.raises(NotAuthenticated):
        Method(greet, "greet", "none", refuse, actor=str).call(stranger, values)
    assert stranger.kinds == []


def test_what_is_carried_out_once_is_known_by_name_and_values() -> None:
    """A method that is carried out once says what is asked: its name, and its converted arguments."""
    caller = Caller()
    assert Method(greet, "greet", "write", refuse, once=True).call(caller, [b"bob", "2"]) == "hello bob" * 2
    assert (caller.asked, caller.kinds) == ([["greet", {"who": "bob", "times": 2}]], ["write"])


def test_only_what_writes_is_carried_out_once() -> None:
    """A method that writes nothing cannot be declared as one that is carried out once."""
    with pytest.raises(TypeError, match="greet can only be carried out once where it writes"):
        Method(greet, "greet", "read", refuse, once=True)


def test_nobody_is_asked_for_where_anyone_may_call() -> None:
    """A method for anyone asks for no actor."""
    assert Method(greet, "greet", "none", refuse).call(Stranger(), ["bob"]) == "hello bob"


def test_a_result_in_two_types_has_twice_the_signatures() -> None:
    """A method that answers something or false has a signature with each, for each number of arguments."""

    def seek(first: int, second: int = 0) -> str | Literal[False]:
        """Seek.

        :param first: one
        :param second: two
        """
        return str(first) if second else False

    method = Method(seek, "seek", "none", refuse)
    assert method.signatures() == [
        ["string", "int"],
        ["boolean", "int"],
        ["string", "int", "int"],
        ["boolean", "int", "int"],
    ]
    assert (method.call(Caller(), [1, 1]), method.call(Caller(), [1])) == ("1", False)
