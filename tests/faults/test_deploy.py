"""The examples for those who run it, as they are delivered: proxies in front, a pooler behind, restarts.

By hand: ROLLING=20 python -m pytest tests/faults/test_deploy.py -k restart -n 0 --timeout 0
"""

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xmlrpc.client import loads

import engines
import pytest
from conftest import Live
from fleet import (
    LOST,
    Connection,
    Fleet,
    Refused,
    Room,
    assert_kept,
    crowd,
    filled_in,
    free_port,
    listening,
    program,
    serving,
    speaking,
)
from fleet import wait_for as wait_until

import server
from models import Session, User, database
from server.actions import accounts
from server.config import Settings

DEPLOY = Path(server.__file__).parent / "deploy"
CALLERS, QUICK = 4, 2
# Between two calls of one client; without it they would take what starting a server needs.
BREATH = 0.05
RESTARTED = int(os.environ.get("ROLLING", "2"))
# What the examples say that one waits for between the restarts of two servers.
PAUSE = 3.0
START_SECONDS = 10
PASSWORD = "not a secret"
CLIENT = "127.0.0.77"
# Whatever anybody may read is read by whoever gets through.
OPTIONS = ("--proxies", "127.0.0.1", "--metrics", "on")
MOMENT = 2.0
POOLED_SECONDS = 1.5


@pytest.fixture(scope="module")
def cluster() -> engines.Cluster:
    """PostgreSQL, whatever the engine of the run is."""
    return engines.cluster()


@pytest.fixture(scope="module")
def fleet(cluster: engines.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two servers on one PostgreSQL, which believe a proxy on this machine."""
    folder = tmp_path_factory.mktemp("fleet")
    with serving(folder, cluster.empty(folder, "live"), *OPTIONS) as made:
        yield made


# What stands in the examples for the address of a server, and in lines that do not count for another one.
ONE, TWO = "127.0.0.1:8000", "127.0.0.1:8001"


def for_two(fleet: Fleet, example: str, **values: str) -> str:
    """An example with the lines of the second server, the addresses of both, and other *values*."""
    one, two = places(fleet)
    text = filled_in(DEPLOY / example, **values)
    opened, found = re.subn(rf"^( +)# (server .*){re.escape(TWO)}", rf"\g<1>\g<2>{two}", text, flags=re.M)
    assert found == text.count(f" {ONE} ") > 0
    return opened.replace(ONE, one)


def places(fleet: Fleet) -> list[str]:
    """Where the servers are, as proxies write it."""
    return [address.removeprefix("http://") for address in fleet.addresses]


@contextmanager
def nginx(fleet: Fleet, folder: Path, **values: str) -> Iterator[str]:
    """The address of an nginx in front of two servers, with the example and what Debian has around it."""
    port = free_port()
    text = for_two(fleet, "nginx.conf", **{"listen 80;": f"listen 127.0.0.1:{port};"}, **values)
    (folder / "switchboard.conf").write_text(text)
    own = [f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    around = f"events {{}} http {{ access_log off; {' '.join(own)} include switchboard.conf; }}"
    (folder / "nginx.conf").write_text(around)
    # Its processes have to get into the test's own folder.
    user = "user root;" if os.getuid() == 0 else ""
    main = f"{user} daemon off; master_process on; worker_processes 2; pid nginx.pid; error_log nginx.log;"
    command = ["-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "nginx.log"), "-g", main]
    with running("nginx", command, port, folder):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def haproxy(fleet: Fleet, folder: Path, **values: str) -> Iterator[str]:
    """The address of an HAProxy in front of two servers, with the example."""
    port = free_port()
    text = for_two(fleet, "haproxy.cfg", **{"bind :80\n": f"bind 127.0.0.1:{port}\n"}, **values)
    (folder / "haproxy.cfg").write_text(text)
    with running("haproxy", ["-db", "-f", str(folder / "haproxy.cfg")], port, folder):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(
    name: str,
    arguments: list[str],
    port: int,
    folder: Path,
    user: str | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[None]:
    """A program that listens at *port*, for this time."""
    with (folder / f"{name}.out").open("wb") as out:
        command = [program(name), *arguments]
        process = subprocess.Popen(command, stdout=out, stderr=out, user=user, env=environment)
        try:
            wait_for(port, process, folder / f"{name}.out")
            yield
        finally:
            process.terminate()
            process.wait(timeout=15)


def wait_for(port: int, process: "subprocess.Popen[bytes]", out: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with closing(Connection(f"http://127.0.0.1:{port}")) as connection:
        while True:
            try:
                return connection.http.connect()
            except OSError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"It did not start: {out.read_text()}") from error
                time.sleep(0.05)


@contextmanager
def caddy(fleet: Fleet, folder: Path) -> Iterator[str]:
    """The address of a Caddy in front of two servers, with the example."""
    port = free_port()
    # Only one Caddy at a time has the port at which it can be asked about itself; nobody asks here.
    text = filled_in(DEPLOY / "Caddyfile", **{"grace_period 5s": "grace_period 1s\n\tadmin off"})
    (folder / "Caddyfile").write_text(text)
    own = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    example = {"SITE": f"http://127.0.0.1:{port}", "SERVERS": " ".join(places(fleet))}
    command = ["run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with running("caddy", command, port, folder, environment={**os.environ, **own, **example}):
        yield f"http://127.0.0.1:{port}"


PROXIES: dict[str, Any] = {"nginx": nginx, "haproxy": haproxy, "caddy": caddy}


# Those that send a call on to another server where they could not send it.
SENDING_ON = ("nginx", "haproxy")


@pytest.fixture(params=PROXIES)
def proxy(request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path) -> Iterator[str]:
    """The address of each proxy in front of two servers."""
    with PROXIES[request.param](fleet, tmp_path) as address:
        yield address


# Behind a proxy


@pytest.mark.parametrize("proxy", SENDING_ON, indirect=True)
def test_a_restart_fails_no_call(fleet: Fleet, proxy: str) -> None:
    """While one server after the other is started anew, no call fails and nothing is lost or doubled."""
    room = Room(fleet.servers[0], CALLERS)
    with crowd(room, proxy) as people, listening(room.players, proxy) as [ear]:
        with speaking(people, BREATH), calling(proxy) as outcomes:
            took = [restart_in_turn(fleet, number) for number in range(RESTARTED)]
            time.sleep(1)
        assert max(took) < 10
        assert len(outcomes) > 100
        assert [each for each in outcomes if each is not None] == []
        assert [each.failed for each in people] == [[]] * CALLERS
        ids = assert_kept(fleet.servers[0], room, people)
        assert len(ids) > CALLERS * 10
        assert ear.has_heard(ids)


@contextmanager
def calling(address: str) -> Iterator[list[Exception | None]]:
    """What comes of small calls, which some clients make one after the other for this time."""
    outcomes: list[Exception | None] = []
    stop = threading.Event()
    with ThreadPoolExecutor(QUICK) as pool:
        runs = [pool.submit(call_until, stop, address, outcomes) for _ in range(QUICK)]
        try:
            yield outcomes
        finally:
            stop.set()
    for each in runs:
        each.result()


def call_until(stop: threading.Event, address: str, outcomes: list[Exception | None]) -> None:
    with closing(Connection(address)) as connection:
        while not stop.wait(BREATH):
            try:
                connection.call("get_config")
                outcomes.append(None)
            except (Refused, *LOST) as error:
                outcomes.append(error)


def restart_in_turn(fleet: Fleet, number: int) -> float:
    time.sleep(PAUSE if number else MOMENT / 2)
    return fleet.restart(number % 2)


def test_who_calls_is_known(fleet: Fleet, proxy: str) -> None:
    """Behind the proxy a session has the address of its client, whatever he says himself."""
    live = fleet.servers[0]
    member = live.member(password=PASSWORD)
    forged = {"X_Forwarded_For": "203.0.113.7", "X_Forwarded_Proto": "https"}
    with closing(Connection(proxy, **forged)) as connection:
        connection.http.source_address = (CLIENT, 0)
        assert connection.call("login", member.name.encode(), PASSWORD.encode())["result"]
    with live.store():
        assert Session.get(Session.user == int(member.id)).address == CLIENT


def test_every_location_of_nginx_says_who_calls() -> None:
    """No location sets a header of its own, with which nginx would pass on none of those for all."""
    _, *locations = (DEPLOY / "nginx.conf").read_text().split("\n    location ")
    assert len(locations) == 3
    assert not any("proxy_set_header" in each for each in locations)


def test_an_event_is_passed_on_at_once(fleet: Fleet, proxy: str) -> None:
    """Behind the proxy who listens hears of a message within a moment."""
    room = Room(fleet.servers[0], 2)
    with crowd(room, proxy) as [ann, _], listening(room.players, proxy) as [ear]:
        said = ann.by_forum("now")
        deadline = time.monotonic() + MOMENT
        while not ear.heard and time.monotonic() < deadline:
            time.sleep(0.01)
        assert ear.heard == [said]


# What is said of the time after which an answer is given up that is not there, and a shorter one.
HURRIED = {
    "nginx": {"proxy_read_timeout 60s": "proxy_read_timeout 1s"},
    "haproxy": {"timeout server 60s": "timeout server 1s"},
}


@pytest.mark.parametrize("name", HURRIED)
def test_answers_without_an_end_are_not_given_up(fleet: Fleet, tmp_path: Path, name: str) -> None:
    """Who listens, be it a program or a page, is waited for longer than who calls."""
    live = fleet.servers[0]
    ann, bob = live.member(), live.member()
    with live.store():
        session = accounts.begin_session(User.get_by_id(int(bob.id)), CLIENT, False)
    known = {"/chat/events": {"X_API_Key": bob.token}, "/inbox/events": {"Cookie": f"xf_session={session}"}}
    with PROXIES[name](fleet, tmp_path, **HURRIED[name]) as proxy, ExitStack() as stack:
        answers = []
        for path, headers in known.items():
            connection = stack.enter_context(closing(Connection(proxy, **headers)))
            connection.http.request("GET", path, headers=connection.headers)
            answers.append(connection.http.getresponse())
            assert b"event: totals\n" in iter(answers[-1])
        time.sleep(2)
        assert ann.rpc.new_conversation([bob.name], "Subject", "now")["result"]
        assert [b"event: message\n" in iter(each) for each in answers] == [True, True]


def test_no_client_chooses_the_name_of_his_call(fleet: Fleet, proxy: str) -> None:
    """Behind the proxy a call is known by the name that the proxy has made, whatever the client says."""
    with closing(Connection(proxy, X_Request_ID="chosen")) as connection:
        connection.http.request("GET", "/healthz", headers=connection.headers)
        name = connection.http.getresponse().getheader("X-Request-ID")
    # The server's own are shorter.
    assert name is not None and re.fullmatch("[0-9a-f-]{32,36}", name)


@pytest.mark.parametrize("path", ["/metrics", "/%6Detrics", "/metrics?x"])
def test_metrics_are_not_passed_on(fleet: Fleet, proxy: str, path: str) -> None:
    """Nobody reads through the proxy what was counted, though the server would tell everybody."""
    with closing(Connection(fleet.addresses[0])) as direct, closing(Connection(proxy)) as connection:
        assert direct.ask("GET", "/metrics", None, "")[0] == 200
        assert connection.ask("GET", path, None, "")[0] == 404


@pytest.mark.parametrize("proxy", ["haproxy"], indirect=True)
def test_who_is_not_ready_says_so_himself(fleet: Fleet, proxy: str) -> None:
    """While no server is ready the proxy, which asks each of them, goes on to send calls to them."""
    with fleet.servers[0].store():
        database.execute_sql("INSERT INTO migration (name, applied) VALUES ('9999_future', '2026-11-22')")
        try:
            wait_until(lambda: all(is_seen_unready(each) for each in fleet.servers))
            time.sleep(0.2)
            with closing(Connection(proxy)) as connection:
                status, cause = connection.ask("GET", "/readyz", None, "")
                assert connection.call("get_config")
            assert (status, b"9999_future" in cause) == (503, True)
        finally:
            database.execute_sql("DELETE FROM migration WHERE name = '9999_future'")


def is_seen_unready(live: Live) -> bool:
    """Whether anybody was told that a server is not ready."""
    return "GET /readyz 503" in (live.folder / "live.log").read_text()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate that nobody knows, in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    key, made, both = folder / "key.pem", folder / "made.pem", folder / "both.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=talk.example.org"]
    command = [program("openssl"), *words, "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    both.write_text(key.read_text() + made.read_text())
    return both


def test_the_lines_for_tls_of_nginx_are_understood(certificate: Path, tmp_path: Path) -> None:
    """Without the signs before them the lines for TLS are settings that nginx knows."""
    place = "/etc/letsencrypt/live/talk.example.org"
    values = {f"{place}/{name}.pem": str(certificate) for name in ("fullchain", "privkey")}
    ports = {f"listen {port}": f"listen 127.0.0.1:{free_port()}" for port in (80, 443)}
    text = filled_in(DEPLOY / "nginx.conf", **values, **ports)
    opened = re.sub(r"^    # (?=listen|server_name|ssl_)", "    ", text, flags=re.M)
    assert opened.count("\n    listen") == 2
    (tmp_path / "nginx.conf").write_text(f"events {{}} http {{ {opened} }}")
    command = [program("nginx"), "-t", "-q", "-c", str(tmp_path / "nginx.conf"), "-e", "stderr"]
    judged = subprocess.run(
        [*command, "-g", f"pid {tmp_path}/pid;"], capture_output=True, text=True, timeout=30
    )
    assert (judged.returncode, judged.stderr) == (0, "")


def test_the_lines_for_tls_of_haproxy_are_understood(certificate: Path, tmp_path: Path) -> None:
    """Without the signs before them the lines for TLS are settings that HAProxy knows."""
    text = filled_in(DEPLOY / "haproxy.cfg", **{"/etc/haproxy/talk.example.org.pem": str(certificate)})
    opened = re.sub(r"^    # (?=bind|http-request redirect)", "    ", text, flags=re.M)
    assert opened.count("\n    bind") == 2
    (tmp_path / "haproxy.cfg").write_text(opened)
    command = [program("haproxy"), "-c", "-q", "-f", str(tmp_path / "haproxy.cfg")]
    judged = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (judged.returncode, judged.stderr) == (0, "")


def upload(address: str, token: str, size: int) -> tuple[int, bytes]:
    head = b'--x\r\nContent-Disposition: form-data; name="attachment"; filename="a.txt"\r\n\r\n'
    body = head + b"x" * size + b"\r\n--x--\r\n"
    with closing(Connection(address, Authorization=f"Bearer {token}")) as connection:
        return connection.ask("POST", "/mobiquo/upload.php", body, "multipart/form-data; boundary=x")


def test_an_upload_has_room(fleet: Fleet, proxy: str) -> None:
    """The proxy lets the largest file through that the server takes, and none that is much larger."""
    member, largest = fleet.servers[0].member(), Settings().max_upload
    status, answer = upload(proxy, member.token, largest)
    assert status == 200
    assert loads(answer)[0][0]["result"]
    with closing(Connection(proxy)) as connection:
        connection.http.putrequest("POST", "/mobiquo/upload.php")
        connection.http.putheader("Content-Length", str(largest * 2))
        connection.http.endheaders()
        assert connection.http.getresponse().status == 413


# In front of PostgreSQL


@pytest.fixture
def pooled(cluster: engines.Cluster, tmp_path: Path) -> Iterator[str]:
    """The address of a store behind pgbouncer, with the example."""
    port, store = free_port(), cluster.empty(tmp_path, "pooled").rpartition("/")[2]
    cluster.sql(f"ALTER DATABASE {store} RENAME TO switchboard")
    # pgbouncer does not let root run it either, and has to find its files.
    folder = cluster.folder
    (folder / "userlist.txt").write_text(f'"switchboard" "{PASSWORD}"\n')
    values = {
        "port=5432": f"port={cluster.port}",
        "listen_port = 6432": f"listen_port = {port}\nunix_socket_dir =",
        "/etc/pgbouncer/userlist.txt": str(folder / "userlist.txt"),
    }
    (folder / "pgbouncer.ini").write_text(filled_in(DEPLOY / "pgbouncer.ini", **values))
    for name in ("userlist.txt", "pgbouncer.ini"):
        shutil.chown(folder / name, cluster.user)
    user = cluster.user if os.getuid() == 0 else None
    with running("pgbouncer", [str(folder / "pgbouncer.ini")], port, tmp_path, user):
        yield f"postgresql://switchboard:{quote(PASSWORD)}@127.0.0.1:{port}/switchboard"
    cluster.drop(cluster.address("switchboard"))


def test_every_door_works_behind_a_pooler(pooled: str, tmp_path: Path) -> None:
    """Behind a pooler in transaction mode two servers lose and double nothing and tell all who listen."""
    with serving(tmp_path, pooled) as fleet:
        room = Room(fleet.servers[0], CALLERS)
        with crowd(room, *fleet.addresses) as people, listening(room.players, *fleet.addresses) as ears:
            with speaking(people):
                time.sleep(POOLED_SECONDS)
            assert [each.failed for each in people] == [[]] * CALLERS
            ids = assert_kept(fleet.servers[0], room, people)
            assert len(ids) > CALLERS
            assert [ear.has_heard(ids) for ear in ears] == [True, True]
            assert people[0].all_by_forum() == people[1].all_by_chat() == people[2].all_by_phone()
