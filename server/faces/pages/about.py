"""What a member sees of a conversation as a whole, and does about it: invite, rename, close, hide, leave."""

from typing import Any

from models import CLOSED, DARKCHAT, LEFT, Conversation, User, is_direct, people_in

from ... import text
from ...actions import access, conversations
from ...visits import Visit
from ...wire.pages import Go, Shown, View
from ...wire.types import Id, Text
from ..showing import title_of
from .door import face
from .inbox import person
from .sure import sure

ALONE = "With the last one who leaves, all that was said is erased."
FOR_GOOD = f"You are told nothing more of what is said in it, and cannot be invited again. {ALONE}"
OF_TWO = f"It ends for both. What you say to each other from then on is a new one. {ALONE}"
WITH_CODE = f"You are told nothing more of what is said in it, until you join again with its code. {ALONE}"


@face.route("GET", "/inbox/{conversation_id}/about", transaction="read")
def about(user: User, /, conversation_id: Id) -> Shown:
    """Show who is in a conversation, and what this member may do about it.

    :param conversation_id: the conversation
    """
    conversation = access.conversation(user, conversation_id)
    people = list(people_in([conversation_id]))
    values = {
        **named(user, conversation, people),
        "reason": conversation.participant.invite_reason,
        "join_code": conversation.join_code,
        "people": [member(user, row, conversation) for row in people if row.status != LEFT],
        "is_closed": conversation.status == CLOSED,
        "may_edit": access.may_edit(user, conversation),
        "may_invite": access.may_invite(user, conversation),
    }
    return View("about.html", values)


@face.route("GET", "/inbox/{conversation_id}/invite", transaction="read")
def ask_whom_to_invite(user: User, /, conversation_id: Id) -> Shown:
    """Ask who shall come into a conversation.

    :param conversation_id: the conversation
    """
    return View("invite.html", found(user, conversation_id))


@face.route("POST", "/inbox/{conversation_id}/invite")
def invite(user: User, visit: Visit, /, conversation_id: Id, to: Text, reason: Text = "") -> Shown:
    """Invite more people to a conversation.

    :param conversation_id: the conversation
    :param to: their names, with commas between them
    :param reason: shown to those invited
    """
    conversation = access.conversation(user, conversation_id)
    invited = access.users_named(to.split(","), visit.settings.max_recipients)
    conversations.invite(visit.settings, user, conversation, invited, reason)
    return shown_again(conversation_id)


@face.route("GET", "/inbox/{conversation_id}/subject", transaction="read")
def ask_for_subject(user: User, /, conversation_id: Id) -> Shown:
    """Ask what a conversation shall be about.

    :param conversation_id: the conversation
    """
    conversation = access.own_conversation(user, conversation_id)
    values = {"subject": conversation.subject, "open_invite": conversation.open_invite}
    return View("subject.html", {**found(user, conversation_id), **values})


@face.route("POST", "/inbox/{conversation_id}/subject")
def change_subject(
    user: User, visit: Visit, /, conversation_id: Id, subject: Text, open_invite: bool = False
) -> Shown:
    """Change what a conversation is about, and who may invite; for its starter.

    :param conversation_id: the conversation
    :param subject: the new subject
    :param open_invite: whether everybody in it may invite
    """
    conversation = access.own_conversation(user, conversation_id)
    conversations.edit(visit.settings, conversation, subject, open_invite)
    return shown_again(conversation_id)


@face.route("POST", "/inbox/{conversation_id}/close")
def close(user: User, /, conversation_id: Id) -> Shown:
    """Close a conversation, so that only its starter can say something; for its starter.

    :param conversation_id: the conversation
    """
    conversations.close(access.own_conversation(user, conversation_id))
    return shown_again(conversation_id)


@face.route("POST", "/inbox/{conversation_id}/open")
def reopen(user: User, /, conversation_id: Id) -> Shown:
    """Open a closed conversation again; for its starter.

    :param conversation_id: the conversation
    """
    conversations.reopen(access.own_conversation(user, conversation_id))
    return shown_again(conversation_id)


@face.route("POST", "/inbox/{conversation_id}/hide")
def hide(user: User, /, conversation_id: Id) -> Shown:
    """Take a conversation out of this member's list until something new is said in it.

    :param conversation_id: the conversation
    """
    conversations.hide(access.conversation(user, conversation_id).participant)
    return Go("/inbox")


@face.route("GET", "/inbox/{conversation_id}/leave", transaction="read")
def ask_to_leave(user: User, /, conversation_id: Id) -> Shown:
    """Ask whether this member wants to be in a conversation no longer.

    :param conversation_id: the conversation
    """
    shown, path = found(user, conversation_id), f"/inbox/{conversation_id}"
    what = WITH_CODE if shown["app"] == DARKCHAT else OF_TWO if is_direct(shown["app"]) else FOR_GOOD
    return sure(f"Leave {shown['title']}?", what, f"{path}/leave", "Leave it", f"{path}/about")


@face.route("POST", "/inbox/{conversation_id}/leave")
def leave(user: User, visit: Visit, /, conversation_id: Id) -> Shown:
    """Take this member out of a conversation for good.

    :param conversation_id: the conversation
    """
    conversations.leave(visit.files, access.to_leave(user, conversation_id))
    return Go("/inbox")


def found(user: User, conversation_id: int) -> dict[str, Any]:
    """How a page names a conversation that this member sees."""
    return named(user, access.conversation(user, conversation_id), list(people_in([conversation_id])))


def named(user: User, conversation: Conversation, people: list[Any]) -> dict[str, Any]:
    title = text.unmarked(title_of(user, conversation, people))
    return {"id": conversation.id, "title": title, "app": conversation.app}


def member(user: User, row: Any, conversation: Conversation) -> dict[str, Any]:
    to = row.username if row.id != user.id and not row.disabled_at else ""
    return {**person(row), "to": to, "is_starter": row.id == conversation.starter_id}


def shown_again(conversation_id: int) -> Go:
    return Go(f"/inbox/{conversation_id}/about")
