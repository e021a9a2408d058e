"""What every door shows alike: what a conversation is called, what a message says, where pictures are."""

import urllib.parse
from collections.abc import Callable
from typing import Any

from models import User, is_direct


def title_of(user: User, conversation: Any, people: list[Any]) -> str:
    """What the conversation is about; what is between two is called by the other's name."""
    if not is_direct(conversation.app):
        return str(conversation.subject)
    return conversation.peer or next((row.display_name for row in people if row.id != user.id), "")


def whole(row: Any) -> str:
    """What a message says, with the addresses that came with it, in the markup of the forum."""
    if not (row.image_url or row.link_url):
        return str(row.body)
    picture = f"[img]{without_brackets(row.image_url)}[/img]" if row.image_url else ""
    link = f"[url]{without_brackets(row.link_url)}[/url]" if row.link_url else ""
    return "\n".join(filter(None, [row.body, picture, link]))


def without_brackets(url: str) -> str:
    """The same address, which cannot end the markup that it stands in."""
    return url.replace("[", "%5B").replace("]", "%5D")


def icon_url(address_of: Callable[[str], str], user_id: int, avatar: str) -> str:
    """Where the user's picture is, empty where he has none.

    The end of the stored file's name stands in the address: apps fetch pictures without a credential, and
    who knows it has been shown this very picture.
    """
    if not avatar:
        return ""
    query = urllib.parse.urlencode({"user_id": user_id, "v": avatar[-8:]})
    return address_of(f"/mobiquo/avatar.php?{query}")


def file_urls(address_of: Callable[[str], str], attachment: Any) -> tuple[str, str]:
    """Where an attachment is, and its thumbnail; the latter empty where there is none."""
    base, name = f"/attachments/{attachment.id}", urllib.parse.quote(attachment.filename, safe="")
    small = address_of(f"{base}/thumbnail/{name}") if attachment.thumbnail else ""
    return address_of(f"{base}/{name}"), small
