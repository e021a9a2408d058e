"""What is published is what was promised: the recorded surface, and the methods of the pages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from server.faces.published import METHODS
from server.faces.tapatalk import face
from server.wire.types import Array, Codec, Keyed, OrFalse, Struct

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
    """A method of a page.

    A member of a struct inside another stands behind a dot; one that an answer may lack has a ? behind it.
    """

    required: Types
    optional: Types
    answer: Types
    returns: tuple[str, ...] = ("struct",)


PAGE = {
    "new_conversation": Promised(
        {"user_name": "array", "subject": "base64", "text_body": "base64"},
        {"attachment_id_array": "array", "group_id": "string"},
        DONE | {"conv_id?": "string"},
    ),
    "reply_conversation": Promised(
        {"conversation_id": "string", "text_body": "base64"},
        {"subject": "base64", "attachment_id_array": "array", "group_id": "string"},
        DONE | {"msg_id?": "string"},
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
            "list.attachments.thumbnail_url?": "string",
        },
    ),
    "get_quote_conversation": Promised(
        {"conv_id": "string", "msg_id": "string"}, {}, {"text_body": "base64"}
    ),
    "delete_conversation": Promised({"conv_id": "string", "mode": "int"}, {}, DONE),
    "mark_conversation_unread": Promised({"conv_id": "string"}, {}, DONE),
    "mark_conversation_read": Promised({}, {"conv_id": "string"}, DONE),
}

DARKCHAT_CONVERSATION: Types = {
    "id": "int",
    "name": "string",
    "appName": "string",
    "createdBy": "int",
    "joinCode": "string",
    "createdAt": "int",
    "updatedAt": "int",
    "recipients": "array",
    "recipients.id": "int",
    "recipients.name": "string",
    "recipients.number?": "string",
    "messages": "array",
    "messages.id": "int",
    "messages.sender": "string",
    "messages.senderName": "string",
    "messages.content": "string",
    "messages.type": "string",
    "messages.createdAt": "int",
    "isItRead": "boolean",
}
PHONE_CONTACT: Types = {
    "id": "int",
    "number": "string",
    "contactNumber": "string",
    "name": "string",
    "firstname": "string",
    "lastname": "string",
    "notes": "string",
    "image": "string",
    "isBlocked": "boolean",
    "favorite": "boolean",
}
PHONE_CALL: Types = {
    "callId": "string",
    "fromId": "int",
    "fromNumber": "string",
    "toId": "int",
    "toNumber": "string",
    "callTime": "int",
    "inCall": "boolean",
    "type": "string",
    "isNumberHidden": "boolean",
    "isCompanyCall": "boolean",
    "state": "string",
}
YES_OR_NO = ("boolean",)


def inside(name: str, answer: Types) -> Types:
    """A struct as the optional member of another."""
    return {f"{name}?": "struct", **{f"{name}.{key}": kind for key, kind in answer.items()}}


def twice(stem: str, promised: Promised) -> dict[str, Promised]:
    """An export for a player under a source and for one with a number."""
    return {
        f"{stem}{ending}": promised._replace(required={**way, **promised.required})
        for ending, way in {"Src": {"src": "int"}, "Number": {"number": "string"}}.items()
    }


PHONE = {
    **twice(
        "Darkchat_CreateConversationBy",
        Promised(
            {"name": "string"},
            {"joinCode": "string"},
            {"success": "boolean", **inside("newConv", DARKCHAT_CONVERSATION)},
        ),
    ),
    **twice("Darkchat_AddToConversationBy", Promised({"conversationId": "int"}, {}, {}, YES_OR_NO)),
    **twice(
        "Darkchat_RemoveFromConversationBy",
        Promised({"conversationId": "int"}, {"isSelf": "boolean"}, {}, YES_OR_NO),
    ),
    **twice("PhoneApp_FetchContactsBy", Promised({}, {}, PHONE_CONTACT, ("array",))),
    **twice(
        "PhoneApp_AddContactBy",
        Promised(
            {"contactNumber": "string", "firstname": "string", "lastname": "string"},
            {"notes": "string", "image": "string"},
            {"success": "boolean", "message?": "string", **inside("contact", PHONE_CONTACT)},
        ),
    ),
    "PhoneApp_DeleteContact": Promised({"contactId": "int"}, {}, {}, YES_OR_NO),
    "PhoneApp_StartCall": Promised(
        {"from": "string", "to": "string"}, {"type": "string"}, PHONE_CALL, ("struct", "boolean")
    ),
    **twice("PhoneApp_EndCallBy", Promised({}, {}, {}, YES_OR_NO)),
    **twice("PhoneApp_IsInCallBy", Promised({}, {}, {}, YES_OR_NO)),
}
PROMISED = PAGE | PHONE
BY_SOURCE = [name for name in METHODS if name.endswith("Src")]


def twin(name: str) -> str:
    """The export for a number that stands beside the one for a source."""
    return name.removesuffix("Src") + "Number"


def surface() -> str:
    """Every published name with its signatures, one name a line."""
    published = METHODS | face.forms
    lines = (
        f"  {json.dumps(name)}: {json.dumps(published[name].signatures())}" for name in sorted(published)
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def members(codec: Codec, path: str = "") -> Iterator[tuple[str, str]]:
    """The members of an answer, with their types, down to the innermost struct."""
    if isinstance(codec, Array | Keyed | OrFalse):
        yield from members(codec.item, path)
    if isinstance(codec, Struct):
        for name, member in codec.members.items():
            yield f"{path}{name}{'' if name in codec.required else '?'}", member.name
            yield from members(member, f"{path}{name}.")


def test_the_surface_is_the_recorded_one() -> None:
    """What clients can call, and how, changes only together with its record."""
    assert json.loads(SURFACE.read_text()) == json.loads(surface()), (
        f"The surface has changed. Where that is meant, fixtures/surface.json becomes:\n{surface()}"
    )


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_method_takes_what_is_promised(name: str) -> None:
    """The parameters of each method of the pages are declared in their order, with their types."""
    declared = METHODS[name].params
    assert {p.name: p.codec.name for p in declared if p.required} == PROMISED[name].required
    assert [(p.name, p.codec.name) for p in declared if not p.required] == list(
        PROMISED[name].optional.items()
    )
    assert [p.name for p in declared] == [*PROMISED[name].required, *PROMISED[name].optional]


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_method_answers_what_is_promised(name: str) -> None:
    """Every result key of the pages is declared, in the struct and of the type that they give it."""
    assert PROMISED[name].answer.items() <= dict(members(METHODS[name].returns)).items()


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_method_answers_in_the_promised_type(name: str) -> None:
    """Each method of the pages answers with what they say: a struct, an array, a yes or no, or false."""
    assert tuple(METHODS[name].returns.names) == PROMISED[name].returns


@pytest.mark.parametrize("name", BY_SOURCE)
def test_a_source_and_a_number_are_two_ways_to_one_function(name: str) -> None:
    """Each export for a source has its twin for a number, and both publish one function."""
    assert METHODS[name].function is METHODS[twin(name)].function


@pytest.mark.parametrize("name", BY_SOURCE)
def test_twins_differ_in_the_first_parameter_alone(name: str) -> None:
    """Twins take a source or a number first, and after it the same."""
    (source, *others), (number, *same) = (
        [types[1:] for types in METHODS[each].signatures()][-1] for each in (name, twin(name))
    )
    assert (source, number, others) == ("int", "string", same)
    assert [METHODS[each].params[0].name for each in (name, twin(name))] == ["src", "number"]


def test_every_export_for_a_number_has_a_twin() -> None:
    """No export is there for a number alone, but for those that look up a number itself."""
    numbers = {name for name in METHODS if name.endswith(("ByNumber", "FromNumber", "ToNumber"))}
    assert numbers == {twin(name) for name in BY_SOURCE}
