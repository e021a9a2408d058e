"""Two and more who do something with a chat at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier

import pytest
from conftest import Live, Member, numbers
from rest_client import Answer, Chatter

from models import Conversation, User, database
from server.actions import accounts
from server.passwords import Passwords

ROUNDS = 200
ANSWER_ROUNDS = 40
CLIENTS = 8
SECONDS = 20

ToChatter = Callable[[Member], Chatter]


def pairs(live: Live, many: int) -> list[tuple[Chatter, Chatter]]:
    """So many times two users who have never met."""
    made = []
    with live.store(), database.atomic():
        for _ in range(2 * many):
            user: User = accounts.add_user(Passwords(1), f"racer{next(numbers)}", None)
            made.append(Chatter(live.address, accounts.add_token(user, "test"), user.id, user.username))
    return list(zip(made[::2], made[1::2], strict=True))


def at_once(*works: Callable[[], Answer]) -> list[Answer]:
    """The answers to requests that are all sent when the last of them is ready."""
    barrier = Barrier(len(works), timeout=SECONDS)

    def run(work: Callable[[], Answer]) -> Answer:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


class Lanes:
    """Two connections that stay open, each with a thread of its own; whoever comes last starts both."""

    def __init__(self, stack: ExitStack, address: str) -> None:
        self.clients = [Chatter(address, "", 0) for _ in range(2)]
        for client in self.clients:
            stack.enter_context(client.kept_alive())
        self.pool = stack.enter_context(ThreadPoolExecutor(2))
        self.barrier = Barrier(2, timeout=SECONDS)

    def post(self, lane: int, who: Chatter, path: str, sent: dict[str, int] | None) -> Answer:
        self.barrier.wait()
        return self.clients[lane].post(path, sent, **who.headers)

    def race(self, *posts: tuple[Chatter, str, dict[str, int] | None]) -> list[Answer]:
        """Both at the same moment."""
        running = [self.pool.submit(self.post, lane, *post) for lane, post in enumerate(posts)]
        return [each.result(SECONDS) for each in running]


def chats_between(live: Live, one: Chatter, two: Chatter) -> int:
    """How many chats of the two are in the store."""
    first, second = sorted([one.id, two.id])
    with live.store():
        return int(Conversation.select().where(Conversation.pair == f"chat {first} and {second}").count())


def test_who_ask_each_other_have_one_chat(live: Live) -> None:
    """Two who ask each other at the same moment have one chat, which is active, however often it happens."""
    with ExitStack() as stack:
        lanes = Lanes(stack, live.address)
        for one, two in pairs(live, ROUNDS):
            answers = lanes.race((one, "/chat", {"userId": two.id}), (two, "/chat", {"userId": one.id}))
            assert sorted(each.status for each in answers) == [200, 201]
            [chat] = {each.json["id"] for each in answers}
            [listed] = lanes.clients[0].send("GET", "/chat", **one.headers).json
            assert (listed["id"], listed["status"]) == (chat, "active")


@pytest.mark.parametrize("word", ["decline", "reject"])
def test_a_yes_and_a_no(live: Live, word: str) -> None:
    """Of accepting and declining at one moment the yes holds; the no was before it, or is refused."""
    with ExitStack() as stack:
        lanes = Lanes(stack, live.address)
        for one, two in pairs(live, ANSWER_ROUNDS):
            chat = one.asks(two)
            yes, no = lanes.race((two, f"/chat/{chat}/accept", None), (two, f"/chat/{chat}/{word}", None))
            assert (yes.status, yes.json["status"]) == (200, "active")
            assert no.status == 200 or no.refusal == (409, "ALREADY_ACTIVE")
            assert one.chat(chat)["status"] == "active"


def test_a_yes_and_a_withdrawal(live: Live) -> None:
    """Of accepting and withdrawing at one moment one is done: there is an active chat for both, or none."""
    for one, two in pairs(live, ANSWER_ROUNDS):
        chat = one.asks(two)
        yes, gone = at_once(
            lambda chat=chat, two=two: two.post(f"/chat/{chat}/accept"),
            lambda chat=chat, one=one: one.delete(f"/chat/{chat}"),
        )
        assert (yes.status, gone.status) in [(200, 409), (404, 204)]
        left = [chat] if yes.status == 200 else []
        assert one.ids("/chat") == two.ids("/chat") == left


def test_identical_requests_make_one_chat(live: Live) -> None:
    """Of eight identical requests at one moment one is answered by 201, and there is one pending chat."""
    [(one, two)] = pairs(live, 1)
    answers = at_once(*[lambda: one.post("/chat", {"userId": two.id})] * CLIENTS)
    assert sorted(each.status for each in answers) == [200] * (CLIENTS - 1) + [201]
    [chat] = {each.json["id"] for each in answers}
    assert two.ids("/chat/pending") == [chat]
    assert two.totals()["totalPendingRequest"] == 1


def test_one_message_goes_with_a_request(live: Live) -> None:
    """Of eight messages that a sender sends at one moment while the chat is pending one is taken."""
    [(one, two)] = pairs(live, 1)
    chat = one.asks(two)
    answers = at_once(*[lambda: one.post(f"/chat/{chat}", {"text": "hello"})] * CLIENTS)
    assert sorted(each.status for each in answers) == [201] + [403] * (CLIENTS - 1)
    assert two.texts(chat) == ["hello"]


def test_messages_have_one_order(live: Live) -> None:
    """What two say at the same moment is there once, in the same order for both."""
    [(one, two)] = pairs(live, 1)
    chat = one.talks_with(two)
    works = [
        lambda who=who, number=number: who.post(f"/chat/{chat}", {"text": f"{who.id} {number}"})
        for number in range(CLIENTS // 2)
        for who in (one, two)
    ]
    answers = at_once(*works)
    assert {each.status for each in answers} == {201}
    assert one.texts(chat) == two.texts(chat)
    assert sorted(one.ids(f"/chat/{chat}/messages")) == sorted(each.json["id"] for each in answers)


def test_crossing_requests_leave_one_row(live: Live) -> None:
    """Eight requests from both sides at one moment leave one chat in the store, which is active."""
    [(one, two)] = pairs(live, 1)
    ways = [(one, two), (two, one)] * (CLIENTS // 2)
    answers = at_once(*[lambda a=a, b=b: a.post("/chat", {"userId": b.id}) for a, b in ways])
    assert sorted(each.status for each in answers) == [200] * (CLIENTS - 1) + [201]
    assert chats_between(live, one, two) == 1
    assert one.ids("/chat") == two.ids("/chat") == [answers[0].json["id"]]
