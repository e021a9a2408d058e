"""Whole small programs for those who write clients; the files stand beside this one, and run as they are."""

from importlib import resources
from typing import NamedTuple

LANGUAGES = {"py": "Python", "php": "PHP", "lua": "Lua", "js": "JavaScript", "sh": "Shell and curl"}


class Program(NamedTuple):
    """One file: its name, the language in which it is written, and its text."""

    name: str
    language: str
    text: str


class Recipe(NamedTuple):
    """Something that somebody wants: a *title*, *words* about how it goes, and programs that do it."""

    title: str
    words: str
    names: tuple[str, ...]

    @property
    def programs(self) -> list[Program]:
        return [program(name) for name in self.names]


def program(name: str) -> Program:
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    return Program(name, LANGUAGES[name.rpartition(".")[2]], text)


RECIPES = (
    Recipe(
        "Read what is unread",
        "Conversations of every app stand in one list, with the number of what is new in each. Opening "
        "one at the forum door moves the read mark; at the chat door that is a call of its own. The "
        "forum door answers text as base64, which most libraries turn into bytes by themselves.",
        ("unread.py", "unread.php", "unread.lua", "unread.js", "unread.sh"),
    ),
    Recipe(
        "Send something once",
        "Who gets no answer cannot know whether the message is there. Under an Idempotency-Key of its "
        "own it may be sent again for a day: it is there once, and the answer is the first one. The "
        "members' programs take the id of a conversation; the one in Lua is a game server's, and takes "
        "a number.",
        ("send_once.py", "send_once.php", "send_once.lua", "send_once.js", "send_once.sh"),
    ),
    Recipe(
        "A game server's day",
        "With a server key, which switchboard key add prints: players connect with their server id, "
        "identifier, number and name; what they do with their phones is a call each; in the end they "
        "disconnect. What was said is in the forum app of those who are members.",
        ("game_day.lua", "game_day.py"),
    ),
    Recipe(
        "Chat on a website",
        "A name and password get a token. A request asks a member for a chat, and one message can go "
        "with it; he accepts it by answering. Events tell of it at once, whatever door he uses.",
        ("website_chat.js", "website_chat.py", "website_chat.php"),
    ),
    Recipe(
        "Send a picture",
        "An upload is answered with an id and the group in which it is; a message names both, and "
        "carries it.",
        ("picture.sh",),
    ),
)
