"""Messages found by their words."""

from models import User

from ...actions import search
from ...visits import Visit
from ...wire.types import Id
from .door import PAGE, ChatMessage, Limit, attachments, face, message


@face.route("GET", "/chat/search", transaction="none")
def search_messages(
    user: User, visit: Visit, /, words: str, before: Id | None = None, limit: Limit = PAGE
) -> list[ChatMessage]:
    """Find messages with all of these words in any conversation that this user can read, the newest first.

    :param words: whole words, at most 16, in any order and in any case; what is no letter or digit parts them
    :param before: gives only what was said before this message, such as the last one that was found
    :param limit: how many, at most 100
    """
    wanted = search.words(words)
    search.freshen()

    def found() -> list[ChatMessage]:
        rows = search.found(user, wanted, before, limit)
        files = attachments(visit.address_of, [row.id for row in rows])
        return [message(row, row.id, row.conversation_id, row.author_id, row.sent_at, files) for row in rows]

    answer: list[ChatMessage] = visit.transact(found, "read")
    return answer
