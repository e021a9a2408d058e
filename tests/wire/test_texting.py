"""The rules of text messages to a player, who is named by his source and by his number."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xmlrpc.client import Binary, ServerProxy

import pytest
from conftest import Live, Player

from models import User, database
from server.actions import accounts

PATH = "/RPC2"
LONGEST_BODY = 10_000
UNKNOWN: dict[str, list[Any]] = {
    "Src": [0, -1, 2147483000, "2147483000"],
    "Number": [2147483000, "987 654 321", "no digits", ""],
}
CLIENTS = 8


def types(struct: dict[str, Any]) -> dict[str, type]:
    return {key: type(value) for key, value in struct.items()}


class Phone:
    """A game server's script that sends texts and names their receivers in one *way*."""

    def __init__(self, script: Any, way: str) -> None:
        self.script, self.way = script, way

    def text(self, receiver: Player, *rest: Any) -> Any:
        """What the export answers to a message, and a sender where one is given."""
        return self.to(receiver.src if self.way == "Src" else receiver.number, *rest)

    def to(self, *arguments: Any) -> Any:
        return getattr(self.script, f"Messages_SendMessageTo{self.way}")(*arguments)

    def sent(self, receiver: Player, *rest: Any) -> Any:
        """The same, where it has to be a yes."""
        answer = self.text(receiver, *rest)
        assert answer["success"] is True, answer
        return answer

    def conversation(self, receiver: Player, *rest: Any) -> int:
        return int(self.sent(receiver, *rest)["conversation"]["conversationId"])


@pytest.fixture(scope="module")
def script(live: Live) -> Any:
    return live.script()


@pytest.fixture
def phone(script: Any) -> Phone:
    # The other way of naming a player leads to the very same function.
    return Phone(script, "Number")


@pytest.fixture
def one(live: Live) -> Player:
    return live.player("one")


@pytest.fixture
def two(live: Live) -> Player:
    return live.player("two")


def refused(answer: Any, receiver: Player) -> bool:
    """Whether the answer is a no that says why, and the receiver has got nothing."""
    return (
        types(answer) == {"success": bool, "message": str}
        and answer["success"] is False
        and answer["message"] != ""
        and receiver.rpc.get_conversations()["conversation_count"] == 0
    )


def spelled(player: Player) -> list[str]:
    """His number in other writings than the one that is stored."""
    digits = player.number.replace("-", "")
    return [digits, f"(555) {digits[3:]}", f" {player.number} ", f"+{digits}", ".".join(digits)]


class TestAnswer:
    """What is told of a text that was sent"""

    def test_the_answer_has_message_and_conversation(self, phone: Phone, one: Player) -> None:
        """A text that was sent is answered with it and its conversation."""
        assert types(phone.sent(one, "hi")) == {"success": bool, "message": dict, "conversation": dict}

    def test_the_message_has_its_members(self, phone: Phone, one: Player) -> None:
        """The message is told with exactly its members, each of its type."""
        message = phone.sent(one, "hi")["message"]
        assert types(message) == {"id": int, "sender": str, "content": str, "type": str, "createdAt": int}

    def test_the_conversation_has_its_members(self, phone: Phone, one: Player) -> None:
        """The conversation is told with exactly its members, each of its type."""
        conversation = phone.sent(one, "hi")["conversation"]
        assert types(conversation) == {
            "conversationId": int,
            "name": str,
            "avatar": str,
            "participants": list,
            "isGroup": bool,
            "createdAt": int,
        }
        assert (conversation["avatar"], conversation["isGroup"]) == ("default", False)

    def test_the_message_is_what_was_said(self, phone: Phone, one: Player, two: Player) -> None:
        """The message has the text, its sender's number and its kind."""
        message = phone.sent(one, "héllo 😀", two.number)["message"]
        assert (message["content"], message["sender"], message["type"]) == ("héllo 😀", two.number, "text")

    def test_the_participants_are_the_two(self, phone: Phone, one: Player, two: Player) -> None:
        """The participants are the numbers of both, or a name where there is no number."""
        between = phone.sent(one, "hi", two.number)["conversation"]["participants"]
        assert sorted(between) == sorted([one.number, two.number])
        served = phone.sent(one, "hi", "Taxi")["conversation"]["participants"]
        assert sorted(served) == sorted([one.number, "Taxi"])


class TestSender:
    """Who a text comes from"""

    @pytest.mark.parametrize("rest", [[], [""]])
    def test_without_a_sender_it_is_the_system(self, phone: Phone, one: Player, rest: list[str]) -> None:
        """Where no sender is given a text comes from "System"."""
        answer = phone.sent(one, "hi", *rest)
        assert (answer["message"]["sender"], answer["conversation"]["name"]) == ("System", "System")

    def test_nil_is_no_sender(self, live: Live, one: Player) -> None:
        """A sender that is nil is none."""
        headers = [("Authorization", f"Bearer {live.key()}")]
        with ServerProxy(f"{live.address}{PATH}", headers=headers, allow_none=True) as proxy:
            for way in ("Src", "Number"):
                assert Phone(proxy, way).sent(one, "hi", None)["message"]["sender"] == "System"

    def test_a_players_number_is_the_player_in_any_writing(
        self, phone: Phone, one: Player, two: Player
    ) -> None:
        """A sender is matched on his number's digits, and shown with the number as it is stored."""
        senders = {phone.sent(one, "hi", each)["message"]["sender"] for each in spelled(two)}
        assert senders == {two.number}
        assert two.rpc.get_conversations()["conversation_count"] == 1

    @pytest.mark.parametrize("sender", ["911", "000-0001", "Taxi", "Weazel News", "Bürgeramt"])
    def test_anybody_may_be_the_sender(self, phone: Phone, one: Player, sender: str) -> None:
        """A number that nobody has, or a name, is told as it is given."""
        answer = phone.sent(one, "hi", sender)
        assert (answer["message"]["sender"], answer["conversation"]["name"]) == (sender, sender)

    def test_a_name_with_digits_is_a_name(self, phone: Phone, one: Player, two: Player) -> None:
        """A name in which a player's digits stand is not that player, who has said nothing."""
        name = f"Taxi {two.number}"
        assert phone.sent(one, "hi", name)["message"]["sender"] == name
        assert two.rpc.get_conversations()["conversation_count"] == 0

    def test_a_name_that_xml_cannot_carry_is_cleaned(self, phone: Phone, one: Player) -> None:
        """Characters in a sender's name that would break an answer are replaced on their way in."""
        answer = phone.sent(one, "hi", Binary(b"Ta\x00xi"))
        assert answer["message"]["sender"] == "Ta\ufffdxi"
        [listed] = one.rpc.get_conversations()["list"]
        assert listed["conv_subject"] == "Ta\ufffdxi".encode()

    def test_a_player_need_not_be_connected(self, phone: Phone, one: Player, two: Player) -> None:
        """Who is not connected can be the sender by his number."""
        phone.script.Players_Disconnect(two.src)
        assert phone.sent(one, "hi", two.number)["message"]["sender"] == two.number

    def test_a_receiver_need_not_be_connected(self, script: Any, one: Player) -> None:
        """Who is not connected gets texts by his number, and none by the source that he had."""
        script.Players_Disconnect(one.src)
        assert refused(Phone(script, "Src").text(one, "hi"), one)
        assert Phone(script, "Number").text(one, "hi")["success"] is True


class TestConversation:
    """Which conversation a text goes into"""

    @pytest.mark.parametrize("sender", ["System", "Taxi", "911"])
    def test_a_second_text_joins_the_first(self, phone: Phone, one: Player, sender: str) -> None:
        """Two texts from one sender to one receiver are in one conversation."""
        assert phone.conversation(one, "a", sender) == phone.conversation(one, "b", sender)

    def test_an_answer_joins_the_text(self, phone: Phone, one: Player, two: Player) -> None:
        """A text between two players is in their one conversation, whichever of them writes."""
        there = phone.conversation(one, "a", two.number)
        assert phone.conversation(two, "b", one.number) == there
        assert phone.conversation(one, "c", two.number) == there

    def test_the_writing_makes_no_other_conversation(self, phone: Phone, one: Player) -> None:
        """A sender without an account is the same one in another writing of his number or name."""
        assert phone.conversation(one, "a", "000-7777") == phone.conversation(one, "b", "(000) 7777")
        assert phone.conversation(one, "a", "Taxi") == phone.conversation(one, "b", " TAXI ")

    def test_other_senders_have_other_conversations(self, phone: Phone, one: Player, two: Player) -> None:
        """Each sender has a conversation of his own with the receiver."""
        senders = ["System", "Taxi", "911", two.number]
        assert len({phone.conversation(one, "hi", sender) for sender in senders}) == len(senders)

    def test_other_receivers_have_other_conversations(self, phone: Phone, one: Player, two: Player) -> None:
        """One sender's texts to two receivers are in two conversations."""
        assert phone.conversation(one, "hi", "Taxi") != phone.conversation(two, "hi", "Taxi")

    def test_both_ways_lead_to_one_conversation(self, script: Any, one: Player) -> None:
        """A text by source and one by number to the same player are in one conversation."""
        assert Phone(script, "Src").conversation(one, "a") == Phone(script, "Number").conversation(one, "b")

    def test_its_name_is_the_receivers_contact(self, phone: Phone, one: Player, two: Player) -> None:
        """A conversation is named as the receiver's phone book has the sender, else by his number."""
        phone.script.PhoneApp_AddContactByNumber(one.number, spelled(two)[0], "Tom", "Cat")
        assert phone.sent(one, "hi", two.number)["conversation"]["name"] == "Tom Cat"
        assert phone.sent(two, "hi", one.number)["conversation"]["name"] == one.number

    def test_a_contact_may_be_nobodys_number(self, phone: Phone, one: Player) -> None:
        """A number without an account has the receiver's name for it too."""
        phone.script.PhoneApp_AddContactByNumber(one.number, "000-8888", "Night", "Shop")
        assert phone.sent(one, "hi", "0008888")["conversation"]["name"] == "Night Shop"

    def test_simultaneous_first_texts_make_one_conversation(
        self, live: Live, phone: Phone, one: Player, two: Player
    ) -> None:
        """Eight first texts between two at one instant, in both directions, are in one conversation."""
        key = live.key()
        together = threading.Barrier(CLIENTS)

        def send(place: int) -> int:
            receiver, sender = (one, two) if place % 2 else (two, one)
            headers = [("Authorization", f"Bearer {key}")]
            with ServerProxy(f"{live.address}{PATH}", headers=headers) as proxy:
                together.wait(30)
                return Phone(proxy, phone.way).conversation(receiver, f"text {place}", sender.number)

        with ThreadPoolExecutor(CLIENTS) as pool:
            [conversation] = set(pool.map(send, range(CLIENTS)))
        for player in (one, two):
            [listed] = player.rpc.get_conversations()["list"]
            assert (listed["conv_id"], listed["total_message_num"]) == (str(conversation), CLIENTS)


class TestRefused:
    """What is not sent"""

    @pytest.mark.parametrize("text", ["", " \n\t", "[b][/b]", "\u200b", "x" * (LONGEST_BODY + 1)])
    def test_blank_and_too_long(self, phone: Phone, one: Player, text: str) -> None:
        """A text with nothing to see, or with more characters than anywhere, is refused."""
        assert refused(phone.text(one, text), one)

    def test_the_longest_is_sent(self, phone: Phone, one: Player) -> None:
        """A text may have as many characters as through every other door."""
        assert phone.sent(one, "😀" * LONGEST_BODY)["message"]["content"] == "😀" * LONGEST_BODY

    @pytest.mark.parametrize("sender", [" ", "n" * 65])
    def test_a_sender_has_a_name(self, phone: Phone, one: Player, sender: str) -> None:
        """A sender of blanks alone, or far longer than any name, is refused."""
        assert refused(phone.text(one, "hi", sender), one)

    def test_a_blocked_player(self, phone: Phone, one: Player, two: Player) -> None:
        """A number that the receiver has blocked, in whatever writing, does not reach him."""
        phone.script.PhoneApp_SetBlockedByNumber(one.number, spelled(two)[0], True)
        for each in (two.number, *spelled(two)):
            assert refused(phone.text(one, "hi", each), one)

    def test_a_blocked_number_of_nobodys(self, phone: Phone, one: Player) -> None:
        """A number without an account can be blocked too."""
        phone.script.PhoneApp_SetBlockedByNumber(one.number, "000-9999", True)
        assert refused(phone.text(one, "hi", "(000) 9999"), one)

    def test_blocked_in_the_middle(self, phone: Phone, one: Player, two: Player) -> None:
        """A block counts in a conversation that is there already, and no longer once it is taken back."""
        phone.sent(one, "a", two.number)
        phone.script.PhoneApp_SetBlockedByNumber(one.number, two.number, True)
        assert phone.text(one, "b", two.number)["success"] is False
        phone.script.PhoneApp_SetBlockedByNumber(one.number, two.number, False)
        assert phone.text(one, "c", two.number)["success"] is True

    def test_who_blocks_may_write(self, phone: Phone, one: Player, two: Player) -> None:
        """A block is against what comes in; who has set it can write to the one blocked."""
        phone.script.PhoneApp_SetBlockedByNumber(one.number, two.number, True)
        assert phone.text(two, "hi", one.number)["success"] is True

    def test_an_unknown_receiver(self, phone: Phone) -> None:
        """A text to nobody is refused."""
        for who in UNKNOWN[phone.way]:
            answer = phone.to(who, "hi")
            assert (answer["success"], types(answer)) == (False, {"success": bool, "message": str})

    def test_oneself(self, phone: Phone, one: Player) -> None:
        """Nobody texts himself, in whatever writing of his number."""
        for each in (one.number, *spelled(one)):
            assert refused(phone.text(one, "hi", each), one)

    def test_who_is_ignored_on_the_forum(self, phone: Phone, one: Player, two: Player) -> None:
        """A sender whom the receiver ignores on the forum does not reach his phone either."""
        assert one.rpc.ignore_user(two.id, 1)["result"]
        assert refused(phone.text(one, "hi", two.number), one)
        one.rpc.ignore_user(two.id, 0)
        assert phone.text(one, "hi", two.number)["success"] is True

    @pytest.mark.parametrize("disabled", ["receiver", "sender"])
    def test_who_is_disabled(self, live: Live, phone: Phone, one: Player, two: Player, disabled: str) -> None:
        """A disabled user neither gets nor sends texts."""
        with live.store(), database.atomic():
            accounts.disable(User.get_by_id(int((one if disabled == "receiver" else two).id)))
        assert phone.text(one, "hi", two.number)["success"] is False
