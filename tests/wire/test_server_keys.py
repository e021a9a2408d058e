"""What a server key opens and what it does not, and that nothing else opens the phone door."""

import base64
import http.client
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from xmlrpc.client import Fault, dumps, loads

import pytest
from conftest import Live, Member

from models import ServerKey, database
from models.users import digest_of
from server.actions import accounts

PATH = "/mobiquo/mobiquo.php"
PHONE_PREFIXES = ("Darkchat_", "Messages_", "PhoneApp_", "Players_", "GetNumber", "GetPlayerSrc")
FAILURES = 3
NOT_LOGGED_IN = {
    "result": False,
    "result_text": b"You are not logged in or you do not have permission to do this action.",
    "error": b"Login required",
    "result_reason": 1,
}
FORUM_CALLS: list[tuple[str, list[Any]]] = [
    ("new_conversation", [["x"], "a", "b"]),
    ("reply_conversation", ["1", "a"]),
    ("invite_participant", [["x"], "1"]),
    ("get_conversations", []),
    ("get_conversation", ["1"]),
    ("get_quote_conversation", ["1", "1"]),
    ("delete_conversation", ["1", 2]),
    ("mark_conversation_unread", ["1"]),
    ("mark_conversation_read", []),
    ("edit_conversation", ["1", "a"]),
    ("close_conversation", ["1"]),
    ("open_conversation", ["1"]),
    ("get_inbox_stat", []),
    ("get_user_info", ["server"]),
    ("get_online_users", []),
    ("search_user", ["a"]),
    ("get_recommended_user", []),
    ("ignore_user", ["1", 1]),
    ("get_ignored_users", []),
]

Headers = dict[str, str]


@dataclass
class Answer:
    """What came back of a call: its *result* or its *fault*, and what the header says of a login."""

    result: Any
    fault: int | None
    is_login: str | None


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def request(live: Live, verb: str, path: str, body: bytes, headers: Headers) -> tuple[int, str | None, bytes]:
    host, _, port = live.address.removeprefix("http://").rpartition(":")
    with closing(http.client.HTTPConnection(host, int(port), 30)) as connection:
        connection.request(verb, path, body, headers)
        response = connection.getresponse()
        return response.status, response.getheader("Mobiquo_is_login"), response.read()


def call(live: Live, headers: Headers, method: str, *params: Any) -> Answer:
    status, is_login, body = request(live, "POST", PATH, dumps(params, method).encode(), headers)
    assert status == 200
    try:
        return Answer(loads(body, use_builtin_types=True)[0][0], None, is_login)
    except Fault as fault:
        return Answer(None, fault.faultCode, is_login)


KEY_FORMS: dict[str, Callable[[str], Headers]] = {
    "Bearer": lambda key: {"Authorization": f"Bearer {key}"},
    "bearer": lambda key: {"Authorization": f"bearer {key}"},
    "bare": lambda key: {"Authorization": key},
    "X-API-Key": lambda key: {"X-API-Key": key},
    "Basic": lambda key: {"Authorization": basic("server", key)},
}


@pytest.fixture(scope="module")
def key(live: Live) -> str:
    return live.key()


@pytest.fixture(scope="module")
def phone_methods(live: Live) -> list[str]:
    """Every method of the phone door, by its name."""
    names = call(live, {}, "system.listMethods").result
    return [name for name in names if name.startswith(PHONE_PREFIXES)]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server on which a few failed logins are enough."""
    server = Live(tmp_path_factory.mktemp("strict"), "--login-burst", str(FAILURES))
    yield server
    server.stop()


def opens(live: Live, headers: Headers) -> bool:
    """Whether these headers open a method of the phone door; without a yes it is fault 401."""
    answer = call(live, headers, "GetPlayerSrcFromActiveNumber", "000")
    assert answer.fault in (None, 401)
    return answer.fault is None


def opens_nothing(live: Live, methods: list[str], headers: Headers) -> bool:
    """Whether every one of the methods, called without its arguments, is fault 401."""
    assert methods
    return {call(live, headers, method).fault for method in methods} == {401}


class TestOpening:
    """Who opens the phone door"""

    @pytest.mark.parametrize("form", KEY_FORMS)
    def test_a_key_opens_in_every_form(self, live: Live, key: str, form: str) -> None:
        """A server key opens phone methods in each of the headers in which it may come."""
        assert opens(live, KEY_FORMS[form](key))

    def test_a_key_opens_every_phone_method(self, live: Live, key: str, phone_methods: list[str]) -> None:
        """With a server key no phone method is fault 401; without their arguments all are -32602."""
        headers = KEY_FORMS["Bearer"](key)
        assert {call(live, headers, method).fault for method in phone_methods} == {-32602}

    def test_without_a_key_nothing_opens(self, live: Live, phone_methods: list[str]) -> None:
        """Without a server key every phone method is fault 401, before its arguments are looked at."""
        assert opens_nothing(live, phone_methods, {})

    @pytest.mark.parametrize("form", KEY_FORMS)
    def test_a_wrong_key_opens_nothing(self, live: Live, key: str, form: str) -> None:
        """A key with one letter wrong, cut short or too long, its digest, or none, is fault 401."""
        other = ("b" if key[0] == "a" else "a") + key[1:]
        for wrong in (other, key[:-1], f"{key}a", digest_of(key), "", " ", "x"):
            assert not opens(live, KEY_FORMS[form](wrong))

    @pytest.mark.parametrize("form", KEY_FORMS)
    def test_a_revoked_key_opens_nothing(self, live: Live, phone_methods: list[str], form: str) -> None:
        """From the moment in which it is revoked a key is fault 401."""
        revoked = live.key()
        assert opens(live, KEY_FORMS[form](revoked))
        with live.store(), database.atomic():
            accounts.revoke_key(ServerKey.get(ServerKey.digest == digest_of(revoked)).id)
        assert opens_nothing(live, phone_methods, KEY_FORMS[form](revoked))

    @pytest.mark.parametrize("name", ["", "nobody", "SERVER", "server2"])
    def test_a_key_has_one_name(self, live: Live, key: str, name: str) -> None:
        """With HTTP Basic a server key stands beside the name server and no other."""
        assert not opens(live, {"Authorization": basic(name, key)})

    def test_a_key_has_no_users_name(self, live: Live, key: str) -> None:
        """With HTTP Basic a server key is not good under a user's name."""
        assert not opens(live, {"Authorization": basic(live.member().name, key)})

    def test_a_key_is_no_cookie(self, live: Live, key: str) -> None:
        """A server key in the session cookie opens nothing."""
        assert not opens(live, {"Cookie": f"xf_session={key}"})

    @pytest.mark.parametrize(
        "header", ["Basic", "Basic !!!", "Basic YQ", "Basic /w==", "Bearer", " ", "Digest a=b"]
    )
    def test_a_broken_header_opens_nothing(self, live: Live, header: str) -> None:
        """A credential that cannot be read is fault 401."""
        assert not opens(live, {"Authorization": header})

    def test_arguments_are_not_looked_at(self, live: Live) -> None:
        """Who has no key learns nothing of arguments: wrong, right or too many, it is fault 401."""
        lists: list[list[Any]] = [[], [{}], [1, "Heist"], [1, 2, 3, 4, 5, 6]]
        for params in lists:
            assert call(live, {}, "Darkchat_CreateConversationBySrc", *params).fault == 401

    def test_multicall_opens_nothing_either(self, live: Live) -> None:
        """Inside system.multicall a phone method without a key is fault 401 all the same."""
        inner = [{"methodName": "GetPlayerSrcFromActiveNumber", "params": ["000"]}]
        [told] = call(live, {}, "system.multicall", inner).result
        assert told["faultCode"] == 401


class TestUsers:
    """A user's credentials on the phone door"""

    @pytest.mark.parametrize("form", KEY_FORMS)
    def test_a_token_opens_nothing(self, live: Live, phone_methods: list[str], form: str) -> None:
        """A user's access token, in any form, is fault 401 on every phone method."""
        assert opens_nothing(live, phone_methods, KEY_FORMS[form](live.member().token))

    @pytest.mark.parametrize("secret", ["password", "token"])
    def test_a_user_by_basic_opens_nothing(self, live: Live, phone_methods: list[str], secret: str) -> None:
        """A user's name with his password or his token is fault 401 on every phone method."""
        member = live.member(password="right")
        password = "right" if secret == "password" else member.token
        assert opens_nothing(live, phone_methods, {"Authorization": basic(member.name, password)})

    def test_a_session_opens_nothing(self, live: Live, phone_methods: list[str]) -> None:
        """A user's session is fault 401 on every phone method."""
        member = live.member(password="right")
        with live.store(), database.atomic():
            session = accounts.begin_session(accounts.named(member.name), "127.0.0.1", False)
        headers = {"Cookie": f"xf_session={session}"}
        assert call(live, headers, "get_inbox_stat").result["result"] is True
        assert opens_nothing(live, phone_methods, headers)

    def test_an_administrator_opens_nothing(self, live: Live) -> None:
        """An administrator is a user as well, and opens no phone method."""
        member = live.member()
        with live.store(), database.atomic():
            accounts.edit_user(accounts.named(member.name), is_admin=True)
        assert not opens(live, {"Authorization": f"Bearer {member.token}"})


class TestForum:
    """A server key on the forum door"""

    @pytest.mark.parametrize("form", KEY_FORMS)
    def test_a_key_opens_no_forum_method(self, live: Live, key: str, form: str) -> None:
        """A server key gets the documented refusal of a guest from every forum method."""
        for method, params in FORUM_CALLS:
            assert call(live, KEY_FORMS[form](key), method, *params).result == NOT_LOGGED_IN

    @pytest.mark.parametrize(
        ("method", "params"),
        [("get_config", []), ("get_inbox_stat", []), ("GetPlayerSrcFromActiveNumber", ["000"])],
    )
    def test_a_key_is_no_login(self, live: Live, key: str, method: str, params: list[str]) -> None:
        """With a server key the header says that nobody is logged in, whatever is called."""
        for form in KEY_FORMS.values():
            assert call(live, form(key), method, *params).is_login == "false"

    def test_a_key_is_nobodys_password(self, live: Live, key: str) -> None:
        """A server key logs nobody in."""
        for name in ("server", live.member().name):
            assert call(live, {}, "login", name, key).result["result"] is False

    @pytest.mark.parametrize("form", KEY_FORMS)
    @pytest.mark.parametrize(
        "path", ["/attachments/1/x", "/attachments/1/thumbnail/x", "/attachments/9999/x"]
    )
    def test_a_key_opens_no_attachment(self, live: Live, key: str, form: str, path: str) -> None:
        """A server key downloads no attachment."""
        status, _, _ = request(live, "GET", path, b"", KEY_FORMS[form](key))
        assert status in (401, 404)

    def test_a_key_opens_no_attachment_that_is_there(self, live: Live, key: str) -> None:
        """An attachment that a user may download is closed to a server key."""
        ann, bob = live.member(), live.member()
        path = send_file(live, ann, bob)
        status, _, body = request(live, "GET", path, b"", {"Authorization": f"Bearer {bob.token}"})
        assert (status, body) == (200, b"secret")
        for form in KEY_FORMS.values():
            status, _, body = request(live, "GET", path, b"", form(key))
            assert status in (401, 404) and b"secret" not in body

    @pytest.mark.parametrize("form", KEY_FORMS)
    def test_a_key_uploads_nothing(self, live: Live, key: str, form: str) -> None:
        """A server key gets the refusal of a guest when it uploads a file."""
        uploaded = upload(live, KEY_FORMS[form](key))
        assert uploaded["result"] is False and uploaded["result_text"] == NOT_LOGGED_IN["result_text"]


def upload(live: Live, headers: Headers) -> Any:
    """The answer to an upload of a small text."""
    fields = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name, value)
        for name, value in ((b"method_name", b"upload_attach"), (b"type", b"pm"))
    )
    head = b'--x\r\nContent-Disposition: form-data; name="attachment[]"; filename="a.txt"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    form = fields + head + b"secret\r\n--x--\r\n"
    _, _, body = request(live, "POST", "/mobiquo/upload.php", form, headers | kind)
    return loads(body, use_builtin_types=True)[0][0]


def send_file(live: Live, sender: Member, receiver: Member) -> str:
    """Where the file is that one has sent to the other."""
    uploaded = upload(live, {"Authorization": f"Bearer {sender.token}"})
    assert uploaded["result"], uploaded
    files = [uploaded["attachment_id"]]
    begun = sender.rpc.new_conversation([receiver.name], b"Hi", b"there", files)
    [message] = receiver.rpc.get_conversation(begun["conv_id"])["list"]
    [attached] = message["attachments"]
    return str(attached["url"]).removeprefix(live.address)


class TestTrying:
    """How often a key may be tried"""

    @pytest.mark.parametrize("form", KEY_FORMS)
    def test_a_wrong_key_is_401_however_often(self, strict: Live, form: str) -> None:
        """A wrong key stays fault 401, also where passwords may be tried a few times only."""
        wrong = KEY_FORMS[form]("wrong")
        assert not any(opens(strict, wrong) for _ in range(12))

    def test_wrong_keys_close_no_right_one(self, strict: Live) -> None:
        """After many wrong keys from one address the right one opens from there."""
        for _ in range(12):
            assert not opens(strict, KEY_FORMS["Basic"]("wrong"))
        right = strict.key()
        assert all(opens(strict, form(right)) for form in KEY_FORMS.values())
