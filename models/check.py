"""Whether the store is as it should be: every count against a recount, every reference against its row.

Each check is one query over the whole store whose rows are the faults, and changes nothing.
"""

from collections.abc import Iterator

from .base import database, engine_faults
from .users import User, digits_of, name_key

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
            WHERE p.conversation_id = c.id AND p.status IN ('active', 'hidden'))""",
    "conversation {0}: its starter {1} does not take part in it": """
        SELECT c.id, c.starter_id FROM conversation c WHERE NOT EXISTS (
            SELECT 1 FROM participant p WHERE p.conversation_id = c.id AND p.user_id = c.starter_id)""",
    "message {0}: its author {1} does not take part in conversation {2}": """
        SELECT m.id, m.author_id, m.conversation_id FROM message m WHERE NOT EXISTS (
            SELECT 1 FROM participant p
            WHERE p.conversation_id = m.conversation_id AND p.user_id = m.author_id)""",
    "participant {0}: his newest message is at place {1} with id {2}, the conversation's at {3} with {4}": """
        SELECT p.id, p.last_seq, p.newest_id, c.last_seq, m.id
        FROM participant p
        JOIN conversation c ON c.id = p.conversation_id
        LEFT JOIN message m ON m.conversation_id = c.id AND m.seq = c.last_seq
        WHERE p.status IN ('active', 'hidden')
          AND (p.last_seq <> c.last_seq OR p.newest_id <> COALESCE(m.id, 0))""",
    "participant {0}: {1} messages count as unread, but {2} are": """
        SELECT p.id, p.last_seq - p.read_seq - p.own_unread, COUNT(m.id)
        FROM participant p LEFT JOIN message m
          ON m.conversation_id = p.conversation_id AND m.author_id <> p.user_id
         AND m.seq > p.read_seq AND m.seq <= p.last_seq
        GROUP BY p.id, p.last_seq, p.read_seq, p.own_unread
        HAVING p.last_seq - p.read_seq - p.own_unread <> COUNT(m.id)""",
    "attachment {0}: it was uploaded by {1}, and user {2} sent it": """
        SELECT a.id, g.uploader_id, m.author_id
        FROM attachment a
        JOIN upload_group g ON g.id = a.group_id
        JOIN message m ON m.id = a.message_id
        WHERE g.uploader_id <> m.author_id""",
}


def faults() -> Iterator[str]:
    """Every fault in one sentence, by id; of a damaged store only that it is damaged."""
    damage = list(engine_faults())
    yield from damage
    if any(fault.startswith("store:") for fault in damage):
        return
    for sentence, query in QUERIES.items():
        for row in database.execute_sql(query).fetchall():
            yield sentence.format(*row)
    yield from user_faults()


def user_faults() -> Iterator[str]:
    """Users who cannot be found by their own name or number."""
    for user in User.select().iterator():
        if user.username_key != name_key(user.username):
            yield f"account {user.id}: it is not found under its name"
        if user.digits != digits_of(user.number or ""):
            yield f"account {user.id}: it is not found under its number"
