"""A store, and files, on a disk that is full again and again.

By hand: DISK_ROUNDS=10 python -m pytest tests/faults/test_full_disk.py -n 0 -s --timeout 0
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from xmlrpc.client import Fault, loads

import engines
import pytest
from conftest import Live
from disks import Disk, small_disk
from fleet import Connection, Person, Refused, Room, acknowledged, assert_kept, crowd

ROUNDS = int(os.environ.get("DISK_ROUNDS", "2"))
DISK = 8 * 2**20
FILE = b"x" * 1_000_000
UPLOAD = b'--x\r\nContent-Disposition: form-data; name="attachment"; filename="a.txt"\r\n\r\n%s\r\n--x--\r\n'


class OnSmallDisk:
    """A server of which some lies on a small disk, with three who speak."""

    def __init__(self, stack: ExitStack, folder: Path, database: str, files: Path, disk: Disk) -> None:
        self.disk, self.files = disk, files
        self.live = Live(folder, "--limits", "off", "--files", str(files), database=database)
        stack.callback(self.live.stop)
        self.room = Room(self.live, 3)
        self.people = stack.enter_context(crowd(self.room, self.live.address))

    def upload(self) -> str:
        """The id of a new file, or a fault."""
        person = self.people[0]
        with closing(
            Connection(self.live.address, Authorization=f"Bearer {person.player.token}")
        ) as connection:
            kind = "multipart/form-data; boundary=x"
            _, answer = connection.ask("POST", "/mobiquo/upload.php", UPLOAD % FILE, kind)
        [made], _ = loads(answer)
        assert made["result"], made
        return str(made["attachment_id"])

    def upload_until_full(self) -> None:
        for _ in range(100):
            self.upload()

    def sound(self) -> None:
        assert_kept(self.live, self.room, self.people)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    with small_disk(tmp_path_factory.mktemp("small"), DISK) as made:
        yield made


@pytest.fixture(scope="module")
def full_store(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnSmallDisk]:
    """An embedded store on a small disk, and its files on a large one."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("files")
        database = f"sqlite:///{disk.folder}/live.db"
        yield OnSmallDisk(stack, folder, database, folder / "files", disk)


@pytest.fixture(scope="module")
def full_files(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnSmallDisk]:
    """A store on a large disk, and its files on a small one."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("store")
        database = engines.chosen().place(folder, "live")
        yield OnSmallDisk(stack, folder, database, disk.folder / "files", disk)


@pytest.fixture(autouse=True)
def has_room_again(disk: Disk) -> Iterator[None]:
    yield
    disk.free()


def write_until_full(person: Person) -> Refused:
    """The refusal that comes when not even the room that the store has kept is left."""
    for number in range(1000):
        body = f"{person.player.name} {len(person.tried)}: {'x' * 9000}"
        person.tried.append(body)
        try:
            person.acknowledged[body] = (person.by_forum, person.by_chat, person.by_phone)[number % 3](body)
        except Refused as refusal:
            return refusal
    raise AssertionError("the disk was never full")


def test_a_full_disk(full_store: OnSmallDisk) -> None:
    """On a full disk every door refuses to send, naming the cause, and reads; room makes all well at once."""
    ann, bob, carol = full_store.people
    for _ in range(ROUNDS):
        full_store.disk.fill()
        assert write_until_full(ann).code == 503
        before = acknowledged([ann])
        for door in (bob.by_forum, bob.by_chat, bob.by_phone):
            bob.tried.append("never")
            with pytest.raises(Refused, match=r"503.*full"):
                door("never")
        newest = [each.all_by_chat()[-1] for each in (bob, carol)]
        assert newest[0] == newest[1] == carol.all_by_forum()[-1]
        [listed] = carol.own.call("get_conversations")["list"]
        assert listed["total_message_num"] == len(carol.all_by_phone())
        full_store.disk.free()
        for each in full_store.people:
            each.speak()
        assert [each.failed for each in full_store.people] == [[]] * 3
        full_store.sound()
        assert acknowledged([ann]) == before + 1
    print(f"{ROUNDS} times full, {acknowledged(full_store.people)} messages acknowledged, none lost")


def test_no_upload_into_a_full_store(full_store: OnSmallDisk) -> None:
    """Where the store is full an upload is refused with the cause, and later it works."""
    full_store.disk.fill()
    write_until_full(full_store.people[0])
    with pytest.raises(Fault, match="full") as refused:
        full_store.upload_until_full()
    assert refused.value.faultCode == 503
    full_store.disk.free()
    assert full_store.upload()
    full_store.sound()


def test_a_full_folder_of_files(full_files: OnSmallDisk) -> None:
    """Where the files have no room uploads are refused with the cause and leave nothing; the rest goes on."""
    for _ in range(ROUNDS):
        full_files.disk.fill()
        before = sorted(full_files.files.glob("*"))
        with pytest.raises(Fault, match="full") as refused:
            full_files.upload()
        assert refused.value.faultCode == 503
        assert sorted(full_files.files.glob("*")) == before
        for each in full_files.people:
            each.speak()
        assert [each.failed for each in full_files.people] == [[]] * 3
        full_files.disk.free()
        upload = full_files.upload()
        removed = full_files.people[0].own.call("remove_attachment", upload)
        assert removed["result"], removed
        full_files.sound()
