"""Two servers and many writers on one PostgreSQL for a while, and then every promise about what was sent.

By hand: SOAK_SECONDS=600 python -m pytest tests/faults/test_soak.py -n 0 -s --timeout 0
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import engines
import pytest
from fleet import DOORS, Fleet, Person, Room, assert_kept, crowd, listening, serving, speaking

SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "2"))
WRITERS = 8


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two servers on one PostgreSQL, whatever the engine of the run is."""
    folder = tmp_path_factory.mktemp("soak")
    with serving(folder, engines.cluster().empty(folder, "live")) as made:
        yield made


def read_all(people: list[Person]) -> list[list[int]]:
    """The ids of all messages as each of *people* reads them, through another door than the one before."""
    with ThreadPoolExecutor(len(people)) as pool:
        runs = [pool.submit(door, each) for door, each in zip(cycle(DOORS), people, strict=False)]
    return [[message_id for message_id, _, _ in each.result()] for each in runs]


def test_all_promises_hold_after_a_while(fleet: Fleet) -> None:
    """Each message is there once, in one order for all readers, and was told once to all who listened."""
    one = fleet.servers[0]
    room = Room(one, WRITERS)
    with crowd(room, *fleet.addresses) as people, listening(room.players, *fleet.addresses) as ears:
        with speaking(people):
            time.sleep(SOAK_SECONDS)
        assert [each.failed for each in people] == [[]] * WRITERS
        ids = assert_kept(one, room, people)
        assert len(ids) == sum(len(each.acknowledged) for each in people) > WRITERS
        everything = [message_id for message_id, _, _ in room.stored(one)]
        assert read_all(people) == [everything] * WRITERS
        assert [ear.has_heard(ids) for ear in ears] == [True, True]
    print(f"{len(ids)} messages, {sum(len(each.calls) for each in people)} calls in {SOAK_SECONDS} seconds")
