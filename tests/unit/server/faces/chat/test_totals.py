"""What waits for a user, counted."""

from builders import Cast

from models import Conversation, Participant
from server.faces.chat.totals import totals_of


def test_what_is_asked_counts_as_pending(cast: Cast) -> None:
    """A place that is only asked for counts as a request, and not as unread."""
    lunch = cast.ann.starts("Lunch", cast.bob)
    Participant.update(kind="pending", status="asked").where(
        Participant.user == cast.bob.user, Participant.conversation == lunch.id
    ).execute()
    Conversation.update(status="pending").where(Conversation.id == lunch.id).execute()
    assert totals_of([cast.bob.user.id])[cast.bob.user.id] == {
        "totalPendingRequest": 1,
        "totalPendingRequests": 1,
        "totalUnreadMessages": 0,
        "totalUnreadChats": 0,
    }
