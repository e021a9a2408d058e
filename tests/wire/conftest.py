"""Three members of the live server, new for each test."""

import pytest
from conftest import Live, Member


@pytest.fixture
def ann(live: Live) -> Member:
    return live.member("ann")


@pytest.fixture
def bob(live: Live) -> Member:
    return live.member("bob")


@pytest.fixture
def carol(live: Live) -> Member:
    return live.member("carol")
