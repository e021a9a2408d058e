"""A face: one published API, a named set of declared methods."""

from collections.abc import Callable
from typing import Any, TypeVar

from models import User

from ..errors import Refusal
from ..wire.declare import Method, Transaction

F = TypeVar("F", bound=Callable[..., Any])


class Face:
    """One published API; *refuse* turns a refusal into the answer its clients understand.

    *methods* are called over XML-RPC, *forms* by posting an HTML form, because they take a file.
    """

    def __init__(self, name: str, refuse: Callable[[Refusal], Any]) -> None:
        self.name, self.refuse = name, refuse
        self.methods: dict[str, Method] = {}
        self.forms: dict[str, Method] = {}

    def method(
        self, name: str = "", transaction: Transaction = "write", anyone: bool = False
    ) -> Callable[[F], F]:
        """Publish the function below, under its own name or another; open to *anyone* only if so asked."""

        def publish(function: F) -> F:
            self.declare(self.methods, function, name or function.__name__, transaction, anyone)
            return function

        return publish

    def form(self) -> Callable[[F], F]:
        """Publish the function below as one that takes a file; it opens a transaction where it needs one."""

        def publish(function: F) -> F:
            self.declare(self.forms, function, function.__name__, "none", anyone=False)
            return function

        return publish

    def declare(
        self,
        registry: dict[str, Method],
        function: Callable[..., Any],
        name: str,
        transaction: Transaction,
        anyone: bool,
    ) -> None:
        method = Method(function, name, transaction, self.refuse)
        if name in registry:
            raise TypeError(f"{name} is declared twice")
        if anyone == (User in method.given):
            raise TypeError(f"{name} has to ask for a user, or be open to anyone")
        registry[name] = method
