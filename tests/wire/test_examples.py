"""Each recorded call, sent as it stands to a server in whose store it is true, gets the recorded answer."""

import datetime
import gzip
import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from email.message import Message as Head
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import Live
from lxml import etree
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from models import (
    ACTIVE,
    CLOSED,
    LEFT,
    OPEN,
    Attachment,
    Conversation,
    Message,
    Participant,
    Session,
    UploadGroup,
    User,
    check,
    database,
    digest_of,
    name_key,
)
from server.passwords import Passwords

FIXTURES = Path(__file__).parents[2] / "fixtures"
REQUESTS = {path.stem: path for path in sorted((FIXTURES / "requests").glob("EX*"))}
RESPONSES = {path.stem: path for path in sorted((FIXTURES / "responses").glob("EX*"))}
SCHEMA = etree.RelaxNG(etree.parse(FIXTURES / "xmlrpc.rng"))

# The store in which the examples are true.

ALICE, BOB, OMER, DORA = 101, 102, 103, 104
NAMES = {ALICE: "alice", BOB: "bob", OMER: "Çelik Ömer", DORA: "dora"}
WITHOUT_PICTURE = {OMER}
PASSWORD = Passwords(1).hash("correct horse")
SESSION = "k3J9aQ7vT0dWmXyZ_pLr-28"
HIKE, TICKET = 5001, 4870
MAP_SIZE = 48213


def moment(second: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(second, datetime.UTC)


JOINED = moment(1700000000)
SIX, SEVEN, EIGHT = moment(1718000000), moment(1718003600), moment(1718007200)


class Said(NamedTuple):
    """One message of a conversation."""

    id: int
    author: int
    sent_at: datetime.datetime
    body: str


def stored_file(number: int) -> str:
    """A name such as stored files have."""
    return f"{number:064x}-{number:08x}"


def people() -> None:
    for number, name in NAMES.items():
        User.create(
            id=number,
            username=name,
            username_key=name_key(name),
            display_name=name,
            password=PASSWORD,
            avatar="" if number in WITHOUT_PICTURE else stored_file(number),
            created_at=JOINED,
            seen_at=SEVEN,
        )
    Session.create(user=ALICE, digest=digest_of(SESSION), address="127.0.0.1")


def hike() -> None:
    """What alice has begun: one message she has not read is in it."""
    thread(
        HIKE,
        "Saturday hike",
        Said(70001, ALICE, SIX, "Meet at [b]09:00[/b] by the gate?"),
        Said(70002, OMER, SEVEN, "Route: [url=https://maps.example.org/x?a=1&b=2]map[/url]\nBring water."),
        Said(70003, BOB, EIGHT, "[quote]alice wrote:\nMeet at 09:00 by the gate?[/quote]Fine with me."),
    )
    for user, read in {ALICE: 2, BOB: 3, OMER: 3}.items():
        place(HIKE, user, read)


def ticket() -> None:
    """What dora has begun, closed and left."""
    thread(TICKET, "Spare ticket & more <3", Said(69001, DORA, SEVEN, "Want it?"), status=CLOSED)
    place(TICKET, ALICE, 1)
    place(TICKET, DORA, 1, LEFT)


def thread(number: int, subject: str, *said: Said, status: str = OPEN) -> None:
    first = said[0]
    Conversation.create(
        id=number,
        app="forum",
        subject=subject,
        status=status,
        starter=first.author,
        started_at=first.sent_at,
        last_seq=len(said),
    )
    for seq, message in enumerate(said, 1):
        Message.create(conversation=number, seq=seq, **message._asdict())


def place(conversation: int, user: int, read: int, status: str = ACTIVE) -> None:
    newest = Message.select().where(Message.conversation == conversation).order_by(Message.seq.desc()).get()
    Participant.create(
        conversation=conversation,
        user=user,
        status=status,
        last_seq=newest.seq,
        newest_id=newest.id,
        read_seq=read,
    )


# What some examples need besides.


def nothing_more() -> None:
    """The store as it is."""


def ticket_unread() -> None:
    Participant.update(read_seq=0).where(
        Participant.conversation == TICKET, Participant.user == ALICE
    ).execute()


def nothing_said() -> None:
    Conversation.delete().execute()


def uploads_waiting() -> None:
    uploaded("5f2c9e0a71b34d7d", ALICE, 9001, 9002)


def map_sent() -> None:
    uploaded("0123456789abcdef", OMER, 9001, message=70002)


def uploaded(key: str, uploader: int, *numbers: int, message: int | None = None) -> None:
    group = UploadGroup.create(key=key, uploader=uploader)
    for number in numbers:
        Attachment.create(
            id=number,
            group=group,
            message=message,
            filename="map.png",
            extension="png",
            size=MAP_SIZE,
            file=stored_file(number),
            thumbnail=stored_file(number),
        )


def wipe() -> None:
    """Take everything out; the rest of the tables goes with what it belongs to."""
    for table in (Conversation, UploadGroup, User):
        table.delete().execute()


# How the examples differ from a plain call of alice's.

AS_ALICE = {"Content-Type": "text/xml", "Cookie": f"xf_session={SESSION}"}
AS_GUEST = {"Content-Type": "text/xml"}
ANDROID = {
    "Host": "talk.example.org",
    "User-Agent": "Mozilla/5.0 Firefox/3.5.6 Tapatalk/4.5.3",
    "Mobiquo_id": "4",
    "mobiquoid": "4",
    "Accept": "*/*",
    "Accept-Encoding": "gzip",
    "Content-Type": "text/xml",
    "Cookie": "tapatalk = 1",
}
BYO = {
    "Host": "talk.example.org",
    "User-Agent": "BYO-4/4.5.3",
    "mobiquoid": "4",
    "Content-Type": "text/xml",
    "Cookie": "tapatalk = 1",
}
AS_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

NUMBER, GROUP = re.compile(r"\A\d+\Z"), re.compile(r"\A[0-9a-f]{16}\Z")
ADDRESS = re.compile(r"\Ahttps?://[^/]+/\S*?\b(\d{3,4})\b\S*\Z")
# What cannot be arranged, by the member's name: of what fits the pattern only its first group is compared.
VARIABLE = {
    "sys_version": re.compile(r"\A\d+\.\d+\.\d+()\Z"),
    "icon_url": ADDRESS,
    "url": ADDRESS,
    "thumbnail_url": ADDRESS,
}


class Case(NamedTuple):
    """An example; *answer* names the recorded answer where that is another's, *fresh* what is made anew."""

    headers: Mapping[str, str] = AS_ALICE
    is_login: bool = True
    arrange: Callable[[], None] = nothing_more
    answer: str = ""
    fresh: Mapping[str, re.Pattern[str]] = {}
    cookie: str = ""


CASES = {name: Case() for name in REQUESTS} | {
    "EX01": Case(ANDROID, is_login=False),
    "EX02": Case(BYO, cookie=r"xf_session=[A-Za-z0-9_-]+; Path=/; HttpOnly; SameSite=Lax"),
    "EX03": Case(AS_GUEST, is_login=False),
    "EX04": Case(arrange=ticket_unread),
    "EX09": Case(fresh={"conv_id": NUMBER}),
    "EX10": Case(arrange=uploads_waiting, fresh={"conv_id": NUMBER}),
    "EX13": Case(arrange=nothing_said),
    "EX14": Case(AS_GUEST, is_login=False),
    "EX15": Case(arrange=map_sent),
    "EX17": Case(fresh={"msg_id": NUMBER}),
    "EX26": Case(arrange=uploads_waiting),
    "EX27": Case(is_login=False, cookie=r"xf_session=deleted; Path=/; Max-Age=0(; HttpOnly; SameSite=Lax)?"),
    "EX29": Case(fresh={"attachment_id": NUMBER, "group_id": GROUP}),
    "EX31-2": Case(AS_FORM, is_login=False, answer="EX01"),
    "EX31-3": Case(arrange=ticket_unread, answer="EX04"),
    "EX31-4": Case(arrange=map_sent, answer="EX15"),
    "EX31-5": Case(answer="EX09", fresh={"conv_id": NUMBER}),
    "EX31-6": Case(answer="EX23"),
}

# What an example leaves behind: another call afterwards, and the recorded answer that it gets then.
AFTERWARDS = {
    "EX11": ("EX12", "EX12"),
    "EX16": ("EX12", "EX12"),
    "EX18": ("EX12", "EX12"),
    "EX20": ("EX12", "EX12"),
    "EX22": ("EX15", "EX16"),
    "EX23": ("EX15", "EX16"),
    "EX24": ("EX04", "EX04"),
    "EX27": ("EX12", "EX14"),
    "EX29": ("EX12", "EX12"),
    "EX31-6": ("EX15", "EX16"),
}

# Of a document's text, what the strictest parsers stumble over.
STUMBLES = {
    "a self-closing tag": re.compile(rb"/>"),
    "indentation or an empty line": re.compile(rb">(?!\n?<)\s+<"),
    "nil": re.compile(rb"<(ex:)?nil"),
    "a value without a type": re.compile(rb"<value>[^<]|<value></value>"),
    "base64 in lines": re.compile(rb"<base64>[^<]*\s[^<]*</base64>"),
}

# A value, and what the narrow form has against it.
WRONG_VALUES = {
    "nil": "<nil></nil>",
    "no type": "text",
    "i8": "<i8>1</i8>",
    "i4": "<i4>1</i4>",
    "double": "<double>1.5</double>",
    "a number of 33 bits": "<int>4294967296</int>",
    "an empty number": "<int></int>",
    "a boolean in words": "<boolean>true</boolean>",
    "base64 in lines": "<base64>SGVs\nbG8=</base64>",
    "base64 cut off": "<base64>SGVsbG8</base64>",
    "a date with an offset": "<dateTime.iso8601>20240610T08:13:20+00:00</dateTime.iso8601>",
    "an array without data": "<array><value><int>1</int></value></array>",
    "a member without a name": "<struct><member><value><int>1</int></value></member></struct>",
}

AWKWARD_HEADS = {
    "a gzip that is none": AS_ALICE | {"Content-Encoding": "gzip"},
    "a form type": AS_ALICE | AS_FORM,
    "no type": {"Cookie": f"xf_session={SESSION}"},
    "a semicolon at the end": AS_ALICE | {"Cookie": f"xf_session={SESSION};"},
    "another cookie with spaces": AS_ALICE | {"Cookie": f"tapatalk = 1; xf_session={SESSION}"},
}


Arranged = Callable[..., Live]


class Call(NamedTuple):
    """A request as it goes over the wire."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """A response, decompressed."""

    status: int
    head: Head
    body: bytes


def recorded_call(name: str) -> Call:
    return FORMATS[REQUESTS[name].suffix](REQUESTS[name], CASES[name].headers)


def xml_call(path: Path, headers: Mapping[str, str]) -> Call:
    return Call("/mobiquo/mobiquo.php", headers, path.read_bytes())


def http_call(path: Path, headers: Mapping[str, str]) -> Call:
    """A whole recorded request, with the bytes of a picture where it says so."""
    head, _, body = path.read_text().partition("\n\n")
    first, *lines = head.splitlines()
    recorded = dict(line.split(": ", 1) for line in lines)
    data = body.replace("\n", "\r\n").encode().replace(b"(bytes)", picture_of(MAP_SIZE))
    return Call(first.split()[1], recorded, data)


FORMATS = {".xml": xml_call, ".http": http_call}


def picture_of(size: int) -> bytes:
    """A PNG of so many bytes."""
    return png("x" * (size - len(png(""))))


def png(comment: str) -> bytes:
    out, info = io.BytesIO(), PngInfo()
    info.add_text("Comment", comment)
    Image.new("RGB", (60, 40), "teal").save(out, "PNG", pnginfo=info)
    return out.getvalue()


def send(server: Live, call: Call) -> Answer:
    with closing(HTTPConnection(server.address.removeprefix("http://"))) as connection:
        connection.request("POST", call.path, call.body, dict(call.headers))
        response = connection.getresponse()
        body = response.read()
    packed = response.headers["Content-Encoding"] == "gzip"
    return Answer(response.status, response.headers, gzip.decompress(body) if packed else body)


def read(document: bytes, variable: Mapping[str, re.Pattern[str]]) -> tuple[str, Any]:
    """A response as nested pairs of a type and what it holds, members in their order."""
    root = etree.fromstring(document)
    return str(root[0].tag), read_value(next(root.iter("value")), "", variable)


def read_value(value: Any, name: str, variable: Mapping[str, re.Pattern[str]]) -> tuple[str, Any]:
    [typed] = value
    if typed.tag == "struct":
        return typed.tag, [(key.text, read_value(held, key.text, variable)) for key, held in typed]
    if typed.tag == "array":
        return typed.tag, [read_value(held, "", variable) for held in typed[0]]
    return typed.tag, settled(typed.text or "", variable.get(name))


def settled(text: str, pattern: re.Pattern[str] | None) -> Any:
    """What of a *text* has to be the same in every answer."""
    match = pattern and pattern.match(text)
    return match.groups() if match else text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose store only these tests write."""
    started = Live(tmp_path_factory.mktemp("examples"), "--limits", "off")
    yield started
    started.stop()


@pytest.fixture
def arranged(server: Live) -> Arranged:
    """The server, its store as the examples find it and as one of them needs it."""

    def arrange(more: Callable[[], None] = nothing_more) -> Live:
        with server.store(), database.atomic():
            for step in (wipe, people, ticket, hike, more):
                step()
            assert list(check.faults()) == []
        return server

    return arrange


@pytest.fixture
def answer(name: str, arranged: Arranged) -> Answer:
    """What the server answers to the example of this *name*."""
    return send(arranged(CASES[name].arrange), recorded_call(name))


def test_every_example_is_recorded_on_both_sides() -> None:
    """Each recorded request has a recorded answer, and none is left over."""
    assert {case.answer or name for name, case in CASES.items()} == RESPONSES.keys()
    assert CASES.keys() == REQUESTS.keys()


@pytest.mark.parametrize("name", CASES)
def test_the_answer_is_the_recorded_one(name: str, answer: Answer) -> None:
    """Keys, order, types and values of the answer are those of the example."""
    case = CASES[name]
    variable = VARIABLE | case.fresh
    recorded = RESPONSES[case.answer or name].read_bytes()
    assert read(answer.body, variable) == read(recorded, variable)


@pytest.mark.parametrize("name", AFTERWARDS)
def test_the_example_leaves_its_mark(name: str, answer: Answer, server: Live) -> None:
    """What an example does shows in the next call, and what is refused changes nothing."""
    following, expected = AFTERWARDS[name]
    afterwards = send(server, recorded_call(following))
    assert read(afterwards.body, VARIABLE) == read(RESPONSES[expected].read_bytes(), VARIABLE)


@pytest.mark.parametrize("name", CASES)
def test_the_head_is_the_documented_one(name: str, answer: Answer) -> None:
    """Every answer is HTTP 200, says its type and length, and whether somebody is logged in."""
    assert answer.status == 200
    assert answer.head["Content-Type"] == "text/xml; charset=UTF-8"
    assert answer.head["Content-Length"].isdigit()
    assert answer.head["Mobiquo_is_login"] == str(CASES[name].is_login).lower()


@pytest.mark.parametrize("name", CASES)
def test_only_login_and_logout_touch_the_cookie(name: str, answer: Answer) -> None:
    """The session cookie is set by login, taken away by logout, and left alone by all else."""
    assert re.fullmatch(CASES[name].cookie, answer.head["Set-Cookie"] or "")


@pytest.mark.parametrize("name", CASES)
def test_the_answer_has_the_narrow_form(name: str, answer: Answer) -> None:
    """Every answer is valid under the schema, and its text holds nothing that parsers stumble over."""
    SCHEMA.assertValid(etree.fromstring(answer.body))
    assert [stumble for stumble, pattern in STUMBLES.items() if pattern.search(answer.body)] == []


@pytest.mark.parametrize("name", RESPONSES)
def test_the_recorded_answer_has_the_narrow_form(name: str) -> None:
    """Every recorded answer is valid under the schema, and its text as plain as ours."""
    recorded = RESPONSES[name].read_bytes()
    SCHEMA.assertValid(etree.fromstring(recorded))
    assert [stumble for stumble, pattern in STUMBLES.items() if pattern.search(recorded)] == []


@pytest.mark.parametrize("value", WRONG_VALUES.values(), ids=WRONG_VALUES)
def test_the_schema_refuses_what_is_never_written(value: str) -> None:
    """A value outside the narrow form makes a response invalid."""
    document = f"<methodResponse><params><param><value>{value}</value></param></params></methodResponse>"
    assert not SCHEMA.validate(etree.fromstring(document))


@pytest.mark.parametrize("headers", AWKWARD_HEADS.values(), ids=AWKWARD_HEADS)
def test_an_awkward_head_is_no_error(headers: Mapping[str, str], arranged: Arranged) -> None:
    """What a client's head says in its own way does not change the answer."""
    awkward = send(arranged(), recorded_call("EX12")._replace(headers=headers))
    assert read(awkward.body, VARIABLE) == read(RESPONSES["EX12"].read_bytes(), VARIABLE)


def test_a_long_answer_is_compressed_for_whoever_accepts_it(arranged: Arranged) -> None:
    """An answer that is worth it comes under gzip, and says that it depends on what was accepted."""
    head = send(arranged(), recorded_call("EX01")).head
    assert (head["Content-Encoding"], head["Vary"]) == ("gzip", "Accept-Encoding")
