"""The examples of the reference, each called as it stands, where the cast of `serve --demo` is."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy, loads

import engines
import pytest
from conftest import Live
from PIL import Image

from models import close_store, migrate, open_store
from server import demo
from server.config import Settings
from server.faces.pages.docs import placed
from server.faces.published import sections
from server.files import Files
from server.wire.reference import blocks

XMLRPC, FORUM, PHONE, CHAT = SECTIONS = sections()
# What has to be done before an example, so that there is something for it to do.
CALLED = 'phone.PhoneApp_StartCall("555-0103", "555-0101")'
CALLED_ANEW = f"phone.PhoneApp_EndCallBySrc(1) and {CALLED}"
NEWEST = "max(each['id'] for each in phone.PhoneApp_FetchContactsBySrc(1))"
BEFORE = {
    "remove_attachment": "curl -u ann:PASSWORD -F attachment=@map.png http://127.0.0.1:8000/mobiquo/upload.php",
    "PhoneApp_EndCallByNumber": CALLED,
    "PhoneApp_IsInCallBySrc": f"{CALLED} and phone.PhoneApp_AcceptCallBySrc(1)",
    "PhoneApp_AcceptCallBySrc": CALLED_ANEW,
    "PhoneApp_AcceptCallByNumber": CALLED_ANEW,
    "PhoneApp_RejectCallBySrc": CALLED_ANEW,
    "PhoneApp_RejectCallByNumber": CALLED,
    "PhoneApp_GetCallIdFromSrc": CALLED,
    "PhoneApp_AddContactByNumber": f"phone.PhoneApp_DeleteContact({NEWEST})",
    "Darkchat_RemoveFromConversationByNumber": "phone.Darkchat_AddToConversationBySrc(1, 4)",
}
# What is answered by a no: what is never offered, and a call that is over.
OVER = "PhoneApp_GetCallDataFromCallId"


class World:
    """A server with the cast in its store, and clients by the names that examples give them."""

    def __init__(self, live: Live, cast: demo.Cast) -> None:
        self.address, self.secrets = live.address, {"PASSWORD": cast.passwords["ann"]}
        self.secrets |= {"TOKEN": cast.tokens["ann"], "KEY": cast.server_key}
        host = live.address.removeprefix("http://")
        self.clients = {
            "server": ServerProxy(f"{live.address}/RPC2"),
            "ann": ServerProxy(f"http://ann:{cast.passwords['ann']}@{host}/RPC2", use_builtin_types=True),
            "phone": ServerProxy(f"http://server:{cast.server_key}@{host}/RPC2"),
        }

    def filled(self, text: str) -> str:
        """An example with this server's address and what was printed for a reader."""
        text = placed(text, self.address)
        for word, secret in self.secrets.items():
            text = text.replace(word, secret)
        return text

    def run(self, line: str, folder: Path) -> Any:
        """What a line of Python gives, or one of shell in a *folder*; of a fault its number."""
        try:
            if not line.startswith("curl"):
                return eval(self.filled(line), dict(self.clients))
            words = shlex.split(self.filled(line))
            [value], _ = loads(subprocess.run(words, capture_output=True, cwd=folder, timeout=30).stdout)
        except Fault as fault:
            return fault.faultCode
        return value


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    address = engines.chosen().place(tmp_path, "examples")
    settings = Settings(database=address, files=str(tmp_path / "live.files"), limits="off")
    open_store(address)
    migrate()
    cast = demo.fill(settings, Files(settings.files_folder))
    close_store()
    assert cast is not None
    live = Live(tmp_path, "--limits", "off", database=address)
    made = World(live, cast)
    yield made
    for client in made.clients.values():
        client("close")()
    live.stop()


def is_no(value: Any) -> bool:
    """Whether an answer says that something could not be done."""
    if isinstance(value, dict):
        return not value.get("result", value.get("success", True))
    return value is False or (type(value) is int and value < 0)


def test_every_example_of_a_method_can_be_called(world: World, tmp_path: Path) -> None:
    """In the order of the page each example is taken, and but for some each is carried out."""
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "map.png")
    refused = {}
    for section in (XMLRPC, FORUM, PHONE):
        for entry in section.entries():
            if entry.anchor in BEFORE:
                assert not is_no(world.run(BEFORE[entry.anchor], tmp_path)), entry.anchor
            value = world.run(entry.example, tmp_path)
            if is_no(value) and not entry.doc.startswith("Refused always"):
                refused[entry.anchor] = value
    assert refused == {OVER: False}


def test_what_stands_before_the_methods_works(world: World, tmp_path: Path) -> None:
    """The lines that tell how a door is used work in their order, in Python and in shell."""
    for section in SECTIONS:
        known: dict[str, Any] = {}
        for code in (world.filled(block.text) for block in blocks(section.about) if block.is_code):
            if code.startswith("curl"):
                told = fetched(code, tmp_path)
                assert told and "fault" not in told and "problem" not in told, told
            else:
                exec(code, known)
        for client in filter(lambda each: isinstance(each, ServerProxy), known.values()):
            client("close")()


def test_the_stream_of_events_is_fetched_as_it_is_told(world: World, tmp_path: Path) -> None:
    """The one example whose answer has no end begins with how things stand."""
    [line] = [entry.example for entry in CHAT.entries() if entry.call == "GET /chat/events"]
    assert "event: totals" in fetched(f"{world.filled(line)} --max-time 2", tmp_path)


def fetched(line: str, folder: Path) -> str:
    return subprocess.run(shlex.split(line), capture_output=True, cwd=folder, timeout=30, text=True).stdout


@pytest.mark.parametrize("credentials", ["", "ann:PASSWORD@"])
def test_examples_name_the_server_that_is_asked(credentials: str) -> None:
    """Where a server is known by another address its page says so in every example."""
    line = f'ServerProxy("http://{credentials}127.0.0.1:8000/RPC2")'
    assert placed(line, "https://talk.example") == f'ServerProxy("https://{credentials}talk.example/RPC2")'
