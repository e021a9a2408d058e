"""Names, numbers, and who is found by them."""

import datetime

import pytest
from builders import Actor, Cast

from models import User, digits_of, is_online, name_key, now


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann", "aNN"),
        ("Ｂｏｂ", "bob"),
        ("Straße", "STRASSE"),
        ("é", "e\u0301"),
        ("ﬁn", "FIN"),
        ("Çelik Ömer", "çelik ömer"),
    ],
)
def test_names_are_compared_without_case_and_form(one: str, other: str) -> None:
    """User names that differ in case or in the form of their characters are the same name."""
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize("number", ["555-0123", "(555) 0123", "5550123", "+555 0123"])
def test_numbers_are_compared_by_their_digits(number: str) -> None:
    """A phone number is its digits, however it is written."""
    assert digits_of(number) == "5550123"


def test_a_number_without_digits_is_none() -> None:
    """What has no digits is no phone number."""
    assert digits_of("taxi") is None


def test_search_finds_the_beginning_of_a_name(cast: Cast) -> None:
    """Names that begin with the key are found, in their order, and nobody who is disabled."""
    for name in ("Bobby", "bo", "abob", "BÖB"):
        Actor(cast, name)
    User.update(disabled_at=now()).where(User.username == "bo").execute()
    assert [user.username for user in User.beginning_with("BO")] == ["bob", "Bobby"]


@pytest.mark.parametrize("key", ["%", "_", "*", "["])
def test_search_has_no_wildcards(cast: Cast, key: str) -> None:
    """Signs that patterns are made of are letters like any other."""
    assert list(User.beginning_with(key)) == []


def test_online_lasts_five_minutes() -> None:
    """A user counts as online for five minutes after he was last seen."""
    minute = datetime.timedelta(minutes=1)
    assert [is_online(now() - minute * age) for age in (0, 4, 6)] == [True, True, False]
    assert not is_online(None)
