"""The examples of the reference, each called as it stands, where the cast of `serve --demo` is."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from xmlrpc.client import Fault, ServerProxy, loads

import engines
import pytest
from conftest import Live
from lxml import html
from PIL import Image
from playwright.sync_api import expect

import server
from models import close_store, migrate, open_store
from server import demo, errors
from server.config import Settings
from server.faces.pages.docs import placed
from server.faces.published import sections
from server.files import Files
from server.wire.reference import Section, blocks

SERVER = Path(server.__file__).parent
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
    assert "event: totals" in fetched(f"{world.filled(line)} --max-time 1", tmp_path)


def fetched(line: str, folder: Path) -> str:
    return subprocess.run(shlex.split(line), capture_output=True, cwd=folder, timeout=30, text=True).stdout


def codes_in(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The codes with which a module refuses, beyond those that the kinds of refusal have by themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1:
            kind, word = getattr(errors, node.func.id, None), node.args[1]
            if isinstance(kind, type) and isinstance(word, ast.Constant) and word.value:
                yield word.value, kind.code


def test_every_code_of_the_chat_door_is_told() -> None:
    """The reference of the chat door has each code with which anything is refused, under its status."""
    [entry] = [each for each in CHAT.entries() if each.anchor == "errors"]
    told = {(code, int(status.split()[0])) for code, status, _ in entry.rows}
    kinds = {(kind.word, kind.code) for kind in errors.Refusal.__subclasses__()}
    found = {each for path in SERVER.rglob("*.py") for each in codes_in(ast.parse(path.read_text()))}
    assert ("CONVERSATION_CLOSED", 403) in found
    assert told == kinds | found


@pytest.mark.parametrize("credentials", ["", "ann:PASSWORD@"])
def test_examples_name_the_server_that_is_asked(credentials: str) -> None:
    """Where a server is known by another address its page says so in every example."""
    line = f'ServerProxy("http://{credentials}127.0.0.1:8000/RPC2")'
    assert placed(line, "https://talk.example") == f'ServerProxy("https://{credentials}talk.example/RPC2")'


# The page


@pytest.fixture(scope="module")
def shown(live: Live) -> Any:
    with urlopen(f"{live.address}/docs") as answer:
        return html.document_fromstring(answer.read())


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_each_door_has_a_list_of_its_entries(shown: Any, section: Section) -> None:
    """Above the entries of a door stands a list, folded, that leads to each of them."""
    [names] = shown.xpath(f"//section[@aria-labelledby='{section.title}']//details[not(@open)]")
    anchors = [each.anchor for each in section.entries()]
    assert [link.get("href") for link in names.iter("a")] == [f"#{anchor}" for anchor in anchors]
    assert all(len(shown.xpath(f"//*[@id='{anchor}']")) == 1 for anchor in anchors)


def test_what_is_answered_leads_to_its_shape(shown: Any) -> None:
    """The name of a shape leads to it from answers and values, and the errors of a call to their codes."""
    [call] = shown.xpath("//article[h3/@id='getToken']")
    links = {link.text: link.get("href") for link in call.xpath("p/a")}
    assert links == {"Token": "#shape-Token", "Errors": "#errors"}
    [shape] = shown.xpath("//article[h3/@id='shape-Chat']")
    assert "#shape-ChatMessage" in [link.get("href") for link in shape.xpath(".//td/a")]


def test_no_word_of_a_docstring_is_set_off(shown: Any) -> None:
    """Names in docstrings stand on the page without the signs that set them off in the source."""
    assert not re.findall(r"\*\w+\*", shown.text_content())


@pytest.fixture
def phone(browser: Any, live: Live) -> Iterator[Any]:
    """The page on a phone."""
    page = browser.new_page(viewport={"width": 360, "height": 640})
    page.goto(f"{live.address}/docs")
    yield page
    page.close()


def test_what_was_found_is_on_the_first_screen(phone: Any) -> None:
    """A phone shows the first hit at once, and how many there are in one line."""
    phone.fill("#search", "GET /chat")
    assert phone.locator(".entry h3:visible").first.bounding_box()["y"] < 500
    phone.fill("#search", "nothing of that kind")
    told = phone.locator("[role=status]")
    assert told.text_content() == "0 found"
    assert told.bounding_box()["height"] < 30


def test_a_link_shows_what_a_search_has_hidden(phone: Any) -> None:
    """A link to what is not among what was found ends the search and goes there."""
    phone.fill("#search", "nothing of that kind")
    phone.click("nav.contents >> text=Forum")
    expect(phone.locator("#Forum")).to_be_in_viewport()
    assert phone.input_value("#search") == ""


def test_examples_are_copied(phone: Any) -> None:
    """A button beside each example copies it, or marks it where a page may not copy."""
    buttons = phone.locator(".entry button")
    assert buttons.count() == phone.locator(".entry pre").count() > 100
    buttons.first.click()
    expect(buttons.first).to_have_text(re.compile("^(Copied|Marked)$"))
