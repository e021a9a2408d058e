"""A small cast and a few conversations, so that a new server can be tried at once."""

import io
import secrets
from dataclasses import dataclass, field

from models import User, transact

from .actions import (
    access,
    accounts,
    attachments,
    calls,
    chats,
    contacts,
    conversations,
    messages,
    parties,
    players,
    requests,
    rooms,
    texts,
)
from .config import Settings
from .files import Files
from .passwords import Passwords

PEOPLE = {"ann": "#c8553d", "bob": "#2f6690", "carol": "#588157", "dave": "#7b5ea7"}
ADMINISTRATOR = "ann"
MAP_SIZE = (480, 320)


@dataclass
class Cast:
    """What a person needs to try the server: shown once, stored nowhere in this form."""

    passwords: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    server_key: str = ""


def fill(settings: Settings, files: Files) -> Cast | None:
    """Fill an empty store; None where it is not empty, which is then left as it is."""
    return None if User.select().exists() else transact(lambda: made(settings, files), writes=True)


def made(settings: Settings, files: Files) -> Cast | None:
    """The cast, unless another server has filled the store at this moment."""
    if User.select().exists():
        return None
    cast, passwords = Cast(), Passwords(1)
    people = {name: add_person(cast, passwords, files, name, place) for place, name in enumerate(PEOPLE, 1)}
    accounts.edit_user(people[ADMINISTRATOR], is_admin=True)
    cast.server_key = accounts.add_key("demo")
    talk(settings, files, people)
    play(settings, people)
    chat(settings, people)
    return cast


def add_person(cast: Cast, passwords: Passwords, files: Files, name: str, place: int) -> User:
    cast.passwords[name] = secrets.token_urlsafe(9)
    cast.numbers[name] = f"555-010{place}"
    user = accounts.add_user(
        passwords, name, cast.passwords[name], name.capitalize(), cast.numbers[name], f"license:demo-{name}"
    )
    accounts.set_avatar(files, user, picture((192, 192), PEOPLE[name]))
    cast.tokens[name] = accounts.add_token(user, "demo")
    return user


def picture(size: tuple[int, int], colour: str) -> bytes:
    """A PNG with a circle on a plain ground."""
    from PIL import Image, ImageDraw

    image, out = Image.new("RGB", size, colour), io.BytesIO()
    width, height = size
    ImageDraw.Draw(image).ellipse((width // 4, height // 4, width * 3 // 4, height * 3 // 4), fill="#f2efe9")
    image.save(out, "PNG")
    return out.getvalue()


def talk(settings: Settings, files: Files, people: dict[str, User]) -> None:
    ann, bob, carol, dave = people.values()
    stored = attachments.store(settings, files, "map.png", picture(MAP_SIZE, "#8ab17d"))
    upload = attachments.add(settings, ann, stored, "")
    race = conversations.start(
        settings,
        ann,
        [bob, carol],
        "Race on Saturday",
        "We meet at [b]nine[/b] by the pier. The way is on the map.",
        [upload],
    )
    say(settings, bob, race.id, "I bring the truck.")
    say(settings, carol, race.id, "[quote]We meet at nine by the pier.[/quote]Can we make it ten?")
    spare = conversations.start(
        settings, dave, [ann], "Spare tyres", "Four of them, hardly used. Want them?", []
    )
    say(settings, ann, spare.id, "Two would do.")
    conversations.start(settings, bob, [dave], "The heist", "Not here. Call me.", [])


def say(settings: Settings, user: User, conversation_id: int, body: str) -> None:
    messages.reply(settings, user, access.conversation(user, conversation_id), body, [])


def play(settings: Settings, people: dict[str, User]) -> None:
    """What the phone in the game shows: who is there, a room, a phone book, a text, a call."""
    ann, bob, carol, _ = people.values()
    wanted = [
        players.Wanted.of(src, user.identifier or "", user.number or "", user.display_name)
        for src, user in enumerate(people.values(), 1)
    ]
    players.sync("demo", wanted)
    room = rooms.create(bob, "Night shift", "NIGHT24")
    rooms.join(room, ann)
    rooms.join(room, carol)
    say(settings, bob, room.id, "The warehouse, at two. Lights off.")
    contacts.add(ann, bob.number or "", "Bob", "", "Has a truck")
    contacts.add(ann, "555-0199", "Tyre", "Service")
    contacts.add(bob, ann.number or "", "Ann", "")
    texts.send(settings, ann, parties.named("Tyre Service"), "Your tyres are here.")
    texts.send(settings, ann, parties.of(bob), "On my way.")
    calls.start(settings, bob.number or "", ann.number or "", "phone")
    calls.accept(parties.of(ann))
    calls.end(parties.of(bob))


def chat(settings: Settings, people: dict[str, User]) -> None:
    """What the website shows: a chat of two, and a request that waits."""
    _, bob, carol, dave = people.values()
    talk_of_two, _ = requests.request(settings, carol, dave)
    chats.accept(dave, talk_of_two)
    say(settings, carol, talk_of_two.id, "Did you find your keys?")
    requests.request(settings, dave, bob)
