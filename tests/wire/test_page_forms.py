"""Forms of pages: what they do, what they bring, and that nothing typed into them is lost."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from conftest import Live, Member
from page_client import Browser, Page, begun, sends_files
from playwright.sync_api import expect
from rest_client import Chatter

from server.actions import accounts

ToChatter = Callable[[Member], Chatter]
LIMIT = 2 * 1024 * 1024


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that takes one message at once, and small files."""
    limits = (
        "--message-burst",
        "1",
        "--message-interval",
        "600",
        "--max-upload",
        "100000",
        "--login-burst",
        "2",
    )
    made = Live(tmp_path_factory.mktemp("strict"), *limits)
    yield made
    made.stop()


def test_an_answer_is_heard_at_every_door(
    ann: Member, bob: Member, at_bob: Browser, chatter: ToChatter
) -> None:
    """What is said on a page stands in forum and chat, and the browser is led to where it stands."""
    place = begun(ann, bob)
    answer = at_bob.fills(f"/inbox/{place}", body="Grüße & <b>")
    newest = ann.rpc.get_conversation(place)["list"][-1]
    assert newest["msg_content"].decode() == "Grüße & <b>"
    assert (answer.status, answer.header("Location")) == (303, f"/inbox/{place}#m{newest['msg_id']}")
    assert chatter(ann).get(f"/chat/{place}/messages").json[0]["text"] == "Grüße & <b>"


def test_a_conversation_is_begun(ann: Member, bob: Member, carol: Member, at_ann: Browser) -> None:
    """Several names stand with commas between them."""
    page = at_ann.sends("/inbox/new", to=f"{bob.name}, {carol.name.upper()}", subject="Race", body="Saturday")
    assert page.text("h1") == "Race"
    for member in (bob, carol):
        assert member.rpc.get_conversations()["list"][0]["conv_subject"].decode() == "Race"


@pytest.mark.parametrize("field", ["to", "subject", "body"])
def test_what_was_typed_is_not_lost(ann: Member, bob: Member, at_ann: Browser, field: str) -> None:
    """Where a form cannot be taken it comes back with all that was filled in, and says why."""
    fields = {"to": bob.name, "subject": "Race", "body": "Saturday"} | {field: ""}
    page = Page(at_ann.fills("/inbox/new", **fields))
    assert page.status in (400, 404)
    assert page.error
    shown = {each.get("name"): each.value for each in page.tree.cssselect("main .stack [required]")}
    assert shown == fields
    assert ann.rpc.get_conversations()["conversation_count"] == 0


def test_an_answer_that_cannot_be_given_is_not_lost(ann: Member, bob: Member, at_bob: Browser) -> None:
    """Below the conversation stands what was typed, and above it why that was not sent."""
    place = begun(ann, bob)
    text = "x" * 10_001
    page = Page(at_bob.fills(f"/inbox/{place}", body=text))
    assert (page.status, page.error) == (400, "A message may have at most 10000 characters.")
    assert page.tree.cssselect("textarea")[0].value == text
    assert page.texts(".message .body") == ["At noon?"]


def test_files_go_along(ann: Member, bob: Member, carol: Member, at_bob: Browser, live: Live) -> None:
    """What was chosen in a form is carried by the message, for those who may read it, at every door."""
    place = begun(ann, bob)
    answer = sends_files(at_bob, f"/inbox/{place}", {"body": "Look"}, ("map.txt", b"north"), ("b.txt", b"b"))
    assert answer.status == 303
    shown = ann.rpc.get_conversation(place)["list"][-1]["attachments"]
    assert [each["filename"] for each in shown] == [b"map.txt", b"b.txt"]
    page = Browser(live, ann).opens(f"/inbox/{place}")
    [link, _] = page.tree.cssselect(".files a")
    assert (link.text_content().strip(), Browser(live, ann).get(link.get("href")).body) == (
        "map.txt",
        b"north",
    )
    assert Browser(live, carol).get(link.get("href")).status == 404


def test_a_form_without_files_is_none_with_some(ann: Member, bob: Member, at_bob: Browser) -> None:
    """A field in which nothing was chosen brings nothing."""
    place = begun(ann, bob)
    assert sends_files(at_bob, f"/inbox/{place}", {"body": "Nothing to see"}).status == 303
    assert ann.rpc.get_conversation(place)["list"][-1]["attachments"] == []


def test_a_conversation_begins_with_a_file(bob: Member, at_ann: Browser) -> None:
    """The first message carries files too, which may be as large as any attachment."""
    fields = {"to": bob.name, "subject": "Map", "body": "Here"}
    assert sends_files(at_ann, "/inbox/new", fields, ("map.txt", b"x" * 2_000_000)).status == 303
    [listed] = bob.rpc.get_conversations()["list"]
    [shown] = bob.rpc.get_conversation(listed["conv_id"])["list"]
    assert [each["filesize"] for each in shown["attachments"]] == [2_000_000]


@pytest.mark.parametrize(
    ("file", "why"),
    [(("a.exe", b"MZ"), "exe"), (("a.png", b"no picture"), "png"), (("a.txt", b"x" * 2_097_153), "bytes")],
)
def test_a_wrong_file_is_refused(
    ann: Member, bob: Member, at_bob: Browser, file: tuple[str, bytes], why: str
) -> None:
    """Where a file cannot be taken nothing is said, and the text is not lost."""
    place = begun(ann, bob)
    page = Page(sends_files(at_bob, f"/inbox/{place}", {"body": "Look"}, file))
    assert (page.status, why in page.error) == (400, True)
    assert page.tree.cssselect("textarea")[0].value == "Look"
    assert len(ann.rpc.get_conversation(place)["list"]) == 1


def test_of_too_many_files_it_is_said(ann: Member, bob: Member, at_bob: Browser) -> None:
    """However many files come, the text that came with them is not lost."""
    place = begun(ann, bob)
    page = Page(sends_files(at_bob, f"/inbox/{place}", {"body": "Look"}, *[("a.txt", b"a")] * 50))
    assert (page.status, page.error) == (400, "A message may have at most 10 attachments.")
    assert page.tree.cssselect("textarea")[0].value == "Look"


def test_a_form_that_is_none_is_asked_for_again(ann: Member, bob: Member, at_bob: Browser) -> None:
    """A form that nobody can read leads back to the page on which it stands, which says so."""
    place = begun(ann, bob)
    page = Page(sends_files(at_bob, f"/inbox/{place}", {str(n): "" for n in range(201)}))
    assert (page.status, page.error) == (400, "The form has too many parts or is no form.")
    assert page.texts(".message .body") == ["At noon?"]


@pytest.mark.parametrize("path", ["/inbox/new", "/inbox/{}"])
def test_how_much_is_taken_stands_beside_the_field(live: Live, strict: Live, path: str) -> None:
    """Who chooses files reads how many and how large they may be, as it is set."""
    for server, size in ((live, "2 MB"), (strict, "97.6 KB")):
        ann, bob = server.member(), server.member()
        page = Browser(server, bob).opens(path.format(begun(ann, bob)))
        [field] = page.tree.cssselect("[type=file]")
        said = f"At most 10 files, all together at most {size}"
        assert page.text(f"#{field.get('aria-describedby')}") == said


def unread(live: Live, path: str, cookie: str, length: int, sent: bytes = b"") -> bytes:
    """The answer to a form of which no more is sent than this."""
    host, _, port = live.address.removeprefix("http://").rpartition(":")
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n\r\n"
    with closing(socket.create_connection((host, int(port)), timeout=20)) as connection:
        connection.sendall(head.encode() + sent)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


@pytest.mark.parametrize(
    ("length", "sent", "status", "words"),
    [
        (LIMIT + 70_000, b"", b"413", "All files of a message together may have at most 2 MB."),
        (10, b"body=", b"400", "Not all of it has come. Please send it again."),
    ],
)
def test_what_is_not_even_read_is_refused_in_words(
    live: Live, at_ann: Browser, length: int, sent: bytes, status: bytes, words: str
) -> None:
    """Where a form is refused before it is read a person gets a page, a program what it always got."""
    cookie = at_ann.headers["Cookie"]
    head, _, body = unread(live, "/inbox/new", cookie, length, sent).partition(b"\r\n\r\n")
    assert head.split()[1] == status
    assert b"text/html" in head and b"frame-ancestors 'none'" in head
    assert words in body.decode() and "bytes" not in body.decode()
    for path in ("/RPC2", "/mobiquo/mobiquo.php", "/mobiquo/upload.php", "/nothing"):
        head = unread(live, path, cookie, length, sent).partition(b"\r\n\r\n")[0]
        assert head.split()[1] == status and b"text/plain" in head


def test_what_was_typed_outlives_the_session(live: Live, ann: Member, bob: Member, at_bob: Browser) -> None:
    """Who is no longer known is shown what he typed, and comes back to the form by logging in."""
    place = begun(ann, bob)
    at_bob.fills("/logout")
    page = Page(at_bob.fills(f"/inbox/{place}", body="A long letter"))
    assert page.status == 401
    assert page.tree.cssselect("textarea")[0].value == "A long letter"
    assert page.tree.cssselect("main a")[0].get("href") == f"/login?next=%2Finbox%2F{place}"
    page = Page(at_bob.fills("/inbox/new", to="bob", subject="Race", body="Saturday", password="secret"))
    assert [each.value for each in page.tree.cssselect("main textarea")] == ["bob", "Race", "Saturday"]
    assert b"secret" not in page.bytes
    page = Page(at_bob.fills(f"/inbox/{place}/unread"))
    assert page.tree.cssselect("main a")[0].get("href") == "/login"


def test_what_cannot_be_sent_any_more_is_not_lost(ann: Member, bob: Member, at_bob: Browser) -> None:
    """Who has meanwhile left a conversation is shown what he typed there."""
    place = begun(ann, bob)
    bob.rpc.delete_conversation(place, 2)
    page = Page(at_bob.fills(f"/inbox/{place}", body="Wait"))
    assert (page.status, page.tree.cssselect("textarea")[0].value) == (404, "Wait")


def test_a_form_that_comes_too_soon_says_when(strict: Live) -> None:
    """Where too much was said the head tells a program too how long to wait, and the text is not lost."""
    ann, bob = strict.member(), strict.member()
    place, browser = begun(ann, bob), Browser(strict, bob)
    assert browser.fills(f"/inbox/{place}", body="one").status == 303
    answer = browser.fills(f"/inbox/{place}", body="two")
    assert (answer.status, 0 < int(answer.header("Retry-After")) <= 600) == (429, True)
    assert Page(answer).tree.cssselect("textarea")[0].value == "two"


# One's own password

OLD, NEW = "right and long", "longer and right"


def changes(browser: Browser, password: str, wanted: str, again: str) -> Page:
    return Page(browser.fills("/account", password=password, wanted=wanted, again=again))


def logs_in(live: Live, member: Member, password: str) -> int:
    return Browser(live).fills("/login", name=member.name, password=password).status


def test_a_password_is_changed(live: Live) -> None:
    """With another password one stays logged in here alone, and no token opens anything any more."""
    member = live.member("eve", OLD)
    here, elsewhere = Browser(live, member), Browser(live, member)
    answer = here.fills("/account", password=OLD, wanted=NEW, again=NEW)
    assert answer.status == 303
    here.headers["Cookie"] = answer.header("Set-Cookie").partition(";")[0]
    assert here.opens(answer.header("Location")).text("h1") == "Your password is changed"
    assert elsewhere.get("/inbox").status == 303
    assert not member.rpc.get_inbox_stat()["result"]
    assert [logs_in(live, member, each) for each in (OLD, NEW)] == [401, 303]


@pytest.mark.parametrize(
    ("password", "wanted", "again", "status"),
    [
        ("wrong", NEW, NEW, 403),
        (OLD, NEW, NEW + "r", 400),
        (OLD, "short", "short", 400),
        (OLD, "x" * 201, "x" * 201, 400),
    ],
)
def test_a_password_stays(live: Live, password: str, wanted: str, again: str, status: int) -> None:
    """Who does not know the password, or not what he wants, changes nothing, and the page repeats neither."""
    member = live.member("eve", OLD)
    page = changes(Browser(live, member), password, wanted, again)
    assert page.status == status and page.error
    assert wanted.encode() not in page.bytes
    assert logs_in(live, member, OLD) == 303


def test_a_password_is_not_guessed(strict: Live) -> None:
    """Who tries passwords on the page of somebody who is logged in has no more attempts than at the login."""
    member = strict.member("eve", OLD)
    browser = Browser(strict, member)
    statuses = [changes(browser, f"guess {number}", NEW, NEW).status for number in range(5)]
    assert statuses == [403, 403, 429, 429, 429]
    assert changes(browser, OLD, NEW, NEW).status == 429


# Twice


def key_of(page: Page) -> str:
    [field] = page.tree.cssselect("[name=key]")
    return str(field.get("value"))


def test_a_form_that_comes_twice_is_one_message(ann: Member, bob: Member, at_bob: Browser) -> None:
    """A form that is sent at once and again makes one message, and each time leads to it."""
    place = begun(ann, bob)
    key = key_of(at_bob.opens(f"/inbox/{place}"))
    with ThreadPoolExecutor(4) as several:
        form = at_bob, f"/inbox/{place}", {"body": "once", "key": key}, ("a.txt", b"a")
        tries = [several.submit(sends_files, *form) for _ in range(4)]
        answers = {(each.result().status, each.result().header("Location")) for each in tries}
    shown = ann.rpc.get_conversation(place)["list"]
    assert [each["msg_content"] for each in shown] == [b"At noon?", b"once"]
    assert answers == {(303, f"/inbox/{place}#m{shown[-1]['msg_id']}")}


def test_a_conversation_is_begun_once(ann: Member, bob: Member, at_ann: Browser) -> None:
    """The same form sent again begins no second conversation."""
    key = key_of(at_ann.opens("/inbox/new"))
    fields = {"to": bob.name, "subject": "Race", "body": "Saturday", "key": key}
    first, second = (at_ann.fills("/inbox/new", **fields).header("Location") for _ in range(2))
    assert first == second
    assert ann.rpc.get_conversations()["conversation_count"] == 1


@pytest.mark.parametrize("change", [{"body": "two"}, {"key": "another"}, {"place": "other"}])
def test_another_form_is_another_message(
    ann: Member, bob: Member, at_bob: Browser, change: dict[str, str]
) -> None:
    """What says something else, in another place, or on a page that was opened anew, is said."""
    places = {"here": begun(ann, bob), "other": begun(ann, bob)}
    fields = {"body": "one", "key": str(uuid4()), "place": "here"}
    for form in ({**fields}, {**fields, **change}):
        path = f"/inbox/{places[form.pop('place')]}"
        assert at_bob.fills(path, **form).status == 303
    assert sum(len(ann.rpc.get_conversation(place)["list"]) for place in places.values()) == 4


def test_another_file_is_another_message(ann: Member, bob: Member, at_bob: Browser) -> None:
    """Who goes back and chooses another file, or the same under another name, sends it."""
    place, fields = begun(ann, bob), {"body": "Look", "key": str(uuid4())}
    for file in (("a.txt", b"a"), ("a.txt", b"b"), ("b.txt", b"b")):
        assert sends_files(at_bob, f"/inbox/{place}", fields, file).status == 303
    assert len(ann.rpc.get_conversation(place)["list"]) == 4


def test_a_form_without_a_key_is_a_message_each_time(ann: Member, bob: Member, at_bob: Browser) -> None:
    """What says of itself nothing that tells it from others is said as often as it comes."""
    place = begun(ann, bob)
    for key in ({}, {}, {"key": ""}, {"key": ""}):
        at_bob.sends(f"/inbox/{place}", body="ok", **key)
    assert len(ann.rpc.get_conversation(place)["list"]) == 5


def test_a_form_that_comes_back_is_the_same(bob: Member, at_ann: Browser) -> None:
    """What was refused, perhaps while nobody knew what came of it, is the same form when it is sent again."""
    page = Page(at_ann.fills("/inbox/new", to=bob.name, subject="Race", body="", key="mine"))
    assert key_of(page) == "mine"


def test_every_form_has_a_key_of_its_own(ann: Member, bob: Member, at_bob: Browser) -> None:
    """A page that is opened again has another form."""
    path = f"/inbox/{begun(ann, bob)}"
    assert len({key_of(at_bob.opens(path)), key_of(at_bob.opens(path)), ""}) == 3


def test_two_clicks_send_a_form_once(browser: Any, live: Live, ann: Member) -> None:
    """Who clicks twice sees the answer to the first click, with the password that is shown but once."""
    with live.store():
        accounts.edit_user(accounts.named(ann.name), is_admin=True)
    context = browser.new_context()
    context.set_extra_http_headers({"Cookie": Browser(live, ann).headers["Cookie"]})
    page = context.new_page()
    page.goto(f"{live.address}/admin/people")
    page.fill("#new", f"new{uuid4().hex[:8]}")
    page.dblclick("button:text-is('Add')", delay=40)
    expect(page.locator("h1")).to_have_text("A new password")
    context.close()
