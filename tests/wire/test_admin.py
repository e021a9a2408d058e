"""Pages for administrators: what they show, what their buttons do at other doors, and for whom they are."""

import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ProtocolError

import engines
import pytest
from click.testing import CliRunner
from conftest import Live, Member
from page_client import Browser, Page
from rest_client import Answer, Client

from models import BACKUP, CHECK, Conversation, Job, Load, User, now, transact
from models.jobs import SILENCE
from server.__main__ import main
from server.actions import accounts, jobs
from server.faces import pages
from server.visits import Administrator
from server.wire.pages import in_words

PATIENCE = 30
LINE = re.compile(r" INFO [0-9a-f]{8} ")
REFUSED_LINE = re.compile(r" INFO [0-9a-f]{8} .* 4\d\d [0-9.]+ ms")
ROUTES = [route for route in pages.face.routes.values() if route.method.actor is Administrator]


def promoted(live: Live, member: Member, yes: bool = True) -> Member:
    with live.store():
        accounts.edit_user(accounts.named(member.name), is_admin=yes)
    return member


@pytest.fixture
def boss(live: Live) -> Member:
    return promoted(live, live.member("boss"))


@pytest.fixture
def at_boss(live: Live, boss: Member) -> Browser:
    return Browser(live, boss)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Live]:
    """A server on a store of its own, with two processes."""
    server = Live(tmp_path, "--limits", "off", "--workers", "2")
    yield server
    if server.process.poll() is None:
        server.stop()


def within_patience(found: Callable[[], Any]) -> Any:
    """What is found in the end."""
    until = time.monotonic() + PATIENCE
    while not (value := found()) and time.monotonic() < until:
        time.sleep(0.1)
    return value


def rows(page: Page, label: str) -> list[list[str]]:
    """The cells of the table with this label, row by row."""
    found = page.tree.cssselect(f"[aria-label='{label}'] tbody tr")
    return [[" ".join(cell.text_content().split()) for cell in row] for row in found]


def facts(page: Page) -> dict[str, str]:
    return dict(zip(page.texts(".facts dt"), page.texts(".facts dd"), strict=True))


# Who may


def named(route: Any) -> str:
    return str(route.method.name)


def tried(browser: Browser, route: Any) -> Answer:
    path = re.sub(r"\{\w+\}", "1", route.paths[0])
    fields = {param.name: "1" for param in route.asked() if param.required}
    return browser.get(path) if route.reads_query else browser.fills(path, **fields)


def test_all_of_it_asks_for_an_administrator() -> None:
    """No address of the administration is declared for anybody else, and none elsewhere is."""
    below = {named(route) for route in pages.face.routes.values() if route.paths[0].startswith("/admin")}
    assert below == set(map(named, ROUTES)) != set()


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_to_members_there_is_nothing(live: Live, ann: Member, route: Any) -> None:
    """A member gets the very page of an address at which nothing is, and does nothing."""
    browser = Browser(live, ann)
    nothing = browser.get("/admin/nothing")
    answer = tried(browser, route)
    assert (answer.status, answer.body) == (404, nothing.body) == (nothing.status, answer.body)


def test_to_a_game_server_there_is_nothing(live: Live) -> None:
    """A server key opens no page of the administration."""
    answer = Client(live.address, Authorization=f"Bearer {live.key()}").get("/admin")
    assert answer.status == 303


def test_who_is_no_administrator_any_more_has_lost_it(live: Live, boss: Member, at_boss: Browser) -> None:
    """The right counts from the next request on, and goes with the next one too."""
    assert at_boss.get("/admin").status == 200
    promoted(live, boss, False)
    assert at_boss.get("/admin").status == 404


def test_the_way_there_is_shown_to_administrators(live: Live, ann: Member, at_boss: Browser) -> None:
    """The head of each page leads an administrator there, and nobody else."""
    assert at_boss.opens("/inbox").tree.cssselect("nav a[href='/admin']")
    assert not Browser(live, ann).opens("/inbox").tree.cssselect("nav a[href='/admin']")


# The server


def test_the_facts_are_those_of_the_store(live: Live, ann: Member, at_boss: Browser) -> None:
    """Engine, size and newest ids stand there without anything being counted."""
    begun = ann.rpc.new_conversation([live.member().name.encode()], b"Lunch", b"At noon?")
    told = facts(at_boss.opens("/admin"))
    assert told["Engine"] == ("PostgreSQL" if engines.name.startswith("postgresql") else "SQLite")
    assert told["Conversations so far, at most"] == begun["conv_id"]
    assert re.fullmatch(r"[\d.]+ (KB|MB)", told["Size of the store"])


def test_calls_are_seen_while_they_last(live: Live, at_boss: Browser) -> None:
    """Who is on the phone with whom is there by name, with what has become of it, and gone afterwards."""
    script, caller, callee = live.script(), live.player("<i>eve"), live.player("joe")

    def seen() -> list[list[str]]:
        return [row[:3] for row in rows(at_boss.opens("/admin"), "Live calls") if row[0] == caller.name]

    script.PhoneApp_StartCall(caller.number, callee.number)
    assert seen() == [[caller.name, callee.name, "ringing"]]
    assert script.PhoneApp_AcceptCallByNumber(callee.number)
    assert seen() == [[caller.name, callee.name, "active"]]
    script.PhoneApp_EndCallByNumber(caller.number)
    assert seen() == []


def test_what_was_answered_is_written_down(own: Live, tmp_path: Path) -> None:
    """All processes together have counted as many requests as the log has lines, and as many refused."""
    boss = promoted(own, own.member("boss"))
    for number in range(20):
        assert Client(own.address).get("/healthz" if number % 2 else "/nothing").status in (200, 404)
    own.stop()
    log = (tmp_path / "live.log").read_text()
    with own.store():
        written = list(Load.select())
    counted = sum(each.requests for each in written), sum(each.refused for each in written)
    assert counted == (len(LINE.findall(log)), len(REFUSED_LINE.findall(log)))
    assert counted[1] >= 10
    again = Live(tmp_path, "--limits", "off", database=own.database)
    told = Browser(again, boss).opens("/admin").texts("figcaption")
    again.stop()
    assert told[0].startswith(f"{counted[0]} requests in 24 hours, at most ")
    assert re.match(r"Half of all within [0-9.]+ ms \(solid\), 99 in 100 within ", told[1])
    assert told[2].startswith(f"{counted[1]} refused (solid), 0 failed ")


def test_a_backup_is_remembered(live: Live, at_boss: Browser, tmp_path: Path) -> None:
    """A backup is there by the name of its file, of which the folder is nobody's business."""
    file = tmp_path / "<b>monday.tar"
    place = ["--database", live.database, "--files", str(live.files)]
    assert CliRunner().invoke(main, ["backup", str(file), *place]).exit_code == 0
    [_, name, size, took] = rows(at_boss.opens("/admin"), "Last backups")[0]
    assert (name, size) == (file.name, in_words(file.stat().st_size))
    assert re.fullmatch(r"\d+\.\d s", took)


def test_a_check_finds_what_is_wrong(own: Live) -> None:
    """A check that is begun on a page goes on beside it; then every process tells what it has found."""
    browser = Browser(own, promoted(own, own.member("boss")))
    assert "was not checked" in browser.opens("/admin").text("main")
    ann = own.member("ann")
    place = ann.rpc.new_conversation([own.member().name.encode()], b"Lunch", b"At noon?")["conv_id"]
    assert checked(browser) == "No faults found"
    with own.store():
        Conversation.update(last_seq=7).where(Conversation.id == int(place)).execute()
    assert checked(browser).endswith("faults found")
    wrong = f"conversation {place}: its newest place is 7, but it has 1 messages up to place 1"
    assert wrong in browser.opens("/admin").texts("li")


def checked(browser: Browser) -> str:
    """What a check comes to that begins now."""
    ended = checked_last(browser)
    answer = browser.fills("/admin/check")
    assert (answer.status, answer.header("Location")) == (303, "/admin#check")
    found = within_patience(lambda: (told := checked_last(browser)) != ended and told)
    return str(found).partition(",")[0]


def checked_last(browser: Browser) -> str:
    """What the page tells of the last check that has ended, nothing while one goes on."""
    texts = browser.opens("/admin").texts("p")
    return next((text for text in texts if " found, " in text), "")


def test_one_check_goes_on_at_a_time(live: Live, at_boss: Browser) -> None:
    """While one goes on, wherever, its progress is seen and no other begins; one that has died is none."""
    with live.store():
        job = Job.create(kind=CHECK, part="Checking files", done=3, steps=10)
    page = at_boss.opens("/admin")
    assert "Checking files, 3 of 10" in page.text("main")
    assert not page.tree.cssselect("form[action='/admin/check']")
    assert at_boss.fills("/admin/check").status == 409
    with live.store():
        Job.update(told_at=job.started_at - 2 * SILENCE).where(Job.id == job.id).execute()
    assert "was given up" in at_boss.opens("/admin").text("main")
    assert at_boss.fills("/admin/check").status == 303


# People


def test_people_are_listed_page_by_page(live: Live, at_boss: Browser) -> None:
    """Each whose name begins so is there once, in order, whatever his case, with what he may."""
    names = [live.member("Crowd").name for _ in range(103)]
    with live.store():
        accounts.disable(accounts.named(names[0]))
        accounts.edit_user(
            accounts.named(names[1]), is_admin=True, number="555-777001", identifier="license:of-crowd"
        )
    page, seen = at_boss.opens("/admin/people", name="cROWD"), list[list[str]]()
    pages_read = 1
    while True:
        seen += rows(page, "People")
        following = page.tree.cssselect("a[rel=next]")
        if not following:
            break
        page, pages_read = at_boss.opens(following[0].get("href")), pages_read + 1
    assert pages_read == 3
    assert [row[0].split()[0] for row in seen] == sorted(names, key=str.casefold)
    about = {row[0].split()[0]: row for row in seen}
    assert about[names[0]][0] == f"{names[0]} disabled"
    assert about[names[1]][0] == f"{names[1]} administrator"
    assert about[names[1]][2:4] == ["555-777001", "license:of-crowd"]


def test_a_person_is_seen_with_what_opens_something(live: Live, ann: Member, at_boss: Browser) -> None:
    """Sessions and tokens are there by where, what for and when, and nothing that opens anything is."""
    browser = Browser(live, ann)
    browser.get("/inbox")
    path = f"/admin/people/{ann.id}"
    [[label, made, used, _]] = rows(at_boss.opens(path), "Access tokens")
    assert (label, used) == ("test", "never")
    assert ann.rpc.get_inbox_stat()["result"]
    [[_, _, used, _]] = rows(at_boss.opens(path), "Access tokens")
    assert used >= made
    page = at_boss.opens(path)
    assert [row[0] for row in rows(page, "Sessions")] == ["127.0.0.1"]
    with live.store():
        user = User.get_by_id(ann.id)
        digests = [each.digest for each in user.tokens]
    session = browser.headers["Cookie"].partition("=")[2]
    assert not any(secret.encode() in page.bytes for secret in (ann.token, session, *digests))


def works(member: Member) -> bool:
    """Whether the member's token opens the forum door."""
    return bool(member.rpc.get_inbox_stat()["result"])


def test_a_disabled_person_is_shut_out(live: Live, ann: Member, at_boss: Browser) -> None:
    """Nothing of a disabled person opens anything at any door; enabled again he comes with his password."""
    member = live.member("eve", "right and long")
    browser, path = Browser(live, member), f"/admin/people/{member.id}"
    assert works(member) and browser.get("/inbox").status == 200
    page = at_boss.sends(f"{path}/disable")
    assert "Disabled" in facts(page)
    assert not works(member) and browser.get("/inbox").status == 303
    wanted = {"name": member.name, "password": "right and long"}
    assert Browser(live).fills("/login", **wanted).status == 401
    assert "Disabled" not in facts(at_boss.sends(f"{path}/enable"))
    assert Browser(live).fills("/login", **wanted).status == 303


def test_nobody_shuts_himself_out(boss: Member, at_boss: Browser) -> None:
    """An administrator has no button to disable himself, and is refused without one."""
    path = f"/admin/people/{boss.id}"
    assert not at_boss.opens(path).tree.cssselect("form[action$='/disable']")
    answer = at_boss.fills(f"{path}/disable")
    assert (answer.status, "You cannot disable yourself." in answer.body.decode()) == (400, True)
    assert at_boss.get("/admin").status == 200


def test_sessions_end(live: Live, ann: Member, at_boss: Browser) -> None:
    """All sessions of a person end, and his tokens stay."""
    browsers = [Browser(live, ann) for _ in range(2)]
    page = at_boss.sends(f"/admin/people/{ann.id}/end")
    assert rows(page, "Sessions") == []
    assert [each.get("/inbox").status for each in browsers] == [303, 303]
    assert works(ann)


def test_a_token_is_revoked(live: Live, ann: Member, bob: Member, at_boss: Browser) -> None:
    """One token opens nothing any more; under another person's name it is not found."""
    with live.store():
        [token] = User.get_by_id(ann.id).tokens
    assert at_boss.fills(f"/admin/people/{bob.id}/tokens/{token.id}").status == 404
    assert works(ann)
    page = at_boss.sends(f"/admin/people/{ann.id}/tokens/{token.id}")
    assert rows(page, "Access tokens") == []
    assert not works(ann)


@pytest.mark.parametrize("path", ["", "/disable", "/enable", "/end", "/password", "/tokens/1"])
def test_nobody_is_not_found(at_boss: Browser, path: str) -> None:
    """What is about a person whom there is not is not found."""
    address = f"/admin/people/999999999999{path}"
    assert (at_boss.fills(address) if path else at_boss.get(address)).status == 404


def shown_password(answer: Answer) -> str:
    """The password that a page shows once."""
    assert (answer.status, answer.header("Cache-Control")) == (200, "no-store")
    return Page(answer).text("pre code")


def test_a_member_is_added(live: Live, at_boss: Browser) -> None:
    """A new member logs in with the password that is shown; a name that somebody has is refused."""
    name = f"new <{live.member().name}>"
    password = shown_password(at_boss.fills("/admin/people", member=name))
    assert Browser(live).fills("/login", name=name, password=password).status == 303
    page = Page(at_boss.fills("/admin/people", member=name.upper()))
    assert (page.status, page.error) == (409, "Another user has that user name already.")
    assert page.tree.cssselect("#new")[0].get("value") == name.upper()
    assert Browser(live).fills("/login", name=name, password=password).status == 303


def test_a_person_gets_a_new_password(live: Live, ann: Member, boss: Member, at_boss: Browser) -> None:
    """The new password opens, and what the old one opened is shut; one's own is not to be had so."""
    browser = Browser(live, ann)
    form = asked(at_boss, f"/admin/people/{ann.id}/password")
    password = shown_password(at_boss.fills(form))
    assert not works(ann) and browser.get("/inbox").status == 303
    assert Browser(live).fills("/login", name=ann.name, password=password).status == 303
    assert at_boss.fills(f"/admin/people/{boss.id}/password").status == 400
    assert at_boss.get("/admin").status == 200


def asked(browser: Browser, path: str) -> str:
    """Where the form goes of a page that only asks whether something is meant."""
    [form] = browser.opens(path).tree.cssselect("main form")
    assert form.get("method") == "post"
    return str(form.get("action"))


def test_what_cannot_be_taken_back_is_asked_for_twice(live: Live, ann: Member, at_boss: Browser) -> None:
    """Each way to shut something leads to a page that asks, does nothing itself, and leads back."""
    browser, path = Browser(live, ann), f"/admin/people/{ann.id}"
    browser.get("/inbox")
    page = at_boss.opens(path)
    assert page.tree.cssselect("main form") == []
    links = [each.get("href") for each in page.tree.cssselect("main a.button")]
    ways = [link.removeprefix(f"{path}/").split("/")[0] for link in links]
    assert ways == ["disable", "password", "end", "tokens"]
    for link in links:
        assert asked(at_boss, link) == link
        assert at_boss.opens(link).tree.cssselect(f"main a[href='{path}']")
    assert works(ann) and browser.get("/inbox").status == 200


@pytest.mark.parametrize(
    ("path", "back"),
    [("people/999999999999", "/people"), ("keys/999999999999", "/keys"), ("nothing", "")],
)
def test_what_is_not_there_leads_back(at_boss: Browser, path: str, back: str) -> None:
    """From what is not found an administrator gets back to the list in which it would be."""
    page = at_boss.opens(f"/admin/{path}")
    assert (page.status, page.tree.cssselect("main a")[-1].get("href")) == (404, f"/admin{back}")


# Keys


def test_a_key_is_made_and_revoked(live: Live, at_boss: Browser) -> None:
    """A new key is shown once and opens the phone door until it is revoked."""
    label = f"game <{live.key()[:8]}>"
    answer = at_boss.fills("/admin/keys", label=f" {label} ")
    page = Page(answer)
    secret, command = page.texts("pre code")
    assert (answer.status, answer.header("Cache-Control")) == (200, "no-store")
    script = live.proxy(("Authorization", f"Bearer {secret}"))
    assert opens(script)
    called = subprocess.run(shlex.split(command), capture_output=True, check=True, timeout=PATIENCE).stdout
    assert b"<boolean>0</boolean>" in called
    listed = at_boss.opens("/admin/keys")
    assert secret.encode() not in listed.bytes
    [row] = [row for row in rows(listed, "Server keys") if row[0] == label]
    assert row[2] != "never"
    [link] = [each for each in listed.tree.cssselect("tbody a") if label in each.text_content()]
    form = asked(at_boss, link.get("href"))
    assert opens(script)
    at_boss.sends(form)
    assert not opens(script)
    assert at_boss.fills(form).status == 404


def opens(script: Any) -> bool:
    """Whether the key opens the phone door."""
    try:
        script.PhoneApp_IsInCallByNumber("555-0000")
    except (Fault, ProtocolError):
        return False
    return True


@pytest.mark.parametrize("label", ["", "  ", "x" * 101])
def test_a_key_has_a_label(at_boss: Browser, label: str) -> None:
    """Without a label, or with one that is too long, no key is made, and the form comes back as it was."""
    before = rows(at_boss.opens("/admin/keys"), "Server keys")
    page = Page(at_boss.fills("/admin/keys", label=label))
    assert (page.status, "label" in page.error) == (400, True)
    assert page.tree.cssselect("#label")[0].get("value") == label
    assert rows(at_boss.opens("/admin/keys"), "Server keys") == before


@pytest.mark.parametrize("route", [each for each in ROUTES if not each.reads_query], ids=named)
def test_forms_of_other_pages_do_nothing(live: Live, ann: Member, at_boss: Browser, route: Any) -> None:
    """What another site's page sends with an administrator's cookie is refused."""
    path = re.sub(r"\{user_id\}", ann.id, route.paths[0])
    path = re.sub(r"\{\w+\}", "1", path)
    fields = {param.name: "1" for param in route.asked()}
    answer = at_boss.post_form(path, fields, Origin="https://evil.example")
    assert answer.status == 403
    assert works(ann)


def test_only_the_last_backups_are_kept(live: Live, tmp_path: Path) -> None:
    """Of backups the last twenty are remembered."""
    file = tmp_path / "a.tar"
    file.write_bytes(b"x")
    with live.store():
        for _ in range(22):
            transact(lambda: jobs.note_backup(file, now()), writes=True)
        assert Job.select().where(Job.kind == BACKUP).count() == 20
