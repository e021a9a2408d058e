"""Fetch what an actor may touch, or refuse: not there and not yours are the same answer."""

from peewee import JOIN

from models import (
    ACTIVE,
    ASKED,
    CLOSED,
    DARKCHAT,
    THERE,
    Attachment,
    Conversation,
    Message,
    Participant,
    UploadGroup,
    User,
    clean,
    conversation_with_place,
    digits_of,
    is_direct,
    name_key,
    number_owner,
    source_owner,
    users_with_keys,
)

from ..errors import BadInput, NotAllowed, NotFound

MOST_IDS = 500
LONGEST_TOLD = 64


def conversation(user: User, conversation_id: int) -> Conversation:
    """The conversation with this id, if the user sees it, with his own row as its ``participant``."""
    found = conversation_with_place(user, conversation_id)
    if found is None or found.participant.status != ACTIVE:
        raise NotFound("The requested conversation could not be found.")
    return found


def to_leave(user: User, conversation_id: int) -> Participant:
    """The user as a participant of a conversation that he sees or has hidden."""
    participant = Participant.get_or_none(
        Participant.conversation == conversation_id,
        Participant.user == user,
        Participant.status.in_(THERE),
    )
    if participant is None:
        raise NotFound("The requested conversation could not be found.")
    return participant


def participants(user: User, conversation_ids: list[int]) -> list[Participant]:
    """The user's own rows among the participants of all of these conversations."""
    wanted = set(conversation_ids)
    if len(wanted) > MOST_IDS:
        raise BadInput(f"At most {MOST_IDS} conversations can be named at once.")
    found = list(Participant.of(user).where(Participant.conversation.in_(wanted)))
    if not wanted or len(found) != len(wanted):
        raise NotFound("The requested conversation could not be found.")
    return found


def own_conversation(user: User, conversation_id: int) -> Conversation:
    """A conversation that the user has started."""
    found = conversation(user, conversation_id)
    if not may_edit(user, found):
        raise NotAllowed("You do not have permission to edit this conversation.")
    return found


def may_edit(user: User, conversation: Conversation) -> bool:
    """Whether the user may rename and close it; what two see under each other's names has no name."""
    return conversation.starter_id == user.id and not is_direct(conversation.app)


def message(conversation: Conversation, message_id: int) -> Message:
    """The message with this id, if it belongs to the conversation."""
    found: Message | None = (
        Message.select(Message, User)
        .join(User, JOIN.LEFT_OUTER)
        .where(Message.id == message_id, Message.conversation == conversation)
        .first()
    )
    if found is None:
        raise NotFound("The requested message could not be found.")
    return found


def may_reply(user: User, conversation: Conversation) -> bool:
    """Whether the user may say something; what is between two is closed for both once one has left it."""
    return bool(conversation.status != CLOSED) or may_edit(user, conversation)


def may_invite(user: User, conversation: Conversation) -> bool:
    is_open = conversation.open_invite and conversation.status != CLOSED
    return may_edit(user, conversation) or (is_open and not is_direct(conversation.app))


def users_named(names: list[str], most: int) -> list[User]:
    """The users with these names, each once, in the order in which they are named."""
    given = {name_key(name): clean(name[:LONGEST_TOLD]).strip() for name in names if name.strip()}
    if len(given) > most:
        raise BadInput(f"At most {most} people can be named at once.")
    found = {row.username_key: User.of_row(row) for row in users_with_keys(given)}
    unknown = [name for key, name in given.items() if key not in found]
    if unknown:
        raise NotFound(f"The following recipients could not be found: {', '.join(unknown)}")
    return [found[key] for key in given]


def user(user_id: int | None, name: str) -> User:
    """The user with this id, or else with this name."""
    found = User.get_or_none(User.id == user_id) if user_id else User.named([name]).first()
    if found is None:
        raise NotFound("The requested user could not be found.", "USER_NOT_FOUND")
    return found


def player_at(src: int) -> User:
    """The player who is connected under this source."""
    row = source_owner.one(src=src)
    if row is None:
        raise NotFound(f"No player is connected under the source {src}.")
    return User.of_row(row)


def player_with(number: str) -> User:
    """The user who has this phone number, connected or not."""
    row = number_owner.one(digits=digits_of(number))
    if row is None or row.disabled_at:
        raise NotFound("No player has that phone number.")
    return User.of_row(row)


def room(conversation_id: int) -> Conversation:
    """The darkchat room with this id, whoever is in it."""
    found: Conversation | None = Conversation.get_or_none(
        Conversation.id == conversation_id, Conversation.app == DARKCHAT
    )
    if found is None:
        raise NotFound("The requested conversation could not be found.")
    return found


def own_room(user: User, conversation_id: int) -> Conversation:
    """A darkchat room that the user is in, hidden or not, with his own row as its ``participant``."""
    found = conversation_with_place(user, conversation_id)
    if found is None or found.app != DARKCHAT or found.participant.status not in THERE:
        raise NotFound("The requested conversation could not be found.")
    return found


def chat(user: User, conversation_id: int) -> Conversation:
    """A conversation that the user sees, or is asked for, with his own row as its ``participant``."""
    found = conversation_with_place(user, conversation_id)
    if found is None or found.participant.status not in (ACTIVE, ASKED):
        raise NotFound("This chat does not exist.")
    return found


def upload_group(user: User, key: str) -> UploadGroup:
    """The user's own group of uploads."""
    found = UploadGroup.get_or_none(UploadGroup.key == key, UploadGroup.uploader == user)
    if found is None:
        raise NotFound("The requested upload group could not be found.")
    return found


def uploads(user: User, attachment_ids: list[int], group_key: str) -> list[Attachment]:
    """The user's waiting uploads with these ids, or else all of the group."""
    group = upload_group(user, group_key) if group_key else None
    if not attachment_ids:
        return list(Attachment.waiting(user).where(Attachment.group == group)) if group else []
    wanted = set(attachment_ids)
    if len(wanted) > MOST_IDS:
        raise BadInput(f"At most {MOST_IDS} attachments can be named at once.")
    found = list(Attachment.waiting(user).where(Attachment.id.in_(wanted)))
    if len(found) != len(wanted) or (group and any(each.group_id != group.id for each in found)):
        raise NotFound("The requested attachment could not be found.")
    return found


def attachment(user: User, attachment_id: int) -> Attachment:
    """An attachment that the user may download."""
    found: Attachment | None = Attachment.visible_to(user).where(Attachment.id == attachment_id).first()
    if found is None:
        raise NotFound("The requested attachment could not be found.")
    return found
