"""What a page in a real browser gets of the chat door."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Live, Member
from playwright.sync_api import sync_playwright

BINARIES = ("chromium", "chromium-browser", "google-chrome")
LISTEN = """token => new Promise(resolve => {
    window.told = [];
    const events = new EventSource(`/chat/events?access_token=${token}`);
    events.addEventListener("message", event => window.told.push(JSON.parse(event.data).message.text));
    events.addEventListener("totals", resolve, { once: true });
})"""
SEND = """([token, chat, text]) => fetch(`/chat/${chat}/messages`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ text }),
}).then(answer => answer.status)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, BINARIES)), None)
    if path is None:
        pytest.skip("needs chromium")
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, live: Live) -> Iterator[Any]:
    """An empty page of the server's own origin."""
    opened = browser.new_page()
    opened.goto(f"{live.address}/healthz")
    yield opened
    opened.close()


def test_a_page_hears_what_is_said_on_the_forum(page: Any, ann: Member, bob: Member) -> None:
    """A message through the forum door reaches the page's `EventSource` by itself."""
    begun = ann.rpc.new_conversation([bob.name], b"Lunch", b"first")["conv_id"]
    page.evaluate(LISTEN, bob.token)
    ann.rpc.reply_conversation(begun, "Grüße, [b]Bob[/b]".encode())
    page.wait_for_function("window.told.length > 0", timeout=10_000)
    assert page.evaluate("window.told") == ["Grüße, Bob"]


def test_a_page_sends_and_hears_itself(page: Any, ann: Member, bob: Member) -> None:
    """What a page sends by `fetch` is on the forum, and among the events of its own user."""
    begun = ann.rpc.new_conversation([bob.name], b"Lunch", b"first")["conv_id"]
    page.evaluate(LISTEN, bob.token)
    assert page.evaluate(SEND, [bob.token, begun, "<b>over there</b>"]) == 201
    page.wait_for_function("window.told.length > 0", timeout=10_000)
    assert page.evaluate("window.told") == ["<b>over there</b>"]
    shown = ann.rpc.get_conversation(begun)["list"][-1]["msg_content"].decode()
    assert shown == "<b>over there</b>"


@pytest.mark.parametrize("path", ["/docs", "/mobiquo"])
def test_a_page_for_people_breaks_no_rule_of_its_own(browser: Any, live: Live, path: str) -> None:
    """A page asks for nothing that its policy forbids, and has nothing to complain of."""
    opened, said = browser.new_page(), list[str]()
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto(f"{live.address}{path}")
    assert opened.locator("h3").count() > 20
    opened.close()
    assert [text for text in said if "favicon" not in text] == []
