"""XML-RPC: one request body in, one response body out; the system methods; the numbers of the faults."""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCDispatcher

from ..errors import BadParams, Refusal, Unavailable
from .declare import Giver, Method, Transaction
from .parser import NotACall, read_call
from .types import Codec, numbered
from .writer import Written, write_answer, write_fault

log = logging.getLogger(__name__)
V = TypeVar("V")

PARSE_ERROR, NO_SUCH_METHOD, BAD_PARAMS, INTERNAL_ERROR = -32700, -32601, -32602, -32603
MOST_CALLS = 50
MOST_SECONDS = 10
# Of the answers to the calls of one multicall, together.
MOST_CHARACTERS = 8_000_000

CAPABILITIES = {
    "xmlrpc": ("http://www.xmlrpc.com/spec", 1),
    "faults_interop": ("http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php", 20010516),
    "introspection": ("http://xmlrpc-c.sourceforge.net/introspection.html", 1),
    "system.multicall": ("http://www.xmlrpc.com/discuss/msgReader$1208", 1),
}


def refuse_by_fault(returns: Codec, error: Refusal) -> Any:
    """The answer of a method whose result has no room for a refusal."""
    raise Fault(error.code, str(error))


class Dispatcher(SimpleXMLRPCDispatcher):
    """Answers one request with the declared *methods*, for whoever makes it.

    What the standard library's dispatcher does by trying, this one does by look-up: the only names that can
    be called are those in ``funcs``. *called* and *outcome* say afterwards what happened, for the log;
    *place* is which of several calls is being made. *is_leaving* tells whether the process is about to end.
    """

    def __init__(self, methods: dict[str, Method], giver: Giver, is_leaving: Callable[[], bool]) -> None:
        super().__init__(use_builtin_types=True)
        # Declared methods stand where the standard library keeps bare functions.
        self.funcs: dict[str, Method] = methods  # type: ignore[assignment]
        self.giver, self.is_leaving = giver, is_leaving
        self.called, self.outcome = "-", "ok"
        self.place: tuple[bytes, ...] = ()

    def give(self, kind: Any) -> Any:
        return self if kind is Dispatcher else self.giver.give(kind)

    def transact(self, work: Callable[[], Any], kind: Transaction) -> Any:
        return self.giver.transact(work, kind)

    def transact_once(self, work: Callable[[], Any], asked: Any, *place: bytes) -> Any:
        # What was kept is text, and as such would be escaped.
        return Written(self.giver.transact_once(work, asked, *self.place, *place))

    # The standard library gives bytes here too; its stubs say otherwise.
    def _marshaled_dispatch(  # type: ignore[override]
        self, data: Any, dispatch_method: Callable[..., Any] | None = None, path: str | None = None
    ) -> bytes:
        try:
            self.called, params = read_call(data)
            return write_answer(self._dispatch(self.called, params))
        except NotACall as error:
            return self.fault(Fault(PARSE_ERROR, f"not an XML-RPC call: {error}"))
        except Fault as fault:
            return self.fault(fault)
        except Exception:
            log.exception("%s gave what cannot be written", self.called)
            return self.fault(Fault(INTERNAL_ERROR, "internal error"))

    def answer_form(self, name: str, values: dict[str, Any]) -> bytes:
        """The response to a form, which brings its values by name."""
        self.called = name
        try:
            return write_answer(self.answered(name, Method.call_by_name, values))
        except Fault as fault:
            return self.fault(fault)

    def fault(self, fault: Fault) -> bytes:
        self.outcome = f"fault {fault.faultCode}"
        return write_fault(fault.faultCode, fault.faultString)

    def _dispatch(self, name: str, params: Any) -> Any:
        return self.answered(name, Method.call, params)

    def answered(self, name: str, call: Callable[[Method, Giver, V], Any], values: V) -> Any:
        """What *call* gets of the method with this *name*; what goes wrong becomes a refusal or a fault."""
        method = self.funcs.get(name)
        if method is None:
            raise Fault(NO_SUCH_METHOD, f"no method named {name[:100]}")
        try:
            return call(method, self, values)
        except Refusal as error:
            return self.refused(method, error)
        except Fault:
            raise
        except Exception:
            log.exception("%s failed", name)
            raise Fault(INTERNAL_ERROR, "internal error") from None

    @property
    def named(self) -> str:
        """What was called where it is declared, else nothing."""
        return self.called if self.called in self.funcs else ""

    def refused(self, method: Method, error: Refusal) -> Any:
        self.outcome = f"refused {error.code}"
        if isinstance(error, BadParams):
            raise Fault(BAD_PARAMS, str(error)) from None
        if isinstance(error, Unavailable):
            raise Fault(error.code, str(error)) from None
        return method.refuse(method.returns, error)

    def declared(self, name: str) -> Method:
        try:
            return self.funcs[name]
        except KeyError:
            raise BadParams(f"method_name: no method named {name[:100]}") from None

    def system_listMethods(self: "Dispatcher", /) -> list[str]:
        """List the names of all methods that can be called here."""
        return sorted(self.funcs)

    # The standard library's own gives a text that says it cannot tell.
    def system_methodSignature(self: "Dispatcher", /, method_name: str) -> list[list[str]]:  # type: ignore[override]
        """Give the signatures of a method: each the type of the result, then those of the parameters.

        There is one signature for each number of parameters that is accepted.

        :param method_name: the method
        """
        return self.declared(method_name).signatures()

    def system_methodHelp(self: "Dispatcher", /, method_name: str) -> str:
        """Say what a method does and what its parameters mean.

        :param method_name: the method
        """
        return self.declared(method_name).help()

    def system_getCapabilities(self: "Dispatcher", /) -> dict[str, Any]:
        """Name the extensions of XML-RPC that are spoken here, with the address and version of each."""
        return {
            name: {"specUrl": url, "specVersion": version} for name, (url, version) in CAPABILITIES.items()
        }

    def system_multicall(self: "Dispatcher", /, call_list: list[Any]) -> list[Any]:
        """Make several calls in one request, each a transaction of its own.

        Each is answered by an array that holds its result, or by the struct of its fault. At most 50 calls,
        none of them system.multicall; after ten seconds, or eight million characters of answers, or when
        the server is about to end, no further one is begun. An Idempotency-Key in the head counts for each of
        them by its place in the list.

        :param call_list: structs of methodName (string) and params (array)
        """
        if len(call_list) > MOST_CALLS:
            raise BadParams(f"call_list: more than {MOST_CALLS} calls")
        deadline, room = time.monotonic() + MOST_SECONDS, MOST_CHARACTERS
        answers: list[Any] = []
        for place, call in enumerate(call_list):
            self.place = (b"%d" % place,)
            answers.append(self.call_one(call, deadline, room))
            room -= sum(len(each) for each in answers[-1] if isinstance(each, Written))
        return answers

    def call_one(self, call: Any, deadline: float, room: int) -> Any:
        try:
            if room <= 0:
                raise Fault(Unavailable.code, "the calls before gave too long answers")
            if time.monotonic() > deadline:
                raise Fault(Unavailable.code, f"the calls before took more than {MOST_SECONDS} seconds")
            if self.is_leaving():
                raise Fault(Unavailable.code, "the server is about to end")
            name, params = self.parts(call)
            return [self._dispatch(name, params)]
        except Fault as fault:
            return {"faultCode": fault.faultCode, "faultString": fault.faultString}

    def parts(self, call: Any) -> tuple[str, list[Any]]:
        name = call.get("methodName") if isinstance(call, dict) else None
        params = call.get("params", []) if isinstance(call, dict) else None
        params = numbered(params) if isinstance(params, dict) else params
        if not isinstance(name, str) or not isinstance(params, list):
            raise Fault(BAD_PARAMS, "call_list: each call is a struct of methodName and params")
        if name == "system.multicall":
            raise Fault(BAD_PARAMS, "call_list: system.multicall inside itself")
        return name, params


DECLARED: dict[str, Callable[..., Any]] = {
    "system.listMethods": Dispatcher.system_listMethods,
    "system.methodSignature": Dispatcher.system_methodSignature,
    "system.methodHelp": Dispatcher.system_methodHelp,
    "system.getCapabilities": Dispatcher.system_getCapabilities,
    "system.multicall": Dispatcher.system_multicall,
}
SYSTEM = {name: Method(function, name, "none", refuse_by_fault) for name, function in DECLARED.items()}
