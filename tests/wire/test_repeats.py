"""Calls over XML-RPC that come again under their key, at the forum door and at the phone door.

For longer: REPEATED_SENDS=2000 python -m pytest tests/wire/test_repeats.py -n 0 -k cut
"""

import http.client
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from html import unescape
from typing import Any
from xml.parsers.expat import ExpatError
from xmlrpc.client import Binary, Fault, ProtocolError, ServerProxy, dumps, loads

import pytest
from conftest import Live, Member, Player, numbers
from fleet import Connection, Room
from rest_client import Chatter, Client

from models import Contact, Conversation, KeptAnswer, Message, ServerKey, database, now
from models.users import digest_of
from server.actions import accounts
from server.actions.repeats import LIFE
from server.faces.published import METHODS
from server.wire.once import KEY, LONGEST_KEY, TOLD

SENDS = int(os.environ.get("REPEATED_SENDS", "100"))
# What a client gets of a line that cuts requests and answers.
UNANSWERED = (OSError, http.client.HTTPException, ExpatError, ProtocolError)
AT_ONCE = 8
KEY_REUSED, BAD_PARAMS = 422, -32602
MADE = (Message, Conversation, Contact)


class Caller(Connection):
    """Somebody who calls over XML-RPC, under a key."""

    def under(self, key: str, method: str, *values: Any) -> bytes:
        """The answer, down to its bytes."""
        sent = dumps(values, method).encode()
        status, body = self.ask("POST", "/RPC2", sent, "text/xml", Idempotency_Key=key)
        assert status == http.HTTPStatus.OK
        return body

    def multicall(self, key: str, *calls: tuple[str, list[Any]]) -> bytes:
        made = [{"methodName": name, "params": values} for name, values in calls]
        return self.under(key, "system.multicall", made)


def said(body: bytes) -> Any:
    """What an answer says, or its fault."""
    return loads(body, use_builtin_types=True)[0][0]


@dataclass
class Scene:
    """Two who play, in a room and in a conversation; how they call themselves, and how a script does."""

    live: Live
    ann: Player
    bob: Player
    room: int
    thread: str
    caller: Caller
    script: Caller

    def by(self, method: str) -> Caller:
        """Whoever may call this method."""
        return self.script if method[0].isupper() else self.caller

    def made(self) -> list[int]:
        """How many there are of all that a repeated call could make anew."""
        with self.live.store():
            return [table.select().count() for table in MADE]

    def texts(self) -> list[str]:
        """What was said in the room, and in the conversation behind its first message."""
        wanted = Message.conversation.in_([self.room, int(self.thread)])
        with self.live.store():
            rows = Message.select().where(wanted, Message.kind == "text").order_by(Message.id)
            return [row.body for row in rows][1:]

    def say(self, key: str, text: str) -> bytes:
        return self.caller.under(key, "reply_conversation", self.thread, Binary(text.encode()))

    def say_by_phone(self, key: str, text: str, script: Caller | None = None) -> bytes:
        caller = script or self.script
        return caller.under(key, "Darkchat_SendMessageBySrc", self.ann.src, self.room, text)


@pytest.fixture
def scene(live: Live) -> Iterator[Scene]:
    room = Room(live, 2)
    ann, bob = room.players
    begun = ann.rpc.new_conversation([bob.name], b"Lunch", b"At noon?")
    with (
        closing(Caller(live.address, Authorization=f"Bearer {ann.token}")) as caller,
        closing(Caller(live.address, X_API_Key=room.key)) as script,
    ):
        yield Scene(live, ann, bob, room.id, begun["conv_id"], caller, script)


@contextmanager
def another(scene: Scene) -> Iterator[Caller]:
    """A script with a key of its own."""
    with closing(Caller(scene.live.address, X_API_Key=scene.live.key())) as script:
        yield script


CALLS: dict[str, Callable[[Scene], list[Any]]] = {
    "new_conversation": lambda s: [[s.bob.name], b"Supper", b"At [b]six[/b]? \xc3\xa9 & <3\r\n"],
    "reply_conversation": lambda s: [s.thread, b"Yes."],
    "Darkchat_CreateConversationBySrc": lambda s: [s.ann.src, "Heist"],
    "Darkchat_CreateConversationByNumber": lambda s: [s.ann.number, "Heist"],
    "Darkchat_SendMessageBySrc": lambda s: [s.ann.src, s.room, "At <midnight> & \xe9."],
    "Darkchat_SendMessageByNumber": lambda s: [s.ann.number, s.room, "At midnight."],
    "Messages_SendMessageToSrc": lambda s: [s.ann.src, "Your car is ready.", "Los Santos Customs"],
    "Messages_SendMessageToNumber": lambda s: [s.ann.number, "Your car is ready.", s.bob.number],
    "PhoneApp_AddContactBySrc": lambda s: [s.ann.src, "555-123", "Joe", "Banks"],
    "PhoneApp_AddContactByNumber": lambda s: [s.ann.number, "555-123", "Joe", "Banks", "A friend"],
}


class TestMethods:
    """Which methods can be repeated"""

    def test_it_is_declared_of_these(self) -> None:
        """A method that makes something new is declared as one that is carried out once."""
        assert {name for name, method in METHODS.items() if method.once} == set(CALLS)

    @pytest.mark.parametrize("method", CALLS)
    def test_what_comes_again_makes_nothing_new(self, scene: Scene, method: str) -> None:
        """The same call under the same key is answered by the same bytes, and nothing more is stored."""
        values, caller = CALLS[method](scene), scene.by(method)
        before = scene.made()
        first = caller.under("k", method, *values)
        after = scene.made()
        assert before != after
        assert caller.under("k", method, *values) == first
        assert scene.made() == after

    @pytest.mark.parametrize("method", METHODS)
    def test_the_help_says_it(self, live: Live, method: str) -> None:
        """The help of a method tells of the key where it counts, and nowhere else."""
        told = TOLD in live.proxy().system.methodHelp(method)
        assert told == (method in CALLS)

    def test_the_reference_says_it(self, live: Live) -> None:
        """The reference tells of the key as often as there are methods for which it counts."""
        assert unescape(Client(live.address).get("/docs").body.decode()).count(TOLD) == len(CALLS)

    def test_other_methods_pass_it_over(self, scene: Scene) -> None:
        """A call that only asks is answered anew each time, however long the key is."""
        key = "k" * (LONGEST_KEY + 1)
        counts = []
        for text in (b"One.", b"Two."):
            assert scene.bob.rpc.reply_conversation(scene.thread, text)["result"]
            page = said(scene.caller.under(key, "get_conversation", scene.thread))
            counts.append(page["total_message_num"])
        assert counts[0] < counts[1]

    def test_without_a_key_nothing_is_kept(self, scene: Scene) -> None:
        """A call without a key, or under an empty one, is carried out each time and not kept."""
        for _ in range(2):
            assert said(scene.say("", "Yes."))["result"]
            scene.caller.call("reply_conversation", scene.thread, b"Yes.")
        assert scene.texts() == ["Yes."] * 4
        with scene.live.store():
            assert KeptAnswer.select().where(KeptAnswer.user == int(scene.ann.id)).count() == 0


class TestKeys:
    """What a key stands for"""

    def test_other_values_are_refused_on_the_forum(self, scene: Scene) -> None:
        """The same key with other values is refused by the forum's struct, and nothing is said."""
        assert said(scene.say("k", "Yes."))["result"] is True
        refused = said(scene.say("k", "No."))
        assert (refused["result"], refused["result_text"]) == (
            False,
            b"This key came with another request before.",
        )
        assert scene.texts() == ["Yes."]

    def test_other_values_are_a_fault_on_the_phone(self, scene: Scene) -> None:
        """The same key with other values is fault 422 to a script, and nothing is said."""
        assert said(scene.say_by_phone("k", "Yes."))["success"]
        with pytest.raises(Fault) as fault:
            said(scene.say_by_phone("k", "No."))
        assert fault.value.faultCode == KEY_REUSED
        assert scene.texts() == ["Yes."]

    def test_another_method_is_refused(self, scene: Scene) -> None:
        """The same key with another method is refused, whatever its values are."""
        assert said(scene.say_by_phone("k", "Yes."))["success"]
        values = [scene.ann.number, scene.room, "Yes."]
        with pytest.raises(Fault) as fault:
            said(scene.script.under("k", "Darkchat_SendMessageByNumber", *values))
        assert fault.value.faultCode == KEY_REUSED

    def test_the_spelling_makes_no_difference(self, scene: Scene) -> None:
        """The same values are the same call, in whatever types they travel."""
        ways: list[list[Any]] = [
            [scene.thread, b"Yes."],
            [int(scene.thread), "Yes."],
            [scene.thread, b"Yes.", "", []],
        ]
        answers = {scene.caller.under("k", "reply_conversation", *way) for way in ways}
        assert len(answers) == 1
        assert scene.texts() == ["Yes."]

    def test_an_endless_key_is_refused(self, scene: Scene) -> None:
        """A key may have 255 characters; with one more the call is fault -32602 at either door."""
        longest = "k" * LONGEST_KEY
        assert said(scene.say(longest, "Yes."))["result"]
        assert said(scene.say_by_phone(longest, "Yes."))["success"]
        for say in (scene.say, scene.say_by_phone):
            with pytest.raises(Fault, match="at most 255 characters") as fault:
                said(say(f"{longest}k", "No."))
            assert fault.value.faultCode == BAD_PARAMS
        assert scene.texts() == ["Yes.", "Yes."]

    def test_a_key_is_shared_between_a_users_doors(self, scene: Scene) -> None:
        """What came under a key through the chat door is another request on the forum, and the reverse."""
        chatter = Chatter(scene.live.address, scene.ann.token, scene.ann.id)
        path = f"/chat/{scene.thread}/messages"
        assert chatter.post(path, {"text": "One."}, Idempotency_Key="a").status == 201
        assert said(scene.say("a", "One."))["result"] is False
        assert said(scene.say("b", "Two."))["result"] is True
        assert chatter.post(path, {"text": "Two."}, Idempotency_Key="b").refusal == (422, "KEY_REUSED")
        assert scene.texts() == ["One.", "Two."]

    def test_a_key_ends_after_a_day(self, scene: Scene) -> None:
        """After 24 hours the same call under the same key is another one, for a user and for a script."""
        for _ in range(2):
            scene.say("k", "Yes.")
            scene.say_by_phone("k", "Yes.")
            with scene.live.store(), database.atomic():
                KeptAnswer.update(kept_at=now() - LIFE * 1.01).execute()
        assert scene.texts() == ["Yes."] * 4


class TestHolders:
    """Whose a key is"""

    def test_two_users_do_not_meet(self, scene: Scene) -> None:
        """Under one key two users say two things, and each gets his own answer."""
        with closing(Caller(scene.live.address, Authorization=f"Bearer {scene.bob.token}")) as bob:
            answers = [
                [said(each.under("k", "reply_conversation", scene.thread, text))["msg_id"] for _ in range(2)]
                for each, text in ((scene.caller, b"Ann."), (bob, b"Bob."))
            ]
        assert [len(set(each)) for each in answers] == [1, 1]
        assert scene.texts() == ["Ann.", "Bob."]

    def test_two_scripts_do_not_meet(self, scene: Scene) -> None:
        """Under one key two scripts with server keys of their own say the same thing twice."""
        with another(scene) as other:
            answers = [said(scene.say_by_phone("k", "Yes.", each)) for each in (scene.script, other)]
        assert answers[0]["message"]["id"] != answers[1]["message"]["id"]
        assert scene.texts() == ["Yes.", "Yes."]

    def test_a_user_and_a_script_do_not_meet(self, scene: Scene) -> None:
        """Under one key a user and a script say two things."""
        assert said(scene.say("k", "Ann."))["result"]
        assert said(scene.say_by_phone("k", "Script."))["success"]
        assert scene.texts() == ["Ann.", "Script."]

    def test_a_withdrawn_server_key_takes_its_answers_along(self, scene: Scene) -> None:
        """What was kept for a server key goes with it, and nothing else does."""
        key = scene.live.key()
        with closing(Caller(scene.live.address, X_API_Key=key)) as script:
            scene.say_by_phone("k", "Yes.", script)
        scene.say_by_phone("k", "Yes.")
        with scene.live.store(), database.atomic():
            held = ServerKey.get(ServerKey.digest == digest_of(key)).id
            before = KeptAnswer.select().count()
            assert KeptAnswer.select().where(KeptAnswer.server_key == held).count() == 1
            accounts.revoke_key(held)
            assert KeptAnswer.select().count() == before - 1


class TestRefusals:
    """What is kept, and what is not"""

    def test_what_was_refused_is_carried_out_later(self, scene: Scene) -> None:
        """A refused call keeps nothing: under the same key it is carried out when it can be."""
        stranger = scene.live.player()
        call = ("Darkchat_SendMessageBySrc", stranger.src, scene.room, "Here I am.")
        assert said(scene.script.under("k", *call))["success"] is False
        scene.script.call("Darkchat_AddToConversationBySrc", stranger.src, scene.room)
        assert said(scene.script.under("k", *call))["success"] is True
        assert scene.texts() == ["Here I am."]

    def test_a_refused_key_may_bring_something_else(self, scene: Scene) -> None:
        """After a refusal the key is free for another call."""
        assert said(scene.say("k", ""))["result"] is False
        assert said(scene.say("k", "Yes."))["result"] is True

    def test_what_is_gone_is_still_answered(self, scene: Scene) -> None:
        """A call whose message has been erased meanwhile is answered as it was."""
        first = scene.say_by_phone("k", "Yes.")
        for player in (scene.ann, scene.bob):
            scene.script.call("Darkchat_RemoveFromConversationBySrc", player.src, scene.room)
        with scene.live.store():
            assert Conversation.get_or_none(Conversation.id == scene.room) is None
        assert scene.say_by_phone("k", "Yes.") == first

    def test_a_repeat_costs_no_allowance(self, tmp_path: Any) -> None:
        """Where one message may be said at once, it may be repeated at will, and then not another."""
        live = Live(tmp_path, "--message-burst", "1", "--message-interval", "600")
        try:
            ann, bob = live.member(), live.member()
            thread = bob.rpc.new_conversation([ann.name], b"Lunch", b"At noon?")["conv_id"]
            with closing(Caller(live.address, Authorization=f"Bearer {ann.token}")) as caller:
                answers = {caller.under("k", "reply_conversation", thread, b"Yes.") for _ in range(5)}
                assert [said(each)["result"] for each in answers] == [True]
                assert said(caller.under("l", "reply_conversation", thread, b"No."))["result"] is False
        finally:
            live.stop()


class TestMulticall:
    """Several calls under one key"""

    def test_what_comes_again_makes_nothing_new(self, scene: Scene) -> None:
        """The same calls in one request have the same answers, each its own, and make nothing new."""
        calls = [("reply_conversation", [scene.thread, b"Yes."])] * 3
        first = scene.caller.multicall("k", *calls)
        assert len({each["msg_id"] for [each] in said(first)}) == len(calls)
        assert scene.caller.multicall("k", *calls) == first
        assert scene.texts() == ["Yes."] * len(calls)

    def test_what_was_refused_is_carried_out_later(self, scene: Scene) -> None:
        """Of calls in one request that come again only those are carried out that were refused before."""
        stranger = scene.live.player()
        calls = [
            ("Darkchat_SendMessageBySrc", [player.src, scene.room, player.name])
            for player in (scene.ann, stranger, scene.bob)
        ]
        first = said(scene.script.multicall("k", *calls))
        assert [each["success"] for [each] in first] == [True, False, True]
        scene.script.call("Darkchat_AddToConversationBySrc", stranger.src, scene.room)
        second = said(scene.script.multicall("k", *calls))
        assert [second[0], second[2]] == [first[0], first[2]]
        assert scene.texts() == [scene.ann.name, scene.bob.name, stranger.name]

    def test_another_call_in_a_place_is_refused(self, scene: Scene) -> None:
        """Another call in the place of one is a fault there, and the others are answered as before."""
        send = "Darkchat_SendMessageBySrc"
        calls = [(send, [scene.ann.src, scene.room, text]) for text in ("One.", "Two.")]
        [first], _ = said(scene.script.multicall("k", *calls))
        [again], fault = said(scene.script.multicall("k", calls[0], calls[0]))
        assert (again, fault["faultCode"]) == (first, KEY_REUSED)
        assert scene.texts() == ["One.", "Two."]


class TestAtOnce:
    """The same from several sides"""

    @pytest.mark.parametrize("method", ["reply_conversation", "Darkchat_SendMessageBySrc"])
    def test_at_one_moment_it_is_done_once(self, scene: Scene, method: str) -> None:
        """Of eight that come under one key at one moment one is carried out, and all have its answer."""
        values, start = CALLS[method](scene), threading.Barrier(AT_ONCE)
        headers = scene.by(method).headers

        def call(_: int) -> bytes:
            with closing(Caller(scene.live.address, **headers)) as caller:
                start.wait()
                return caller.under("k", method, *values)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = set(pool.map(call, range(AT_ONCE)))
        assert len(answers) == 1
        assert not {"result": False, "success": False}.items() & said(answers.pop()).items()
        assert len(scene.texts()) == 1


class Cutter:
    """What stands between a client and the server, and cuts what it passes on, each time at another place.

    It takes one request on each connection. Of three requests one is cut, of three answers one.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("http://").rpartition(":")
        self.server = host, int(port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        # The same cuts each time.
        self.chance = random.Random(7)
        self.cuts = 0
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                with client:
                    self.pass_on(client)

    def pass_on(self, client: socket.socket) -> None:
        request = self.cut(whole(client))
        with socket.create_connection(self.server, timeout=30) as server:
            server.sendall(request)
            server.shutdown(socket.SHUT_WR) if self.was_cut else None
            answer = whole(server)
        client.sendall(self.cut(answer))

    def cut(self, data: bytes) -> bytes:
        self.was_cut = bool(data) and self.chance.random() < 1 / 3
        self.cuts += self.was_cut
        return data[: self.chance.randrange(len(data))] if self.was_cut else data

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def whole(connection: socket.socket) -> bytes:
    """A request or an answer, up to the length that it tells, or up to where it ends."""
    data, length = b"", None
    while length is None or len(data) < length:
        part = connection.recv(65536)
        if not part:
            break
        data += part
        head, ends, _ = data.partition(b"\r\n\r\n")
        if ends:
            told = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            length = len(head) + len(ends) + int(told or 0)
    return data


class Stubborn:
    """A script that says each thing under a key of its own until it has the answer."""

    def __init__(self, member: Member, address: str) -> None:
        self.member, self.address = member, address

    def say(self, thread: str, text: str) -> str:
        """The id of the message."""
        headers = [("Authorization", f"Bearer {self.member.token}"), (KEY, f"{next(numbers)}")]
        while True:
            with (
                suppress(*UNANSWERED),
                ServerProxy(self.address, headers=headers, use_builtin_types=True) as forum,
            ):
                answer: Any = forum.reply_conversation(thread, text.encode())
                assert answer["result"], answer
                return str(answer["msg_id"])


def test_who_repeats_what_was_cut_has_said_everything_once(scene: Scene) -> None:
    """Over a line that cuts requests and answers, each message is there once, in order, by the id told."""
    with closing(Cutter(scene.live.address)) as cutter:
        script = Stubborn(scene.ann, f"{cutter.address}/RPC2")
        told = [script.say(scene.thread, f"{number}") for number in range(SENDS)]
    assert cutter.cuts > SENDS // 2
    with scene.live.store():
        rows = Message.select().where(Message.conversation == int(scene.thread)).order_by(Message.seq)
        stored = [(str(row.id), row.body) for row in rows][1:]
    assert stored == [(each, f"{number}") for number, each in enumerate(told)]
