"""Whatever three people do to their conversations, every count equals that of a plain model."""

from dataclasses import dataclass, field
from typing import Any

from conftest import Live, Member
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from models import check

ACTIVE, HIDDEN, LEFT = "active", "hidden", "left"
EXAMPLES, STEPS = 20, 20

people = st.sampled_from(["ann", "bob", "carol"])
whichever = st.integers(0, 20)
places = st.integers(0, 6)


@dataclass
class Modelled:
    """A conversation as anyone would picture it: who is in it, what was said, what each has not read."""

    id: str
    starter: str
    said: list[str] = field(default_factory=list)
    authors: list[str] = field(default_factory=list)
    status: dict[str, str] = field(default_factory=dict)
    unread: dict[str, set[str]] = field(default_factory=dict)

    def others_of(self, who: str) -> set[str]:
        return {each for each, author in zip(self.said, self.authors, strict=True) if author != who}

    def say(self, who: str, message_id: str) -> None:
        self.said.append(message_id)
        self.authors.append(who)
        for each, status in self.status.items():
            if status != LEFT:
                self.status[each] = ACTIVE
                self.unread[each].add(message_id)
        self.unread[who].clear()

    def join(self, who: str) -> None:
        self.status[who] = ACTIVE
        self.unread.setdefault(who, self.others_of(who))


class Conversations(RuleBasedStateMachine):
    """Ann, Bob and Carol talk through the forum door, and the model keeps count."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live
        self.clock: list[str] = []
        self.known: list[Modelled] = []

    @initialize()
    def meet(self) -> None:
        self.member = {name: self.live.member(name) for name in ("ann", "bob", "carol")}

    def teardown(self) -> None:
        with self.live.store():
            assert list(check.faults()) == []

    def seen_by(self, who: str) -> list[Modelled]:
        seen = [each for each in self.known if each.status.get(who) == ACTIVE]
        return sorted(seen, key=lambda each: self.clock.index(each.said[-1]), reverse=True)

    def pick(self, who: str, which: int) -> Modelled | None:
        seen = self.seen_by(who)
        return seen[which % len(seen)] if seen else None

    @rule(who=people, others=st.sets(people, min_size=1))
    def start(self, who: str, others: set[str]) -> None:
        named = [self.member[each].name for each in others]
        answer = self.member[who].rpc.new_conversation(named, b"Subject", b"first")
        assert answer["result"] is bool(others - {who})
        if answer["result"]:
            begun = Modelled(answer["conv_id"], who)
            for each in [who, *others]:
                begun.join(each)
            first = self.member[who].rpc.get_conversation(begun.id)["list"][0]["msg_id"]
            self.clock.append(first)
            begun.say(who, first)
            self.known.append(begun)

    @rule(who=people, which=whichever)
    def reply(self, who: str, which: int) -> None:
        if conversation := self.pick(who, which):
            answer = self.member[who].rpc.reply_conversation(conversation.id, b"more")
            self.clock.append(answer["msg_id"])
            conversation.say(who, answer["msg_id"])

    @rule(who=people, whom=people, which=whichever)
    def invite(self, who: str, whom: str, which: int) -> None:
        if conversation := self.pick(who, which):
            answer = self.member[who].rpc.invite_participant([self.member[whom].name], conversation.id)
            allowed = conversation.starter == who and conversation.status.get(whom) != LEFT
            assert answer["result"] is allowed
            if allowed:
                conversation.join(whom)

    @rule(who=people, which=whichever, first=places, last=places)
    def read(self, who: str, which: int, first: int, last: int) -> None:
        if conversation := self.pick(who, which):
            answer = self.member[who].rpc.get_conversation(conversation.id, first, last)
            wanted = conversation.said[first : last + 1]
            shown = [(each["msg_id"], each["is_unread"]) for each in answer["list"]]
            assert shown == [(each, each in conversation.unread[who]) for each in wanted]
            if wanted:
                conversation.unread[who] -= set(conversation.said[: last + 1])

    @rule(who=people, which=whichever)
    def mark_unread(self, who: str, which: int) -> None:
        if conversation := self.pick(who, which):
            assert self.member[who].rpc.mark_conversation_unread(conversation.id)["result"]
            conversation.unread[who] = conversation.others_of(who)

    @rule(who=people, which=whichever)
    def mark_read(self, who: str, which: int) -> None:
        if conversation := self.pick(who, which):
            assert self.member[who].rpc.mark_conversation_read(conversation.id)["result"]
            conversation.unread[who].clear()

    @rule(who=people)
    def mark_all_read(self, who: str) -> None:
        assert self.member[who].rpc.mark_conversation_read()["result"]
        for conversation in self.seen_by(who):
            conversation.unread[who].clear()

    @rule(who=people, which=whichever)
    def hide(self, who: str, which: int) -> None:
        if conversation := self.pick(who, which):
            assert self.member[who].rpc.delete_conversation(conversation.id, 1)["result"]
            conversation.status[who] = HIDDEN
            assert not self.member[who].rpc.get_conversation(conversation.id)["result"]

    @precondition(lambda self: any(self.known))
    @rule(who=people, which=whichever)
    def leave(self, who: str, which: int) -> None:
        """Leaving is for those who have hidden the conversation too."""
        there = [each for each in self.known if each.status.get(who) in (ACTIVE, HIDDEN)]
        if there:
            conversation = there[which % len(there)]
            assert self.member[who].rpc.delete_conversation(conversation.id, 2)["result"]
            conversation.status[who] = LEFT

    @invariant()
    def counts_agree(self) -> None:
        for who, member in getattr(self, "member", {}).items():
            self.compare(who, member)

    def compare(self, who: str, member: Member) -> None:
        seen = self.seen_by(who)
        unread = sum(bool(each.unread[who]) for each in seen)
        assert member.rpc.get_inbox_stat()["inbox_unread_count"] == unread
        box = member.rpc.get_conversations(0, 49)
        assert (box["conversation_count"], box["unread_count"]) == (len(seen), unread)
        assert [facts(each) for each in box["list"]] == [modelled_facts(each, who) for each in seen]


def facts(item: dict[str, Any]) -> tuple[Any, ...]:
    """What the list says of a conversation, as far as the model knows it."""
    return (
        item["conv_id"],
        item["reply_count"],
        item["participant_count"],
        item["unread_num"],
        item["new_post"],
        sorted(person["has_left"] for person in item["participants"].values()),
    )


def modelled_facts(conversation: Modelled, who: str) -> tuple[Any, ...]:
    unread = len(conversation.unread[who])
    return (
        conversation.id,
        len(conversation.said) - 1,
        len(conversation.status),
        unread,
        unread > 0,
        sorted(status == LEFT for status in conversation.status.values()),
    )


def test_counts_equal_a_plain_model(live: Live) -> None:
    """After every step each user's list, order and counts are those of the model, and the store is sound."""
    run_state_machine_as_test(
        lambda: Conversations(live),
        settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None),
    )
