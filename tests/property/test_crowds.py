"""Whatever people do to conversations that are crowds from the third on, counts are what a walk finds."""

import functools
from itertools import count
from typing import Any

import engines
import pytest
from builders import Actor, Cast
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from models import (
    ACTIVE,
    Conversation,
    Participant,
    check,
    conversations_of,
    page_of_conversations,
    transact,
)
from server.actions import access, conversations, messages
from server.errors import Refusal
from server.faces.chat.totals import totals_of

EXAMPLES, STEPS, PEOPLE = 8, 30, 5
ALL = 1000
names = count(1)

someone = st.integers(0, PEOPLE - 1)
several = st.lists(someone, min_size=1, unique=True)
whichever = st.integers(0, 99)


class Crowds(RuleBasedStateMachine):
    """Five people, whose conversations change hands of those who are told and those who look."""

    def __init__(self, cast: Cast) -> None:
        super().__init__()
        self.cast = cast

    @initialize()
    def meet(self) -> None:
        self.people = [Actor(self.cast, f"crowd{next(names)}") for _ in range(PEOPLE)]

    def do(self, who: int, which: int, work: Any) -> None:
        """Have somebody *work* at one of his conversations, if he may; all of it or nothing."""
        user = self.people[who].user
        places = list(Participant.select().where(Participant.user == user).order_by(Participant.id))
        if places:
            try:
                place = places[which % len(places)]
                seen = functools.partial(access.conversation, user, place.conversation_id)
                transact(lambda: work(user, seen), writes=True)
            except Refusal:
                return

    @rule(who=someone, others=several)
    def start(self, who: int, others: list[int]) -> None:
        if others != [who]:
            self.people[who].starts("Crowd", *(self.people[each] for each in others))

    @rule(who=someone, which=whichever)
    def say(self, who: int, which: int) -> None:
        given = self.cast.settings
        self.do(who, which, lambda user, seen: messages.reply(given, user, seen(), "hi", []))

    @rule(who=someone, which=whichever, others=several)
    def invite(self, who: int, which: int, others: list[int]) -> None:
        given, users = self.cast.settings, [self.people[each].user for each in others]
        self.do(who, which, lambda user, seen: conversations.invite(given, user, seen(), users, ""))

    @rule(who=someone, which=whichever)
    def hide(self, who: int, which: int) -> None:
        self.do(who, which, lambda _, seen: conversations.hide(seen().participant))

    @rule(who=someone, which=whichever)
    def leave(self, who: int, which: int) -> None:
        files = self.cast.files
        self.do(who, which, lambda user, seen: conversations.leave(files, access.to_leave(user, seen().id)))

    @rule(who=someone, which=whichever, seq=st.integers(0, 9))
    def read(self, who: int, which: int, seq: int) -> None:
        self.do(
            who,
            which,
            lambda user, seen: messages.read_up_to(user, seen().id, min(seq, seen().last_seq)),
        )

    @rule(who=someone, which=whichever)
    def unread(self, who: int, which: int) -> None:
        self.do(who, which, lambda user, seen: messages.mark_unread(access.participants(user, [seen().id])))

    @invariant()
    def counts_hold(self) -> None:
        assert list(check.faults()) == []
        for actor in getattr(self, "people", []):
            user = actor.user.id
            places = Participant.select(Participant, Conversation).join(Conversation)
            walked = {
                place.conversation_id: place.conversation.last_seq - place.read_seq - place.own_unread
                for place in places.where(Participant.user == user, Participant.status == ACTIVE)
            }
            rows = page_of_conversations(user=user, limit=ALL, offset=0)
            newest = [row.last_id for row in rows]
            assert {row.id: row.unread for row in rows} == walked and newest == sorted(newest, reverse=True)
            unread = sum(number > 0 for number in walked.values())
            assert conversations_of.one(user=user) == (len(walked), unread)
            assert totals_of([user])[user]["totalUnreadMessages"] == sum(walked.values())


def test_crowds_are_counted(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists, counts and totals of crowds are those that a walk over all places finds."""
    monkeypatch.setattr(conversations, "CROWD", 2)
    run_state_machine_as_test(
        lambda: Crowds(cast),
        settings=settings(
            max_examples=engines.tries(EXAMPLES),
            stateful_step_count=STEPS,
            deadline=None,
            phases=[Phase.generate],
        ),
    )
