"""The rules of the darkchat exports, each for a player named by his source and by his number."""

import http.client
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from xmlrpc.client import Binary, ServerProxy, loads

import pytest
from conftest import Live, Member, Player

PATH = "/RPC2"
MADE_CODE = re.compile(r"[2-9A-HJ-NP-Z]{6}")
KEYS = {
    "id": int,
    "name": str,
    "appName": str,
    "createdBy": int,
    "joinCode": str,
    "createdAt": int,
    "updatedAt": int,
    "recipients": list,
    "messages": list,
    "isItRead": bool,
}
MESSAGE_KEYS = {"id": int, "sender": str, "senderName": str, "content": str, "type": str, "createdAt": int}
NO_ROOM = 987654321
LONGEST_BODY = 10_000
CLIENTS = 8
UNKNOWN: dict[str, list[Any]] = {
    "Src": [0, -1, 2147483000, "2147483000"],
    "Number": [2147483000, "987 654 321", "no digits", ""],
}

Export = Callable[..., Any]


def types(struct: dict[str, Any]) -> dict[str, type]:
    return {key: type(value) for key, value in struct.items()}


class Phone:
    """A game server's script that calls the darkchat exports and names players in one *way*."""

    def __init__(self, script: Any, way: str) -> None:
        self.script, self.way = script, way

    def who(self, player: Player) -> int | str:
        return player.src if self.way == "Src" else player.number

    def export(self, stem: str) -> Export:
        """An export by the beginning of its name, with whoever it is for still to be named."""
        found: Export = getattr(self.script, f"Darkchat_{stem}By{self.way}")
        return found

    def __getattr__(self, stem: str) -> Export:
        """An export for a player."""
        return lambda player, *rest: self.export(stem)(self.who(player), *rest)

    def make(self, owner: Player, *others: Player, name: str = "Heist", code: str = "") -> Any:
        """A room of *owner*'s that the *others* have come into, in this order."""
        made = self.CreateConversation(owner, name, code)
        assert made["success"], made
        for other in others:
            assert self.AddToConversation(other, made["newConv"]["id"]) is True
        return made["newConv"]

    def room(self, player: Player, room: int) -> Any:
        found = self.GetConversation(player, room)
        assert found["success"], found
        return found["conv"]

    def say(self, player: Player, room: int, *texts: str) -> None:
        for each in texts:
            assert self.SendMessage(player, room, each)["success"]

    def kinds(self, player: Player, room: int) -> list[tuple[str, str]]:
        """Who has said something or come and gone, and which of these, the oldest first."""
        return [(each["senderName"], each["type"]) for each in self.room(player, room)["messages"]]

    def rooms(self, player: Player, *page: Any) -> list[int]:
        return [each["id"] for each in self.GetConversations(player, *page)]

    def contents(self, player: Player, room: int | str, *page: Any) -> list[str]:
        return [each["content"] for each in self.GetMessages(player, room, *page)]


@pytest.fixture(scope="module")
def script(live: Live) -> Any:
    return live.script()


@pytest.fixture
def phone(script: Any) -> Phone:
    # The other way of naming a player leads to the very same function.
    return Phone(script, "Src")


@pytest.fixture
def one(live: Live) -> Player:
    return live.player("one")


@pytest.fixture
def two(live: Live) -> Player:
    return live.player("two")


@pytest.fixture
def three(live: Live) -> Player:
    return live.player("three")


def code_for(player: Player) -> str:
    """A code that no other test uses."""
    return f"Code{player.src:05}"


class TestCreating:
    """Darkchat_CreateConversation"""

    def test_a_room_has_all_its_members(self, phone: Phone, one: Player) -> None:
        """A new room is told with the members of a DarkchatConversation, each of its type."""
        made = phone.CreateConversation(one, "Heist Planning")
        assert types(made) == {"success": bool, "newConv": dict}
        assert types(made["newConv"]) == KEYS

    def test_the_maker_is_owner_and_alone(self, phone: Phone, one: Player) -> None:
        """A new room belongs to its maker, who is alone in it, and nothing has been said."""
        room = phone.make(one, name="Heist Planning")
        assert (room["name"], room["appName"]) == ("Heist Planning", "darkchat")
        assert room["createdBy"] == int(one.id)
        assert room["recipients"] == [{"id": int(one.id), "name": one.name, "number": one.number}]
        assert (room["messages"], room["isItRead"]) == ([], True)
        assert room["updatedAt"] == room["createdAt"] > 0

    @pytest.mark.parametrize("name", ["x", "n" * 64, "😀" * 64, f"  {'n' * 64} "])
    def test_a_name_has_up_to_64_characters(self, phone: Phone, one: Player, name: str) -> None:
        """A name of 1 to 64 characters is taken, without the blanks around it."""
        assert phone.make(one, name=name)["name"] == name.strip()

    @pytest.mark.parametrize("name", ["", " ", "\n\t", "\u200b", "[b][/b]", "n" * 65])
    def test_other_names_are_refused(self, phone: Phone, one: Player, name: str) -> None:
        """A name with nothing to see, or with 65 characters, makes no room, and the answer says why."""
        refused = phone.CreateConversation(one, name)
        assert types(refused) == {"success": bool, "message": str}
        assert (refused["success"], phone.rooms(one)) == (False, [])

    @pytest.mark.parametrize("length", [4, 16])
    def test_a_given_code_is_kept_in_upper_case(self, phone: Phone, one: Player, length: int) -> None:
        """A join code of 4 to 16 letters and digits is kept in upper case."""
        code = f"{one.src:0{length}x}".replace("0", "z")
        assert phone.make(one, code=code)["joinCode"] == code.upper()

    @pytest.mark.parametrize(
        "code",
        ["abc", "x" * 17, "ab cd", "ab-cd", "abcd\n", " abcd", "äbcde", "ſſſſſ", "١٢٣٤", "    ", "ab_cd"],
    )
    def test_a_malformed_code_is_refused(self, phone: Phone, one: Player, code: str) -> None:
        """A code that is no 4 to 16 letters and digits makes no room."""
        assert phone.CreateConversation(one, "Heist", code)["success"] is False
        assert phone.rooms(one) == []

    def test_a_taken_code_is_refused_in_any_case(self, phone: Phone, one: Player, two: Player) -> None:
        """A code is unique without regard to case."""
        phone.make(one, code=code_for(one))
        for taken in (code_for(one), code_for(one).upper(), code_for(one).lower()):
            assert phone.CreateConversation(two, "Other", taken)["success"] is False
        assert phone.rooms(two) == []

    def test_codes_that_are_made_up_can_be_read_out(self, phone: Phone, one: Player) -> None:
        """Without a code six characters are made up, none of them 0, O, 1 or I, and never the same."""
        codes = [phone.make(one)["joinCode"] for _ in range(20)]
        assert [code for code in codes if not MADE_CODE.fullmatch(code)] == []
        assert len(set(codes)) == 20

    @pytest.mark.parametrize("rest", [[], [""], [None]])
    def test_the_code_may_be_left_out(self, live: Live, one: Player, two: Player, rest: list[Any]) -> None:
        """No join code, an empty string and nil all mean that none is given."""
        headers = [("Authorization", f"Bearer {live.key()}")]
        with ServerProxy(f"{live.address}{PATH}", headers=headers, allow_none=True) as proxy:
            for stem, who in (("BySrc", one.src), ("ByNumber", two.number)):
                made: Any = getattr(proxy, f"Darkchat_CreateConversation{stem}")(who, "Heist", *rest)
                assert MADE_CODE.fullmatch(made["newConv"]["joinCode"])

    def test_simultaneous_rooms_do_not_share_a_code(self, live: Live, phone: Phone) -> None:
        """Of eight clients that make a room with one code at one instant, one gets it and seven a no."""
        players = [live.player() for _ in range(CLIENTS)]
        code, key = code_for(players[0]), live.key()
        together = threading.Barrier(CLIENTS)

        def create(player: Player) -> Any:
            headers = [("Authorization", f"Bearer {key}")]
            with ServerProxy(f"{live.address}{PATH}", headers=headers) as proxy:
                own = Phone(proxy, phone.way)
                together.wait(30)
                return own.CreateConversation(player, "Heist", code)

        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(create, players))
        assert sorted(each["success"] for each in answers) == [False] * 7 + [True]
        assert sum(len(phone.rooms(player)) for player in players) == 1


class TestComing:
    """Darkchat_AddToConversation and Darkchat_JoinByCode"""

    def test_who_is_added_is_in_it(self, phone: Phone, one: Player, two: Player) -> None:
        """Who is added stands among the recipients, in the order in which they came."""
        room = phone.make(one, two)["id"]
        assert [each["id"] for each in phone.room(two, room)["recipients"]] == [int(one.id), int(two.id)]

    def test_adding_twice_leaves_one_entry(self, phone: Phone, one: Player, two: Player) -> None:
        """Who is in already is answered true and gets no second entry."""
        room = phone.make(one, two)["id"]
        assert phone.AddToConversation(two, room) is True
        assert phone.kinds(one, room) == [(two.name, "joined")]

    def test_simultaneous_additions_leave_one_entry(
        self, live: Live, phone: Phone, one: Player, two: Player
    ) -> None:
        """Of eight clients that add one player at one instant all get true, and there is one entry."""
        room, key = phone.make(one)["id"], live.key()
        together = threading.Barrier(CLIENTS)

        def add(_: int) -> Any:
            headers = [("Authorization", f"Bearer {key}")]
            with ServerProxy(f"{live.address}{PATH}", headers=headers) as proxy:
                together.wait(30)
                return Phone(proxy, phone.way).AddToConversation(two, room)

        with ThreadPoolExecutor(CLIENTS) as pool:
            assert list(pool.map(add, range(CLIENTS))) == [True] * CLIENTS
        assert phone.kinds(one, room) == [(two.name, "joined")]

    def test_adding_to_no_room_is_false(self, phone: Phone, one: Player) -> None:
        """Where there is no such room nobody is added."""
        assert phone.AddToConversation(one, NO_ROOM) is False

    def test_who_comes_sees_all_that_was_said(self, phone: Phone, one: Player, two: Player) -> None:
        """What was said before somebody came is there for him, unread."""
        room = phone.make(one)["id"]
        phone.say(one, room, "before")
        phone.AddToConversation(two, room)
        assert phone.contents(two, room)[-1] == "before"
        assert phone.room(two, room)["isItRead"] is False

    @pytest.mark.parametrize("write", [str.upper, str.lower, str.swapcase])
    def test_a_code_lets_in_in_any_case(
        self, phone: Phone, one: Player, two: Player, write: Callable[[str], str]
    ) -> None:
        """A join code opens its room in any case, and the answer has the room."""
        room = phone.make(one, code=code_for(one))["id"]
        joined = phone.JoinByCode(two, write(code_for(one)))
        assert types(joined) == {"success": bool, "conv": dict}
        assert types(joined["conv"]) == KEYS
        assert joined["conv"]["id"] == room
        assert phone.kinds(two, room) == [(two.name, "joined")]

    def test_joining_twice_leaves_one_entry(self, phone: Phone, one: Player, two: Player) -> None:
        """Who is in already may join by the code again, and gets no second entry."""
        made = phone.make(one, two)
        assert phone.JoinByCode(two, made["joinCode"])["success"] is True
        assert phone.kinds(one, made["id"]) == [(two.name, "joined")]

    @pytest.mark.parametrize("code", ["unknown", "", "abc", "x" * 300, "%", "ab cd"])
    def test_an_unknown_code_is_refused(self, phone: Phone, one: Player, code: str) -> None:
        """A code that no room has lets nobody in anywhere."""
        refused = phone.JoinByCode(one, code)
        assert types(refused) == {"success": bool, "message": str}
        assert (refused["success"], phone.rooms(one)) == (False, [])

    def test_letters_of_other_alphabets_are_not_folded(self, phone: Phone, one: Player, two: Player) -> None:
        """A code is of plain letters, so another letter with the same upper case does not open its room."""
        phone.make(one, code=f"S{one.src:05}")
        assert phone.JoinByCode(two, f"ſ{one.src:05}")["success"] is False

    def test_who_has_left_may_come_back(self, phone: Phone, one: Player, two: Player) -> None:
        """Who has left can be added again, with an entry for each time."""
        room = phone.make(one, two)["id"]
        phone.RemoveFromConversation(two, room, True)
        assert phone.AddToConversation(two, room) is True
        assert phone.kinds(two, room) == [(two.name, kind) for kind in ("joined", "left", "joined")]


class TestGoing:
    """Darkchat_RemoveFromConversation"""

    def test_who_is_not_in_cannot_go(self, phone: Phone, one: Player, two: Player) -> None:
        """To remove somebody who is not in the room is false and leaves no entry."""
        room = phone.make(one)["id"]
        assert phone.RemoveFromConversation(two, room) is False
        assert phone.kinds(one, room) == []

    def test_who_has_gone_cannot_go_again(self, phone: Phone, one: Player, two: Player) -> None:
        """The second removal is false."""
        room = phone.make(one, two)["id"]
        assert phone.RemoveFromConversation(two, room) is True
        assert phone.RemoveFromConversation(two, room) is False

    def test_removing_from_no_room_is_false(self, phone: Phone, one: Player) -> None:
        """Where there is no such room nobody is removed."""
        assert phone.RemoveFromConversation(one, NO_ROOM) is False

    @pytest.mark.parametrize(
        ("rest", "kind"),
        [([True], "left"), ([False], "removed"), ([], "removed"), ([""], "removed"), ([1], "left")],
    )
    def test_the_history_tells_how(
        self, phone: Phone, one: Player, two: Player, rest: list[Any], kind: str
    ) -> None:
        """With isSelf true he has left, with false or without it he was removed."""
        room = phone.make(one, two)["id"]
        assert phone.RemoveFromConversation(two, room, *rest) is True
        assert phone.kinds(one, room) == [(two.name, "joined"), (two.name, kind)]

    def test_who_has_gone_sees_nothing(self, phone: Phone, one: Player, two: Player) -> None:
        """Who is out of a room is among its recipients no more and sees it nowhere."""
        room = phone.make(one, two)["id"]
        phone.RemoveFromConversation(two, room)
        assert [each["id"] for each in phone.room(one, room)["recipients"]] == [int(one.id)]
        assert (phone.rooms(two), phone.GetConversation(two, room)["success"]) == ([], False)

    def test_the_one_there_longest_inherits(
        self, phone: Phone, one: Player, two: Player, three: Player
    ) -> None:
        """When the owner leaves, the member who is there longest becomes the owner."""
        room = phone.make(one, two, three)["id"]
        phone.RemoveFromConversation(one, room, True)
        assert phone.room(three, room)["createdBy"] == int(two.id)

    def test_who_came_back_is_the_newest(self, phone: Phone, one: Player, two: Player, three: Player) -> None:
        """Who has left and come back is there for a shorter time than who has stayed."""
        room = phone.make(one, two, three)["id"]
        phone.RemoveFromConversation(two, room, True)
        phone.AddToConversation(two, room)
        phone.RemoveFromConversation(one, room, True)
        assert phone.room(two, room)["createdBy"] == int(three.id)

    def test_an_owner_who_comes_back_is_a_member(self, phone: Phone, one: Player, two: Player) -> None:
        """An owner who has left and come back does not own the room again."""
        room = phone.make(one, two)["id"]
        phone.RemoveFromConversation(one, room, True)
        phone.AddToConversation(one, room)
        assert phone.room(one, room)["createdBy"] == int(two.id)

    def test_a_members_leaving_changes_no_owner(self, phone: Phone, one: Player, two: Player) -> None:
        """The owner stays the owner when another one leaves."""
        room = phone.make(one, two)["id"]
        phone.RemoveFromConversation(two, room, True)
        assert phone.room(one, room)["createdBy"] == int(one.id)

    @pytest.mark.parametrize("is_self", [True, False])
    def test_the_last_one_erases_the_room(
        self, phone: Phone, one: Player, two: Player, is_self: bool
    ) -> None:
        """When the last one goes, however he goes, the room is no more."""
        made = phone.make(one, two)
        for player in (two, one):
            assert phone.RemoveFromConversation(player, made["id"], is_self) is True
        assert phone.AddToConversation(one, made["id"]) is False
        assert phone.JoinByCode(one, made["joinCode"])["success"] is False

    def test_an_erased_rooms_code_is_free(self, phone: Phone, one: Player, two: Player) -> None:
        """When the last one has gone, another room may have the code."""
        first = phone.make(one, code=code_for(one))["id"]
        phone.RemoveFromConversation(one, first, True)
        second = phone.make(two, code=code_for(one))["id"]
        assert phone.JoinByCode(one, code_for(one))["conv"]["id"] == second


class TestListing:
    """Darkchat_GetConversations"""

    def test_rooms_have_no_messages(self, phone: Phone, one: Player) -> None:
        """A room in the list has all its members, and of the messages none."""
        room = phone.make(one)["id"]
        phone.say(one, room, "hello")
        [listed] = phone.GetConversations(one)
        assert types(listed) == KEYS
        assert listed == phone.room(one, room) | {"messages": []}

    def test_the_newest_comes_first(self, phone: Phone, one: Player) -> None:
        """The list is in the order of what happened last, a new room being new."""
        first, second = phone.make(one)["id"], phone.make(one)["id"]
        assert phone.rooms(one) == [second, first]
        phone.say(one, first, "up")
        assert phone.rooms(one) == [first, second]

    def test_only_ones_own_are_listed(self, phone: Phone, one: Player, two: Player) -> None:
        """Rooms that a player is not in are not in his list."""
        phone.make(one)
        shared = phone.make(one, two)["id"]
        assert phone.rooms(two) == [shared]

    @pytest.mark.parametrize(
        ("page", "places"),
        [
            ([], [0, 1, 2, 3]),
            ([1], [1, 2, 3]),
            ([0, 2], [0, 1]),
            ([1, 2], [1, 2]),
            (["", 1], [0]),
            (["2", "9"], [2, 3]),
            ([0, 0], []),
            ([4, 9], []),
            ([2**31 - 1, 2**31 - 1], []),
        ],
    )
    def test_start_and_limit_make_a_page(
        self, phone: Phone, one: Player, page: list[Any], places: list[int]
    ) -> None:
        """The list passes over as many as *start* says and has at most *limit*."""
        rooms = [phone.make(one)["id"] for _ in range(4)][::-1]
        assert phone.rooms(one, *page) == [rooms[place] for place in places]

    def test_texts_and_forum_conversations_are_not_rooms(
        self, phone: Phone, one: Player, two: Player
    ) -> None:
        """Conversations of other apps are not in the list."""
        assert one.rpc.new_conversation([two.name], b"Hi", b"there")["result"]
        assert phone.script.Messages_SendMessageToNumber(one.number, "hi", two.number)["success"]
        assert phone.rooms(one) == []


class TestReading:
    """Darkchat_GetConversation and Darkchat_GetMessages"""

    def test_a_message_has_all_its_members(self, phone: Phone, one: Player) -> None:
        """A message is told with its members, each of its type; the sender is his number."""
        room = phone.make(one)["id"]
        phone.say(one, room, "hello")
        [message] = phone.GetMessages(one, room)
        assert types(message) == MESSAGE_KEYS
        assert (message["sender"], message["senderName"]) == (one.number, one.name)
        assert (message["content"], message["type"]) == ("hello", "text")
        assert phone.room(one, room)["messages"] == [message]

    def test_without_a_number_there_is_the_name(self, phone: Phone, one: Player, carol: Member) -> None:
        """Who has no number is a sender by his name, and a recipient without a number."""
        room = phone.make(one)["id"]
        assert one.rpc.invite_participant([carol.name], str(room))["result"]
        assert carol.rpc.reply_conversation(str(room), b"hello")["result"]
        newest = phone.GetMessages(one, room)[0]
        assert (newest["sender"], newest["senderName"]) == (carol.name, carol.name)
        assert phone.room(one, room)["recipients"][1] == {"id": int(carol.id), "name": carol.name}

    def test_the_newest_fifty_are_shown(self, phone: Phone, one: Player) -> None:
        """A room is given with its newest 50 messages, the oldest of them first."""
        room = phone.make(one)["id"]
        phone.say(one, room, *(str(n) for n in range(52)))
        shown = [each["content"] for each in phone.room(one, room)["messages"]]
        assert shown == [str(n) for n in range(2, 52)]

    def test_messages_come_newest_first(self, phone: Phone, one: Player) -> None:
        """The list of messages is the newest first."""
        room = phone.make(one)["id"]
        phone.say(one, room, "a", "b", "c")
        assert phone.contents(one, room) == ["c", "b", "a"]

    @pytest.mark.parametrize(
        ("before", "limit", "expected"),
        [
            (None, [2], ["d", "c"]),
            (2, [], ["b", "a"]),
            (3, [2], ["c", "b"]),
            (0, [], []),
            (3, [0], []),
            (None, [200], ["d", "c", "b", "a"]),
        ],
    )
    def test_before_and_limit_make_a_page(
        self, phone: Phone, one: Player, before: int | None, limit: list[int], expected: list[str]
    ) -> None:
        """*beforeId* gives only what is older than that message, *limit* at most so many."""
        room = phone.make(one)["id"]
        phone.say(one, room, "a", "b", "c", "d")
        ids = [each["id"] for each in phone.GetMessages(one, room)][::-1]
        assert phone.contents(one, room, "" if before is None else ids[before], *limit) == expected

    def test_at_most_two_hundred_messages(self, script: Any, one: Player) -> None:
        """However many are asked for, a list has at most 200 messages."""
        phone = Phone(script, "Src")
        room = phone.make(one)["id"]
        phone.say(one, room, *(str(n) for n in range(203)))
        assert phone.contents(one, room, "", 1000) == [str(n) for n in range(202, 2, -1)]

    def test_a_message_of_another_room_is_no_place(self, phone: Phone, one: Player) -> None:
        """A message of another room marks no place in this one, so nothing is older than it."""
        room, other = phone.make(one)["id"], phone.make(one)["id"]
        phone.say(one, room, "a")
        phone.say(one, other, "b")
        assert phone.GetMessages(one, room, phone.GetMessages(one, other)[0]["id"]) == []

    def test_rooms_are_for_members(self, phone: Phone, one: Player, two: Player) -> None:
        """Who is not in a room gets the same answers as for a room that does not exist."""
        room = phone.make(one)["id"]
        phone.say(one, room, "secret")
        answers = [
            [
                phone.GetConversation(two, each),
                phone.GetMessages(two, each),
                phone.SendMessage(two, each, "hello"),
                phone.MarkRead(two, each),
            ]
            for each in (room, NO_ROOM)
        ]
        assert answers[0] == answers[1]
        found, listed, sent, marked = answers[0]
        assert types(found) == types(sent) == {"success": bool, "message": str}
        assert (found["success"], listed, sent["success"], marked) == (False, [], False, False)

    @pytest.mark.parametrize("app", ["forum", "messages"])
    def test_conversations_of_other_apps_are_no_rooms(
        self, phone: Phone, one: Player, two: Player, app: str
    ) -> None:
        """A conversation of another app is not found, though the player is in it."""
        if app == "forum":
            conversation = int(one.rpc.new_conversation([two.name], b"Hi", b"there")["conv_id"])
        else:
            sent = phone.script.Messages_SendMessageToNumber(one.number, "hi", two.number)
            conversation = sent["conversation"]["conversationId"]
        assert phone.GetConversation(one, conversation)["success"] is False
        assert phone.GetMessages(one, conversation) == []


class TestSaying:
    """Darkchat_SendMessage, isItRead and Darkchat_MarkRead"""

    def test_the_answer_is_the_message(self, phone: Phone, one: Player) -> None:
        """What was sent is given back as it is listed from then on."""
        room = phone.make(one)["id"]
        sent = phone.SendMessage(one, room, "héllo 😀")
        assert types(sent) == {"success": bool, "message": dict}
        assert types(sent["message"]) == MESSAGE_KEYS
        assert [sent["message"]] == phone.GetMessages(one, room)

    @pytest.mark.parametrize("text", ["", " \n\t", "[b][/b]", "\u200b", "x" * (LONGEST_BODY + 1)])
    def test_blank_and_too_long_are_refused(self, phone: Phone, one: Player, text: str) -> None:
        """A message with nothing to see, or with more characters than anywhere, is not sent."""
        room = phone.make(one)["id"]
        refused = phone.SendMessage(one, room, text)
        assert types(refused) == {"success": bool, "message": str}
        assert (refused["success"], phone.GetMessages(one, room)) == (False, [])

    def test_the_longest_message_is_sent(self, phone: Phone, one: Player) -> None:
        """A message may have as many characters as through every other door."""
        room = phone.make(one)["id"]
        phone.say(one, room, "😀" * LONGEST_BODY)
        assert phone.contents(one, room) == ["😀" * LONGEST_BODY]

    def test_text_that_xml_cannot_carry_is_cleaned(self, phone: Phone, one: Player) -> None:
        """Characters that would break somebody's answer are replaced on their way in."""
        room = phone.CreateConversation(one, Binary(b"He\x00ist"))["newConv"]
        assert room["name"] == "He\ufffdist"
        sent = phone.SendMessage(one, room["id"], Binary("a\x0b\uffffb".encode()))["message"]
        assert sent["content"] == "a\ufffd\ufffdb"
        assert phone.contents(one, room["id"]) == [sent["content"]]

    def test_sending_moves_updated_at(self, phone: Phone, one: Player) -> None:
        """A room is as new as its newest message."""
        room = phone.make(one)["id"]
        sent = phone.SendMessage(one, room, "hello")["message"]
        assert phone.room(one, room)["updatedAt"] == sent["createdAt"]

    def test_is_it_read_is_for_the_one_named(self, phone: Phone, one: Player, two: Player) -> None:
        """What a player says is read to himself and unread to the others, until they mark it."""
        room = phone.make(one, two)["id"]
        phone.say(one, room, "hello")
        flags = [phone.room(player, room)["isItRead"] for player in (one, two)]
        assert flags == [phone.GetConversations(player)[0]["isItRead"] for player in (one, two)]
        assert flags == [True, False]

    def test_marking_reads_it_all(self, phone: Phone, one: Player, two: Player) -> None:
        """After MarkRead a room is read until something new is said, for the one who marks it alone."""
        room = phone.make(one, two)["id"]
        phone.say(one, room, "a", "b")
        assert phone.MarkRead(two, room) is True
        assert phone.room(two, room)["isItRead"] is True
        phone.say(one, room, "c")
        assert phone.room(two, room)["isItRead"] is False

    def test_marking_twice_is_true(self, phone: Phone, one: Player) -> None:
        """To mark what is read already is no error."""
        room = phone.make(one)["id"]
        assert [phone.MarkRead(one, room), phone.MarkRead(one, room)] == [True, True]


class TestArguments:
    """What the exports take"""

    def test_ids_may_be_numeric_strings(self, phone: Phone, one: Player, two: Player) -> None:
        """Each id and source may be written as a numeric string."""
        room = str(phone.make(one)["id"])
        who = str(phone.who(two))
        assert phone.export("AddToConversation")(who, room) is True
        phone.say(one, int(room), "a", "b")
        newest = str(phone.GetMessages(two, room)[0]["id"])
        assert phone.contents(two, room, newest, "1") == ["a"]
        assert phone.GetConversation(two, room)["success"] is True
        assert phone.SendMessage(two, room, "c")["success"] is True
        assert phone.MarkRead(two, room) is True
        assert phone.export("RemoveFromConversation")(who, room, "1") is True

    @pytest.mark.parametrize("form", ["555{:07}", "(555) {:07}", "555-{:07}", "5 5 5.{:07}"])
    def test_a_number_is_matched_on_its_digits(self, script: Any, one: Player, form: str) -> None:
        """A number names its player however it is written."""
        made = script.Darkchat_CreateConversationByNumber(form.format(one.src), "Heist")
        assert made["newConv"]["createdBy"] == int(one.id)

    def test_a_number_may_be_a_long_integer(self, live: Live, one: Player) -> None:
        """A number of ten digits is accepted as i8 too."""
        body = (
            "<methodCall><methodName>Darkchat_CreateConversationByNumber</methodName><params>"
            f"<param><value><i8>555{one.src:07}</i8></value></param>"
            "<param><value><string>Heist</string></value></param></params></methodCall>"
        )
        host, _, port = live.address.removeprefix("http://").rpartition(":")
        with closing(http.client.HTTPConnection(host, int(port), 30)) as connection:
            connection.request("POST", PATH, body, {"Authorization": f"Bearer {live.key()}"})
            made: Any = loads(connection.getresponse().read())[0][0]
        assert made["newConv"]["createdBy"] == int(one.id)

    @pytest.mark.parametrize("place", range(4))
    def test_an_unknown_player_is_a_no(self, phone: Phone, one: Player, place: int) -> None:
        """For a player who is not there each export answers no in its own shape."""
        made, who = phone.make(one), UNKNOWN[phone.way][place]
        for stem, rest in (
            ("CreateConversation", ["Heist"]),
            ("JoinByCode", [made["joinCode"]]),
            ("GetConversation", [made["id"]]),
            ("SendMessage", [made["id"], "hello"]),
        ):
            refused = phone.export(stem)(who, *rest)
            assert (refused["success"], types(refused)) == (False, {"success": bool, "message": str})
        for stem in ("AddToConversation", "RemoveFromConversation", "MarkRead"):
            assert phone.export(stem)(who, made["id"]) is False
        assert phone.export("GetConversations")(who) == []
        assert phone.export("GetMessages")(who, made["id"]) == []

    def test_a_number_serves_without_a_connection(self, script: Any, one: Player, two: Player) -> None:
        """Who has disconnected is found by his number and no longer by his source."""
        room = script.Darkchat_CreateConversationByNumber(two.number, "Heist")["newConv"]["id"]
        script.Players_Disconnect(one.src)
        assert script.Darkchat_AddToConversationBySrc(one.src, room) is False
        assert script.Darkchat_AddToConversationByNumber(one.number, room) is True
