"""A server whose processes are all killed while people speak, and started anew, again and again.

By hand: KILL_CYCLES=300 python -m pytest tests/faults/test_killed.py -n 0 -s --timeout 0
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import engines
from conftest import Live
from fleet import DOORS, Person, Room, acknowledged, assert_kept, crowd, free_port, speaking, wait_for

CYCLES = int(os.environ.get("KILL_CYCLES", "3"))
SPEAKERS = 4
# How many messages are acknowledged at least before a server is killed, and how long it may go on then.
FIRST, LATER_SECONDS = 8, 0.3


def assert_read(room: Room, people: list[Person], reader: Person, number: int) -> None:
    """One door shows each acknowledged message once, with its id, author and text, and counts as many.

    *reader* is a player of the room who has never opened it; its oldest messages, before the first of
    *people* spoke, are about who has joined.
    """
    said = DOORS[number % len(DOORS)](people[number % len(people)])
    spoken = said[room.before :]
    sent = {(n, int(each.player.id), body) for each in people for body, n in each.acknowledged.items()}
    tried = {(int(each.player.id), body) for each in people for body in each.tried}
    assert sent <= set(spoken)
    assert {(author, body) for _, author, body in spoken} <= tried
    assert len({body for _, _, body in spoken}) == len(spoken)
    assert [message_id for message_id, _, _ in said] == sorted(message_id for message_id, _, _ in said)
    [listed] = reader.own.call("get_conversations")["list"]
    unread = sum(author != int(reader.player.id) for _, author, _ in said)
    assert (listed["total_message_num"], listed["unread_num"]) == (len(said), unread)
    assert listed["participant_count"] == len(room.players)
    assert reader.own.rest("GET", "/chat/totals")["totalUnreadMessages"] == unread


def kill_under_load(server: Live, people: list[Person]) -> None:
    before = acknowledged(people)
    with speaking(people):
        wait_for(lambda: acknowledged(people) >= before + FIRST)
        time.sleep(random.uniform(0, LATER_SECONDS))
        server.kill()


def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    """After each `kill -9` under load every door shows what was acknowledged, once, and counts it right."""
    database, port = engines.chosen().place(tmp_path, "live"), str(free_port())

    def start(number: int) -> Live:
        workers = str(1 + number % 2)
        return Live(tmp_path, "--limits", "off", "--port", port, "--workers", workers, database=database)

    server = start(0)
    try:
        room = Room(server, SPEAKERS + 1)
        with crowd(room, server.address) as [reader, *people]:
            for number in range(CYCLES):
                kill_under_load(server, people)
                server = start(number)
                assert_kept(server, room, people)
                assert_read(room, people, reader, number)
            for number in range(len(DOORS)):
                assert_read(room, people, reader, number)
    finally:
        server.stop()
    check = [sys.executable, "-m", "server", "check", "--database", database]
    assert subprocess.run(check, capture_output=True, timeout=60).returncode == 0
    print(f"{CYCLES} times killed, {acknowledged(people)} messages acknowledged, none lost or doubled")
