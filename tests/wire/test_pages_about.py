"""A conversation as a whole, on a page of its own: who is in it, and what a member does about it."""

import pytest
from conftest import Live, Member
from page_client import Browser, begun

from server.actions import accounts


@pytest.fixture
def at_ann(live: Live, ann: Member) -> Browser:
    return Browser(live, ann)


@pytest.fixture
def at_bob(live: Live, bob: Member) -> Browser:
    return Browser(live, bob)


def choices(browser: Browser, place: str) -> list[str]:
    return browser.opens(f"/inbox/{place}/about").texts(".choices a, .choices button")


def test_who_is_in_it_is_told(ann: Member, bob: Member, carol: Member, at_bob: Browser) -> None:
    """The page names who is in a conversation and who has started it, and nobody who has left."""
    place = begun(ann, bob, carol)
    assert carol.rpc.delete_conversation(place, 2)["result"]
    [link] = at_bob.opens(f"/inbox/{place}").tree.cssselect("a[href$='/about']")
    named = at_bob.opens(link.get("href")).texts(".list .what")
    assert named == [f"{ann.name} has started it", bob.name]


def test_who_is_seen_can_be_written_to(live: Live, ann: Member, bob: Member, at_ann: Browser) -> None:
    """Where somebody is shown by another name than he is called both are told, and a link writes to him."""
    with live.store():
        accounts.edit_user(accounts.named(bob.name), display_name="Eve Moreno")
    place = begun(ann, bob)
    assert f"Eve Moreno ({bob.name})" in at_ann.opens(f"/inbox/{place}").text("#said > p")
    [link] = at_ann.opens(f"/inbox/{place}/about").tree.cssselect(".list a")
    form = at_ann.opens(link.get("href")).tree
    assert form.cssselect("input[name=to]")[0].get("value") == bob.name


def test_people_are_invited(live: Live, ann: Member, bob: Member, carol: Member, at_ann: Browser) -> None:
    """Who is invited on a page reads all that was said, and why he was invited."""
    place = begun(ann, bob, body="The pier at nine.")
    at_ann.sends(f"/inbox/{place}/invite", to=carol.name, reason="You have the truck.")
    page = Browser(live, carol).opens(f"/inbox/{place}")
    assert page.text(".body") == "The pier at nine."
    assert "Why you were invited: You have the truck." in page.texts("p")


def test_a_refused_invitation_can_be_mended(ann: Member, bob: Member, at_ann: Browser) -> None:
    """Where somebody cannot be found the form comes back with all that was filled in."""
    place = begun(ann, bob)
    answer = at_ann.fills(f"/inbox/{place}/invite", to="nobody-at-all", reason="You have the truck.")
    assert answer.status == 404
    assert b"could not be found: nobody-at-all" in answer.body
    assert b'value="nobody-at-all"' in answer.body and b'value="You have the truck."' in answer.body


@pytest.mark.parametrize("open_invite", [True, False])
def test_a_conversation_is_renamed(ann: Member, bob: Member, at_ann: Browser, open_invite: bool) -> None:
    """Its starter changes what a conversation is about, and whether others may invite, for every door."""
    place = begun(ann, bob, subject="Lunch")
    ticked = {"open_invite": "true"} if open_invite else {}
    assert at_ann.sends(f"/inbox/{place}/subject", subject="Dinner", **ticked).text("h1") == "About Dinner"
    shown = bob.rpc.get_conversation(place)
    assert (shown["conv_title"], shown["can_invite"]) == (b"Dinner", open_invite)


def test_the_form_for_the_subject_shows_how_it_is(ann: Member, bob: Member, at_ann: Browser) -> None:
    """What is not touched in the form stays as it is."""
    place = begun(ann, bob, subject="Lunch")
    at_ann.sends(f"/inbox/{place}/subject", subject="Lunch", open_invite="true")
    form = at_ann.opens(f"/inbox/{place}/subject").tree
    assert form.cssselect("input[name=subject]")[0].get("value") == "Lunch"
    assert form.cssselect("input[name=open_invite]")[0].get("checked") is not None


def test_a_conversation_is_closed_and_opened(
    ann: Member, bob: Member, at_ann: Browser, at_bob: Browser
) -> None:
    """Its starter closes a conversation, in which nobody else says anything then, and opens it again."""
    place = begun(ann, bob)
    assert "Close it" in choices(at_ann, place)
    at_ann.sends(f"/inbox/{place}/close")
    assert "Nothing more can be said here." in at_bob.opens(f"/inbox/{place}").texts("p")
    assert "Open it again" in choices(at_ann, place)
    at_ann.sends(f"/inbox/{place}/open")
    assert bob.rpc.reply_conversation(place, b"At last.")["result"]


def test_who_has_not_started_it_changes_nothing(
    ann: Member, bob: Member, carol: Member, at_bob: Browser
) -> None:
    """Others are offered only what they may do, and refused the rest."""
    place = begun(ann, bob)
    assert choices(at_bob, place) == ["Hide it until something is said", "Leave it"]
    for what, fields in {
        "close": {},
        "open": {},
        "subject": {"subject": "Mine"},
        "invite": {"to": carol.name},
    }.items():
        assert at_bob.fills(f"/inbox/{place}/{what}", **fields).status == 403
    shown = ann.rpc.get_conversation(place)
    assert (shown["conv_title"], shown["participant_count"]) == (b"Lunch", 2)


def test_what_is_hidden_comes_back(ann: Member, bob: Member, at_bob: Browser) -> None:
    """A hidden conversation is out of the list until something is said in it."""
    place = begun(ann, bob)
    assert at_bob.sends(f"/inbox/{place}/hide").texts(".list li") == []
    assert ann.rpc.reply_conversation(place, b"Still there?")["result"]
    assert len(at_bob.opens("/inbox").texts(".list li")) == 1


def test_who_leaves_is_asked_before(
    ann: Member, bob: Member, carol: Member, at_ann: Browser, at_bob: Browser
) -> None:
    """Nothing is left before it was asked what that means; then it is left for good."""
    place = begun(ann, bob, carol)
    asked = at_bob.opens(f"/inbox/{place}/leave")
    assert asked.text("h1") == "Leave Lunch?"
    assert "cannot be invited again" in asked.text("main p")
    assert len(at_bob.opens("/inbox").texts(".list li")) == 1
    assert at_bob.sends(f"/inbox/{place}/leave").texts(".list li") == []
    assert at_bob.get(f"/inbox/{place}").status == 404
    people = at_ann.opens(f"/inbox/{place}/about").texts(".list .what")
    assert people == [f"{ann.name} has started it", carol.name]
