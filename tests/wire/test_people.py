"""The neighbouring methods: people, and what this server does not have."""

from xmlrpc.client import DateTime

import pytest
from conftest import Live, Member

from models import User, now


def test_user_info_by_id_name_or_of_oneself(ann: Member, bob: Member) -> None:
    """The id wins over the name; without either it is about oneself."""
    assert ann.rpc.get_user_info(bob.name.upper())["user_id"] == bob.id
    assert ann.rpc.get_user_info(ann.name, bob.id)["user_id"] == bob.id
    assert ann.rpc.get_user_info()["user_id"] == ann.id
    assert ann.rpc.get_user_info("", "987654321")["result"] is False


def test_search_begins_with_the_key(live: Live, ann: Member) -> None:
    """Names that begin with the key are found, page by page, with the total."""
    made = [live.member("searched") for _ in range(3)]
    names = sorted(member.name for member in made)
    answers = [ann.rpc.search_user("SEARCHED", page, 2) for page in (1, 2)]
    assert [answer["total"] for answer in answers] == [3, 3]
    found = [each["username"].decode() for answer in answers for each in answer["list"]]
    assert found == names


@pytest.mark.parametrize("key", ["", "a", " a "])
def test_search_needs_two_characters(ann: Member, key: str) -> None:
    """A shorter key is refused in words."""
    assert b"at least 2" in ann.rpc.search_user(key)["result_text"]


def test_recommended_are_those_one_talks_to(live: Live, ann: Member, bob: Member) -> None:
    """Those with whom one shares a conversation, the most recent first, and nobody else."""
    carol = live.member("carol")
    for other in (bob, carol, bob):
        ann.rpc.new_conversation([other.name], b"Hi", b"there")
    assert [each["user_id"] for each in ann.rpc.get_recommended_user()["list"]] == [bob.id, carol.id]
    assert carol.rpc.get_recommended_user()["total"] == 1


def test_ignoring_and_its_end(ann: Member, bob: Member) -> None:
    """Who is ignored is listed until that ends; doing either twice changes nothing."""
    for mode, listed in ((1, [bob.id]), (1, [bob.id]), (0, []), (0, [])):
        assert ann.rpc.ignore_user(bob.id, mode)["result"] is True
        assert [each["user_id"] for each in ann.rpc.get_ignored_users()["list"]] == listed


def test_what_cannot_be_ignored(ann: Member, bob: Member) -> None:
    """Oneself, nobody, or in a mode that there is none of: refused in words."""
    answers = [
        ann.rpc.ignore_user(ann.id, 1),
        ann.rpc.ignore_user("987654321", 1),
        ann.rpc.ignore_user(bob.id, 2),
    ]
    assert [answer["result"] for answer in answers] == [False] * 3


def test_the_badge_may_be_asked_since_when(ann: Member) -> None:
    """Clients send moments along, which change nothing."""
    moments = (DateTime("20260101T00:00:00"), DateTime("20260101T00:00:00"))
    assert ann.rpc.get_inbox_stat(*moments) == ann.rpc.get_inbox_stat()


def test_online_is_who_called(live: Live, ann: Member, bob: Member) -> None:
    """Who has made a call is online; who was last seen long ago is not."""
    bob.rpc.get_inbox_stat()
    assert bob.id in [each["user_id"] for each in ann.rpc.get_online_users()["list"]]
    with live.store():
        User.update(seen_at=now().replace(year=2020)).where(User.id == int(bob.id)).execute()
    assert bob.id not in [each["user_id"] for each in ann.rpc.get_online_users()["list"]]
    assert ann.rpc.get_user_info("", bob.id)["is_online"] is False


def test_who_is_online_is_listed_page_by_page(ann: Member, bob: Member, carol: Member) -> None:
    """Clients ask for pages, with more that changes nothing; the number is that of all."""
    for each in (ann, bob, carol):
        each.rpc.get_inbox_stat()
    first, second = (ann.rpc.get_online_users(page, 1, "", "") for page in (1, 2))
    assert len(first["list"]) == len(second["list"]) == 1
    assert first["list"] != second["list"]
    assert first["member_count"] == second["member_count"] >= 3


def test_anonymous_is_not_shown_online(live: Live) -> None:
    """A user who logs in as anonymous is not shown as online."""
    carol = live.member("carol", password="secret")
    live.proxy().login(carol.name, "secret", True)
    shown = live.member().rpc.get_user_info("", carol.id)
    assert shown["is_online"] is False


def test_there_is_no_public_forum(live: Live) -> None:
    """get_forum is an empty array, for guests too, and whatever is sent with it."""
    assert live.proxy().get_forum() == live.proxy().get_forum(True, "5") == []


@pytest.mark.parametrize(
    ("name", "empty"),
    [
        ("get_board_stat", {"total_threads": 0, "total_members": 0}),
        ("get_smilies", {"list": {}}),
        ("get_alert", {"total": 0, "items": []}),
        ("get_dashboard", {"list": []}),
        ("update_push_status", {}),
    ],
)
def test_what_is_empty(ann: Member, name: str, empty: dict[str, object]) -> None:
    """What clients ask for and is not there is a well-formed answer with nothing in it."""
    answer = getattr(ann.rpc, name)()
    assert {"result": True, **empty}.items() <= answer.items()


@pytest.mark.parametrize(
    "name", ["register", "forget_password", "update_password", "sign_in", "prefetch_account"]
)
def test_what_is_not_offered(live: Live, name: str) -> None:
    """What get_config does not offer is an ordinary no with a text, never a fault."""
    answer = getattr(live.proxy(), name)("a", b"b", "c")
    assert answer["result"] is False
    assert b"not offered" in answer["result_text"]
