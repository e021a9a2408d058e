"""Members of the live server, new for each test, at the forum door and at the chat door."""

from collections.abc import Callable

import pytest
from conftest import Live, Member
from rest_client import Chatter

ToChatter = Callable[[Member], Chatter]


@pytest.fixture
def ann(live: Live) -> Member:
    return live.member("ann")


@pytest.fixture
def bob(live: Live) -> Member:
    return live.member("bob")


@pytest.fixture
def carol(live: Live) -> Member:
    return live.member("carol")


@pytest.fixture(scope="session")
def chatter(live: Live) -> ToChatter:
    """Turns a member into somebody at the chat door."""
    return lambda member: Chatter(live.address, member.token, member.id, member.name)
