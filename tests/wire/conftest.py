"""Members of the live server, new for each test, at every door; a browser; a shop."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Live, Member
from page_client import Browser
from playwright.sync_api import sync_playwright
from rest_client import Chatter
from shop import Shop

from models import close_store, migrate, open_store
from server import demo
from server.config import Settings
from server.files import Files

ToChatter = Callable[[Member], Chatter]
# The first is a browser without windows, which takes a third of what the others take.
BINARIES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def ann(live: Live) -> Member:
    return live.member("ann")


@pytest.fixture
def bob(live: Live) -> Member:
    return live.member("bob")


@pytest.fixture
def carol(live: Live) -> Member:
    return live.member("carol")


@pytest.fixture
def at_ann(live: Live, ann: Member) -> Browser:
    return Browser(live, ann)


@pytest.fixture
def at_bob(live: Live, bob: Member) -> Browser:
    return Browser(live, bob)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real one, where it is installed."""
    path = next(filter(None, map(shutil.which, BINARIES)), None)
    if path is None:
        pytest.skip("needs chromium")
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def chatter(live: Live) -> ToChatter:
    """Turns a member into somebody at the chat door."""
    return lambda member: Chatter(live.address, member.token, member.id, member.name)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    settings = Settings(database=f"sqlite:///{folder}/live.db", limits="off")
    open_store(settings.database)
    migrate()
    demo.fill(settings, Files(settings.files_folder))
    close_store()
    return folder


@pytest.fixture
def shop(good: Path, tmp_path: Path) -> Shop:
    return Shop(Path(shutil.copytree(good, tmp_path / "shop")))
