"""Pages for people, as a browser without scripts uses them."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from conftest import Live, Member
from page_client import Browser, Page, begun
from rest_client import Answer, Chatter

from models import Participant
from server.faces import pages

ToChatter = Callable[[Member], Chatter]
PASSWORD = "right and long"


# Coming and going


def test_the_first_page_names_every_door(live: Live) -> None:
    """Who comes to the server's own address is told what it is and where programs go."""
    page = Browser(live).opens("/")
    assert page.status == 200
    for path in ("/mobiquo/mobiquo.php", "/RPC2", "/chat"):
        assert any(text.startswith(f"{live.address}{path}") for text in page.texts("code"))


def test_the_reference_is_a_link_away(live: Live, at_ann: Browser) -> None:
    """The head of each page leads to the reference, and who cannot log in reads who makes accounts."""
    for browser in (Browser(live), at_ann):
        assert browser.opens("/").tree.cssselect("nav a[href='/docs']")
    assert any("administrator makes accounts" in text for text in Browser(live).opens("/login").texts("p"))


def test_who_is_not_known_logs_in_and_gets_what_he_wanted(live: Live) -> None:
    """A page that asks for a member leads to the login, and from there back to itself."""
    member = live.member(password=PASSWORD)
    browser = Browser(live)
    answer = browser.get("/inbox", skip=20)
    assert (answer.status, answer.header("Location")) == (303, "/login?next=%2Finbox%3Fskip%3D20")
    wanted = browser.opens(answer.header("Location")).tree.cssselect("input[name=next]")[0].get("value")
    answer = browser.fills("/login", name=member.name.upper(), password=PASSWORD, next=wanted)
    assert (answer.status, answer.header("Location")) == (303, "/inbox?skip=20")
    browser.headers["Cookie"] = answer.header("Set-Cookie").partition(";")[0]
    assert browser.opens("/inbox").text("h1") == "Inbox"


@pytest.mark.parametrize("name", ["nobody at all", ""])
def test_a_failed_login_says_nothing_of_why(live: Live, name: str) -> None:
    """A wrong password and an unknown name get the same page, with the name that was filled in."""
    name = name or live.member(password=PASSWORD).name
    answer = Browser(live).fills("/login", name=name, password="wrong")
    page = Page(answer)
    assert (answer.status, page.error) == (401, "Incorrect user name or password.")
    assert page.tree.cssselect("#name")[0].get("value") == name
    assert not answer.has("Set-Cookie")
    assert b"wrong" not in answer.body


@pytest.mark.parametrize(
    "path", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/a\nb"]
)
def test_a_login_leads_nowhere_else(live: Live, path: str) -> None:
    """Whatever an address says of where to go after the login, it is a page of this server."""
    member = live.member(password=PASSWORD)
    answer = Browser(live).fills("/login", name=member.name, password=PASSWORD, next=path)
    assert (answer.status, answer.header("Location")) == (303, "/inbox")


def test_the_session_is_that_of_the_forum(live: Live, ann: Member, at_ann: Browser) -> None:
    """Who logs out on a page has ended the session for the forum's calls too."""
    cookie = at_ann.headers["Cookie"]
    assert live.proxy(("Cookie", cookie)).get_inbox_stat()["result"]
    answer = at_ann.fills("/logout")
    assert (answer.status, answer.header("Location")) == (303, "/")
    assert "Max-Age=0" in answer.header("Set-Cookie")
    assert not live.proxy(("Cookie", cookie)).get_inbox_stat()["result"]
    assert at_ann.get("/inbox").status == 303


# Reading


def test_the_inbox_has_what_came_through_every_door(
    live: Live, ann: Member, bob: Member, at_bob: Browser, chatter: ToChatter
) -> None:
    """The list shows conversations of each app with the author, what was said last, and what is unread."""
    begun(ann, bob, subject="Race", body="Faster [b]now[/b]")
    chat = chatter(ann).talks_with(chatter(bob))
    chatter(ann).says(chat, "one")
    chatter(ann).says(chat, "two")
    page = at_bob.opens("/inbox")
    assert page.texts(".list .app") == ["Chat", "Forum"]
    assert page.texts(".list strong") == [ann.name, "Race"]
    assert page.texts(".list .preview") == [f"{ann.name}: two", f"{ann.name}: Faster now"]
    assert page.texts(".list .unread") == ["2 unread", "1 unread"]


def test_what_is_read_on_a_page_is_read_everywhere(ann: Member, bob: Member, at_bob: Browser) -> None:
    """Opening a conversation shows what is new as new, and moves the read mark for all doors."""
    place = begun(ann, bob)
    ann.rpc.reply_conversation(place, b"And bring a friend")
    page = at_bob.opens(f"/inbox/{place}")
    assert page.text("h1") == "Lunch"
    assert page.texts(".message .body") == ["At noon?", "And bring a friend"]
    assert page.texts(".message .head strong") == [ann.name] * 2
    assert page.texts(".message .unread") == ["new"] * 2
    assert bob.rpc.get_inbox_stat()["inbox_unread_count"] == 0
    assert at_bob.opens(f"/inbox/{place}").texts(".message .unread") == []


def test_long_conversations_are_read_page_by_page(ann: Member, bob: Member, at_bob: Browser) -> None:
    """The newest messages come first; older and newer ones are a link away, without gap or overlap."""
    place = begun(ann, bob, body="0")
    for number in range(1, 45):
        ann.rpc.reply_conversation(place, str(number).encode())
    page = at_bob.opens(f"/inbox/{place}")
    seen = page.texts(".message .body")
    while older := page.tree.cssselect("a[rel=prev]"):
        page = at_bob.opens(older[0].get("href"))
        seen = page.texts(".message .body") + seen
    assert seen == [str(number) for number in range(45)]
    assert at_bob.opens(page.tree.cssselect("a[rel=next]")[0].get("href")).texts(".message .body")[-1] == "24"


def opened_at(browser: Browser, page: Page) -> str:
    """What stands where a browser opens the only conversation in a list."""
    [link] = page.tree.cssselect(".list a.row")
    path, _, place = link.get("href").partition("#")
    return browser.opens(path).text(f"#{place} .body")


def test_a_conversation_opens_at_what_is_new(ann: Member, bob: Member, at_bob: Browser) -> None:
    """The list leads to the first unread message, however many came after it, else to the newest one."""
    place = begun(ann, bob, body="0")
    for number in range(1, 45):
        ann.rpc.reply_conversation(place, str(number).encode())
    for first in ("0", "20", "40", "44"):
        assert opened_at(at_bob, at_bob.opens("/inbox")) == first
    assert at_bob.opens("/inbox").texts(".list .unread") == []
    ann.rpc.reply_conversation(place, b"45")
    assert opened_at(at_bob, at_bob.opens("/inbox")) == "45"


def test_what_was_not_shown_is_not_read(ann: Member, bob: Member, at_bob: Browser) -> None:
    """Who looks past unread messages is told of them, and they stay unread until he says otherwise."""
    place = begun(ann, bob, body="0")
    for number in range(1, 45):
        ann.rpc.reply_conversation(place, str(number).encode())
    for _ in range(2):
        page = at_bob.opens(f"/inbox/{place}")
        assert page.texts(".message .body")[-1] == "44"
        assert "Messages 26 to 45 of 45" in page.texts("p")
        assert bob.rpc.get_conversations()["list"][0]["unread_num"] == 45
    [link] = page.tree.cssselect(".gap a")
    assert at_bob.opens(link.get("href").partition("#")[0]).texts(".message .body")[0] == "0"
    assert bob.rpc.get_conversations()["list"][0]["unread_num"] == 25
    page = at_bob.sends(f"/inbox/{place}/read")
    assert page.tree.cssselect(".gap") == []
    assert bob.rpc.get_conversations()["list"][0]["unread_num"] == 0


def test_one_s_own_messages_are_not_unread(live: Live, ann: Member, bob: Member, at_ann: Browser) -> None:
    """Where one has said all that is marked as unread there is no gap, and looking moves the mark on."""
    place = begun(ann, bob, body="0")
    for number in range(1, 25):
        ann.rpc.reply_conversation(place, str(number).encode())
    at_ann.sends(f"/inbox/{place}/unread")
    page = at_ann.opens(f"/inbox/{place}")
    assert (page.texts(".gap"), page.texts(".message .body")[-1]) == ([], "24")
    with live.store():
        assert Participant.get(user=int(ann.id), conversation=int(place)).read_seq == 25


def test_what_is_new_is_found_behind_one_s_own(ann: Member, bob: Member, at_ann: Browser) -> None:
    """List and conversation lead past what one has said himself to the first that another has said."""
    place = begun(ann, bob, body="0")
    for number in range(1, 25):
        ann.rpc.reply_conversation(place, str(number).encode())
    for number in range(25, 50):
        bob.rpc.reply_conversation(place, str(number).encode())
    inbox = at_ann.sends(f"/inbox/{place}/unread")
    [link] = at_ann.opens(f"/inbox/{place}").tree.cssselect(".gap a")
    assert at_ann.opens(link.get("href").partition("#")[0]).text("#new .body") == "25"
    at_ann.sends(f"/inbox/{place}/unread")
    assert opened_at(at_ann, inbox) == "25"
    assert ann.rpc.get_conversations()["list"][0]["unread_num"] == 5


def test_only_the_first_page_tells_what_is_new(ann: Member, bob: Member, at_bob: Browser) -> None:
    """On a later page of the list only what has slid there can be new, which is no news."""
    for number in range(21):
        begun(ann, bob, subject=str(number))
    told = [len(at_bob.opens("/inbox", skip=skip).tree.cssselect("[data-said]")) for skip in (0, 20)]
    assert told == [20, 0]


def test_what_was_found_is_marked(ann: Member, bob: Member, at_bob: Browser) -> None:
    """A hit shows the words that were looked for, wherever in a message they stand, and its text as text."""
    begun(ann, bob, body=f"{'hay ' * 100}<i>Needle</i> [b]in[/b] it")
    page = at_bob.opens("/inbox/search", words="needle IT")
    assert page.texts(".said mark") == ["Needle", "it"]
    assert "hay <i>Needle</i> in it" in page.text(".said")


def test_markup_of_the_forum_is_shown(ann: Member, bob: Member, at_bob: Browser) -> None:
    """BBCode is shown as what it means; a picture is a link, so that nothing is loaded from elsewhere."""
    link, picture = "[url=http://a.example/?x=1&y=2]there[/url]", "[img]http://b.example/c.png[/img]"
    body = f"[b]so[/b] {link} {picture} [quote]q[/quote]"
    place = begun(ann, bob, body=body)
    [shown] = at_bob.opens(f"/inbox/{place}").tree.cssselect(".message .body")
    assert [each.text for each in shown.cssselect("b")] == ["so"]
    links = ["http://a.example/?x=1&y=2", "http://b.example/c.png"]
    assert [each.get("href") for each in shown.cssselect("a")] == links
    assert [each.text for each in shown.cssselect("blockquote")] == ["q"]
    assert not shown.cssselect("img")


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}"]
)
def test_text_stays_text(live: Live, ann: Member, text: str) -> None:
    """Whatever names, subjects and messages say, it is shown as it is and nothing of it is carried out."""
    other = live.member(display_name=text)
    place = begun(ann, other, subject=text, body=text)
    ann.rpc.reply_conversation(place, text.encode())
    for browser in (Browser(live, ann), Browser(live, other)):
        for path in ("/inbox", f"/inbox/{place}"):
            page = browser.opens(path)
            assert not page.tree.cssselect("script:not([src^='/static/']), [onerror]")
            assert text in page.text("main")
            assert "49" not in page.texts("h1")


# Answering


@pytest.mark.parametrize("choice", ["accept", "decline"])
def test_requests_are_answered(
    ann: Member, bob: Member, at_bob: Browser, chatter: ToChatter, choice: str
) -> None:
    """Who is asked for a chat sees by whom, and accepts or declines."""
    chat = chatter(ann).asks(chatter(bob))
    assert at_bob.opens("/inbox").texts("section strong") == [ann.name]
    page = at_bob.sends(f"/inbox/{chat}/{choice}")
    assert page.text("h1") == (ann.name if choice == "accept" else "Inbox")
    status = chatter(ann).get(f"/chat/{chat}").json["status"]
    assert status == {"accept": "active", "decline": "declined"}[choice]


def test_a_conversation_becomes_unread_again(ann: Member, bob: Member, at_bob: Browser) -> None:
    """Who marks a conversation as unread finds it so in the list."""
    place = begun(ann, bob)
    at_bob.opens(f"/inbox/{place}")
    assert at_bob.sends(f"/inbox/{place}/unread").texts(".list .unread") == ["1 unread"]


# Who may what

ASKING = [route for route in pages.face.routes.values() if route.method.actor is not None]
FORMS = [route for route in pages.face.routes.values() if not route.reads_query]
WITH_IDS = [route for route in ASKING if route.in_path]


def named(route: Any) -> str:
    return str(route.method.name)


def fields_of(route: Any) -> dict[str, str]:
    return {param.name: "1" for param in route.asked() if param.required}


def tried(browser: Browser, route: Any, place: str) -> Answer:
    path = re.sub(r"\{\w+\}", place, route.paths[0])
    return browser.get(path) if route.reads_query else browser.fills(path, **fields_of(route))


@pytest.mark.parametrize("route", ASKING, ids=named)
def test_a_stranger_has_to_log_in(live: Live, route: Any) -> None:
    """What asks for a member leads whoever is none to the login, or refuses his form."""
    answer = tried(Browser(live), route, "1")
    if route.reads_query:
        assert (answer.status, answer.header("Location")[:12]) == (303, "/login?next=")
    else:
        assert answer.status == 401


@pytest.mark.parametrize("route", WITH_IDS, ids=named)
def test_what_is_another_s_is_not_there(
    live: Live, ann: Member, bob: Member, carol: Member, route: Any
) -> None:
    """A stranger, and one who has left, get the same page for a conversation as for one that never was."""
    place = begun(ann, bob, carol)
    assert carol.rpc.delete_conversation(place, 2)["result"]
    for member in (live.member(), carol):
        browser = Browser(live, member)
        own, missing = tried(browser, route, place), tried(browser, route, "999999999999")
        assert own.status == missing.status == 404
        assert own.body == missing.body
    assert len(ann.rpc.get_conversation(place)["list"]) == 1


FOREIGN = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "none"},
    {"Origin": "https://evil.example", "Sec_Fetch_Site": "same-origin"},
]


@pytest.mark.parametrize("route", FORMS, ids=named)
@pytest.mark.parametrize("head", FOREIGN, ids=str)
def test_forms_of_other_pages_are_refused(
    live: Live, ann: Member, bob: Member, at_ann: Browser, route: Any, head: dict[str, str]
) -> None:
    """A form is taken only where the browser says that a page of this server has sent it."""
    place = begun(ann, bob)
    path = re.sub(r"\{\w+\}", place, route.paths[0])
    assert at_ann.post_form(path, fields_of(route), **head).status == 403
    assert len(ann.rpc.get_conversation(place)["list"]) == 1
    assert at_ann.get("/inbox").status == 200


# What a browser may do with it


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/docs/cookbook", "/login", "/inbox", "/inbox/new", "/inbox/999999"]
)
def test_a_page_loads_nothing_from_elsewhere(at_ann: Browser, path: str) -> None:
    """Each page says so strictly, and is in no other page's frame."""
    policy = at_ann.get(path).header("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy and "unsafe" not in policy
    assert not re.search(rb"<script>|<style|\sstyle=|\son\w+=", at_ann.get(path).body)


def test_files_of_pages_are_kept(live: Live) -> None:
    """What pages load is kept under an address with its digest alone; nothing else is found there."""
    browser = Browser(live)
    [style] = browser.opens("/").tree.cssselect("link[rel=stylesheet]")
    answer = browser.get(style.get("href"))
    assert answer.header("Content-Type") == "text/css; charset=utf-8"
    assert "immutable" in answer.header("Cache-Control")
    for path in ("/static/style.css", "/static/style.css?v=", "/static/style.css?v=0123456789ab"):
        assert browser.get(path).header("Cache-Control") == "no-cache"
    for name in ("nothing.css", "../templates/base.html", "%2e%2e/door.py"):
        assert browser.get(f"/static/{name}").status == 404


def test_pages_are_not_kept(at_ann: Browser) -> None:
    """What a member sees stays in no cache."""
    assert at_ann.get("/inbox").header("Cache-Control") == "no-store"


def test_a_browser_finds_its_way_from_nowhere(live: Live, at_ann: Browser) -> None:
    """Where nothing is a browser gets a page that leads back, and any other client the words alone."""
    accept = "text/html,application/xhtml+xml,*/*;q=0.8"
    for browser, back in ((Browser(live), "/"), (at_ann, "/inbox")):
        page = Page(browser.send("GET", "/nope", Accept=accept))
        assert (page.status, page.tree.cssselect("main a")[0].get("href")) == (404, back)
    for verb, head in (("GET", {}), ("GET", {"Accept": "*/*"}), ("POST", {"Accept": accept})):
        answer = at_ann.send(verb, "/nope", **head)
        assert (answer.status, answer.body) == (404, b"There is nothing at this address.\n")


def test_a_wrong_verb_is_told_which_are_right(at_ann: Browser) -> None:
    """Another verb than those of a page is refused, as everywhere."""
    answer = at_ann.send("DELETE", "/inbox")
    assert (answer.status, answer.header("Allow")) == (405, "GET")


def test_a_page_has_its_own_query(at_ann: Browser) -> None:
    """A number that is none is refused with a page that says so."""
    answer = at_ann.send("GET", f"/inbox?{urlencode({'skip': 'x'})}")
    assert (answer.status, "skip" in Page(answer).text("main")) == (400, True)
