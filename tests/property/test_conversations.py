"""Whatever three people do to their conversations, every count equals that of a plain model."""

from itertools import count
from typing import Any
from xmlrpc.client import MultiCall

import engines
from conftest import Live, Member
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from inbox_model import BETWEEN_TWO, CLOSED, DECLINED, HIDDEN, LEFT, Modelled, Said

from models import check

EXAMPLES, STEPS = 6, 20
PEOPLE = ["ann", "bob", "carol"]
NOBODY = "0"

people = st.sampled_from(PEOPLE)
several = st.lists(people, min_size=1, unique=True)
whichever = st.integers(0, 99)
places = st.integers(0, 6)
any_known = precondition(lambda self: any(self.known))
any_seen = precondition(lambda self: any(self.seen_by(who) for who in PEOPLE))


class Conversations(RuleBasedStateMachine):
    """Ann, Bob and Carol talk through the forum door, and the model keeps count."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live
        self.known: list[Modelled] = []
        self.numbers = count(1)

    @initialize()
    def meet(self) -> None:
        self.member = {name: self.newcomer(name) for name in PEOPLE}
        self.start("ann", ["bob", "carol"])

    def newcomer(self, name: str) -> Member:
        return self.live.member(name)

    def teardown(self) -> None:
        with self.live.store():
            assert list(check.faults()) == []

    def words(self) -> str:
        return f"words {next(self.numbers)}"

    def newest(self) -> int:
        return max([0, *(id_ for each in self.known for id_ in each.ids)])

    def seen_by(self, who: str) -> list[Modelled]:
        return [each for each in self.places_of(who) if each.status[who] != HIDDEN]

    def places_of(self, who: str) -> list[Modelled]:
        """The conversations that somebody is in, hidden ones too, the newest message first."""
        there = [each for each in self.known if who in each.inside]
        return sorted(there, key=lambda each: (each.newest, each.id), reverse=True)

    def pick(self, which: int) -> tuple[str, Modelled]:
        """Somebody, and a conversation that he sees."""
        seen = [(who, each) for who in PEOPLE for each in self.seen_by(who)]
        return seen[which % len(seen)]

    def hear(self, conversation: Modelled, message: Said) -> None:
        """A new message is newer than all others, of whichever conversation."""
        assert message.id > self.newest()
        conversation.add(message)

    def welcome(self, conversation: Modelled, invited: list[str]) -> None:
        for each in invited:
            conversation.join(each)

    def depart(self, conversation: Modelled, who: str, _kind: str = LEFT) -> None:
        """With the last one a conversation is gone; what was between two is closed when one leaves it."""
        conversation.status[who] = LEFT
        if not conversation.inside:
            self.known.remove(conversation)
        elif conversation.app in BETWEEN_TWO:
            conversation.state = CLOSED

    @rule(who=people, others=several)
    def start(self, who: str, others: list[str]) -> None:
        named, words = [self.member[each].name for each in others], self.words()
        answer = self.member[who].rpc.new_conversation(named, b"Subject", words.encode())
        assert answer["result"] is (others != [who])
        if answer["result"]:
            begun = Modelled(int(answer["conv_id"]), who, name="Subject")
            for each in [who, *others]:
                begun.join(each)
            [first] = self.member[who].rpc.get_conversation(answer["conv_id"])["list"]
            self.hear(begun, Said(int(first["msg_id"]), who, words))
            self.known.append(begun)

    @any_seen
    @rule(which=whichever)
    def reply(self, which: int) -> None:
        who, conversation = self.pick(which)
        words = self.words()
        answer = self.member[who].rpc.reply_conversation(str(conversation.id), words.encode())
        assert answer["result"] is conversation.takes(who)
        if answer["result"]:
            self.hear(conversation, Said(int(answer["msg_id"]), who, words))

    @any_seen
    @rule(invited=several, which=whichever)
    def invite(self, invited: list[str], which: int) -> None:
        """The starter invites all or nobody: none who has left, and none to what is between two."""
        who, conversation = self.pick(which)
        named = [self.member[each].name for each in invited]
        answer = self.member[who].rpc.invite_participant(named, str(conversation.id))
        left = any(conversation.status.get(each) == LEFT for each in invited)
        allowed = conversation.starter == who and conversation.app not in BETWEEN_TWO and not left
        assert answer["result"] is allowed
        if allowed:
            self.welcome(conversation, invited)

    @any_seen
    @rule(which=whichever, first=places, last=places)
    def read(self, which: int, first: int, last: int) -> None:
        who, conversation = self.pick(which)
        self.compare_page(who, conversation, first, last)

    def compare_page(self, who: str, conversation: Modelled, first: int, last: int) -> None:
        """A page of messages is that of the model; up to its end all is read from now on."""
        answer = self.member[who].rpc.get_conversation(str(conversation.id), first, last)
        wanted = conversation.said[first : last + 1]
        assert [message_facts(each) for each in answer["list"]] == [
            self.modelled_message(each, conversation, who) for each in wanted
        ]
        if wanted:
            conversation.unread[who] -= set(conversation.ids[: last + 1])

    @any_seen
    @rule(which=whichever)
    def mark_unread(self, which: int) -> None:
        who, conversation = self.pick(which)
        assert self.member[who].rpc.mark_conversation_unread(str(conversation.id))["result"]
        conversation.unread[who] = conversation.others_of(who)

    @any_seen
    @rule(which=whichever)
    def mark_read(self, which: int) -> None:
        who, conversation = self.pick(which)
        assert self.member[who].rpc.mark_conversation_read(str(conversation.id))["result"]
        conversation.unread[who].clear()

    @rule(who=people)
    def mark_all_read(self, who: str) -> None:
        assert self.member[who].rpc.mark_conversation_read()["result"]
        for conversation in self.seen_by(who):
            conversation.unread[who].clear()

    @any_seen
    @rule(which=whichever)
    def hide(self, which: int) -> None:
        who, conversation = self.pick(which)
        assert self.member[who].rpc.delete_conversation(str(conversation.id), 1)["result"]
        conversation.status[who] = HIDDEN
        assert not self.member[who].rpc.get_conversation(str(conversation.id))["result"]

    @any_known
    @rule(which=whichever)
    def leave(self, which: int) -> None:
        """Leaving is for those who have hidden the conversation too."""
        there = [(who, each) for each in self.known if each.state != DECLINED for who in each.inside]
        if there:
            who, conversation = there[which % len(there)]
            assert self.member[who].rpc.delete_conversation(str(conversation.id), 2)["result"]
            self.depart(conversation, who)

    @invariant()
    def counts_agree(self) -> None:
        for who, member in self.member.items():
            self.compare(who, member)

    def compare(self, who: str, member: Member) -> None:
        seen = self.seen_by(who)
        unread = sum(bool(each.unread[who]) for each in seen)
        calls = MultiCall(member.rpc)
        calls.get_inbox_stat()
        calls.get_conversations(0, 49)
        stat, box = calls()
        assert stat["inbox_unread_count"] == unread
        assert (box["conversation_count"], box["unread_count"]) == (len(seen), unread)
        assert [facts(each) for each in box["list"]] == [self.modelled_facts(each, who) for each in seen]

    def modelled_facts(self, conversation: Modelled, who: str) -> tuple[Any, ...]:
        people = {self.id_of(each): status == LEFT for each, status in conversation.status.items()}
        nobody = {NOBODY: False} if conversation.peer else {}
        unread = len(conversation.unread[who])
        return (
            conversation.id,
            self.title(conversation, who),
            self.id_of(conversation.starter),
            self.id_of(conversation.said[-1].author if conversation.said else conversation.starter),
            max(0, len(conversation.said) - 1),
            len(conversation.said),
            len(people | nobody),
            people | nobody,
            unread,
            unread > 0,
        )

    def modelled_message(self, message: Said, conversation: Modelled, who: str) -> tuple[Any, ...]:
        return (
            message.id,
            self.id_of(message.author),
            message.text,
            message.id in conversation.unread[who],
            conversation.status.get(message.author) == LEFT,
        )

    def id_of(self, who: str) -> str:
        return self.member[who].id if who else NOBODY

    def title(self, conversation: Modelled, who: str) -> str:
        """What is between two is called by the other's name."""
        others = [self.member[each].name for each in conversation.status if each != who]
        return conversation.name or conversation.peer or others[0]


def facts(item: dict[str, Any]) -> tuple[Any, ...]:
    """What the list says of a conversation, as far as the model knows it."""
    return (
        int(item["conv_id"]),
        item["conv_subject"].decode(),
        item["start_user_id"],
        item["last_user_id"],
        item["reply_count"],
        item["total_message_num"],
        item["participant_count"],
        {each: person["has_left"] for each, person in item["participants"].items()},
        item["unread_num"],
        item["new_post"],
    )


def message_facts(item: dict[str, Any]) -> tuple[Any, ...]:
    """What a page says of a message, as far as the model knows it."""
    return (
        int(item["msg_id"]),
        item["msg_author_id"],
        item["msg_content"].decode(),
        item["is_unread"],
        item["has_left"],
    )


def test_counts_equal_a_plain_model(live: Live) -> None:
    """After every step each user's list, order and counts are those of the model, and the store is sound."""
    run_state_machine_as_test(
        lambda: Conversations(live),
        settings=settings(
            max_examples=engines.tries(EXAMPLES),
            stateful_step_count=STEPS,
            deadline=None,
            # Against a live server it would take minutes to make what has failed any smaller.
            phases=[Phase.generate],
        ),
    )
