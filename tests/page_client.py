"""A browser without scripts: pages as they are read, forms as they are sent."""

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


def begun(starter: Member, *others: Member, subject: str = "Lunch", body: str = "At noon?") -> str:
    names = [other.name.encode() for other in others]
    return str(starter.rpc.new_conversation(names, subject.encode(), body.encode())["conv_id"])


def form_of(fields: dict[str, str], *files: tuple[str, bytes]) -> bytes:
    """A form as a browser sends it, with files; without any there is an empty one."""
    parts = [f'form-data; name="{name}"\r\n\r\n{text}'.encode() for name, text in fields.items()]
    parts += [
        f'form-data; name="files"; filename="{name}"\r\n\r\n'.encode() + data
        for name, data in files or [("", b"")]
    ]
    whole = b"".join(b"--x\r\nContent-Disposition: " + part + b"\r\n" for part in parts)
    return whole + b"--x--\r\n"


def sends_files(browser: Browser, path: str, fields: dict[str, str], *files: tuple[str, bytes]) -> Answer:
    kind, origin = "multipart/form-data; boundary=x", f"http://{browser.host}:{browser.port}"
    return browser.send("POST", path, form_of(fields, *files), Content_Type=kind, Origin=origin)
