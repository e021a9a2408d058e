"""Attachments and pictures, from the upload to the download, through the live server."""

import datetime
import io
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from xmlrpc.client import loads

import pytest
from conftest import Live, Member
from PIL import Image
from rest_client import Client

from models import Attachment, UploadGroup, User, database, now
from server.actions import accounts, housekeeping
from server.files import Files

BOUNDARY = "a-line-that-no-file-holds"


def png(width: int = 600, height: int = 400) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, "PNG")
    return out.getvalue()


@dataclass
class Page:
    """What a GET brings."""

    status: int
    headers: Any
    body: bytes


def get(url: str, member: Member | None = None) -> Page:
    headers = {"Authorization": f"Bearer {member.token}"} if member else {}
    try:
        with urlopen(Request(url, headers=headers)) as answer:
            return Page(answer.status, answer.headers, answer.read())
    except HTTPError as error:
        with error:
            return Page(error.code, error.headers, error.read())


def form(values: dict[str, str], field: str, filename: str, data: bytes) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in values.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{filename}"\r\n\r\n'
    return b"".join([*parts, head.encode(), data, f"\r\n--{BOUNDARY}--\r\n".encode()])


def upload(
    live: Live,
    member: Member | None,
    filename: str = "map.png",
    data: bytes = b"",
    field: str = "attachment",
    **values: str,
) -> Any:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    if member:
        headers["Authorization"] = f"Bearer {member.token}"
    body = form({"method_name": "upload_attach", "type": "pm", **values}, field, filename, data or png())
    with urlopen(Request(f"{live.address}/mobiquo/upload.php", body, headers)) as answer:
        [result], _ = loads(answer.read(), use_builtin_types=True)
    return result


def test_upload_answers_id_group_and_size(live: Live, ann: Member) -> None:
    """An upload is answered with its id, its group and its size."""
    answer = upload(live, ann)
    assert list(answer) == ["attachment_id", "group_id", "result", "result_text", "file_size"]
    assert answer["file_size"] == len(png())


def test_a_message_carries_uploads_by_id(live: Live, ann: Member, bob: Member) -> None:
    """Uploads named by id come with the message, with name, size, kind and addresses."""
    first = upload(live, ann)
    second = upload(live, ann, "notes.txt", b"bring water", group_id=first["group_id"])
    ids = [first["attachment_id"], second["attachment_id"]]
    begun = ann.rpc.new_conversation([bob.name], b"Map", b"see it", ids, first["group_id"])
    [message] = bob.rpc.get_conversation(begun["conv_id"])["list"]
    picture, notes = message["attachments"]
    assert (picture["filename"], picture["content_type"], picture["filesize"]) == (
        b"map.png",
        "png",
        len(png()),
    )
    assert picture["thumbnail_url"].startswith(f"{live.address}/attachments/{ids[0]}/thumbnail/")
    assert "thumbnail_url" not in notes
    assert get(notes["url"], bob).body == b"bring water"


def test_a_message_carries_uploads_by_group(live: Live, ann: Member, bob: Member) -> None:
    """A group without ids stands for all of its uploads."""
    group = upload(live, ann, "a.txt", b"a")["group_id"]
    upload(live, ann, "b.txt", b"b", group_id=group)
    conversation = ann.rpc.new_conversation([bob.name], b"Two", b"files")["conv_id"]
    ann.rpc.reply_conversation(conversation, b"here", b"", [], group)
    message = bob.rpc.get_conversation(conversation)["list"][-1]
    assert [each["filename"] for each in message["attachments"]] == [b"a.txt", b"b.txt"]


def test_an_upload_is_sent_once(live: Live, ann: Member, bob: Member) -> None:
    """An upload that a message carries cannot be given to another message."""
    sent = upload(live, ann)["attachment_id"]
    conversation = ann.rpc.new_conversation([bob.name], b"One", b"file", [sent])["conv_id"]
    assert ann.rpc.reply_conversation(conversation, b"again", b"", [sent])["result"] is False


@pytest.mark.parametrize("by", ["id", "group"])
def test_foreign_uploads_are_not_found(live: Live, ann: Member, bob: Member, by: str) -> None:
    """An id or a group of somebody else's is answered like one that does not exist, and nothing is made."""
    foreign = upload(live, bob)
    ids, group = ([foreign["attachment_id"]], "") if by == "id" else ([], foreign["group_id"])
    answer = ann.rpc.new_conversation([bob.name], b"Not", b"mine", ids, group)
    missing = (["999999999"], "") if by == "id" else ([], "no-such-group")
    assert answer == ann.rpc.new_conversation([bob.name], b"Not", b"mine", *missing)
    assert answer["result"] is False
    assert ann.rpc.get_conversations()["conversation_count"] == 0


def test_uploading_into_a_foreign_group_is_not_found(live: Live, ann: Member, bob: Member) -> None:
    """An upload cannot be put into somebody else's group."""
    group = upload(live, bob)["group_id"]
    assert upload(live, ann, group_id=group) == upload(live, ann, group_id="no-such-group")


def test_uploading_for_a_foreign_conversation_is_not_found(live: Live, ann: Member, bob: Member) -> None:
    """An upload for a conversation that the user does not see is refused."""
    conversation = bob.rpc.new_conversation([live.member().name], b"Secret", b"text")["conv_id"]
    assert upload(live, ann, message_id=conversation)["result"] is False


def test_a_removed_upload_is_gone(live: Live, ann: Member, bob: Member) -> None:
    """An upload that is taken back cannot be sent, and its group can still be used."""
    taken = upload(live, ann)
    answer = ann.rpc.remove_attachment(taken["attachment_id"], "", taken["group_id"])
    assert (answer["result"], answer["group_id"]) == (True, taken["group_id"])
    assert (
        ann.rpc.new_conversation([bob.name], b"It", b"is gone", [taken["attachment_id"]])["result"] is False
    )
    assert upload(live, ann, group_id=taken["group_id"])["result"] is True


@pytest.mark.parametrize(
    ("filename", "data", "words"),
    [
        ("run.exe", b"MZ", b"not of a type"),
        ("map.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"not of a type"),
        ("page.html", b"<html>", b"not of a type"),
        ("page.html\0.txt", b"<html>\0", b"promises"),
        ("map.png", b"<html>", b"cannot be read"),
        ("map.png", b"GIF89a" + bytes(100), b"cannot be read"),
        ("note.txt", b"nul\0", b"promises"),
        ("map.pdf", b"PK\x03\x04", b"promises"),
    ],
)
def test_files_that_lie_are_refused(
    live: Live, ann: Member, filename: str, data: bytes, words: bytes
) -> None:
    """A file whose kind is not allowed, or that is not what its name claims, is refused in words."""
    answer = upload(live, ann, filename, data)
    assert answer["result"] is False
    assert words in answer["result_text"]


def test_a_message_carries_ten_uploads_at_most(live: Live, ann: Member) -> None:
    """The eleventh upload of a group is refused."""
    group = upload(live, ann, "0.txt", b"x")["group_id"]
    answers = [upload(live, ann, f"{n}.txt", b"x", group_id=group)["result"] for n in range(1, 11)]
    assert answers == [True] * 9 + [False]


def test_a_file_over_the_limit_is_refused(live: Live, ann: Member) -> None:
    """A file above two mebibytes is refused in words."""
    answer = upload(live, ann, "big.txt", b"x" * (2 * 1024 * 1024 + 1))
    assert answer["result"] is False
    assert b"at most 2097152 bytes" in answer["result_text"]


def test_a_form_over_the_limit_is_refused_unread(live: Live) -> None:
    """A form that says it is far larger than a file may be is refused before any of it is read."""
    connection = HTTPConnection(live.address.removeprefix("http://"))
    connection.putrequest("POST", "/mobiquo/upload.php")
    connection.putheader("Content-Length", str(3 * 1024 * 1024))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize(("length", "status"), [(100, 200), (101, 400)])
def test_a_boundary_has_an_end(live: Live, length: int, status: int) -> None:
    """A boundary longer than one may be is refused: what is made of each is kept for a while."""
    boundary = "b" * length
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    body = f"--{boundary}--\r\n".encode()
    with closing(HTTPConnection(live.address.removeprefix("http://"))) as connection:
        connection.request("POST", "/mobiquo/upload.php", body, kind)
        assert connection.getresponse().status == status


def test_uploading_needs_a_user(live: Live) -> None:
    """Without a credential an upload is answered as every call is."""
    answer = upload(live, None)
    assert answer["result"] is False
    assert answer["error"] == b"Login required"


def test_the_field_may_be_an_array(live: Live, ann: Member) -> None:
    """Clients that call the field attachment[] are understood."""
    assert upload(live, ann, field="attachment[]")["result"] is True


def test_two_files_are_no_file(live: Live, ann: Member) -> None:
    """One upload is one file: several at once are a fault, and none of them is lost without a word."""
    name = 'form-data; name="attachment[]"; filename="a.txt"'
    part = f"--{BOUNDARY}\r\nContent-Disposition: {name}\r\n\r\nx\r\n"
    headers = {
        "Authorization": f"Bearer {ann.token}",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    body = f"{part}{part}--{BOUNDARY}--\r\n".encode()
    with urlopen(Request(f"{live.address}/mobiquo/upload.php", body, headers)) as answer:
        assert b"attachment: expected a file, got array" in answer.read()


def test_an_empty_field_is_no_file(live: Live, ann: Member) -> None:
    """A field in which no file was chosen, as browsers send it beside another, is passed over."""
    empty = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="attachment"; filename=""\r\n\r\n\r\n'
    headers = {
        "Authorization": f"Bearer {ann.token}",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    body = empty.encode() + form({"type": "pm"}, "attachment[]", "map.png", png())
    with urlopen(Request(f"{live.address}/mobiquo/upload.php", body, headers)) as answer:
        assert loads(answer.read())[0][0]["result"] is True


def test_a_slash_behind_a_file_changes_nothing(live: Live) -> None:
    """The address of a file with a slash at its end is the same, for a guest too."""
    assert Client(live.address).get("/attachments/1/map.png/").status == 401


def test_an_upload_without_a_file_names_the_field(live: Live, ann: Member) -> None:
    """A form without a file is a fault that names what is missing."""
    headers = {"Authorization": f"Bearer {ann.token}", "Content-Type": "application/x-www-form-urlencoded"}
    with urlopen(
        Request(f"{live.address}/mobiquo/upload.php", b"method_name=upload_attach", headers)
    ) as answer:
        assert b"-32602" in (body := answer.read())
        assert b"attachment: missing" in body


def sent_picture(live: Live, ann: Member, bob: Member) -> tuple[str, Any]:
    """A conversation with a picture in it, and what its reader is told of the picture."""
    begun = ann.rpc.new_conversation([bob.name], b"Map", b"x", [upload(live, ann)["attachment_id"]])
    [message] = bob.rpc.get_conversation(begun["conv_id"])["list"]
    return begun["conv_id"], message["attachments"][0]


def test_only_readers_of_the_message_may_download(live: Live, ann: Member, bob: Member) -> None:
    """A stranger, and one who has left or hidden the conversation, get what a missing attachment gets."""
    conversation, picture = sent_picture(live, ann, bob)
    missing = get(f"{live.address}/attachments/999999999/map.png", bob)
    assert (get(picture["url"], bob).status, missing.status) == (200, 404)
    assert get(picture["url"], live.member()).body == missing.body
    bob.rpc.delete_conversation(conversation, 1)
    assert get(picture["url"], bob).body == missing.body
    bob.rpc.delete_conversation(conversation, 2)
    assert get(picture["url"], bob).body == missing.body
    assert get(picture["url"]).status == 401


def test_only_the_uploader_sees_a_waiting_upload(live: Live, ann: Member, bob: Member) -> None:
    """What has not been sent is for its uploader alone."""
    url = f"{live.address}/attachments/{upload(live, ann)['attachment_id']}/map.png"
    assert (get(url, ann).status, get(url, bob).status) == (200, 404)


def test_downloads_cannot_become_pages(live: Live, ann: Member, bob: Member) -> None:
    """A picture is shown, all else is for saving, and no browser makes anything else of it."""
    _, picture = sent_picture(live, ann, bob)
    page = get(picture["url"], bob)
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Content-Type"] == "image/png"
    assert "sandbox" in page.headers["Content-Security-Policy"]
    assert page.headers["Content-Disposition"].startswith("inline")
    notes = upload(live, ann, "<b>é.txt", b"<script>")["attachment_id"]
    saved = get(f"{live.address}/attachments/{notes}/x.html", ann)
    assert saved.headers["Content-Type"].startswith("text/plain")
    assert saved.headers["Content-Disposition"].startswith("attachment")


def test_a_thumbnail_is_small(live: Live, ann: Member, bob: Member) -> None:
    """A picture's thumbnail fits into 240 pixels."""
    _, picture = sent_picture(live, ann, bob)
    thumbnail = Image.open(io.BytesIO(get(picture["thumbnail_url"], bob).body))
    assert thumbnail.size == (240, 160)


def test_a_download_is_kept_and_asked_for_again(live: Live, ann: Member, bob: Member) -> None:
    """A browser that has a file is told so, as long as its member may read it; each file has its own mark."""
    _, shown = sent_picture(live, ann, bob)
    reader = Client(live.address, Authorization=f"Bearer {bob.token}")
    stranger = Client(live.address, Authorization=f"Bearer {live.member().token}")
    marks = set()
    for name in ("url", "thumbnail_url"):
        path = shown[name].removeprefix(live.address)
        answer = reader.get(path)
        mark = answer.header("ETag")
        assert answer.header("Cache-Control") == "private, no-cache"
        for verb in ("GET", "HEAD"):
            again = reader.send(verb, path, If_None_Match=mark)
            assert (again.status, again.body, again.header("ETag")) == (304, b"", mark)
        assert reader.send("GET", path, If_None_Match='"another"').body == answer.body
        assert stranger.send("GET", path, If_None_Match=mark).status == 404
        assert Client(live.address).send("GET", path, If_None_Match=mark).status == 401
        marks.add(mark)
    assert len(marks) == 2


def test_files_go_with_the_last_reader(live: Live, ann: Member, bob: Member) -> None:
    """When everybody has left, the conversation's files are erased from the disk."""
    conversation, picture = sent_picture(live, ann, bob)
    with live.store():
        row = Attachment.get_by_id(int(picture["attachment_id"]))
    files = Files(live.folder / "live.files")
    assert files.intact(row.file)
    for member in (ann, bob):
        member.rpc.delete_conversation(conversation, 2)
    assert [files.read(name) for name in row.stored] == [None, None]


def test_an_avatar_is_shown_to_users_and_to_whoever_was_told_its_address(
    live: Live, ann: Member, bob: Member
) -> None:
    """A picture of a user has an address in the answers; without it a stranger gets a blank pixel."""
    with live.store(), database.atomic():
        accounts.set_avatar(Files(live.folder / "live.files"), User.get_by_id(int(ann.id)), png())
    plain = f"{live.address}/mobiquo/avatar.php?user_id={ann.id}"
    told = bob.rpc.get_user_info(ann.name)["icon_url"]
    pictures = [
        get(told),
        get(plain, bob),
        get(plain),
        get(f"{plain}&v=wrong"),
        get(f"{live.address}/mobiquo/avatar.php"),
    ]
    sizes = [Image.open(io.BytesIO(picture.body)).size for picture in pictures]
    assert sizes == [(192, 192), (192, 192), (1, 1), (1, 1), (1, 1)]


def test_the_sweep_takes_what_was_never_sent(live: Live, ann: Member, bob: Member) -> None:
    """Uploads older than a day that no message carries are erased with their files; others stay."""
    kept, _ = upload(live, ann), sent_picture(live, ann, bob)
    old = upload(live, ann)
    files = Files(live.folder / "live.files")
    with live.store():
        aged = Attachment.get_by_id(int(old["attachment_id"]))
        yesterday = now() - datetime.timedelta(days=1, minutes=1)
        Attachment.update(uploaded_at=yesterday).where(Attachment.id == aged.id).execute()
        UploadGroup.update(started_at=yesterday).where(UploadGroup.id == aged.group_id).execute()
        housekeeping.sweep(files)
        assert Attachment.get_or_none(Attachment.id == aged.id) is None
        assert UploadGroup.get_or_none(UploadGroup.id == aged.group_id) is None
        assert Attachment.get_by_id(int(kept["attachment_id"])) is not None
    assert [files.read(name) for name in aged.stored] == [None, None]
