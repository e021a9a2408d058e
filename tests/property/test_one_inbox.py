"""Whichever door three players and a game server's script use, it is one inbox: that of a plain model."""

import re
from contextlib import ExitStack
from itertools import cycle, product
from typing import Any
from xmlrpc.client import MultiCall

import engines
from conftest import Live, Player
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from inbox_model import (
    ACTIVE,
    ASKED,
    BETWEEN_TWO,
    CHAT,
    CLOSED,
    DECLINED,
    GONE,
    HIDDEN,
    JOINED,
    LEFT,
    OPEN,
    PENDING,
    REMOVED,
    ROOM,
    TEXTS,
    Modelled,
    Said,
)
from property.test_conversations import PEOPLE, Conversations, any_known, any_seen, people, places, whichever
from rest_client import Chatter

EXAMPLES, STEPS = 8, 20
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
REQUESTS = {"pending": PENDING, "rejected": DECLINED}
DIRECTIONS = {"sent": ACTIVE, "received": ASKED}
MOST = 100


class OneInbox(Conversations):
    """The three are players too, with a script that drives their phones, and each is at the chat door."""

    member: dict[str, Player]

    def __init__(self, live: Live, script: Any) -> None:
        super().__init__(live)
        self.script = script
        self.ways = cycle(["Src", "Number"])
        self.lists = cycle(product(PEOPLE, REQUESTS, DIRECTIONS))
        self.chatter: dict[str, Chatter] = {}
        self.connections = ExitStack()

    @initialize()
    def meet(self) -> None:
        super().meet()
        self.create("ann", "Lobby", "a")
        self.join_by_code("bob", 0, lower=True)
        self.text("ann", "bob")
        self.ask("ann", "bob")
        self.say("bob", len(self.known) - 1)
        self.ask("carol", "ann")

    def newcomer(self, name: str) -> Player:
        player = self.live.player(name)
        self.chatter[name] = Chatter(self.live.address, player.token, player.id, player.name)
        self.connections.enter_context(self.chatter[name].kept_alive())
        return player

    def teardown(self) -> None:
        self.connections.close()
        super().teardown()

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
        allowed = fits and conversation.starter == who and conversation.app not in BETWEEN_TWO
        assert answer["result"] is allowed
        if allowed:
            conversation.name = name

    @rule(who=people, whom=people)
    def ask(self, who: str, whom: str) -> None:
        """A request makes a pending chat once; by the one who was asked himself it opens that chat."""
        known = next((each for each in self.chats if set(each.staying) == {who, whom}), None)
        answer = self.chatter[who].post("/chat", {"userId": self.chatter[whom].id})
        assert answer.status == (400 if who == whom else 200 if known else 201)
        if who != whom:
            chat = known or self.asked(who, whom, int(answer.json["id"]))
            if chat.status[who] == HIDDEN:
                chat.status[who] = ACTIVE
            if chat.starter != who:
                chat.open()
            assert chat_facts(answer.json) == self.modelled_chat(chat, who)

    def asked(self, who: str, whom: str, made: int) -> Modelled:
        assert made not in [each.id for each in self.known]
        chat = Modelled(made, who, CHAT, born=self.newest(), state=PENDING)
        for each in (who, whom):
            chat.join(each)
        chat.status[whom] = ASKED
        self.known.append(chat)
        return chat

    @property
    def chats(self) -> list[Modelled]:
        return [each for each in self.known if each.app == CHAT]

    def any_chat(self, which: int) -> Modelled:
        """Any conversation, most often a chat, whoever is in it."""
        among = [*self.chats, *self.chats, *self.known]
        return among[which % len(among)]

    @any_known
    @rule(who=people, which=whichever, yes=st.booleans())
    def answer(self, who: str, which: int, yes: bool) -> None:
        """Who was asked for a chat says yes, also after a no, or no, and not after a yes."""
        chat = self.any_chat(which)
        status = self.how_answered(chat, who, yes)
        answer = self.chatter[who].post(f"/chat/{chat.id}/{'accept' if yes else 'decline'}")
        assert answer.status == status
        if status == 200 and yes:
            chat.open()
        elif status == 200:
            chat.state = DECLINED
        if status == 200:
            assert chat_facts(answer.json) == self.modelled_chat(chat, who)

    def how_answered(self, chat: Modelled, who: str, yes: bool) -> int:
        if not chat.shows_itself(who):
            return 404
        if chat.app != CHAT or chat.starter == who:
            return 403
        return 409 if chat.state in (OPEN, CLOSED) and not yes else 200

    @any_known
    @rule(who=people, which=whichever)
    def withdraw(self, who: str, which: int) -> None:
        """Who has asked for a chat takes that back while it is pending, and nothing is left of it."""
        chat = self.any_chat(which)
        answer = self.chatter[who].delete(f"/chat/{chat.id}")
        is_own = chat.app == CHAT and chat.starter == who
        if not chat.shows_itself(who):
            assert answer.status == 404
        else:
            assert answer.status == (403 if not is_own else 204 if chat.state == PENDING else 409)
        if answer.status == 204:
            self.known.remove(chat)

    @any_known
    @rule(who=people, which=whichever)
    def say(self, who: str, which: int) -> None:
        """Something is said in a conversation of any app; who was asked for a chat accepts by that."""
        chat, words = self.any_chat(which), self.words()
        answer = self.chatter[who].post(f"/chat/{chat.id}/messages", {"text": words})
        if not chat.shows_itself(who):
            assert answer.status == 404
        else:
            assert answer.status == (201 if chat.takes(who) else 403)
        if answer.status == 201:
            if chat.status[who] == ASKED:
                chat.open()
            message = Said(int(answer.json["id"]), who, words)
            self.hear(chat, message)
            assert line_facts(answer.json) == self.modelled_line(message)

    @any_known
    @rule(who=people, which=whichever)
    def mark_read_in_chat(self, who: str, which: int) -> None:
        chat = self.any_chat(which)
        answer = self.chatter[who].post(f"/chat/{chat.id}/read")
        assert answer.status == (200 if chat.shows_itself(who) else 404)
        if answer.status == 200:
            chat.unread[who].clear()

    @any_known
    @rule(who=people, which=whichever, order=st.sampled_from(["asc", "desc"]), skip=places, limit=places)
    def look_at_the_chat(self, who: str, which: int, order: str, skip: int, limit: int) -> None:
        """Looking at a chat marks nothing as read, and shows nothing to those who are not in it."""
        chat = self.any_chat(which)
        answer = self.chatter[who].get(f"/chat/{chat.id}/messages", order=order, skip=skip, limit=limit)
        assert answer.status == (200 if chat.shows_itself(who) else 404)
        if answer.status == 200:
            ordered = chat.said if order == "asc" else chat.said[::-1]
            wanted = [self.modelled_line(each) for each in ordered[skip : skip + limit]]
            assert [line_facts(each) for each in answer.json] == wanted

    @invariant()
    def chats_agree(self) -> None:
        """The chat door lists what the forum lists, without what is pending, and counts the same."""
        for who, client in self.chatter.items():
            seen = self.seen_by(who)
            talks = [each for each in seen if each.state in (OPEN, CLOSED)]
            shown = client.get("/chat", limit=MOST).json
            assert [chat_facts(each) for each in shown] == [self.modelled_chat(each, who) for each in talks]
            for item, each in zip(shown, talks, strict=True):
                assert LEFT in each.status.values() or item["name"] == self.title(each, who)
            unread = [len(each.unread[who]) for each in seen if each.unread[who]]
            totals = client.totals()
            assert (totals["totalUnreadMessages"], totals["totalUnreadChats"]) == (sum(unread), len(unread))
            received = [each for each in self.chats if who in each.asked and each.state == PENDING]
            assert totals["totalPendingRequest"] == totals["totalPendingRequests"] == len(received)

    @invariant()
    def requests_agree(self) -> None:
        """What is pending and what was declined is listed by its direction, the newest first."""
        who, path, direction = next(self.lists)
        wanted = [
            each
            for each in sorted(self.chats, key=lambda each: each.id, reverse=True)
            if each.state == REQUESTS[path] and each.status.get(who) == DIRECTIONS[direction]
        ]
        listed = self.chatter[who].get(f"/chat/{path}", direction=direction, limit=MOST).json
        assert {each["direction"] for each in listed} <= {direction}
        assert [chat_facts(each) for each in listed] == [self.modelled_chat(each, who) for each in wanted]

    def modelled_chat(self, chat: Modelled, who: str) -> tuple[Any, ...]:
        return (
            chat.id,
            chat.app,
            chat.state,
            {self.chatter[each].id for each in (chat.status if chat.app in BETWEEN_TWO else chat.staying)},
            self.modelled_line(chat.said[-1]) if chat.said else None,
            len(chat.unread[who]) if chat.status[who] == ACTIVE else 0,
        )

    def modelled_line(self, message: Said) -> tuple[Any, ...]:
        author = self.chatter[message.author].id if message.author else None
        return (message.id, author, message.text)

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
        """All doors give the same messages to one who has read them, for whom looking changes nothing."""
        read = [(who, each) for who in PEOPLE for each in self.seen_by(who) if not each.unread[who]]
        if read:
            who, conversation = read[next(self.numbers) % len(read)]
            self.compare_page(who, conversation, 0, 49)
            on_phone = self.call("Darkchat_GetMessagesBy", who, conversation.id)[::-1]
            wanted = conversation.said if conversation.app == ROOM else []
            assert [said_facts(each) for each in on_phone] == [self.modelled_said(each) for each in wanted]
            in_chat = self.chatter[who].get(f"/chat/{conversation.id}/messages", limit=MOST).json[::-1]
            assert [line_facts(each) for each in in_chat] == [
                self.modelled_line(each) for each in conversation.said
            ]

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


def chat_facts(item: dict[str, Any]) -> tuple[Any, ...]:
    """What the chat door says of a conversation, as far as the model knows it."""
    last = item["lastMessage"]
    return (
        int(item["id"]),
        item["app"],
        item["status"],
        {each["id"] for each in item["users"]},
        last and line_facts(last),
        item["totalUnreadMessages"],
    )


def line_facts(item: dict[str, Any]) -> tuple[Any, ...]:
    """What the chat door says of a message, as far as the model knows it."""
    return (int(item["id"]), item["userId"], item["text"])


def test_every_door_agrees_with_a_plain_model(live: Live) -> None:
    """After every step each player's lists and messages are those of the model, through every door."""
    script = live.script()
    run_state_machine_as_test(
        lambda: OneInbox(live, script),
        settings=settings(
            max_examples=engines.tries(EXAMPLES),
            stateful_step_count=STEPS,
            deadline=None,
            # Against a live server it would take minutes to make what has failed any smaller.
            phases=[Phase.generate],
        ),
    )
