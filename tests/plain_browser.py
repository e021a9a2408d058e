"""A browser without scripts: it goes from page to page, and sends forms."""

from __future__ import annotations

from typing import Any

from conftest import Live, Member
from lxml import html
from rest_client import Answer, Client

from models import User
from server.actions import accounts


class Browser(Client):
    """Goes from page to page with a cookie, and says of the forms that it sends where they come from."""

    def __init__(self, live: Live, member: Member | None = None) -> None:
        super().__init__(live.address)
        if member is not None:
            with live.store():
                session = accounts.begin_session(User.get_by_id(member.id), "127.0.0.1", False)
            self.headers["Cookie"] = f"xf_session={session}"

    def opens(self, path: str, **query: Any) -> Page:
        return Page(self.get(path, **query))

    def fills(self, path: str, **fields: str) -> Answer:
        return self.post_form(path, fields, Origin=f"http://{self.host}:{self.port}")

    def sends(self, path: str, **fields: str) -> Page:
        """Send a form and go where that leads."""
        answer = self.fills(path, **fields)
        assert answer.status == 303, answer.body
        return self.opens(answer.header("Location").partition("#")[0])


class Page:
    """What a page shows."""

    def __init__(self, answer: Answer) -> None:
        self.status, self.head, self.bytes = answer.status, answer.header, answer.body
        self.tree = html.fromstring(answer.body.decode())

    def texts(self, path: str) -> list[str]:
        return [" ".join(each.text_content().split()) for each in self.tree.cssselect(path)]

    def text(self, path: str) -> str:
        [text] = self.texts(path)
        return text

    @property
    def error(self) -> str:
        return self.text("[role=alert]")
