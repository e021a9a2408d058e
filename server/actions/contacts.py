"""Phone books: who is in them, and whose calls and texts are not wanted."""

import unicodedata
import urllib.parse

from peewee import IntegrityError

from models import BlockedNumber, Contact, User, clean, database, digits_of, one_line

from ..errors import BadInput, Conflict, NotFound
from . import parties

MOST_CONTACTS = 500
SEVERAL_LINES = ("notes", "image")
# The longest of each, in characters; an address is as long as browsers take it.
LONGEST = {"number": 64, "firstname": 64, "lastname": 64, "notes": 1000, "image": 2000}


def add(owner: User, number: str, firstname: str, lastname: str, notes: str = "", image: str = "") -> Contact:
    """Put a number into the owner's phone book."""
    if Contact.select().where(Contact.owner == owner).count() >= MOST_CONTACTS:
        raise Conflict(f"A phone book has at most {MOST_CONTACTS} contacts.")
    contact = Contact(owner=owner)
    names = {"firstname": firstname, "lastname": lastname}
    fill(contact, {"number": number, **names, "notes": notes, "image": image})
    save(contact)
    return contact


def fill(contact: Contact, values: dict[str, str]) -> None:
    """Give the contact these values, if they are what they have to be."""
    for key, value in values.items():
        kept = (clean if key in SEVERAL_LINES else one_line)(value).strip()
        if len(kept) > LONGEST[key]:
            raise BadInput(f"The {key} may have at most {LONGEST[key]} characters.")
        setattr(contact, key, kept)
    if "number" in values:
        contact.key = other_key(contact.owner, contact.number)
        if not digits_of(contact.number):
            raise BadInput("A phone number needs digits.")
    if contact.image and not is_web_address(contact.image):
        raise BadInput("The image has to be an http or https address.")


def other_key(owner: User, number: str) -> str:
    """The form in which a number is compared, which must not be the owner's."""
    other = parties.named(number)
    if other.user is not None and other.user.id == owner.id:
        raise BadInput("This is the player's own number.")
    return other.key


def is_web_address(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return False
    # What stands for a character that could not be kept belongs into no address either.
    shows = not any(c.isspace() or c == "\ufffd" or unicodedata.category(c)[0] == "C" for c in text)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and shows


def save(contact: Contact) -> None:
    """Store a contact, whose number must not be in the phone book yet."""
    try:
        with database.atomic():
            contact.save()
    except IntegrityError:
        raise Conflict("That number is among the contacts already.") from None


def find(contact_id: int) -> Contact:
    contact: Contact | None = Contact.select(Contact, User).join(User).where(Contact.id == contact_id).first()
    if contact is None:
        raise NotFound("There is no such contact.")
    return contact


def change(contact: Contact, values: dict[str, str], favorite: bool | None) -> None:
    """Change what is given and leave the rest as it is."""
    fill(contact, values)
    if favorite is not None:
        contact.favorite = favorite
    save(contact)


def delete(contact_id: int) -> None:
    if not Contact.delete().where(Contact.id == contact_id).execute():
        raise NotFound("There is no such contact.")


def set_blocked(owner: User, number: str, blocked: bool) -> None:
    """Let *owner* get neither calls nor texts from this number from now on, or get them again."""
    key = other_key(owner, number)
    if blocked:
        BlockedNumber.insert(owner=owner, key=key).on_conflict_ignore().execute()
    else:
        BlockedNumber.delete().where(BlockedNumber.owner == owner, BlockedNumber.key == key).execute()


def blocked_by(owner: User) -> set[str]:
    """All that *owner* blocks, in the form in which numbers are compared."""
    return {each.key for each in BlockedNumber.select().where(BlockedNumber.owner == owner)}
