"""Behind proxies: who calls and how, as a proxy that is named says, and nobody else."""

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from xmlrpc.client import dumps, loads

import pytest
from conftest import Live

from models import Session
from server.addresses import is_loopback
from server.commands.serve import greeting
from server.config import Settings

PATH = "/mobiquo/mobiquo.php"
PASSWORD = "right and long"
# The proxies of these tests are on this machine, at its usual address, and in a network.
NAMED, STRANGER = "127.0.0.1", "127.0.0.77"
ATTEMPTS = 2

Headers = list[tuple[str, str]]


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.headers, self.body = response.headers, response.read()


def ask(live: Live, verb: str, path: str, body: bytes, headers: Headers, source: str) -> Answer:
    """An answer to exactly these *headers*, one of which may come twice."""
    host, _, port = live.address.removeprefix("http://").rpartition(":")
    with closing(http.client.HTTPConnection(host, int(port), 30, source_address=(source, 0))) as connection:
        connection.putrequest(verb, path)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            connection.putheader(name, value)
        connection.endheaders(body)
        return Answer(connection.getresponse())


def log_in(live: Live, name: str, password: str, headers: Headers, source: str = NAMED) -> Answer:
    body = dumps((name.encode(), password.encode()), "login").encode()
    return ask(live, "POST", PATH, body, headers, source)


def address_kept(live: Live, headers: Headers, source: str = NAMED) -> str:
    """The address that the session of a login has."""
    member = live.member(password=PASSWORD)
    assert loads(log_in(live, member.name, PASSWORD, headers, source).body)[0][0]["result"]
    with live.store():
        return str(Session.get(Session.user == int(member.id)).address)


def is_secure(live: Live, headers: Headers, source: str = NAMED) -> bool:
    """Whether the cookie of a login is for TLS alone."""
    member = live.member(password=PASSWORD)
    return "; Secure" in log_in(live, member.name, PASSWORD, headers, source).headers["Set-Cookie"]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that believes some proxies."""
    named = f"{NAMED}, 10.0.0.0/8,2001:db8:1::/48"
    limits = ("--login-burst", str(ATTEMPTS), "--login-interval", "600")
    server = Live(tmp_path_factory.mktemp("behind"), "--proxies", named, *limits)
    yield server
    server.stop()


FORWARDED = {
    "nothing": ([], NAMED),
    "an address": (["203.0.113.7"], "203.0.113.7"),
    "what the client made up": (["198.51.100.9, 203.0.113.7"], "203.0.113.7"),
    "what he made up in a line of its own": (["10.0.0.1", "203.0.113.7"], "203.0.113.7"),
    "a proxy before the proxy": (["198.51.100.9, 203.0.113.7, 10.1.2.3"], "203.0.113.7"),
    "proxies only": (["10.1.2.3, 10.1.2.4"], "10.1.2.3"),
    "a port": (["203.0.113.7:4711"], "203.0.113.7"),
    "a household of IPv6": (["2001:db8::7"], "2001:db8::/64"),
    "IPv6 and a port": (["[2001:db8::7]:4711"], "2001:db8::/64"),
    "a proxy of IPv6": (["203.0.113.7, 2001:db8:1::1"], "203.0.113.7"),
    "IPv4 within IPv6": (["203.0.113.7, ::ffff:10.1.2.3"], "203.0.113.7"),
    "no address": (["203.0.113.7, unknown"], NAMED),
    "nonsense": (["x" * 5000], NAMED),
    "emptiness": ([" , "], NAMED),
}


@pytest.mark.parametrize("case", FORWARDED)
def test_a_named_proxy_says_who_calls(behind: Live, case: str) -> None:
    """Of what a named proxy passes on, the rightmost address that is no proxy's is the client's."""
    lines, address = FORWARDED[case]
    assert address_kept(behind, [("X-Forwarded-For", line) for line in lines]) == address


def test_a_stranger_is_not_believed(behind: Live) -> None:
    """Who is no named proxy keeps his own address, whatever he says of it."""
    assert address_kept(behind, [("X-Forwarded-For", "203.0.113.7")], STRANGER) == STRANGER


@pytest.mark.parametrize("header", ["Forwarded", "X-Real-IP", "X-Client-IP", "X_Forwarded_For"])
def test_other_headers_say_nothing(behind: Live, header: str) -> None:
    """Headers which a proxy may pass on as they came are not read, before those that it sets or after."""
    forged, true = (header, "203.0.113.7"), ("X-Forwarded-For", "203.0.113.8")
    for headers in ([forged, true], [true, forged]):
        assert address_kept(behind, headers) == "203.0.113.8"


def test_nobody_is_believed_by_default(live: Live) -> None:
    """Where no proxy is named, nothing that a request says of its client counts."""
    headers = [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https")]
    assert address_kept(live, headers) == NAMED
    assert not is_secure(live, headers)


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [("https", True), ("HTTPS", True), ("http", False), ("http, https", True), ("https, http", False)],
)
def test_tls_at_the_proxy_makes_the_cookie_secure(behind: Live, scheme: str, expected: bool) -> None:
    """The session cookie is for TLS alone where the client speaks TLS with the named proxy."""
    assert is_secure(behind, [("X-Forwarded-Proto", scheme)]) is expected


@pytest.mark.parametrize("scheme", ["", "ftp", "javascript", "https://evil.example"])
def test_an_odd_scheme_changes_nothing(behind: Live, scheme: str) -> None:
    """What is no scheme of HTTP is as good as nothing."""
    assert not is_secure(behind, [("X-Forwarded-Proto", scheme)])


def test_a_stranger_s_tls_is_not_believed(behind: Live) -> None:
    """Who is no named proxy does not decide of the cookie."""
    assert not is_secure(behind, [("X-Forwarded-Proto", "https")], STRANGER)


def test_addresses_in_answers_have_the_scheme(behind: Live) -> None:
    """An address that the server gives is one at which this client reaches it."""
    headers = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example")]
    host = behind.address.removeprefix("http://")
    document = json.loads(ask(behind, "GET", "/openapi.json", b"", headers, NAMED).body)
    assert document["servers"][0]["url"] == f"https://{host}"


def name_of(live: Live, names: list[str], source: str = NAMED) -> str:
    """By what the log knows a request that comes with these names."""
    headers = [("X-Request-ID", name) for name in names]
    name = str(ask(live, "GET", "/healthz", b"", headers, source).headers["X-Request-ID"])
    assert f" INFO {name} - GET /healthz 200" in (live.folder / "live.log").read_text()
    return name


@pytest.mark.parametrize("name", ["a", "7f3a9c", "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "X" * 64])
def test_a_named_proxy_s_name_of_a_request_is_taken(behind: Live, name: str) -> None:
    """A request is known by what a named proxy calls it, in the log and in the answer."""
    assert name_of(behind, [name]) == name


@pytest.mark.parametrize(
    "names", [[""], ["X" * 65], ["a b"], ["a\tb"], ["a/b"], ["\xe4"], ["a_b"], ["a", "b"]]
)
def test_an_odd_name_is_not_taken(behind: Live, names: list[str]) -> None:
    """A name that is too long, has other signs, or is one of two is passed over."""
    assert re.fullmatch("[0-9a-f]{8}", name_of(behind, names))


def test_a_stranger_names_nothing(behind: Live, live: Live) -> None:
    """Who is no named proxy has no say in how his request is called; without named ones nobody has."""
    assert name_of(behind, ["from-elsewhere"], STRANGER) != "from-elsewhere"
    assert name_of(live, ["from-elsewhere"]) != "from-elsewhere"


def failures(live: Live, name: str, headers: Headers, source: str = NAMED) -> list[bool]:
    """Whether each of some failed logins was one too many."""
    answers = [log_in(live, name, "wrong", headers, source) for _ in range(ATTEMPTS + 1)]
    return [b"Too many" in loads(each.body, use_builtin_types=True)[0][0]["result_text"] for each in answers]


def test_failed_logins_count_for_their_client(behind: Live) -> None:
    """Failed logins of one client do not keep others behind the same proxy out."""
    member = behind.member(password=PASSWORD)
    spent = [False] * ATTEMPTS + [True]
    assert failures(behind, member.name, [("X-Forwarded-For", "203.0.113.20")]) == spent
    for address, is_in in (("203.0.113.20", False), ("203.0.113.21", True)):
        answer = log_in(behind, member.name, PASSWORD, [("X-Forwarded-For", address)])
        assert loads(answer.body)[0][0]["result"] is is_in


def test_a_made_up_address_is_no_way_round(behind: Live) -> None:
    """Who makes up a new address for each attempt has no more of them, behind a proxy or without one."""
    member = behind.member(password=PASSWORD)
    for source, behind_him in ((NAMED, ", 203.0.113.30"), (STRANGER, "")):
        refused = []
        for number in range(ATTEMPTS + 1):
            headers = [("X-Forwarded-For", f"198.51.100.{number}{behind_him}")]
            answer = loads(log_in(behind, member.name, "wrong", headers, source).body, use_builtin_types=True)
            refused.append(b"Too many" in answer[0][0]["result_text"])
        assert refused == [False] * ATTEMPTS + [True]


@pytest.mark.parametrize("named", ["nonsense", "10.0.0.0/33", "10.0.0.1 10.0.0.2", "proxy.example"])
def test_what_is_no_proxy_is_refused(named: str) -> None:
    """A server does not start where what should name its proxies does not."""
    command = [sys.executable, "-m", "server", "serve", "--proxies", named]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert said.returncode != 0
    assert f"{named} is neither an address nor a network" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("127.example.org", False),
        ("localhost.example.org", False),
        ("::1234", False),
        ("0.0.0.0", False),
        ("", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    """Loopback and its usual name are only this machine's; what merely begins like them is not."""
    assert is_loopback(host) is expected


@pytest.mark.parametrize(("named", "warned"), [("", True), ("10.0.0.1", False)])
def test_who_names_a_proxy_is_not_warned(named: str, warned: bool) -> None:
    """That passwords travel readable is told where no proxy is named, and not where one is."""
    assert ("WARNING" in greeting(Settings(host="0.0.0.0", proxies=named), None)) is warned
