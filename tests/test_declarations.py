"""What is published is what was promised: the recorded surface, and the nine methods of the page."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from server.app import METHODS
from server.faces.tapatalk import face
from server.wire.types import Array, Codec, Keyed, Struct

SURFACE = Path(__file__).parent.parent / "fixtures" / "surface.json"

Types = dict[str, str]

DONE: Types = {"result": "boolean", "result_text": "base64"}
PARTICIPANTS: Types = {
    "participants": "struct",
    "participants.username": "base64",
    "participants.icon_url": "string",
    "participants.is_online": "boolean",
}


class Promised(NamedTuple):
    """A method of the page; a member of a struct inside another stands behind a dot."""

    required: Types
    optional: Types
    answer: Types


PAGE = {
    "new_conversation": Promised(
        {"user_name": "array", "subject": "base64", "text_body": "base64"},
        {"attachment_id_array": "array", "group_id": "string"},
        DONE | {"conv_id": "string"},
    ),
    "reply_conversation": Promised(
        {"conversation_id": "string", "text_body": "base64"},
        {"subject": "base64", "attachment_id_array": "array", "group_id": "string"},
        DONE | {"msg_id": "string"},
    ),
    "invite_participant": Promised(
        {"user_name": "array", "conversation_id": "string"},
        {"invite_reason_text": "base64"},
        DONE,
    ),
    "get_conversations": Promised(
        {},
        {"start_num": "int", "last_num": "int"},
        {
            "conversation_count": "int",
            "unread_count": "int",
            "can_upload": "boolean",
            "list": "array",
            "list.conv_id": "string",
            "list.reply_count": "int",
            "list.participant_count": "int",
            "list.start_user_id": "string",
            "list.start_timestamp": "string",
            "list.start_conv_time": "dateTime.iso8601",
            "list.last_user_id": "string",
            "list.timestamp": "string",
            "list.last_conv_time": "dateTime.iso8601",
            "list.conv_subject": "base64",
            "list.new_post": "boolean",
            "list.unread_num": "int",
            "list.delete_mode": "int",
            **{f"list.{key}": kind for key, kind in PARTICIPANTS.items()},
        },
    ),
    "get_conversation": Promised(
        {"conv_id": "string"},
        {"start_num": "int", "last_num": "int", "return_html": "boolean"},
        {
            "conv_id": "string",
            "conv_title": "base64",
            "participant_count": "int",
            "total_message_num": "int",
            "can_invite": "boolean",
            "can_edit": "boolean",
            "can_close": "boolean",
            "is_closed": "boolean",
            "can_upload": "boolean",
            "delete_mode": "int",
            **PARTICIPANTS,
            "list": "array",
            "list.msg_id": "string",
            "list.msg_content": "base64",
            "list.msg_author_id": "string",
            "list.is_unread": "boolean",
            "list.is_online": "boolean",
            "list.has_left": "boolean",
            "list.timestamp": "string",
            "list.post_time": "dateTime.iso8601",
            "list.new_post": "boolean",
            "list.attachments": "array",
            "list.attachments.filename": "base64",
            "list.attachments.filesize": "int",
            "list.attachments.content_type": "string",
            "list.attachments.url": "string",
            "list.attachments.thumbnail_url": "string",
        },
    ),
    "get_quote_conversation": Promised(
        {"conv_id": "string", "msg_id": "string"}, {}, {"text_body": "base64"}
    ),
    "delete_conversation": Promised({"conv_id": "string", "mode": "int"}, {}, DONE),
    "mark_conversation_unread": Promised({"conv_id": "string"}, {}, DONE),
    "mark_conversation_read": Promised({}, {"conv_id": "string"}, DONE),
}


def surface() -> str:
    """Every published name with its signatures, one name a line."""
    published = METHODS | face.forms
    lines = (
        f"  {json.dumps(name)}: {json.dumps(published[name].signatures())}" for name in sorted(published)
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def members(codec: Codec, path: str = "") -> Iterator[tuple[str, str]]:
    """The members of an answer, with their types, down to the innermost struct."""
    if isinstance(codec, Array | Keyed):
        yield from members(codec.item, path)
    if isinstance(codec, Struct):
        for name, member in codec.members.items():
            yield f"{path}{name}", member.name
            yield from members(member, f"{path}{name}.")


def test_the_surface_is_the_recorded_one() -> None:
    """What clients can call, and how, changes only together with its record."""
    assert json.loads(SURFACE.read_text()) == json.loads(surface()), (
        f"The surface has changed. Where that is meant, fixtures/surface.json becomes:\n{surface()}"
    )


@pytest.mark.parametrize("name", PAGE)
def test_a_promised_method_takes_what_is_promised(name: str) -> None:
    """The parameters of each method of the page are declared in the page's order, with its types."""
    declared = METHODS[name].params
    assert {p.name: p.codec.name for p in declared if p.required} == PAGE[name].required
    assert [(p.name, p.codec.name) for p in declared if not p.required] == list(PAGE[name].optional.items())
    assert [p.name for p in declared] == [*PAGE[name].required, *PAGE[name].optional]


@pytest.mark.parametrize("name", PAGE)
def test_a_promised_method_answers_what_is_promised(name: str) -> None:
    """Every result key of the page is declared, in the struct and of the type that the page gives it."""
    assert PAGE[name].answer.items() <= dict(members(METHODS[name].returns)).items()
