"""Readable arrangements, made through the actions: `cast.ann.starts("Lunch", cast.bob).says("hi")`."""

from typing import Any

from models import Conversation, Message, User
from server.actions import access, accounts, conversations, messages
from server.config import Settings
from server.files import Files
from server.passwords import Passwords


class Actor:
    """A user who does things."""

    def __init__(self, cast: "Cast", name: str, **details: Any) -> None:
        self.cast = cast
        self.user: User = accounts.add_user(Passwords(1), name, None, **details)

    def starts(self, subject: str, *others: "Actor", body: str = "first") -> "Thread":
        users = [other.user for other in others]
        begun = conversations.start(self.cast.settings, self.user, users, subject, body, [])
        return Thread(self, begun)

    def sees(self, thread: "Thread") -> Conversation:
        """The conversation as this user sees it, or a refusal."""
        return access.conversation(self.user, thread.id)

    def unread(self) -> int:
        """How many messages this user has not read, over all conversations."""
        from models import UNREAD, Participant

        return sum(place.unread for place in Participant.of(self.user).select(UNREAD.alias("unread")))


class Thread:
    """A conversation, in the hands of whoever started it."""

    def __init__(self, starter: Actor, conversation: Conversation) -> None:
        self.starter, self.id = starter, conversation.id

    def says(self, body: str, by: Actor | None = None) -> Message:
        author = by or self.starter
        return messages.reply(author.cast.settings, author.user, author.sees(self), body, [])


class Cast:
    """Four people in a store."""

    def __init__(self, settings: Settings, files: Files) -> None:
        self.settings, self.files = settings, files
        self.ann, self.bob, self.carol, self.dave = (
            Actor(self, name) for name in ("ann", "bob", "carol", "dave")
        )
