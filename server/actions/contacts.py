"""Phone books: who is in them, and whose calls and texts are not wanted."""

import urllib.parse

from peewee import IntegrityError

from models import BlockedNumber, Contact, User, clean, database, digits_of

from ..errors import BadInput, Conflict, NotFound

MOST_CONTACTS = 500
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
        kept = clean(value).strip()
        if len(kept) > LONGEST[key]:
            raise BadInput(f"The {key} may have at most {LONGEST[key]} characters.")
        setattr(contact, key, kept)
    if "number" in values:
        contact.digits = other_number(contact.owner, contact.number)
    if contact.image and not is_web_address(contact.image):
        raise BadInput("The image has to be an http or https address.")


def other_number(owner: User, number: str) -> str:
    """The digits of a number that is not the owner's."""
    digits = digits_of(number)
    if not digits or digits == owner.digits:
        raise BadInput("A phone number needs digits, and has to be somebody else's.")
    return digits


def is_web_address(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not any(map(str.isspace, text))


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


def block(owner: User, number: str) -> None:
    """From now on *owner* gets neither calls nor texts from this number."""
    digits = other_number(owner, number)
    BlockedNumber.insert(owner=owner, digits=digits).on_conflict_ignore().execute()


def unblock(owner: User, number: str) -> None:
    digits = other_number(owner, number)
    BlockedNumber.delete().where(BlockedNumber.owner == owner, BlockedNumber.digits == digits).execute()


def blocked_by(owner: User) -> set[str]:
    """The digits of all numbers that *owner* blocks."""
    return {each.digits for each in BlockedNumber.select().where(BlockedNumber.owner == owner)}
