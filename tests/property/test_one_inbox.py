"""Whichever door three players and a game server's script use, it is one inbox: that of a plain model."""

import re
from itertools import cycle
from typing import Any
from xmlrpc.client import MultiCall

from conftest import Live, Player
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from inbox_model import GONE, JOINED, REMOVED, ROOM, TEXTS, Modelled, Said
from property.test_conversations import PEOPLE, Conversations, any_known, any_seen, people, places, whichever

EXAMPLES, STEPS = 12, 20
LONGEST_ROOM_NAME = 64
MADE_CODE = re.compile("[2-9A-HJ-NP-Z]{6}")
NOTES = {
    JOINED: "{} joined the room.",
    GONE: "{} left the room.",
    REMOVED: "{} was removed from the room.",
}

names = st.sampled_from(["Lobby", "Den", "n" * LONGEST_ROOM_NAME, "n" * (LONGEST_ROOM_NAME + 1), " "])
endings = st.sampled_from(["a", "A", "b", "", "-", "x" * 16])
senders = st.sampled_from([*PEOPLE, "", "system", "Taxi"])


class OneInbox(Conversations):
    """The three are players too: a script drives their darkchat and their text messages."""

    member: dict[str, Player]

    def __init__(self, live: Live, script: Any) -> None:
        super().__init__(live)
        self.script = script
        self.ways = cycle(["Src", "Number"])

    @initialize()
    def meet(self) -> None:
        super().meet()
        self.create("ann", "Lobby", "a")
        self.join_by_code("bob", 0, lower=True)
        self.text("ann", "bob")

    def newcomer(self, name: str) -> Player:
        return self.live.player(name)

    def call(self, stem: str, who: str, *arguments: Any) -> Any:
        """Call an export, by the player's source and by his number in turn."""
        way = next(self.ways)
        player = self.member[who]
        named = player.src if way == "Src" else player.number
        return getattr(self.script, f"{stem}{way}")(named, *arguments)

    def any_of(self, which: int) -> Modelled:
        """Any conversation, most often a room, whoever is in it."""
        among = [*self.rooms, *self.rooms, *self.known]
        return among[which % len(among)]

    @property
    def rooms(self) -> list[Modelled]:
        return [each for each in self.known if each.app == ROOM]

    def tell(self, room: Modelled, players: list[str], kind: str) -> None:
        """What has become of players is in the room's history, as messages of theirs."""
        newest = self.call("Darkchat_GetMessagesBy", room.inside[0], room.id, "", len(players))
        for each, message in zip(players, reversed(newest), strict=True):
            self.hear(room, Said(message["id"], each, NOTES[kind].format(self.member[each].name), kind))

    def welcome(self, conversation: Modelled, invited: list[str]) -> None:
        newcomers = [each for each in invited if each not in conversation.inside]
        super().welcome(conversation, invited)
        if newcomers and conversation.app == ROOM:
            self.tell(conversation, newcomers, JOINED)

    def depart(self, conversation: Modelled, who: str, kind: str = GONE) -> None:
        """A room goes from its owner to the one who is there longest."""
        super().depart(conversation, who)
        if conversation.app == ROOM and conversation.inside:
            if conversation.starter == who:
                conversation.starter = conversation.inside[0]
            self.tell(conversation, [who], kind)

    @rule(who=people, name=names, ending=endings)
    def create(self, who: str, name: str, ending: str) -> None:
        """A room has a name and a code that no other room has; its maker is in it, and it is empty."""
        code = f"code{self.member['ann'].id}{ending}" if ending else ""
        answer = self.call("Darkchat_CreateConversationBy", who, name, code)
        free = code.upper() not in [each.code for each in self.known if each.code]
        assert answer["success"] is (free and is_room_name(name) and (not code or is_code(code)))
        if answer["success"]:
            made = answer["newConv"]
            room = Modelled(made["id"], who, ROOM, name, code.upper() or made["joinCode"], born=self.newest())
            assert code or MADE_CODE.fullmatch(room.code)
            room.join(who)
            self.known.append(room)
            assert room_facts(made) == self.modelled_room(room, who, [])

    @rule(who=people, which=whichever, lower=st.booleans())
    def join_by_code(self, who: str, which: int, lower: bool) -> None:
        """A code lets in who has it, in any case; one that no room has does not."""
        room = self.rooms[which % len(self.rooms)] if self.rooms else None
        code = room.code if room else "NONE1"
        answer = self.call("Darkchat_JoinByCodeBy", who, code.lower() if lower else code)
        assert answer["success"] is bool(room)
        if room:
            self.welcome(room, [who])
            assert room_facts(answer["conv"]) == self.modelled_room(room, who, room.said)

    @any_known
    @rule(who=people, which=whichever)
    def add(self, who: str, which: int) -> None:
        """Who is added is in the room: for the first time, again, or seeing it again."""
        conversation = self.any_of(which)
        added = self.call("Darkchat_AddToConversationBy", who, conversation.id)
        assert added is (conversation.app == ROOM)
        if added:
            self.welcome(conversation, [who])

    @any_known
    @rule(who=people, which=whichever, is_self=st.sampled_from([None, True, False]))
    def remove(self, who: str, which: int, is_self: bool | None) -> None:
        """Who is in a room can be taken out of it, also when he has hidden it."""
        conversation = self.any_of(which)
        given = [] if is_self is None else [is_self]
        removed = self.call("Darkchat_RemoveFromConversationBy", who, conversation.id, *given)
        assert removed is in_room(who, conversation)
        if removed:
            self.depart(conversation, who, GONE if is_self else REMOVED)

    @any_known
    @rule(who=people, which=whichever)
    def send(self, who: str, which: int) -> None:
        """Those in a room can say something in it; with another conversation the phone door has no part."""
        conversation, words = self.any_of(which), self.words()
        answer = self.call("Darkchat_SendMessageBy", who, conversation.id, words)
        assert answer["success"] is in_room(who, conversation)
        if answer["success"]:
            message = Said(answer["message"]["id"], who, words)
            self.hear(conversation, message)
            assert said_facts(answer["message"]) == self.modelled_said(message)

    @any_known
    @rule(who=people, which=whichever)
    def mark_read_on_the_phone(self, who: str, which: int) -> None:
        conversation = self.any_of(which)
        marked = self.call("Darkchat_MarkReadBy", who, conversation.id)
        assert marked is in_room(who, conversation)
        if marked:
            conversation.unread[who].clear()

    @any_known
    @rule(who=people, which=whichever, limit=places, before=whichever)
    def look_at_the_phone(self, who: str, which: int, limit: int, before: int) -> None:
        """Looking at a room marks nothing as read, and shows nothing to those who are not in it."""
        conversation = self.any_of(which)
        answer = self.call("Darkchat_GetConversationBy", who, conversation.id)
        assert answer["success"] is in_room(who, conversation)
        if answer["success"]:
            assert room_facts(answer["conv"]) == self.modelled_room(conversation, who, conversation.said)
        end = before % (len(conversation.said) + 1)
        older = conversation.said[end].id if end < len(conversation.said) else ""
        shown = self.call("Darkchat_GetMessagesBy", who, conversation.id, older, limit)
        wanted = conversation.said[max(0, end - limit) : end] if answer["success"] else []
        assert [said_facts(each) for each in shown[::-1]] == [self.modelled_said(each) for each in wanted]

    @rule(sender=senders, whom=people)
    def text(self, sender: str, whom: str) -> None:
        """A text goes into the conversation of the two; where one of them has left, into a new one."""
        words = self.words()
        party = self.member[sender].number if sender in PEOPLE else sender
        answer = self.call("Messages_SendMessageTo", whom, words, *([party] if party else []))
        assert answer["success"] is (sender != whom)
        if answer["success"]:
            conversation = self.between(sender, whom, answer["conversation"]["conversationId"])
            shown = conversation.peer or party
            assert answer["conversation"]["participants"] == [self.member[whom].number, shown]
            assert answer["message"]["sender"] == shown
            author = sender if sender in PEOPLE else ""
            self.hear(conversation, Said(answer["message"]["id"], author, words))

    @rule(which=whichever)
    def text_again(self, which: int) -> None:
        """Those who have texted before do so again, whether both are still there or not."""
        texts = [each for each in self.known if each.app == TEXTS]
        if texts:
            conversation = texts[which % len(texts)]
            whom, *other = conversation.status
            self.text(other[0] if other else conversation.peer, whom)

    def between(self, sender: str, whom: str, answered: int) -> Modelled:
        """The conversation that the two have, or the new one that was answered."""
        both = [whom, sender] if sender in PEOPLE else [whom]
        peer = "" if sender in PEOPLE else sender or "System"
        texts = [each for each in self.known if each.app == TEXTS and set(each.status) == set(both)]
        for each in texts:
            if len(each.inside) == len(both) and each.peer.casefold() == peer.casefold():
                assert answered == each.id
                return each
        assert answered not in [each.id for each in self.known]
        begun = Modelled(answered, sender if sender in PEOPLE else "", TEXTS, peer=peer)
        for who in both:
            begun.join(who)
        self.known.append(begun)
        return begun

    @any_seen
    @rule(which=whichever, name=names)
    def rename(self, which: int, name: str) -> None:
        """The owner gives a room a new name, within the limits of a room's name."""
        who, conversation = self.pick(which)
        answer = self.member[who].rpc.edit_conversation(str(conversation.id), name.encode())
        fits = is_room_name(name) if conversation.app == ROOM else bool(name.strip())
        allowed = fits and conversation.starter == who and conversation.app != TEXTS
        assert answer["result"] is allowed
        if allowed:
            conversation.name = name

    @invariant()
    def rooms_agree(self) -> None:
        """A phone lists those rooms too that are hidden on the forum."""
        calls = MultiCall(self.script)
        for player in self.member.values():
            calls.Darkchat_GetConversationsByNumber(player.number)
        for who, listed in zip(PEOPLE, calls(), strict=True):
            rooms = [each for each in self.places_of(who) if each.app == ROOM]
            assert [room_facts(each) for each in listed] == [
                self.modelled_room(each, who, []) for each in rooms
            ]

    @invariant()
    def messages_agree(self) -> None:
        """Both doors give the same messages to one who has read them, for whom looking changes nothing."""
        read = [(who, each) for who in PEOPLE for each in self.seen_by(who) if not each.unread[who]]
        if read:
            who, conversation = read[next(self.numbers) % len(read)]
            self.compare_page(who, conversation, 0, 49)
            on_phone = self.call("Darkchat_GetMessagesBy", who, conversation.id)[::-1]
            wanted = conversation.said if conversation.app == ROOM else []
            assert [said_facts(each) for each in on_phone] == [self.modelled_said(each) for each in wanted]

    def modelled_room(self, room: Modelled, who: str, shown: list[Said]) -> tuple[Any, ...]:
        inside = [self.member[each] for each in room.inside]
        return (
            room.id,
            room.name,
            room.code,
            int(self.id_of(room.starter)),
            [(int(each.id), each.name, each.number) for each in inside],
            not room.unread[who],
            [self.modelled_said(each) for each in shown],
        )

    def modelled_said(self, message: Said) -> tuple[Any, ...]:
        author = self.member[message.author]
        return (message.id, author.number, author.name, message.kind, message.text)


def is_room_name(name: str) -> bool:
    return 0 < len(name.strip()) <= LONGEST_ROOM_NAME


def is_code(code: str) -> bool:
    return code.isalnum() and 4 <= len(code) <= 16


def in_room(who: str, conversation: Modelled) -> bool:
    return conversation.app == ROOM and who in conversation.inside


def room_facts(item: dict[str, Any]) -> tuple[Any, ...]:
    """What the phone says of a room, as far as the model knows it."""
    return (
        item["id"],
        item["name"],
        item["joinCode"],
        item["createdBy"],
        [(each["id"], each["name"], each["number"]) for each in item["recipients"]],
        item["isItRead"],
        [said_facts(each) for each in item["messages"]],
    )


def said_facts(item: dict[str, Any]) -> tuple[Any, ...]:
    """What the phone says of a message, as far as the model knows it."""
    return (item["id"], item["sender"], item["senderName"], item["type"], item["content"])


def test_every_door_agrees_with_a_plain_model(live: Live) -> None:
    """After every step each player's lists and messages are those of the model, through either door."""
    script = live.script()
    run_state_machine_as_test(
        lambda: OneInbox(live, script),
        settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None),
    )
