"""Who may come in: sessions, tokens, passwords and keys; forged calls; limits on logins and on sending."""

import base64
import datetime
import http.client
import re
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, dumps, loads

import pytest
from conftest import Live, Member
from rest_client import lasting

from models import Session, User, database, now
from server.actions import accounts
from server.passwords import Passwords

PATH = "/mobiquo/mobiquo.php"
HOME = "127.0.0.1"
ELSEWHERE = "127.0.0.77"
WAIT = re.compile(rb"\b[0-9]+ seconds\b")


@dataclass
class Answer:
    """What came back, down to the bytes."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return ", ".join(value for each, value in self.headers if each.lower() == name.lower())

    @property
    def result(self) -> Any:
        return loads(self.body, use_builtin_types=True)[0][0]

    @property
    def cookie(self) -> str:
        """The session that the answer sets, as a client sends it back."""
        return self.header("Set-Cookie").partition(";")[0]

    @property
    def text(self) -> bytes:
        return bytes(self.result["result_text"])


def ask(live: Live, path: str, body: bytes, headers: dict[str, str], source: str = HOME) -> Answer:
    host, _, port = live.address.removeprefix("http://").rpartition(":")
    with closing(http.client.HTTPConnection(host, int(port), 30, source_address=(source, 0))) as connection:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())


def call(live: Live, method: str, *params: Any, source: str = HOME, **headers: str) -> Answer:
    """One call; the names of the headers have _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(live, PATH, dumps(params, method).encode(), named, source)


def login(live: Live, name: str, password: str, **more: Any) -> Answer:
    return call(live, "login", name, password, **more)


def opens(live: Live, **more: str) -> bool:
    """Whether a call with these headers is a user's."""
    answer = call(live, "get_inbox_stat", **more)
    opened = bool(answer.result["result"])
    assert answer.header("Mobiquo_is_login") == ("true" if opened else "false")
    return opened


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@dataclass
class Person:
    """A user with a password and a session."""

    member: Member
    password: str
    cookie: str

    @property
    def name(self) -> str:
        return self.member.name


def person(live: Live, password: str = "right") -> Person:
    member = live.member(password=password)
    return Person(member, password, login(live, member.name, password).cookie)


@pytest.fixture(scope="module")
def ann(live: Live) -> Person:
    """Someone whose session and password stay as they are."""
    return person(live)


@pytest.fixture
def eve(live: Live) -> Person:
    """Someone whose sessions and password a test may end."""
    return person(live)


# Sessions


def test_the_cookie_is_for_this_server_alone(live: Live, ann: Person) -> None:
    """`login` sets xf_session for all paths, out of the reach of scripts and of other sites' forms."""
    name, *attributes = login(live, ann.name, "right").header("Set-Cookie").split("; ")
    assert re.fullmatch(r"xf_session=[A-Za-z0-9_-]{22,}", name)
    assert {"Path=/", "HttpOnly", "SameSite=Lax"} <= set(attributes)
    assert "Secure" not in attributes and not [each for each in attributes if each.startswith("Domain")]


def test_the_cookie_is_secure_under_tls(strict: Live) -> None:
    """Where the world sees the server under https, the cookie is Secure."""
    answer = login(strict, strict.member(password="right").name, "right")
    assert "Secure" in answer.header("Set-Cookie").split("; ")


def test_a_successful_login_says_so(live: Live, ann: Person) -> None:
    """The answer of a login says that a user is logged in, and that of a failed one that none is."""
    assert login(live, ann.name, "right").header("Mobiquo_is_login") == "true"
    failed = login(live, ann.name, "wrong")
    assert failed.header("Mobiquo_is_login") == "false"
    assert not failed.header("Set-Cookie")


def test_a_session_opens(live: Live, ann: Person) -> None:
    """The cookie that `login` sets opens the forum's methods."""
    assert opens(live, Cookie=ann.cookie)


def test_each_login_has_a_session_of_its_own(live: Live, ann: Person) -> None:
    """A login never takes over a session id that it comes with, and ends no session of another device."""
    chosen = login(live, ann.name, "right", Cookie="xf_session=chosen").cookie
    assert chosen != "xf_session=chosen"
    assert opens(live, Cookie=ann.cookie) and opens(live, Cookie=chosen)


def test_a_login_ends_the_session_that_it_comes_with(live: Live, eve: Person) -> None:
    """The session whose cookie comes with a login ends where the login succeeds, and not where it fails."""
    assert not login(live, eve.name, "wrong", Cookie=eve.cookie).cookie
    assert opens(live, Cookie=eve.cookie)
    again = login(live, eve.name, "right", Cookie=eve.cookie).cookie
    assert again != eve.cookie
    assert opens(live, Cookie=again) and not opens(live, Cookie=eve.cookie)


def test_logout_ends_the_session(live: Live, eve: Person) -> None:
    """`logout_user` ends the session that it comes with, takes the cookie away, and ends no other."""
    other = login(live, eve.name, "right").cookie
    answer = call(live, "logout_user", Cookie=eve.cookie)
    assert answer.result["result"]
    assert "Max-Age=0" in answer.header("Set-Cookie")
    assert not opens(live, Cookie=eve.cookie)
    assert opens(live, Cookie=other)


def test_logout_ends_the_session_whoever_asks(live: Live, eve: Person) -> None:
    """The session whose cookie comes with a logout ends, also where another credential comes with it."""
    both = {"Cookie": eve.cookie, "Authorization": f"Bearer {eve.member.token}"}
    assert call(live, "logout_user", **both).result["result"]
    assert not opens(live, Cookie=eve.cookie)


def test_a_guest_may_log_out(live: Live) -> None:
    """`logout_user` is true for a guest too."""
    assert call(live, "logout_user").result["result"]


def change(live: Live, name: str, what: Callable[[User], Any]) -> None:
    """Do to a user what the command line would do while the server runs."""
    with live.store(), database.atomic():
        what(accounts.named(name))


def test_a_new_password_ends_sessions_and_tokens(live: Live, eve: Person) -> None:
    """When the password changes, every session and every access token of the user ends."""
    other = login(live, eve.name, "right").cookie
    change(live, eve.name, lambda user: accounts.set_password(user, Passwords(1).hash("another")))
    assert not opens(live, Cookie=eve.cookie) and not opens(live, Cookie=other)
    assert not opens(live, Authorization=f"Bearer {eve.member.token}")


def test_a_disabled_user_opens_nothing(live: Live, eve: Person) -> None:
    """Neither session nor token nor password of a disabled user opens anything."""
    credentials = [
        {"Cookie": eve.cookie},
        {"Authorization": f"Bearer {eve.member.token}"},
        {"Authorization": eve.member.token},
        {"X_API_Key": eve.member.token},
        {"Authorization": basic(eve.name, eve.member.token)},
        {"Authorization": basic(eve.name, "right")},
    ]
    assert all(opens(live, **each) for each in credentials)
    change(live, eve.name, accounts.disable)
    assert not [each for each in credentials if opens(live, **each)]
    assert not login(live, eve.name, "right").result["result"]


def test_sessions_and_tokens_do_not_come_back(live: Live, eve: Person) -> None:
    """Who is enabled again has to log in anew, and needs new access tokens."""
    change(live, eve.name, accounts.disable)
    change(live, eve.name, accounts.enable)
    assert not opens(live, Cookie=eve.cookie)
    assert not opens(live, Authorization=f"Bearer {eve.member.token}")
    assert opens(live, Authorization=basic(eve.name, "right"))


@pytest.mark.parametrize(("days", "is_alive"), [(29.9, True), (30.1, False)])
def test_a_session_ends_unused(live: Live, eve: Person, days: float, is_alive: bool) -> None:
    """A session ends when it has not been used for 30 days."""
    with live.store():
        Session.update(used_at=now() - datetime.timedelta(days=days)).where(
            Session.user == int(eve.member.id)
        ).execute()
    assert opens(live, Cookie=eve.cookie) == is_alive


def test_a_used_session_is_young(live: Live, eve: Person) -> None:
    """Using a session puts its end off."""
    with live.store():
        Session.update(used_at=now() - Session.LIFE / 2).where(Session.user == int(eve.member.id)).execute()
    assert opens(live, Cookie=eve.cookie)
    with live.store():
        [session] = Session.select().where(Session.user == int(eve.member.id))
        assert now() - session.used_at < Session.LIFE / 100


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "{};",
        "tapatalk = 1; {}",
        "{}; tapatalk = 1",
        "a=b;{}",
        "; ; {} ;",
        "xf_user=1,2; {}; $Path=/",
        'broken="x; {}',
    ],
)
def test_odd_cookie_headers_are_read(live: Live, ann: Person, form: str) -> None:
    """The session is found in the cookie header however a mobile client writes it."""
    assert opens(live, Cookie=form.format(ann.cookie))


@pytest.mark.parametrize(
    "cookie", ["tapatalk = 1", "xf_session=VALUE;", "xf_session=", "=", ";", "xf_session"]
)
def test_a_worthless_cookie_is_no_error(live: Live, cookie: str) -> None:
    """A cookie that names no session makes a guest of the caller and is no error."""
    assert call(live, "get_config", Cookie=cookie).result["is_open"] is True
    assert not opens(live, Cookie=cookie)


def test_no_digest_opens(live: Live, ann: Person) -> None:
    """What the store keeps of a session or a token opens nothing."""
    with live.store():
        session = Session.get(Session.user == int(ann.member.id))
        [token] = accounts.named(ann.name).tokens
    assert not opens(live, Cookie=f"xf_session={session.digest}")
    assert not opens(live, Authorization=f"Bearer {token.digest}")


# Tokens, passwords and keys

TOKEN_FORMS: dict[str, Callable[[str, str], dict[str, str]]] = {
    "Bearer": lambda name, secret: {"Authorization": f"Bearer {secret}"},
    "bearer": lambda name, secret: {"Authorization": f"bearer {secret}"},
    "bare": lambda name, secret: {"Authorization": secret},
    "X-API-Key": lambda name, secret: {"X_API_Key": secret},
    "Basic": lambda name, secret: {"Authorization": basic(name, secret)},
    "Basic, another case": lambda name, secret: {"Authorization": basic(name.upper(), secret)},
}


@pytest.mark.parametrize("form", TOKEN_FORMS)
def test_a_token_opens_in_every_form(live: Live, form: str) -> None:
    """An access token opens in each of the headers in which clients send one."""
    member = live.member()
    assert opens(live, **TOKEN_FORMS[form](member.name, member.token))


@pytest.mark.parametrize("form", TOKEN_FORMS)
def test_a_wrong_token_opens_nothing(live: Live, form: str) -> None:
    """A token with one letter wrong, or cut short, or none, opens nothing, in any form."""
    member = live.member()
    other = ("b" if member.token[0] == "a" else "a") + member.token[1:]
    for wrong in (other, member.token[:-1], member.token + "a", "", " "):
        assert not opens(live, **TOKEN_FORMS[form](member.name, wrong))


def test_a_token_is_good_for_its_user_alone(live: Live) -> None:
    """With HTTP Basic a right token under another's name, or under none, opens nothing."""
    ann, bob = live.member(), live.member()
    for name in (bob.name, "nobody", "", "server"):
        assert not opens(live, Authorization=basic(name, ann.token))


def test_a_token_is_no_session(live: Live, ann: Person) -> None:
    """A token in the session cookie opens nothing, nor does a session id as a token."""
    assert not opens(live, Cookie=f"xf_session={ann.member.token}")
    assert not opens(live, Authorization=f"Bearer {ann.cookie.partition('=')[2]}")


@pytest.mark.parametrize("password", ["right", "with: colon", "Tür und Törchen", "漢字 🔑", "x" * 200])
def test_a_password_opens_by_basic(live: Live, password: str) -> None:
    """Name and password open by HTTP Basic, whatever stands in the password and in any case of the name."""
    member = live.member(password=password)
    assert opens(live, Authorization=basic(member.name.upper(), password))
    assert not opens(live, Authorization=basic(member.name, password + "x"))


@pytest.mark.parametrize(
    "header", ["Basic", "Basic ", "Basic !!!", "Basic YQ", "Basic /w==", "Bearer", " ", "Digest a=b"]
)
def test_a_broken_header_makes_a_guest(live: Live, header: str) -> None:
    """A credential that cannot be read opens nothing and is no error."""
    assert not opens(live, Authorization=header)
    assert call(live, "get_config", Authorization=header).result["is_open"] is True


def test_a_user_without_a_password_has_none(live: Live) -> None:
    """A user who was made without a password is not let in by an empty one."""
    member = live.member()
    assert not login(live, member.name, "").result["result"]
    assert not opens(live, Authorization=basic(member.name, ""))


@pytest.fixture(scope="module")
def server_key(live: Live) -> str:
    with live.store(), database.atomic():
        return accounts.add_key("city")


@pytest.mark.parametrize("form", TOKEN_FORMS)
def test_a_server_key_is_no_user(live: Live, server_key: str, form: str) -> None:
    """A server key opens no method of the forum, under any name and in any form."""
    member = live.member()
    for name in ("server", member.name):
        assert not opens(live, **TOKEN_FORMS[form](name, server_key))


def test_without_a_credential_nothing_is_open(live: Live) -> None:
    """A guest gets the documented refusal from every method but those that are for all."""
    for method, params in (
        ("get_conversations", ()),
        ("get_inbox_stat", ()),
        ("new_conversation", (["x"], "a", "b")),
        ("mark_conversation_read", ()),
        ("get_ignored_users", ()),
    ):
        answer = call(live, method, *params)
        assert (answer.status, answer.result["result"]) == (200, False)
        assert b"not logged in" in answer.text
        assert answer.header("Mobiquo_is_login") == "false"


# Forged calls

FOREIGN = {
    "Origin": {"Origin": "https://evil.example"},
    "Origin null": {"Origin": "null"},
    "Origin of another port": {"Origin": "http://127.0.0.1:1"},
    "Origin that begins alike": {"Origin": "{own}.evil.example"},
    "cross-site": {"Sec_Fetch_Site": "cross-site"},
    "same-site": {"Sec_Fetch_Site": "same-site"},
    "own Origin, cross-site": {"Origin": "{own}", "Sec_Fetch_Site": "cross-site"},
    "form": {"Origin": "{own}", "Content_Type": "application/x-www-form-urlencoded"},
    "form, parameter": {"Sec_Fetch_Site": "same-origin", "Content_Type": "Multipart/Form-Data; boundary=x"},
    "text/plain": {"Origin": "{own}", "Content_Type": "text/plain;charset=UTF-8"},
    "text/plain, none": {"Sec_Fetch_Site": "none", "Content_Type": "text/plain"},
    "no type": {"Sec_Fetch_Site": "same-origin", "Content_Type": ""},
}
OWN = {
    "no header": {},
    "own page": {"Origin": "{own}", "Sec_Fetch_Site": "same-origin", "Content_Type": "text/xml"},
    "form without headers": {"Content_Type": "application/x-www-form-urlencoded"},
    "multipart without headers": {"Content_Type": "multipart/form-data"},
}


def headers_for(live: Live, headers: dict[str, str]) -> dict[str, str]:
    return {"Content_Type": "text/xml"} | {n: v.replace("{own}", live.address) for n, v in headers.items()}


def write_as(live: Live, receiver: Member, **headers: str) -> bool:
    """Whether a message can be sent with these headers; it is there if so, and not if not."""
    before = receiver.rpc.get_conversations()["conversation_count"]
    try:
        answer = call(live, "new_conversation", [receiver.name], "Hello", "there", **headers)
        sent = answer.status == 200 and bool(answer.result["result"])
    except Fault:
        sent = False
    assert receiver.rpc.get_conversations()["conversation_count"] == before + sent
    return sent


@pytest.mark.parametrize("case", FOREIGN)
def test_a_forged_call_changes_nothing(live: Live, ann: Person, case: str) -> None:
    """What another site's page has a browser send along with the cookie is refused and changes nothing."""
    assert not write_as(live, live.member(), Cookie=ann.cookie, **headers_for(live, FOREIGN[case]))


@pytest.mark.parametrize("case", OWN)
def test_an_own_call_works(live: Live, ann: Person, case: str) -> None:
    """The cookie counts in calls of the server's own pages, and of apps that send XML under a form type."""
    assert write_as(live, live.member(), Cookie=ann.cookie, **headers_for(live, OWN[case]))


@pytest.mark.parametrize("case", FOREIGN)
def test_a_token_cannot_be_forged(live: Live, ann: Person, case: str) -> None:
    """A call with an access token counts wherever it comes from, for no browser sends one by itself."""
    token = f"Bearer {ann.member.token}"
    assert write_as(live, live.member(), Authorization=token, **headers_for(live, FOREIGN[case]))


def test_a_forged_logout_ends_nothing(live: Live, ann: Person) -> None:
    """Another site's page cannot end a session."""
    with suppress(Fault):
        call(live, "logout_user", Cookie=ann.cookie, Origin="https://evil.example", Content_Type="text/plain")
    assert opens(live, Cookie=ann.cookie)


def test_a_forged_multicall_changes_nothing(live: Live, ann: Person) -> None:
    """A forged call is none the better for being inside another."""
    receiver = live.member()
    inner = [{"methodName": "new_conversation", "params": [[receiver.name], "Hello", "there"]}]
    call(live, "system.multicall", inner, Cookie=ann.cookie, Origin="https://evil.example")
    assert receiver.rpc.get_conversations()["conversation_count"] == 0


def form_with(data: bytes) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="attachment"; filename="a.txt"\r\n\r\n'
    return part + data + b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    ("origin", "is_taken"), [("{own}", True), ("https://evil.example", False), ("null", False)]
)
def test_uploads_of_other_sites_are_refused(live: Live, ann: Person, origin: str, is_taken: bool) -> None:
    """A form with a file is taken from the server's own pages and from no other site's."""
    headers = {
        "Cookie": ann.cookie,
        "Origin": origin.replace("{own}", live.address),
        "Content-Type": "multipart/form-data; boundary=x",
    }
    answer = ask(live, "/mobiquo/upload.php", form_with(b"hello"), headers)
    assert bool(answer.result["result"]) == is_taken


# Saying nothing about who is there


def as_always(answer: Answer) -> tuple[Any, ...]:
    return answer.status, lasting(answer.headers), answer.body


def test_a_failed_login_says_nothing_of_why(live: Live, ann: Person) -> None:
    """Unknown name, wrong password, no password and a disabled user get the same answer, byte for byte."""
    gone = person(live)
    change(live, gone.name, accounts.disable)
    tries = [("nobody", "x"), (ann.name, "x"), (live.member().name, "x"), (gone.name, "right"), ("", "")]
    [first, *others] = [as_always(login(live, name, password)) for name, password in tries]
    assert first[0] == 200
    assert all(other == first for other in others)
    assert b"status" not in first[2]


def test_a_failed_basic_says_nothing_of_why(live: Live, ann: Person) -> None:
    """With HTTP Basic too, unknown name and wrong password get the same answer, byte for byte."""
    [first, second] = [
        as_always(call(live, "get_inbox_stat", Authorization=basic(name, "x")))
        for name in ("nobody", ann.name)
    ]
    assert first == second


ROUNDS = 5


def test_a_failed_login_takes_its_time(live: Live) -> None:
    """Whatever is wrong with a login, the answer takes as long; by medians of tries that come in turns."""
    ann, gone = (live.member(password="right", passwords=Passwords(1)) for _ in range(2))
    change(live, gone.name, accounts.disable)
    names = [ann.name, "nobody", live.member().name, gone.name]
    took: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            began = time.perf_counter()
            login(live, name, "wrong")
            took[name].append(time.perf_counter() - began)
    medians = [statistics.median(each) for each in took.values()]
    assert max(medians) < 3 * min(medians)


# Limits on logins


FAILURES = 3


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server seen under https, on which three failures are enough and conversations have no limit."""
    options = ["--login-burst", str(FAILURES), "--conversation-burst", "0", "--message-burst", "4"]
    server = Live(tmp_path_factory.mktemp("strict"), *options, "--url", "https://talk.example.org")
    yield server
    server.stop()


def fail(live: Live, name: str, times: int = FAILURES, **more: Any) -> None:
    for _ in range(times):
        answer = login(live, name, "wrong", **more)
        assert not answer.result["result"]
        assert not WAIT.search(answer.text)


def is_limited(answer: Answer) -> bool:
    """Whether a login is refused with the wait in the text."""
    return not answer.result["result"] and bool(WAIT.search(answer.text)) and not answer.header("Set-Cookie")


def test_the_right_password_is_limited_too(strict: Live) -> None:
    """Where the limit is spent, the right password opens neither by `login` nor by HTTP Basic."""
    name = strict.member(password="right").name
    fail(strict, name)
    assert is_limited(login(strict, name, "right"))
    assert not opens(strict, Authorization=basic(name, "right"))


def test_the_limit_is_one_account_s(strict: Live) -> None:
    """A spent limit keeps no other account out at the same address, nor the account at another one."""
    name, other = (strict.member(password="right").name for _ in range(2))
    fail(strict, name, source=ELSEWHERE)
    assert is_limited(login(strict, name, "right", source=ELSEWHERE))
    assert login(strict, other, "right", source=ELSEWHERE).result["result"]
    assert login(strict, name, "right", source="127.0.0.78").result["result"]


def test_a_known_address_still_gets_in(strict: Live) -> None:
    """From an address at which the user has a session the right password works, and a wrong one does not."""
    name = strict.member(password="right").name
    assert login(strict, name, "right", source="127.0.0.79").result["result"]
    fail(strict, name, source="127.0.0.79")
    assert is_limited(login(strict, name, "wrong", source="127.0.0.79"))
    assert login(strict, name, "right", source="127.0.0.79").result["result"]


def test_a_session_that_is_over_makes_no_address_known(strict: Live) -> None:
    """An address at which the user has been too long ago is known no more."""
    member, place = strict.member(password="right"), "127.0.0.82"
    assert login(strict, member.name, "right", source=place).result["result"]
    with strict.store():
        used_at = now() - Session.LIFE - datetime.timedelta(minutes=1)
        Session.update(used_at=used_at).where(Session.user == int(member.id)).execute()
    fail(strict, member.name, source=place)
    assert is_limited(login(strict, member.name, "right", source=place))


def test_a_known_address_has_a_limit_too(strict: Live) -> None:
    """At an address that is known to be the user's, guessing comes to an end as well."""
    name = strict.member(password="right").name
    assert login(strict, name, "right", source="127.0.0.80").result["result"]
    for _ in range(2 * FAILURES):
        login(strict, name, "wrong", source="127.0.0.80")
    assert is_limited(login(strict, name, "right", source="127.0.0.80"))


def test_a_name_that_is_far_too_long_is_nobody_s(live: Live) -> None:
    """A name of a quarter of a megabyte, dear to normalise, is refused as quickly as any other."""
    long = "a" + "\u0301\u0316" * 40_000
    started = time.monotonic()
    assert not login(live, long, "x").result["result"]
    assert time.monotonic() - started < 5


def test_the_limit_is_the_same_in_any_case(strict: Live) -> None:
    """Writing the name in another way gives no further attempts."""
    name = strict.member(password="right").name
    for written in (name, name.upper(), name.title()):
        fail(strict, written, 1)
    assert is_limited(login(strict, name, "right"))


def test_unknown_names_are_limited_alike(strict: Live) -> None:
    """The limit says nothing about whether there is such a user."""
    fail(strict, "nobody at all")
    assert is_limited(login(strict, "nobody at all", "wrong"))


def test_basic_counts_too(strict: Live) -> None:
    """Attempts by HTTP Basic count against the same limit."""
    name = strict.member(password="right").name
    for _ in range(FAILURES):
        assert not opens(strict, Authorization=basic(name, "wrong"))
    assert is_limited(login(strict, name, "right"))


def test_a_multicall_is_no_way_round(strict: Live) -> None:
    """Logins in a multicall count as each would alone."""
    name = strict.member(password="right").name
    tries = [{"methodName": "login", "params": [name, f"wrong {n}"]} for n in range(FAILURES + 2)]
    answers = call(strict, "system.multicall", [*tries, {"methodName": "login", "params": [name, "right"]}])
    results = [each[0] for each in answers.result]
    assert not [each for each in results if each["result"]]
    assert [bool(WAIT.search(each["result_text"])) for each in results] == [False] * FAILURES + [True] * 3


def test_right_logins_are_not_limited(strict: Live) -> None:
    """Logins that succeed use nothing up, and give back what failures before have used."""
    name = strict.member(password="right").name
    for _ in range(2):
        fail(strict, name, FAILURES - 1)
        assert login(strict, name, "right").result["result"]
    assert all(login(strict, name, "right").result["result"] for _ in range(FAILURES + 2))


# Limits on sending

TINY = {
    "SWITCHBOARD_MESSAGE_BURST": "3",
    "SWITCHBOARD_MESSAGE_INTERVAL": "1000",
    "SWITCHBOARD_CONVERSATION_BURST": "2",
    "SWITCHBOARD_CONVERSATION_INTERVAL": "1000",
    "SWITCHBOARD_LOGIN_BURST": "3",
    "SWITCHBOARD_LOGIN_INTERVAL": "1",
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server on which almost nothing may be done twice."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in TINY.items():
            patch.setenv(name, value)
        server = Live(tmp_path_factory.mktemp("tiny"))
    yield server
    server.stop()


def begin(member: Member, *others: Member) -> Any:
    return member.rpc.new_conversation([each.name.encode() for each in others], b"Hello", b"there")


def refuses_with_the_wait(answer: Any) -> bool:
    return not answer["result"] and bool(WAIT.search(answer["result_text"]))


def test_too_many_conversations_are_refused(tiny: Live) -> None:
    """Beyond the burst a new conversation is refused with the wait in the text, and none is made."""
    ann, bob = tiny.member(), tiny.member()
    assert all(begin(ann, bob)["result"] for _ in range(2))
    assert refuses_with_the_wait(begin(ann, bob))
    for each in (ann, bob):
        assert each.rpc.get_conversations()["conversation_count"] == 2


def test_too_many_messages_are_refused(tiny: Live) -> None:
    """Beyond the burst a message is refused with the wait in the text, and none is stored."""
    ann, bob = tiny.member(), tiny.member()
    conversation = begin(ann, bob)["conv_id"]
    assert all(ann.rpc.reply_conversation(conversation, b"again")["result"] for _ in range(2))
    assert refuses_with_the_wait(ann.rpc.reply_conversation(conversation, b"once too often"))
    assert bob.rpc.get_conversation(conversation)["total_message_num"] == 3


def test_sending_is_limited_by_user(tiny: Live) -> None:
    """What one user has used up is not taken from another."""
    ann, bob = tiny.member(), tiny.member()
    conversation = begin(ann, bob)["conv_id"]
    answers = [ann.rpc.reply_conversation(conversation, b"again") for _ in range(3)]
    assert refuses_with_the_wait(answers[-1])
    assert bob.rpc.reply_conversation(conversation, b"my turn")["result"]


def test_what_is_refused_uses_nothing_up(tiny: Live) -> None:
    """A call that is refused for another reason takes nothing from what may be sent."""
    ann, bob = tiny.member(), tiny.member()
    for _ in range(4):
        assert not ann.rpc.new_conversation([b"nobody"], b"Hello", b"there")["result"]
        assert not ann.rpc.new_conversation([bob.name.encode()], b"", b"there")["result"]
    assert all(begin(ann, bob)["result"] for _ in range(2))


def test_a_login_comes_back_after_the_wait(tiny: Live) -> None:
    """After the wait a login is tried again, once."""
    name = tiny.member(password="right").name
    latest = time.monotonic() + 20
    while not is_limited(login(tiny, name, "wrong")):
        assert time.monotonic() < latest, "no limit was reached"
    time.sleep(1.2)
    assert login(tiny, name, "right").result["result"]


def test_the_limits_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--limits off` switches every limit off, whatever the settings say."""
    for name, value in TINY.items():
        monkeypatch.setenv(name, value)
    server = Live(tmp_path, "--limits", "off")
    try:
        ann, bob = server.member(password="right"), server.member()
        assert all(begin(ann, bob)["result"] for _ in range(5))
        fail(server, ann.name, 5)
        assert login(server, ann.name, "right").result["result"]
    finally:
        server.stop()


def test_nought_switches_a_limit_off(strict: Live) -> None:
    """A burst of 0 switches that limit off and no other."""
    ann, bob = strict.member(), strict.member()
    answers = [begin(ann, bob) for _ in range(30)]
    assert all(answer["result"] for answer in answers[:4])
    assert all("conversations" not in answer["result_text"].decode() for answer in answers)
    assert not answers[-1]["result"] and b"messages" in answers[-1]["result_text"]


# Many at once


def outcome(live: Live, name: str) -> str:
    """How a login with the right password ends: in, or told to try again, or in some other way."""
    try:
        answer = login(live, name, "right").result
    except Fault as fault:
        return "busy" if fault.faultCode == 503 and "try again" in fault.faultString else fault.faultString
    text = answer["result_text"].decode()
    return "in" if answer["result"] else "busy" if "logging in" in text and "try again" in text else text


def test_many_logins_at_once(strict: Live) -> None:
    """While many log in at once, others are answered, and each gets in or is told to try again."""
    names = [strict.member().name for _ in range(30)]
    with strict.store():
        password = Passwords(1).hash("right")
        User.update(password=password).where(User.username.in_(names)).execute()
    with ThreadPoolExecutor(30) as pool:
        logins = [pool.submit(outcome, strict, name) for name in names]
        began = time.monotonic()
        for _ in range(5):
            assert call(strict, "get_config").result["is_open"]
        took = time.monotonic() - began
    outcomes = [each.result() for each in logins]
    assert took < 5
    assert set(outcomes) <= {"in", "busy"}
    assert "in" in outcomes


def test_being_told_to_try_again_is_no_failure(strict: Live) -> None:
    """Who has been told to try again, however often, gets in with the right password."""
    name = strict.member(password="right", passwords=Passwords(1)).name
    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(lambda _: outcome(strict, name), range(40)))
    assert set(outcomes) <= {"in", "busy"}
    assert outcome(strict, name) == "in"
