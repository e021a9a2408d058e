"""Darkchat rooms: made under a code, entered by it, left, and removed from."""

import re
import secrets

from peewee import IntegrityError

from models import (
    ACTIVE,
    CLOSED,
    DARKCHAT,
    JOINED,
    THERE,
    Conversation,
    Participant,
    User,
    hold,
    store_conversation,
)

from ..errors import BadInput, Conflict, NotFound
from . import conversations, events, messages

CODE = re.compile(r"[A-Z0-9]{4,16}")
# Nothing that one player could read to another as something else.
LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
MADE_LENGTH = 6


def create(owner: User, name: str, code: str) -> Conversation:
    """Make a room of *owner*'s; without a *code* one is made up."""
    conversations.check_room_name(name)
    room = Conversation(app=DARKCHAT, subject=name.strip(), starter=owner)
    room.join_code = code_of(code) if code else new_code()
    try:
        store_conversation(room)
    except IntegrityError:
        raise Conflict("That join code is taken.") from None
    conversations.add(room, [owner])
    return room


def code_of(given: str) -> str:
    """A code in the form in which it is kept."""
    code = given.upper()
    if not given.isascii() or not CODE.fullmatch(code):
        raise BadInput("A join code has 4 to 16 letters and digits.")
    return code


def new_code() -> str:
    """A code that nobody can guess and that no room has."""
    while True:
        code = "".join(secrets.choice(LETTERS) for _ in range(MADE_LENGTH))
        if not Conversation.select().where(Conversation.join_code == code).exists():
            return code


def with_code(given: str) -> Conversation:
    """The open room that is entered by this code."""
    found: Conversation | None = Conversation.get_or_none(
        Conversation.join_code == code_of(given), Conversation.status != CLOSED
    )
    if found is None:
        raise NotFound("No open room has that join code.")
    return found


def join(room: Conversation, user: User) -> None:
    """Let *user* be in the room; for one who is there already nothing changes but that he sees it."""
    room = hold(room.id)
    there = Participant.update(status=ACTIVE).where(
        Participant.conversation == room,
        Participant.user == user,
        Participant.status.in_(THERE),
    )
    if there.execute():
        events.changed([user.id])
    else:
        enter(room, user)


def enter(room: Conversation, user: User) -> None:
    """Make *user* the newest in the room, also when he was there before."""
    own = (Participant.conversation == room) & (Participant.user == user)
    was_there = Participant.delete().where(own).execute()
    conversations.add(room, [user])
    if was_there:
        messages.mark_unread(list(Participant.select().where(own)))
    messages.note(room, user, JOINED)
