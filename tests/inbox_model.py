"""A conversation as anyone would picture it: who is in it, what was said, what each has not read."""

from dataclasses import dataclass, field

FORUM, ROOM, TEXTS, CHAT = "forum", "darkchat", "messages", "chat"
BETWEEN_TWO = [TEXTS, CHAT]
ACTIVE, HIDDEN, LEFT, ASKED = "active", "hidden", "left", "asked"
OPEN, PENDING, DECLINED, CLOSED = "active", "pending", "declined", "closed"
SAID, JOINED, GONE, REMOVED = "text", "joined", "left", "removed"


@dataclass
class Said:
    """A message; the *author* of what comes from one without an account is empty."""

    id: int
    author: str
    text: str
    kind: str = SAID


@dataclass
class Modelled:
    """A conversation; those in *status* stand in the order in which they came.

    *state*: a chat is pending at first, and perhaps declined; who was asked for it is not inside before
    it is open.
    """

    id: int
    starter: str
    app: str = FORUM
    name: str = ""
    code: str = ""
    peer: str = ""
    born: int = 0
    state: str = OPEN
    said: list[Said] = field(default_factory=list)
    status: dict[str, str] = field(default_factory=dict)
    unread: dict[str, set[int]] = field(default_factory=dict)

    @property
    def newest(self) -> int:
        """By what it is sorted: its newest message, or the newest of all when it was made."""
        return self.said[-1].id if self.said else self.born

    @property
    def inside(self) -> list[str]:
        """Those who are in it and have not left, the one who is there longest first."""
        return [each for each, status in self.status.items() if status in (ACTIVE, HIDDEN)]

    @property
    def asked(self) -> list[str]:
        return [each for each, status in self.status.items() if status == ASKED]

    @property
    def staying(self) -> list[str]:
        """Those who have not left, inside or not."""
        return [each for each, status in self.status.items() if status != LEFT]

    def shows_itself(self, who: str) -> bool:
        """Whether the chat door opens it for somebody: he sees it, or is asked for it."""
        return self.status.get(who) in (ACTIVE, ASKED)

    def takes(self, who: str) -> bool:
        """Whether somebody who is there may speak: one thing while it is pending, if he has asked for it."""
        is_waiting = self.state != OPEN and self.starter == who
        may_say_one = self.state == PENDING and who not in [each.author for each in self.said]
        return self.state != CLOSED and (not is_waiting or may_say_one)

    def open(self) -> None:
        """From now on those who were asked are in it, and who has asked sees it again."""
        if self.state in (PENDING, DECLINED):
            self.state = OPEN
            self.status = dict.fromkeys(self.status, ACTIVE)

    @property
    def ids(self) -> list[int]:
        return [each.id for each in self.said]

    def others_of(self, who: str) -> set[int]:
        return {each.id for each in self.said if each.author != who}

    def add(self, message: Said) -> None:
        """A message is unread for all but its author; who says something has read the rest as well."""
        self.said.append(message)
        for each in self.inside:
            self.status[each] = ACTIVE
        for each in self.staying:
            if each != message.author:
                self.unread[each].add(message.id)
            elif message.kind == SAID:
                self.unread[each].clear()

    def join(self, who: str) -> None:
        """Who has hidden it sees it again; all others are the newest, and have read nothing."""
        if who not in self.inside:
            self.status.pop(who, None)
            self.unread[who] = self.others_of(who)
        self.status[who] = ACTIVE
