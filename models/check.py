"""Whether the store is as it should be: every count against a recount, every reference against its row.

Each check is one query over the whole store whose rows are the faults, and changes nothing.
"""

import datetime
from collections.abc import Iterator
from typing import Any

from . import search
from .base import MomentField, database, engine_faults, every_table
from .phone import Contact
from .users import User, digits_of, name_key, name_line
from .work import Begin, untold

# Between these every moment lies that has ever been.
FIRST = datetime.datetime.fromtimestamp(0, datetime.UTC)
LAST = datetime.datetime.max.replace(tzinfo=datetime.UTC, microsecond=0)
# A sentence, and the query whose rows fill its places.
QUERIES = {
    "conversation {0}: its newest place is {1}, but it has {2} messages up to place {3}": """
        SELECT c.id, c.last_seq, COUNT(m.id), COALESCE(MAX(m.seq), 0)
        FROM conversation c LEFT JOIN message m ON m.conversation_id = c.id
        GROUP BY c.id, c.last_seq
        HAVING COUNT(m.id) <> c.last_seq OR COALESCE(MAX(m.seq), 0) <> c.last_seq""",
    "conversation {0}: nobody sees it, and it was not erased": """
        SELECT c.id FROM conversation c WHERE NOT EXISTS (
            SELECT 1 FROM participant p
            WHERE p.conversation_id = c.id AND p.status IN ('active', 'hidden', 'asked'))""",
    "conversation {0}: its starter {1} does not take part in it": """
        SELECT c.id, c.starter_id FROM conversation c WHERE c.starter_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM participant p WHERE p.conversation_id = c.id AND p.user_id = c.starter_id)""",
    "conversation {0}: its owner {1} is no longer in the room": """
        SELECT c.id, c.starter_id FROM conversation c WHERE c.app = 'darkchat' AND NOT EXISTS (
            SELECT 1 FROM participant p WHERE p.conversation_id = c.id AND p.user_id = c.starter_id
               AND p.status IN ('active', 'hidden'))""",
    "conversation {0}: a room is entered by a code, and nothing else is": """
        SELECT c.id FROM conversation c WHERE (c.app = 'darkchat') <> (c.join_code IS NOT NULL)""",
    "conversation {0}: the two of it are {1} people and the peer '{2}'": """
        SELECT c.id, COUNT(p.id), COALESCE(c.peer, '')
        FROM conversation c LEFT JOIN participant p ON p.conversation_id = c.id
        WHERE c.app = 'messages' OR c.peer IS NOT NULL OR c.pair IS NOT NULL
        GROUP BY c.id, c.app, c.peer
        HAVING c.app NOT IN ('messages', 'chat')
            OR COUNT(p.id) <> CASE WHEN c.peer IS NULL THEN 2 ELSE 1 END""",
    "message {0}: its author {1} does not take part in conversation {2}": """
        SELECT m.id, m.author_id, m.conversation_id FROM message m
        WHERE m.author_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM participant p
            WHERE p.conversation_id = m.conversation_id AND p.user_id = m.author_id)""",
    "message {0}: it has no author, and conversation {1} has no peer": """
        SELECT m.id, m.conversation_id FROM message m JOIN conversation c ON c.id = m.conversation_id
        WHERE m.author_id IS NULL AND c.peer IS NULL""",
    "participant {0}: his newest message is at place {1} with id {2}, the conversation's at {3} with {4}": """
        SELECT p.id, p.last_seq, p.newest_id, c.last_seq, m.id
        FROM participant p
        JOIN conversation c ON c.id = p.conversation_id
        LEFT JOIN message m ON m.conversation_id = c.id AND m.seq = c.last_seq
        WHERE p.status IN ('active', 'hidden', 'asked')
          AND (p.last_seq <> c.last_seq OR p.newest_id <> COALESCE(m.id, p.newest_id))""",
    "participant {0}: his newest message is known by one of its place and its id alone": """
        SELECT p.id FROM participant p WHERE (p.last_seq IS NULL) <> (p.newest_id IS NULL)""",
    "participant {0}: his place is of the kind {1}, and should be {2}": """
        SELECT p.id, p.kind, CASE WHEN c.status IN ('pending', 'declined') THEN c.status ELSE c.app END
        FROM participant p JOIN conversation c ON c.id = p.conversation_id
        WHERE p.kind <> CASE WHEN c.status IN ('pending', 'declined') THEN c.status ELSE c.app END""",
    "participant {0}: {1} messages count as unread, but {2} are": """
        SELECT p.id, COALESCE(p.last_seq, c.last_seq) - p.read_seq - p.own_unread, COUNT(m.id)
        FROM participant p JOIN conversation c ON c.id = p.conversation_id LEFT JOIN message m
          ON m.conversation_id = p.conversation_id AND COALESCE(m.author_id, 0) <> p.user_id
         AND m.seq > p.read_seq AND m.seq <= COALESCE(p.last_seq, c.last_seq)
        WHERE p.last_seq IS NOT NULL OR p.status <> 'left'
        GROUP BY p.id, p.last_seq, c.last_seq, p.read_seq, p.own_unread
        HAVING COALESCE(p.last_seq, c.last_seq) - p.read_seq - p.own_unread <> COUNT(m.id)""",
    "account {0}: {1} places of the status {2} and the kind {3} are counted, {4} of them unread, "
    "but there are {5} and {6}": """
        SELECT user_id, SUM(number), status, kind, SUM(unread), SUM(there), SUM(behind) FROM (
            SELECT user_id, status, kind, number, unread, 0 AS there, 0 AS behind FROM place_count
            UNION ALL SELECT user_id, status, kind, 0, 0, 1,
                CASE WHEN last_seq - read_seq - own_unread > 0 THEN 1 ELSE 0 END FROM participant) s
        GROUP BY user_id, status, kind HAVING SUM(number) <> SUM(there) OR SUM(unread) <> SUM(behind)""",
    "attachment {0}: it was uploaded by {1}, and user {2} sent it": """
        SELECT a.id, g.uploader_id, m.author_id
        FROM attachment a
        JOIN upload_group g ON g.id = a.group_id
        JOIN message m ON m.id = a.message_id
        WHERE g.uploader_id <> COALESCE(m.author_id, 0)""",
    "call {0}: it has ended, and still holds the line of {1}": """
        SELECT c.id, l.key FROM line l JOIN call c ON c.id = l.call_id WHERE c.ended_at IS NOT NULL""",
    "call {0}: it is live, and holds {1} lines": """
        SELECT c.id, COUNT(l.id) FROM call c LEFT JOIN line l ON l.call_id = c.id
        WHERE c.ended_at IS NULL GROUP BY c.id HAVING COUNT(l.id) <> 2""",
    "call entry {0}: user {1} is not on that side of call {2}": """
        SELECT e.id, e.user_id, e.call_id FROM call_entry e JOIN call c ON c.id = e.call_id
        WHERE e.user_id <> COALESCE(CASE WHEN e.is_outgoing THEN c.caller_id ELSE c.callee_id END, 0)""",
    "call {0}: it is missing in the history of user {1}": """
        SELECT s.call_id, s.user_id FROM (
            SELECT id AS call_id, caller_id AS user_id FROM call WHERE caller_id IS NOT NULL
            UNION ALL SELECT id, callee_id FROM call WHERE callee_id IS NOT NULL) s
        WHERE NOT EXISTS (
            SELECT 1 FROM call_entry e WHERE e.call_id = s.call_id AND e.user_id = s.user_id)""",
}


def faults(begin: Begin = untold) -> Iterator[str]:
    """Every fault in one sentence, by id; of a damaged store only that it is damaged."""
    advance = begin("Checking the store", len(QUERIES) + 5)
    damage = list(engine_faults())
    yield from damage
    if any(fault.startswith("store:") for fault in damage):
        return
    advance(1)
    for sentence, query in QUERIES.items():
        for row in database.execute_sql(query).fetchall():
            yield sentence.format(*row)
        advance(1)
    yield from moment_faults()
    advance(1)
    yield from user_faults()
    advance(1)
    yield from number_faults()
    advance(1)
    yield from search.faults()
    advance(1)


def moment_faults() -> Iterator[str]:
    """Moments that are none: in a file columns take text as well, and numbers that no calendar has."""
    for table in every_table():
        for field in table._meta.sorted_fields:
            if isinstance(field, MomentField):
                key = table._meta.primary_key
                wrong: Any = table.select(key).where(~field.between(FIRST, LAST))
                for (row_id,) in wrong.tuples():
                    yield f"{table._meta.table_name} {row_id}: its {field.column_name} is no moment"


def user_faults() -> Iterator[str]:
    """Users who cannot be found by their own name or number."""
    for user in User.select(User.id, User.username, User.username_key, User.number, User.digits).iterator():
        if user.username_key != name_key(user.username):
            yield f"account {user.id}: it is not found under its name"
        if user.digits != digits_of(user.number or ""):
            yield f"account {user.id}: it is not found under its number"


def number_faults() -> Iterator[str]:
    """Contacts who cannot be found by their number."""
    for contact in Contact.select(Contact.id, Contact.key, Contact.number).iterator():
        if contact.key not in (digits_of(contact.number), name_line(contact.number)):
            yield f"contact {contact.id}: it is not found under its number"
