"""Watching a server: whether it may be sent calls, what it has counted, and what a line of its log is."""

import http.client
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from xmlrpc.client import Fault, dumps

import engines
import pytest
from conftest import Live
from disks import small_disk
from event_stream import Stream
from fleet import wait_for
from prometheus_client.parser import text_string_to_metric_families
from rest_client import Answer, Chatter, Client, exchange, lasting

from models import database
from server import __version__
from server.proxies import PASSED_ON

FUTURE = "9999_future"
STEP = "0006_holders"

Labels = tuple[str, ...]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose metrics anybody may read."""
    made = Live(tmp_path_factory.mktemp("watched"), "--limits", "off", "--metrics", "on")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose metrics are for its own machine, on an embedded store; it logs all it can as JSON."""
    folder = tmp_path_factory.mktemp("private")
    logs = ("--log-format", "json", "--log-level", "debug", "--limits", "off")
    local = ("--metrics", "local", "--proxies", "127.0.0.1")
    made = Live(folder, *logs, *local, database=f"sqlite:///{folder}/live.db")
    yield made
    made.stop()


def page(live: Live, path: str, verb: str = "GET", **headers: str) -> Answer:
    return Client(live.address).send(verb, path, **headers)


def told(live: Live) -> dict[str, dict[Labels, float]]:
    """What /metrics tells: the values of each name, by the values of the labels in the labels' order."""
    answer = page(live, "/metrics")
    assert answer.status == 200
    values: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            values.setdefault(sample.name, {})[labels] = sample.value
    return values


def number(live: Live, name: str, *labels: str) -> float:
    return told(live).get(name, {}).get(labels, 0)


def requests(live: Live) -> dict[Labels, float]:
    """How many requests there were, by door, method and outcome."""
    return told(live).get("switchboard_requests_total", {})


# Whether calls may be sent


def test_a_server_is_ready(watched: Live) -> None:
    """A server that may be sent calls says so to anybody, and nothing else."""
    answer = page(watched, "/readyz")
    assert (answer.status, answer.body) == (200, b"ok\n")


@pytest.mark.parametrize(
    ("statement", "undo", "reason"),
    [
        (
            f"DELETE FROM migration WHERE name = '{STEP}'",
            f"INSERT INTO migration (name, applied) VALUES ('{STEP}', '2026-11-22')",
            f"The store lacks the step {STEP}.",
        ),
        (
            f"INSERT INTO migration (name, applied) VALUES ('{FUTURE}', '2026-11-22')",
            f"DELETE FROM migration WHERE name = '{FUTURE}'",
            f"The store is newer than this program: it has had the step {FUTURE}.",
        ),
    ],
)
def test_a_server_with_another_s_store_is_not_ready(
    watched: Live, statement: str, undo: str, reason: str
) -> None:
    """A server whose store has had fewer steps than it knows, or more, is not ready, and says why."""
    with watched.store():
        database.execute_sql(statement)
        answer = page(watched, "/readyz")
        database.execute_sql(undo)
    assert (answer.status, answer.body.decode()) == (503, f"{reason}\n")
    assert page(watched, "/readyz").status == 200


def test_a_server_without_its_store_is_not_ready(private: Live) -> None:
    """A server whose store is gone is not ready, and says so in one sentence."""
    store, away = private.folder / "live.db", private.folder / "away.db"
    store.rename(away)
    answer = page(private, "/readyz")
    away.rename(store)
    assert (answer.status, answer.body) == (503, b"The file of the store was removed or replaced.\n")
    assert page(private, "/readyz").status == 200


def test_a_server_that_leaves_is_not_ready(leaving: Live) -> None:
    """After SIGTERM a server that still hears somebody tells him that it is not to be sent calls."""
    anyone = Client(leaving.address)
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(anyone.connect())) for _ in range(10)]
        for each in connections:
            assert exchange(each, "GET", "/readyz", None, {}).status == 200
        leaving.process.send_signal(signal.SIGTERM)
        # One may be asking at that very moment, and then is told nothing more.
        answers = [last_answer(each) for each in connections]
    assert {(each.status, each.body) for each in answers[1:]} == {(503, b"The server is about to end.\n")}


def last_answer(connection: http.client.HTTPConnection) -> Answer:
    """What the server says when it says nothing more on a connection."""
    while not (answer := exchange(connection, "GET", "/readyz", None, {})).has("Connection"):
        pass
    return answer


@pytest.fixture
def leaving(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path)
    yield made
    assert made.stop() == 0


# Who may read the metrics


def unlike_in_nothing(live: Live, path: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    answer = page(live, path)
    return answer.status, answer.body, lasting(answer.headers)


def test_metrics_are_off(live: Live) -> None:
    """Where nobody has allowed it, /metrics is an address like any other at which nothing is."""
    assert unlike_in_nothing(live, "/metrics") == unlike_in_nothing(live, "/nothing")
    assert page(live, "/metrics", "POST").status == 404


def test_metrics_are_for_this_machine(private: Live) -> None:
    """Where metrics are local, a program on this machine reads them without a credential."""
    assert page(private, "/metrics").status == 200


@pytest.mark.parametrize("header", PASSED_ON)
def test_metrics_are_not_for_who_comes_by_a_proxy(private: Live, header: str) -> None:
    """Where metrics are local, a proxy on this machine gets for whoever it calls what is nowhere."""
    headers = {header.replace("-", "_"): "127.0.0.1"}
    for verb in ("GET", "POST"):
        answer = page(private, "/metrics", verb, **headers)
        assert (answer.status, answer.body) == (404, page(private, "/nothing").body)


@pytest.mark.parametrize("spelling", ["/metrics/", "/metrics//", "//metrics", "///metrics/", "/./metrics"])
def test_metrics_have_one_spelling(watched: Live, spelling: str) -> None:
    """What resembles /metrics is an address at which nothing is, so that a proxy keeps back one spelling."""
    for verb in ("GET", "HEAD", "POST"):
        answer = page(watched, spelling, verb)
        assert (answer.status, answer.body) == (404, page(watched, "/nothing", verb).body)
    assert page(watched, "/metrics?a=b").status == 200


# What is counted


def test_requests_are_counted(watched: Live) -> None:
    """Each request counts once: by its door, the declared name of what was called, and what came of it."""
    member, other = watched.member(), watched.member()
    script, chatter = watched.script(), Chatter(watched.address, member.token, member.id)
    before = requests(watched)
    for _ in range(3):
        member.rpc.get_inbox_stat()
    with pytest.raises(Fault):
        member.rpc.get_conversation("x", {})
    script.PhoneApp_IsInCallByNumber("555-1")
    chatter.asks(Chatter(watched.address, other.token, other.id))
    assert chatter.get("/chat/987654321").status == 404
    assert page(watched, "/docs").status == 200
    assert page(watched, "/attachments/1/a.txt").status == 401
    after = requests(watched)
    grown = {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key, 0)}
    assert grown == {
        ("forum", "get_inbox_stat", "ok"): 3,
        ("forum", "get_conversation", "refused"): 1,
        ("phone", "PhoneApp_IsInCallByNumber", "ok"): 1,
        ("chat", "POST /chat", "ok"): 1,
        ("chat", "GET /chat/{chatId}", "refused"): 1,
        ("pages", "GET /docs", "ok"): 1,
        ("pages", "/attachments", "refused"): 1,
        ("pages", "/metrics", "ok"): 1,
    }


def test_times_are_counted(watched: Live) -> None:
    """The time of each request, in seconds, falls into one step of a histogram and is added to a sum."""
    rpc = watched.member().rpc
    rpc.get_config()
    count, total = "switchboard_request_seconds_count", "switchboard_request_seconds_sum"
    before = told(watched)
    began = time.perf_counter()
    rpc.get_config()
    elapsed = time.perf_counter() - began
    after = told(watched)
    key = ("forum", "get_config")
    assert after[count][key] == before[count][key] + 1
    assert 0 < after[total][key] - before[total][key] < elapsed
    assert after["switchboard_request_seconds_bucket"][("forum", "+Inf", "get_config")] == after[count][key]


def test_refusals_are_counted_by_kind(watched: Live) -> None:
    """Each refusal counts under the number that every wire reports, also where HTTP says 200."""
    kinds = [("forum", "401"), ("chat", "401"), ("none", "404"), ("none", "413"), ("forum", "-32602")]
    before = told(watched).get("switchboard_refusals_total", {})
    anyone = Client(watched.address)
    anyone.send("POST", "/RPC2", dumps((), "get_inbox_stat").encode())
    anyone.get("/chat")
    anyone.get("/nowhere")
    anyone.send("POST", "/RPC2", bytes(300_000))
    anyone.send("POST", "/RPC2", dumps((1, 2, 3, 4), "get_config").encode())
    after = told(watched)["switchboard_refusals_total"]
    assert {kind: after[kind] - before.get(kind, 0) for kind in kinds} == dict.fromkeys(kinds, 1)


def test_nobody_makes_up_a_label(watched: Live) -> None:
    """Whatever a client calls, all that is not declared counts under one label."""
    anyone = Client(watched.address)
    before = requests(watched)
    for made_up in ("made_up", "/docs", "GET /chat", "upload_attach", '"}\n', "x" * 5000):
        anyone.send("POST", "/RPC2", dumps((), made_up).encode())
    for path in ("/made/up", "/chat/made/up/by/me", "/RPC3", "/mobiquo/%22%7D%0A", "/metrics/x"):
        anyone.get(path)
    anyone.send("OPTIONS", "/chat")
    anyone.send("MADEUP", "/nothing")
    anyone.send("POST", "/RPC2", b"<methodCall><broken>")
    after = requests(watched)
    page_read = ("pages", "/metrics", "ok")
    assert {key for key in after if after[key] != before.get(key, 0)} - {page_read} == {
        ("none", "unknown", "refused"),
        ("none", "unknown", "ok"),
    }
    assert after["none", "unknown", "refused"] - before.get(("none", "unknown", "refused"), 0) == 13


def test_files_of_pages_are_counted(watched: Live) -> None:
    """Whatever pages load counts under one name of theirs, whether it is there or not."""
    key = ("pages", "/static", "ok")
    before = requests(watched).get(key, 0)
    assert page(watched, "/static/style.css").status == 200
    assert page(watched, "/static/icon.svg").status == 200
    assert requests(watched)[key] == before + 2


def test_the_store_is_told_of(watched: Live) -> None:
    """What runs, that the store answers, its size, its newest message and the live calls are told."""
    ann, bob = watched.player(), watched.player()
    before = told(watched)
    made = ann.rpc.new_conversation([bob.name], "Subject", "Body")
    message = ann.rpc.get_conversation(made["conv_id"])["list"][0]["msg_id"]
    call = watched.script().PhoneApp_StartCall(ann.number, bob.number)
    assert call["state"] == "ringing"
    after = told(watched)
    engine = "sqlite" if engines.name == "sqlite" else "postgresql"
    assert after["switchboard_info"] == {(engine, __version__): 1}
    assert after["switchboard_store_up"][()] == 1
    assert after["switchboard_store_bytes"][()] > 100_000
    assert after["switchboard_store_newest_message"][()] == int(message)
    assert after["switchboard_live_calls"][()] == before["switchboard_live_calls"][()] + 1


def test_who_listens_and_waits_is_told(watched: Live) -> None:
    """How many live answers there are, and how many calls wait for a thread, is told within moments."""
    stream = Stream(watched, Authorization=f"Bearer {watched.member().token}")
    wait_for(lambda: number(watched, "switchboard_listeners") == 1)
    stream.connection.close()
    stream.response.close()
    wait_for(lambda: number(watched, "switchboard_listeners") == 0)
    assert number(watched, "switchboard_waiting_calls") == 0


# With several processes, and one that is killed


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """A server of two processes that counts in a folder of this test's own, with a log for programs."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    made = Live(tmp_path, "--workers", "2", "--metrics", "on", "--log-format", "json", "--limits", "off")
    yield made
    if made.process.poll() is None:
        made.stop()


def counting(folder: Path) -> set[int]:
    """The processes that count in the folder of the server."""
    found = folder.glob("switchboard-metrics-*/counter_*.db")
    return {int(path.stem.partition("_")[2]) for path in found}


def test_every_process_answers_for_all(several: Live, tmp_path: Path) -> None:
    """What one process has counted every one tells, also when it was killed; who listened there is gone.

    Afterwards nothing is left of it, and what Granian said of the killed one is a line like all.
    """
    config, key = dumps((), "get_config").encode(), ("forum", "get_config", "ok")
    for _ in range(30):
        Client(several.address).send("POST", "/RPC2", config)
    assert {number(several, "switchboard_requests_total", *key) for _ in range(10)} == {30}
    wait_for(lambda: len(counting(tmp_path)) == 2)
    token = several.member().token
    streams = [Stream(several, Authorization=f"Bearer {token}") for _ in range(8)]
    wait_for(lambda: number(several, "switchboard_listeners") == 8)
    killed, other = sorted(counting(tmp_path))
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: is_gone(killed) and number(several, "switchboard_listeners") < 8)
    assert number(several, "switchboard_requests_total", *key) == 30
    wait_for(lambda: len(counting(tmp_path)) == 3)
    os.kill(other, signal.SIGKILL)
    wait_for(lambda: is_gone(other) and len(counting(tmp_path)) == 4)
    wait_for(lambda: number(several, "switchboard_listeners") == 0)
    assert number(several, "switchboard_requests_total", *key) == 30
    for stream in streams:
        stream.connection.close()
    assert several.stop() == 0
    assert list(tmp_path.glob("switchboard-metrics-*")) == []
    lines = [json.loads(line) for line in (tmp_path / "live.log").read_text().splitlines()]
    said = [line for line in lines if "Unexpected exit from worker" in line.get("message", "")]
    assert [line["level"] for line in said] == ["error"] * 2


def is_gone(process: int) -> bool:
    return not Path(f"/proc/{process}").exists()


# On a full disk


def test_a_full_disk_stops_nothing(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk on which it counts is full, a process counts on; a new one serves without counting."""
    with small_disk(tmp_path_factory.mktemp("small"), 8 * 2**20) as disk:
        monkeypatch.setenv("TMPDIR", str(disk.folder))
        live = Live(tmp_path_factory.mktemp("counted"), "--metrics", "on", "--limits", "off")
        try:
            disk.fill()
            names = live.proxy().system.listMethods()
            for name in names:
                # What fits no parameters, so that nothing is done.
                Client(live.address).send("POST", "/RPC2", dumps(({},) * 20, name).encode())
            assert {method for _, method, _ in requests(live)} >= set(names)
            [process] = counting(disk.folder)
            os.kill(process, signal.SIGKILL)
            wait_for(lambda: is_gone(process) and answers(live))
            assert page(live, "/metrics").status == 404
        finally:
            live.stop()


def answers(live: Live) -> bool:
    try:
        return page(live, "/readyz").status == 200
    except OSError:
        return False


# The log


def lines_of(live: Live) -> list[dict[str, object]]:
    text = (live.folder / "live.log").read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def test_a_line_is_an_object(private: Live) -> None:
    """Where it is wanted every line of the log is an object; that of a request has all there is to say."""
    member = private.member("programmer")
    member.rpc.get_inbox_stat()
    wait_for(lambda: any(line.get("actor") == member.name for line in lines_of(private)))
    [line] = [each for each in lines_of(private) if each.get("actor") == member.name]
    assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", str(line.pop("time")))
    took, name = line.pop("milliseconds"), line.pop("request")
    assert isinstance(took, float)
    assert re.fullmatch("[0-9a-f]{8}", str(name))
    assert str(line.pop("message")) == f"{name} {member.name} POST get_inbox_stat ok {took} ms"
    expected = {"actor": member.name, "verb": "POST", "method": "get_inbox_stat", "outcome": "ok"}
    assert line == {"level": "info", **expected}


def test_an_unread_body_is_an_object(private: Live) -> None:
    """The line of a request whose body was not read has no time."""
    answer = Client(private.address).send("POST", "/RPC2", bytes(300_000))
    name = answer.header("X-Request-ID")
    wait_for(lambda: any(line.get("request") == name for line in lines_of(private)))
    [line] = [each for each in lines_of(private) if each.get("request") == name]
    assert (line["outcome"], line["milliseconds"]) == ("413", None)


def test_no_value_is_logged(private: Live) -> None:
    """Statements to the store are logged at the lowest level, but none of the values in them."""
    secret = f"hush{time.time_ns()}"
    ann, bob = private.member(), private.member()
    assert ann.rpc.new_conversation([bob.name], f"{secret} subject", f"{secret} body")["result"]
    Client(private.address).send("GET", f"/docs?access_token={secret}", Authorization=f"Bearer {secret}")
    wait_for(lambda: any(line.get("method") == "GET /docs" for line in lines_of(private)))
    assert any("INSERT INTO" in str(line.get("message")) for line in lines_of(private))
    log = (private.folder / "live.log").read_text()
    assert [line for line in log.splitlines() if secret in line or ann.token in line] == []


def test_an_answer_bears_its_name(watched: Live) -> None:
    """The answer to a request says by what the log knows it: at every door, and where there is nothing."""
    anyone = Client(watched.address)
    answers = [anyone.get(path) for path in ("/chat", "/docs", "/nothing", "/mobiquo/avatar.php")]
    answers += [anyone.send("POST", "/RPC2", dumps((), "get_config").encode())]
    answers += [anyone.send("POST", "/RPC2", bytes(300_000))]
    names = [answer.header("X-Request-ID") for answer in answers]
    assert len(set(names)) == len(names)

    def logged() -> bool:
        log = (watched.folder / "live.log").read_text()
        return all(f" INFO {name} " in log for name in names)

    wait_for(logged)
