"""How the chat door behaves whatever is asked: refusals, keys, ETags, limits, origins, credentials."""

import base64
import gzip
import http.client
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from typing import Any
from xmlrpc.client import Binary, dumps

import engines
import pytest
from conftest import Live, Member
from rest_client import Answer, Chatter, Client

from models import KeptAnswer, User, database, now
from server.actions import accounts
from server.actions.repeats import LIFE

PROBLEM = "application/problem+json"
LARGEST = 256 * 1024
DEEPEST = 32
NO_CHAT = "987654321"
THREADS = 8
LISTS = ["/chat", "/chat/pending", "/chat/rejected", "/chat/{}/messages"]
COUNTS = ["/chat/totals", "/chat/unread", "/chat/totals/unread", "/chat/{}"]
SITE, FOREIGN = "https://site.example", "https://foreign.example"

ToChatter = Callable[[Member], Chatter]


@pytest.fixture
def one(ann: Member, chatter: ToChatter) -> Chatter:
    return chatter(ann)


@pytest.fixture
def two(bob: Member, chatter: ToChatter) -> Chatter:
    return chatter(bob)


@pytest.fixture
def chat(one: Chatter, two: Chatter) -> str:
    """An active chat of the two."""
    return one.talks_with(two)


@pytest.fixture
def guest(live: Live) -> Client:
    """A client without a credential."""
    return Client(live.address)


def check_problem(answer: Answer, status: int, code: str = "") -> None:
    """The answer is a problem document for people, for programs, and for older clients."""
    assert (answer.status, answer.header("Content-Type")) == (status, PROBLEM)
    value = answer.json
    assert {"type", "title", "status", "detail", "error", "code"} == set(value) - {"field"}
    assert (value["status"], value["error"]) == (status, value["detail"])
    assert value["type"] and value["title"] and value["detail"]
    assert value["code"] == (code or value["code"]) and value["code"].isupper()


def nested(depth: int) -> bytes:
    """An object of so many levels."""
    return b'{"a":' * depth + b"1" + b"}" * depth


class TestProblems:
    """What is refused, and how that is told"""

    @pytest.mark.parametrize(
        "path", ["/chat/totals", "/chat", "/chat/1", "/chat/1/messages", "/chat/pending"]
    )
    def test_without_a_credential(self, guest: Client, path: str) -> None:
        """Who does not say who he is gets 401, whatever he asks for."""
        check_problem(guest.get(path), 401, "UNAUTHORIZED")

    def test_a_guest_learns_nothing_of_his_mistakes(self, guest: Client) -> None:
        """A request without a credential is refused for that alone, also where its values are wrong."""
        check_problem(guest.get("/chat", limit=101), 401, "UNAUTHORIZED")
        for kind in ("application/json", "image/png"):
            answer = guest.send("POST", "/chat", b"no JSON", Content_Type=kind)
            check_problem(answer, 401, "UNAUTHORIZED")
        check_problem(guest.post("/chat", {}), 401, "UNAUTHORIZED")

    def test_a_wrong_password(self, guest: Client, live: Live) -> None:
        """An unknown name and a wrong password are the same refusal."""
        name = live.member(password="right").name
        answers = [guest.post("/auth/token", {"username": n, "password": "no"}) for n in (name, "nobody")]
        for each in answers:
            check_problem(each, 401)
        assert answers[0].json == answers[1].json

    @pytest.mark.parametrize("path", ["/chat/1/2/3", "/chat/1/nothing", "/auth", "/auth/nothing", "/users/1"])
    def test_an_address_of_nothing(self, one: Chatter, path: str) -> None:
        """Below the door's addresses, what there is not is refused by a problem document."""
        check_problem(one.get(path), 404, "NOT_FOUND")

    def test_a_chat_that_is_not_there(self, one: Chatter) -> None:
        """A chat that does not exist is not found."""
        check_problem(one.get(f"/chat/{NO_CHAT}"), 404, "NOT_FOUND")

    @pytest.mark.parametrize(
        ("verb", "path", "allowed"),
        [
            ("PUT", "/chat", {"GET", "POST"}),
            ("GET", "/auth/token", {"POST", "DELETE"}),
            ("GET", "/chat/1/accept", {"POST", "PUT", "PATCH"}),
            ("PUT", "/chat/1", {"GET", "POST", "DELETE"}),
            ("GET", "/chat/1/read", {"POST"}),
            ("GET", "/users/1/block", {"POST"}),
            ("POST", "/chat/totals", {"GET"}),
            ("POST", "/chat/pending", {"GET"}),
            ("DELETE", "/chat/rejected", {"GET"}),
            ("DELETE", "/chat/unread", {"GET"}),
            ("POST", "/chat/events", {"GET"}),
        ],
    )
    def test_another_verb(self, one: Chatter, verb: str, path: str, allowed: set[str]) -> None:
        """A verb that an address does not take is refused, and the ones it takes are named, each once."""
        answer = one.send(verb, path, b"")
        check_problem(answer, 405, "METHOD_NOT_ALLOWED")
        named = answer.header("Allow").split(", ")
        assert len(named) == len(set(named))
        assert set(named) - {"HEAD", "OPTIONS"} == allowed

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"hello",
            b"[]",
            b"1",
            b'"text"',
            b"null",
            b'{"userId": NaN}',
            b"\xff\xfe",
            b"{}{}",
            b"{'a': 1}",
        ],
        ids=repr,
    )
    def test_what_is_no_object(self, one: Chatter, body: bytes) -> None:
        """A body that is no JSON object is refused."""
        check_problem(one.send("POST", "/chat", body, Content_Type="application/json"), 400, "BAD_JSON")

    @pytest.mark.parametrize("depth", [DEEPEST + 1, 10_000])
    def test_what_is_too_deep(self, one: Chatter, depth: int) -> None:
        """A body with too many levels is refused, however many they are."""
        answer = one.send("POST", "/chat", nested(depth), Content_Type="application/json")
        check_problem(answer, 400, "BAD_JSON")

    def test_what_is_too_long(self, one: Chatter) -> None:
        """A body with more than ten thousand values is refused."""
        answer = one.send(
            "POST", "/chat", b'{"userId": [%b1]}' % (b"1," * 10_000), Content_Type="application/json"
        )
        check_problem(answer, 400, "BAD_JSON")

    def test_what_is_deep_is_read(self, one: Chatter) -> None:
        """A body as deep as it may be is read, and misses what the call asks for."""
        answer = one.send("POST", "/chat", nested(DEEPEST), Content_Type="application/json")
        assert (answer.status, answer.json["field"]) == (400, "userId")

    @pytest.mark.parametrize("kind", ["text/plain", "text/xml", "application/octet-stream", "image/png"])
    def test_a_body_of_another_type(self, one: Chatter, kind: str) -> None:
        """A body that is neither JSON nor a form is refused."""
        check_problem(one.send("POST", "/chat", b"hello", Content_Type=kind), 415, "UNSUPPORTED_MEDIA_TYPE")

    @pytest.mark.parametrize("packed", [False, True])
    def test_a_body_that_is_too_large(self, one: Chatter, packed: bool) -> None:
        """A body over the limit is refused, also where it is small until it is decompressed."""
        body = b" " * (LARGEST + 1)
        headers = {"Content_Encoding": "gzip"} if packed else {}
        sent = gzip.compress(body) if packed else body
        answer = one.send("POST", "/chat", sent, Content_Type="application/json", **headers)
        check_problem(answer, 413)

    def test_too_large_is_a_word_of_its_own(self, one: Chatter) -> None:
        """Programs can tell a body that is too large from one that is wrong."""
        sent = gzip.compress(b" " * (LARGEST + 1))
        answer = one.send("POST", "/chat", sent, Content_Type="application/json", Content_Encoding="gzip")
        assert answer.json["code"] != "BAD_REQUEST"

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("application/json", b'{"userId": %d}'),
            ("application/x-www-form-urlencoded", b'{"userId": %d}'),
            ("application/x-www-form-urlencoded", b"userId=%d"),
        ],
    )
    def test_a_compressed_body_is_read(self, one: Chatter, two: Chatter, kind: str, body: bytes) -> None:
        """A body may come under gzip, whether it is JSON or a form."""
        packed = gzip.compress(body % two.id)
        answer = one.send("POST", "/chat", packed, Content_Type=kind, Content_Encoding="gzip")
        assert answer.status == 201

    def test_percent_signs_are_undone_once(self, one: Chatter, chat: str) -> None:
        """An address is decoded once: what was encoded twice is another one."""
        coded = "".join(f"%{ord(digit):02x}" for digit in chat)
        assert one.get(f"/chat/{coded}").json["id"] == chat
        assert one.get(f"/chat/{coded.replace('%', '%25')}").status == 404

    @pytest.mark.parametrize("odd", ["x", "-1", "1.0", "9" * 20, "9" * 5000])
    def test_what_is_no_id_is_not_there(self, one: Chatter, odd: str) -> None:
        """A chat whose id nobody can ever have had is not found, with a key too."""
        check_problem(one.get(f"/chat/{odd}"), 404)
        check_problem(keyed(one, f"/chat/{odd}/read", {}, "k"), 404)

    def test_a_slash_at_the_end_changes_nothing(self, one: Chatter, guest: Client, chat: str) -> None:
        """An address with a slash at its end is the same, that of the live events too."""
        assert one.get(f"/chat/{chat}/").json == one.get(f"/chat/{chat}").json
        check_problem(guest.get("/chat/events/"), 401, "UNAUTHORIZED")

    @pytest.mark.parametrize(
        ("path", "sent", "field"),
        [
            ("/chat", {}, "userId"),
            ("/chat", {"userId": "x"}, "userId"),
            ("/auth/token", {"username": "ann"}, "password"),
            ("/auth/token", {"password": "right"}, "username"),
            ("/users/x/block", {}, "userId"),
        ],
    )
    def test_the_field_is_named(self, one: Chatter, path: str, sent: dict[str, str], field: str) -> None:
        """Where one value is missing or wrong, the problem names it."""
        answer = one.post(path, sent)
        check_problem(answer, 400, "BAD_REQUEST")
        assert answer.json["field"] == field

    def test_other_members_are_passed_over(self, one: Chatter, two: Chatter) -> None:
        """What a call does not know it passes over."""
        assert one.post("/chat", {"userId": two.id, "extra": {"a": [1]}}).status == 201

    @pytest.mark.parametrize("odd", ["\ud800", "\x00", "\uffff"])
    @pytest.mark.parametrize("key", ["username", "password"])
    def test_odd_characters_are_no_error(self, live: Live, guest: Client, key: str, odd: str) -> None:
        """A name or password that no user can have is a wrong one."""
        right = {"username": live.member(password="right").name, "password": "right"}
        check_problem(guest.post("/auth/token", {**right, key: odd}), 401)

    def test_nothing_is_sniffed(self, one: Chatter) -> None:
        """A browser is told to take answers for what they say they are, refusals too."""
        for path in ("/chat", f"/chat/{NO_CHAT}"):
            assert one.get(path).header("X-Content-Type-Options") == "nosniff"


def keyed(client: Chatter, path: str, sent: Any, key: str) -> Answer:
    return client.post(path, sent, Idempotency_Key=key)


def kept(client: Chatter) -> list[str]:
    """The bodies of all answers that are kept for a user."""
    return [each.body for each in KeptAnswer.select().where(KeptAnswer.user == client.id)]


class TestKeys:
    """Requests that come twice"""

    def test_a_message_is_said_once(self, one: Chatter, two: Chatter, chat: str) -> None:
        """The same message under the same key has the same answer, and is there once."""
        path, sent = f"/chat/{chat}/messages", {"text": "hello"}
        first, second = (keyed(one, path, sent, "k") for _ in range(2))
        assert (first.status, first.json) == (second.status, second.json)
        assert first.status == 201
        assert two.texts(chat) == ["hello"]

    def test_the_clients_own_id_is_a_key(self, one: Chatter, two: Chatter, chat: str) -> None:
        """The same message with the same id of the client's own has the same answer, and is there once."""
        assert one.says(chat, "hello", id="mine") == one.says(chat, "hello", id="mine")
        assert two.texts(chat) == ["hello"]

    def test_the_clients_own_id_counts_before_the_head(self, one: Chatter, two: Chatter, chat: str) -> None:
        """A message with an id of its own is there once, whatever key each attempt brings in its head."""
        sent = {"text": "hello", "id": "mine"}
        paths = [f"/chat/{chat}/messages", f"/chat/0{chat}"]
        answers = [keyed(one, path, sent, f"attempt {n}") for n, path in enumerate(paths)]
        assert len({answer.json["id"] for answer in answers}) == 1
        assert two.texts(chat) == ["hello"]

    def test_a_key_in_the_head_counts_beside_the_own_id(self, one: Chatter, two: Chatter, chat: str) -> None:
        """The same key in the head with another id of the client's own is another body, and is refused."""
        path = f"/chat/{chat}/messages"
        assert keyed(one, path, {"text": "hello", "id": "a"}, "k").status == 201
        check_problem(keyed(one, path, {"text": "hello", "id": "b"}, "k"), 422, "KEY_REUSED")
        assert two.texts(chat) == ["hello"]

    def test_zero_is_an_own_id_like_others(self, one: Chatter, two: Chatter, chat: str) -> None:
        """The client's own id may be a word or a number, which are the same if they are written the same."""
        for own in (0, "0", 0):
            assert one.says(chat, "hello", id=own)["matchId"] == "0"
        assert two.texts(chat) == ["hello"]

    def test_a_request_is_answered_as_at_first(self, one: Chatter, two: Chatter) -> None:
        """A request for a chat under the same key is answered by 201 again, whatever came between."""
        first = keyed(one, "/chat", {"userId": two.id}, "k")
        two.answers(first.json["id"], "accept")
        second = keyed(one, "/chat", {"userId": two.id}, "k")
        assert (second.status, second.json) == (201, first.json)

    def test_form_and_order_make_no_difference(self, one: Chatter, two: Chatter, chat: str) -> None:
        """The same object is the same request, however its members are ordered and spaced."""
        path, kind = f"/chat/{chat}/messages", "application/json"
        bodies = [
            b'{"text": "hello", "imageUrl": "http://a.example/"}',
            b'{"imageUrl":"http://a.example/","text":"hello"}',
        ]
        answers = [one.send("POST", path, body, Content_Type=kind, Idempotency_Key="k") for body in bodies]
        assert answers[0].json == answers[1].json
        assert len(two.texts(chat)) == 1

    @pytest.mark.parametrize("how", ["header", "id"])
    def test_another_body_is_refused(self, one: Chatter, two: Chatter, chat: str, how: str) -> None:
        """The same key with another body is refused, and nothing is said."""
        extra = {"id": "mine"} if how == "id" else {}
        headers = {"Idempotency_Key": "k"} if how == "header" else {}
        path = f"/chat/{chat}/messages"
        assert one.post(path, {"text": "hello", **extra}, **headers).status == 201
        check_problem(one.post(path, {"text": "other", **extra}, **headers), 422)
        assert two.texts(chat) == ["hello"]

    def test_another_address_is_refused(self, one: Chatter, two: Chatter, chat: str) -> None:
        """The same key for another call is refused."""
        assert keyed(one, "/chat", {"userId": two.id}, "k").status == 200
        assert keyed(one, f"/chat/{chat}/read", {}, "k").status == 422

    def test_an_own_id_knows_its_chat_in_any_spelling(self, one: Chatter, two: Chatter, chat: str) -> None:
        """The same id of the client's own is the same message, however the chat is written in the address."""
        sent = {"text": "hello", "id": "mine"}
        made = {
            one.post(f"/chat/{each}/messages", sent).json["id"] for each in (chat, f"0{chat}", f"00{chat}")
        }
        assert len(made) == 1
        assert len(two.texts(chat)) == 1

    def test_an_own_id_counts_in_its_chat(
        self, one: Chatter, chat: str, live: Live, chatter: ToChatter
    ) -> None:
        """The same id of the client's own is another message in another chat."""
        other = one.talks_with(chatter(live.member()))
        assert one.says(chat, "hello", id="1")["id"] != one.says(other, "other", id="1")["id"]

    def test_a_key_is_its_users(self, one: Chatter, two: Chatter, chat: str) -> None:
        """Two users with the same key do not meet."""
        path = f"/chat/{chat}/messages"
        assert keyed(one, path, {"text": "a"}, "k").json["userId"] == one.id
        assert keyed(two, path, {"text": "b"}, "k").json["userId"] == two.id

    def test_a_refusal_is_not_kept(self, one: Chatter, two: Chatter) -> None:
        """A refused request can come again under its key, when it will be taken."""
        chat = one.asks(two)
        one.says(chat, "first")
        path, sent = f"/chat/{chat}/messages", {"text": "second"}
        assert keyed(one, path, sent, "k").status == 403
        two.answers(chat, "accept")
        assert keyed(one, path, sent, "k").status == 201

    def test_a_refused_key_may_bring_something_else(self, one: Chatter, chat: str) -> None:
        """After a refusal the key is free for another body."""
        path = f"/chat/{chat}/messages"
        assert keyed(one, path, {"text": ""}, "k").status == 400
        assert keyed(one, path, {"text": "hello"}, "k").status == 201

    def test_a_key_ends_after_a_day(self, live: Live, one: Chatter, two: Chatter, chat: str) -> None:
        """After 24 hours the same request under the same key is another one."""
        path, sent = f"/chat/{chat}/messages", {"text": "hello"}
        keyed(one, path, sent, "k")
        with live.store(), database.atomic():
            KeptAnswer.update(kept_at=now() - LIFE * 1.01).where(KeptAnswer.user == one.id).execute()
        keyed(one, path, sent, "k")
        assert two.texts(chat) == ["hello", "hello"]

    @pytest.mark.parametrize("how", ["header", "id"])
    def test_an_endless_key_is_refused(self, one: Chatter, chat: str, how: str) -> None:
        """A key of more than 255 characters is refused."""
        key = "k" * 256
        extra = {"id": key} if how == "id" else {}
        headers = {"Idempotency_Key": key} if how == "header" else {}
        check_problem(one.post(f"/chat/{chat}/messages", {"text": "a", **extra}, **headers), 400, "BAD_KEY")

    @pytest.mark.parametrize("how", ["header", "id"])
    def test_at_one_moment_it_is_done_once(self, one: Chatter, two: Chatter, chat: str, how: str) -> None:
        """Of eight requests with one key at one moment one is carried out, and all have its answer."""
        extra = {"id": "mine"} if how == "id" else {}
        headers = {"Idempotency_Key": "k"} if how == "header" else {}

        def say(_: int) -> Answer:
            return one.post(f"/chat/{chat}/messages", {"text": "hello", **extra}, **headers)

        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(say, range(THREADS)))
        assert {(each.status, each.body) for each in answers} == {(201, answers[0].body)}
        assert two.texts(chat) == ["hello"]

    def test_no_token_is_kept(self, live: Live, chatter: ToChatter) -> None:
        """A key with a request for a token keeps nothing: each gets its own token, none is in the store."""
        member = live.member(password="right")
        client, sent = chatter(member), {"username": member.name, "password": "right"}
        tokens = [keyed(client, "/auth/token", sent, "k").json["accessToken"] for _ in range(2)]
        assert tokens[0] != tokens[1]
        with live.store():
            assert kept(client) == []
        stored = engines.chosen().written(live.database)
        assert not [each for each in tokens if each.encode() in stored]


class TestConditions:
    """Answers that a client has already"""

    @pytest.mark.parametrize("path", [*LISTS, *COUNTS])
    def test_what_is_known_is_not_sent_again(self, one: Chatter, chat: str, path: str) -> None:
        """A list or a total with the ETag that the client has is answered by 304 and nothing else."""
        there = path.format(chat)
        tag = one.get(there).header("ETag")
        assert tag
        again = one.send("GET", there, If_None_Match=tag)
        assert (again.status, again.body, again.header("ETag")) == (304, b"", tag)

    @pytest.mark.parametrize("path", ["/chat", "/chat/{}/messages", "/chat/totals", "/chat/unread"])
    def test_what_is_new_is_sent(self, one: Chatter, two: Chatter, chat: str, path: str) -> None:
        """After something was said the old ETag gets the new answer, under another one."""
        there = path.format(chat)
        tag = two.get(there).header("ETag")
        one.says(chat, "hello")
        again = two.send("GET", there, If_None_Match=tag)
        assert again.status == 200
        assert again.body and again.header("ETag") != tag

    def test_no_cache_keeps_an_answer_for_others(self, one: Chatter) -> None:
        """What one user is shown no shared cache keeps."""
        assert "private" in one.get("/chat").header("Cache-Control")
        assert one.get(f"/chat/{NO_CHAT}").header("Cache-Control") == "no-store"

    def test_a_token_is_not_cached(self, live: Live, guest: Client) -> None:
        """An answer with a token is kept nowhere."""
        name = live.member(password="right").name
        answer = guest.post("/auth/token", {"username": name, "password": "right"})
        assert answer.header("Cache-Control") == "no-store"

    @pytest.mark.parametrize("path", [*LISTS, *COUNTS])
    def test_a_head_is_a_get_without_a_body(self, one: Chatter, chat: str, path: str) -> None:
        """HEAD has the head of GET, and no body."""
        there = path.format(chat)
        got, head = one.get(there), one.send("HEAD", there)
        assert (head.status, head.body) == (200, b"")
        for name in ("Content-Type", "Content-Length", "ETag", "X-Total-Count"):
            assert head.header(name) == got.header(name)

    @pytest.mark.parametrize(
        ("path", "verbs"),
        [("/chat", {"GET", "POST"}), ("/chat/totals", {"GET"}), ("/chat/1/accept", {"POST", "PUT", "PATCH"})],
    )
    def test_options_names_the_verbs(self, guest: Client, path: str, verbs: set[str]) -> None:
        """OPTIONS names the verbs of an address, each once, to anyone."""
        answer = guest.send("OPTIONS", path)
        assert (answer.status, answer.body) == (204, b"")
        named = answer.header("Allow").split(", ")
        assert len(named) == len(set(named))
        assert set(named) - {"HEAD", "OPTIONS"} == verbs

    def test_options_of_nothing(self, guest: Client) -> None:
        """OPTIONS of an address of nothing finds nothing."""
        assert guest.send("OPTIONS", "/chat/1/2/3").status == 404


BURST, ASKED = 4, 3


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server on which one may send four messages at once, and ask for three chats."""
    options = ["--message-burst", str(BURST), "--message-interval", "60"]
    options += ["--conversation-burst", str(ASKED), "--conversation-interval", "60"]
    server = Live(tmp_path_factory.mktemp("strict"), *options, "--cors", f"{SITE}, https://b.example")
    yield server
    server.stop()


def at(live: Live, member: Member) -> Chatter:
    return Chatter(live.address, member.token, member.id, member.name)


@pytest.fixture
def sender(strict: Live) -> Chatter:
    return at(strict, strict.member("sender"))


@pytest.fixture
def receiver(strict: Live) -> Chatter:
    return at(strict, strict.member("receiver"))


def remaining(answer: Answer) -> int:
    return int(answer.header("X-RateLimit-Remaining"))


class TestLimits:
    """How often something may be said"""

    def test_the_head_counts_down(self, sender: Chatter, receiver: Chatter) -> None:
        """Every answer says how many messages may be sent, how many are left, and when all are again."""
        chat = sender.talks_with(receiver)
        for left in range(BURST, 0, -1):
            answer = sender.get("/chat")
            assert answer.header("X-RateLimit-Limit") == str(BURST)
            assert remaining(answer) == left
            reset = int(answer.header("X-RateLimit-Reset"))
            assert (BURST - left - 1) * 60 <= reset <= (BURST - left) * 60
            said = sender.post(f"/chat/{chat}/messages", {"text": "hello"})
            assert (said.status, remaining(said)) == (201, left - 1)

    def test_too_many_have_to_wait(self, sender: Chatter, receiver: Chatter) -> None:
        """Who has sent all that he may is told to wait, and for how long; nothing is said."""
        chat = sender.talks_with(receiver)
        for number in range(BURST):
            sender.says(chat, str(number))
        answer = sender.post(f"/chat/{chat}/messages", {"text": "more"})
        check_problem(answer, 429, "TOO_MANY_REQUESTS")
        assert 0 < int(answer.header("Retry-After")) <= 60
        assert remaining(answer) == 0
        assert len(receiver.texts(chat)) == BURST

    def test_one_does_not_wait_for_another(self, sender: Chatter, receiver: Chatter) -> None:
        """What one has used up another still has."""
        chat = sender.talks_with(receiver)
        for number in range(BURST):
            sender.says(chat, str(number))
        assert remaining(receiver.get("/chat")) == BURST

    def test_both_doors_count_together(self, strict: Live) -> None:
        """Messages on the forum and in chats are counted by the same limit."""
        ann, bob = strict.member("ann"), strict.member("bob")
        ann.rpc.new_conversation([bob.name], b"Subject", b"hello")
        assert remaining(at(strict, ann).get("/chat")) == BURST - 1

    def test_a_repeat_uses_nothing_up(self, sender: Chatter, receiver: Chatter) -> None:
        """The same message under the same key is answered again, however often it comes."""
        chat = sender.talks_with(receiver)
        for _ in range(BURST + 2):
            assert sender.says(chat, "hello", id="mine")
        assert remaining(sender.get("/chat")) == BURST - 1

    @pytest.mark.parametrize(
        ("verb", "path"), [("GET", f"/chat/{NO_CHAT}"), ("PUT", "/chat"), ("GET", "/chat/1/2/3")]
    )
    def test_refusals_have_the_head_too(self, sender: Chatter, verb: str, path: str) -> None:
        """A refusal says as well how many messages are left."""
        assert remaining(sender.send(verb, path)) == BURST

    def test_a_guest_is_told_the_limit(self, strict: Live) -> None:
        """Who does not say who he is learns what everybody may."""
        answer = Client(strict.address).get("/chat")
        assert (answer.status, answer.header("X-RateLimit-Limit")) == (401, str(BURST))

    def test_requests_are_limited(self, strict: Live) -> None:
        """Who has asked for as many chats as he may is told to wait."""
        first, *others = (at(strict, strict.member()) for _ in range(ASKED + 2))
        answers = [first.post("/chat", {"userId": each.id}) for each in others]
        assert [each.status for each in answers] == [201] * ASKED + [429]
        assert 0 < int(answers[-1].header("Retry-After")) <= 60


CORS = "Access-Control-Allow-Origin"


def head_of_events(server: Live, token: str, **headers: str) -> Message:
    """The head of a live answer, which is not listened to."""
    address = urllib.parse.urlsplit(server.address)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    connection.request("GET", "/chat/events", headers={"Authorization": f"Bearer {token}", **headers})
    try:
        return connection.getresponse().headers
    finally:
        connection.close()


def test_a_live_answer_allows_its_own_page_alone(strict: Live) -> None:
    """What one listener's answer says of its page stands in nobody else's."""
    ann = strict.member()
    assert head_of_events(strict, ann.token, Origin=SITE)[CORS] == SITE
    assert CORS not in head_of_events(strict, ann.token)


class TestOrigins:
    """Pages of other origins"""

    @pytest.mark.parametrize("verb", ["GET", "OPTIONS"])
    def test_none_are_allowed_by_default(self, one: Chatter, verb: str) -> None:
        """Without a setting no page of another origin may read an answer."""
        assert not one.send(verb, "/chat", Origin=SITE).has(CORS)

    @pytest.mark.parametrize("origin", [SITE, "https://b.example"])
    def test_an_allowed_one_may_read(self, sender: Chatter, origin: str) -> None:
        """A page of an allowed origin may read answers and the heads that matter, refusals too."""
        for path in ("/chat", f"/chat/{NO_CHAT}"):
            answer = sender.send("GET", path, Origin=origin)
            assert answer.header(CORS) == origin
            assert "Origin" in answer.header("Vary")
            shown = answer.header("Access-Control-Expose-Headers")
            assert {"X-Total-Count", "Link", "ETag", "Retry-After"} <= set(shown.split(", "))

    @pytest.mark.parametrize("origin", [FOREIGN, "http://site.example", f"{SITE}.evil.example", "null", "*"])
    def test_others_may_not(self, sender: Chatter, origin: str) -> None:
        """A page of any other origin may not read an answer."""
        answer = sender.send("GET", "/chat", Origin=origin)
        assert not answer.has(CORS)
        assert "Origin" in answer.header("Vary")

    def test_a_browser_may_ask_before(self, strict: Live) -> None:
        """A preflight, which has no credential, names the verbs and the headers that may be sent."""
        answer = Client(strict.address).send(
            "OPTIONS",
            "/chat/1/messages",
            Origin=SITE,
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="authorization, content-type, idempotency-key",
        )
        assert (answer.status, answer.header(CORS)) == (204, SITE)
        assert {"GET", "POST"} <= set(answer.header("Access-Control-Allow-Methods").split(", "))
        taken = answer.header("Access-Control-Allow-Headers").lower().split(", ")
        assert {"authorization", "content-type", "idempotency-key", "x-api-key"} <= set(taken)

    @pytest.mark.parametrize(("verb", "status"), [("GET", 401), ("OPTIONS", 204)])
    def test_events_are_for_allowed_pages_too(self, strict: Live, verb: str, status: int) -> None:
        """A page of an allowed origin may ask for events, and read why it does not get them."""
        answer = Client(strict.address).send(verb, "/chat/events", Origin=SITE)
        assert (answer.status, answer.header(CORS)) == (status, SITE)

    @pytest.mark.parametrize(
        ("path", "verb"), [("/attachments/1/map.png", "GET"), ("/mobiquo/upload.php", "POST")]
    )
    def test_files_are_for_allowed_pages_too(self, sender: Chatter, path: str, verb: str) -> None:
        """A page of an allowed origin may load what a message carries, and upload; others may not."""
        asked = sender.send("OPTIONS", path, Origin=SITE, Access_Control_Request_Method=verb)
        assert (asked.status, asked.header(CORS)) == (204, SITE)
        assert verb in asked.header("Access-Control-Allow-Methods").split(", ")
        assert "authorization" in asked.header("Access-Control-Allow-Headers").lower()
        answer = sender.send(verb, path, Origin=SITE)
        assert answer.header(CORS) == SITE and not answer.has("Access-Control-Allow-Credentials")
        assert not sender.send(verb, path, Origin=FOREIGN).has(CORS)

    def test_no_cookies_across_origins(self, sender: Chatter) -> None:
        """Credentials of the browser's own are not invited."""
        assert not sender.send("GET", "/chat", Origin=SITE).has("Access-Control-Allow-Credentials")

    def test_a_limit_is_told_to_a_page(self, sender: Chatter, receiver: Chatter) -> None:
        """A page of an allowed origin can read that it has to wait."""
        chat = sender.talks_with(receiver)
        answers = [
            sender.post(f"/chat/{chat}/messages", {"text": "hello"}, Origin=SITE) for _ in range(BURST + 1)
        ]
        assert (answers[-1].status, answers[-1].header(CORS)) == (429, SITE)


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


TOKEN_FORMS = {
    "bearer": lambda member: {"Authorization": f"Bearer {member.token}"},
    "bare": lambda member: {"Authorization": member.token},
    "api key": lambda member: {"X_API_Key": member.token},
    "basic": lambda member: {"Authorization": basic(member.name, member.token)},
}
token_forms = pytest.mark.parametrize("form", TOKEN_FORMS)


class TestCredentials:
    """Who may come in"""

    @token_forms
    def test_a_token_opens(self, guest: Client, ann: Member, form: str) -> None:
        """An access token opens the door in every form."""
        assert guest.send("GET", "/chat", **TOKEN_FORMS[form](ann)).status == 200

    def test_a_password_opens(self, live: Live, guest: Client) -> None:
        """A name and a password open the door by HTTP Basic, and a wrong password does not."""
        name = live.member(password="right").name
        answers = [guest.send("GET", "/chat", Authorization=basic(name, each)) for each in ("right", "no")]
        assert [each.status for each in answers] == [200, 401]

    @pytest.mark.parametrize(
        "value", ["Bearer", "Bearer ", "Bearer x", "x", "Basic", "Basic x", "Basic eDp5"]
    )
    def test_what_is_no_credential(self, guest: Client, value: str) -> None:
        """A header that is no credential is as good as none."""
        check_problem(guest.send("GET", "/chat", Authorization=value), 401)

    def test_the_session_cookie_does_not_open(self, live: Live, guest: Client) -> None:
        """The forum's session cookie opens nothing here, so that no other site's page can use it."""
        name = live.member(password="right").name
        cookie = session_of(guest, name)
        assert forum_knows(guest, cookie)
        check_problem(guest.send("GET", "/chat", Cookie=cookie), 401, "UNAUTHORIZED")
        check_problem(guest.post("/chat", {"userId": 1}, Cookie=cookie), 401, "UNAUTHORIZED")

    def test_no_session_is_begun(self, live: Live, guest: Client) -> None:
        """The door sets no cookie, not with a token and not with a password."""
        name = live.member(password="right").name
        assert not guest.post("/auth/token", {"username": name, "password": "right"}).has("Set-Cookie")
        assert not guest.send("GET", "/chat", Authorization=basic(name, "right")).has("Set-Cookie")

    @pytest.mark.parametrize("form", ["bearer", "bare", "api key", "basic"])
    def test_a_server_key_does_not_open(self, live: Live, guest: Client, form: str) -> None:
        """A game server's key opens no chat, in whichever form it comes."""
        holder = Member("server", "0", live.key(), None)
        check_problem(guest.send("GET", "/chat", **TOKEN_FORMS[form](holder)), 401)

    @token_forms
    def test_a_token_ends_itself(self, guest: Client, ann: Member, form: str) -> None:
        """The token with which its user revokes it opens nothing afterwards, here and on the forum."""
        headers = TOKEN_FORMS[form](ann)
        answer = guest.send("DELETE", "/auth/token", **headers)
        assert (answer.status, answer.body) == (204, b"")
        assert guest.send("GET", "/chat", **headers).status == 401
        assert not ann.rpc.get_inbox_stat()["result"]

    def test_other_tokens_stay(self, live: Live, guest: Client) -> None:
        """Revoking a token leaves the user's others as they are."""
        member = live.member(password="right")
        sent = {"username": member.name, "password": "right"}
        other = guest.post("/auth/token", sent).json["accessToken"]
        assert guest.send("DELETE", "/auth/token", Authorization=f"Bearer {other}").status == 204
        assert guest.send("GET", "/chat", Authorization=f"Bearer {member.token}").status == 200

    def test_a_password_is_no_token_to_revoke(self, live: Live, guest: Client) -> None:
        """Who comes with his password has no token to revoke."""
        name = live.member(password="right").name
        answer = guest.send("DELETE", "/auth/token", Authorization=basic(name, "right"))
        check_problem(answer, 403)

    def test_a_disabled_user_opens_nothing(self, live: Live, guest: Client, ann: Member) -> None:
        """Neither the token nor the password of a disabled user opens the door."""
        member = live.member(password="right")
        with live.store(), database.atomic():
            accounts.disable(User.get_by_id(int(member.id)))
        assert guest.send("GET", "/chat", Authorization=f"Bearer {member.token}").status == 401
        assert guest.post("/auth/token", {"username": member.name, "password": "right"}).status == 401

    def test_a_new_token_works_on_the_forum(self, live: Live, guest: Client) -> None:
        """A token that was got here opens the forum's methods too."""
        name = live.member(password="right").name
        token = guest.post("/auth/token", {"username": name, "password": "right"}).json["accessToken"]
        assert live.proxy(("Authorization", f"Bearer {token}")).get_inbox_stat()["result"]


def session_of(guest: Client, name: str) -> str:
    """The cookie of a session that is begun on the forum."""
    body = dumps((Binary(name.encode()), Binary(b"right")), "login").encode()
    answer = guest.send("POST", "/RPC2", body, Content_Type="text/xml")
    return answer.header("Set-Cookie").partition(";")[0]


def forum_knows(guest: Client, cookie: str) -> bool:
    body = dumps((), "get_inbox_stat").encode()
    answer = guest.send("POST", "/RPC2", body, Content_Type="text/xml", Cookie=cookie)
    return answer.header("Mobiquo_is_login") == "true"
