"""Whatever happens at any door, a search finds what looking through everything that one can read finds."""

import re
from itertools import cycle

import engines
from conftest import Live
from hypothesis import Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test
from inbox_model import Said
from property.test_conversations import PEOPLE
from property.test_one_inbox import MOST, OneInbox, line_facts

EXAMPLES, STEPS = 4, 15
SEARCHES = ("words", "WORDS 3", "joined room", "the room left", "7", "word")


def says(message: Said, words: str) -> bool:
    return set(words.lower().split()) <= set(re.findall("[a-z0-9]+", message.text.lower()))


class Searched(OneInbox):
    """The three search after each step."""

    searches = cycle(SEARCHES)

    @invariant()
    def searches_agree(self) -> None:
        """What is found is every message with the words in conversations that one can open, and no other."""
        words = next(self.searches)
        for who in PEOPLE:
            readable = [said for each in self.known if each.shows_itself(who) for said in each.said]
            wanted = [each for each in readable if says(each, words)]
            wanted.sort(key=lambda each: each.id, reverse=True)
            found = self.chatter[who].get("/chat/search", words=words, limit=MOST).json
            assert [line_facts(each) for each in found] == [self.modelled_line(each) for each in wanted]


def test_a_search_finds_what_can_be_read(live: Live) -> None:
    """After every step each player finds by words what a plain model says that he can read."""
    script = live.script()
    run_state_machine_as_test(
        lambda: Searched(live, script),
        # Against a live server it would take minutes to make what has failed any smaller.
        settings=settings(
            max_examples=engines.tries(EXAMPLES),
            stateful_step_count=STEPS,
            deadline=None,
            phases=[Phase.generate],
        ),
    )
