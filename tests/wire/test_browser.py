"""What a page in a real browser gets of the chat door, and what those of other sites do not get."""

import io
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xmlrpc.client import dumps, loads

import pytest
from conftest import Live, Member
from PIL import Image
from rest_client import Answer, Client

from models import UploadGroup

LISTEN = """token => new Promise(resolve => {
    window.told = [];
    const events = new EventSource(`/chat/events?access_token=${token}`);
    events.addEventListener("message", event => window.told.push(JSON.parse(event.data).message.text));
    events.addEventListener("totals", resolve, { once: true });
})"""
HEARD = "new Promise(go => { const look = () => told.length ? go() : setTimeout(look, 20); look() })"
SEND = """([token, chat, text]) => fetch(`/chat/${chat}/messages`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ text }),
}).then(answer => answer.status)"""


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
    page.evaluate(HEARD)
    assert page.evaluate("window.told") == ["Grüße, Bob"]


def test_a_page_sends_and_hears_itself(page: Any, ann: Member, bob: Member) -> None:
    """What a page sends by `fetch` is on the forum, and among the events of its own user."""
    begun = ann.rpc.new_conversation([bob.name], b"Lunch", b"first")["conv_id"]
    page.evaluate(LISTEN, bob.token)
    assert page.evaluate(SEND, [bob.token, begun, "<b>over there</b>"]) == 201
    page.evaluate(HEARD)
    assert page.evaluate("window.told") == ["<b>over there</b>"]
    shown = ann.rpc.get_conversation(begun)["list"][-1]["msg_content"].decode()
    assert shown == "<b>over there</b>"


# Pages of others

PASSWORD = "right and long"


class Foreign(BaseHTTPRequestHandler):
    """A site with one empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def foreign() -> Iterator[int]:
    """The port of another site on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def call(client: Client, method: str, *values: Any, **headers: str) -> Answer:
    """What an XML-RPC method answers."""
    return client.send("POST", "/RPC2", dumps(values, method).encode(), Content_Type="text/xml", **headers)


def session_of(live: Live, member: Member) -> str:
    """The value of the cookie of a login."""
    cookie = call(Client(live.address), "login", member.name, PASSWORD).header("Set-Cookie")
    return cookie.partition(";")[0].partition("=")[2]


FORM = """([address, name, value]) => {
    const form = document.createElement("form"), field = document.createElement("textarea");
    const inside = document.createElement("iframe");
    [form.action, form.method, form.enctype, form.target] = [address, "POST", "text/plain", "inside"];
    [inside.name, field.name, field.value] = ["inside", name, value];
    form.append(field);
    document.body.append(inside, form);
    form.submit();
    return new Promise(resolve => setTimeout(resolve, 300));
}"""
FETCH = """([address, mode, type, body]) => fetch(address, {
    method: "POST", mode, credentials: "include", headers: type ? { "Content-Type": type } : {},
    body: type ? body : new Blob([body]),
}).catch(() => null).then(() => null)"""
BEACON = """([address, type, body]) => {
    navigator.sendBeacon(address, new Blob([body], { type }));
    return new Promise(resolve => setTimeout(resolve, 300));
}"""
UPLOAD = """([address, body]) => {
    const form = new FormData();
    form.append("attachment", new File(["x"], "a.txt"));
    return fetch(address, { method: "POST", mode: "no-cors", credentials: "include", body: form })
        .catch(() => null).then(() => null);
}"""
ATTACKS: dict[str, Callable[[Any, str, str], Any]] = {
    # A browser puts = between name and value, and so it stands within the first line of the XML.
    "a form of text": lambda page, to, xml: page.evaluate(FORM, [f"{to}/RPC2", *xml.split("=", 1)]),
    "a fetch of text": lambda page, to, xml: page.evaluate(
        FETCH, [f"{to}/RPC2", "no-cors", "text/plain", xml]
    ),
    "a fetch of no type": lambda page, to, xml: page.evaluate(FETCH, [f"{to}/RPC2", "no-cors", "", xml]),
    "a fetch of XML": lambda page, to, xml: page.evaluate(FETCH, [f"{to}/RPC2", "cors", "text/xml", xml]),
    "a beacon": lambda page, to, xml: page.evaluate(BEACON, [f"{to}/RPC2", "text/plain", xml]),
    "an upload": lambda page, to, xml: page.evaluate(UPLOAD, [f"{to}/mobiquo/upload.php", xml]),
}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_of_another_site_does_nothing(browser: Any, live: Live, foreign: int, host: str) -> None:
    """No page of another port or host makes a browser do anything with its visitor's session, or end it."""
    victim, receiver = live.member(password=PASSWORD), live.member()
    cookie = {"name": "xf_session", "value": session_of(live, victim), "url": live.address}
    context = browser.new_context()
    context.add_cookies([cookie])
    page = context.new_page()
    page.goto(f"http://{host}:{foreign}/")
    write = dumps(([receiver.name], "Hello", "forged"), "new_conversation")
    for xml in (write, dumps((), "logout_user")):
        for attack in ATTACKS.values():
            attack(page, live.address, xml)
    context.close()
    assert receiver.rpc.get_conversations()["conversation_count"] == 0
    with live.store():
        assert UploadGroup.select().where(UploadGroup.uploader == int(victim.id)).count() == 0
    alive = call(Client(live.address), "get_inbox_stat", Cookie=f"xf_session={cookie['value']}")
    assert alive.header("Mobiquo_is_login") == "true"


def test_no_site_shows_a_page_as_its_own(browser: Any, live: Live, foreign: int) -> None:
    """A browser does not show the reference inside another site's page."""
    page, said = browser.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"http://127.0.0.1:{foreign}/")
    page.evaluate(
        """address => new Promise(resolve => {
            const inside = document.createElement("iframe");
            [inside.src, inside.onload] = [address, resolve];
            document.body.append(inside);
        })""",
        f"{live.address}/docs",
    )
    page.close()
    assert any("frame-ancestors" in text for text in said)


def uploaded(live: Live, member: Member, name: str, data: bytes) -> str:
    """The address of a file that was uploaded."""
    head = f'--x\r\nContent-Disposition: form-data; name="attachment"; filename="{name}"\r\n\r\n'
    client = Client(live.address, Authorization=f"Bearer {member.token}")
    kind = "multipart/form-data; boundary=x"
    answer = client.send(
        "POST", "/mobiquo/upload.php", head.encode() + data + b"\r\n--x--\r\n", Content_Type=kind
    )
    [result], _ = loads(answer.body)
    assert result["result"], result
    return f"/attachments/{result['attachment_id']}/{name}"


SCRIPT = b"<script>window.ran = 1</script>"


def gif() -> bytes:
    """A picture that is a script as well."""
    out = io.BytesIO()
    Image.new("P", (10799, 1)).save(out, "GIF")
    data = out.getvalue()
    assert data[6:8] == b"/*"
    return data + b"*/=1;window.ran=1;"


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "PNG")
    return out.getvalue() + SCRIPT


ACTIVE = {
    "a.txt": SCRIPT,
    "b.txt": b"window.ran = 1",
    "c.txt": b"<svg xmlns='http://www.w3.org/2000/svg' onload='window.ran = 1'/>",
    "d.gif": gif(),
    "e.png": png(),
    "f.pdf": b"%PDF-1.4\n" + SCRIPT,
    "g.zip": b"PK\x03\x04" + SCRIPT,
}
USE = """address => new Promise(resolve => {
    const script = document.createElement("script"), frame = document.createElement("iframe");
    [script.src, frame.src] = [address, address];
    script.onload = script.onerror = () => resolve(window.ran);
    document.body.append(script, frame);
})"""


@pytest.mark.parametrize("name", ACTIVE)
def test_what_is_uploaded_never_runs(browser: Any, live: Live, name: str) -> None:
    """A file is no script and no page to a browser, whatever is in it, also on a page of the server's own."""
    member = live.member(password=PASSWORD)
    address = live.address + uploaded(live, member, name, ACTIVE[name])
    context = browser.new_context()
    context.add_cookies([{"name": "xf_session", "value": session_of(live, member), "url": live.address}])
    page = context.new_page()
    page.goto(f"{live.address}/healthz")
    assert page.evaluate(USE, address) is None
    assert [frame for frame in page.frames if frame.evaluate("window.ran")] == []
    context.close()
    answer = Client(live.address, Authorization=f"Bearer {member.token}").get(
        address.removeprefix(live.address)
    )
    assert (answer.status, answer.body) == (200, ACTIVE[name])
    assert "sandbox" in answer.header("Content-Security-Policy")
    assert answer.header("X-Content-Type-Options") == "nosniff"
    is_picture = answer.header("Content-Type").startswith("image/")
    assert answer.header("Content-Disposition").startswith("inline" if is_picture else "attachment")


# What answers say to browsers


@pytest.fixture
def answers(live: Live) -> dict[str, Answer]:
    """Answers that are one member's, or a refusal that might be another's answer."""
    member = live.member(password=PASSWORD)
    client, guest = Client(live.address, Authorization=f"Bearer {member.token}"), Client(live.address)
    file = uploaded(live, member, "a.txt", b"x")
    return {
        "call": call(client, "get_user_info"),
        "login": call(guest, "login", member.name, PASSWORD),
        "fault": call(guest, "no_such_method"),
        "list": client.get("/chat"),
        "known list": client.send("GET", "/chat", None, If_None_Match=client.get("/chat").header("ETag")),
        "token": guest.post("/auth/token", {"username": member.name, "password": PASSWORD}),
        "refused list": guest.get("/chat"),
        "file": client.get(file),
        "refused file": guest.get(file),
        "missing file": client.get("/attachments/999999999/a.txt"),
        "picture": client.get("/mobiquo/avatar.php", user_id=member.id),
        "nothing": guest.get("/nothing"),
    }


def test_nobody_between_keeps_an_answer(answers: dict[str, Answer]) -> None:
    """No answer that is one member's, and no refusal, may be kept for others."""
    kept = {name: each.header("Cache-Control") for name, each in answers.items()}
    assert [name for name, said in kept.items() if not re.match("no-store|private", said)] == []


def test_no_answer_is_guessed_at(answers: dict[str, Answer]) -> None:
    """A browser takes every answer for what it says it is."""
    sniffed = [name for name, each in answers.items() if each.header("X-Content-Type-Options") != "nosniff"]
    assert sniffed == []


def test_no_browser_learns_a_password_to_send_along(answers: dict[str, Answer]) -> None:
    """No answer invites HTTP Basic, which a browser would send with calls of other sites' pages as well."""
    assert [
        name for name, each in answers.items() if "basic" in each.header("WWW-Authenticate").lower()
    ] == []


@pytest.mark.parametrize(
    "path", ["/RPC2", "/mobiquo/upload.php", "/healthz", "/docs", "/attachments/1/a", "/chat"]
)
def test_trace_is_refused(live: Live, path: str) -> None:
    """TRACE, by which a script could read what its browser sends along, is refused and repeats nothing."""
    answer = Client(live.address).send("TRACE", path, None, Cookie="xf_session=hidden", X_Odd="hidden")
    assert answer.status == 405
    assert b"hidden" not in answer.body


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_no_other_site_may_ask_with_the_cookie(live: Live, origin: str) -> None:
    """A preflight of another origin opens no calls, uploads or files, and nothing with the cookie."""
    for path in ("/RPC2", "/mobiquo/upload.php", "/attachments/1/a", "/chat", "/auth/token"):
        ask = {"Origin": origin, "Access_Control_Request_Method": "POST"}
        answer = Client(live.address).send("OPTIONS", path, None, **ask)
        assert not answer.has("Access-Control-Allow-Origin")
        assert not answer.has("Access-Control-Allow-Credentials")
