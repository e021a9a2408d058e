"""A face: one published API, a named set of declared methods."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from ..errors import Refusal
from ..wire.declare import Instead, Method, Spelling, Transaction, as_written
from ..wire.rest import Route
from ..wire.types import Codec

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class Face:
    """One published API, for requests that come from an *actor* of this kind.

    *refuse* turns a refusal into the answer its clients understand, *spell* Python's names into theirs.
    *methods* are called over XML-RPC, *forms* by posting an HTML form, because they take a file; *routes* are
    addresses of a REST API.
    """

    def __init__(
        self,
        actor: Any,
        refuse: Callable[[Codec, Refusal], Any],
        spell: Spelling = as_written,
    ) -> None:
        self.actor, self.refuse, self.spell = actor, refuse, spell
        self.methods: dict[str, Method] = {}
        self.forms: dict[str, Method] = {}
        self.routes: dict[str, Route] = {}

    def method(
        self,
        name: str = "",
        transaction: Transaction = "write",
        anyone: bool = False,
        instead: Mapping[str, Instead] = MappingProxyType({}),
        once: bool = False,
    ) -> Callable[[F], F]:
        """Publish the function below, under its own name or another; open to *anyone* only if so asked.

        A call that comes again under its key is carried out *once*, where that is said.
        """

        def publish(function: F) -> F:
            name_here = name or function.__name__
            method = self.declare(name_here, function, transaction, anyone, instead, as_xml=True, once=once)
            self.keep(self.methods, method.name, method)
            return function

        return publish

    def form(self) -> Callable[[F], F]:
        """Publish the function below as one that takes a file; it opens a transaction where it needs one."""

        def publish(function: F) -> F:
            method = self.declare(function.__name__, function, "none", as_xml=True)
            self.keep(self.forms, method.name, method)
            return function

        return publish

    def route(
        self,
        verbs: str,
        *paths: str,
        statuses: tuple[int, ...] = (200,),
        transaction: Transaction = "write",
        anyone: bool = False,
        once: str = "",
    ) -> Callable[[F], F]:
        """Publish the function below at these *paths*, for these *verbs* with blanks between them.

        The first status is what it answers, unless the function says another one of them. Values of the
        parameter *once* name a request that may come twice and is carried out once.
        """

        def publish(function: F) -> F:
            name = f"{verbs.split()[0]} {paths[0]}"
            method = self.declare(name, function, transaction, anyone)
            route = Route(method, verbs.split(), list(paths), list(statuses), once)
            self.keep(self.routes, method.name, route)
            return function

        return publish

    def declare(
        self,
        name: str,
        function: Callable[..., Any],
        transaction: Transaction,
        anyone: bool = False,
        instead: Mapping[str, Instead] = MappingProxyType({}),
        as_xml: bool = False,
        once: bool = False,
    ) -> Method:
        actor = None if anyone else self.actor
        method = Method(function, name, transaction, self.refuse, actor, self.spell, instead, as_xml, once)
        if anyone and self.actor in method.given:
            raise TypeError(f"{name} is open to anyone and asks for {self.actor.__name__}")
        return method

    @staticmethod
    def keep(registry: dict[str, T], name: str, declared: T) -> None:
        if name in registry:
            raise TypeError(f"{name} is declared twice")
        registry[name] = declared
