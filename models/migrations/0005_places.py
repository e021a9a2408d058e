"""What keeps lists and counts as cheap as they are short: kinds of places, counts of them, crowds."""

from typing import Any

from peewee import (
    SQL,
    BigIntegerField,
    Check,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from models.base import CharField, Frozen, database, remake


class Account(Frozen):
    """Only what the tables below refer to."""


class Conversation(Frozen):
    """Only what the table below refers to."""


class Participant(Frozen):
    conversation = ForeignKeyField(Conversation, on_delete="CASCADE", index=False)
    user = ForeignKeyField(Account, index=False)
    kind = CharField()
    status = CharField()
    last_seq = IntegerField(null=True)
    newest_id = IntegerField(null=True)
    read_seq = IntegerField()
    own_unread = IntegerField()
    read_at = BigIntegerField(null=True)
    inviter = ForeignKeyField(Account, null=True, index=False)
    invite_reason = TextField()

    class Meta:
        indexes = (
            (("conversation", "user"), True),
            (("user", "status", "kind", "newest_id", "conversation"), False),
        )
        constraints = [
            Check("read_seq >= 0 AND own_unread >= 0 AND read_seq + own_unread <= last_seq"),
            Check("status IN ('active', 'hidden', 'left', 'ignoring', 'asked')"),
        ]


TOLD = SQL(
    "(newest_id IS NOT NULL OR status NOT IN ('active', 'asked')) AND status IN ('active', 'hidden', 'asked')"
)
Participant.add_index(Participant.conversation, where=TOLD, name="participant_told")
Participant.add_index(
    Participant.user, Participant.status, where=SQL("newest_id IS NULL"), name="participant_in_crowd"
)
ASKING = SQL("kind IN ('pending', 'declined')")
Participant.add_index(
    Participant.user,
    Participant.status,
    Participant.kind,
    Participant.conversation,
    where=ASKING,
    name="participant_request",
)
UNREAD = Participant.last_seq - Participant.read_seq - Participant.own_unread
Participant.add_index(Participant.user, Participant.status, UNREAD, name="participant_unread")


class PlaceCount(Frozen):
    user = ForeignKeyField(Account, on_delete="CASCADE", index=False)
    status = CharField()
    kind = CharField()
    number = IntegerField()
    unread = IntegerField()

    class Meta:
        indexes = ((("user", "status", "kind"), True),)


KIND = """(
    SELECT CASE WHEN c.status IN ('pending', 'declined') THEN c.status ELSE c.app END
    FROM conversation c WHERE c.id = conversation_id)"""
# Who is in a crowd is no longer told of every message.
UNTELL = """
    UPDATE participant SET last_seq = NULL, newest_id = NULL
    WHERE status IN ('active', 'hidden') AND conversation_id IN (
        SELECT p.conversation_id FROM participant p JOIN conversation c ON c.id = p.conversation_id
        WHERE p.status IN ('active', 'hidden') AND c.last_seq > 0
        GROUP BY p.conversation_id HAVING COUNT(*) > 50)"""
COUNT = """
    INSERT INTO place_count (user_id, status, kind, number, unread)
    SELECT user_id, status, kind, COUNT(*),
           SUM(CASE WHEN last_seq - read_seq - own_unread > 0 THEN 1 ELSE 0 END)
    FROM participant GROUP BY user_id, status, kind"""
OLD, NEW = (
    f"CASE WHEN {row}.last_seq - {row}.read_seq - {row}.own_unread > 0 THEN 1 ELSE 0 END"
    for row in ("OLD", "NEW")
)
LESS = f"""
    UPDATE place_count SET number = number - 1, unread = unread - {OLD}
    WHERE user_id = OLD.user_id AND status = OLD.status AND kind = OLD.kind;"""  # noqa: S608 - our own words
MORE = f"""
    INSERT INTO place_count (user_id, status, kind, number, unread)
    VALUES (NEW.user_id, NEW.status, NEW.kind, 1, {NEW})
    ON CONFLICT (user_id, status, kind) DO UPDATE
    SET number = place_count.number + 1, unread = place_count.unread + excluded.unread;"""  # noqa: S608 - our own words
MOVED = f"OLD.status <> NEW.status OR OLD.kind <> NEW.kind OR {OLD} <> {NEW}"


def up(migrator: Any, db: Any) -> None:
    remake([Participant], kind=KIND)
    database.execute_sql(UNTELL)
    database.create_tables([PlaceCount])
    database.execute_sql(COUNT)
    database.obj.do_after("INSERT", "participant", "1 = 1", MORE)
    database.obj.do_after("UPDATE", "participant", MOVED, LESS + MORE)
    database.obj.do_after("DELETE", "participant", "1 = 1", LESS)
