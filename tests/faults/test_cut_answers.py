"""A third of all answers cut on their way, to clients who repeat what they have sent under the same key.

By hand: CUT_SENDS=10000 python -m pytest tests/faults/test_cut_answers.py -n 0 -s --timeout 0
"""

import os
import random
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from xml.parsers.expat import ExpatError

import pytest
from conftest import Live
from fleet import LOST, Person, Room, assert_kept

SENDS = int(os.environ.get("CUT_SENDS", "50"))
SENDERS = 4
# A message is tried so often; that all of these are cut does not happen in the life of a star.
TRIES = 100
RESET = struct.pack("ii", 1, 0)


class Cutter:
    """Stands before a server and lets clients have only a part of every third answer, on the average."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("http://").rpartition(":")
        self.target = (host, int(port))
        self.chance = random.Random(20261122)
        self.cut, self.passed = 0, 0
        self.door = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.door.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.door.accept()
                threading.Thread(target=self.serve, args=(near,), daemon=True).start()

    def serve(self, near: socket.socket) -> None:
        with near, socket.create_connection(self.target) as far, suppress(OSError):
            requests = threading.Thread(target=pass_on, args=(near, far), daemon=True)
            requests.start()
            while answer := far.recv(65536):
                if self.chance.random() < 1 / 3:
                    self.cut += 1
                    near.sendall(answer[: self.chance.randrange(len(answer))])
                    if self.chance.random() < 0.5:
                        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    break
                self.passed += 1
                near.sendall(answer)
            # What is still read from the client here would be carried out and heard by nobody.
            with suppress(OSError):
                near.shutdown(socket.SHUT_RD)
            requests.join()

    def close(self) -> None:
        self.door.close()


def pass_on(here: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):
        while data := here.recv(65536):
            there.sendall(data)
    with suppress(OSError):
        there.shutdown(socket.SHUT_RDWR)


@dataclass
class Sender:
    """Somebody who sends numbered messages through one door, each until he hears that it is there."""

    person: Person
    door: Callable[[Person, str, str], int]
    tries: int = 0

    def send(self, times: int) -> None:
        for _ in range(times):
            body = f"{self.person.player.name}: {len(self.person.tried)}"
            self.person.tried.append(body)
            self.person.acknowledged[body] = self.insist(body)

    def insist(self, body: str) -> int:
        # Python takes an answer that ends within its head for one without a body.
        for _ in range(TRIES):
            self.tries += 1
            try:
                return self.door(self.person, body, body)
            except (*LOST, ValueError, ExpatError):
                continue
        raise AssertionError("no answer came through")


@pytest.mark.parametrize("door", [Person.by_forum, Person.by_chat, Person.by_phone])
def test_what_is_repeated_under_a_key_is_there_once(
    live: Live, door: Callable[[Person, str, str], int]
) -> None:
    """Where a third of the answers is cut and all is repeated under its key, each message is there once."""
    room = Room(live, SENDERS)
    with closing(Cutter(live.address)) as cutter, ThreadPoolExecutor(SENDERS) as pool:
        people = [Person(room, each, cutter.address) for each in room.players]
        senders = [Sender(each, door) for each in people]
        for run in [pool.submit(each.send, SENDS // SENDERS) for each in senders]:
            run.result()
        for each in people:
            each.close()
    assert len(assert_kept(live, room, people)) == SENDS // SENDERS * SENDERS
    assert cutter.cut > SENDS / 4
    tries = sum(each.tries for each in senders)
    print(f"{SENDS} messages in {tries} requests, {cutter.cut} answers cut: each message there once")
