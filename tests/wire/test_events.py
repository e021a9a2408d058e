"""What listeners are told, and what those who come back are told of what they missed."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlencode

import pytest
from conftest import Live, Member
from event_stream import ZEROS, Stream, Told, conversation, listening, say, texts
from rest_client import Chatter

Listen = Callable[..., Stream]
ToChatter = Callable[[Member], Chatter]


@pytest.fixture
def listen(live: Live) -> Iterator[Listen]:
    """Begin to listen as a member, and wait until that is so."""
    with ExitStack() as stack:
        yield lambda member, **more: stack.enter_context(closing(listening(live, member, **more)))


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Live]:
    """A server of the test's own, whose phones ring for a moment."""
    server = Live(tmp_path, "--limits", "off", "--ring-seconds", "1")
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


def test_totals_follow_a_request_that_is_left(
    listen: Listen, ann: Member, bob: Member, chatter: ToChatter
) -> None:
    """Who was asked hears that nothing waits any more when whoever asked leaves the chat on the forum."""
    chat = chatter(ann).asks(chatter(bob))
    stream = listen(bob)
    assert ann.rpc.delete_conversation(chat, 2)["result"]
    assert stream.next("totals").data == ZEROS


def test_totals_follow_what_comes_back(listen: Listen, ann: Member, bob: Member, chatter: ToChatter) -> None:
    """Who asks again for a chat that he had hidden hears what he has not read there."""
    first, second = chatter(ann), chatter(bob)
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
    listen: Listen, ann: Member, bob: Member, chatter: ToChatter
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
