"""What listeners are told: the log of events as server-sent events, which the store is asked for in a thread.

Nothing here knows connections. What is told of an event is what the store says of it at that moment.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from models import (
    CALL,
    CHANGED,
    MESSAGE,
    Position,
    calls_with,
    enabled_users,
    events_after,
    events_replayed,
    members_of,
    messages_with,
    newest_event,
    position_behind,
    standing_sessions,
    standing_tokens,
    transact,
)

from ...actions import calls
from ...visits import Right, Visit
from ...wire.types import codec_for
from .door import ChatMessage, attachments, face, message
from .totals import totals_of

# How many events one look at the log takes, and how many of those he missed a listener is told at once, among
# how many of other people's: whoever missed a whole day shall not keep the others waiting.
LOOK, PAGE, SPAN = 500, 50, 2000
SETTLE_SECONDS = 2


@face.route("GET", "/chat/events", transaction="none", anyone=True)
def listen(visit: Visit, /) -> Any:
    """Follow what happens, as it happens; the answer has no end."""
    return visit.listening()


class Arrival(NamedTuple):
    """A listener who is not up to date: whose he is, and up to where he knows all, if he knows any."""

    user_id: int
    seen: Position | None


class Welcome(NamedTuple):
    """What an arrival is told next, up to where he then knows all, and whether that is all there is."""

    chunks: list[bytes]
    seen: Position
    is_current: bool


class News(NamedTuple):
    """What one look at the log has found.

    *position* is up to where everybody now knows all, *is_more* says that there is more already.
    *told* is by user; *welcomes* is by arrival, in their order, or empty where they have to wait.
    """

    position: Position
    is_more: bool
    told: dict[int, list[bytes]]
    welcomes: list[Welcome]


class Feed:
    """The log of events, read on for one process. It is used in one thread at a time.

    *url* is the address under which the world sees this server; without it events name files by path alone,
    since listeners of one user may know the server by different names.
    """

    def __init__(self, url: str = "") -> None:
        self.url = url.rstrip("/")
        self.settle_at = 0.0

    def start(self) -> Position:
        """The position from which to look when nobody has listened so far."""
        return newest_event()

    def look(self, position: Position, listening: Collection[int], arrivals: list[Arrival]) -> News:
        """What is new behind *position* for the users who are *listening*, and for those who arrive.

        Arrivals come up to the same position as everybody else, and so miss nothing and hear nothing twice.
        """
        self.settle()
        rows = events_after(after=position, limit=LOOK)
        is_more = len(rows) == LOOK
        position = place(rows[-1]) if rows else position
        his = by_user(rows, set(listening))
        missed = [] if is_more else [replayed(each, position) for each in arrivals]
        rows = [row for some in [*his.values(), *(m.rows for m in missed)] for row in some]
        rendered = render(rows, lambda path: self.url + path)
        told = with_totals(his, rendered)
        return News(position, is_more, told, welcomed(arrivals, missed, rendered))

    def settle(self) -> None:
        """Let calls that nobody answers be over while somebody listens, who else would not hear of it."""
        if time.monotonic() >= self.settle_at:
            self.settle_at = time.monotonic() + SETTLE_SECONDS
            if calls.some_lapsed():
                transact(calls.settle, writes=True)

    def standing(self, rights: Collection[Right]) -> set[Right]:
        """Those of these rights to listen that still stand."""
        passwords = {row.id: row.password for row in enabled_users(right.user_id for right in rights)}
        digests = [right.digest for right in rights if right.digest]
        found = standing_tokens(digests) + standing_sessions(digests)
        standing = {(row.user_id, row.digest) for row in found}
        return {
            right
            for right in rights
            if right.user_id in passwords
            and (
                (right.user_id, right.digest) in standing
                if right.digest
                else right.password == passwords[right.user_id]
            )
        }


def place(event: Any) -> Position:
    return Position(event.turn, event.id)


class Missed(NamedTuple):
    rows: list[Any]
    seen: Position
    is_current: bool


def replayed(arrival: Arrival, position: Position) -> Missed:
    """The next of the events that somebody missed; one who knows more than has happened is new here."""
    seen = position if arrival.seen is None else min(arrival.seen, position)
    if seen == position:
        return Missed([], position, True)
    further = position_behind(seen, SPAN)
    until = min(further, position) if further else position
    rows = events_replayed(user=arrival.user_id, after=seen, until=until, limit=PAGE)
    if len(rows) == PAGE:
        return Missed(rows, place(rows[-1]), False)
    return Missed(rows, until, until == position)


def by_user(rows: list[Any], listening: set[int]) -> dict[int, list[Any]]:
    """The events that concern those who are listening, by user, each in the order in which they happened."""
    members: dict[int, list[int]] = defaultdict(list)
    shared = {row.conversation_id for row in rows if row.user_id is None} - {None}
    for place in members_of(shared) if listening else []:
        if place.user_id in listening:
            members[place.conversation_id].append(place.user_id)
    his: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        concerned = members[row.conversation_id] if row.user_id is None else [row.user_id]
        for user_id in concerned:
            if user_id in listening:
                his[user_id].append(row)
    return his


def with_totals(his: dict[int, list[Any]], rendered: dict[int, bytes]) -> dict[int, list[bytes]]:
    """What each user is told, followed by his totals where something of it has changed them."""
    changed = {user_id for user_id, rows in his.items() if any(row.kind != CALL for row in rows)}
    totals = totals_of(changed)
    told = {}
    for user_id, rows in his.items():
        told[user_id] = [rendered[row.id] for row in rows if row.id in rendered]
        if user_id in changed:
            told[user_id].append(block(place(rows[-1]), "totals", totals[user_id]))
    return told


def welcomed(arrivals: list[Arrival], missed: list[Missed], rendered: dict[int, bytes]) -> list[Welcome]:
    """What each arrival is told: what he missed, and after the last of it his totals."""
    totals = totals_of({a.user_id for a, m in zip(arrivals, missed, strict=False) if m.is_current})
    welcomes = []
    for arrival, (rows, seen, is_current) in zip(arrivals, missed, strict=False):
        chunks = [rendered[row.id] for row in rows if row.id in rendered]
        if is_current:
            chunks.append(block(seen, "totals", totals[arrival.user_id]))
        welcomes.append(Welcome(chunks, seen, is_current))
    return welcomes


def render(rows: Iterable[Any], address_of: Callable[[str], str]) -> dict[int, bytes]:
    """Events as they are sent, by id, each made once; those are left out whose subject is gone."""
    events = {row.id: row for row in rows}.values()
    refs = {kind: [event.ref for event in events if event.kind == kind] for kind in (MESSAGE, CALL)}
    subjects = {MESSAGE: messages_told(refs[MESSAGE], address_of), CALL: calls_told(refs[CALL])}
    return {
        event.id: block(place(event), event.kind, tell(event, subjects.get(event.kind, {}).get(event.ref)))
        for event in events
        if event.kind != CHANGED and (event.kind not in subjects or event.ref in subjects[event.kind])
    }


def messages_told(ids: list[int], address_of: Callable[[str], str]) -> dict[int, Any]:
    """Messages as the chat door shows them, by id."""
    rows = messages_with(ids)
    files = attachments(address_of, ids)
    return {
        row.id: MESSAGE_SHAPE.dump(
            message(row, row.id, row.conversation_id, row.author_id, row.sent_at, files)
        )
        for row in rows
    }


def calls_told(ids: list[int]) -> dict[int, Any]:
    return {row.id: call_of(row) for row in calls_with(ids)}


MESSAGE_SHAPE = codec_for(ChatMessage)


def tell(event: Any, subject: Any) -> dict[str, Any]:
    """What is told of an event, by its kind."""
    if event.kind == MESSAGE:
        return {"chatId": str(event.conversation_id), "message": subject}
    if event.kind == CALL:
        return dict(subject)
    return {"chatId": str(event.conversation_id)}


def call_of(row: Any) -> dict[str, Any]:
    return {
        "callId": row.key,
        "state": calls.state_of(row),
        "fromNumber": row.from_number,
        "toNumber": row.to_number,
    }


def block(position: Position, kind: str, data: Mapping[str, Any]) -> bytes:
    """One server-sent event; JSON has no line breaks of its own."""
    return f"id: {position}\nevent: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
