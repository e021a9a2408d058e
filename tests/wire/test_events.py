"""Listening to what happens: a long answer of server-sent events, through a client of these tests' own."""

import http.client
import json
import os
import re
import signal
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from conftest import Live, Member
from rest_client import Chatter

from models import AccessToken, User
from server.actions import accounts

SECONDS = 10
ZEROS = {
    "totalPendingRequest": 0,
    "totalPendingRequests": 0,
    "totalUnreadMessages": 0,
    "totalUnreadChats": 0,
}


@dataclass
class Told:
    """One event as a listener gets it."""

    id: str
    kind: str
    data: Any

    @property
    def place(self) -> list[int]:
        """Its id in the order in which ids grow."""
        return [int(number) for number in self.id.split("-")]


class Stream:
    """A listener. *comments* and *retry* are what came beside the events."""

    def __init__(self, live: Live, query: str = "", buffer: int = 0, **headers: str) -> None:
        host, _, port = live.address.removeprefix("http://").rpartition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
        if buffer:
            self.connection.sock = socket.socket()
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self.connection.sock.settimeout(SECONDS)
            self.connection.sock.connect((host, int(port)))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request("GET", f"/chat/events{query}", headers=named)
        self.response = self.connection.getresponse()
        self.comments, self.retry = 0, 0

    def __iter__(self) -> Iterator[Told]:
        """What is told, until the server ends it."""
        fields: dict[str, str] = {}
        while line := self.response.readline().decode():
            name, _, value = line.rstrip("\n").partition(":")
            if name:
                fields[name] = value.strip()
            elif line != "\n":
                self.comments += 1
            elif "data" in fields:
                yield Told(fields["id"], fields["event"], json.loads(fields["data"]))
            self.retry = int(fields.pop("retry", self.retry))
            fields = fields if name else {}

    def until(self, kind: str) -> list[Told]:
        """Everything up to the first event of that kind."""
        told = []
        for each in self:
            told.append(each)
            if each.kind == kind:
                return told
        raise AssertionError(f"the answer ended after {told}")

    def next(self, kind: str) -> Told:
        return self.until(kind)[-1]

    def cut(self) -> None:
        """Break the line without a word, as a network does: what is in flight gets an RST for an answer."""
        assert self.connection.sock is not None
        self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.response.close()
        self.connection.close()


Listen = Callable[..., Stream]


@pytest.fixture
def listen(live: Live) -> Iterator[Listen]:
    """Begin to listen as a member, and wait until that is so."""
    with ExitStack() as stack:
        yield lambda member, where=live, **more: stack.enter_context(
            closing(listening(where, member, **more))
        )


def listening(live: Live, member: Member, **more: Any) -> Stream:
    stream = Stream(live, Authorization=f"Bearer {member.token}", **more)
    assert stream.response.status == 200
    if "Last_Event_ID" not in more:
        stream.next("totals")
    return stream


def chatter_of(live: Live, member: Member) -> Chatter:
    return Chatter(live.address, member.token, member.id, member.name)


def status_of_listening(live: Live, member: Member) -> int:
    with closing(Stream(live, Authorization=f"Bearer {member.token}")) as stream:
        return stream.response.status


def conversation(starter: Member, *others: Member) -> str:
    names = [other.name.encode() for other in others]
    return str(starter.rpc.new_conversation(names, b"Subject", b"first")["conv_id"])


def say(author: Member, conversation_id: str, text: str) -> str:
    return str(author.rpc.reply_conversation(conversation_id, text.encode())["msg_id"])


def texts(told: list[Told]) -> list[str]:
    return [each.data["message"]["text"] for each in told if each.kind == "message"]


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Live]:
    """A server of the test's own, which often looks who may still listen."""
    server = Live(tmp_path, "--limits", "off", "--heartbeat", "0.2", "--ring-seconds", "1")
    yield server
    server.stop()


# What is told


def test_the_answer_is_a_stream_of_events(live: Live, ann: Member) -> None:
    """The answer says what it is, that it is not to be kept, and when to come back."""
    with closing(Stream(live, Authorization=f"Bearer {ann.token}")) as stream:
        head = stream.response.headers
        assert (head.get_content_type(), head["Cache-Control"]) == ("text/event-stream", "no-store")
        assert head["Content-Length"] is None
        stream.next("totals")
        assert 1000 <= stream.retry <= 3000


def test_a_listener_begins_with_his_totals(live: Live, ann: Member, bob: Member) -> None:
    """Who begins to listen is told his totals at once, and nothing that was before."""
    conversation(ann, bob)
    with closing(Stream(live, Authorization=f"Bearer {bob.token}")) as stream:
        [told] = stream.until("totals")
        assert told.data == ZEROS | {"totalUnreadMessages": 1, "totalUnreadChats": 1}


def test_a_message_of_the_forum_is_told(listen: Listen, ann: Member, bob: Member) -> None:
    """A message through the forum door reaches those who listen, as text without markup."""
    place = conversation(ann, bob)
    stream = listen(bob)
    number = say(ann, place, "Grüße, [b]Bob[/b]\nand more")
    told = stream.next("message")
    message = {"id": number, "chatId": place, "userId": int(ann.id), "text": "Grüße, Bob\nand more"}
    assert told.data["chatId"] == place
    assert told.data["message"].items() >= message.items()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told.data["message"]["createdAt"])


def test_a_message_of_the_phone_is_told(live: Live, listen: Listen) -> None:
    """A message through the phone door reaches those who listen."""
    script, player = live.script(), live.player()
    stream = listen(player)
    script.Messages_SendMessageToNumber(player.number, "Your car is ready.", "Los Santos Customs")
    told = stream.next("message")
    assert (told.data["message"]["text"], told.data["message"]["userId"]) == ("Your car is ready.", None)


def test_totals_follow_a_message(listen: Listen, ann: Member, bob: Member) -> None:
    """After a message come the totals that it has changed, under its id."""
    place = conversation(ann, bob)
    stream = listen(bob)
    say(ann, place, "second")
    message, totals = stream.until("totals")
    assert (message.kind, message.id) == ("message", totals.id)
    assert totals.data == ZEROS | {"totalUnreadMessages": 2, "totalUnreadChats": 1}


def test_totals_follow_a_request_that_is_left(live: Live, listen: Listen, ann: Member, bob: Member) -> None:
    """Who was asked hears that nothing waits any more when whoever asked leaves the chat on the forum."""
    chat = chatter_of(live, ann).asks(chatter_of(live, bob))
    stream = listen(bob)
    assert ann.rpc.delete_conversation(chat, 2)["result"]
    assert stream.next("totals").data == ZEROS


def test_totals_follow_what_comes_back(live: Live, listen: Listen, ann: Member, bob: Member) -> None:
    """Who asks again for a chat that he had hidden hears what he has not read there."""
    first, second = chatter_of(live, ann), chatter_of(live, bob)
    chat = first.talks_with(second)
    second.says(chat, "unread")
    assert ann.rpc.delete_conversation(chat, 1)["result"]
    stream = listen(ann)
    first.asks(second)
    assert stream.next("totals").data == ZEROS | {"totalUnreadMessages": 1, "totalUnreadChats": 1}


def test_totals_follow_a_room_that_comes_back(live: Live, listen: Listen) -> None:
    """Who enters a room again that he had hidden on the forum hears what he has not read there."""
    script, owner, guest = live.script(), live.player(), live.player()
    room = script.Darkchat_CreateConversationByNumber(owner.number, "Heist", "")["newConv"]
    script.Darkchat_JoinByCodeByNumber(guest.number, room["joinCode"])
    script.Darkchat_SendMessageByNumber(owner.number, room["id"], "unread")
    unread = guest.rpc.get_conversations()["list"][0]["unread_num"]
    assert guest.rpc.delete_conversation(str(room["id"]), 1)["result"]
    stream = listen(guest)
    script.Darkchat_JoinByCodeByNumber(guest.number, room["joinCode"])
    assert stream.next("totals").data["totalUnreadMessages"] == unread > 0


def test_totals_follow_an_invitation(listen: Listen, ann: Member, bob: Member, carol: Member) -> None:
    """Who is invited hears how much there is to read for him now."""
    place, stream = conversation(ann, bob), listen(carol)
    ann.rpc.invite_participant([carol.name], place)
    assert stream.next("totals").data == ZEROS | {"totalUnreadMessages": 1, "totalUnreadChats": 1}


def test_a_request_is_told_until_it_is_withdrawn(
    listen: Listen, ann: Member, bob: Member, chatter: Callable[[Member], Chatter]
) -> None:
    """A request, its message and its withdrawal reach the one who is asked, by his totals at least."""
    asking, stream = chatter(ann), listen(bob)
    chat = asking.asks(chatter(bob))
    assert stream.until("totals")[-1].data["totalPendingRequest"] == 1
    asking.says(chat, "May I?")
    assert stream.next("request").data == {"chatId": chat}
    stream.next("totals")
    asking.delete(f"/chat/{chat}")
    assert stream.next("totals").data == ZEROS


def test_the_author_s_other_devices_are_told(listen: Listen, ann: Member, bob: Member) -> None:
    """What a user says is told to his own listeners too."""
    place = conversation(ann, bob)
    stream = listen(ann)
    say(ann, place, "from my phone")
    assert stream.next("message").data["message"]["text"] == "from my phone"


@pytest.mark.parametrize("unread", [False, True])
def test_read_marks_are_told(listen: Listen, ann: Member, bob: Member, unread: bool) -> None:
    """A read mark that moves, to the end or back, is told to the user's listeners, and then his totals."""
    place = conversation(ann, bob)
    if unread:
        bob.rpc.mark_conversation_read(place)
    stream = listen(bob)
    (bob.rpc.mark_conversation_unread if unread else bob.rpc.mark_conversation_read)(place)
    read, totals = stream.until("totals")
    assert (read.kind, read.data) == ("read", {"chatId": place})
    assert totals.data["totalUnreadMessages"] == int(unread)


def test_reading_a_conversation_is_told(listen: Listen, ann: Member, bob: Member) -> None:
    """Who is shown messages has read them, which is told to his listeners."""
    place = conversation(ann, bob)
    stream = listen(bob)
    bob.rpc.get_conversation(place)
    assert stream.next("read").data == {"chatId": place}


def test_marking_all_read_is_told_of_each(listen: Listen, ann: Member, bob: Member) -> None:
    """Marking everything read is told for each conversation in which something was unread."""
    places = [conversation(ann, bob) for _ in range(3)]
    bob.rpc.mark_conversation_read(places[0])
    stream = listen(bob)
    bob.rpc.mark_conversation_read()
    told = stream.until("totals")
    assert [each.data["chatId"] for each in told[:-1]] == places[1:]
    assert told[-1].data == ZEROS


def test_nobody_hears_of_what_is_not_his(listen: Listen, ann: Member, bob: Member, carol: Member) -> None:
    """What happens in other people's conversations is not told."""
    theirs, hers = conversation(ann, bob), conversation(ann, carol)
    stream = listen(carol)
    say(ann, theirs, "secret")
    bob.rpc.get_conversation(theirs)
    say(ann, hers, "for carol")
    assert [each.kind for each in stream.until("totals")] == ["message", "totals"]


def test_who_has_left_hears_nothing(listen: Listen, ann: Member, bob: Member, carol: Member) -> None:
    """What is said in a conversation after one has left it is not told him."""
    left, other = conversation(ann, bob, carol), conversation(ann, bob)
    bob.rpc.delete_conversation(left, 2)
    stream = listen(bob)
    say(ann, left, "without bob")
    say(ann, other, "with bob")
    assert texts(stream.until("message")) == ["with bob"]


def test_a_message_reaches_who_has_hidden(listen: Listen, ann: Member, bob: Member) -> None:
    """A message brings a hidden conversation back, and is told."""
    place = conversation(ann, bob)
    bob.rpc.delete_conversation(place, 1)
    stream = listen(bob)
    say(ann, place, "again")
    assert texts(stream.until("message")) == ["again"]


def test_a_call_is_told_to_both_sides(live: Live, listen: Listen) -> None:
    """A call that begins, is answered and ends is told to both sides, as it stands when it is told."""
    script, caller, callee = live.script(), live.player(), live.player()
    streams = [listen(caller), listen(callee)]
    made = script.PhoneApp_StartCall(caller.number, callee.number)
    for act, state in (
        (lambda: None, "ringing"),
        (lambda: script.PhoneApp_AcceptCallBySrc(callee.src), "active"),
        (lambda: script.PhoneApp_EndCallBySrc(caller.src), "ended"),
    ):
        act()
        for stream in streams:
            told = stream.next("call").data
            assert (told["state"], told["fromNumber"], told["toNumber"]) == (
                state,
                caller.number,
                callee.number,
            )
            assert told["callId"] == made["callId"]


def test_a_call_that_nobody_answers_ends(quick: Live) -> None:
    """Those who listen hear of the end of a call that is not answered, though nobody does anything."""
    script, caller, callee = quick.script(), quick.player(), quick.player()
    with closing(listening(quick, callee)) as stream:
        script.PhoneApp_StartCall(caller.number, callee.number)
        assert [stream.next("call").data["state"] for _ in range(2)] == ["ringing", "ended"]


# Resuming


def test_a_resume_tells_what_was_missed(listen: Listen, ann: Member, bob: Member) -> None:
    """Who comes back with the id of what he heard last is told what he missed, once and in order."""
    place = conversation(ann, bob)
    stream = listen(bob)
    say(ann, place, "heard")
    last = stream.next("totals")
    stream.close()
    for number in range(120):
        say(ann, place, f"missed {number}")
    stream = listen(bob, Last_Event_ID=last.id)
    told = stream.until("totals")
    say(ann, place, "live")
    told += stream.until("message")
    assert texts(told) == [f"missed {number}" for number in range(120)] + ["live"]
    places = [each.place for each in told]
    assert places == sorted(places) and places[0] > last.place


def test_a_resume_tells_totals_once(listen: Listen, ann: Member, bob: Member) -> None:
    """However much was missed, the totals are told once, at its end."""
    place = conversation(ann, bob)
    last = listen(bob, Last_Event_ID="0").next("totals").id
    for _ in range(3):
        say(ann, place, "missed")
    told = listen(bob, Last_Event_ID=str(last)).until("totals")
    assert [each.kind for each in told] == ["message"] * 3 + ["totals"]
    assert told[-1].data["totalUnreadMessages"] == 4


AWAY = float(os.environ.get("AWAY_SECONDS", "1"))


def test_who_was_cut_off_misses_nothing(listen: Listen, ann: Member, bob: Member) -> None:
    """A listener whose line breaks, for as long as `AWAY_SECONDS`, gets what he missed once and in order."""
    place = conversation(ann, bob)
    stream = listen(bob)
    say(ann, place, "heard")
    last = stream.next("totals").id
    stream.cut()
    ends, count = time.monotonic() + AWAY, 0
    while time.monotonic() < ends:
        say(ann, place, f"missed {count}")
        count += 1
        time.sleep(0.05)
    told = listen(bob, Last_Event_ID=str(last)).until("totals")
    assert texts(told) == [f"missed {number}" for number in range(count)]


def test_the_last_id_may_stand_in_the_address(live: Live, ann: Member, bob: Member) -> None:
    """Who cannot set the header resumes by the address."""
    place = conversation(ann, bob)
    with closing(listening(live, bob)) as stream:
        say(ann, place, "heard")
        last = stream.next("totals").id
    say(ann, place, "missed")
    query = f"?{urlencode({'access_token': bob.token, 'lastEventId': last})}"
    with closing(Stream(live, query)) as stream:
        assert texts(stream.until("totals")) == ["missed"]


@pytest.mark.parametrize("last", ["x", "-1", "9" * 18, "9" * 100])
def test_an_id_that_never_was_resumes_nothing(listen: Listen, ann: Member, bob: Member, last: str) -> None:
    """With an id that cannot be, a listener hears what is new from now on."""
    place = conversation(ann, bob)
    stream = listen(bob, Last_Event_ID=last)
    assert [each.kind for each in stream.until("totals")] == ["totals"]
    say(ann, place, "new")
    assert texts(stream.until("message")) == ["new"]


def test_nothing_is_lost_while_others_speak(listen: Listen, ann: Member, bob: Member, carol: Member) -> None:
    """However often one is cut while messages come, he hears each once and in order."""
    place = conversation(ann, bob)
    stream = listen(bob)
    heard: list[Told] = []
    for number in range(60):
        say(ann, place, f"{number}")
        if number % 7 == 3:
            heard += stream.until("message")
            stream.close()
            stream = listen(bob, Last_Event_ID=str(heard[-1].id))
    while len(texts(heard)) < 60:
        heard += stream.until("message")
    assert texts(heard) == [f"{number}" for number in range(60)]


# Who listens


def test_the_token_may_stand_in_the_address(live: Live, ann: Member) -> None:
    """A browser's EventSource, which sets no headers, has its access token in the address."""
    with closing(Stream(live, f"?access_token={ann.token}")) as stream:
        assert stream.response.status == 200


def test_name_and_password_will_do(live: Live) -> None:
    """A user may listen by name and password."""
    member = live.member(password="right and long")
    basic = b64encode(f"{member.name}:right and long".encode()).decode()
    with closing(Stream(live, Authorization=f"Basic {basic}")) as stream:
        assert stream.until("totals")[0].data == ZEROS


@pytest.mark.parametrize("kind", ["nothing", "wrong token", "wrong in address", "cookie", "server key"])
def test_without_a_credential_there_is_nothing(live: Live, kind: str) -> None:
    """Who is nobody, or comes with the cookie or a server key, is refused in JSON."""
    member = live.member(password="right and long")
    headers = {
        "wrong token": {"Authorization": "Bearer wrong"},
        "cookie": {"Cookie": f"xf_session={session_of(live, member)}"},
        "server key": {"X_API_Key": live.key()},
    }.get(kind, {})
    query = "?access_token=wrong" if kind == "wrong in address" else ""
    with closing(Stream(live, query, **headers)) as stream:
        assert stream.response.status == 401
        assert stream.response.headers.get_content_type() == "application/problem+json"
        problem = json.loads(stream.response.read())
    assert problem["error"] == problem["detail"]
    assert {name: problem[name] for name in ("type", "title", "status", "code")} == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "code": "UNAUTHORIZED",
    }


def session_of(live: Live, member: Member) -> str:
    with live.store():
        return accounts.begin_session(User.get_by_id(member.id), "127.0.0.1", False)


def revoke(member: Member) -> None:
    AccessToken.delete().where(AccessToken.user == member.id).execute()


def disable(member: Member) -> None:
    accounts.disable(User.get_by_id(member.id))


@pytest.mark.parametrize("take_away", [revoke, disable])
def test_who_may_not_listen_any_more_is_cut_off(quick: Live, take_away: Callable[[Member], None]) -> None:
    """When a token is revoked or its user disabled, the answer ends; others go on."""
    member, other = quick.member(), quick.member()
    with closing(listening(quick, member)) as cut, closing(listening(quick, other)) as kept:
        with quick.store():
            take_away(member)
        assert list(cut) == []
        conversation(other, quick.member())
        assert kept.next("message")


def test_a_new_password_ends_what_the_old_one_began(quick: Live) -> None:
    """Who listens by name and password is cut off when the password is another one."""
    member = quick.member(password="right and long")
    basic = b64encode(f"{member.name}:right and long".encode()).decode()
    with closing(Stream(quick, Authorization=f"Basic {basic}")) as stream:
        stream.next("totals")
        with quick.store():
            User.update(password="another").where(User.id == member.id).execute()
        assert list(stream) == []


# Many listeners, slow ones, several processes


def test_there_are_signs_of_life(quick: Live) -> None:
    """While nothing happens comments come, so that both sides see that the connection lives."""
    with closing(listening(quick, quick.member())) as stream:
        lines = [stream.response.readline() for _ in range(4)]
        assert lines == [b":\n", b"\n", b":\n", b"\n"]


def workers_of(live: Live) -> list[int]:
    tasks = Path(f"/proc/{live.process.pid}/task").glob("*/children")
    return [int(word) for task in tasks for word in task.read_text().split()]


def open_files(live: Live) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in workers_of(live))


def threads(live: Live) -> int:
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in workers_of(live)]
    return sum(int(found[1]) for text in statuses if (found := re.search(r"Threads:\s+(\d+)", text)))


def test_idle_listeners_take_nothing_from_others(quick: Live) -> None:
    """While three hundred listen, calls are answered at once, by few threads; gone, they leave nothing."""
    member = quick.member()
    before = open_files(quick)
    with ExitStack() as stack:
        bearer = f"Bearer {member.token}"
        streams = [stack.enter_context(closing(Stream(quick, Authorization=bearer))) for _ in range(300)]
        for stream in streams:
            stream.next("totals")
        assert threads(quick) < 40
        began = time.monotonic()
        for _ in range(50):
            assert member.rpc.get_inbox_stat()["inbox_unread_count"] == 0
        assert time.monotonic() - began < 5
    deadline = time.monotonic() + SECONDS
    while open_files(quick) > before + 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert open_files(quick) <= before + 20


def test_two_workers_tell_the_same(tmp_path: Path) -> None:
    """Whichever process a listener is at, he hears what happened at any."""
    server = Live(tmp_path, "--limits", "off", "--workers", "2")
    ann, bob = server.member(), server.member()
    place = conversation(ann, bob)
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(listening(server, bob))) for _ in range(12)]
        for number in range(20):
            say(ann, place, f"{number}")
        for stream in streams:
            told = [stream.next("message") for _ in range(20)]
            assert texts(told) == [f"{number}" for number in range(20)]
    assert server.stop() == 0


def test_the_server_ends_among_listeners(tmp_path: Path) -> None:
    """SIGTERM ends the answers as answers end, and the server in time and with 0."""
    server = Live(tmp_path, "--limits", "off")
    member = server.member()
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(listening(server, member))) for _ in range(20)]
        began = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began < 5
        assert [list(stream) for stream in streams] == [[]] * 20


def test_who_reads_slowly_but_steadily_is_kept(tmp_path: Path) -> None:
    """A listener who is always a little behind, and goes on reading, hears far more than may wait for him."""
    server = Live(tmp_path, "--limits", "off")
    ann, bob = server.member(), server.member()
    place = conversation(ann, bob)
    with closing(listening(server, bob, buffer=4096)) as stream, ThreadPoolExecutor(1) as pool:
        heard = pool.submit(lambda: [stream.next("message") for _ in range(60)])
        for number in range(60):
            say(ann, place, f"{number} " + "\U0001f600" * 9000)
        numbers = [int(text.split()[0]) for text in texts(heard.result(SECONDS))]
        assert numbers == [*range(60)]
    assert server.stop() == 0


def test_a_user_has_only_so_many_listeners(tmp_path: Path) -> None:
    """One listener too many for his user is refused until another one goes; others are not concerned."""
    server = Live(tmp_path, "--most-listeners", "2")
    ann, bob = server.member(), server.member()
    with closing(listening(server, ann)), closing(listening(server, bob)):
        with closing(listening(server, ann)):
            answer = Chatter(server.address, ann.token, ann.id).get("/chat/events")
            assert answer.refusal == (429, "TOO_MANY_REQUESTS")
            assert answer.has("Retry-After")
        deadline = time.monotonic() + SECONDS
        while status_of_listening(server, ann) == 429:
            assert time.monotonic() < deadline
    assert server.stop() == 0


def test_who_does_not_read_is_cut_off(tmp_path: Path) -> None:
    """A listener who takes nothing is cut off when much waits for him, and the others hear everything."""
    server = Live(tmp_path, "--limits", "off")
    ann, bob = server.member(), server.member()
    place = conversation(ann, bob)
    with closing(listening(server, bob, buffer=4096)), closing(listening(server, bob)) as reader:
        count = 0
        while "was cut off" not in (tmp_path / "live.log").read_text():
            say(ann, place, f"{count} " + "\U0001f600" * 9000)
            told = reader.next("message").data["message"]["text"]
            assert told.startswith(f"{count} ")
            count += 1
            assert count < 300
    assert server.stop() == 0
