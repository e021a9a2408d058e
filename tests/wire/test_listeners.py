"""Who may listen to what happens, and listeners who are many, slow, or spread over several processes."""

import json
import re
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from builders import Cast
from conftest import Live, Member
from event_stream import SECONDS, ZEROS, Stream, conversation, listening, say, texts
from fleet import wait_for
from rest_client import Chatter

from models import AccessToken, User, database, digest_of
from server.actions import accounts
from server.faces.chat.events import PAGE, Feed
from server.visits import Right

# How the log tells of it, according to what the engine calls a table that is not there.
TROUBLE = "listeners (have to wait|were not told)"
CUT_OFF = "a listener was cut off"


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that often looks who may still listen."""
    server = Live(tmp_path_factory.mktemp("quick"), "--limits", "off", "--heartbeat", "0.2")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that looks who may still listen only where it has something to tell."""
    server = Live(tmp_path_factory.mktemp("patient"), "--limits", "off", "--heartbeat", "60")
    yield server
    server.stop()


def status_of_listening(live: Live, member: Member) -> int:
    with closing(Stream(live, Authorization=f"Bearer {member.token}")) as stream:
        return stream.response.status


# Who listens


def test_the_token_may_stand_in_the_address(live: Live, ann: Member) -> None:
    """A browser's EventSource, which sets no headers, has its access token in the address."""
    with closing(Stream(live, f"?access_token={ann.token}")) as stream:
        assert stream.response.status == 200


def test_name_and_password_will_do(live: Live) -> None:
    """A user may listen by name and password."""
    member = live.member(password="right and long")
    with closing(Stream(live, Authorization=basic(member.name, "right and long"))) as stream:
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


def renew(member: Member) -> None:
    User.update(password="another").where(User.id == member.id).execute()


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


def test_nobody_is_told_what_he_missed_when_he_may_not_listen(patient: Live) -> None:
    """Who is being told page by page what he missed is told no further page once his token is revoked."""
    missed = 5 * PAGE
    ann, bob = patient.member(), patient.member()
    place = conversation(ann, bob)
    for number in range(missed):
        say(ann, place, f"{number} " + "\U0001f600" * 1000)
    with closing(listening(patient, bob, buffer=4096, Last_Event_ID="0")) as stream:
        first = stream.next("message")
        with patient.store():
            revoke(bob)
        # What is on its way already, which may be more than a page, cannot be taken back.
        assert len(texts([first, *stream])) < missed - PAGE


def test_nothing_is_lost_where_it_cannot_be_seen_who_may_listen(patient: Live) -> None:
    """What happens while the store cannot say whose tokens stand is told as soon as it can."""
    ann, bob = patient.member(), patient.member()
    place = conversation(ann, bob)
    with closing(listening(patient, bob)) as stream:
        ann.rpc = patient.proxy(("Cookie", f"xf_session={session_of(patient, ann)}"))
        with patient.store(), tokens_hidden():
            say(ann, place, "meanwhile")
            wait_for(lambda: re.search(TROUBLE, (patient.folder / "live.log").read_text()) is not None)
        assert texts(stream.until("message")) == ["meanwhile"]


@contextmanager
def tokens_hidden() -> Iterator[None]:
    """While the open store has no table of tokens."""
    rename(AccessToken._meta.table_name, "hidden")
    try:
        yield
    finally:
        rename("hidden", AccessToken._meta.table_name)


def rename(table: str, name: str) -> None:
    database.execute_sql(f"ALTER TABLE {table} RENAME TO {name}")


def basic(name: str, password: str) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def test_an_open_page_hears_until_its_session_ends(quick: Live) -> None:
    """A page listens by its session, is told what happens, and no more once its member has logged out."""
    ann, bob = quick.member(), quick.member()
    session = session_of(quick, bob)
    with closing(Stream(quick, path="/inbox/events", Cookie=f"xf_session={session}")) as stream:
        stream.next("totals")
        conversation(ann, bob)
        assert texts(stream.until("message")) == ["first"]
        with quick.store():
            accounts.end_session(session)
        assert [each.kind for each in stream if each.kind != "totals"] == []


def test_an_open_page_hears_by_what_its_member_is_known_by(quick: Live) -> None:
    """Who comes with a token or a password listens by that, whatever cookie comes along, until it is none."""
    ann, bob = quick.member(), quick.member(password="right and long")
    session = session_of(quick, ann)
    basically = basic(bob.name, "right and long")
    for header, take_away in ((f"Bearer {bob.token}", revoke), (basically, renew)):
        heads = {"Authorization": header, "Cookie": f"xf_session={session}"}
        with closing(Stream(quick, path="/inbox/events", **heads)) as stream:
            stream.next("totals")
            conversation(ann, bob)
            assert texts(stream.until("message")) == ["first"]
            with quick.store():
                take_away(bob)
            assert [each.kind for each in stream if each.kind != "totals"] == []


def test_a_credential_lets_its_own_user_listen_alone(cast: Cast) -> None:
    """A right to listen stands by a token or a session of that very user's."""
    feed, ann = Feed(""), cast.ann.user
    secrets = accounts.add_token(ann, "test"), accounts.begin_session(ann, "127.0.0.1", False)
    for digest in map(digest_of, secrets):
        own, another = Right(ann.id, digest, None), Right(cast.bob.user.id, digest, None)
        assert feed.standing({own, another}) == {own}


def test_a_new_password_ends_what_the_old_one_began(quick: Live) -> None:
    """Who listens by name and password is cut off when the password is another one."""
    member = quick.member(password="right and long")
    with closing(Stream(quick, Authorization=basic(member.name, "right and long"))) as stream:
        stream.next("totals")
        with quick.store():
            renew(member)
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


def test_who_reads_slowly_but_steadily_is_kept(patient: Live) -> None:
    """A listener who is always a little behind, and goes on reading, hears far more than may wait for him."""
    ann, bob = patient.member(), patient.member()
    place = conversation(ann, bob)
    with closing(listening(patient, bob, buffer=4096)) as stream, ThreadPoolExecutor(1) as pool:
        heard = pool.submit(lambda: [stream.next("message") for _ in range(60)])
        for number in range(60):
            say(ann, place, f"{number} " + "\U0001f600" * 9000)
        numbers = [int(text.split()[0]) for text in texts(heard.result(SECONDS))]
        assert numbers == [*range(60)]


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


def test_who_does_not_read_is_cut_off(patient: Live) -> None:
    """A listener who takes nothing is cut off when much waits for him, and the others hear everything."""
    ann, bob = patient.member(), patient.member()
    place = conversation(ann, bob)
    log, count = patient.folder / "live.log", 0
    before = log.read_text().count(CUT_OFF)
    with closing(listening(patient, bob, buffer=4096)), closing(listening(patient, bob)) as reader:
        while log.read_text().count(CUT_OFF) == before:
            say(ann, place, f"{count} " + "\U0001f600" * 9000)
            told = reader.next("message").data["message"]["text"]
            assert told.startswith(f"{count} ")
            count += 1
            assert count < 300
