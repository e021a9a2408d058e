"""Conversations of so many that nobody is told of each message."""

import pytest
from builders import Actor, Cast, Thread

from models import (
    CROWD,
    Participant,
    check,
    conversations_of,
    page_of_conversations,
    people_met,
    told_in,
)
from server.actions import conversations, messages, rooms
from server.faces.chat.totals import totals_of


@pytest.fixture
def crowd(cast: Cast) -> Thread:
    """A conversation of ann's with bob and more people than are told of every message."""
    others = [Actor(cast, f"person{number}") for number in range(CROWD)]
    return cast.ann.starts("Crowd", cast.bob, *others)


def listed(actor: Actor) -> list[tuple[int, int]]:
    """The conversations in somebody's list, each with how much is unread."""
    return [(row.id, row.unread) for row in page_of_conversations(user=actor.user.id, limit=20, offset=0)]


def counted(actor: Actor) -> tuple[int, int, int]:
    """In how many conversations somebody is, in how many something is unread, and how many messages are."""
    user = actor.user.id
    unread = totals_of([user])[user]["totalUnreadMessages"]
    return *conversations_of.one(user=user), unread


def test_a_message_to_a_crowd_touches_nobody_but_its_author(crowd: Thread, cast: Cast) -> None:
    """What is said in a crowd changes no place but its author's."""
    others = Participant.select().where(Participant.user != cast.ann.user).order_by(Participant.id)
    before = list(others.tuples())
    crowd.says("again")
    assert list(others.tuples()) == before


def test_a_crowd_stands_in_lists_as_any_conversation(crowd: Thread, cast: Cast) -> None:
    """What is newest in a crowd counts for the order, and for what is unread."""
    lunch = cast.carol.starts("Lunch", cast.bob)
    assert listed(cast.bob) == [(lunch.id, 1), (crowd.id, 1)]
    crowd.says("again")
    assert listed(cast.bob) == [(crowd.id, 2), (lunch.id, 1)]
    assert counted(cast.bob) == (2, 2, 3)
    assert people_met(cast.bob.user).first() == cast.ann.user
    assert list(check.faults()) == []


def test_what_was_read_in_a_crowd_is_read(crowd: Thread, cast: Cast) -> None:
    """A read mark in a crowd goes to its newest message, and what comes later is unread again."""
    messages.mark_all_read(cast.bob.user)
    assert counted(cast.bob) == (1, 0, 0)
    crowd.says("again")
    assert counted(cast.bob) == (1, 1, 1)
    assert list(check.faults()) == []


def test_a_hidden_crowd_comes_back_with_the_next_message(crowd: Thread, cast: Cast) -> None:
    """Who has hidden a crowd sees it again when something new is said."""
    conversations.hide(cast.bob.sees(crowd).participant)
    assert listed(cast.bob) == []
    crowd.says("again")
    assert listed(cast.bob) == [(crowd.id, 2)]
    assert list(check.faults()) == []


def test_a_room_filled_by_one_invitation_is_a_crowd(cast: Cast) -> None:
    """Those whom one invitation brings into an empty room are not told of every message."""
    room = rooms.create(cast.ann.user, "Raid", "")
    many = [Actor(cast, f"person{number}").user for number in range(CROWD + 1)]
    conversations.invite(cast.settings, cast.ann.user, cast.ann.sees(room), many, "")
    assert told_in.one(conversation=room.id).number == 0
    assert list(check.faults()) == []
