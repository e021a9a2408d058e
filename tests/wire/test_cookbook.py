"""Every program of the cookbook, run as it is against the live server; other doors show what it did."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from conftest import Live, Member
from fleet import wait_for
from lxml import html
from PIL import Image
from rest_client import Chatter

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
    "sh": (["sh"], "curl --help all | grep -q retry-all-errors"),
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


def run(name: str, address: str, *words: str, **variables: str) -> str:
    return ended(started(name, address, *words, **variables))


@pytest.fixture
def ann(live: Live) -> Member:
    """A member with a password in which much has to be quoted."""
    return live.member("ann", PASSWORD)


@contextmanager
def first_answer_lost(address: str) -> Iterator[str]:
    """An address before the server's, whose first client hears nothing of what was done."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=pass_all, args=(door, (host, int(port))), daemon=True).start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
        door.shutdown(socket.SHUT_RDWR)


def pass_all(door: socket.socket, target: tuple[str, int]) -> None:
    is_first = True
    with suppress(OSError):
        while True:
            near, _ = door.accept()
            threading.Thread(target=pass_one, args=(near, target, is_first), daemon=True).start()
            is_first = False


def pass_one(near: socket.socket, target: tuple[str, int], is_lost: bool) -> None:
    with near, socket.create_connection(target) as far, suppress(OSError):
        threading.Thread(target=pass_on, args=(near, far), daemon=True).start()
        while (answer := far.recv(65536)) and not is_lost:
            near.sendall(answer)
        near.shutdown(socket.SHUT_RDWR)


def pass_on(here: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):
        while data := here.recv(65536):
            there.sendall(data)
        there.shutdown(socket.SHUT_WR)


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


@pytest.mark.parametrize("name", SENDING)
def test_a_lost_answer_makes_no_second_message(live: Live, ann: Member, bob: Member, name: str) -> None:
    """Whose first answer was lost sends again, and the message is there once."""
    text = "On my way & soon – 山へ!"
    player = live.player()
    begun = ann.rpc.new_conversation([bob.name], "Meet", "Where?")["conv_id"]
    with first_answer_lost(live.address) as address:
        if name.endswith(".lua"):
            run(name, address, player.number, text, "Customs", KEY=live.key())
            begun, reader = player.rpc.get_conversations()["list"][0]["conv_id"], player
        else:
            run(name, address, begun, text, TOKEN=ann.token)
            reader = bob
    said = [each["msg_content"].decode() for each in reader.rpc.get_conversation(begun)["list"]]
    assert said.count(text) == 1


@pytest.mark.parametrize("name", PLAYING)
def test_a_game_servers_day(live: Live, name: str) -> None:
    """What the players did is there, and in the forum app of one who is a member."""
    number, identifier, other = PLAYERS[name]
    member = live.member(number=number, identifier=identifier)
    said = run(name, live.address, KEY=live.key())
    assert "¡Mañana, o nunca!" in said and "ringing" in said and "answered" in said
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
