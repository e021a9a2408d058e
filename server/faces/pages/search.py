"""A page that finds messages by their words."""

from typing import Any

from models import User

from ... import text
from ...actions import search
from ...errors import BadInput
from ...visits import Visit
from ...wire.pages import Shown, View
from ...wire.types import Id
from ..showing import title_of
from .door import face
from .inbox import people_by_conversation

PAGE = 20
# A message that was found is shown with so many that were said after it.
AFTER = 5


@face.route("GET", "/inbox/search", transaction="none")
def search_inbox(user: User, visit: Visit, /, words: str = "", before: Id | None = None) -> Shown:
    """Find messages in this member's conversations, the newest first.

    :param words: whole words, all of which a message has to have
    :param before: gives only what was said before this message
    """
    values: dict[str, Any] = {"words": words, "found": [], "older": None, "is_asked": bool(words)}
    try:
        wanted = search.words(words) if words else []
    except BadInput as refusal:
        return View("search.html", {**values, "is_asked": False, "error": str(refusal)})
    if wanted:
        search.freshen()
        values |= visit.transact(lambda: page_of_found(user, wanted, before), "read")
    return View("search.html", values)


def page_of_found(user: User, wanted: list[str], before: int | None) -> dict[str, Any]:
    rows = search.found(user, wanted, before, PAGE + 1)
    is_more, rows = len(rows) > PAGE, rows[:PAGE]
    people = people_by_conversation(list(dict.fromkeys(row.conversation_id for row in rows)))
    return {
        "found": [shown(user, row, people[row.conversation_id], wanted) for row in rows],
        "older": rows[-1].id if is_more else None,
    }


def shown(user: User, row: Any, people: list[Any], wanted: list[str]) -> dict[str, Any]:
    """A message that was found."""
    names = {each.id: each.display_name for each in people}
    return {
        "url": f"/inbox/{row.conversation_id}?last={row.seq + AFTER}#m{row.id}",
        "title": text.unmarked(title_of(user, row, people)),
        "app": row.app,
        "author": "You" if row.author_id == user.id else names.get(row.author_id, row.peer or ""),
        "excerpt": text.excerpt(row.body, wanted),
        "sent_at": row.sent_at,
    }
