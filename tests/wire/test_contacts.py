"""Phone books: contacts are added, listed, changed and deleted, and numbers are blocked."""

from collections.abc import Iterator
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import pytest
from conftest import Live, Player

from models import Contact, database

BAD_PARAMS = -32602
MOST = 500
CONTACT = {
    "id": int,
    "number": str,
    "contactNumber": str,
    "name": str,
    "firstname": str,
    "lastname": str,
    "notes": str,
    "image": str,
    "isBlocked": bool,
    "favorite": bool,
}
IMAGE = "https://example.com/avatar.jpg"
NUMBER, OTHER_NUMBER = "444-0001", "444-0002"
NOBODY = {"Src": 2**31 - 1, "Number": "000-000"}
LARGEST_ID = 2**31 - 1
both_ways = pytest.mark.parametrize("way", ["Src", "Number"])


def call(script: Any, stem: str, way: str, who: Player, *values: Any) -> Any:
    """What the method with this stem answers for a player, who is named in this way."""
    name = who.src if way == "Src" else who.number
    return getattr(script, f"PhoneApp_{stem}By{way}")(name, *values)


def add(script: Any, owner: Player, number: str = NUMBER, first: str = "", last: str = "", *rest: Any) -> Any:
    """A new contact of the owner's."""
    answer = call(script, "AddContact", "Src", owner, number, first, last, *rest)
    assert answer["success"] is True
    return answer["contact"]


def book(script: Any, owner: Player) -> list[Any]:
    """All of the owner's contacts."""
    contacts: list[Any] = script.PhoneApp_FetchContactsBySrc(owner.src)
    return contacts


def is_no(answer: Any) -> bool:
    """Whether it is a refusal with a text, and nothing else."""
    return answer["success"] is False and bool(answer["message"]) and answer.keys() == {"success", "message"}


def fill(live: Live, owner: Player, number: int) -> None:
    """Put so many contacts into the owner's phone book."""
    numbers = [str(4_000_000 + place) for place in range(number)]
    rows = [{"owner": int(owner.id), "number": each, "key": each} for each in numbers]
    with live.store(), database.atomic():
        Contact.insert_many(rows).execute()


@pytest.fixture
def script(live: Live) -> Any:
    """A script of the game server's."""
    return live.script()


@pytest.fixture
def script_with_nil(live: Live) -> Iterator[Any]:
    """A script that writes None as nil."""
    headers = [("Authorization", f"Bearer {live.key()}")]
    with ServerProxy(f"{live.address}/mobiquo/mobiquo.php", headers=headers, allow_none=True) as script:
        yield script


@pytest.fixture
def owner(live: Live) -> Player:
    """Whose phone book it is."""
    return live.player("owner")


@both_ways
def test_the_answer_to_adding_is_the_contact(script: Any, owner: Player, way: str) -> None:
    """Adding gives the contact with all that was told of it, and the owner's number."""
    answer = call(script, "AddContact", way, owner, NUMBER, "John", "Doe", "Best Mechanic", IMAGE)
    assert answer.keys() == {"success", "contact"}
    assert answer["contact"] == {
        "id": answer["contact"]["id"],
        "number": owner.number,
        "contactNumber": NUMBER,
        "name": "John Doe",
        "firstname": "John",
        "lastname": "Doe",
        "notes": "Best Mechanic",
        "image": IMAGE,
        "isBlocked": False,
        "favorite": False,
    }


@both_ways
def test_a_contact_has_the_documented_members(script: Any, owner: Player, way: str) -> None:
    """A listed contact has exactly the members of the documented struct, with their types."""
    add(script, owner)
    [contact] = call(script, "FetchContacts", way, owner)
    assert {key: type(value) for key, value in contact.items()} == CONTACT


@pytest.mark.parametrize("text", ["Zoe\u0301", " Zoe ", "one\ntwo"], ids=ascii)
def test_what_is_answered_is_what_is_kept(script: Any, owner: Player, text: str) -> None:
    """The contact in the answer to adding and changing is the one that is listed, also of unusual text."""
    added = add(script, owner, NUMBER, text, text, text)
    assert book(script, owner) == [added]
    changed = script.PhoneApp_UpdateContact(added["id"], {"lastname": "", "notes": f"{text}{text}"})
    assert book(script, owner) == [changed["contact"]]


@both_ways
def test_nobody_has_no_contacts(script: Any, way: str) -> None:
    """The contacts of nobody are an empty list."""
    assert getattr(script, f"PhoneApp_FetchContactsBy{way}")(NOBODY[way]) == []


@both_ways
def test_nobody_gets_no_contact(script: Any, way: str) -> None:
    """A contact for nobody is a no with a text."""
    assert is_no(getattr(script, f"PhoneApp_AddContactBy{way}")(NOBODY[way], NUMBER, "", ""))


def test_a_phone_book_is_its_owner_s(live: Live, script: Any, owner: Player) -> None:
    """A contact is listed for its owner and for nobody else, not for whom it is about either."""
    other = live.player()
    contact = add(script, owner, other.number)
    assert book(script, owner) == [contact]
    assert book(script, other) == []


def test_a_phone_book_stays_without_a_source(script: Any, owner: Player) -> None:
    """The contacts of a player who has disconnected are listed by his number."""
    contact = add(script, owner)
    script.Players_Disconnect(owner.src)
    assert script.PhoneApp_FetchContactsByNumber(owner.number) == [contact]
    assert script.PhoneApp_FetchContactsBySrc(owner.src) == []


def test_the_order_is_favourites_first_then_by_name(script: Any, owner: Player) -> None:
    """Favourites come first, then all others, each by name without regard to case."""
    people = [("zoe", True), ("Bob", False), ("adam", False), ("Carl", True), ("", False)]
    for place, (name, favorite) in enumerate(people):
        contact = add(script, owner, f"444-{place}", name)
        assert script.PhoneApp_SetFavorite(contact["id"], favorite) is True
    names = [contact["name"] for contact in book(script, owner)]
    assert names == ["Carl", "zoe", "444-4", "adam", "Bob"]


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        ("John", "Doe", "John Doe"),
        ("John", "", "John"),
        ("", "Doe", "Doe"),
        (" John ", " Doe ", "John Doe"),
        ("", "", NUMBER),
        (" ", " ", NUMBER),
    ],
)
def test_a_name_is_first_and_last(script: Any, owner: Player, first: str, last: str, name: str) -> None:
    """The name is both names with one blank, trimmed; without any it is the contact's number."""
    assert add(script, owner, NUMBER, first, last)["name"] == name


@pytest.mark.parametrize("rest", [[], [""], ["", ""], [None], [None, None], ["", None], [None, ""]], ids=str)
def test_notes_and_image_may_be_left_out(script_with_nil: Any, owner: Player, rest: list[Any]) -> None:
    """Notes and image that are left out, empty or nil are empty strings."""
    contact = add(script_with_nil, owner, NUMBER, "John", "Doe", *rest)
    assert (contact["notes"], contact["image"]) == ("", "")


@pytest.mark.parametrize("notes", ["", None])
def test_an_image_needs_no_notes(script_with_nil: Any, owner: Player, notes: str | None) -> None:
    """Notes may be left out in the middle, as an empty string or nil."""
    contact = add(script_with_nil, owner, NUMBER, "", "", notes, IMAGE)
    assert (contact["notes"], contact["image"]) == ("", IMAGE)


@pytest.mark.parametrize("number", ["", "   ", "none", "+()-"])
def test_a_contact_s_number_has_digits(script: Any, owner: Player, number: str) -> None:
    """A number without digits is refused with a text."""
    assert is_no(script.PhoneApp_AddContactBySrc(owner.src, number, "John", "Doe"))
    assert book(script, owner) == []


@pytest.mark.parametrize("form", ["{}", "({})", "+{}"])
def test_nobody_is_his_own_contact(script: Any, owner: Player, form: str) -> None:
    """The owner's own number, however it is written, is refused with a text."""
    assert is_no(script.PhoneApp_AddContactBySrc(owner.src, form.format(owner.number), "", ""))


@pytest.mark.parametrize("number", [NUMBER, "4440001", "444 0001", "(444) 0001", 4440001])
def test_a_number_is_there_once(script: Any, owner: Player, number: str | int) -> None:
    """A number that is among the contacts already, however it is written, is refused with a text."""
    contact = add(script, owner, NUMBER)
    assert is_no(script.PhoneApp_AddContactBySrc(owner.src, number, "Another", ""))
    assert book(script, owner) == [contact]


def test_a_number_may_be_an_integer(script: Any, owner: Player) -> None:
    """The number of a contact is taken as an int, and given as a string."""
    assert (
        script.PhoneApp_AddContactBySrc(owner.src, 4440001, "", "")["contact"]["contactNumber"] == "4440001"
    )


def test_a_number_is_in_many_phone_books(live: Live, script: Any, owner: Player) -> None:
    """Two players may each have a contact with one number."""
    other = live.player()
    assert add(script, owner, NUMBER)["id"] != add(script, other, NUMBER)["id"]


def test_a_phone_book_has_an_end(live: Live, script: Any, owner: Player) -> None:
    """The 500th contact is the last; the next one is refused with a text, until there is room again."""
    fill(live, owner, MOST - 1)
    last = add(script, owner, NUMBER)
    assert is_no(script.PhoneApp_AddContactBySrc(owner.src, OTHER_NUMBER, "", ""))
    script.PhoneApp_DeleteContact(last["id"])
    assert add(script, owner, OTHER_NUMBER)


def test_a_full_phone_book_can_be_changed(live: Live, script: Any, owner: Player) -> None:
    """Whoever has all 500 contacts may still list and change them."""
    fill(live, owner, MOST)
    contacts = book(script, owner)
    assert len(contacts) == MOST
    changed = script.PhoneApp_UpdateContact(contacts[-1]["id"], {"firstname": "Changed"})
    assert changed["contact"]["name"] == "Changed"


@pytest.mark.parametrize("image", [IMAGE, "http://example.com/a.png", "HTTPS://EXAMPLE.COM/a.png?b=c"])
def test_an_image_is_an_address(script: Any, owner: Player, image: str) -> None:
    """An http or https address is kept as it is given."""
    assert add(script, owner, NUMBER, "", "", "", image)["image"] == image


@pytest.mark.parametrize(
    "image",
    [
        "avatar.jpg",
        "//example.com/a.png",
        "ftp://example.com/a.png",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "file:///etc/passwd",
        "https:",
        "https://",
        "http://[",
        "https://example.com/a b.png",
    ],
)
def test_an_image_is_nothing_else(script: Any, owner: Player, image: str) -> None:
    """An image that is no http or https address is refused with a text."""
    assert is_no(script.PhoneApp_AddContactBySrc(owner.src, NUMBER, "", "", "", image))
    assert book(script, owner) == []


def test_a_contact_is_deleted_once(script: Any, owner: Player) -> None:
    """A deleted contact is gone; to delete it again is false."""
    contact, other = add(script, owner), add(script, owner, OTHER_NUMBER)
    assert [script.PhoneApp_DeleteContact(contact["id"]) for _ in range(2)] == [True, False]
    assert book(script, owner) == [other]


def test_a_contact_s_id_may_be_a_string(script: Any, owner: Player) -> None:
    """Ids are accepted as numeric strings too."""
    contact = add(script, owner)
    assert script.PhoneApp_SetFavorite(str(contact["id"]), True) is True
    assert script.PhoneApp_DeleteContact(str(contact["id"])) is True


@pytest.mark.parametrize("contact_id", [0, -1, LARGEST_ID])
def test_there_is_no_such_contact(script: Any, contact_id: int) -> None:
    """To delete, mark or change a contact that is not there is a no in the shape of the answer."""
    assert script.PhoneApp_DeleteContact(contact_id) is False
    assert script.PhoneApp_SetFavorite(contact_id, True) is False
    assert is_no(script.PhoneApp_UpdateContact(contact_id, {"firstname": "John"}))


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "John Doe"),
        ({"firstname": "Jane"}, "Jane Doe"),
        ({"lastname": "Roe"}, "John Roe"),
        ({"lastname": ""}, "John"),
        ({"firstname": "", "lastname": ""}, NUMBER),
        ({"firstname": "", "lastname": "", "contactNumber": OTHER_NUMBER}, OTHER_NUMBER),
        ({"notes": ""}, "John Doe"),
        ({"image": ""}, "John Doe"),
        ({"notes": "Other", "image": "http://example.com/b.png"}, "John Doe"),
        ({"favorite": True}, "John Doe"),
        ({"contactNumber": "(444) 0001"}, "John Doe"),
    ],
    ids=str,
)
def test_a_contact_is_changed_in_part(script: Any, owner: Player, fields: dict[str, Any], name: str) -> None:
    """Any of the fields can be changed, and what is not given stays."""
    contact = add(script, owner, NUMBER, "John", "Doe", "Best Mechanic", IMAGE)
    changed = {**contact, **fields, "name": name}
    answer = script.PhoneApp_UpdateContact(contact["id"], fields)
    assert answer == {"success": True, "contact": changed}
    assert book(script, owner) == [changed]


@pytest.mark.parametrize(
    "fields",
    [
        {"contactNumber": ""},
        {"contactNumber": "none"},
        {"contactNumber": "4440002"},
        {"image": "avatar.jpg"},
        {"firstname": "Jane", "image": "ftp://example.com/a.png"},
        {"firstname": "Jane", "contactNumber": OTHER_NUMBER},
    ],
    ids=str,
)
def test_a_change_obeys_the_rules_of_adding(script: Any, owner: Player, fields: dict[str, Any]) -> None:
    """What could not be added is refused with a text, and nothing is changed."""
    contact, other = add(script, owner, NUMBER, "John"), add(script, owner, OTHER_NUMBER, "Zoe")
    assert is_no(script.PhoneApp_UpdateContact(contact["id"], fields))
    assert book(script, owner) == [contact, other]


def test_a_contact_does_not_become_its_owner(script: Any, owner: Player) -> None:
    """To change a contact's number into the owner's own is refused with a text."""
    contact = add(script, owner)
    assert is_no(script.PhoneApp_UpdateContact(contact["id"], {"contactNumber": owner.number}))


@pytest.mark.parametrize(
    "fields",
    [
        {"nickname": "Jo"},
        {"isBlocked": "maybe"},
        {"favorite": "maybe"},
        {"firstname": []},
        "firstname",
    ],
    ids=str,
)
def test_a_change_has_known_members(script: Any, owner: Player, fields: Any) -> None:
    """An unknown member, or one of another type, is the fault -32602, and nothing is changed."""
    contact = add(script, owner, NUMBER, "John")
    with pytest.raises(Fault) as caught:
        script.PhoneApp_UpdateContact(contact["id"], fields)
    assert caught.value.faultCode == BAD_PARAMS
    assert book(script, owner) == [contact]


@pytest.mark.parametrize("marks", [[True], [True, True], [True, False], [False]], ids=str)
def test_a_favourite_is_marked(script: Any, owner: Player, marks: list[bool]) -> None:
    """A contact is a favourite as it was said last; to say it twice changes nothing."""
    contact = add(script, owner)
    assert all(script.PhoneApp_SetFavorite(contact["id"], mark) is True for mark in marks)
    assert book(script, owner) == [{**contact, "favorite": marks[-1]}]


def test_a_mark_needs_no_other_number(script: Any, owner: Player) -> None:
    """A contact whose number has become its owner's own can still be marked."""
    number = f"9{owner.number}"
    contact = add(script, owner, number)
    assert script.Players_Connect(owner.src, owner.identifier, number, owner.name)["success"] is True
    assert script.PhoneApp_SetFavorite(contact["id"], True) is True


@both_ways
@pytest.mark.parametrize("marks", [[True], [True, True], [True, False], [False]], ids=str)
def test_a_contact_is_blocked_by_number(script: Any, owner: Player, way: str, marks: list[bool]) -> None:
    """A contact is blocked as it was said last of its number; to say it twice changes nothing."""
    contact, other = add(script, owner), add(script, owner, OTHER_NUMBER)
    assert all(call(script, "SetBlocked", way, owner, NUMBER, mark) is True for mark in marks)
    assert book(script, owner) == [{**contact, "isBlocked": marks[-1]}, other]


@pytest.mark.parametrize("number", ["4440001", "(444) 0001", 4440001])
def test_blocking_matches_on_digits(script: Any, owner: Player, number: str | int) -> None:
    """A blocked number is one by its digits, however it is written."""
    add(script, owner)
    script.PhoneApp_SetBlockedBySrc(owner.src, number, True)
    assert [contact["isBlocked"] for contact in book(script, owner)] == [True]


def test_a_stranger_may_be_blocked(script: Any, owner: Player) -> None:
    """A number may be blocked that is not among the contacts; added later, it is shown as blocked."""
    script.PhoneApp_SetBlockedBySrc(owner.src, NUMBER, True)
    assert book(script, owner) == []
    assert add(script, owner)["isBlocked"] is True


def test_blocking_follows_the_number(script: Any, owner: Player) -> None:
    """A contact that gets a number which is blocked is shown as blocked."""
    contact = add(script, owner)
    script.PhoneApp_SetBlockedBySrc(owner.src, OTHER_NUMBER, True)
    changed = script.PhoneApp_UpdateContact(contact["id"], {"contactNumber": OTHER_NUMBER})
    assert changed["contact"]["isBlocked"] is True


def test_blocking_outlives_the_contact(script: Any, owner: Player) -> None:
    """A blocked number stays blocked when its contact is deleted and added again."""
    contact = add(script, owner)
    script.PhoneApp_SetBlockedBySrc(owner.src, NUMBER, True)
    script.PhoneApp_DeleteContact(contact["id"])
    assert add(script, owner)["isBlocked"] is True


def test_one_s_block_is_not_another_s(live: Live, script: Any, owner: Player) -> None:
    """A number is blocked for the player who wants it so, and for nobody else."""
    other = live.player()
    script.PhoneApp_SetBlockedBySrc(owner.src, NUMBER, True)
    assert add(script, other)["isBlocked"] is False


def test_nothing_cannot_be_blocked(script: Any, owner: Player) -> None:
    """Without a number or a name nothing is blocked."""
    assert script.PhoneApp_SetBlockedBySrc(owner.src, "", True) is False


def test_a_name_can_be_blocked(script: Any, owner: Player) -> None:
    """Who sends under a name without a number is blocked by that name, in any case."""
    assert script.PhoneApp_SetBlockedBySrc(owner.src, "Taxi 24", True) is True
    assert script.Messages_SendMessageToSrc(owner.src, "hello", "TAXI 24")["success"] is False
    assert script.Messages_SendMessageToSrc(owner.src, "hello", "24")["success"] is True


def test_a_contact_can_be_sent_back(script: Any, owner: Player) -> None:
    """A contact as it was given changes nothing; what is changed in it counts, blocking too."""
    contact = add(script, owner, NUMBER, "John")
    assert script.PhoneApp_UpdateContact(contact["id"], contact)["contact"] == contact
    changed = contact | {"isBlocked": True, "notes": "loud"}
    assert script.PhoneApp_UpdateContact(contact["id"], changed)["contact"] == changed


@both_ways
@pytest.mark.parametrize("blocked", [True, False])
def test_nobody_blocks_nobody(script: Any, way: str, blocked: bool) -> None:
    """To block a number for nobody is false."""
    assert getattr(script, f"PhoneApp_SetBlockedBy{way}")(NOBODY[way], NUMBER, blocked) is False


def test_a_block_is_a_boolean(script: Any, owner: Player) -> None:
    """Whether to block is a boolean; another text is the fault -32602."""
    with pytest.raises(Fault) as caught:
        script.PhoneApp_SetBlockedBySrc(owner.src, NUMBER, "maybe")
    assert caught.value.faultCode == BAD_PARAMS
