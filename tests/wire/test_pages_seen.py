"""Pages in a real browser: their use, what they load, how they fit, and whether everybody can read them."""

import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import Live, Member
from page_client import Browser
from playwright.sync_api import expect
from rest_client import Chatter

from models import BACKUP, CHECK, Job, now
from server.actions import accounts

PASSWORD = "right and long"
PAGES = {
    "a guest's": "/ /docs /docs/cookbook /login",
    "members'": "/inbox /inbox/new /inbox/{place} /inbox/search?words=so /inbox/999999999 /account",
    "of a conversation": "/inbox/{place}/about /inbox/{place}/invite /inbox/{place}/leave",
    "administrators'": "/admin /admin/people /admin/people/{id} /admin/people/{id}/end /admin/keys",
}
WAYS = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]
# A page of thousands of elements, which would take most of the time; in another way what a search leaves.
LONGEST, WHOLE, SEARCHED, WORDS = "/docs", (360, "dark"), (1280, "light"), "conversation unread"
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
    """An administrator, who sees every page; a call, a key, a backup and a check are there to be seen."""
    made = live.member("bob", PASSWORD)
    with live.store():
        accounts.edit_user(accounts.named(made.name), is_admin=True)
        accounts.add_key("x" * 60)
        Job.create(kind=CHECK, ended_at=now(), faults=200, found=f"{LONG}\nconversation 1: it is so")
        Job.create(kind=BACKUP, ended_at=now(), name=f"{LONG}.tar", size=2**31)
    return made


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
    page = browser.new_page(java_script_enabled=False)
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
    page.close()


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
    expect(inbox).to_have_title(re.compile(r"\("))
    context.close()


SEEN = "Object.defineProperty(document, 'hidden', { get: () => Boolean(window.isHidden) })"
HIDE = "isHidden = {}; document.dispatchEvent(new Event('visibilitychange'))"
LEAVE = "dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))"
COME_BACK = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"


@pytest.fixture
def inside(browser: Any, live: Live, member: Member) -> Iterator[Any]:
    """A browser that has a member's session, and in which tabs are hidden as a test says."""
    context = browser.new_context()
    context.add_init_script(SEEN)
    name, _, value = Browser(live, member).headers["Cookie"].partition("=")
    context.add_cookies([{"name": name, "value": value, "url": live.address}])
    yield context
    context.close()


def opened(inside: Any, live: Live, path: str) -> Any:
    """A tab that follows what happens: it has shown something that came while it was open."""
    page = inside.new_page()
    with page.expect_request("**/inbox/events"), page.expect_response(lambda each: is_again(each, path)):
        page.goto(f"{live.address}{path}")
    return page


def is_again(response: Any, path: str) -> bool:
    """Whether a script has asked for the page once more."""
    return response.url.endswith(path) and response.request.resource_type == "fetch"


def test_many_tabs_are_no_burden(inside: Any, live: Live, ann: Member, member: Member, place: str) -> None:
    """Only a tab that is seen keeps a connection; one that is seen again shows what has come meanwhile."""
    tabs = []
    for _ in range(7):
        tabs.append(opened(inside, live, "/inbox"))
        tabs[-1].evaluate(HIDE.format("true"))
    ann.rpc.new_conversation([member.name], b"Race", b"Saturday")
    opened(inside, live, "/inbox").wait_for_selector("text=Race")
    assert tabs[0].locator("text=Race").count() == 0
    tabs[0].evaluate(HIDE.format("false"))
    tabs[0].wait_for_selector("text=Race")
    ann.rpc.new_conversation([member.name], b"Regatta", b"Sunday")
    tabs[0].wait_for_selector("text=Regatta")


def test_a_page_that_comes_back_is_up_to_date(
    inside: Any, live: Live, ann: Member, member: Member, place: str
) -> None:
    """A page that the browser has put away and takes out again shows what has come, and follows on."""
    page = opened(inside, live, "/inbox")
    page.evaluate(LEAVE)
    ann.rpc.new_conversation([member.name], b"Race", b"Saturday")
    page.evaluate(COME_BACK)
    page.wait_for_selector("text=Race")
    ann.rpc.new_conversation([member.name], b"Regatta", b"Sunday")
    page.wait_for_selector("text=Regatta")


@pytest.mark.parametrize(
    ("what", "lost"),
    [
        ("fetch", {"status": 502}),
        ("fetch", {"status": 429}),
        ("fetch", None),
        ("eventsource", {"status": 502}),
    ],
)
def test_what_is_lost_is_asked_for_again(
    inside: Any, live: Live, ann: Member, member: Member, what: str, lost: dict[str, Any] | None
) -> None:
    """Where an open page gets no answer, as while a server is restarted, it asks again and goes on."""
    page, times = inside.new_page(), count()
    page.clock.install()

    def answer(route: Any) -> None:
        if route.request.resource_type != what or next(times):
            route.continue_()
        elif lost:
            route.fulfill(**lost)
        else:
            route.abort()

    page.route("**/inbox**", answer)
    page.goto(f"{live.address}/inbox")
    ann.rpc.new_conversation([member.name], b"Race", b"Saturday")
    for _ in range(300):
        page.clock.fast_forward(1000)
        if page.locator("text=Race").count():
            break
        page.wait_for_timeout(100)
    assert page.locator("text=Race").count()
    assert next(times) > 1


def test_nothing_gets_out_of_reach(inside: Any, live: Live, ann: Member, member: Member, place: str) -> None:
    """Where a page fills up the way to what no longer stands on it is there, in list and conversation."""
    inbox, talk = opened(inside, live, "/inbox"), opened(inside, live, f"/inbox/{place}")
    assert [page.locator("[data-live] nav a").count() for page in (inbox, talk)] == [0, 0]
    for number in range(20):
        ann.rpc.reply_conversation(place, str(number).encode())
    for number in range(20):
        ann.rpc.new_conversation([member.name], str(number).encode(), b"more")
    talk.click("text=Older messages")
    talk.wait_for_selector("text=so there")
    inbox.click("nav >> text=Older")
    inbox.wait_for_selector(f"text={LONG[:30]}")


def test_what_can_be_said_is_up_to_date(
    inside: Any, live: Live, ann: Member, member: Member, place: str
) -> None:
    """The form goes where nothing more can be said, but not from under the hands of who is writing."""
    idle, busy = (opened(inside, live, f"/inbox/{place}") for _ in range(2))
    busy.fill("#body", "I am ty")
    ann.rpc.close_conversation(place)
    say_more(ann, member)
    idle.wait_for_selector("text=Nothing more can be said here.")
    assert busy.input_value("#body") == "I am ty"
    ann.rpc.open_conversation(place)
    say_more(ann, member)
    idle.wait_for_selector("#body")
    assert busy.input_value("#body") == "I am ty"


def say_more(author: Member, reader: Member) -> None:
    """Something of which the reader's pages hear."""
    author.rpc.new_conversation([reader.name], b"Race", b"Saturday")


def test_what_comes_is_heard(inside: Any, live: Live, ann: Member, member: Member, place: str) -> None:
    """Whoever listens to a page is told who has said something new, on list and conversation, and no more."""
    inbox, talk = opened(inside, live, "/inbox"), opened(inside, live, f"/inbox/{place}")
    member.rpc.reply_conversation(place, b"My own")
    for page in (inbox, talk):
        page.wait_for_selector("text=My own")
        assert page.locator("#news[role=status]").text_content() == ""
    ann.rpc.reply_conversation(place, b"Hers")
    for page in (inbox, talk):
        expect(page.locator("#news")).to_have_text(f"New message from {ann.name}")


def test_times_are_the_reader_s(browser: Any, live: Live, ann: Member, member: Member, place: str) -> None:
    """Moments are told in the zone and language of the browser, also of what comes while a page is open."""
    page = browser.new_page(timezone_id="Asia/Kathmandu", locale="de-DE")
    log_in(page, live, member)
    page.goto(f"{live.address}/inbox/{place}")
    ann.rpc.reply_conversation(place, b"Hers")
    page.wait_for_selector("text=Hers")
    for time in page.locator("time").all():
        moment = datetime.fromisoformat(time.get_attribute("datetime")).astimezone(ZoneInfo("Asia/Kathmandu"))
        assert time.text_content() == f"{moment:%d.%m.%Y, %H:%M}"
    assert page.locator("time").count() == 2
    page.close()


def test_two_keys_send(inside: Any, live: Live, ann: Member, member: Member, place: str) -> None:
    """Ctrl+Enter in the text of a message sends it, and Enter alone is a new line."""
    page = inside.new_page()
    page.goto(f"{live.address}/inbox/{place}")
    page.locator("#body").press_sequentially("One\ntwo")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**#m*")
    assert ann.rpc.get_conversation(place)["list"][-1]["msg_content"] == b"One\ntwo"


def test_the_keyboard_stays_where_it_is(
    inside: Any, live: Live, ann: Member, member: Member, place: str, chatter: Callable[[Member], Chatter]
) -> None:
    """Who is about to answer a request still is when something comes, and who is at a row when it grows."""
    asker = live.member("carol")
    chatter(asker).asks(chatter(member))
    page = opened(inside, live, "/inbox")
    for label in ("Accept", "Decline"):
        page.locator(f"button:has-text('{label}')").focus()
        ann.rpc.new_conversation([member.name], f"Before {label}".encode(), b"Saturday")
        page.wait_for_selector(f"text=Before {label}")
        assert page.evaluate("document.activeElement.textContent") == f"{label} {asker.name}"
    page.locator(f".row[href^='/inbox/{place}']").focus()
    for _ in range(20):
        ann.rpc.reply_conversation(place, b"more")
    page.wait_for_selector(f".row:focus[href='/inbox/{place}?last=20#new']")


@pytest.mark.parametrize("files", [[1_100_000] * 2, [1] * 11], ids=["too large", "too many"])
def test_too_much_is_not_even_sent(
    inside: Any, live: Live, ann: Member, member: Member, place: str, files: list[int]
) -> None:
    """Of files that would not be taken it is said at once; the text stays, and goes with fewer of them."""
    page = inside.new_page()
    page.goto(f"{live.address}/inbox/{place}")
    page.fill("#body", "Look")
    chosen = [{"name": "a.txt", "mimeType": "text/plain", "buffer": b"x" * size} for size in files]
    page.set_input_files("#files", chosen)
    page.click("text=Send")
    said = page.evaluate("document.querySelector('#files').validationMessage")
    assert said == "At most 10 files, all together at most 2 MB"
    assert page.input_value("#body") == "Look"
    page.set_input_files("#files", chosen[:1])
    page.click("text=Send")
    page.wait_for_selector(".files a")
    assert len(ann.rpc.get_conversation(place)["list"]) == 2


def test_too_much_is_refused_in_words(
    browser: Any, live: Live, ann: Member, member: Member, place: str
) -> None:
    """Without JavaScript too, whoever sends too much is told so, though the server reads none of it."""
    page = browser.new_page(java_script_enabled=False)
    log_in(page, live, member)
    page.goto(f"{live.address}/inbox/{place}")
    page.fill("#body", "Look")
    page.set_input_files("#files", [{"name": "a.txt", "mimeType": "text/plain", "buffer": b"x" * 5_000_000}])
    page.click("text=Send")
    page.wait_for_selector("text=All files of a message together may have at most 2 MB.")
    page.close()


def test_a_keyboard_is_enough(browser: Any, live: Live, member: Member, place: str) -> None:
    """The first key leads past the head of the page, and every form is sent from the keyboard."""
    page = browser.new_page()
    page.goto(f"{live.address}/login")
    page.wait_for_selector("#name:focus")
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
    plain = browser.new_page(java_script_enabled=False)
    plain.goto(f"{live.address}/docs")
    assert plain.locator(".entry h3:visible").count() > 100
    assert plain.locator("#search:visible").count() == 0
    plain.close()


def test_a_program_is_copied(browser: Any, live: Live) -> None:
    """A button beside each program of the cookbook copies it, or marks it where a page may not copy."""
    page = browser.new_page()
    page.goto(f"{live.address}/docs/cookbook")
    assert page.locator("button").count() == page.locator(".entry pre").count() > 10
    page.locator("button").first.click()
    expect(page.locator("button").first).to_have_text(re.compile("^(Copied|Marked)$"))
    page.close()


def test_a_new_key_is_seen_whole_and_copied(inside: Any, live: Live) -> None:
    """On a phone too a new key is seen to its end, and a button copies it."""
    page = inside.new_page()
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"{live.address}/admin/keys")
    page.fill("#label", "my game server")
    page.click("text=Make a key")
    cut = "[...document.querySelectorAll('pre')].filter((each) => each.scrollWidth > each.clientWidth).length"
    assert page.evaluate(cut) == 0 and not page.evaluate(TOO_WIDE)
    button = page.get_by_role("button", name="Copy my game server")
    button.click()
    expect(button).to_have_text(re.compile("^(Copied|Marked)$"))


@pytest.mark.parametrize("paths", PAGES.values(), ids=PAGES)
def test_pages_fit_and_ask_for_nothing_else(
    inside: Any, live: Live, member: Member, place: str, paths: str
) -> None:
    """No page is wider than the screen, complains in the console, or asks another server for anything."""
    page, said, asked = inside.new_page(), list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    for path in paths.split():
        page.goto(live.address + path.format(place=place, id=member.id))
        for width, scheme in WAYS:
            show(page, width, scheme)
            assert not page.evaluate(TOO_WIDE), (path, width)
    assert {url for url in asked if not url.startswith(live.address)} == set()
    # Of a page that is not there the browser itself says so.
    assert [text for text in said if "404" not in text] == []


def show(page: Any, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)


@pytest.mark.parametrize("paths", PAGES.values(), ids=PAGES)
def test_everybody_can_read_pages(
    browser: Any, axe: str, live: Live, member: Member, place: str, paths: str
) -> None:
    """The accessibility checker finds nothing on any page: labels, contrast, headings, order."""
    # The checker is put into the page, which the page's own policy would not let in.
    context = browser.new_context(bypass_csp=True)
    page, found = context.new_page(), list[str]()
    if paths != PAGES["a guest's"]:
        log_in(page, live, member)
    for path in paths.split():
        page.goto(live.address + path.format(place=place, id=member.id))
        page.evaluate(axe)
        for way in [WHOLE] if path == LONGEST else WAYS:
            found += violations(page, *way)
        if path == LONGEST:
            page.fill("#search", WORDS)
            found += violations(page, *SEARCHED)
    context.close()
    assert found == []


def violations(page: Any, width: int, scheme: str) -> list[str]:
    show(page, width, scheme)
    # It tells of nothing else then, which takes a quarter of the time.
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    return [
        f"{page.url}, {width}, {scheme}: {each['id']}: {node['html']}"
        for each in found
        for node in each["nodes"]
    ]
