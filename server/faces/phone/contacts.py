"""Phone books: fetched, added to, changed; numbers blocked and favourites marked."""

from typing import NotRequired, TypedDict

from models import Contact, User

from ...actions import contacts
from ...wire.types import Key
from .door import Outcome, face, for_player


class PhoneContact(TypedDict):
    id: int
    number: str
    contactNumber: str
    name: str
    firstname: str
    lastname: str
    notes: str
    image: str
    isBlocked: bool
    favorite: bool


# What a contact's members are called in the store.
COLUMNS = {
    "contactNumber": "number",
    "firstname": "firstname",
    "lastname": "lastname",
    "notes": "notes",
    "image": "image",
}


class OneContact(Outcome):
    contact: NotRequired[PhoneContact]


class Fields(TypedDict, total=False):
    """A contact as it was given, with what is to be changed; the first three are passed over."""

    id: int
    number: str
    name: str
    contactNumber: str
    firstname: str
    lastname: str
    notes: str
    image: str
    isBlocked: bool
    favorite: bool


@for_player("PhoneApp_FetchContactsBy", "read")
def fetch_contacts(player: User) -> list[PhoneContact]:
    """List a player's contacts, the favourites first, then by name.

    :param player: whose phone book
    """
    blocked = contacts.blocked_by(player)
    found = Contact.select().where(Contact.owner == player)
    shown = [phone_contact(player, contact, blocked) for contact in found]
    return sorted(shown, key=lambda each: (not each["favorite"], each["name"].casefold(), each["id"]))


@for_player("PhoneApp_AddContactBy", once=True)
def add_contact(
    player: User, contact_number: str, firstname: str, lastname: str, notes: str = "", image: str = ""
) -> OneContact:
    """Put a number into a player's phone book, whether anybody has that number or not.

    :param player: whose phone book
    :param contact_number: the number to add, which must not be his own or among his contacts already
    :param firstname: the contact's first name, which may be empty; at most 64 characters
    :param lastname: the contact's last name, which may be empty; at most 64 characters
    :param notes: what the player wants to remember, in at most 1000 characters
    :param image: the http or https address of a picture, of at most 2000 characters
    """
    return told(player, contacts.add(player, contact_number, firstname, lastname, notes, image))


@face.method("PhoneApp_DeleteContact")
def delete_contact(contact_id: Key) -> bool:
    """Take a contact out of the phone book for good; false where there is none.

    :param contact_id: the contact
    """
    contacts.delete(contact_id)
    return True


@face.method("PhoneApp_UpdateContact")
def update_contact(contact_id: Key, fields: Fields) -> OneContact:
    """Change what is given of a contact, by the rules for adding one.

    :param contact_id: the contact
    :param fields: a struct of any of contactNumber, firstname, lastname, notes, image, isBlocked, favorite
    """
    contact = contacts.find(contact_id)
    given = dict(fields)
    values = {column: str(given[key]) for key, column in COLUMNS.items() if key in given}
    contacts.change(contact, values, fields.get("favorite"))
    if "isBlocked" in fields:
        contacts.set_blocked(contact.owner, contact.number, fields["isBlocked"])
    return told(contact.owner, contact)


@for_player("PhoneApp_SetBlockedBy")
def set_blocked(player: User, contact_number: str, blocked: bool) -> bool:
    """Block a number, so that a player gets no calls and texts from it, or stop blocking it.

    :param player: who wants his peace
    :param contact_number: the number, among his contacts or not
    :param blocked: true blocks, false stops blocking
    """
    contacts.set_blocked(player, contact_number, blocked)
    return True


@face.method("PhoneApp_SetFavorite")
def set_favorite(contact_id: Key, favorite: bool) -> bool:
    """Mark a contact as a favourite, or no longer; false where there is none.

    :param contact_id: the contact
    :param favorite: true marks, false takes the mark away
    """
    contacts.change(contacts.find(contact_id), {}, favorite)
    return True


def told(owner: User, contact: Contact) -> OneContact:
    return {"success": True, "contact": phone_contact(owner, contact, contacts.blocked_by(owner))}


def phone_contact(owner: User, contact: Contact, blocked: set[str]) -> PhoneContact:
    return {
        "id": contact.id,
        "number": owner.number or "",
        "contactNumber": contact.number,
        "name": contact.name,
        "firstname": contact.firstname,
        "lastname": contact.lastname,
        "notes": contact.notes,
        "image": contact.image,
        "isBlocked": contact.key in blocked,
        "favorite": contact.favorite,
    }
