"""One inbox: what is said and read through the phone door and the forum door counts in both."""

from typing import Any

import pytest
from conftest import Live, Member, Player

NOT_FOUND = {"result": False, "result_text": b"The requested conversation could not be found."}
SYSTEM = "System"


class Phone:
    """A game server's script, for players named by their numbers."""

    def __init__(self, script: Any) -> None:
        self.script = script

    def darkchat(self, stem: str, player: Player, *rest: Any) -> Any:
        return getattr(self.script, f"Darkchat_{stem}ByNumber")(player.number, *rest)

    def make(self, owner: Player, *others: Player, name: str = "Heist") -> str:
        """The id of a room of *owner*'s that the *others* have come into, as the forum writes it."""
        room = self.darkchat("CreateConversation", owner, name)["newConv"]["id"]
        for other in others:
            assert self.darkchat("AddToConversation", other, room) is True
        return str(room)

    def say(self, player: Player, room: str, text: str) -> None:
        assert self.darkchat("SendMessage", player, room, text)["success"]

    def room(self, player: Player, room: str) -> Any:
        found = self.darkchat("GetConversation", player, room)
        assert found["success"], found
        return found["conv"]

    def entries(self, player: Player, room: str) -> list[tuple[str, str]]:
        """Who has said something or come and gone, and which of these, the oldest first."""
        return [(each["senderName"], each["type"]) for each in self.room(player, room)["messages"]]

    def text(self, receiver: Player, text: str, *sender: str) -> str:
        """The id of the conversation into which a text to *receiver* goes, as the forum writes it."""
        sent = self.script.Messages_SendMessageToNumber(receiver.number, text, *sender)
        assert sent["success"], sent
        return str(sent["conversation"]["conversationId"])


@pytest.fixture(scope="module")
def phone(live: Live) -> Phone:
    return Phone(live.script())


@pytest.fixture
def one(live: Live) -> Player:
    return live.player("one")


@pytest.fixture
def two(live: Live) -> Player:
    return live.player("two")


@pytest.fixture
def three(live: Live) -> Player:
    return live.player("three")


def ids(member: Member) -> list[str]:
    return [each["conv_id"] for each in member.rpc.get_conversations()["list"]]


def listed(member: Member, conversation: str) -> Any:
    """What the forum's list says of one conversation."""
    [found] = [each for each in member.rpc.get_conversations()["list"] if each["conv_id"] == conversation]
    return found


def opened(member: Member, conversation: str) -> Any:
    answer = member.rpc.get_conversation(conversation)
    assert answer["result"], answer
    return answer


def texts(member: Member, conversation: str) -> list[bytes]:
    return [each["msg_content"] for each in opened(member, conversation)["list"]]


def unread(member: Member) -> int:
    return int(member.rpc.get_inbox_stat()["inbox_unread_count"])


class TestRooms:
    """Darkchat rooms on the forum"""

    def test_the_subject_is_the_rooms_name(self, phone: Phone, one: Player) -> None:
        """A room is listed and opened on the forum under its name."""
        room = phone.make(one, name="Bank, 9 pm")
        item = listed(one, room)
        assert item["conv_subject"] == item["conv_title"] == opened(one, room)["conv_title"] == b"Bank, 9 pm"

    def test_the_participants_are_its_members(self, phone: Phone, one: Player, two: Player) -> None:
        """The forum shows a room's members as participants, its owner as the one who has begun it."""
        room = phone.make(one, two)
        item, thread = listed(two, room), opened(two, room)
        assert item["start_user_id"] == one.id
        for shown in (item, thread):
            assert {key: each["username"].decode() for key, each in shown["participants"].items()} == {
                one.id: one.name,
                two.id: two.name,
            }
            assert shown["participant_count"] == 2

    def test_what_is_said_by_phone_is_read_on_the_forum(self, phone: Phone, one: Player, two: Player) -> None:
        """A message from the phone has its text and author on the forum, opened and in the list."""
        room = phone.make(one, two)
        phone.say(one, room, "at nine")
        message = opened(two, room)["list"][-1]
        assert (message["msg_content"], message["msg_author_id"]) == (b"at nine", one.id)
        item = listed(two, room)
        assert (item["short_content"], item["last_user_id"]) == (b"at nine", one.id)

    def test_a_forum_reply_is_read_on_the_phone(self, phone: Phone, one: Player, two: Player) -> None:
        """A reply on the forum is a message in the room, with the number of who said it."""
        room = phone.make(one, two)
        reply = two.rpc.reply_conversation(room, b"coming")
        newest = phone.darkchat("GetMessages", one, room)[0]
        assert (newest["id"], newest["content"]) == (int(reply["msg_id"]), "coming")
        assert (newest["sender"], newest["senderName"], newest["type"]) == (two.number, two.name, "text")

    def test_what_one_has_not_read_is_counted(self, phone: Phone, one: Player, two: Player) -> None:
        """What others say on the phone is unread on the forum, what one says oneself is not."""
        room = phone.make(one, two)
        two.rpc.mark_conversation_read(room)
        one.rpc.mark_conversation_read(room)
        for text in ("a", "b"):
            phone.say(one, room, text)
        assert [listed(player, room)["unread_num"] for player in (one, two)] == [0, 2]
        assert [listed(player, room)["new_post"] for player in (one, two)] == [False, True]
        assert (unread(one), unread(two)) == (0, 1)

    def test_reading_on_the_forum_reads_on_the_phone(self, phone: Phone, one: Player, two: Player) -> None:
        """Who opens a room on the forum has read it on the phone."""
        room = phone.make(one, two)
        phone.say(one, room, "a")
        assert phone.room(two, room)["isItRead"] is False
        opened(two, room)
        assert phone.room(two, room)["isItRead"] is True

    def test_marking_on_the_phone_reads_on_the_forum(self, phone: Phone, one: Player, two: Player) -> None:
        """MarkRead clears the forum's counts of what is unread."""
        room = phone.make(one, two)
        phone.say(one, room, "a")
        assert (listed(two, room)["unread_num"], unread(two)) == (1, 1)
        assert phone.darkchat("MarkRead", two, room) is True
        assert (listed(two, room)["unread_num"], unread(two)) == (0, 0)

    def test_marking_unread_on_the_forum_counts_on_the_phone(
        self, phone: Phone, one: Player, two: Player
    ) -> None:
        """What is marked unread on the forum is unread on the phone."""
        room = phone.make(one, two)
        phone.say(one, room, "a")
        phone.darkchat("MarkRead", two, room)
        two.rpc.mark_conversation_unread(room)
        assert phone.room(two, room)["isItRead"] is False

    def test_sending_on_the_phone_reads_on_the_forum(self, phone: Phone, one: Player, two: Player) -> None:
        """Who answers on the phone has read what stood before his answer."""
        room = phone.make(one, two)
        phone.say(one, room, "a")
        phone.say(two, room, "b")
        assert (unread(two), unread(one)) == (0, 1)

    def test_a_fresh_room_is_on_top(self, phone: Phone, one: Player, two: Player) -> None:
        """A room in which nothing has been said stands at the top of the list, with no replies."""
        one.rpc.new_conversation([two.name], b"Hi", b"there")
        room = phone.make(one)
        assert ids(one)[0] == room
        item = listed(one, room)
        assert (item["reply_count"], item["total_message_num"], item["unread_num"]) == (0, 0, 0)
        assert (item["short_content"], item["last_user_id"]) == (b"", one.id)
        assert item["last_conv_time"] == item["start_conv_time"]

    def test_a_fresh_room_opens_empty(self, phone: Phone, one: Player) -> None:
        """A room in which nothing has been said opens without messages."""
        thread = opened(one, phone.make(one))
        assert (thread["list"], thread["total_message_num"]) == ([], 0)

    @pytest.mark.parametrize(
        ("is_self", "words"), [(True, "{} left the room."), (False, "{} was removed from the room.")]
    )
    def test_entries_are_told_in_words(
        self, phone: Phone, one: Player, two: Player, is_self: bool, words: str
    ) -> None:
        """Who has come and gone is told on the forum in words, by messages that count."""
        room = phone.make(one, two)
        phone.darkchat("RemoveFromConversation", two, room, is_self)
        assert texts(one, room) == [f"{two.name} joined the room.".encode(), words.format(two.name).encode()]
        item = listed(one, room)
        assert (item["total_message_num"], item["reply_count"]) == (2, 1)
        assert item["participants"][two.id]["has_left"] is True

    def test_entries_are_unread_to_others(self, phone: Phone, one: Player, two: Player) -> None:
        """An entry is news to the others and none to the one it tells of."""
        room = phone.make(one, two)
        assert [listed(player, room)["unread_num"] for player in (one, two)] == [1, 0]

    def test_the_owner_edits_on_the_forum(self, phone: Phone, one: Player, two: Player) -> None:
        """A room's owner may rename it on the forum, a member may not, and the phone has the new name."""
        room = phone.make(one, two)
        assert [opened(player, room)["can_edit"] for player in (one, two)] == [True, False]
        assert two.rpc.edit_conversation(room, b"Mine")["result"] is False
        assert one.rpc.edit_conversation(room, b"Other")["result"] is True
        assert phone.room(two, room)["name"] == "Other"

    @pytest.mark.parametrize("name", [b"", b" ", b"n" * 65])
    def test_a_renamed_room_has_a_rooms_name(self, phone: Phone, one: Player, name: bytes) -> None:
        """The forum gives a room no name that a phone could not give it."""
        room = phone.make(one)
        assert one.rpc.edit_conversation(room, name)["result"] is False
        assert phone.room(one, room)["name"] == "Heist"

    def test_an_invitation_is_an_entry(self, phone: Phone, one: Player, two: Player) -> None:
        """Who is invited on the forum has come into the room, which the phone tells."""
        room = phone.make(one)
        assert one.rpc.invite_participant([two.name], room)["result"] is True
        assert phone.entries(two, room) == [(two.name, "joined")]
        assert [each["id"] for each in phone.room(one, room)["recipients"]] == [int(one.id), int(two.id)]

    def test_a_second_invitation_is_none(self, phone: Phone, one: Player, two: Player) -> None:
        """To invite somebody who is in the room already leaves no second entry."""
        room = phone.make(one, two)
        assert one.rpc.invite_participant([two.name], room)["result"] is True
        assert phone.entries(one, room) == [(two.name, "joined")]

    def test_a_closed_room_is_closed_on_the_phone(self, phone: Phone, one: Player, two: Player) -> None:
        """In a room that is closed on the forum only its owner says something, by phone too."""
        room = phone.make(one, two)
        assert one.rpc.close_conversation(room)["result"] is True
        assert phone.darkchat("SendMessage", two, room, "but")["success"] is False
        phone.say(one, room, "last word")

    def test_a_closed_room_is_not_joined(self, phone: Phone, one: Player, two: Player) -> None:
        """The code of a room that is closed on the forum lets nobody in, until it is opened again."""
        room = phone.make(one)
        code = phone.room(one, room)["joinCode"]
        one.rpc.close_conversation(room)
        assert phone.darkchat("JoinByCode", two, code)["success"] is False
        one.rpc.open_conversation(room)
        assert phone.darkchat("JoinByCode", two, code)["success"] is True


class TestLeaving:
    """Hidden and left on the forum"""

    def test_a_left_room_is_handed_over(self, phone: Phone, one: Player, two: Player, three: Player) -> None:
        """An owner who leaves on the forum leaves the room to the member who is there longest."""
        room = phone.make(one, two, three)
        assert one.rpc.delete_conversation(room, 2)["result"] is True
        assert phone.room(three, room)["createdBy"] == int(two.id)
        assert opened(two, room)["can_edit"] is True

    def test_leaving_is_an_entry(self, phone: Phone, one: Player, two: Player) -> None:
        """Who leaves on the forum has left the room, which the phone tells."""
        room = phone.make(one, two)
        two.rpc.delete_conversation(room, 2)
        assert phone.entries(one, room) == [(two.name, "joined"), (two.name, "left")]
        assert phone.darkchat("RemoveFromConversation", two, room) is False

    def test_the_last_one_erases_the_room(self, phone: Phone, one: Player, two: Player) -> None:
        """When the last one leaves on the forum the room is no more and its code is free."""
        room = phone.make(one)
        code = phone.room(one, room)["joinCode"]
        one.rpc.delete_conversation(room, 2)
        assert phone.darkchat("AddToConversation", two, room) is False
        assert phone.darkchat("CreateConversation", two, "Other", code)["success"] is True

    def test_a_hidden_room_comes_back(self, phone: Phone, one: Player, two: Player) -> None:
        """A room that is hidden on the forum is back there with the next message from a phone."""
        room = phone.make(one, two)
        assert two.rpc.delete_conversation(room, 1)["result"] is True
        assert (ids(two), unread(two)) == ([], 0)
        phone.say(one, room, "still there?")
        assert (ids(two), unread(two)) == ([room], 1)

    def test_who_hides_a_room_is_in_it(self, phone: Phone, one: Player, two: Player) -> None:
        """Who has hidden a room is a member still, and to add him shows it to him again."""
        room = phone.make(one, two)
        two.rpc.delete_conversation(room, 1)
        assert len(phone.room(one, room)["recipients"]) == 2
        assert phone.darkchat("AddToConversation", two, room) is True
        assert phone.entries(one, room) == [(two.name, "joined")]
        assert ids(two) == [room]

    def test_who_hides_a_room_can_be_removed(self, phone: Phone, one: Player, two: Player) -> None:
        """Who has hidden a room can be taken out of it by phone."""
        room = phone.make(one, two)
        two.rpc.delete_conversation(room, 1)
        assert phone.darkchat("RemoveFromConversation", two, room) is True
        assert phone.entries(one, room)[-1] == (two.name, "removed")

    def test_removed_by_phone_is_gone_on_the_forum(self, phone: Phone, one: Player, two: Player) -> None:
        """Who is removed by phone sees the room on the forum no more."""
        room = phone.make(one, two)
        phone.say(one, room, "a")
        phone.darkchat("RemoveFromConversation", two, room)
        assert (ids(two), unread(two), two.rpc.get_conversation(room)) == ([], 0, NOT_FOUND)

    def test_a_hidden_text_conversation_comes_back(self, phone: Phone, one: Player, two: Player) -> None:
        """A text conversation that is hidden on the forum is back, the same one, with the next text."""
        conversation = phone.text(one, "a", two.number)
        one.rpc.delete_conversation(conversation, 1)
        assert phone.text(one, "b", two.number) == conversation
        assert (ids(one), texts(one, conversation)) == ([conversation], [b"a", b"b"])

    def test_after_leaving_texts_begin_anew(self, phone: Phone, one: Player, two: Player) -> None:
        """After one of two has left a text conversation the next text begins a new one for both."""
        old = phone.text(one, "a", two.number)
        assert one.rpc.delete_conversation(old, 2)["result"] is True
        new = phone.text(one, "b", two.number)
        assert (ids(one), ids(two)) == ([new], [new, old])
        assert texts(one, new) == texts(two, new) == [b"b"]

    def test_after_leaving_the_system_begins_anew(self, phone: Phone, one: Player) -> None:
        """A text conversation with a name alone is no more when its receiver leaves it."""
        old = phone.text(one, "a")
        assert one.rpc.delete_conversation(old, 2)["result"] is True
        assert ids(one) == []
        new = phone.text(one, "b")
        assert (ids(one), texts(one, new)) == ([new], [b"b"])


class TestTexts:
    """Text messages on the forum"""

    def test_its_title_is_the_others_name(self, phone: Phone, one: Player, two: Player) -> None:
        """Each of the two sees a text conversation under the other's display name."""
        phone.script.Players_Connect(two.src, two.identifier, two.number, "Tom the Cat")
        conversation = phone.text(one, "a", two.number)
        for player, title in ((one, b"Tom the Cat"), (two, one.name.encode())):
            item = listed(player, conversation)
            assert item["conv_subject"] == item["conv_title"] == title
            assert opened(player, conversation)["conv_title"] == title

    def test_a_text_has_its_author(self, phone: Phone, one: Player, two: Player) -> None:
        """A text from a player is his message on the forum, unread to the receiver alone."""
        conversation = phone.text(one, "hello", two.number)
        assert (unread(one), unread(two)) == (1, 0)
        assert listed(one, conversation)["unread_num"] == 1
        [message] = opened(one, conversation)["list"]
        assert (message["msg_content"], message["msg_author_id"]) == (b"hello", two.id)
        assert message["is_unread"] is True

    def test_the_two_are_its_participants(self, phone: Phone, one: Player, two: Player) -> None:
        """A text conversation has its two players as participants."""
        conversation = phone.text(one, "hello", two.number)
        for player in (one, two):
            shown = opened(player, conversation)
            assert (set(shown["participants"]), shown["participant_count"]) == ({one.id, two.id}, 2)

    def test_it_is_answered_on_the_forum(self, phone: Phone, one: Player, two: Player) -> None:
        """An answer on the forum and the next text are in the same conversation."""
        conversation = phone.text(one, "a", two.number)
        assert one.rpc.reply_conversation(conversation, b"b")["result"] is True
        assert phone.text(one, "c", two.number) == conversation
        assert texts(two, conversation) == [b"a", b"b", b"c"]

    @pytest.mark.parametrize("sender", [None, "Taxi", "911"])
    def test_who_has_no_account_is_shown(self, phone: Phone, one: Player, sender: str | None) -> None:
        """A sender without an account is a participant with the id 0 and the author of his texts."""
        name = sender or SYSTEM
        conversation = phone.text(one, "hello", *([sender] if sender else []))
        shown, item = opened(one, conversation), listed(one, conversation)
        assert shown["list"][0]["msg_author_id"] == "0"
        for each in (shown, item):
            assert each["participant_count"] == 2
            assert set(each["participants"]) == {"0", one.id}
            assert each["participants"]["0"]["username"] == each["conv_title"] == name.encode()
        assert (item["start_user_id"], item["last_user_id"]) == ("0", "0")

    def test_who_has_no_account_looks_like_others(self, phone: Phone, one: Player) -> None:
        """Everyone among the participants has the same members in the same order."""
        people = opened(one, phone.text(one, "hello"))["participants"]
        assert list(people["0"]) == list(people[one.id])
        assert people["0"]["user_id"] == "0"

    def test_texts_without_an_account_are_unread(self, phone: Phone, one: Player) -> None:
        """A text from "System" is unread until it is opened."""
        conversation = phone.text(one, "hello")
        assert (unread(one), listed(one, conversation)["unread_num"]) == (1, 1)
        assert opened(one, conversation)["list"][0]["is_unread"] is True
        assert unread(one) == 0

    def test_a_text_without_an_account_is_quoted(self, phone: Phone, one: Player) -> None:
        """A quote of a text from "System" names it and can be sent back."""
        conversation = phone.text(one, "hello")
        message = opened(one, conversation)["list"][0]["msg_id"]
        quote = one.rpc.get_quote_conversation(conversation, message)["text_body"]
        assert quote == f'[quote="System, convMessage: {message}, member: 0"]hello[/quote]\n'.encode()
        assert one.rpc.reply_conversation(conversation, quote + b"why?")["result"] is True

    @pytest.mark.parametrize("sender", ["player", "system"])
    def test_what_two_say_is_not_edited(
        self, phone: Phone, one: Player, two: Player, three: Player, sender: str
    ) -> None:
        """A text conversation is neither renamed nor closed nor joined by a third, and says so."""
        conversation = phone.text(one, "a", *([two.number] if sender == "player" else []))
        for player in (one, two) if sender == "player" else (one,):
            for shown in (listed(player, conversation), opened(player, conversation)):
                assert [shown[f"can_{each}"] for each in ("invite", "edit", "close")] == [False] * 3
            refused = [
                player.rpc.edit_conversation(conversation, b"Mine"),
                player.rpc.edit_conversation(conversation, b"Mine", True),
                player.rpc.close_conversation(conversation),
                player.rpc.open_conversation(conversation),
                player.rpc.invite_participant([three.name], conversation),
            ]
            assert [answer["result"] for answer in refused] == [False] * 5
        assert ids(three) == []


class TestTogether:
    """All apps in one list"""

    def test_the_newest_of_any_app_comes_first(self, phone: Phone, one: Player, two: Player) -> None:
        """Rooms, texts and forum conversations are in one list, in the order of their last messages."""
        room = phone.make(one, two)
        text = phone.text(one, "a", two.number)
        forum = str(one.rpc.new_conversation([two.name], b"Hi", b"there")["conv_id"])
        assert ids(one) == [forum, text, room]
        phone.say(two, room, "up")
        assert ids(one) == [room, forum, text]
        phone.text(two, "up", one.number)
        assert ids(two) == [text, room, forum]

    def test_all_apps_are_counted(self, phone: Phone, one: Player, two: Player) -> None:
        """The counts of the box and of what is unread in it are of all apps."""
        phone.say(two, phone.make(one, two), "a")
        phone.text(one, "b", two.number)
        phone.text(one, "c")
        two.rpc.new_conversation([one.name], b"Hi", b"there")
        box = one.rpc.get_conversations(0, 0)
        assert (box["conversation_count"], box["unread_count"], unread(one)) == (4, 4, 4)

    def test_all_is_read_at_once(self, phone: Phone, one: Player, two: Player) -> None:
        """To mark everything read on the forum reads the rooms as well."""
        room = phone.make(one, two)
        phone.say(two, room, "a")
        phone.text(one, "b")
        assert one.rpc.mark_conversation_read()["result"] is True
        assert (unread(one), phone.room(one, room)["isItRead"]) == (0, True)

    @pytest.mark.parametrize("app", ["forum", "messages"])
    def test_other_apps_are_no_darkchat(self, phone: Phone, one: Player, two: Player, app: str) -> None:
        """To the darkchat exports a conversation of another app is not found, and nothing becomes of it."""
        if app == "forum":
            conversation = str(one.rpc.new_conversation([two.name], b"Hi", b"there")["conv_id"])
        else:
            conversation = phone.text(two, "there", one.number)
        for stem in ("AddToConversation", "RemoveFromConversation", "MarkRead"):
            assert phone.darkchat(stem, two, conversation) is False
        assert phone.darkchat("GetConversation", two, conversation)["success"] is False
        assert phone.darkchat("SendMessage", two, conversation, "x")["success"] is False
        assert phone.darkchat("GetMessages", two, conversation) == []
        assert phone.darkchat("GetConversations", two) == []
        assert (unread(two), texts(two, conversation)) == (1, [b"there"])

    def test_a_third_player_is_not_added_to_other_apps(
        self, phone: Phone, one: Player, two: Player, three: Player
    ) -> None:
        """Nobody is added by a darkchat export to what two say to each other."""
        for conversation in (
            str(one.rpc.new_conversation([two.name], b"Hi", b"there")["conv_id"]),
            phone.text(two, "there", one.number),
        ):
            assert phone.darkchat("AddToConversation", three, conversation) is False
        assert ids(three) == []

    @pytest.mark.parametrize("app", ["darkchat", "messages", "system"])
    def test_who_takes_no_part_sees_nothing(
        self, phone: Phone, one: Player, two: Player, carol: Member, app: str
    ) -> None:
        """To a member of the forum what others say by phone does not exist."""
        if app == "darkchat":
            conversation = phone.make(one, two)
            phone.say(one, conversation, "secret")
        else:
            conversation = phone.text(one, "secret", *([two.number] if app == "messages" else []))
        message = opened(one, conversation)["list"][-1]["msg_id"]
        refused = [
            carol.rpc.get_conversation(conversation),
            carol.rpc.reply_conversation(conversation, b"x"),
            carol.rpc.invite_participant([carol.name], conversation),
            carol.rpc.get_quote_conversation(conversation, message),
            carol.rpc.delete_conversation(conversation, 1),
            carol.rpc.delete_conversation(conversation, 2),
            carol.rpc.mark_conversation_read(conversation),
            carol.rpc.mark_conversation_unread(conversation),
            carol.rpc.edit_conversation(conversation, b"x"),
            carol.rpc.close_conversation(conversation),
            carol.rpc.open_conversation(conversation),
        ]
        assert refused == [NOT_FOUND] * len(refused)
        assert (ids(carol), unread(carol)) == ([], 0)
