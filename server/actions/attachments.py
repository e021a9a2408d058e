"""Files that people attach: taken in, and given up again."""

import secrets
from dataclasses import dataclass

from models import Attachment, UploadGroup, User, database

from .. import pictures
from ..config import Settings
from ..errors import BadInput
from ..files import Files
from . import access, limits


@dataclass(frozen=True)
class Stored:
    """A file that lies on the disk already and belongs to nobody yet."""

    filename: str
    extension: str
    size: int
    file: str
    thumbnail: str


def admit(settings: Settings, user: User, conversation_id: int | None, group_key: str) -> None:
    """Refuse before anything is stored what comes too often or could not be sent later."""
    limits.upload(settings, user)
    if conversation_id:
        access.conversation(user, conversation_id)
    if group_key:
        access.upload_group(user, group_key)


def store(settings: Settings, files: Files, filename: str, data: bytes) -> Stored:
    """Check a file against what it claims to be and put it on the disk, with a thumbnail of a picture.

    Slow, so it belongs before a transaction. What is not added afterwards is swept away in time.
    """
    if len(data) > settings.max_upload:
        raise BadInput(f"A file may have at most {settings.max_upload} bytes.")
    kind = pictures.checked(filename, data, settings.extension_list)
    thumbnail = files.put(pictures.thumbnail(data).data) if kind.is_image else ""
    name = pictures.display_name(filename)
    return Stored(name, kind.extension, len(data), files.put(data), thumbnail)


def add(settings: Settings, user: User, stored: Stored, group_key: str) -> Attachment:
    """Make a stored file an upload of *user*, in a group of his or a new one."""
    group = access.upload_group(user, group_key) if group_key else new_group(user)
    if group.attachments.where(Attachment.message.is_null()).count() >= settings.max_attachments:
        raise BadInput(f"A message may have at most {settings.max_attachments} attachments.")
    return Attachment.create(
        group=group,
        filename=stored.filename,
        extension=stored.extension,
        size=stored.size,
        file=stored.file,
        thumbnail=stored.thumbnail,
    )


def new_group(user: User) -> UploadGroup:
    return UploadGroup.create(key=secrets.token_hex(8), uploader=user)


def remove(files: Files, upload: Attachment) -> None:
    upload.delete_instance()
    database.after_commit(lambda: files.erase_leniently(upload.stored))
