"""Messages are found by their words, at the chat door and on a page, by those who can read them."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import Live, Member
from rest_client import Chatter
from wire.test_pages import Browser, begun

ToChatter = Callable[[Member], Chatter]


def found(who: Chatter, words: str, **more: Any) -> list[str]:
    """What the messages say that are found."""
    answer = who.get("/chat/search", words=words, **more)
    assert answer.status == 200, answer.body
    return [each["text"] for each in answer.json]


@pytest.fixture
def at(chatter: ToChatter) -> ToChatter:
    return chatter


def test_one_search_finds_what_came_through_every_door(live: Live, at: ToChatter) -> None:
    """Forum, chat, darkchat and texts are searched at once; the newest message stands first."""
    one, two = live.player("one"), live.player("two")
    script = live.script()
    begun(one, two, body="forum heist")
    one_at, two_at = at(one), at(two)
    one_at.says(one_at.talks_with(two_at), "chat heist")
    room = script.Darkchat_CreateConversationByNumber(one.number, "Bank")["newConv"]["id"]
    script.Darkchat_AddToConversationByNumber(two.number, room)
    script.Darkchat_SendMessageByNumber(one.number, room, "room heist")
    script.Messages_SendMessageToNumber(two.number, "text heist", one.number)
    wanted = ["text heist", "room heist", "chat heist", "forum heist"]
    assert found(one_at, "heist") == found(two_at, "heist") == wanted
    page = Browser(live, two).opens("/inbox/search", words="heist")
    assert page.texts(".list .said") == [f"{one.name}: {text}" for text in wanted]
    assert page.texts(".list .app") == ["Phone", "Darkchat", "Chat", "Forum"]


def test_a_message_that_is_found_is_a_message_of_the_chat_door(
    ann: Member, bob: Member, at: ToChatter
) -> None:
    """It has the very form that it has in the list of its chat, with what it carries."""
    chat = at(ann).talks_with(at(bob))
    at(ann).says(chat, "Look there", id="mine", imageUrl="https://a.example/b.png")
    assert at(bob).get("/chat/search", words="look").json == at(bob).get(f"/chat/{chat}/messages").json


def test_only_who_can_read_it_finds_it(
    live: Live, ann: Member, bob: Member, carol: Member, at: ToChatter
) -> None:
    """A stranger and one who has left find nothing, nor does one who has hidden it until it comes back."""
    place = begun(ann, bob, carol, body="secret")
    everybody = [at(each) for each in (ann, bob, carol, live.member())]
    assert [found(each, "secret") for each in everybody] == [["secret"]] * 3 + [[]]
    assert bob.rpc.delete_conversation(place, 1)["result"]
    assert carol.rpc.delete_conversation(place, 2)["result"]
    assert [found(each, "secret") for each in everybody] == [["secret"], [], [], []]
    ann.rpc.reply_conversation(place, b"again")
    assert [found(each, "secret") for each in everybody] == [["secret"]] * 2 + [[]] * 2


def test_an_invitation_of_somebody_ignored_is_not_searched(ann: Member, bob: Member, at: ToChatter) -> None:
    """What one never sees because of whom it came from, one does not find."""
    assert at(bob).post(f"/users/{ann.id}/block").status == 200
    begun(ann, bob, body="secret")
    assert (found(at(ann), "secret"), found(at(bob), "secret")) == (["secret"], [])


def test_a_request_is_searched_until_it_is_withdrawn(ann: Member, bob: Member, at: ToChatter) -> None:
    """Who is asked for a chat finds what came with it; what is withdrawn nobody finds."""
    chat = at(ann).asks(at(bob))
    at(ann).says(chat, "secret")
    assert (found(at(ann), "secret"), found(at(bob), "secret")) == (["secret"], ["secret"])
    assert at(ann).delete(f"/chat/{chat}").status == 204
    assert (found(at(ann), "secret"), found(at(bob), "secret")) == ([], [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Meet me at the pier", "PIER meet"),
        ("Grüße aus KÖLN", "köln GRÜßE"),
        ("Übermorgen", "ÜBERMORGEN"),
        ("Übermorgen", "u\u0308bermorgen"),
        ("naïve", "naïve"),
        ("Ждём ВАС", "вас ждём"),
        ("ΟΔΟΣ", "οδος"),
        ("東京 タワー", "タワー"),
        ("[b]so[/b]-called", "called so"),
        ("it's 5:30, room_7", "5 30 room 7 s"),
        ("a" * 250, "a" * 250),
    ],
)
def test_words_are_found_in_any_case_and_order(
    ann: Member, bob: Member, at: ToChatter, text: str, words: str
) -> None:
    """Words are runs of letters and digits; their case, their order and what stands between do not count."""
    begun(ann, bob, body=text)
    assert len(found(at(bob), words)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Meet me at the pier", "pie"),
        ("Meet me at the pier", "meet nobody"),
        ("naïve", "naive"),
        ("a" * 250, "a" * 249),
        ("one two", 'one" OR "nothing'),
        ("one two", "one NOT nothing"),
        ("one two", "on*"),
    ],
)
def test_words_are_whole_and_all_there(
    ann: Member, bob: Member, at: ToChatter, text: str, words: str
) -> None:
    """A part of a word is none, each word has to be there, and nothing that is typed is an order."""
    begun(ann, bob, body=text)
    assert found(at(bob), words) == []


@pytest.mark.parametrize(
    "words",
    ["one", '"one" & two', "ONE:two", "{one} ^two", "'one' <-> two", "one\0two", "(one", "\\one|two%?"],
)
def test_signs_part_words_and_mean_nothing(ann: Member, bob: Member, at: ToChatter, words: str) -> None:
    """Whatever an engine could take for something of its own is what stands between words."""
    begun(ann, bob, body="One two, or three")
    assert len(found(at(bob), words)) == 1


@pytest.mark.parametrize(
    "words", ["", "  ", "!?", '"', "*", "\0", "\ue000", "x" * 10_000, "a b c d e f g h i j k l m n o p q"]
)
def test_a_search_for_nothing_or_too_much_is_refused(
    live: Live, ann: Member, at: ToChatter, words: str
) -> None:
    """Without a word, or with too many, nothing is searched; the page says why and keeps what was typed."""
    answer = at(ann).get("/chat/search", words=words)
    assert answer.status == 400
    page = Browser(live, ann).opens("/inbox/search", words=words)
    assert page.status == 200
    assert bool(page.texts("[role=alert]")) is bool(words)
    assert page.tree.cssselect("#words")[0].get("value") == words.replace("\0", "\ufffd")


def test_the_name_of_a_conversation_in_the_index_is_no_word(
    live: Live, ann: Member, bob: Member, carol: Member, at: ToChatter
) -> None:
    """Who writes what stands for a conversation in the index is not found in that one."""
    place = begun(ann, bob, body="one")
    begun(carol, live.member(), body=f"two \ue000{place}")
    assert found(at(ann), "two") == []


def test_what_is_older_comes_page_by_page(live: Live, ann: Member, bob: Member, at: ToChatter) -> None:
    """Each page goes on below the last message of the one before, without gap or overlap."""
    places = [begun(ann, bob, body="number 0"), begun(ann, bob, body="number 1")]
    for number in range(2, 43):
        ann.rpc.reply_conversation(places[number % 2], f"number {number}".encode())
    wanted = [f"number {number}" for number in reversed(range(43))]
    shown, before = list[str](), {}
    while part := at(bob).get("/chat/search", words="number", limit=9, **before).json:
        shown += [each["text"] for each in part]
        before = {"before": part[-1]["id"]}
    assert shown == wanted
    assert found(at(bob), "number", limit=0) == found(at(bob), "number", before=0) == []
    page = Browser(live, bob).opens("/inbox/search", words="number")
    seen = page.texts(".said")
    while older := page.tree.cssselect("a[rel=next]"):
        page = Browser(live, bob).opens(older[0].get("href"))
        seen += page.texts(".said")
    assert seen == [f"{ann.name}: {text}" for text in wanted]


def test_a_page_leads_to_what_was_found(live: Live, ann: Member, bob: Member) -> None:
    """From the inbox one searches, and from what is found goes to the message among those around it."""
    place = begun(ann, bob, body="needle")
    for number in range(30):
        ann.rpc.reply_conversation(place, f"hay {number}".encode())
    browser = Browser(live, bob)
    [form] = browser.opens("/inbox").tree.cssselect("form[role=search]")
    page = browser.opens(form.get("action"), words="needle")
    [link] = page.tree.cssselect(".list a")
    path, _, place_on_page = link.get("href").partition("#")
    shown = browser.opens(path)
    assert [each.text_content() for each in shown.tree.cssselect(f"#{place_on_page} .body")] == ["needle"]
    assert "hay 3" in shown.texts(".message .body")
    assert browser.opens("/inbox/search", words="nothing").texts(".list li") == []
