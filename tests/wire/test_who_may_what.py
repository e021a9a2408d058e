"""Who may what: every published call, read off its declaration, made by everybody who could try it.

What a call is for is read off its actor and the names of its parameters, so that a new one is tried by
itself; what cannot be read off stands in the tables below. Nobody who is refused changes anything.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from io import BytesIO
from threading import Barrier
from typing import Any
from urllib.parse import urlencode
from xmlrpc.client import Fault, dumps, loads

import pytest
from conftest import Live, Member, Player
from rest_client import Answer, Client, lasting
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from models import transact, whole
from models.conversations import PlaceCount
from server.actions import accounts
from server.app import App
from server.config import Settings
from server.faces import pages, tapatalk
from server.faces.chat import events
from server.faces.published import METHODS
from server.files import Files
from server.pictures import BLANK
from server.visits import Script
from server.wire.declare import Method, Param
from server.wire.types import ID, IDS, KEY, STRING, Array, Looked

# The library makes some that are longer than they may be.
BOUNDARY = "between-parts"
XML, FORM, REST = "XML-RPC", "a form", "REST"
PASSWORD = "a long password"
SECONDS = 30
ROUNDS = 8

# What the ids that calls take name, by the name of the parameter. A room's message and an entry of a call
# history go by one name; the latter is a place in one's own list, and gives nobody anything.
CONVERSATION, MESSAGE, UPLOAD, GROUP = "a conversation", "a message", "an upload", "a group of uploads"
PERSON, CONTACT, CALL, PLAYER, OWN_WORD = "a user", "a contact", "a call", "a player", "a word of one's own"
THINGS = {
    "conv_id": CONVERSATION,
    "conversation_id": CONVERSATION,
    "conversationId": CONVERSATION,
    "chatId": CONVERSATION,
    "message_id": CONVERSATION,
    "msg_id": MESSAGE,
    "before": MESSAGE,
    "after": MESSAGE,
    "beforeId": MESSAGE,
    "attachment_id": UPLOAD,
    "attachment_id_array": UPLOAD,
    "group_id": GROUP,
    "user_id": PERSON,
    "userId": PERSON,
    "contactId": CONTACT,
    "callId": CALL,
    "src": PLAYER,
    "number": PLAYER,
    "forum_id": OWN_WORD,
    "post_id": OWN_WORD,
    "id": OWN_WORD,
}

# What is for whom.
OPEN, MEMBERS, SCRIPTS = "anyone", "members", "scripts"
INSIDE, STARTER, ASKED, ENTERING = "those inside", "the starter", "the one who is asked", "who enters"
# Of what is for those inside, what else than being there it takes; and what needs no invitation.
RIGHTS = {
    "invite_participant": STARTER,
    "edit_conversation": STARTER,
    "close_conversation": STARTER,
    "open_conversation": STARTER,
    "DELETE /chat/{chatId}": STARTER,
    "POST /chat/{chatId}/accept": ASKED,
    "POST /chat/{chatId}/decline": ASKED,
    "Darkchat_AddToConversationBySrc": ENTERING,
    "Darkchat_AddToConversationByNumber": ENTERING,
}
# What is declared for anyone; listening asks for a credential by itself, which may stand in the address.
UNGUARDED = {
    "get_config",
    "login",
    "logout_user",
    "get_forum",
    "POST /auth/token",
    *(name for name in METHODS if name.startswith("system.")),
    *("register", "forget_password", "update_password", "update_email", "update_profile"),
    *("prefetch_account", "sign_in", "report_pm", "upload_avatar"),
}
GUARDS_ITSELF = {"GET /chat/events": MEMBERS}
# The addresses that are no calls, and which of them give something to anyone.
XML_ADDRESSES = {"/mobiquo/mobiquo.php", "/mobiquo/mobiquo", "/mobiquo", "/RPC2"}
ADDRESSES = {*XML_ADDRESSES, "/healthz", "/readyz", "/openapi.json", "/mobiquo/avatar.php"}
PAGES = {"/", "/docs", "/docs/cookbook", "/login"}

YES, NO = "done", "refused in words"
# What becomes of a call by those who are inside; to everyone else there is no conversation.
EXPECTED = {
    INSIDE: {"owner": YES, "participant": YES},
    STARTER: {"owner": YES, "participant": NO},
    ASKED: {"owner": NO, "participant": YES},
    ENTERING: {"owner": YES, "participant": YES},
}

# Other values that a call takes: by the name of the parameter, or else by its type.
VALUES: dict[str, Any] = {
    "mode": 1,
    "username": "nobody",
    "password": "no such password",
    "method_name": "get_config",
    "contactNumber": "555-99",
    "joinCode": "NONE",
    "from": "555-98",
    "to": "555-97",
}
SAMPLES = {"string": "word", "base64": "word", "int": 1, "boolean": True, "array": [], "struct": {}}
# Calls that do several things, and those that need more than they require.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "delete_conversation": [{"mode": 1}, {"mode": 2}],
    "POST /chat/{chatId}/messages": [{"text": "Hello"}],
    # With an epoch it would send all players home.
    "Players_Sync": [{"epoch": ""}],
}
LEAVING = "delete_conversation mode 2"
# Who are there, what opens nothing, and the two of it that stand for all where any would do.
NAMES = ("owner", "participant", "left", "removed", "hiding", "ignoring", "stranger")
NOTHING, WORTHLESS = "nothing", "a disabled user's token"
WRONG = ("a made-up token", "an ended session", "a revoked token", WORTHLESS, "a disabled user's session")
TWO_WRONG = (NOTHING, WORTHLESS)
ASKED_FOR = "a chat that is asked for"
# What ids no store has given yet: some that fit anywhere, and the largest.
MISSING = ("2000000000", "999999999999999999")
LOGIN_REQUIRED = b"<name>error</name><value><base64>" + b64encode(b"Login required")


@dataclass(frozen=True)
class Deed:
    """One way to make a published call; *more* are values that it has beyond those it requires."""

    name: str
    method: Method
    kind: str
    verb: str = "POST"
    path: str = "/mobiquo/mobiquo.php"
    more: Mapping[str, Any] = field(default_factory=dict)

    def named(self, *things: str) -> list[Param]:
        """The parameters that name one of these *things*."""
        return [param for param in self.method.params if THINGS.get(param.name) in things]

    @property
    def is_usual(self) -> bool:
        """Whether it is the one of several addresses and verbs that clients are told of."""
        return self.kind != REST or self.name == self.method.name

    @property
    def at_phone(self) -> bool:
        return self.method.actor is Script

    @property
    def right(self) -> str:
        """Whom it is for."""
        if self.method.name in GUARDS_ITSELF:
            return GUARDS_ITSELF[self.method.name]
        if self.method.actor is None:
            return OPEN
        if self.named(CONVERSATION):
            return RIGHTS.get(self.method.name, INSIDE)
        return SCRIPTS if self.at_phone else MEMBERS


def deeds() -> Iterator[Deed]:
    """Every way to make every published call."""
    for name, method in METHODS.items():
        yield from varied(name, method, XML, "POST", "/mobiquo/mobiquo.php")
    for name, method in tapatalk.face.forms.items():
        yield from varied(name, method, FORM, "POST", "/mobiquo/upload.php")
    # Only with listening, which the server adds, are these all routes.
    for route in events.face.routes.values():
        for verb in route.verbs:
            for path in route.paths:
                yield from varied(f"{verb} {path}", route.method, REST, verb, path)


def varied(name: str, method: Method, kind: str, verb: str, path: str) -> Iterator[Deed]:
    for more in VARIANTS.get(method.name, [{}]):
        mode = f" mode {more['mode']}" if "mode" in more else ""
        yield Deed(name + mode, method, kind, verb, path, more)


DEEDS = list(deeds())
IN_CONVERSATIONS = [deed for deed in DEEDS if deed.right in EXPECTED]
FOR_SOMEBODY = [deed for deed in DEEDS if deed.right != OPEN]
GUARDED = [deed for deed in IN_CONVERSATIONS if deed.right != ENTERING]


def each(some: list[Deed]) -> list[Any]:
    return [pytest.param(deed, id=deed.name) for deed in some]


@dataclass
class Place:
    """A conversation with a message that carries an attachment, and who has nothing to do with it.

    *gone* to nobody of these it exists at any door; *unseen* are those who do not see it in their lists.
    """

    conversation: str
    message: str
    attachment: str
    gone: list[str]
    unseen: list[str] = field(default_factory=list)


Ids = Mapping[str, str]


@dataclass
class Cast:
    """The people, their credentials, and where they are or were."""

    live: Live
    client: Client
    people: dict[str, Player]
    key: str
    phone: Any
    wrong: dict[str, dict[str, str]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    def token(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.people[who].token}"}

    def credential(self, deed: Deed, who: str) -> dict[str, str]:
        """With what a call is made for somebody."""
        return {"Authorization": f"Bearer {self.key}"} if deed.at_phone else self.token(who)

    def asks(self, deed: Deed, who: str, ids: Ids) -> Answer:
        """The answer to somebody's call about the things with these *ids*."""
        return self.send(deed, values_of(deed, self.people[who], ids), self.credential(deed, who))

    def send(self, deed: Deed, values: dict[str, Any], headers: Mapping[str, str]) -> Answer:
        verb, path, body, media_type = written(deed, values)
        return self.client.send(verb, path, body, **{"Content_Type": media_type, **headed(headers)})

    def upload(self, who: str, **more: str) -> dict[str, Any]:
        """A file that somebody has uploaded and not sent."""
        boundary, body = encode_multipart({"attachment": a_picture(), **more}, BOUNDARY)
        media_type = f"multipart/form-data; boundary={boundary}"
        answer = self.client.send(
            "POST", "/mobiquo/upload.php", body, Content_Type=media_type, **self.token(who)
        )
        uploaded: dict[str, Any] = value_in(answer)
        assert uploaded["result"], uploaded
        return uploaded

    def room(self, *others: str) -> str:
        """A room of the owner's, in which these are as well."""
        made = self.phone.Darkchat_CreateConversationByNumber(self.people["owner"].number, "Room")
        room = made["newConv"]["id"]
        for other in others:
            assert self.phone.Darkchat_AddToConversationByNumber(self.people[other].number, room)
        return str(room)

    def pending(self, owner: Member, participant: Member) -> str:
        """A chat that the one has asked the other for."""
        asked = self.client.post(
            "/chat", {"userId": int(participant.id)}, Authorization=f"Bearer {owner.token}"
        )
        assert asked.status == 201, asked
        return str(asked.json["id"])

    def filled(self, conversation: str, gone: list[str], unseen: list[str]) -> Place:
        """The conversation with something said by the owner that carries a file."""
        upload = self.upload("owner")["attachment_id"]
        said = self.people["owner"].rpc.reply_conversation(conversation, b"Look", "", [upload])
        return Place(conversation, said["msg_id"], upload, gone, unseen)

    def leaves(self, who: str, conversation: str) -> None:
        assert self.people[who].rpc.delete_conversation(conversation, 2)["result"]

    def hides(self, who: str, conversation: str) -> None:
        assert self.people[who].rpc.delete_conversation(conversation, 1)["result"]

    def stored(self) -> dict[str, list[Any]]:
        """All that the store holds, but for when people were seen."""
        with self.live.store():
            return {
                table._meta.table_name: sorted(rows_of(table), key=repr)
                for table in [*whole.tables(), PlaceCount]
            }


def rows_of(table: Any) -> list[Any]:
    seen = ("seen_at", "used_at", "address")
    return list(table.select(*(each for each in table._meta.sorted_fields if each.name not in seen)).tuples())


def a_picture() -> FileStorage:
    return FileStorage(BytesIO(BLANK), "dot.png")


def values_of(deed: Deed, player: Member, ids: Ids) -> dict[str, Any]:
    """What the call is made with: what it requires, all that names a conversation, and what *ids* say."""
    wanted = [
        param
        for param in deed.method.params
        if param.required or THINGS.get(param.name) == CONVERSATION or param.name in ids
    ]
    return {**{param.name: value_of(deed, param, player, ids) for param in wanted}, **deed.more}


def value_of(deed: Deed, param: Param, player: Member, ids: Ids) -> Any:
    thing = THINGS.get(param.name, "")
    given = ids.get(param.name) or ids.get(thing)
    if thing == PLAYER:
        return getattr(player, param.name)
    if given is not None:
        return in_type(param, given)
    if param.name in VALUES:
        return VALUES[param.name]
    if param.name == "user_name":
        return [ids.get("name", "nobody")]
    return a_picture() if param.codec.name == "file" else SAMPLES[param.codec.name]


def in_type(param: Param, given: str) -> Any:
    """An id in the form in which the parameter takes it."""
    if isinstance(param.codec, Array):
        return [given]
    # An int of XML-RPC has not room for every id, of which strings are taken as well.
    return given if param.codec in (ID, IDS, KEY, STRING) else int(given)


def written(deed: Deed, values: dict[str, Any]) -> tuple[str, str, bytes, str]:
    """The call as a request: verb, path, body and its type."""
    if deed.kind == XML:
        return deed.verb, deed.path, dumps(positional(deed, values), deed.method.name).encode(), "text/xml"
    if deed.kind == FORM:
        boundary, body = encode_multipart({"method_name": deed.method.name, **values}, BOUNDARY)
        return deed.verb, deed.path, body, f"multipart/form-data; boundary={boundary}"
    path = deed.path.format(**values)
    rest = {name: value for name, value in values.items() if f"{{{name}}}" not in deed.path}
    if deed.verb in ("GET", "DELETE"):
        # Listening would have no end; its head says the same.
        verb = "HEAD" if path == "/chat/events" else deed.verb
        return verb, f"{path}?{urlencode(rest)}", b"", ""
    return deed.verb, path, json.dumps(rest).encode(), "application/json"


def positional(deed: Deed, values: dict[str, Any]) -> tuple[Any, ...]:
    """The values in their places; what is left out between them is empty."""
    names = [param.name for param in deed.method.params]
    last = max((place for place, name in enumerate(names) if name in values), default=-1)
    return tuple(values.get(name, "") for name in names[: last + 1])


def value_in(answer: Answer) -> Any:
    try:
        [value], _ = loads(answer.body, use_builtin_types=True)
    except Fault as fault:
        return fault
    return value


def is_no(deed: Deed, answer: Answer) -> bool:
    """Whether an answer is a refusal, in whatever shape."""
    if deed.kind == REST:
        return answer.status >= 400
    value = value_in(answer)
    if isinstance(value, dict):
        return not value.get("result", value.get("success", True))
    return isinstance(value, Fault) or value is False or value == []


def wants_another(deed: Deed, answer: Answer) -> bool:
    """Whether an answer says that whoever asks is nobody for whom this is."""
    if deed.kind == REST:
        return answer.status == 401
    value = value_in(answer)
    if isinstance(value, Fault):
        return value.faultCode == 401
    return LOGIN_REQUIRED in answer.body


def bytes_of(answer: Answer, *less: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """An answer as it came, but for what changes by itself."""
    return answer.status, lasting(answer.headers, *less), answer.body


def ids_in(place: Place, **others: str) -> dict[str, str]:
    return {CONVERSATION: place.conversation, MESSAGE: place.message, UPLOAD: place.attachment, **others}


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    """A server of this module's own, so that its store can be compared before and after."""
    live = Live(tmp_path_factory.mktemp("who"), "--limits", "off")
    client = Client(live.address)
    with client.kept_alive():
        yield made_up(live, client)
    live.stop()


def made_up(live: Live, client: Client) -> Cast:
    key = live.key()
    phone = live.proxy(("Authorization", f"Bearer {key}"))
    cast = Cast(live, client, {name: live.player(name) for name in NAMES}, key, phone)
    cast.wrong = wrong_credentials(live, client)
    cast.places = {
        "a room": a_room(cast),
        "a forum's conversation": a_conversation(cast),
        "text messages": some_texts(cast),
        "a chat": a_chat(cast),
        ASKED_FOR: cast.filled(
            cast.pending(cast.people["owner"], cast.people["participant"]),
            ["left", "removed", "stranger"],
            ["participant"],
        ),
    }
    return cast


def wrong_credentials(live: Live, client: Client) -> dict[str, dict[str, str]]:
    """What opens nothing: what never did, and what does no longer."""
    ended, disabled = (live.member(name, PASSWORD) for name in ("ended", "disabled"))
    revoked = live.member("revoked")
    over, lost = (logged_in(live, member) for member in (ended, disabled))
    live.proxy(("Cookie", over)).logout_user()
    assert client.send("DELETE", "/auth/token", Authorization=f"Bearer {revoked.token}").status == 204
    with live.store():
        transact(lambda: accounts.disable(accounts.named(disabled.name)), writes=True)
    return {
        NOTHING: {},
        "a made-up token": {"Authorization": "Bearer made-up"},
        "an ended session": {"Cookie": over},
        "a revoked token": {"X-API-Key": revoked.token},
        WORTHLESS: {"Authorization": f"Bearer {disabled.token}"},
        "a disabled user's session": {"Cookie": lost},
    }


def logged_in(live: Live, member: Member) -> str:
    """The cookie of a session of this member's."""
    answer = Client(live.address).send(
        "POST", "/RPC2", dumps((member.name, PASSWORD), "login").encode(), Content_Type="text/xml"
    )
    return answer.header("Set-Cookie").partition(";")[0]


def a_room(cast: Cast) -> Place:
    room = cast.room("participant", "left", "removed", "hiding")
    place = cast.filled(room, ["left", "removed", "stranger"], ["hiding"])
    cast.leaves("left", room)
    assert cast.phone.Darkchat_RemoveFromConversationByNumber(cast.people["removed"].number, room)
    cast.hides("hiding", room)
    return place


def a_conversation(cast: Cast) -> Place:
    assert cast.people["ignoring"].rpc.ignore_user(cast.people["owner"].id, 1)["result"]
    names = [cast.people[who].name for who in ("participant", "left", "hiding", "ignoring")]
    begun = cast.people["owner"].rpc.new_conversation(names, b"Subject", b"first")["conv_id"]
    place = cast.filled(begun, ["left", "ignoring", "removed", "stranger"], ["hiding"])
    cast.leaves("left", begun)
    cast.hides("hiding", begun)
    return place


def some_texts(cast: Cast) -> Place:
    sent = cast.phone.Messages_SendMessageToNumber(
        cast.people["left"].number, "Hello", cast.people["owner"].number
    )
    place = cast.filled(str(sent["conversation"]["conversationId"]), ["left", "stranger"], [])
    cast.leaves("left", place.conversation)
    return place


def a_chat(cast: Cast) -> Place:
    begun = cast.pending(cast.people["owner"], cast.people["left"])
    path = f"/chat/{begun}/accept"
    assert cast.client.post(path, **cast.token("left")).status == 200
    place = cast.filled(begun, ["left", "stranger"], [])
    cast.leaves("left", begun)
    return place


@pytest.fixture
def unchanged(cast: Cast) -> Iterator[None]:
    """What the test does changes nothing in the store."""
    before = cast.stored()
    yield
    after = cast.stored()
    assert {name for name in before if before[name] != after[name]} == set()


def test_every_id_is_known() -> None:
    """Of each parameter that looks like an id it is known what it names, so that another's can be tried."""
    unknown = {
        f"{deed.method.name}: {param.name}"
        for deed in DEEDS
        for param in deed.method.params
        if param.name not in THINGS and looks_like_an_id(param)
    }
    assert unknown == set(), f"Say in THINGS what these name, so that another's is tried: {unknown}"


def looks_like_an_id(param: Param) -> bool:
    codec = param.codec.item if isinstance(param.codec, Array) else param.codec
    return (
        codec in (ID, IDS, KEY) or isinstance(codec, Looked) or re.search("(?i)id$", param.name) is not None
    )


def test_what_is_open_to_all_is_what_is_listed() -> None:
    """Nothing is open to anyone but what is meant to be."""
    declared = {deed.method.name for deed in DEEDS if deed.method.actor is None}
    said = UNGUARDED | set(GUARDS_ITSELF)
    assert declared == said, (
        f"Is it meant that these are for anyone? Then UNGUARDED says so: {declared ^ said}"
    )


def test_every_exception_is_about_something() -> None:
    """What is said of a call that is not published any more is said no more."""
    published = {deed.method.name for deed in DEEDS}
    taken = {param.name for deed in DEEDS for param in deed.method.params}
    assert (RIGHTS.keys() | VARIANTS.keys()) - published == set()
    assert THINGS.keys() - taken == set()


def test_every_plain_address_is_known(store: Settings) -> None:
    """There is no address but those of the calls, and of the pages that are tried below."""
    known = {*ADDRESSES, "/mobiquo/upload.php"}
    assert set(App(store).routes) == known, (
        "An address is new: say in ADDRESSES that anyone may read it, or try it"
    )


def test_every_page_is_known() -> None:
    """There is no page for anyone but those that are tried below; the others are tried beside the pages."""
    read = [route for route in pages.face.routes.values() if route.reads_query]
    assert {route.paths[0] for route in read if route.method.actor is None} == PAGES, (
        "A page is new: say in PAGES that anyone may read it, or declare it for members"
    )


def headed(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as the client takes them."""
    return {name.replace("-", "_"): value for name, value in headers.items()}


@pytest.mark.parametrize("path", sorted(ADDRESSES | PAGES))
@pytest.mark.usefixtures("unchanged")
def test_pages_are_for_anyone(cast: Cast, path: str) -> None:
    """A page is the same to who brings nothing and to who brings what opens nothing."""
    nothing, worthless = (cast.client.send("GET", path, **headed(cast.wrong[name])) for name in TWO_WRONG)
    assert nothing.status == 200
    assert bytes_of(nothing) == bytes_of(worthless)


@pytest.fixture(scope="module")
def nothing(cast: Cast) -> dict[str, Answer]:
    """How each call that is not for anyone is refused to who brings no credential."""
    answers = {deed.name: tried(cast, deed, {}) for deed in FOR_SOMEBODY}
    assert [deed.name for deed in FOR_SOMEBODY if not wants_another(deed, answers[deed.name])] == []
    return answers


def tried(cast: Cast, deed: Deed, headers: Mapping[str, str]) -> Answer:
    """The answer to a call about what is the owner's, with such *headers*."""
    return cast.send(deed, values_of(deed, cast.people["owner"], ids_in(cast.places["a room"])), headers)


@pytest.mark.parametrize("name", sorted({NOTHING, *WRONG}))
@pytest.mark.usefixtures("unchanged")
def test_what_opens_nothing_is_like_nothing(cast: Cast, nothing: dict[str, Answer], name: str) -> None:
    """What is not for anyone is refused to a wrong credential in the very bytes of no credential."""
    answers = {deed.name: tried(cast, deed, cast.wrong[name]) for deed in FOR_SOMEBODY}
    assert [each for each in answers if bytes_of(answers[each]) != bytes_of(nothing[each])] == []


@pytest.mark.usefixtures("unchanged")
def test_a_server_key_opens_nothing_of_a_member_s(cast: Cast, nothing: dict[str, Answer]) -> None:
    """A server key is nothing where a member is asked for."""
    key = {"Authorization": f"Bearer {cast.key}"}
    answers = {deed.name: tried(cast, deed, key) for deed in FOR_SOMEBODY if not deed.at_phone}
    assert [each for each in answers if bytes_of(answers[each]) != bytes_of(nothing[each])] == []


@pytest.mark.usefixtures("unchanged")
def test_a_member_opens_nothing_of_a_game_server_s(cast: Cast, nothing: dict[str, Answer]) -> None:
    """A member is nobody where a server key is asked for, though the head says that he has logged in."""
    token, head = cast.token("owner"), "mobiquo_is_login"
    answers = {deed.name: tried(cast, deed, token) for deed in FOR_SOMEBODY if deed.at_phone}
    assert [each for each in answers if bytes_of(answers[each], head) != bytes_of(nothing[each], head)] == []


@pytest.mark.parametrize("right", [MEMBERS, SCRIPTS])
def test_who_comes_with_the_right_one_is_heard(cast: Cast, right: str) -> None:
    """What names no conversation hears every member, and every script, there is."""
    newcomer = cast.live.player()
    credential = {"Authorization": f"Bearer {newcomer.token if right == MEMBERS else cast.key}"}
    # What makes the token worthless comes last.
    tried = sorted((deed for deed in DEEDS if deed.right == right), key=lambda deed: deed.verb == "DELETE")
    ids = {PERSON: cast.people["stranger"].id}
    answers = {deed.name: cast.send(deed, values_of(deed, newcomer, ids), credential) for deed in tried}
    assert [deed.name for deed in tried if wants_another(deed, answers[deed.name])] == []


def test_what_is_for_anyone_asks_for_nothing(cast: Cast) -> None:
    """What is open to anyone is the same to who brings nothing and to who brings what opens nothing."""
    for deed in DEEDS:
        if deed.right == OPEN:
            values = values_of(deed, cast.people["owner"], {})
            nothing, worthless = (cast.send(deed, values, cast.wrong[name]) for name in TWO_WRONG)
            assert LOGIN_REQUIRED not in nothing.body
            assert bytes_of(nothing) == bytes_of(worthless), deed.name


@pytest.mark.parametrize("who", ["owner", "participant"])
@pytest.mark.parametrize("deed", each([deed for deed in IN_CONVERSATIONS if deed.is_usual]))
def test_those_inside_get_what_is_theirs(cast: Cast, deed: Deed, who: str) -> None:
    """Each of those inside may what the table says, and is refused the rest in words that change nothing."""
    expected = EXPECTED[deed.right][who]
    people, ids = inside(cast, deed)
    values = values_of(deed, people[who], ids)
    credential = {"Authorization": f"Bearer {cast.key if deed.at_phone else people[who].token}"}
    before = cast.stored() if expected == NO else {}
    answer = cast.send(deed, values, credential)
    assert (NO if is_no(deed, answer) else YES) == expected, (
        f"{answer}. Where that is meant, RIGHTS says for whom {deed.method.name} is."
    )
    if expected == NO:
        assert cast.stored() == before


def inside(cast: Cast, deed: Deed) -> tuple[Mapping[str, Member], Ids]:
    """A new conversation of an owner's and a participant's, in which something was said."""
    if deed.right == ASKED or deed.verb == "DELETE":
        people = {name: cast.live.player(name) for name in ("owner", "participant")}
        return people, {CONVERSATION: cast.pending(people["owner"], people["participant"])}
    room = cast.room("participant")
    said = cast.people["owner"].rpc.reply_conversation(room, b"Hello")["msg_id"]
    return cast.people, {CONVERSATION: room, MESSAGE: said, "name": cast.people["stranger"].name}


@pytest.mark.parametrize("who", NAMES)
@pytest.mark.usefixtures("unchanged")
def test_another_s_conversation_is_like_none(cast: Cast, who: str) -> None:
    """A conversation in which one is not, or no longer, is byte for byte like one that is not there."""
    assert [found for deed in GUARDED for found in told_apart(cast, deed, who)] == []


def told_apart(cast: Cast, deed: Deed, who: str) -> list[tuple[str, str]]:
    """The places that do not exist for somebody who makes this call, and yet are told from what is not."""
    places = {name: ids_in(cast.places[name]) for name in closed_to(cast, deed, who)}
    if not places or not (deed.is_usual or who == "stranger"):
        return []
    some = next(iter(places.values()))
    absent = [cast.asks(deed, who, {**some, CONVERSATION: each}) for each in MISSING]
    none = bytes_of(absent[0])
    assert is_no(deed, absent[0]) and bytes_of(absent[1]) == none
    return [(deed.name, name) for name, ids in places.items() if bytes_of(cast.asks(deed, who, ids)) != none]


def closed_to(cast: Cast, deed: Deed, who: str) -> list[str]:
    """The places that do not exist for somebody who makes this call."""
    return [name for name, place in cast.places.items() if who in outsiders(deed, name, place)]


def outsiders(deed: Deed, name: str, place: Place) -> list[str]:
    if deed.at_phone:
        # What is no room is there for nobody.
        return place.gone if name == "a room" else ["owner", "stranger"]
    if deed.kind == REST and name == ASKED_FOR:
        return place.gone
    # Who has hidden a conversation may still leave it.
    return [who for who in place.gone + place.unseen if (deed.name, who) != (LEAVING, "hiding")]


@pytest.mark.usefixtures("unchanged")
def test_within_a_multicall_too(cast: Cast) -> None:
    """Of several calls in one request too, those about another's conversation are like those about none."""
    tried = [deed for deed in GUARDED if deed.kind == XML and not deed.at_phone]
    place, person = cast.places["a forum's conversation"], cast.people["left"]
    answers = []
    for conversation in (place.conversation, *MISSING):
        ids = {**ids_in(place), CONVERSATION: conversation}
        made = [
            {"methodName": deed.method.name, "params": list(positional(deed, values_of(deed, person, ids)))}
            for deed in tried
        ]
        answers.append(person.rpc.system.multicall(made))
    assert all(not value["result"] for [value] in answers[0])
    assert answers[1:] == [answers[0]] * 2


@pytest.mark.usefixtures("unchanged")
def test_another_conversation_s_message_is_like_none(cast: Cast) -> None:
    """In a conversation of one's own, a message of any other is byte for byte like one that is not there."""
    room, others = cast.places["a room"], list(cast.places.values())[1:]
    tried = [(deed, param) for deed in GUARDED for param in deed.named(MESSAGE)]
    assert len(tried) >= 5
    for deed, param in tried:
        ids = {CONVERSATION: room.conversation}
        absent, *foreign = (
            cast.asks(deed, "participant", {**ids, param.name: each})
            for each in (*MISSING, *(other.message for other in others))
        )
        assert is_no(deed, absent), deed.name
        assert [bytes_of(answer) for answer in foreign] == [bytes_of(absent)] * len(foreign), deed.name


@pytest.mark.parametrize("name", ["mark_conversation_read", "mark_conversation_unread"])
@pytest.mark.usefixtures("unchanged")
def test_one_of_another_s_among_one_s_own(cast: Cast, name: str) -> None:
    """Of several ids one that is another's is like one that is not there: none is done."""
    [deed] = [deed for deed in GUARDED if deed.name == name]
    own, foreign = cast.places["a forum's conversation"], cast.places["a chat"]
    several = [f"{own.conversation},{each}" for each in (foreign.conversation, *MISSING)]
    answers = [cast.asks(deed, "participant", {CONVERSATION: each}) for each in several]
    assert is_no(deed, answers[0])
    assert all(bytes_of(answer) == bytes_of(answers[0]) for answer in answers)


@pytest.fixture(scope="module")
def waiting(cast: Cast) -> dict[str, str]:
    """An upload of the owner's that has not been sent, and its group."""
    upload = cast.upload("owner")
    return {UPLOAD: upload["attachment_id"], GROUP: upload["group_id"]}


@pytest.mark.parametrize("thing", [UPLOAD, GROUP])
@pytest.mark.parametrize("who", ["participant", "stranger"])
def test_another_s_upload_is_like_none(cast: Cast, waiting: Ids, who: str, thing: str) -> None:
    """Neither an upload that another has not sent nor a group of his is there, for whatever it is named."""
    tried = [(deed, param.name) for deed in DEEDS for param in deed.named(thing)]
    assert len(tried) >= 3
    before = cast.stored()
    room = {} if who == "stranger" else {CONVERSATION: cast.places["a room"].conversation}
    own = {"name": cast.people["owner"].name, **room}
    for deed, name in tried:
        absent = "no-such-group" if thing == GROUP else MISSING[0]
        foreign, missing = (
            cast.asks(deed, who, {**own, name: each, UPLOAD: waiting[UPLOAD]})
            for each in (waiting[thing], absent)
        )
        assert is_no(deed, foreign), deed.name
        assert bytes_of(foreign) == bytes_of(missing), deed.name
    assert cast.stored() == before


@pytest.mark.usefixtures("unchanged")
def test_what_was_sent_is_nobody_s_upload_any_more(cast: Cast) -> None:
    """A file that a message carries is no upload: not even its uploader can send it again or take it back."""
    tried = [(deed, param.name) for deed in DEEDS for param in deed.named(UPLOAD)]
    room = cast.places["a room"]
    own = {CONVERSATION: room.conversation, "name": cast.people["participant"].name}
    for deed, name in tried:
        sent, missing = (
            cast.asks(deed, "owner", {**own, name: each}) for each in (room.attachment, MISSING[0])
        )
        assert is_no(deed, sent)
        assert bytes_of(sent) == bytes_of(missing)


@pytest.mark.parametrize("part", ["", "thumbnail/"])
@pytest.mark.usefixtures("unchanged")
def test_another_s_file_is_like_none(cast: Cast, waiting: Ids, part: str) -> None:
    """A file is for those who see its message, and at first for its uploader; to others it is not there."""
    allowed = []
    files = {name: place.attachment for name, place in cast.places.items()} | {"waiting": waiting[UPLOAD]}
    for who in NAMES:
        absent = [download(cast, who, each, part) for each in MISSING]
        assert absent[0].status == 404
        answers = {name: download(cast, who, file, part) for name, file in files.items()}
        allowed += [(name, who) for name in files if answers[name].status == 200]
        refused = [answer for answer in answers.values() if answer.status != 200]
        assert {repr(bytes_of(answer)) for answer in absent + refused} == {repr(bytes_of(absent[0]))}
    assert allowed == [
        *((name, "owner") for name in files),
        *((name, "participant") for name in ("a room", "a forum's conversation", ASKED_FOR)),
    ]


def download(cast: Cast, who: str, attachment: str, part: str) -> Answer:
    return cast.client.send("GET", f"/attachments/{attachment}/{part}dot.png", **headed(cast.token(who)))


@pytest.mark.parametrize("name", sorted({"a server key", *WRONG}))
@pytest.mark.usefixtures("unchanged")
def test_a_file_is_for_members(cast: Cast, name: str) -> None:
    """Without a member's credential a file that is there is byte for byte like one that is not."""
    headers = headed(cast.wrong.get(name, {"Authorization": f"Bearer {cast.key}"}))
    there, absent = (
        cast.client.send("GET", f"/attachments/{each}/dot.png", **headers)
        for each in (cast.places["a room"].attachment, MISSING[0])
    )
    assert there.status == 401
    assert bytes_of(there) == bytes_of(absent)


def test_a_picture_is_for_members(cast: Cast) -> None:
    """To who is no member somebody's picture is byte for byte like that of who is not there."""
    shown = cast.live.member("shown")
    files = Files(cast.live.files)
    with cast.live.store():
        transact(lambda: accounts.set_avatar(files, accounts.named(shown.name), BLANK), writes=True)
    own = cast.client.send("GET", f"/mobiquo/avatar.php?user_id={shown.id}", **headed(cast.token("stranger")))
    for headers in (*cast.wrong.values(), {"Authorization": f"Bearer {cast.key}"}):
        there, absent = (
            cast.client.send("GET", f"/mobiquo/avatar.php?user_id={each}&v=00000000", **headed(headers))
            for each in (shown.id, MISSING[0])
        )
        assert bytes_of(there) == bytes_of(absent) != bytes_of(own)


@pytest.mark.parametrize("who", ["left", "removed", "ignoring", "stranger"])
def test_what_others_say_shows_nowhere(cast: Cast, who: str) -> None:
    """No list and no count tells who is not inside that something was said there."""
    conversation = one_without(cast, who)
    reading = [deed for deed in DEEDS if deed.method.transaction == "read" and is_of_one_s_own(deed)]
    assert len(reading) >= 12
    before = [bytes_of(cast.asks(deed, who, {})) for deed in reading]
    assert cast.people["owner"].rpc.reply_conversation(conversation, b"Secret")["result"]
    after = [bytes_of(cast.asks(deed, who, {})) for deed in reading]
    assert [deed.name for deed, one, two in zip(reading, before, after, strict=True) if one != two] == []


def one_without(cast: Cast, who: str) -> str:
    """A new conversation in which somebody no longer is, or never was."""
    if who == "ignoring":
        names = [cast.people[each].name for each in ("participant", "ignoring")]
        return str(cast.people["owner"].rpc.new_conversation(names, b"Subject", b"first")["conv_id"])
    room = cast.room("participant", "left", "removed")
    cast.leaves("left", room)
    assert cast.phone.Darkchat_RemoveFromConversationByNumber(cast.people["removed"].number, room)
    return room


def is_of_one_s_own(deed: Deed) -> bool:
    """Whether a call tells of what is the asker's; who was here of late changes by itself."""
    return deed.right in (MEMBERS, SCRIPTS) and not deed.method.function.__module__.endswith("people")


@pytest.mark.parametrize(
    ("who", "hears"), [("participant", True), ("left", False), ("removed", False), ("stranger", False)]
)
def test_a_position_opens_nothing(cast: Cast, who: str, hears: bool) -> None:
    """From whatever position one listens, nothing is told of a conversation in which one is not."""
    room = one_without(cast, who)
    secret = str(cast.people["owner"].rpc.reply_conversation(room, b"Secret")["msg_id"])
    assert (f'"id": "{secret}"' in told_since(cast, who, "0")) is hears


def told_since(cast: Cast, who: str, position: str) -> str:
    """All that is told to somebody who knows what was before a position."""
    host, _, port = cast.live.address.removeprefix("http://").rpartition(":")
    with closing(HTTPConnection(host, int(port), timeout=SECONDS)) as connection:
        connection.request("GET", "/chat/events", headers={**cast.token(who), "Last-Event-ID": position})
        response = connection.getresponse()
        lines: list[str] = []
        while "event: totals\n" not in lines:
            lines.append(response.readline().decode())
    return "".join(line for line in lines if not line.startswith(("retry", ":")))


def test_another_s_key_is_like_any(cast: Cast) -> None:
    """A key with which another's request came is new with one's own, and tells nothing of his."""
    room = cast.room("participant")
    path, said = f"/chat/{room}/messages", {"text": "Mine", "id": "one id"}
    first, second = (
        cast.client.post(path, said, **headed(cast.token(who)), Idempotency_Key="one key")
        for who in ("owner", "participant")
    )
    assert (first.status, second.status) == (201, 201)
    assert first.json["id"] != second.json["id"]
    strange, missing = (
        cast.client.post(each, said, **headed(cast.token("stranger")), Idempotency_Key="one key")
        for each in (path, f"/chat/{MISSING[0]}/messages")
    )
    assert strange.status == 404
    assert bytes_of(strange) == bytes_of(missing)


@pytest.mark.parametrize("who", ["owner", "participant"])
def test_who_ignores_somebody_is_not_given_away(cast: Cast, who: str) -> None:
    """Who ignores the starter, and so never sees the conversation, is in it for the others at either door."""
    place, person = cast.places["a forum's conversation"], cast.people[who]
    there = {cast.people[each].id for each in ("owner", "participant", "hiding", "ignoring")}
    shown = cast.client.send("GET", f"/chat/{place.conversation}", **headed(cast.token(who)))
    listed = person.rpc.get_conversation(place.conversation, 0, 0)["participants"]
    assert {key for key, each in listed.items() if not each["has_left"]} == there
    assert {str(each["id"]) for each in shown.json["users"]} == there


def test_who_is_removed_says_nothing_more(cast: Cast) -> None:
    """Of what somebody says at the moment in which he is removed, nothing stands after that he was."""
    wanted = ("POST /chat/{chatId}/messages", "reply_conversation", "Darkchat_SendMessageByNumber")
    saying = [deed for deed in GUARDED if deed.name in wanted]
    removing = next(deed for deed in GUARDED if deed.name == "Darkchat_RemoveFromConversationByNumber")
    for _ in range(ROUNDS):
        room = cast.room("removed")
        done = at_once(cast, [*saying, removing], "removed", {CONVERSATION: room})
        said = sum(not is_no(deed, answer) for deed, answer in zip(saying, done, strict=False))
        path = f"/chat/{room}/messages?limit=100&order=asc"
        shown = cast.client.send("GET", path, **headed(cast.token("owner"))).json
        own = [each["text"] for each in shown if each["userId"] == int(cast.people["removed"].id)]
        assert len(own) == said + 2
        assert "joined" in own[0]
        assert "removed" in own[-1]


def at_once(cast: Cast, made: list[Deed], who: str, ids: Ids) -> list[Answer]:
    """The answers to calls that somebody makes at one moment, each over a connection of its own."""
    barrier = Barrier(len(made), timeout=SECONDS)

    def call(deed: Deed) -> Answer:
        apart = replace(cast, client=Client(cast.live.address))
        barrier.wait()
        return apart.asks(deed, who, ids)

    with ThreadPoolExecutor(len(made)) as pool:
        return list(pool.map(call, made))
