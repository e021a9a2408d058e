"""What each call of the chat door does, and the life of a request."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import Live, Member
from rest_client import Chatter

from models import User, database
from server.actions import accounts

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NULL = type(None)
PERSON = {"id": int, "username": str, "displayName": str, "avatarUrl": str}
MESSAGE: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "chatId": str,
    "userId": int,
    "text": str,
    "imageUrl": (str, NULL),
    "linkPreviewUrl": (str, NULL),
    "attachments": list,
    "matchId": (str, NULL),
    "createdAt": str,
    "updatedAt": str,
}
CHAT: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "app": str,
    "status": str,
    "name": str,
    "users": list,
    "lastMessage": (dict, NULL),
    "lastMessageReadAt": (str, NULL),
    "totalUnreadMessages": int,
    "createdAt": str,
    "updatedAt": str,
}
REQUEST: dict[str, type | tuple[type, ...]] = {
    **CHAT,
    "chatId": str,
    "direction": str,
    "canAccept": bool,
    "user": dict,
    "message": (dict, NULL),
}
TOTALS = {
    "totalPendingRequest": int,
    "totalPendingRequests": int,
    "totalUnreadMessages": int,
    "totalUnreadChats": int,
}
NO_CHAT = "987654321"
NOBODY = 987654321
PICTURE, PAGE = "https://pictures.example/a.png", "http://pages.example/?a=b&c=d#e"
LONGEST_URL, LONGEST_TEXT = 2048, 10_000
CANNOT = (403, "CANNOT_MESSAGE")
WAITS = (403, "REQUEST_PENDING")

ToChatter = Callable[[Member], Chatter]


@pytest.fixture
def one(ann: Member, chatter: ToChatter) -> Chatter:
    return chatter(ann)


@pytest.fixture
def two(bob: Member, chatter: ToChatter) -> Chatter:
    return chatter(bob)


@pytest.fixture
def three(carol: Member, chatter: ToChatter) -> Chatter:
    return chatter(carol)


def check_shape(value: Any, shape: dict[str, Any]) -> None:
    """The members are these, in any order, each of its type."""
    assert set(value) == set(shape)
    wrong = [key for key, kind in shape.items() if not isinstance(value[key], kind)]
    assert not wrong, value


def check_chat(value: Any, shape: dict[str, Any]) -> None:
    check_shape(value, shape)
    for person in value["users"]:
        check_shape(person, PERSON)
    if value["lastMessage"]:
        check_shape(value["lastMessage"], MESSAGE)
    assert MOMENT.fullmatch(value["createdAt"]) and MOMENT.fullmatch(value["updatedAt"])


class TestShapes:
    """What the answers are made of"""

    @pytest.mark.parametrize("says", ["", "hello"])
    def test_a_chat_has_these_members(self, one: Chatter, two: Chatter, says: str) -> None:
        """A chat has the documented members with their types, with and without a message."""
        chat = one.talks_with(two)
        if says:
            one.says(chat, says)
        check_chat(one.chat(chat), CHAT)
        [listed] = one.get("/chat").json
        assert listed == one.chat(chat)

    @pytest.mark.parametrize("says", ["", "hello"])
    @pytest.mark.parametrize(("path", "word"), [("/chat/pending", ""), ("/chat/rejected", "decline")])
    def test_a_request_has_these_members(
        self, one: Chatter, two: Chatter, path: str, word: str, says: str
    ) -> None:
        """A request has a chat's members, and who it is from, to either side."""
        chat = one.asks(two)
        if says:
            one.says(chat, says)
        if word:
            two.answers(chat, word)
        for me, other, direction in [(one, two, "sent"), (two, one, "received")]:
            [request] = me.get(path).json
            check_chat(request, REQUEST)
            check_shape(request["user"], PERSON)
            assert request["chatId"] == request["id"] == chat
            assert (request["direction"], request["canAccept"]) == (direction, direction == "received")
            assert request["user"]["id"] == other.id
            assert (request["message"] or {"text": ""})["text"] == says

    def test_a_message_has_these_members(self, one: Chatter, two: Chatter) -> None:
        """A message has the documented members with their types, sent and listed."""
        chat = one.talks_with(two)
        sent = one.says(chat, "hello", imageUrl=PICTURE, linkPreviewUrl=PAGE, id="mine")
        check_shape(sent, MESSAGE)
        assert MOMENT.fullmatch(sent["createdAt"]) and MOMENT.fullmatch(sent["updatedAt"])
        [listed] = two.get(f"/chat/{chat}/messages").json
        assert listed == sent
        assert (sent["chatId"], sent["userId"], sent["text"]) == (chat, one.id, "hello")
        assert (sent["imageUrl"], sent["linkPreviewUrl"], sent["matchId"]) == (PICTURE, PAGE, "mine")

    def test_what_a_message_lacks_is_null(self, one: Chatter, two: Chatter) -> None:
        """A message without a picture, a link and an id of its sender's has null there."""
        sent = one.says(one.talks_with(two), "hello")
        assert (sent["imageUrl"], sent["linkPreviewUrl"], sent["matchId"]) == (None, None, None)
        assert sent["attachments"] == []

    def test_the_totals_have_these_members(self, one: Chatter) -> None:
        """The totals are four numbers, nought for who has nothing."""
        totals = one.totals()
        check_shape(totals, TOTALS)
        assert set(totals.values()) == {0}

    @pytest.mark.parametrize("path", ["/chat/unread", "/chat/totals/unread"])
    def test_the_unread_total_is_one_number(self, one: Chatter, path: str) -> None:
        """Both paths of the unread total answer it alone."""
        assert one.get(path).json == {"totalUnreadMessages": 0}

    def test_times_are_in_utc(self, one: Chatter, two: Chatter) -> None:
        """A time is the moment at which it happened, in UTC."""
        made = one.chat(one.asks(two))["createdAt"]
        told = datetime.strptime(made, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)

    def test_a_chat_is_called_by_the_other(self, live: Live, chatter: ToChatter) -> None:
        """Each sees a chat under the other's display name, with both as its users."""
        first, second = (chatter(live.member(n, display_name=f"The {n}")) for n in ("ann", "bob"))
        chat = first.talks_with(second)
        assert (first.chat(chat)["name"], second.chat(chat)["name"]) == ("The bob", "The ann")
        users = {each["id"]: each["username"] for each in first.chat(chat)["users"]}
        assert users == {first.id: first.name, second.id: second.name}

    def test_reading_is_told_with_its_time(self, one: Chatter, two: Chatter) -> None:
        """A chat says when it was last read: never at first, and then a moment."""
        chat = one.talks_with(two)
        one.says(chat, "hello")
        assert two.chat(chat)["lastMessageReadAt"] is None
        two.post(f"/chat/{chat}/read")
        assert MOMENT.fullmatch(two.chat(chat)["lastMessageReadAt"])


class TestPaths:
    """The paths and verbs of each call"""

    @pytest.mark.parametrize(
        "path",
        [
            "/chat",
            "/chat/pending",
            "/chat/rejected",
            "/chat/{}",
            "/chat/{}/messages",
            "/chat/totals",
            "/chat/unread",
            "/chat/totals/unread",
        ],
    )
    def test_a_slash_at_the_end_means_nothing(self, one: Chatter, two: Chatter, path: str) -> None:
        """A path works with and without a slash at its end, without a redirect."""
        there = path.format(one.talks_with(two))
        plain, slashed = one.get(there), one.get(f"{there}/")
        assert plain.status == slashed.status == 200
        assert plain.json == slashed.json

    @pytest.mark.parametrize("end", ["", "/"])
    def test_posts_take_the_slash_too(self, one: Chatter, two: Chatter, end: str) -> None:
        """Asking, accepting, saying and reading work with and without a slash at the end."""
        asked = one.post(f"/chat{end}", {"userId": two.id})
        assert asked.status == 201
        chat = asked.json["id"]
        assert two.post(f"/chat/{chat}/accept{end}").status == 200
        assert two.post(f"/chat/{chat}/messages{end}", {"text": "hello"}).status == 201
        assert one.post(f"/chat/{chat}/read{end}").status == 200

    @pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH"])
    @pytest.mark.parametrize(
        ("word", "status"), [("accept", "active"), ("decline", "declined"), ("reject", "declined")]
    )
    def test_answers_to_a_request_take_three_verbs(
        self, one: Chatter, two: Chatter, verb: str, word: str, status: str
    ) -> None:
        """A request is accepted, declined or rejected by POST, PUT and PATCH, which answer the chat."""
        answer = two.post(f"/chat/{one.asks(two)}/{word}", verb=verb)
        assert (answer.status, answer.json["status"]) == (200, status)
        check_chat(answer.json, CHAT)

    @pytest.mark.parametrize("path", ["/chat/{}/messages", "/chat/{}"])
    def test_a_message_goes_to_two_paths(self, one: Chatter, two: Chatter, path: str) -> None:
        """A message can be posted to a chat's messages and to the chat itself."""
        chat = one.talks_with(two)
        answer = one.post(path.format(chat), {"text": "hello"})
        assert (answer.status, answer.json["text"]) == (201, "hello")
        assert two.texts(chat) == ["hello"]

    def test_reading_answers_the_documented_words(self, one: Chatter, two: Chatter) -> None:
        """Marking a chat as read answers exactly what the documentation shows."""
        answer = two.post(f"/chat/{one.talks_with(two)}/read")
        assert answer.status == 200
        assert answer.json == {"success": True, "message": "All messages have been marked as read."}

    def test_a_token_is_got_for_a_password(self, live: Live, chatter: ToChatter) -> None:
        """A name and a password get a token, which opens the door."""
        member = live.member("eve", password="right")
        client = chatter(member)
        answer = client.post("/auth/token", {"username": member.name, "password": "right"})
        assert answer.status == 200
        assert set(answer.json) == {"accessToken", "tokenType", "userId"}
        assert (answer.json["tokenType"], answer.json["userId"]) == ("Bearer", client.id)
        assert Chatter(live.address, answer.json["accessToken"], client.id).get("/chat").status == 200

    @pytest.mark.parametrize("as_form", [False, True])
    @pytest.mark.parametrize("kind", [int, str])
    def test_bodies_are_json_or_forms(
        self, one: Chatter, two: Chatter, as_form: bool, kind: Callable[[int], Any]
    ) -> None:
        """A body is JSON or a form, and an id in it a number or a string."""
        post = one.post_form if as_form else one.post
        assert post("/chat", {"userId": kind(two.id)}).status == 201
        [chat] = two.ids("/chat/pending")
        assert post(f"/chat/{chat}/messages", {"text": "a & b"}).json["text"] == "a & b"

    @pytest.mark.parametrize("kind", ["", "text/json", "application/x-www-form-urlencoded"])
    def test_json_under_curls_own_type(self, one: Chatter, two: Chatter, kind: str) -> None:
        """An object under no type, or the one that curl gives by itself, is JSON; under a strange one not."""
        body = b'{"userId": %d}' % two.id
        wanted = 415 if kind == "text/json" else 201
        assert one.send("POST", "/chat", body, Content_Type=kind).status == wanted

    def test_a_multipart_form_is_a_form(self, one: Chatter, two: Chatter) -> None:
        """The fields of a multipart form count as well."""
        body = b'--X\r\nContent-Disposition: form-data; name="userId"\r\n\r\n%d\r\n--X--\r\n' % two.id
        answer = one.send("POST", "/chat", body, Content_Type="multipart/form-data; boundary=X")
        assert answer.status == 201

    @pytest.mark.parametrize("value", [True, 1.5, [], {}, "ann", "", None, "1e3"])
    def test_what_is_no_id_is_refused(self, one: Chatter, value: Any) -> None:
        """A user id that is neither a number nor the digits of one is refused by the field's name."""
        answer = one.post("/chat", {"userId": value})
        assert (answer.status, answer.json["field"]) == (400, "userId")

    @pytest.mark.parametrize("word", ["block", "unblock"])
    def test_blocking_answers_whom(self, one: Chatter, two: Chatter, word: str) -> None:
        """Blocking and unblocking answer whom and how it stands, the second time too."""
        for _ in range(2):
            answer = one.post(f"/users/{two.id}/{word}")
            assert (answer.status, answer.json) == (200, {"userId": two.id, "blocked": word == "block"})

    def test_blocking_is_ignoring(self, live: Live, ann: Member, bob: Member, two: Chatter) -> None:
        """Who is blocked at the chat door is ignored on the forum: what he begins there is not seen."""
        two.post(f"/users/{ann.id}/block")
        assert ann.rpc.new_conversation([bob.name], b"Subject", b"hello")["result"]
        assert bob.rpc.get_conversations()["list"] == []

    def test_unblocking_ends_ignoring(self, ann: Member, bob: Member, two: Chatter) -> None:
        """Who is unblocked is heard on the forum again."""
        two.post(f"/users/{ann.id}/block")
        two.post(f"/users/{ann.id}/unblock")
        ann.rpc.new_conversation([bob.name], b"Subject", b"hello")
        assert len(bob.rpc.get_conversations()["list"]) == 1

    @pytest.mark.parametrize("word", ["block", "unblock"])
    def test_nobody_cannot_be_blocked(self, one: Chatter, word: str) -> None:
        """Blocking and unblocking somebody who does not exist finds nobody."""
        assert one.post(f"/users/{NOBODY}/{word}").refusal == (404, "USER_NOT_FOUND")


class TestRequests:
    """The life of a chat request"""

    def test_a_request_makes_a_pending_chat(self, one: Chatter, two: Chatter) -> None:
        """A request is answered by 201 and a pending chat, which both have among their requests only."""
        answer = one.post("/chat", {"userId": two.id})
        assert (answer.status, answer.json["status"], answer.json["app"]) == (201, "pending", "chat")
        check_chat(answer.json, CHAT)
        for each in (one, two):
            assert each.ids("/chat/pending") == [answer.json["id"]]
            assert each.ids("/chat") == []

    @pytest.mark.parametrize("status", ["pending", "active"])
    def test_a_second_request_changes_nothing(self, one: Chatter, two: Chatter, status: str) -> None:
        """A request while one is pending, or the chat active, is answered by 200 and that chat."""
        chat = one.asks(two) if status == "pending" else one.talks_with(two)
        answer = one.post("/chat", {"userId": two.id})
        assert (answer.status, answer.json) == (200, one.chat(chat))
        assert answer.json["status"] == status

    def test_an_active_chat_is_the_receivers_too(self, one: Chatter, two: Chatter) -> None:
        """A request by the receiver for a chat that is active is answered by that chat."""
        chat = one.talks_with(two)
        assert two.post("/chat", {"userId": one.id}).json == two.chat(chat)

    def test_nobody_chats_with_himself(self, one: Chatter) -> None:
        """A request to oneself is refused."""
        assert one.post("/chat", {"userId": one.id}).refusal == (400, "SELF_CHAT")

    @pytest.mark.parametrize("user_id", [NOBODY, 0, -1])
    def test_nobody_is_not_found(self, one: Chatter, user_id: int) -> None:
        """A request to a user who does not exist finds nobody."""
        assert one.post("/chat", {"userId": user_id}).refusal == (404, "USER_NOT_FOUND")

    def test_crossing_requests_accept(self, one: Chatter, two: Chatter) -> None:
        """Who asks somebody by whom he was asked accepts: one chat, active."""
        chat = one.asks(two)
        answer = two.post("/chat", {"userId": one.id})
        assert (answer.status, answer.json["id"], answer.json["status"]) == (200, chat, "active")
        for each in (one, two):
            assert (each.ids("/chat"), each.ids("/chat/pending")) == ([chat], [])

    def test_a_request_after_ones_own_no_accepts(self, one: Chatter, two: Chatter) -> None:
        """A request by the receiver, after he has declined, makes the chat active."""
        chat = one.asks(two)
        two.answers(chat, "decline")
        answer = two.post("/chat", {"userId": one.id})
        assert (answer.status, answer.json["id"], answer.json["status"]) == (200, chat, "active")

    @pytest.mark.parametrize("word", ["accept", "decline", "reject"])
    def test_the_sender_cannot_answer(self, one: Chatter, two: Chatter, word: str) -> None:
        """A sender who answers his own request is refused, and it stays pending."""
        chat = one.asks(two)
        assert one.post(f"/chat/{chat}/{word}").refusal == (403, "NOT_RECIPIENT")
        assert one.chat(chat)["status"] == "pending"

    @pytest.mark.parametrize("word", ["accept", "decline", "reject", "read", "messages", ""])
    def test_to_a_stranger_there_is_no_chat(
        self, one: Chatter, two: Chatter, three: Chatter, word: str
    ) -> None:
        """Whatever a stranger does with a chat, it is answered as if there were none."""
        chat = one.asks(two)
        answers = [three.post(f"/chat/{each}/{word}", {"text": "hello"}) for each in (chat, NO_CHAT)]
        assert answers[0].status == 404
        assert answers[0].json == answers[1].json

    @pytest.mark.parametrize("end", ["", "/messages"])
    def test_a_stranger_reads_nothing(self, one: Chatter, two: Chatter, three: Chatter, end: str) -> None:
        """A stranger gets neither a chat nor its messages."""
        assert three.get(f"/chat/{one.talks_with(two)}{end}").refusal == (404, "NOT_FOUND")

    @pytest.mark.parametrize(("word", "status"), [("accept", "active"), ("decline", "declined")])
    def test_the_same_answer_twice(self, one: Chatter, two: Chatter, word: str, status: str) -> None:
        """Accepting or declining twice is answered by 200 and the unchanged chat."""
        chat = one.asks(two)
        assert two.answers(chat, word) == two.answers(chat, word)
        assert two.chat(chat)["status"] == status

    def test_a_no_can_become_a_yes(self, one: Chatter, two: Chatter) -> None:
        """A receiver who has declined can accept, which makes the chat active for both."""
        chat = one.asks(two)
        two.answers(chat, "decline")
        assert two.answers(chat, "accept")["status"] == "active"
        assert one.ids("/chat") == two.ids("/chat") == [chat]
        assert one.ids("/chat/rejected") == two.ids("/chat/rejected") == []

    @pytest.mark.parametrize("word", ["decline", "reject"])
    def test_an_active_chat_cannot_be_declined(self, one: Chatter, two: Chatter, word: str) -> None:
        """Declining a chat that is active is refused, and it stays active."""
        chat = one.talks_with(two)
        assert two.post(f"/chat/{chat}/{word}").refusal == (409, "ALREADY_ACTIVE")
        assert two.chat(chat)["status"] == "active"

    def test_a_declined_request_is_among_the_rejected(self, one: Chatter, two: Chatter) -> None:
        """A declined request is in both sides' list of rejected ones, and of pending ones no longer."""
        chat = one.asks(two)
        two.answers(chat, "decline")
        for each in (one, two):
            assert (each.ids("/chat/rejected"), each.ids("/chat/pending")) == ([chat], [])

    def test_a_request_after_a_no_stays_declined(self, one: Chatter, two: Chatter) -> None:
        """A new request after a decline is answered by the declined chat; its receiver is told nothing."""
        chat = one.asks(two)
        two.answers(chat, "decline")
        before = two.totals()
        answer = one.post("/chat", {"userId": two.id})
        assert (answer.status, answer.json["id"], answer.json["status"]) == (200, chat, "declined")
        assert (two.totals(), two.ids("/chat/pending")) == (before, [])

    @pytest.mark.parametrize("word", ["", "decline"])
    def test_the_receivers_message_accepts(self, one: Chatter, two: Chatter, word: str) -> None:
        """A message by the receiver, while a chat is pending or declined, makes it active."""
        chat = one.asks(two)
        if word:
            two.answers(chat, word)
        two.says(chat, "hello")
        assert one.chat(chat)["status"] == two.chat(chat)["status"] == "active"
        assert one.unread() == 1

    def test_one_message_goes_with_a_request(self, one: Chatter, two: Chatter) -> None:
        """While a chat is pending its sender can say one thing, and no more."""
        chat = one.asks(two)
        one.says(chat, "first")
        assert one.tries(chat, text="second") == WAITS
        assert two.texts(chat) == ["first"]

    def test_a_requests_message_is_not_unread(self, one: Chatter, two: Chatter) -> None:
        """A message that goes with a request counts as a request, and as unread once that is accepted."""
        chat = one.asks(two)
        one.says(chat, "first")
        assert set_of(two.totals()) == (1, 1, 0, 0)
        assert two.unread() == two.chat(chat)["totalUnreadMessages"] == 0
        two.answers(chat, "accept")
        assert set_of(two.totals()) == (0, 0, 1, 1)

    def test_after_a_no_the_sender_is_told_to_wait(self, one: Chatter, two: Chatter) -> None:
        """A message after a decline is refused in the very words that are used while it is pending."""
        chat = one.asks(two)
        one.says(chat, "first")
        while_pending = one.post(f"/chat/{chat}/messages", {"text": "second"})
        two.answers(chat, "decline")
        declined = one.post(f"/chat/{chat}/messages", {"text": "second"})
        assert while_pending.refusal == WAITS
        assert (declined.status, declined.json) == (while_pending.status, while_pending.json)

    def test_a_first_message_after_a_no_waits_as_well(self, one: Chatter, two: Chatter) -> None:
        """Also the message that would have gone with the request is refused after a decline."""
        chat = one.asks(two)
        two.answers(chat, "decline")
        assert one.tries(chat, text="first") == WAITS

    def test_only_received_requests_are_counted(self, one: Chatter, two: Chatter) -> None:
        """The totals count requests that were received, under both names, and none that were sent."""
        one.asks(two)
        assert set_of(one.totals()) == (0, 0, 0, 0)
        assert set_of(two.totals()) == (1, 1, 0, 0)

    @pytest.mark.parametrize(("path", "word"), [("/chat/pending", ""), ("/chat/rejected", "decline")])
    def test_requests_are_listed_by_direction(
        self, one: Chatter, two: Chatter, three: Chatter, path: str, word: str
    ) -> None:
        """Requests are listed all, which is the default, only sent, or only received; the newest first."""
        sent, received = one.asks(two), three.asks(one)
        if word:
            two.answers(sent, word)
            one.answers(received, word)
        assert one.ids(path) == one.ids(path, direction="all") == [received, sent]
        assert one.ids(path, direction="sent") == [sent]
        assert one.ids(path, direction="received") == [received]

    def test_a_strange_direction_is_refused(self, one: Chatter) -> None:
        """A direction that there is not is refused by its name."""
        answer = one.get("/chat/pending", direction="up")
        assert (answer.status, answer.json["field"]) == (400, "direction")

    def test_a_withdrawn_request_is_gone(self, one: Chatter, two: Chatter) -> None:
        """A sender can take a pending request back, with what he said: for both it never was."""
        chat = one.asks(two)
        one.says(chat, "first")
        answer = one.delete(f"/chat/{chat}")
        assert (answer.status, answer.body) == (204, b"")
        for each in (one, two):
            assert each.get(f"/chat/{chat}").status == 404
            assert each.ids("/chat/pending") == []
        assert set_of(two.totals()) == (0, 0, 0, 0)

    def test_after_a_withdrawal_one_may_ask_again(self, one: Chatter, two: Chatter) -> None:
        """A request after a withdrawal makes another chat."""
        chat = one.asks(two)
        one.delete(f"/chat/{chat}")
        answer = one.post("/chat", {"userId": two.id})
        assert answer.status == 201
        assert answer.json["id"] != chat

    def test_the_receiver_cannot_withdraw(self, one: Chatter, two: Chatter) -> None:
        """Who was asked cannot take the request back."""
        chat = one.asks(two)
        assert two.delete(f"/chat/{chat}").status == 403
        assert one.chat(chat)["status"] == "pending"

    @pytest.mark.parametrize("word", ["accept", "decline"])
    def test_what_was_answered_cannot_be_withdrawn(self, one: Chatter, two: Chatter, word: str) -> None:
        """A chat that was accepted or declined cannot be withdrawn."""
        chat = one.asks(two)
        two.answers(chat, word)
        assert one.delete(f"/chat/{chat}").status == 409
        assert two.get(f"/chat/{chat}").status == 200

    def test_a_stranger_cannot_withdraw(self, one: Chatter, two: Chatter, three: Chatter) -> None:
        """To a stranger the request that he wants to withdraw does not exist."""
        assert three.delete(f"/chat/{one.asks(two)}").status == 404


def set_of(totals: dict[str, int]) -> tuple[int, ...]:
    """The totals in the order of their documentation."""
    return tuple(totals[key] for key in TOTALS)


def blocks(live: Live, receiver: Chatter, sender: Chatter) -> None:
    assert receiver.post(f"/users/{sender.id}/block").status == 200


def ignores(live: Live, receiver: Chatter, sender: Chatter) -> None:
    with live.store(), database.atomic():
        accounts.ignore(User.get_by_id(receiver.id), User.get_by_id(sender.id))


def is_disabled(live: Live, receiver: Chatter, sender: Chatter) -> None:
    with live.store(), database.atomic():
        accounts.disable(User.get_by_id(receiver.id))


def takes_none(live: Live, receiver: Chatter, sender: Chatter) -> None:
    with live.store(), database.atomic():
        accounts.edit_user(User.get_by_id(receiver.id), takes_messages=False)


UNWANTED = [blocks, ignores, is_disabled, takes_none]
unwanted = pytest.mark.parametrize("refuses", UNWANTED, ids=lambda each: each.__name__)
Refuses = Callable[[Live, Chatter, Chatter], None]


class TestUnwanted:
    """Who does not want to hear somebody, for whichever reason"""

    @unwanted
    def test_he_cannot_be_asked(self, live: Live, one: Chatter, two: Chatter, refuses: Refuses) -> None:
        """A request to somebody who takes no messages of this sender's is refused, and he has none."""
        refuses(live, two, one)
        assert one.post("/chat", {"userId": two.id}).refusal == CANNOT
        assert one.ids("/chat/pending") == []

    @unwanted
    def test_nothing_can_be_said_to_him(
        self, live: Live, one: Chatter, two: Chatter, refuses: Refuses
    ) -> None:
        """In an active chat a message to him is refused, and not kept."""
        chat = one.talks_with(two)
        refuses(live, two, one)
        assert one.tries(chat, text="hello") == CANNOT
        assert one.texts(chat) == []

    @unwanted
    def test_nothing_goes_with_a_request(
        self, live: Live, one: Chatter, two: Chatter, refuses: Refuses
    ) -> None:
        """The message that may go with a request is refused where the receiver has closed up since."""
        chat = one.asks(two)
        refuses(live, two, one)
        assert one.tries(chat, text="hello") == CANNOT
        assert one.texts(chat) == []

    def test_the_reason_is_not_told(self, live: Live, one: Chatter, chatter: ToChatter) -> None:
        """All refusals to take messages are the same answer, to a request and to a message."""
        for path, talks in (("/chat", False), ("/chat/{}/messages", True)):
            answers = []
            for refuses in UNWANTED:
                other = chatter(live.member())
                chat = one.talks_with(other) if talks else ""
                refuses(live, other, one)
                answers.append(one.post(path.format(chat), {"userId": other.id, "text": "hello"}))
            assert {each.status for each in answers} == {403}
            assert len({each.body for each in answers}) == 1

    def test_a_request_to_one_who_refuses_makes_nothing(self, live: Live, one: Chatter, two: Chatter) -> None:
        """Who unblocks somebody finds no request of the time before."""
        blocks(live, two, one)
        one.post("/chat", {"userId": two.id})
        two.post(f"/users/{one.id}/unblock")
        assert two.ids("/chat/pending") == []
        assert one.post("/chat", {"userId": two.id}).status == 201


@pytest.fixture
def chat(one: Chatter, two: Chatter) -> str:
    """An active chat of the two."""
    return one.talks_with(two)


LINKS = [
    ("https://a.example/b", 201),
    ("http://a.example", 201),
    ("HTTPS://a.example/", 201),
    ("ftp://a.example/b", 400),
    ("javascript:alert(1)", 400),
    ("data:image/png;base64,AAAA", 400),
    ("//a.example/b", 400),
    ("/b.png", 400),
    ("a.example", 400),
    ("http://", 400),
    ("http://a.example/ b", 400),
    ("http://a.example/\x00", 400),
    ("http://a.example/\x1b", 400),
    ("http://a.example/\ud800", 400),
    ("http://[", 400),
    ("http://a.example/".ljust(LONGEST_URL, "x"), 201),
    ("http://a.example/".ljust(LONGEST_URL + 1, "x"), 400),
]


class TestMessages:
    """What can be said"""

    @pytest.mark.parametrize("sent", [{}, {"text": ""}, {"text": " \n\t"}, {"imageUrl": ""}, {"id": "mine"}])
    def test_nothing_cannot_be_said(self, one: Chatter, chat: str, sent: dict[str, str]) -> None:
        """A message with nothing in it is refused."""
        assert one.tries(chat, **sent) == (400, "EMPTY_MESSAGE")

    @pytest.mark.parametrize("key", ["imageUrl", "linkPreviewUrl"])
    def test_an_address_is_enough(self, one: Chatter, two: Chatter, chat: str, key: str) -> None:
        """A picture or a link alone is a message."""
        sent = one.post(f"/chat/{chat}/messages", {key: PICTURE})
        assert (sent.status, sent.json["text"], sent.json[key]) == (201, "", PICTURE)
        assert two.get(f"/chat/{chat}/messages").json == [sent.json]

    @pytest.mark.parametrize("key", ["imageUrl", "linkPreviewUrl"])
    @pytest.mark.parametrize(("url", "status"), LINKS, ids=[ascii(url)[:40] for url, _ in LINKS])
    def test_addresses_are_of_the_web(self, one: Chatter, chat: str, key: str, url: str, status: int) -> None:
        """A picture and a link have an http or https address of at most 2,048 characters, and no other."""
        assert one.post(f"/chat/{chat}/messages", {"text": "look", key: url}).status == status

    @pytest.mark.parametrize("key", ["imageUrl", "linkPreviewUrl"])
    def test_no_address_breaks_the_forum(self, ann: Member, one: Chatter, chat: str, key: str) -> None:
        """Whatever stands in an address, taken or not, the conversation can be opened on the forum."""
        for tail in ("\x00", "\x08", "\ufffe", "\ud800", "[/img]", "]]>", "<b>"):
            one.post(f"/chat/{chat}/messages", {"text": "look", key: f"http://a.example/{tail}"})
        assert ann.rpc.get_conversation(chat)["result"]

    @pytest.mark.parametrize(("length", "status"), [(LONGEST_TEXT, 201), (LONGEST_TEXT + 1, 400)])
    def test_the_longest_text(self, one: Chatter, chat: str, length: int, status: int) -> None:
        """A text has at most 10,000 characters, of however many bytes."""
        assert one.post(f"/chat/{chat}/messages", {"text": "é" * length}).status == status

    @pytest.mark.parametrize("text", ["a\nb", "“é” 😀", "<b>&amp;</b>", "'; --", "a[i]", "]]>"])
    def test_a_text_comes_back_as_it_was(self, one: Chatter, two: Chatter, chat: str, text: str) -> None:
        """What was said is read as it was said."""
        assert one.says(chat, text)["text"] == text
        assert two.texts(chat) == [text]

    @pytest.mark.parametrize("odd", ["\x00", "\x1f", "\ud800", "\ufffe"])
    def test_what_xml_cannot_carry_is_replaced(self, ann: Member, one: Chatter, chat: str, odd: str) -> None:
        """A character that XML cannot carry never gets out again, here or on the forum."""
        one.post(f"/chat/{chat}/messages", {"text": f"a{odd}b"})
        assert all(text == "a\ufffdb" for text in one.texts(chat))
        assert ann.rpc.get_conversation(chat)["result"]

    @pytest.mark.parametrize("key", ["text", "imageUrl", "linkPreviewUrl"])
    @pytest.mark.parametrize("value", [[], {}, ["a"], True, 1.5])
    def test_a_text_of_another_type_is_refused(self, one: Chatter, chat: str, key: str, value: Any) -> None:
        """What should be a string and is not makes no message."""
        assert one.post(f"/chat/{chat}/messages", {key: value}).status == 400
        assert one.texts(chat) == []

    def test_null_is_as_good_as_nothing(self, one: Chatter, chat: str) -> None:
        """A client may send null for what it does not want to say."""
        sent = {"text": "hello", "imageUrl": None, "linkPreviewUrl": None, "id": None}
        assert one.post(f"/chat/{chat}/messages", sent).status == 201

    def test_the_newest_is_shown_with_the_chat(self, one: Chatter, two: Chatter, chat: str) -> None:
        """A chat shows its newest message and the time of it."""
        one.says(chat, "first")
        newest = one.says(chat, "second")
        assert two.chat(chat)["lastMessage"] == newest
        assert two.chat(chat)["updatedAt"] == newest["createdAt"]

    def test_the_last_active_comes_first(self, one: Chatter, two: Chatter, three: Chatter, chat: str) -> None:
        """The list has the chat first in which something was said last."""
        other = one.talks_with(three)
        assert one.ids("/chat") == [other, chat]
        two.says(chat, "hello")
        assert one.ids("/chat") == [chat, other]

    def test_unread_counts_what_others_say(self, one: Chatter, two: Chatter, chat: str) -> None:
        """Messages of the other's are unread until they are marked as read, one's own are not."""
        for number in range(3):
            one.says(chat, f"{number}")
        assert (one.unread(), two.unread(), two.chat(chat)["totalUnreadMessages"]) == (0, 3, 3)
        assert set_of(two.totals()) == (0, 0, 3, 1)
        two.post(f"/chat/{chat}/read")
        assert (two.unread(), two.chat(chat)["totalUnreadMessages"]) == (0, 0)

    def test_looking_marks_nothing(self, one: Chatter, two: Chatter, chat: str) -> None:
        """Getting a chat or its messages leaves them unread."""
        one.says(chat, "hello")
        two.chat(chat)
        two.texts(chat)
        assert two.unread() == 1

    def test_a_message_has_its_senders_id(self, one: Chatter, two: Chatter, chat: str) -> None:
        """What its sender's program calls a message comes back as matchId, to both."""
        one.says(chat, "hello", id="3f2-ä")
        [message] = two.get(f"/chat/{chat}/messages").json
        assert message["matchId"] == "3f2-ä"


def numbers(*given: int) -> list[str]:
    return [str(number) for number in given]


class TestPages:
    """Lists, page by page"""

    MESSAGES = 20

    @pytest.fixture
    def long(self, one: Chatter, two: Chatter) -> str:
        """A chat with the messages 1 to 20."""
        chat = one.talks_with(two)
        with one.kept_alive():
            for number in range(1, self.MESSAGES + 1):
                one.says(chat, str(number))
        return chat

    @pytest.mark.parametrize(
        ("query", "wanted"),
        [
            ({}, numbers(*range(20, 5, -1))),
            ({"order": "desc", "limit": 2}, numbers(20, 19)),
            ({"order": "asc", "limit": 2}, numbers(1, 2)),
            ({"skip": 18}, numbers(2, 1)),
            ({"skip": 18, "order": "asc"}, numbers(19, 20)),
            ({"skip": 19, "limit": 5}, numbers(1)),
            ({"skip": 20}, []),
            ({"skip": 1000}, []),
            ({"skip": 1000, "order": "asc"}, []),
            ({"limit": 0}, []),
            ({"limit": 100}, numbers(*range(20, 0, -1))),
            ({"limit": 100, "order": "asc"}, numbers(*range(1, 21))),
        ],
        ids=str,
    )
    def test_messages_are_paged(
        self, two: Chatter, long: str, query: dict[str, Any], wanted: list[str]
    ) -> None:
        """Messages come from the newest on, or the oldest, `limit` of them after `skip`."""
        assert two.texts(long, **query) == wanted
        assert two.get(f"/chat/{long}/messages", **query).header("X-Total-Count") == "20"

    @pytest.mark.parametrize(
        ("query", "wanted", "total"),
        [
            ({"before": 5}, numbers(4, 3, 2, 1), 4),
            ({"before": 5, "order": "asc", "limit": 2}, numbers(1, 2), 4),
            ({"before": 5, "limit": 2}, numbers(4, 3), 4),
            ({"before": 5, "limit": 2, "skip": 2}, numbers(2, 1), 4),
            ({"before": 1}, [], 0),
            ({"after": 17}, numbers(20, 19, 18), 3),
            ({"after": 17, "order": "asc", "limit": 2}, numbers(18, 19), 3),
            ({"after": 20}, [], 0),
            ({"after": 3, "before": 7}, numbers(6, 5, 4), 3),
            ({"after": 7, "before": 3}, [], 0),
        ],
        ids=str,
    )
    def test_messages_around_another(
        self, two: Chatter, long: str, query: dict[str, Any], wanted: list[str], total: int
    ) -> None:
        """`before` and `after` name messages, between which the pages lie."""
        ids = {each["text"]: each["id"] for each in two.get(f"/chat/{long}/messages", limit=100).json}
        named = {
            key: ids[str(value)] if key in ("before", "after") else value for key, value in query.items()
        }
        assert two.texts(long, **named) == wanted
        answer = two.get(f"/chat/{long}/messages", **named)
        assert answer.header("X-Total-Count") == str(total)

    def test_a_page_before_a_message_is_stable(self, one: Chatter, two: Chatter, long: str) -> None:
        """The page before a message is the same after others have written."""
        newest = two.get(f"/chat/{long}/messages", limit=1).json[0]["id"]
        before = two.get(f"/chat/{long}/messages", before=newest).body
        one.says(long, "more")
        assert two.get(f"/chat/{long}/messages", before=newest).body == before

    @pytest.mark.parametrize("key", ["before", "after"])
    def test_a_message_of_another_chat_is_no_place(
        self, one: Chatter, three: Chatter, chat: str, key: str
    ) -> None:
        """A message that is not of this chat cannot be named as a place in it."""
        other = one.says(one.talks_with(three), "hello")["id"]
        assert one.get(f"/chat/{chat}/messages", **{key: other}).status == 404

    @pytest.mark.parametrize("path", ["/chat", "/chat/pending", "/chat/rejected", "/chat/{}/messages"])
    @pytest.mark.parametrize("query", ["limit=-1", "skip=-1", "limit=a", "skip=a", "limit=1.5", "skip=1e3"])
    def test_what_is_no_number_is_refused(self, one: Chatter, chat: str, path: str, query: str) -> None:
        """A negative skip or limit, or one that is no number, is refused by its name."""
        answer = one.get(f"{path.format(chat)}?{query}")
        assert (answer.status, answer.json["field"]) == (400, query.partition("=")[0])

    @pytest.mark.parametrize("path", ["/chat", "/chat/pending", "/chat/rejected", "/chat/{}/messages"])
    @pytest.mark.parametrize("limit", [101, 10**9, 10**15])
    def test_nobody_gets_more_than_100(self, one: Chatter, chat: str, path: str, limit: int) -> None:
        """A limit above 100 is refused by a word of its own."""
        assert one.get(path.format(chat), limit=limit).refusal == (400, "RESULT_LIMIT")

    def test_a_strange_order_is_refused(self, one: Chatter, chat: str) -> None:
        """An order that there is not is refused by its name."""
        answer = one.get(f"/chat/{chat}/messages", order="up")
        assert (answer.status, answer.json["field"]) == (400, "order")

    @pytest.mark.parametrize(
        ("query", "details"),
        [
            ({"limit": 5}, {"total": 20, "size": 5, "offset": 0, "hasMore": True}),
            ({"limit": 5, "skip": 15}, {"total": 20, "size": 5, "offset": 15, "hasMore": False}),
            ({"skip": 18}, {"total": 20, "size": 2, "offset": 18, "hasMore": False}),
            ({"skip": 30}, {"total": 20, "size": 0, "offset": 30, "hasMore": False}),
        ],
        ids=str,
    )
    def test_an_envelope_says_what_is_left(
        self, two: Chatter, long: str, query: dict[str, Any], details: dict[str, Any]
    ) -> None:
        """With `envelope=1` the same list stands between what there is to know of the rest."""
        path = f"/chat/{long}/messages"
        wrapped = two.get(path, envelope=1, **query).json
        assert wrapped == {"payload": two.get(path, **query).json, "details": details}

    @pytest.mark.parametrize("path", ["/chat", "/chat/pending", "/chat/rejected"])
    def test_every_list_has_an_envelope(self, one: Chatter, path: str) -> None:
        """Every list has its total in the head, and with `envelope=1` around it."""
        assert one.get(path).header("X-Total-Count") == "0"
        assert one.get(path, envelope=1).json == {
            "payload": [],
            "details": {"total": 0, "size": 0, "offset": 0, "hasMore": False},
        }

    def test_links_lead_through_the_list(self, two: Chatter, long: str) -> None:
        """Who follows the links to the next page gets every message once, and keeps his other wishes."""
        path = f"/chat/{long}/messages"
        seen, query = [], "?limit=8&order=asc"
        while query:
            answer = two.get(path + query)
            seen += [each["text"] for each in answer.json]
            query = links(answer.header("Link")).get("next", "")
        assert seen == numbers(*range(1, 21))

    def test_links_lead_back(self, two: Chatter, long: str) -> None:
        """The link to the page before is there from the second page on."""
        path = f"/chat/{long}/messages"
        assert "prev" not in links(two.get(path, limit=8).header("Link"))
        second = links(two.get(path, limit=8, skip=8).header("Link"))
        assert two.get(path + second["prev"]).json == two.get(path, limit=8).json
        assert "next" not in links(two.get(path, limit=8, skip=16).header("Link"))

    def test_the_list_of_chats_is_paged(self, live: Live, one: Chatter, chatter: ToChatter) -> None:
        """Chats and requests come fifteen at once, the newest first, and all of them page by page."""
        made = []
        for _ in range(17):
            made.append(one.asks(chatter(live.member())))
        wanted = made[::-1]
        assert one.ids("/chat/pending") == wanted[:15]
        assert one.ids("/chat/pending", skip=15) == wanted[15:]
        assert one.get("/chat/pending").header("X-Total-Count") == "17"


def links(header: str) -> dict[str, str]:
    """Where a `Link` header leads, by the relation."""
    found = re.findall(r'<([^>]*)>; rel="(\w+)"', header)
    return {rel: target[target.index("?") :] for target, rel in found}
