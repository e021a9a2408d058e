"""Pages in a real browser: their use, what they load, how they fit, and whether everybody can read them."""

import os
from pathlib import Path
from typing import Any

import pytest
from conftest import Live, Member

PASSWORD = "right and long"
WIDTHS, SCHEMES = (360, 1280), ("light", "dark")
PATHS = (
    "/",
    "/docs",
    "/login",
    "/inbox",
    "/inbox/new",
    "/inbox/{place}",
    "/inbox/search?words=so",
    "/inbox/999999999",
)
TOO_WIDE = "document.documentElement.scrollWidth > window.innerWidth"
LONG = "A-word-that-is-longer-than-a-phone-is-wide-" * 3


@pytest.fixture(scope="module")
def axe() -> str:
    """The accessibility checker, where npm has put it."""
    folders = [Path(each) for each in os.environ.get("NODE_PATH", "").split(":") if each]
    found = [each / "axe-core/axe.min.js" for each in folders if (each / "axe-core/axe.min.js").is_file()]
    if not found:
        pytest.skip("needs axe-core")
    return found[0].read_text()


@pytest.fixture
def member(live: Live) -> Member:
    return live.member("bob", PASSWORD)


@pytest.fixture
def place(live: Live, ann: Member, member: Member) -> str:
    """A conversation with all that a message can have."""
    body = f"[b]so[/b] [url=http://a.example]there[/url] [quote]{LONG}[/quote] [code]{LONG}[/code]"
    return str(ann.rpc.new_conversation([member.name], LONG[:100].encode(), body.encode())["conv_id"])


def log_in(page: Any, live: Live, member: Member) -> None:
    page.goto(f"{live.address}/inbox")
    page.fill("#name", member.name)
    page.fill("#password", PASSWORD)
    page.click("main button")


def test_an_inbox_needs_no_script(browser: Any, live: Live, ann: Member, member: Member, place: str) -> None:
    """Without JavaScript a member logs in, reads, answers, begins, and logs out; what he sends is there."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    log_in(page, live, member)
    page.click(".list .row")
    page.fill("#body", "I will be there")
    page.click("main form.stack button")
    assert page.locator(".message .body").last.text_content() == "I will be there"
    assert ann.rpc.get_conversation(place)["list"][-1]["msg_content"] == b"I will be there"
    page.click("text=New conversation")
    page.fill("#to", ann.name)
    page.fill("#subject", "Race")
    page.fill("#body", "Saturday")
    page.click("main form.stack button")
    assert page.locator("h1").text_content() == "Race"
    page.click("header button")
    page.goto(f"{live.address}/inbox")
    assert page.locator("h1").text_content() == "Log in"
    context.close()


def test_an_open_page_follows_what_happens(
    browser: Any, live: Live, ann: Member, member: Member, place: str
) -> None:
    """What others say appears on open pages by itself, list and conversation; what is being typed stays."""
    context = browser.new_context()
    inbox, talk = context.new_page(), context.new_page()
    log_in(inbox, live, member)
    talk.goto(f"{live.address}/inbox/{place}")
    talk.fill("#body", "I am ty")
    ann.rpc.reply_conversation(place, b"Are you there?")
    talk.wait_for_selector("text=Are you there?")
    assert talk.input_value("#body") == "I am ty"
    member.rpc.mark_conversation_unread(place)
    ann.rpc.new_conversation([member.name], b"Race", b"Saturday")
    inbox.bring_to_front()
    inbox.wait_for_selector("text=Race")
    inbox.wait_for_function("document.title.startsWith('(')")
    context.close()


def test_a_keyboard_is_enough(browser: Any, live: Live, member: Member, place: str) -> None:
    """The first key leads past the head of the page, and every form is sent from the keyboard."""
    page = browser.new_page()
    page.goto(f"{live.address}/login")
    page.wait_for_function("document.activeElement.id === 'name'")
    page.keyboard.type(member.name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Log out")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("so")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:text-is('Search')")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('.list .row')")
    page.close()


def test_the_reference_is_searched(browser: Any, live: Live) -> None:
    """Of the reference only what has all the words is left; without JavaScript nothing is hidden."""
    page = browser.new_page()
    page.goto(f"{live.address}/docs")
    page.fill("#search", "Darkchat_ room")
    shown = page.locator(".entry h3:visible").all_text_contents()
    assert shown and all("Darkchat" in each for each in shown)
    assert page.locator("[role=status]").text_content() == f"{len(shown)} found"
    page.fill("#search", "")
    assert page.locator(".entry h3:visible").count() > 100
    page.close()
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(f"{live.address}/docs")
    assert plain.locator(".entry h3:visible").count() > 100
    assert plain.locator("#search:visible").count() == 0
    context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_and_ask_for_nothing_else(
    browser: Any, live: Live, member: Member, place: str, width: int, scheme: str
) -> None:
    """No page is wider than the screen, complains in the console, or asks another server for anything."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page, said, asked = context.new_page(), list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    log_in(page, live, member)
    for path in PATHS:
        page.goto(live.address + path.format(place=place))
        assert not page.evaluate(TOO_WIDE), path
    context.close()
    assert {url for url in asked if not url.startswith(live.address)} == set()
    # Of a page that is not there the browser itself says so.
    assert [text for text in said if "404" not in text] == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_everybody_can_read_pages(
    browser: Any, axe: str, live: Live, member: Member, place: str, width: int, scheme: str
) -> None:
    """The accessibility checker finds nothing on any page: labels, contrast, headings, order."""
    # The checker is put into the page, which the page's own policy would not let in.
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    page.goto(f"{live.address}/login")
    found = {"/login": violations(page, axe)}
    log_in(page, live, member)
    for path in PATHS:
        page.goto(live.address + path.format(place=place))
        found[f"{path} of a member"] = violations(page, axe)
    context.close()
    assert {path: each for path, each in found.items() if each} == {}


def violations(page: Any, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]
