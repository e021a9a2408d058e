"""Every program of the cookbook, run as it is against the live server; other doors show what it did."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from xmlrpc.client import Fault, dumps

import pytest
from conftest import Live, Member
from fleet import wait_for
from lxml import html
from PIL import Image
from rest_client import Chatter

from models import AccessToken
from server import cookbook
from server.cookbook import RECIPES

FOLDER = Path(cookbook.__file__).parent
PASSWORD = "correct hörse: &/"
SECONDS = 60
# By the end of a program's name: what runs it, and a line that fails where that lacks something.
RUNNERS = {
    "py": ([sys.executable], "import xmlrpc.client"),
    "php": (["php"], "exit(extension_loaded('xmlrpc') && extension_loaded('curl') ? 0 : 1);"),
    "lua": (["lua5.1"], "require 'xmlrpc.http'"),
    "js": (["node"], "process.exit(typeof fetch === 'function' ? 0 : 1)"),
    "sh": (["sh"], "curl --help all | grep -q fail-with-body"),
}
RUN_LINE = {"php": "-r", "py": "-c", "sh": "-c"}
READING, SENDING, PLAYING, CHATTING, PICTURING = (recipe.names for recipe in RECIPES)
# By the program: the number and the identifier of one of its players, and the number of the other.
PLAYERS = {
    "game_day.lua": ("555-7001", "license:day-eve", "555-7002"),
    "game_day.py": ("555-7003", "license:day-mia", "555-7004"),
}
ToChatter = Callable[[Member], Chatter]


def runner(name: str) -> list[str]:
    """What runs a program, where it is installed."""
    ending = name.rpartition(".")[2]
    command, line = RUNNERS[ending]
    probe = [*command, RUN_LINE.get(ending, "-e"), line]
    if shutil.which(command[0]) is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip(f"needs what runs {name}")
    return command


def started(name: str, address: str, *words: str, **variables: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "ADDRESS": address, "PYTHONWARNINGS": "", **variables}
    pipe = subprocess.PIPE
    command = [*runner(name), str(FOLDER / name), *words]
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, encoding="utf-8")


def ended(process: "subprocess.Popen[str]") -> str:
    """What a program has written that succeeded."""
    try:
        out, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, (out, errors)
    return out


def refused(name: str, address: str, *words: str, **variables: str) -> str:
    """What a program says that ends with status 1, and gives nobody a traceback to read."""
    process = started(name, address, *words, **variables)
    out, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1 and "Once more" not in out + errors, (out, errors)
    return errors


def run(name: str, address: str, *words: str, **variables: str) -> str:
    return ended(started(name, address, *words, **variables))


@pytest.fixture
def ann(live: Live) -> Member:
    """A member with a password in which much has to be quoted."""
    return live.member("ann", PASSWORD)


@contextmanager
def door_before(
    address: str, first_answer: bytes | None = None, heard: Callable[[bytes], None] = len
) -> Iterator[str]:
    """An address before the server's.

    :param first_answer: what the first client hears instead of the answer to what was done
    :param heard: is told what clients send before the server is
    """
    host, _, port = address.removeprefix("http://").rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as door:
        words = (door, (host, int(port)), first_answer, heard)
        threading.Thread(target=pass_all, args=words, daemon=True).start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
        door.shutdown(socket.SHUT_RDWR)


def pass_all(
    door: socket.socket, target: tuple[str, int], instead: bytes | None, heard: Callable[[bytes], None]
) -> None:
    with suppress(OSError):
        while True:
            near, _ = door.accept()
            threading.Thread(target=pass_one, args=(near, target, instead, heard), daemon=True).start()
            instead = None


def pass_one(
    near: socket.socket, target: tuple[str, int], instead: bytes | None, heard: Callable[[bytes], None]
) -> None:
    with near, socket.create_connection(target) as far, suppress(OSError):
        threading.Thread(target=pass_on, args=(near, far, heard), daemon=True).start()
        while (answer := far.recv(65536)) and instead is None:
            near.sendall(answer)
        near.sendall(instead or b"")
        near.shutdown(socket.SHUT_RDWR)


def pass_on(here: socket.socket, there: socket.socket, heard: Callable[[bytes], None]) -> None:
    with suppress(OSError):
        while data := here.recv(65536):
            heard(data)
            there.sendall(data)
        there.shutdown(socket.SHUT_WR)


def busy(name: str) -> bytes:
    """How the door that a program knocks at says that the server cannot write for a moment."""
    body, head = '{"status": 503, "detail": "busy"}', "HTTP/1.1 503 Service Unavailable\r\n"
    if name.endswith((".py", ".lua")):
        body, head = (
            dumps(Fault(503, "busy"), methodresponse=True),
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n",
        )
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def tokens(live: Live, member: Member) -> int:
    """How many tokens let a member in."""
    with live.store():
        return AccessToken.select().where(AccessToken.user == int(member.id)).count()


def test_every_program_is_on_the_page(live: Live) -> None:
    """The page shows each file of the folder once, as it is but for the server's own address."""
    with urlopen(f"{live.address}/docs/cookbook") as answer:
        page = html.document_fromstring(answer.read())
    shown = {each.get("aria-labelledby"): each.cssselect("pre")[0] for each in page.iter("article")}
    files = {path.name: path for path in FOLDER.iterdir() if path.is_file() and path.name != "__init__.py"}
    assert shown.keys() == files.keys()
    for name, path in files.items():
        assert shown[name].text_content() == path.read_text().replace("http://127.0.0.1:8000", live.address)


@pytest.mark.parametrize("name", READING)
def test_what_is_unread_is_read(live: Live, ann: Member, bob: Member, chatter: ToChatter, name: str) -> None:
    """A forum conversation, a chat and a text are shown, or counted; what was shown is read at every door."""
    ann.rpc.new_conversation([bob.name], "Meet", "Bring water – 山へ!")
    chat = chatter(ann).talks_with(chatter(bob))
    chatter(bob).says(chat, "Found your keys?")
    bob.rpc.reply_conversation(ann.rpc.get_conversations(0, 9)["list"][-1]["conv_id"], "Fine & good.")
    said = run(name, live.address, NAME=ann.name, PASSWORD=PASSWORD)
    if name.endswith(".sh"):
        assert said == "2 unread\n"
        return
    assert "Found your keys?" in said and "Fine & good." in said and "Bring water" not in said
    assert "\n0 " in said
    assert chatter(ann).unread() == 0


@pytest.mark.parametrize("name", [name for name in READING if not name.endswith(".sh")])
def test_much_that_is_unread_is_all_shown(live: Live, ann: Member, bob: Member, name: str) -> None:
    """More than a call gives is shown from the first to the last, and what comes meanwhile is not lost."""
    begun = bob.rpc.new_conversation([ann.name], "Count", "Begin.")["conv_id"]
    ann.rpc.get_conversation(begun)
    wanted = [f"Number {each}." for each in range(120)]
    for each in wanted:
        bob.rpc.reply_conversation(begun, each)

    def say_more(sent: bytes) -> None:
        if b"/read " in sent:
            bob.rpc.reply_conversation(begun, "Number 120.")
            wanted.append("Number 120.")

    with door_before(live.address, heard=say_more) as address:
        said = run(name, address, NAME=ann.name, PASSWORD=PASSWORD)
    assert [line.partition(": ")[2] for line in said.splitlines() if ": " in line] == wanted
    assert "\n0 " in said


@pytest.mark.parametrize("name", [name for name in READING if not name.endswith(".sh")])
def test_what_was_marked_as_unread_is_shown(live: Live, ann: Member, bob: Member, name: str) -> None:
    """Of what was marked as unread again all is shown that others have said, whatever stands between."""
    begun = bob.rpc.new_conversation([ann.name], "Meet", "Where?")["conv_id"]
    for each in range(3):
        ann.rpc.reply_conversation(begun, f"Own {each}.")
    bob.rpc.reply_conversation(begun, "At the pier.")
    assert ann.rpc.mark_conversation_unread(begun)["result"]
    said = run(name, live.address, NAME=ann.name, PASSWORD=PASSWORD)
    assert [line.partition(": ")[2] for line in said.splitlines() if ": " in line] == [
        "Where?",
        "At the pier.",
    ]


@pytest.mark.parametrize("is_busy", [False, True])
@pytest.mark.parametrize("name", SENDING)
def test_a_lost_answer_makes_no_second_message(
    live: Live, ann: Member, bob: Member, name: str, is_busy: bool
) -> None:
    """Whose first answer was lost, or told of a busy server, sends again, and the message is there once."""
    text = "On my way & soon – 山へ!"
    player = live.player()
    begun = ann.rpc.new_conversation([bob.name], "Meet", "Where?")["conv_id"]
    with door_before(live.address, busy(name) if is_busy else b"") as address:
        if name.endswith(".lua"):
            run(name, address, player.number, text, "Customs", KEY=live.key())
            begun, reader = player.rpc.get_conversations()["list"][0]["conv_id"], player
        else:
            run(name, address, begun, text, TOKEN=ann.token)
            reader = bob
    said = [each["msg_content"].decode() for each in reader.rpc.get_conversation(begun)["list"]]
    assert said.count(text) == 1


@pytest.mark.parametrize("name", SENDING)
def test_a_refusal_is_not_asked_for_again(live: Live, ann: Member, name: str) -> None:
    """What no repetition makes good is told at once."""
    words = ("555-0101", "Hello?", "Customs") if name.endswith(".lua") else ("nothing", "Hello?")
    told = refused(name, live.address, *words, TOKEN=ann.token, KEY="no key")
    assert told.strip() and "does not answer" not in told


def test_two_game_servers_share_no_key(live: Live) -> None:
    """Programs that begin at the same moment, under one server key, both send."""
    player, key = live.player(), live.key()
    stopped = "require('socket').gettime = function() return 5e8 end os.time = function() return 5e8 end"
    words = (player.number, "Ready.", "Customs")
    for _ in range(2):
        run("send_once.lua", live.address, *words, KEY=key, LUA_INIT=stopped)
    [listed] = player.rpc.get_conversations()["list"]
    assert listed["total_message_num"] == 2


@pytest.mark.parametrize("name", PLAYING)
def test_a_game_servers_day(live: Live, name: str) -> None:
    """What the players did is there, and in the forum app of one who is a member."""
    number, identifier, other = PLAYERS[name]
    member = live.member(number=number, identifier=identifier)
    said = run(name, live.address, KEY=live.key())
    assert "¡Mañana, o nunca!" in said and "ringing" in said and "answered" in said
    assert "Tyres & oil" in said
    script = live.script()
    assert script.GetPlayerSrcFromActiveNumber(number) is False
    [contact] = script.PhoneApp_FetchContactsByNumber(number)
    assert contact["contactNumber"] == other
    [room] = member.rpc.get_conversations()["list"]
    told = member.rpc.get_conversation(room["conv_id"])["list"]
    assert room["conv_subject"] == b"Heist Planning"
    assert told[-1]["msg_content"].decode() == "¡Mañana, o nunca!"


@pytest.mark.parametrize("name", CHATTING)
def test_a_website_hears_the_answer(
    live: Live, ann: Member, bob: Member, chatter: ToChatter, name: str
) -> None:
    """A member who accepts and answers in his forum app is heard by whoever asked him on the website."""
    before = tokens(live, ann)
    process = started(name, live.address, bob.id, "Still for sale?", NAME=ann.name, PASSWORD=PASSWORD)
    try:
        wait_for(lambda: asked(chatter(bob)) != [] or process.poll() is not None)
        [request] = asked(chatter(bob))
        chatter(bob).answers(request["chatId"], "accept")
        assert bob.rpc.reply_conversation(request["chatId"], "Two of them.")["result"]
    finally:
        said = ended(process)
    assert said == f"{ann.id}: Still for sale?\n{bob.id}: Two of them.\n"
    [chat] = chatter(ann).get("/chat").json
    assert (chat["status"], chat["lastMessage"]["text"]) == ("active", "Two of them.")
    assert tokens(live, ann) == before


@pytest.mark.parametrize("name", CHATTING)
def test_a_website_hears_a_refusal(
    live: Live, ann: Member, bob: Member, chatter: ToChatter, name: str
) -> None:
    """Who asks again before he is answered is told why that is refused; no token is left."""
    chatter(ann).says(chatter(ann).asks(chatter(bob)), "Still for sale?")
    before = tokens(live, ann)
    told = refused(name, live.address, bob.id, "Well?", NAME=ann.name, PASSWORD=PASSWORD)
    [request] = asked(chatter(bob))
    detail = chatter(ann).post(f"/chat/{request['chatId']}/messages", {"text": "Well?"}).json["detail"]
    assert told == f"{detail}\n"
    assert tokens(live, ann) == before


@pytest.mark.parametrize("name", [name for name in CHATTING if not name.endswith(".php")])
def test_who_stops_waiting_leaves_no_token(
    live: Live, ann: Member, bob: Member, chatter: ToChatter, name: str
) -> None:
    """Ctrl+C while no answer comes gives the token back."""
    before = tokens(live, ann)
    process = started(name, live.address, bob.id, "Still for sale?", NAME=ann.name, PASSWORD=PASSWORD)
    wait_for(lambda: asked(chatter(bob)) != [] or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    assert tokens(live, ann) == before


def asked(chatter: Chatter) -> list[Any]:
    """The requests with which something was said."""
    return [each for each in chatter.get("/chat/pending").json if each["message"]]


@pytest.mark.parametrize("name", PICTURING)
def test_a_picture_arrives(live: Live, ann: Member, bob: Member, tmp_path: Path, name: str) -> None:
    """Who was sent a picture finds the very file with the message."""
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "map.png")
    words = (str(tmp_path / "map.png"), bob.name, "The way <is> on & on.")
    run(name, live.address, *words, NAME=ann.name, PASSWORD=PASSWORD)
    [listed] = bob.rpc.get_conversations()["list"]
    [message] = bob.rpc.get_conversation(listed["conv_id"])["list"]
    [attached] = message["attachments"]
    assert (message["msg_content"], attached["filename"]) == (b"The way <is> on & on.", b"map.png")
    assert attached["filesize"] == (tmp_path / "map.png").stat().st_size


@pytest.mark.parametrize("name", PICTURING)
def test_a_refused_picture_is_told_of(
    live: Live, ann: Member, bob: Member, tmp_path: Path, name: str
) -> None:
    """A file that is not taken sends nothing, and a message that is not taken is no success."""
    (tmp_path / "x.exe").write_bytes(b"MZ")
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "map.png")
    for file, receiver in (("x.exe", bob.name), ("map.png", "nobody at all")):
        words = (str(tmp_path / file), receiver, "Here.")
        told = refused(name, live.address, *words, NAME=ann.name, PASSWORD=PASSWORD)
        assert told.count("<methodResponse>") == 1 and "<name>result_text</name>" in told
    assert bob.rpc.get_conversations()["list"] == []
