"""A published method, read off one Python function's signature and docstring.

Parameters before the slash are given by the server and say who may call; those after it come from the caller.
"""

import functools
import inspect
import re
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from ..errors import BadParams, Refusal
from .once import TOLD
from .types import Codec, Looked, codec_for
from .writer import Written

V = TypeVar("V")
PARAM = re.compile(r"^:param (\w+): (.+(?:\n {4}.+)*)$", re.MULTILINE)
NOT_GIVEN: tuple[Any, ...] = ("", b"", [], None)
MOST_REST = 10

Transaction = Literal["write", "read", "none"]


Spelling = Callable[[str], str]


def as_written(name: str) -> str:
    return name


def camel(name: str) -> str:
    """The spelling of many an API: join_code becomes joinCode, from_ (a word of Python's own) from."""
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(word.capitalize() for word in rest)


class Instead(NamedTuple):
    """What stands on the wire for a parameter: its name and type there, and what there is to say of it."""

    name: str
    hint: Any
    words: str = ""


class Giver(Protocol):
    """What a request offers to a method."""

    def give(self, kind: Any) -> Any:
        """This request as the *kind* of thing that a method asks for, or a refusal."""

    def transact(self, work: Callable[[], Any], kind: Transaction) -> Any:
        """The result of *work*, done in a transaction of this kind."""

    def transact_once(self, work: Callable[[], Any], asked: Any, *place: bytes) -> Any:
        """The same in one that writes; where the same was *asked* before under one key, what came of it then.

        *place*: which of several calls in one request this is.
        """


@dataclass(frozen=True)
class Param:
    """One parameter that comes from the caller: the function's *key* for it, and its *name* on the wire.

    *default*: what counts where an optional one is not given.
    """

    key: str
    name: str
    codec: Codec
    required: bool
    doc: str
    default: Any = None

    def load(self, value: Any) -> Any:
        try:
            return self.codec.load(value)
        except BadParams as error:
            raise BadParams(f"{self.name}: {error}", error.word, self.name) from None

    @property
    def described(self) -> str:
        return f"{self.name} ({self.codec.name}{'' if self.required else ', optional'}): {self.doc}"


class Method:
    """All that is known of a published function, and the one way to call it.

    *actor*: what a request has to come from, whether the function asks for it or not; None for anyone.
    *as_xml*: whether the answer is XML, or built-in types.
    *instead*: the wire's own name, type and words for a parameter, by the function's name for it.
    *once*: whether a call that comes again under its key is carried out once.
    *refuse*: makes the answer of a refusal, in the shape of what the method returns.
    *transaction*: ``write`` and ``read`` run the function and the conversion of its answer in one
    transaction, so that what cannot be sent is not stored; with ``none`` the function needs none, or opens
    its own after slow work.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        transaction: Transaction,
        refuse: Callable[[Codec, Refusal], Any],
        actor: Any = None,
        spell: Spelling = as_written,
        instead: Mapping[str, Instead] = MappingProxyType({}),
        as_xml: bool = False,
        once: bool = False,
    ) -> None:
        self.function, self.name, self.transaction, self.refuse = function, name, transaction, refuse
        self.actor, self.once = actor, once
        text = inspect.getdoc(function) or ""
        docs = {key: " ".join(doc.split()) for key, doc in PARAM.findall(text)}
        hints = typing.get_type_hints(function, include_extras=True)
        parameters = list(inspect.signature(function).parameters.values())
        self.doc = PARAM.sub("", text).strip()
        self.given = [hints[p.name] for p in parameters if p.kind is p.POSITIONAL_ONLY]
        # Whether who calls has to be asked for although the function does not.
        self.asks = actor is not None and actor not in self.given
        self.params = [
            declared(p, docs.pop(p.name), instead.get(p.name) or Instead(spell(p.name), hints[p.name]))
            for p in parameters
            if p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        self.finders = {p.key: p.codec.find for p in self.params if isinstance(p.codec, Looked)}
        self.takes_rest = any(p.kind is p.VAR_POSITIONAL and docs.pop(p.name) for p in parameters)
        self.least = sum(p.required for p in self.params)
        self.most = len(self.params) + (MOST_REST if self.takes_rest else 0)
        self.returns = codec_for(hints["return"])
        self.convert = self.written if as_xml else self.returns.dump
        if once and transaction != "write":
            raise TypeError(f"{name} can only be carried out once where it writes")
        if docs:
            raise TypeError(f"{name} documents what it does not take: {', '.join(docs)}")

    def call(self, giver: Giver, values: Sequence[Any]) -> Any:
        """The answer, ready for the wire, to a call with these *values* in the declared order."""
        return self.run(giver, self.bind, values)

    def call_by_name(self, giver: Giver, values: Mapping[str, Any]) -> Any:
        """The same with values by the names of the parameters; other names are passed over."""
        return self.run(giver, self.bind_names, values)

    def run(self, giver: Giver, bind: Callable[[V], dict[str, Any]], values: V) -> Any:
        if self.asks:
            giver.give(self.actor)
        given = [giver.give(kind) for kind in self.given]
        arguments = bind(values)
        work = functools.partial(self.answer, given, arguments)
        if self.once:
            return giver.transact_once(work, [self.name, arguments])
        return giver.transact(work, self.transaction)

    def answer(self, given: list[Any], arguments: dict[str, Any]) -> Any:
        """What the function answers, ready for the wire; within the call's transaction."""
        found = {key: find(arguments[key]) for key, find in self.finders.items()}
        return self.convert(self.function(*given, **{**arguments, **found}))

    def written(self, value: Any) -> Written:
        return Written(self.returns.write(value))

    def bind(self, values: Sequence[Any]) -> dict[str, Any]:
        if not self.least <= len(values) <= self.most:
            raise BadParams(self.wrong_number(len(values)))
        return loaded(zip(self.params, values, strict=False))

    def bind_names(self, values: Mapping[str, Any]) -> dict[str, Any]:
        for param in self.params:
            if param.required and param.name not in values:
                raise BadParams(f"{param.name}: missing", param=param.name)
        return loaded((param, values[param.name]) for param in self.params if param.name in values)

    def keys_of(self, names: Collection[str]) -> list[str]:
        """What the function calls the parameters that have these *names* on the wire."""
        return [param.key for param in self.params if param.name in names]

    def wrong_number(self, number: int) -> str:
        accepted = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
        missing = f" ({self.params[number].name} is missing)" if number < self.least else ""
        return f"{self.name} takes {accepted} parameters, got {number}{missing}"

    def signatures(self) -> list[list[str]]:
        """The result's type and then the parameters', once for each accepted number of arguments.

        A result that comes in two types has that many signatures more.
        """
        types = [p.codec.name for p in self.params] + ["undefined"] * (self.most - len(self.params))
        lengths = range(self.least, self.most + 1)
        return [[result, *types[:length]] for length in lengths for result in self.returns.names]

    def help(self) -> str:
        """The docstring, with types where the parameters are described."""
        params = "\n".join(p.described for p in self.params)
        return "\n\n".join(filter(None, [self.doc, params, *self.told]))

    @property
    def told(self) -> list[str]:
        """What there is to say beside the docstring."""
        return [TOLD] if self.once else []


def declared(parameter: inspect.Parameter, doc: str, wire: Instead) -> Param:
    required = parameter.default is parameter.empty
    default = None if required else parameter.default
    words = f"{wire.words}: {doc}" if wire.words else doc
    return Param(parameter.name, wire.name, codec_for(wire.hint), required, words, default)


def loaded(pairs: Iterable[tuple[Param, Any]]) -> dict[str, Any]:
    """Arguments for the function; an optional one that is empty counts as not given."""
    return {
        param.key: param.load(value) for param, value in pairs if param.required or value not in NOT_GIVEN
    }
