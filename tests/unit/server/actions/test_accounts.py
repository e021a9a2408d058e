"""Who people are, and what is kept of it."""

import os

import pytest
from builders import Actor, Cast

from models import User, check
from server.actions import accounts
from server.errors import BadInput, Conflict, TooMany


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("not an address", "not an address"),
    ],
)
def test_an_address_stands_for_a_household(address: str, counts_as: str) -> None:
    """All of an IPv4 address counts, of an IPv6 one the half that a household has."""
    assert accounts.network(address) == counts_as


def test_names_are_cleaned_and_found(cast: Cast) -> None:
    """A name with characters that nobody can see is stored without them and found in either form."""
    Actor(cast, " x\x01y ")
    assert [user.username for user in User.named(["x\x01y", " X\ufffdY"])] == ["x\ufffdy"]
    assert list(check.faults()) == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "Doe, Jane"])
def test_what_no_user_is_called(cast: Cast, name: str) -> None:
    """A user name has 1 to 64 characters, none of which is a comma, which stands between names."""
    with pytest.raises(BadInput):
        Actor(cast, name)


@pytest.mark.parametrize(
    ("details", "taken"),
    [
        ({"name": "ANN"}, "user name"),
        ({"number": "55-50"}, "phone number"),
        ({"identifier": "a"}, "identifier"),
    ],
)
def test_what_is_taken_is_named(cast: Cast, details: dict[str, str], taken: str) -> None:
    """A name, number or identifier that another user has is refused by its name."""
    accounts.edit_user(cast.ann.user, number="5550", identifier="a")
    with pytest.raises(Conflict, match=taken):
        Actor(cast, **({"name": "eve"} | details))


def test_saving_writes_what_was_changed(cast: Cast) -> None:
    """To change one thing of a user does not undo what was changed meanwhile."""
    stale = User.get_by_id(cast.ann.user.id)
    accounts.disable(cast.ann.user)
    accounts.edit_user(stale, display_name="Anna")
    saved = User.get_by_id(cast.ann.user.id)
    assert saved.disabled_at
    assert saved.display_name == "Anna"


@pytest.mark.parametrize(("wait", "told"), [(0.2, 1), (1.0, 1), (2.0, 2), (2.1, 3)])
def test_the_wait_is_told_in_whole_seconds(wait: float, told: int) -> None:
    """Whoever waits as long as he is told has waited long enough."""
    assert TooMany("calls", wait).wait == told


def test_the_store_is_its_owner_s(cast: Cast) -> None:
    """Stored files can be read by nobody else on the machine."""
    name = cast.files.put(b"private")
    assert os.stat(cast.files.path(name)).st_mode & 0o077 == 0


def test_who_has_lost_his_right_stands_no_more(cast: Cast) -> None:
    """Whoever was known as an administrator is no more when he is none, and a new one stays who he was."""
    before = User.get_by_id(cast.ann.user.id)
    accounts.edit_user(cast.ann.user, is_admin=True)
    since = User.get_by_id(cast.ann.user.id)
    assert accounts.stands(before) and accounts.stands(since)
    accounts.edit_user(cast.ann.user, is_admin=False)
    assert accounts.stands(before) and not accounts.stands(since)
