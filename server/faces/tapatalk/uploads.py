"""Uploads, which a message carries later."""

from typing import TypedDict

from models import User

from ...actions import access, attachments
from ...visits import Visit
from ...wire.types import File, Id, Text
from .door import YES, Result, face


class Uploaded(TypedDict):
    """In the order of the plugin that clients were written for."""

    attachment_id: Id
    group_id: str
    result: bool
    result_text: Text
    file_size: int


class Removed(Result):
    group_id: str


@face.form()
def upload_attach(
    user: User,
    visit: Visit,
    /,
    attachment: File,
    type: str = "pm",
    message_id: Id | None = None,
    group_id: str = "",
    forum_id: str = "",
) -> Uploaded:
    """Upload a file for a message that is sent later.

    :param attachment: the file; the field may also be called attachment[]
    :param type: "pm", for a conversation; whatever else it says is taken for that
    :param message_id: the conversation that will be replied to, if there is one yet
    :param group_id: the group of earlier uploads for the same message, as they were answered
    :param forum_id: accepted because clients send it, and not used
    """
    attachments.admit(visit.settings, user, message_id, group_id)
    stored = attachments.store(visit.settings, visit.files, attachment.name, attachment.data)
    uploaded = visit.transact(lambda: attachments.add(visit.settings, user, stored, group_id), "write")
    return {
        **YES,
        "attachment_id": uploaded.id,
        "group_id": uploaded.group.key,
        "file_size": uploaded.size,
    }


@face.method()
def remove_attachment(
    user: User, visit: Visit, /, attachment_id: Id, forum_id: str = "", group_id: str = "", post_id: str = ""
) -> Removed:
    """Take back an upload that has not been sent.

    :param attachment_id: the upload
    :param forum_id: accepted because clients send it, and not used
    :param group_id: the group to which it has to belong
    :param post_id: accepted because clients send it, and not used
    """
    [upload] = access.uploads(user, [attachment_id], group_id)
    attachments.remove(visit.files, upload)
    return {**YES, "group_id": upload.group.key}
