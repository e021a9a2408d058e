"""Stores to measure with: the same people and conversations in each, and other people's messages."""

import datetime
import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from models import (
    CROWD,
    AccessToken,
    Conversation,
    Message,
    Participant,
    ServerKey,
    User,
    database,
    digest_of,
    milliseconds,
    name_key,
)
from server.passwords import Passwords

PEOPLE = 2000
# Who calls: with twenty conversations, with ten thousand, in rooms, with ten; and to whom the first and the
# fourth talk, to whom the second does, who logs in, to whom new conversations come.
FEW, MANY, HOST, OTHER, TEN, FRIEND, NEWCOMER, READER = range(1, 9)
WRITERS = range(21, 37)
# Everybody else: those in the rooms, and between whom the rest is said.
STRANGERS = range(51, PEOPLE + 1)
TALKS, SAID = 20, 40
# So many conversations has he who has few and he who has many, every tenth of them with something unread.
LIGHT, HEAVY, UNREAD_EACH = 10, 10_000, 10
ROOMS = (2, 10, 100, 1000)
IN_ROOM = 20
PASSWORD = "a long password"
BEGAN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
# Tables after those to which they refer.
ORDER = (User, AccessToken, ServerKey, Conversation, Message, Participant)
SENTENCE = "the bridge is closed meet me at the pier and bring rope lights fuel or food for nine"
PIECE = 5000


def token_of(user: int) -> str:
    return f"token-of-{user}"


SERVER_KEY = "key-of-the-game-server"


@dataclass(frozen=True)
class Filled:
    """What there is to call: ids of conversations."""

    talk: int
    light_talk: int
    heavy_talk: int
    chat: int
    own: list[int]
    shared: int
    rooms: dict[int, int]


class Filler:
    """Rows in the making, put into the store piece by piece."""

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.rows: dict[Any, list[list[Any]]] = defaultdict(list)
        self.newest: dict[Any, int] = defaultdict(int)
        self.said = 0

    def add(self, table: Any, **values: Any) -> int:
        """Make a row; what is not given is what a new row has. Its id."""
        self.newest[table] += 1
        fields = table._meta.sorted_fields
        row = {"id": self.newest[table], **values}
        self.rows[table].append([stored(field, row) for field in fields])
        if len(self.rows[table]) >= PIECE:
            self.put()
        return self.newest[table]

    def put(self) -> None:
        for table in ORDER:
            columns = [field.column_name for field in table._meta.sorted_fields]
            database.obj.put(table._meta.table_name, columns, self.rows[table])
            self.rows[table] = []

    def finish(self) -> None:
        self.put()
        for table in ORDER:
            database.obj.go_on_from(table._meta.table_name, self.newest[table])

    def talk(self, people: list[int], messages: int, read: int | None = None, **details: Any) -> int:
        """A conversation in which *people* have said so much in turns, all but the starter up to *read*."""
        began = BEGAN + datetime.timedelta(seconds=self.said)
        made = self.add(
            Conversation,
            **{"app": "forum", "subject": self.words(3), **details},
            starter=people[0],
            started_at=began,
            last_seq=messages,
        )
        newest = 0
        for seq in range(1, messages + 1):
            moment = began + datetime.timedelta(seconds=seq)
            author = people[(seq - 1) % len(people)]
            newest = self.add(
                Message, conversation=made, seq=seq, author=author, body=self.words(8), sent_at=moment
            )
        self.said += messages
        for place, user in enumerate(people):
            mark = messages if place == 0 or read is None else read
            own = sum((seq - 1) % len(people) == place for seq in range(mark + 1, messages + 1))
            is_crowd = len(people) > CROWD
            self.add(
                Participant,
                conversation=made,
                user=user,
                kind=details.get("app", "forum"),
                last_seq=None if is_crowd else messages,
                newest_id=None if is_crowd else newest,
                read_seq=mark,
                own_unread=own,
                read_at=BEGAN,
            )
        return made

    def words(self, number: int) -> str:
        return " ".join(self.random.choices(SENTENCE.split(), k=number))


def stored(field: Any, row: dict[str, Any]) -> Any:
    if field.name in row:
        value = row[field.name]
    else:
        value = field.default() if callable(field.default) else field.default
    return milliseconds(value) if isinstance(value, datetime.datetime) else value


def fill(messages: int) -> Filled:
    """Fill the open store, which is empty, with at least so many messages.

    What the callers have is the same in every store, and takes some twelve thousand.
    """
    filler = Filler()
    with database.atomic():
        add_people(filler)
        rooms = {size: add_room(filler, size) for size in ROOMS}
        chat = filler.talk([FEW, OTHER], SAID, app="chat", subject="", pair=f"chat {FEW} and {OTHER}")
        for _ in range(TALKS - 1):
            talk = filler.talk([OTHER, FEW], SAID, read=SAID - 2)
        light = add_talks(filler, TEN, OTHER, LIGHT)
        heavy = add_talks(filler, MANY, FRIEND, HEAVY)
        own = [filler.talk([user, OTHER], SAID) for user in WRITERS]
        shared = filler.talk(list(WRITERS), SAID)
        while filler.said < messages:
            filler.talk(filler.random.sample(STRANGERS, 2), 20)
        filler.finish()
    if not database.obj.is_embedded:
        database.execute_sql("ANALYZE")
    return Filled(talk, light, heavy, chat, own, shared, rooms)


def add_talks(filler: Filler, user: int, other: int, number: int) -> int:
    """So many conversations of a *user*; the newest, in which more was said."""
    for place in range(1, number):
        filler.talk([other, user], 1, read=0 if place % UNREAD_EACH == 0 else 1)
    return filler.talk([other, user], SAID, read=SAID - 2)


def add_people(filler: Filler) -> None:
    password = Passwords(1).hash(PASSWORD)
    for number in range(1, PEOPLE + 1):
        name, phone = f"user{number}", f"555{number:07}"
        filler.add(
            User,
            username=name,
            username_key=name_key(name),
            display_name=name.capitalize(),
            password=password,
            number=phone,
            digits=phone,
            identifier=f"license:{number}",
            created_at=BEGAN,
        )
        filler.add(AccessToken, user=number, digest=digest_of(token_of(number)), label="benchmark")
    filler.add(ServerKey, digest=digest_of(SERVER_KEY), label="benchmark")


def add_room(filler: Filler, size: int) -> int:
    people = [HOST, *STRANGERS[: size - 1]]
    return filler.talk(people, IN_ROOM, app="darkchat", join_code=f"ROOM{size}")
