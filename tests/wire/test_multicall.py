"""Several calls in one request."""

from typing import Any
from xmlrpc.client import Fault

import pytest
from conftest import Live, Member

from server.errors import NotAuthenticated
from server.wire import xmlrpc


def multicall(member: Member, *calls: tuple[str, list[Any]]) -> list[Any]:
    made = [{"methodName": name, "params": params} for name, params in calls]
    return list(member.rpc.system.multicall(made))


def test_each_call_has_its_own_answer(ann: Member) -> None:
    """A result stands in an array of one, a fault in a struct, in the order of the calls."""
    first, second, third = multicall(ann, ("get_forum", []), ("no_such", []), ("get_board_stat", [1]))
    assert first == [[]]
    assert (second["faultCode"], third["faultCode"]) == (-32601, -32602)


def test_a_call_may_come_from_lua(ann: Member) -> None:
    """Parameters may come as a struct whose members are numbered, as Lua's tables do."""
    calls = {
        "1": {"methodName": "get_forum", "params": {}},
        "2": {"methodName": "system.methodHelp", "params": {"1": "login"}},
    }
    forum, [told] = ann.rpc.system.multicall(calls)
    assert forum == [[]] and "session" in told


def test_each_call_is_a_transaction_of_its_own(live: Live, ann: Member) -> None:
    """What one call does stays, though the next one fails."""
    bob = live.member("bob")
    begun = ("new_conversation", [[bob.name], b"Hi", b"there"])
    [done], [refused], _ = multicall(ann, begun, ("new_conversation", [[], b"Hi", b"there"]), ("no_such", []))
    assert (done["result"], refused["result"]) == (True, False)
    assert bob.rpc.get_inbox_stat()["inbox_unread_count"] == 1


def test_a_login_counts_from_then_on(live: Live) -> None:
    """After a login in the same request the next calls are the user's."""
    bob = live.member("bob", password="secret")
    guest = Member("", "", "", live.proxy())
    before, [login], [after] = multicall(
        guest, ("get_inbox_stat", []), ("login", [bob.name, "secret"]), ("get_inbox_stat", [])
    )
    assert (before[0]["result"], login["result"], after["result"]) == (False, True, True)


def test_no_multicall_inside(ann: Member) -> None:
    """A multicall inside a multicall is a fault of its own; the others are done."""
    inner, [forum] = multicall(ann, ("system.multicall", [[]]), ("get_forum", []))
    assert (inner["faultCode"], forum) == (-32602, [])


def test_fifty_calls_at_most(ann: Member) -> None:
    """Fifty calls are done; one more and none is."""
    assert len(multicall(ann, *[("get_forum", [])] * 50)) == 50
    with pytest.raises(Fault, match="more than 50"):
        multicall(ann, *[("get_forum", [])] * 51)


@pytest.mark.parametrize("call", ["text", {}, {"methodName": 5}, {"methodName": "get_forum", "params": "x"}])
def test_what_is_not_a_call(ann: Member, call: Any) -> None:
    """A thing in the list that is no call is a fault in its place."""
    [answer] = ann.rpc.system.multicall([call])
    assert answer["faultCode"] == -32602


def test_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the calls before have taken too long, those that are left are faults that say so."""
    monkeypatch.setattr(xmlrpc, "MOST_SECONDS", -1)
    dispatcher = xmlrpc.Dispatcher(xmlrpc.SYSTEM, Nobody(), lambda: False)
    [answer] = dispatcher.system_multicall([{"methodName": "system.listMethods"}])
    assert (answer["faultCode"], "seconds" in answer["faultString"]) == (503, True)


def test_what_is_answered_is_limited(live: Live, ann: Member) -> None:
    """When the answers so far are eight million characters long, the calls that are left are not begun."""
    begun = ann.rpc.new_conversation([live.member("bob").name], b"Hi", b"x")["conv_id"]
    for _ in range(50):
        assert ann.rpc.reply_conversation(begun, "\N{PENGUIN}".encode() * 10_000)["result"]
    answers = multicall(ann, *[("get_conversation", [begun, 1, 50])] * 50)
    faults = [each for each in answers if isinstance(each, dict)]
    assert 2 < len(answers) - len(faults) < 10
    assert {(each["faultCode"], each["faultString"]) for each in faults} == {
        (503, "the calls before gave too long answers")
    }


class Nobody:
    """A request that has nothing to offer."""

    def give(self, kind: Any) -> Any:
        raise NotAuthenticated

    def transact(self, work: Any, kind: Any) -> Any:
        return work()


def test_capabilities(live: Live) -> None:
    """The extensions are named with address and version."""
    named = live.proxy().system.getCapabilities()
    assert {"xmlrpc", "faults_interop", "introspection", "system.multicall"} == set(named)
    assert named["faults_interop"]["specVersion"] == 20010516
