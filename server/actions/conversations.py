"""Beginning conversations, asking people in, and leaving."""

from models import (
    ACTIVE,
    ASKED,
    CLOSED,
    CROWD,
    DARKCHAT,
    DECLINED,
    FORUM,
    GONE,
    HIDDEN,
    IGNORING,
    JOINED,
    LEFT,
    OPEN,
    THERE,
    TOLD,
    Attachment,
    Conversation,
    Message,
    Participant,
    User,
    database,
    enter,
    hold,
    is_direct,
    store_conversation,
    told_in,
)

from .. import text
from ..config import Settings
from ..errors import BadInput, Conflict, NotAllowed
from ..files import Files
from . import access, events, limits, messages

LONGEST_ROOM_NAME = 64


def start(
    settings: Settings,
    starter: User,
    invited: list[User],
    subject: str,
    body: str,
    uploads: list[Attachment],
) -> Conversation:
    """Begin a conversation of the forum's with a first message, all of it or nothing."""
    others = [user for user in invited if user.id != starter.id]
    if not others:
        raise BadInput("Please name at least one recipient besides yourself.")
    check_subject(settings, subject)
    messages.check_body(settings, body, uploads)
    check_takers(others)
    limits.conversation(settings, starter)
    limits.message(settings, starter)
    conversation = Conversation(app=FORUM, subject=subject.strip(), starter=starter)
    store_conversation(conversation)
    add(conversation, [starter])
    add(conversation, others, starter)
    messages.send(starter, conversation, body, uploads)
    spare_crowd(conversation)
    return conversation


def check_subject(settings: Settings, subject: str) -> None:
    if len(subject.strip()) > settings.max_subject:
        raise BadInput(f"A subject may have at most {settings.max_subject} characters.")
    if text.is_blank(subject):
        raise BadInput("Please enter a subject.")


def check_room_name(name: str) -> None:
    if len(name.strip()) > LONGEST_ROOM_NAME or text.is_blank(name):
        raise BadInput(f"The name of a room has 1 to {LONGEST_ROOM_NAME} characters.")


def check_takers(users: list[User]) -> None:
    closed = [user.username for user in users if user.disabled_at or not user.takes_messages]
    if closed:
        raise NotAllowed(f"The following recipients do not take messages: {', '.join(closed)}")


def invite(
    settings: Settings, inviter: User, conversation: Conversation, users: list[User], reason: str
) -> None:
    """Ask *users* in; who has hidden the conversation is brought back, who has left stays away."""
    if not access.may_invite(inviter, conversation):
        raise NotAllowed("You do not have permission to invite participants to this conversation.")
    if not users:
        raise BadInput("Please name at least one person to invite.")
    if len(reason) > settings.max_body:
        raise BadInput(f"A reason may have at most {settings.max_body} characters.")
    conversation = hold(conversation.id)
    forget_ignored(conversation, users)
    there = {participant.user_id: participant for participant in conversation.participants}
    gone = [user.username for user in users if user.id in there and there[user.id].status == LEFT]
    if gone:
        raise Conflict(f"The following people have left this conversation: {', '.join(gone)}")
    newcomers = [user for user in users if user.id not in there]
    check_takers(newcomers)
    bring_back(conversation, users, inviter, reason)
    add(conversation, newcomers, inviter, reason)
    events.changed([user.id for user in users])
    if conversation.app == DARKCHAT:
        tell_of(conversation, newcomers)


def tell_of(room: Conversation, newcomers: list[User]) -> None:
    """Keep in the room's history who has come into it."""
    came = room.participants.where(Participant.user.in_(newcomers), Participant.status == ACTIVE)
    ids = {participant.user_id for participant in came}
    for user in newcomers:
        if user.id in ids:
            messages.note(room, user, JOINED)
            if room.last_seq == 1:
                # Only now there is something for a crowd to look for.
                spare_crowd(room)


def forget_ignored(conversation: Conversation, users: list[User]) -> None:
    """Let those be invited anew who never saw an invitation, because they ignored whoever it came from."""
    Participant.delete().where(
        Participant.conversation == conversation,
        Participant.user.in_([user.id for user in users]),
        Participant.status == IGNORING,
    ).execute()


def bring_back(conversation: Conversation, users: list[User], inviter: User, reason: str) -> None:
    Participant.update(status=ACTIVE, inviter=inviter, invite_reason=reason).where(
        Participant.conversation == conversation,
        Participant.user.in_([user.id for user in users]),
        Participant.status == HIDDEN,
    ).execute()


def add(conversation: Conversation, users: list[User], inviter: User | None = None, reason: str = "") -> None:
    """Make *users* participants, to whom all that was said before is unread.

    Who ignores the *inviter* will never see it.
    """
    if users:
        enter(conversation, users, inviter, reason)
        if conversation.last_seq:
            spare_crowd(conversation)


def spare_crowd(conversation: Conversation) -> None:
    """Where too many would have to be told of every message, let them look for themselves."""
    if told_in.one(conversation=conversation.id).number > CROWD:
        Participant.update(last_seq=None, newest_id=None).where(
            Participant.conversation == conversation, TOLD
        ).execute()


def hide(participant: Participant) -> None:
    """Take the conversation out of the user's list until something new is said in it."""
    Participant.update(status=HIDDEN).where(
        Participant.id == participant.id, Participant.status == ACTIVE
    ).execute()
    events.changed([participant.user_id])


def leave(files: Files, participant: Participant, kind: str = GONE) -> None:
    """Take the user out for good; with the last one the conversation is erased, with all that was said.

    :param kind: how a room's history tells of it
    """
    conversation = hold(participant.conversation_id)
    Participant.update(status=LEFT).where(Participant.id == participant.id).execute()
    events.changed([participant.user_id])
    remaining = Participant.select().where(
        Participant.conversation == conversation, Participant.status.in_(THERE)
    )
    longest_there = remaining.order_by(Participant.id).first()
    if conversation.status == DECLINED:
        # It is kept so that he who has declined is not asked again.
        return
    if longest_there is None:
        erase(files, conversation.id)
    elif conversation.app == DARKCHAT:
        hand_over(conversation, participant.user_id, longest_there.user_id)
        messages.note(conversation, participant.user, kind)
    else:
        part(conversation)


def hand_over(room: Conversation, user_id: int, heir_id: int) -> None:
    """Where the room's owner has left it, make another one its owner."""
    Conversation.update(starter=heir_id).where(
        Conversation.id == room.id, Conversation.starter == user_id
    ).execute()


def part(conversation: Conversation) -> None:
    """End what two had; what they say to each other from now on is a new conversation."""
    if is_direct(conversation.app):
        conversation.pair, conversation.status = None, CLOSED
        conversation.save()


def erase(files: Files, conversation_id: int) -> None:
    """Take away a conversation that nobody is in, with all that was said; who was asked for it is told."""
    asked = Participant.select().where(
        Participant.conversation == conversation_id, Participant.status == ASKED
    )
    events.changed([participant.user_id for participant in asked])
    of_conversation = Attachment.select().join(Message).where(Message.conversation == conversation_id)
    names = [name for each in of_conversation for name in each.stored]
    Conversation.delete().where(Conversation.id == conversation_id).execute()
    database.after_commit(lambda: files.erase_leniently(names))


def edit(settings: Settings, conversation: Conversation, subject: str, open_invite: bool | None) -> None:
    """Change the subject, and who may invite where that is given."""
    if conversation.app == DARKCHAT:
        check_room_name(subject)
    else:
        check_subject(settings, subject)
    conversation.subject = subject.strip()
    if open_invite is not None:
        conversation.open_invite = open_invite
    conversation.save()


def close(conversation: Conversation) -> None:
    """From now on only the starter may say something."""
    conversation.status = CLOSED
    conversation.save()


def reopen(conversation: Conversation) -> None:
    conversation.status = OPEN
    conversation.save()
