"""A conversation from the first login to the last logout, as the mobile app on four phones lives it."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from xmlrpc.client import ServerProxy, Transport

import pytest
from conftest import Live

from server.pictures import BLANK

PASSWORD = "correct hörse"
SUBJECT = "Saturday hike"
QUESTION, PLAIN_QUESTION = "Meet at [b]09:00[/b] by the gate?", "Meet at 09:00 by the gate?"
NOT_FOUND = b"The requested conversation could not be found."


class App(Transport):
    """What the app keeps of each answer: the session cookie, and whether it is logged in."""

    def __init__(self) -> None:
        super().__init__(use_builtin_types=True)
        self.cookie, self.is_login = "", ""

    def send_headers(self, connection: HTTPConnection, headers: Any) -> None:
        super().send_headers(connection, headers)
        connection.putheader("Cookie", self.cookie or "tapatalk = 1")

    def parse_response(self, response: HTTPResponse) -> Any:
        self.is_login = response.getheader("Mobiquo_is_login", "")
        if set_cookie := response.getheader("Set-Cookie"):
            self.cookie = set_cookie.partition(";")[0]
        return super().parse_response(response)


class Phone:
    """The app in the hands of one user."""

    def __init__(self, live: Live, name: str) -> None:
        member = live.member(name, password=PASSWORD)
        self.name, self.id = member.name, member.id
        self.address = live.address
        self.app = App()
        self.rpc: Any = ServerProxy(f"{live.address}/mobiquo/mobiquo.php", transport=self.app)

    def log_in(self, password: str) -> Any:
        return self.rpc.login(self.name.encode(), password.encode(), False, "1")

    def inbox(self) -> int:
        """The number on the badge."""
        number = self.rpc.get_inbox_stat()["inbox_unread_count"]
        assert isinstance(number, int)
        return number

    def listed(self, conv: str) -> Any:
        """The conversation in the list, and nothing else is there."""
        box = self.rpc.get_conversations(0, 19)
        assert box["conversation_count"] == 1
        assert box["unread_count"] == self.inbox()
        [item] = box["list"]
        assert item["conv_id"] == conv
        assert item["new_post"] == (item["unread_num"] > 0)
        return item

    def unread(self, conv: str) -> int:
        number = self.listed(conv)["unread_num"]
        assert isinstance(number, int)
        return number

    def open(self, conv: str) -> list[Any]:
        """The messages of the conversation, which are read by that."""
        messages: list[Any] = self.rpc.get_conversation(conv, 0, 19)["list"]
        return messages

    def reply(self, conv: str, text: str) -> str:
        answer = self.rpc.reply_conversation(conv, text.encode(), f"Re: {SUBJECT}".encode(), [], "")
        assert answer["result"] is True
        return str(answer["msg_id"])

    def upload(self, filename: str, data: bytes) -> Any:
        boundary = secrets.token_hex(8)
        fields = {"method_name": "upload_attach", "type": "pm", "group_id": ""}
        parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
        parts.append(f'name="attachment"; filename="{filename}"\r\n\r\n'.encode() + data)
        head = f"--{boundary}\r\nContent-Disposition: form-data; ".encode()
        body = b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        with self.fetch(f"{self.address}/mobiquo/upload.php", body, {"Content-Type": kind}) as response:
            [answer] = self.app.parse_response(response)
        return answer

    def download(self, address: str) -> bytes:
        with self.fetch(address) as response:
            data: bytes = response.read()
        return data

    def fetch(self, address: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
        return urlopen(Request(address, body, {"Cookie": self.app.cookie, **(headers or {})}))


@pytest.fixture
def phones(live: Live) -> Iterator[list[Phone]]:
    with ExitStack() as stack:
        phones = [Phone(live, name) for name in ("ann", "bob", "Çelik Ömer", "dave")]
        for phone in phones:
            stack.callback(phone.app.close)
        yield phones


def test_a_conversation_from_the_first_login_to_the_last_logout(phones: list[Phone]) -> None:
    """Every step of it answers what the app goes on from, for each of the four it concerns."""
    ann, bob, celik, dave = phones
    for phone in phones:
        asks_what_is_offered(phone)
        logs_in(phone)

    finds(ann, bob)
    upload = uploads_a_picture(ann)
    conv = begins(ann, [bob, celik], upload)
    for phone in (bob, celik):
        has_it_as_new(phone, conv, starter=ann)
    picture = opens_it_and_the_picture(bob, conv)

    answer = bob.reply(conv, "Fine with me.")
    celik.reply(conv, "Ben de gelirim – 山へ!")
    sees_two_replies(ann, conv, last=celik)

    invites(ann, dave, conv)
    is_asked_in(dave, conv)
    quote = quotes(dave, conv, answer, author=bob)
    dave.reply(conv, f"{quote}So am I.")
    reads_all_with_the_quote(ann, conv, quote)

    marks_unread_and_read(ann, conv)
    hides(bob, conv)
    celik.reply(conv, "Bring water.")
    has_it_back(bob, conv)

    leaves(celik, conv)
    ann.reply(conv, "See you there.")
    stays_away(celik, conv)
    sees_who_has_left(dave, conv, celik)

    for phone in phones:
        logs_out(phone, picture)


def asks_what_is_offered(guest: Phone) -> None:
    config = guest.rpc.get_config()
    assert (config["is_open"], config["guest_okay"], config["api_level"]) == (True, False, "4")
    assert config["conversation"] == config["inbox_stat"] == config["pm_load"] == "1"
    assert guest.app.is_login == "false"
    assert guest.rpc.get_conversations(0, 19)["result"] is False


def logs_in(phone: Phone) -> None:
    refused = phone.log_in("wrong")
    assert (refused["result"], refused["result_text"]) == (False, b"Incorrect user name or password.")
    assert (phone.app.is_login, phone.app.cookie) == ("false", "")

    welcome = phone.log_in(PASSWORD)
    assert (welcome["result"], welcome["user_id"], welcome["can_pm"]) == (True, phone.id, True)
    assert welcome["username"].decode() == phone.name
    assert phone.app.is_login == "true"
    assert phone.app.cookie.startswith("xf_session=")
    assert phone.inbox() == 0
    assert phone.rpc.get_user_info()["user_id"] == phone.id
    assert phone.rpc.get_forum() == []
    assert phone.rpc.get_conversations(0, 19)["list"] == []


def finds(phone: Phone, other: Phone) -> None:
    found = phone.rpc.search_user(other.name.upper().encode(), 1, 20)
    names = {person["user_id"]: person["username"].decode() for person in found["list"]}
    assert names[other.id] == other.name
    assert found["total"] == len(names)


def uploads_a_picture(phone: Phone) -> Any:
    upload = phone.upload("map.png", BLANK)
    assert (upload["result"], upload["file_size"]) == (True, len(BLANK))
    assert phone.app.is_login == "true"
    return upload


def begins(phone: Phone, others: list[Phone], upload: Any) -> str:
    begun = phone.rpc.new_conversation(
        [other.name.encode() for other in others],
        SUBJECT.encode(),
        QUESTION.encode(),
        [upload["attachment_id"]],
        upload["group_id"],
    )
    assert begun["result"] is True
    assert phone.inbox() == phone.unread(begun["conv_id"]) == 0
    return str(begun["conv_id"])


def has_it_as_new(phone: Phone, conv: str, starter: Phone) -> None:
    item = phone.listed(conv)
    assert (item["unread_num"], item["reply_count"], item["participant_count"]) == (1, 0, 3)
    assert item["start_user_id"] == item["last_user_id"] == starter.id
    assert item["conv_subject"].decode() == SUBJECT
    assert item["short_content"].decode() == PLAIN_QUESTION
    assert item["participants"][starter.id]["username"].decode() == starter.name
    assert (item["can_edit"], item["can_close"], item["can_invite"]) == (False, False, False)


def opens_it_and_the_picture(phone: Phone, conv: str) -> str:
    [message] = phone.open(conv)
    assert (message["msg_content"].decode(), message["is_unread"]) == (PLAIN_QUESTION, True)
    [picture] = message["attachments"]
    assert (picture["filename"], picture["content_type"]) == (b"map.png", "png")
    assert phone.download(picture["url"]) == BLANK
    assert phone.download(picture["thumbnail_url"])
    assert phone.inbox() == phone.unread(conv) == 0
    return str(picture["url"])


def sees_two_replies(phone: Phone, conv: str, last: Phone) -> None:
    item = phone.listed(conv)
    assert (item["unread_num"], item["reply_count"], item["last_user_id"]) == (2, 2, last.id)
    assert item["short_content"].decode() == "Ben de gelirim – 山へ!"
    assert phone.inbox() == 1


def invites(phone: Phone, other: Phone, conv: str) -> None:
    answer = phone.rpc.invite_participant([other.name.encode()], conv, b"Knows the way")
    assert answer["result"] is True


def is_asked_in(phone: Phone, conv: str) -> None:
    item = phone.listed(conv)
    assert (item["unread_num"], item["participant_count"]) == (3, 4)
    assert item["invite_reason_text"] == b"Knows the way"


def quotes(phone: Phone, conv: str, message: str, author: Phone) -> str:
    quote = phone.rpc.get_quote_conversation(conv, message)["text_body"].decode()
    marks = f"{author.name}, convMessage: {message}, member: {author.id}"
    assert quote == f'[quote="{marks}"]Fine with me.[/quote]\n'
    return str(quote)


def reads_all_with_the_quote(phone: Phone, conv: str, quote: str) -> None:
    assert phone.unread(conv) == 3
    messages = phone.open(conv)
    assert [message["is_unread"] for message in messages] == [False, True, True, True]
    assert messages[-1]["msg_content"].decode() == f"{quote}So am I."
    assert phone.inbox() == phone.unread(conv) == 0


def marks_unread_and_read(phone: Phone, conv: str) -> None:
    assert phone.rpc.mark_conversation_unread(conv)["result"] is True
    assert (phone.inbox(), phone.unread(conv)) == (1, 3)
    assert phone.rpc.mark_conversation_read(conv)["result"] is True
    assert (phone.inbox(), phone.unread(conv)) == (0, 0)
    assert phone.rpc.mark_conversation_unread(conv)["result"] is True
    assert phone.rpc.mark_conversation_read()["result"] is True
    assert (phone.inbox(), phone.unread(conv)) == (0, 0)


def hides(phone: Phone, conv: str) -> None:
    assert phone.rpc.delete_conversation(conv, 1)["result"] is True
    has_nothing(phone, conv)


def has_nothing(phone: Phone, conv: str) -> None:
    box = phone.rpc.get_conversations(0, 19)
    assert (box["conversation_count"], box["unread_count"], box["list"]) == (0, 0, [])
    assert phone.inbox() == 0
    refused = phone.rpc.get_conversation(conv, 0, 19)
    assert (refused["result"], refused["result_text"]) == (False, NOT_FOUND)


def has_it_back(phone: Phone, conv: str) -> None:
    assert (phone.inbox(), phone.unread(conv)) == (1, 3)
    messages = phone.open(conv)
    assert [message["is_unread"] for message in messages] == [False, False, True, True, True]
    assert messages[-1]["msg_content"] == b"Bring water."


def leaves(phone: Phone, conv: str) -> None:
    assert phone.rpc.delete_conversation(conv, 2)["result"] is True
    has_nothing(phone, conv)


def stays_away(phone: Phone, conv: str) -> None:
    has_nothing(phone, conv)
    refused = phone.rpc.reply_conversation(conv, b"Wait!")
    assert (refused["result"], refused["result_text"]) == (False, NOT_FOUND)


def sees_who_has_left(phone: Phone, conv: str, gone: Phone) -> None:
    thread = phone.rpc.get_conversation(conv, 0, 19)
    left = {key: person["has_left"] for key, person in thread["participants"].items()}
    assert thread["participant_count"] == len(left) == 4
    assert [key for key, has_left in left.items() if has_left] == [gone.id]
    for message in thread["list"]:
        assert message["has_left"] == (message["msg_author_id"] == gone.id)


def logs_out(phone: Phone, picture: str) -> None:
    ended = phone.app.cookie
    assert phone.rpc.logout_user()["result"] is True
    assert phone.app.is_login == "false"
    assert phone.app.cookie != ended

    phone.app.cookie = ended
    for answer in (phone.rpc.get_conversations(0, 19), phone.upload("map.png", BLANK)):
        assert (answer["result"], phone.app.is_login) == (False, "false")
    with pytest.raises(HTTPError, match="401") as refused:
        phone.download(picture)
    refused.value.close()
