"""One inbox: what the chat door, the forum door and the phone door tell of the same conversations."""

from collections.abc import Callable
from typing import Any
from xmlrpc.client import loads

import pytest
from conftest import Live, Member, Player
from rest_client import Chatter

PICTURE, PAGE = "https://pictures.example/a.png", "http://pages.example/a"
HIDE, LEAVE = 1, 2
APPS = ["chat", "forum", "darkchat", "messages"]
ROOM = "Heist"

ToChatter = Callable[[Member], Chatter]
Answer = dict[str, Any]


@pytest.fixture(scope="module")
def script(live: Live) -> Any:
    """A game server's script."""
    return live.script()


@pytest.fixture
def one(live: Live) -> Player:
    return live.player("one")


@pytest.fixture
def two(live: Live) -> Player:
    return live.player("two")


@pytest.fixture
def first(one: Player, chatter: ToChatter) -> Chatter:
    """The same as *one*, at the chat door."""
    return chatter(one)


@pytest.fixture
def second(two: Player, chatter: ToChatter) -> Chatter:
    """The same as *two*, at the chat door."""
    return chatter(two)


def room_of(script: Any, owner: Player, *others: Player) -> str:
    """The id of a room, as the forum and the chat door write it."""
    made = script.Darkchat_CreateConversationByNumber(owner.number, ROOM, "")
    for other in others:
        assert script.Darkchat_AddToConversationByNumber(other.number, made["newConv"]["id"])
    return str(made["newConv"]["id"])


def text_of(script: Any, sender: str, receiver: Player, words: str = "by phone") -> str:
    """The id of the conversation into which a text goes."""
    sent = script.Messages_SendMessageToNumber(receiver.number, words, sender)
    assert sent["success"], sent
    return str(sent["conversation"]["conversationId"])


def thread_of(starter: Member, *others: Member) -> str:
    begun = starter.rpc.new_conversation([each.name for each in others], b"Subject", b"on the forum")
    return str(begun["conv_id"])


def everything(script: Any, one: Player, two: Player, first: Chatter, second: Chatter) -> dict[str, str]:
    """The id of one conversation of each app, between the two."""
    return {
        "chat": first.talks_with(second),
        "forum": thread_of(one, two),
        "darkchat": room_of(script, one, two),
        "messages": text_of(script, one.number, two),
    }


def listed(member: Member) -> dict[str, Answer]:
    """The forum's list, by the ids of the conversations."""
    return {each["conv_id"]: each for each in member.rpc.get_conversations(0, 49)["list"]}


def forum_texts(member: Member, conversation: str) -> list[str]:
    answer = member.rpc.get_conversation(conversation)
    assert answer["result"], answer
    return [each["msg_content"].decode() for each in answer["list"]]


class TestLists:
    """Which conversation is listed where"""

    def test_every_app_is_in_one_list(
        self, script: Any, one: Player, two: Player, first: Chatter, second: Chatter
    ) -> None:
        """The chat door lists the conversations of every app, in the order of the forum's list."""
        made = everything(script, one, two, first, second)
        for member, client in ((one, first), (two, second)):
            assert {each["app"]: each["id"] for each in client.get("/chat").json} == made
            assert client.ids("/chat") == list(listed(member))

    @pytest.mark.parametrize("app", APPS)
    def test_a_list_of_one_app(
        self, script: Any, one: Player, two: Player, first: Chatter, second: Chatter, app: str
    ) -> None:
        """With `app` only the conversations of that app are listed and counted."""
        made = everything(script, one, two, first, second)
        answer = second.get("/chat", app=app)
        assert [each["id"] for each in answer.json] == [made[app]]
        assert answer.header("X-Total-Count") == "1"

    @pytest.mark.parametrize("app", APPS)
    def test_the_name_is_the_forums_title(
        self, script: Any, one: Player, two: Player, first: Chatter, second: Chatter, app: str
    ) -> None:
        """A conversation has the same name at the chat door as on the forum, for either side."""
        chat = everything(script, one, two, first, second)[app]
        for member, client in ((one, first), (two, second)):
            title = listed(member)[chat]["conv_title"].decode()
            assert client.chat(chat)["name"] == title != ""

    @pytest.mark.parametrize("app", APPS)
    def test_the_people_are_the_forums(
        self, script: Any, one: Player, two: Player, first: Chatter, second: Chatter, app: str
    ) -> None:
        """A conversation has the same people at the chat door as on the forum."""
        chat = everything(script, one, two, first, second)[app]
        people = {str(each["id"]): each["username"] for each in first.chat(chat)["users"]}
        on_forum = listed(one)[chat]["participants"]
        assert people == {key: each["username"].decode() for key, each in on_forum.items()}

    def test_a_sender_has_his_request_on_the_forum(
        self, one: Player, two: Player, first: Chatter, second: Chatter
    ) -> None:
        """A chat that was asked for is in its sender's list on the forum at once, in the receiver's not."""
        chat = first.asks(second)
        assert listed(one)[chat]["conv_title"].decode() == two.name
        assert listed(two) == {}
        assert not two.rpc.get_conversation(chat)["result"]

    def test_a_receiver_has_it_when_he_accepts(
        self, one: Player, two: Player, first: Chatter, second: Chatter
    ) -> None:
        """A chat that was accepted is in its receiver's list on the forum, with what was said before."""
        chat = first.asks(second)
        first.says(chat, "hello")
        second.answers(chat, "accept")
        assert listed(two)[chat]["conv_title"].decode() == one.name
        assert forum_texts(two, chat) == ["hello"]

    def test_a_declined_one_stays_away(self, two: Player, first: Chatter, second: Chatter) -> None:
        """A chat that was declined is not in its receiver's list on the forum."""
        chat = first.asks(second)
        second.answers(chat, "decline")
        assert chat not in listed(two)

    def test_a_request_is_not_counted_on_the_forum(
        self, two: Player, first: Chatter, second: Chatter
    ) -> None:
        """What goes with a request is not unread on the forum before that is accepted."""
        chat = first.asks(second)
        first.says(chat, "hello")
        assert two.rpc.get_inbox_stat()["inbox_unread_count"] == 0
        second.answers(chat, "accept")
        assert two.rpc.get_inbox_stat()["inbox_unread_count"] == 1

    def test_a_chat_is_titled_by_the_display_name(self, live: Live, chatter: ToChatter) -> None:
        """On the forum the title of a chat is the other's display name."""
        ann, bob = live.member("ann", display_name="Ann A."), live.member("bob", display_name="Bob B.")
        chat = chatter(ann).talks_with(chatter(bob))
        assert listed(ann)[chat]["conv_subject"] == b"Bob B."
        assert ann.rpc.get_conversation(chat)["conv_title"] == b"Bob B."

    @pytest.mark.parametrize("app", APPS)
    def test_a_stranger_has_none(
        self, script: Any, one: Player, two: Player, first: Chatter, second: Chatter, app: str, live: Live
    ) -> None:
        """To a stranger a conversation of no app exists at the chat door."""
        chat = everything(script, one, two, first, second)[app]
        stranger = live.member()
        client = Chatter(live.address, stranger.token, stranger.id)
        assert client.get(f"/chat/{chat}").refusal == (404, "NOT_FOUND")
        assert client.tries(chat, text="hello") == (404, "NOT_FOUND")


class TestSaying:
    """What is said through one door and read through another"""

    def test_a_chats_message_is_read_on_the_forum(
        self, one: Player, two: Player, first: Chatter, second: Chatter
    ) -> None:
        """A message from the chat door has its id, text and author on the forum."""
        chat = first.talks_with(second)
        sent = first.says(chat, "hello")
        [message] = two.rpc.get_conversation(chat)["list"]
        assert (message["msg_id"], message["msg_content"]) == (sent["id"], b"hello")
        assert message["msg_author_id"] == one.id

    def test_picture_and_link_are_in_the_text(self, two: Player, first: Chatter, second: Chatter) -> None:
        """On the forum the addresses of a message stand in its text, as the forum marks them up."""
        chat = first.talks_with(second)
        first.says(chat, "look", imageUrl=PICTURE, linkPreviewUrl=PAGE)
        [words] = forum_texts(two, chat)
        assert words.splitlines() == ["look", f"[img]{PICTURE}[/img]", f"[url]{PAGE}[/url]"]

    def test_a_picture_alone_is_shown(self, two: Player, first: Chatter, second: Chatter) -> None:
        """A message of nothing but a picture is not empty on the forum."""
        chat = first.talks_with(second)
        first.post(f"/chat/{chat}/messages", {"imageUrl": PICTURE})
        assert forum_texts(two, chat) == [f"[img]{PICTURE}[/img]"]

    def test_a_picture_can_be_quoted(self, two: Player, first: Chatter, second: Chatter) -> None:
        """What is quoted on the forum has the picture too."""
        chat = first.talks_with(second)
        message = first.post(f"/chat/{chat}/messages", {"text": "look", "imageUrl": PICTURE}).json
        quote = two.rpc.get_quote_conversation(chat, message["id"])
        assert quote["result"] and PICTURE.encode() in quote["text_body"]

    @pytest.mark.parametrize("key", ["imageUrl", "linkPreviewUrl"])
    def test_no_address_gets_out_of_its_mark(
        self, two: Player, first: Chatter, second: Chatter, key: str
    ) -> None:
        """An address that ends the forum's mark by itself brings no markup of its own with it."""
        chat = first.talks_with(second)
        url = "http://a.example/[/img][/url][url=http://b.example]x[/url]"
        answer = first.post(f"/chat/{chat}/messages", {"text": "look", key: url})
        shown = "".join(forum_texts(two, chat))
        assert answer.status == 400 or "[url=http://b.example]" not in shown

    def test_a_forum_reply_is_a_message(
        self, one: Player, two: Player, first: Chatter, second: Chatter
    ) -> None:
        """A reply on the forum is a message of the chat, with its id and author."""
        chat = first.talks_with(second)
        reply = two.rpc.reply_conversation(chat, b"from the forum")
        [message] = first.get(f"/chat/{chat}/messages").json
        assert (message["id"], message["text"]) == (reply["msg_id"], "from the forum")
        assert message["userId"] == second.id
        assert first.unread() == 1

    def test_a_forum_reply_keeps_to_the_request(self, one: Player, first: Chatter, second: Chatter) -> None:
        """While a chat is pending its sender can say one thing through all doors together."""
        chat = first.asks(second)
        assert one.rpc.reply_conversation(chat, b"first")["result"]
        assert not one.rpc.reply_conversation(chat, b"second")["result"]
        assert first.tries(chat, text="second") == (403, "REQUEST_PENDING")

    @pytest.mark.parametrize("app", APPS)
    def test_everything_is_answered_from_here(
        self, script: Any, one: Player, two: Player, first: Chatter, second: Chatter, app: str
    ) -> None:
        """A conversation of every app can be answered through the chat door, and is read on the forum."""
        chat = everything(script, one, two, first, second)[app]
        sent = second.says(chat, "from the site")
        newest = one.rpc.get_conversation(chat)["list"][-1]
        assert (newest["msg_id"], newest["msg_content"]) == (sent["id"], b"from the site")

    def test_a_room_is_answered_on_the_phone(
        self, script: Any, one: Player, two: Player, second: Chatter
    ) -> None:
        """What is said in a room through the chat door is read on the phone, with the number it is from."""
        room = room_of(script, one, two)
        sent = second.says(room, "coming", imageUrl=PICTURE)
        newest = script.Darkchat_GetMessagesByNumber(one.number, room)[0]
        assert (str(newest["id"]), newest["sender"]) == (sent["id"], two.number)
        assert "coming" in newest["content"] and PICTURE in newest["content"]

    def test_a_rooms_notes_are_messages(self, script: Any, one: Player, two: Player, first: Chatter) -> None:
        """Who has come into a room is told at the chat door in words."""
        room = room_of(script, one, two)
        assert first.texts(room) == [f"{two.name} joined the room."]

    def test_a_text_without_an_account_has_no_user(self, script: Any, two: Player, second: Chatter) -> None:
        """A text from a name without an account has no user id, and the chat is called by that name."""
        chat = text_of(script, "Taxi", two)
        [message] = second.get(f"/chat/{chat}/messages").json
        assert (message["userId"], message["text"]) == (None, "by phone")
        assert second.chat(chat)["name"] == "Taxi"

    def test_an_attachment_is_shown(self, live: Live, one: Player, first: Chatter, second: Chatter) -> None:
        """A message with a file from the forum has it at the chat door, under an address that works."""
        chat = first.talks_with(second)
        upload = upload_text(live, one)
        one.rpc.reply_conversation(chat, b"a file", b"", [upload["attachment_id"]], upload["group_id"])
        [message] = second.get(f"/chat/{chat}/messages").json
        [attached] = message["attachments"]
        assert set(attached) == {"id", "filename", "size", "type", "url", "thumbnailUrl"}
        assert (attached["id"], attached["filename"]) == (upload["attachment_id"], "note.txt")
        assert (attached["size"], attached["type"]) == (5, "txt")
        assert second.get(attached["url"].removeprefix(live.address)).body == b"hello"

    def test_the_file_of_a_request_may_be_read(
        self, live: Live, one: Player, first: Chatter, second: Chatter
    ) -> None:
        """Who is asked for a chat may read the file that came with the request as well."""
        chat, upload = first.asks(second), upload_text(live, one)
        one.rpc.reply_conversation(chat, b"a file", b"", [upload["attachment_id"]], upload["group_id"])
        [message] = second.get(f"/chat/{chat}/messages").json
        url = message["attachments"][0]["url"].removeprefix(live.address)
        assert second.get(url).body == b"hello"


def upload_text(live: Live, member: Member) -> Answer:
    """A file that waits to be sent."""
    part = b'--X\r\nContent-Disposition: form-data; name="attachment"; filename="note.txt"\r\n\r\nhello\r\n'
    client = Chatter(live.address, member.token, member.id)
    body = part + b"--X--\r\n"
    answer = client.send("POST", "/mobiquo/upload.php", body, Content_Type="multipart/form-data; boundary=X")
    result: Answer = loads(answer.body, use_builtin_types=True)[0][0]
    assert result["result"], result
    return result


Act = Callable[[Any, Player, Player, Chatter, Chatter, dict[str, str]], Any]

ACTS: dict[str, Act] = {
    "nothing": lambda script, one, two, first, second, made: None,
    "a chat message": lambda script, one, two, first, second, made: first.says(made["chat"], "a"),
    "a forum reply": lambda script, one, two, first, second, made: one.rpc.reply_conversation(
        made["forum"], b"a"
    ),
    "a forum reply to a chat": lambda script, one, two, first, second, made: one.rpc.reply_conversation(
        made["chat"], b"a"
    ),
    "a message in a room": lambda script, one, two, first, second, made: script.Darkchat_SendMessageByNumber(
        one.number, made["darkchat"], "a"
    ),
    "a text": lambda script, one, two, first, second, made: text_of(script, one.number, two),
    "a text without an account": lambda script, one, two, first, second, made: text_of(script, "Taxi", two),
    "reading the chat": lambda script, one, two, first, second, made: second.post(
        f"/chat/{made['chat']}/read"
    ),
    "reading the thread": lambda script, one, two, first, second, made: second.post(
        f"/chat/{made['forum']}/read"
    ),
    "reading the room": lambda script, one, two, first, second, made: second.post(
        f"/chat/{made['darkchat']}/read"
    ),
    "reading the text": lambda script, one, two, first, second, made: second.post(
        f"/chat/{made['messages']}/read"
    ),
    "reading on the forum": lambda script, one, two, first, second, made: two.rpc.get_conversation(
        made["chat"]
    ),
    "reading on the phone": lambda script, one, two, first, second, made: script.Darkchat_MarkReadByNumber(
        two.number, made["darkchat"]
    ),
    "reading all on the forum": lambda script, one, two, first, second, made: (
        two.rpc.mark_conversation_read()
    ),
    "unreading on the forum": lambda script, one, two, first, second, made: two.rpc.mark_conversation_unread(
        made["chat"]
    ),
    "hiding on the forum": lambda script, one, two, first, second, made: two.rpc.delete_conversation(
        made["forum"], HIDE
    ),
    "leaving on the forum": lambda script, one, two, first, second, made: two.rpc.delete_conversation(
        made["chat"], LEAVE
    ),
    "saying something oneself": lambda script, one, two, first, second, made: second.says(made["chat"], "a"),
}


def unread_on_the_forum(member: Member) -> tuple[int, int]:
    """The sum of what is unread in the forum's list, and in how many conversations there is any."""
    numbers = [each["unread_num"] for each in listed(member).values()]
    assert member.rpc.get_inbox_stat()["inbox_unread_count"] == len([each for each in numbers if each])
    return sum(numbers), len([each for each in numbers if each])


def unread_here(client: Chatter) -> tuple[int, int]:
    totals = client.totals()
    assert client.unread() == totals["totalUnreadMessages"]
    assert sum(each["totalUnreadMessages"] for each in client.get("/chat").json) == client.unread()
    return totals["totalUnreadMessages"], totals["totalUnreadChats"]


class TestCounts:
    """What is unread"""

    @pytest.mark.parametrize("act", ACTS)
    def test_the_totals_are_the_forums_sum(
        self, script: Any, one: Player, two: Player, first: Chatter, second: Chatter, act: str
    ) -> None:
        """Whatever has been done, the unread totals are the sums over the forum's list."""
        made = everything(script, one, two, first, second)
        first.says(made["chat"], "hello")
        ACTS[act](script, one, two, first, second, made)
        for member, client in ((one, first), (two, second)):
            assert unread_here(client) == unread_on_the_forum(member)

    def test_reading_here_counts_on_the_forum(self, two: Player, first: Chatter, second: Chatter) -> None:
        """What is marked as read at the chat door is read on the forum, message by message."""
        chat = first.talks_with(second)
        first.says(chat, "hello")
        second.post(f"/chat/{chat}/read")
        [message] = two.rpc.get_conversation(chat)["list"]
        assert not message["is_unread"]
        assert listed(two)[chat]["unread_num"] == 0

    def test_reading_on_the_forum_counts_here(self, two: Player, first: Chatter, second: Chatter) -> None:
        """What is read on the forum is read at the chat door."""
        chat = first.talks_with(second)
        first.says(chat, "hello")
        two.rpc.get_conversation(chat)
        assert second.chat(chat)["totalUnreadMessages"] == second.unread() == 0


class TestLeaving:
    """Chats that are left and hidden on the forum"""

    def test_after_leaving_a_request_makes_a_new_chat(
        self, one: Player, two: Player, first: Chatter, second: Chatter
    ) -> None:
        """After one has left a chat, a new request makes another one; the other keeps the first."""
        chat = first.talks_with(second)
        first.says(chat, "hello")
        assert one.rpc.delete_conversation(chat, LEAVE)["result"]
        assert first.get(f"/chat/{chat}").status == 404
        again = first.post("/chat", {"userId": second.id})
        assert (again.status, again.json["status"]) == (201, "pending")
        assert second.ids("/chat") == [chat]
        assert second.texts(chat) == ["hello"]

    def test_who_is_left_behind_still_knows_with_whom(
        self, one: Player, two: Player, first: Chatter, second: Chatter
    ) -> None:
        """A chat that the other has left is still called by his name, as on the forum."""
        chat = first.talks_with(second)
        one.rpc.delete_conversation(chat, LEAVE)
        assert listed(two)[chat]["conv_title"].decode() == one.name
        assert second.chat(chat)["name"] == one.name

    def test_what_one_has_left_is_closed(
        self, script: Any, one: Player, two: Player, first: Chatter, second: Chatter
    ) -> None:
        """What is between two is closed when one has left it: nothing more is said, through any door."""
        for left in (second.talks_with(first), text_of(script, two.number, one)):
            assert one.rpc.delete_conversation(left, LEAVE)["result"]
            assert second.chat(left)["status"] == "closed"
            said = second.post(f"/chat/{left}/messages", {"text": "still there?"})
            assert said.refusal == (403, "CONVERSATION_CLOSED")
            assert not two.rpc.reply_conversation(left, b"still there?")["result"]
            assert two.rpc.get_conversation(left)["is_closed"]

    def test_what_one_has_left_is_not_opened_again(
        self, one: Player, two: Player, first: Chatter, second: Chatter
    ) -> None:
        """A yes to a chat that the other has left since changes nothing."""
        chat = first.talks_with(second)
        assert one.rpc.delete_conversation(chat, LEAVE)["result"]
        assert second.post(f"/chat/{chat}/accept").json["status"] == "closed"
        assert second.post(f"/chat/{chat}/decline").refusal == (409, "ALREADY_ACTIVE")

    def test_a_yes_brings_back_a_hidden_request(self, one: Player, first: Chatter, second: Chatter) -> None:
        """Who has hidden his request on the forum sees it again when it is accepted."""
        chat = first.asks(second)
        assert one.rpc.delete_conversation(chat, HIDE)["result"]
        assert first.get(f"/chat/{chat}").status == 404
        second.post(f"/chat/{chat}/accept")
        assert first.ids("/chat") == [chat]

    def test_with_the_last_one_it_is_gone(
        self, one: Player, two: Player, first: Chatter, second: Chatter
    ) -> None:
        """When both have left a chat it is there for nobody."""
        chat = first.talks_with(second)
        for each in (one, two):
            assert each.rpc.delete_conversation(chat, LEAVE)["result"]
        assert first.ids("/chat") == second.ids("/chat") == []

    def test_leaving_a_request_withdraws_it(self, one: Player, first: Chatter, second: Chatter) -> None:
        """A sender who leaves his pending chat on the forum has taken the request back."""
        chat = first.asks(second)
        assert one.rpc.delete_conversation(chat, LEAVE)["result"]
        assert second.ids("/chat/pending") == []
        assert second.get(f"/chat/{chat}").status == 404

    def test_leaving_does_not_undo_a_no(self, one: Player, first: Chatter, second: Chatter) -> None:
        """Who was declined cannot ask anew by leaving the declined chat on the forum."""
        chat = first.asks(second)
        second.answers(chat, "decline")
        one.rpc.delete_conversation(chat, LEAVE)
        first.post("/chat", {"userId": second.id})
        assert second.totals()["totalPendingRequest"] == 0
        assert second.ids("/chat/pending") == []

    def test_a_hidden_chat_is_hidden_here(self, one: Player, first: Chatter, second: Chatter) -> None:
        """A chat that is hidden on the forum is not listed here, until the other says something."""
        chat = first.talks_with(second)
        one.rpc.delete_conversation(chat, HIDE)
        assert first.ids("/chat") == []
        second.says(chat, "hello")
        assert first.ids("/chat") == [chat]

    def test_a_request_brings_a_hidden_chat_back(self, one: Player, first: Chatter, second: Chatter) -> None:
        """Who asks for a chat that he has hidden gets it, and can open it and talk in it."""
        chat = first.talks_with(second)
        one.rpc.delete_conversation(chat, HIDE)
        answer = first.post("/chat", {"userId": second.id})
        assert (answer.status, answer.json["id"]) == (200, chat)
        assert first.get(f"/chat/{chat}").status == 200
        assert first.post(f"/chat/{chat}/messages", {"text": "hello"}).status == 201

    def test_the_directions_are_all(self, one: Player, first: Chatter, second: Chatter) -> None:
        """All requests are those that were sent and those that were received, also when one is hidden."""
        chat = first.asks(second)
        one.rpc.delete_conversation(chat, HIDE)
        both = [
            *first.ids("/chat/pending", direction="sent"),
            *first.ids("/chat/pending", direction="received"),
        ]
        assert first.ids("/chat/pending") == both


class TestRights:
    """What the forum offers for a chat"""

    def test_the_forum_offers_nothing(self, one: Player, first: Chatter, second: Chatter) -> None:
        """The forum's app is told that a chat can be neither edited nor closed, and nobody invited."""
        chat = first.talks_with(second)
        for shown in (listed(one)[chat], one.rpc.get_conversation(chat)):
            assert not (shown["can_edit"] or shown["can_close"] or shown["can_invite"])

    @pytest.mark.parametrize("call", ["edit", "close", "invite"])
    def test_the_forum_changes_nothing(
        self, live: Live, one: Player, first: Chatter, second: Chatter, call: str
    ) -> None:
        """Editing, closing and inviting are refused for a chat, which stays what it is."""
        chat, other = first.talks_with(second), live.member()
        before = first.chat(chat)
        calls: dict[str, Callable[[], Answer]] = {
            "edit": lambda: one.rpc.edit_conversation(chat, b"Another"),
            "close": lambda: one.rpc.close_conversation(chat),
            "invite": lambda: one.rpc.invite_participant([other.name], chat),
        }
        assert not calls[call]()["result"]
        assert first.chat(chat) == before

    @pytest.mark.parametrize("word", ["accept", "decline", ""])
    def test_only_a_request_is_answered(
        self, script: Any, one: Player, two: Player, second: Chatter, word: str
    ) -> None:
        """A conversation of another app can be neither accepted nor declined nor withdrawn."""
        for chat in (thread_of(one, two), room_of(script, one, two), text_of(script, one.number, two)):
            path = f"/chat/{chat}/{word}"
            answer = second.post(path) if word else second.delete(path)
            assert answer.status == 403
            assert second.chat(chat)["status"] == "active"

    def test_a_closed_conversation_says_so(self, one: Player, two: Player, second: Chatter) -> None:
        """A conversation that its starter has closed on the forum is closed here, for the others."""
        chat = thread_of(one, two)
        assert one.rpc.close_conversation(chat)["result"]
        assert second.chat(chat)["status"] == "closed"
        assert second.ids("/chat") == [chat]
        assert second.post(f"/chat/{chat}/messages", {"text": "hello"}).status == 403

    def test_ignoring_on_the_forum_counts_here(self, one: Player, two: Player, first: Chatter) -> None:
        """Who is ignored by the forum's call cannot ask for a chat."""
        assert two.rpc.ignore_user(one.id, 1)["result"]
        assert first.post("/chat", {"userId": int(two.id)}).refusal == (403, "CANNOT_MESSAGE")

    def test_a_room_is_no_chat_on_the_phone(
        self, script: Any, one: Player, first: Chatter, second: Chatter
    ) -> None:
        """To the darkchat exports a chat is not found."""
        chat = first.talks_with(second)
        assert not script.Darkchat_GetConversationByNumber(one.number, int(chat))["success"]
        assert not script.Darkchat_SendMessageByNumber(one.number, int(chat), "hello")["success"]
