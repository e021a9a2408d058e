"""BBCode as a tree.

    tokenize   text to tokens, which joined are the text again
    pairs      which opening belongs to which closing; every other tag is text
    tree       tokens to nested nodes

Every step takes time in proportion to the text's length, whatever the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

LETTERING = {"b", "i", "u", "s", "strike", "sub", "sup", "size", "font", "color", "colour"}
EMPHASIS = {"highlight", "background", "spoiler", "ispoiler", "heading", "h1", "h2", "h3"}
LAYOUT = {"center", "left", "right", "justify", "indent", "table", "tr", "td", "th"}
LISTS = {"list", "ol", "ul", "li"}
OBJECTS = {"quote", "url", "email", "img", "media", "video", "youtube", "attach", "user", "mention"}
VERBATIM = {"code", "pre", "php", "html", "icode", "plain", "noparse"}
VOID = {"*", "hr"}
KNOWN = LETTERING | EMPHASIS | LAYOUT | LISTS | OBJECTS | VERBATIM | VOID
DEPTH = 50  # tags nested deeper are text, which also bounds every recursion below

BLANK = "".join(c for c in map(chr, range(0x3001)) if c.isspace() or unicodedata.category(c) == "Cc")


def any_of(names: Iterable[str]) -> str:
    return "(?:" + "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)) + ")"


# Linear, because nothing is read again after a failed match but for one reason: an attempt passes over
# a `[` inside quotes, and a later attempt starts there. Of the attempts that have come to some place one
# at most is outside of quotes, one in double quotes and one in single ones, since every quotation mark
# moves all of them (or ends them) and none onto another: so no character is read more than three times.
TAG = re.compile(
    rf"""
    \[ (?:
        / (?P<closed> {any_of(KNOWN)} )
      | (?P<opened> {any_of(KNOWN)} )
        (?: = (?P<value> "[^"]*+" | '[^']*+' | [^"'\[\]\n][^\[\]\n]*+ )?+ )?+
        (?: [ \t]++ [^\s=\[\]"']++ (?: = (?: "[^"]*+" | '[^']*+' | [^\s\[\]"']*+ ) )?+ )*+
        [ \t]*+
    ) \]
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
CLOSING = {name: re.compile(rf"\[/{name}\]", re.IGNORECASE | re.ASCII) for name in VERBATIM}


class Token(NamedTuple):
    """A run of text, or one known tag as it was written; text has no name."""

    written: str
    name: str = ""
    value: str = ""
    closing: bool = False


NOTHING = Token("")


class Endings:
    """Where verbatim text ends."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._absent: set[str] = set()  # a closing that was not found once is not searched for again

    def after(self, name: str, position: int) -> int:
        """Where the next closing of `name` begins, or `position` itself when there is none."""
        if name in self._absent:
            return position
        if found := CLOSING[name].search(self._text, position):
            return found.start()
        self._absent.add(name)
        return position


def tokenize(text: str) -> Iterator[Token]:
    """The tokens of a text: joined, they are the text again."""
    position, endings = 0, Endings(text)
    while found := TAG.search(text, position):
        yield from _run(text[position : found.start()])
        yield (tag := _tag(found))
        position = found.end()
        if tag.name in VERBATIM and not tag.closing:
            end = endings.after(tag.name, position)
            yield from _run(text[position:end])
            position = end
    yield from _run(text[position:])


def _run(text: str) -> Iterator[Token]:
    if text:
        yield Token(text)


def _tag(found: re.Match[str]) -> Token:
    if closed := found["closed"]:
        return Token(found[0], closed.lower(), closing=True)
    return Token(found[0], found["opened"].lower(), _unquoted(found["value"] or ""))


def _unquoted(value: str) -> str:
    return value[1:-1] if value.startswith(('"', "'")) else value.strip(BLANK)


class OpenTags:
    """The openings that wait for their closing, the innermost last."""

    def __init__(self) -> None:
        self._stack: list[tuple[str, int]] = []
        self._count: Counter[str] = Counter()  # spares a lone closing the search through the stack

    def push(self, name: str, index: int) -> None:
        """Let an opening wait."""
        self._stack.append((name, index))
        self._count[name] += 1

    def pop(self, name: str) -> int | None:
        """The latest opening of `name`; those that were opened after it are given up."""
        if not self._count[name]:
            return None
        while True:
            opened, index = self._stack.pop()
            self._count[opened] -= 1
            if opened == name:
                return index


def pairs(tokens: Sequence[Token]) -> dict[int, int]:
    """The index of each opening that has a closing, with the index of that closing."""
    paired: dict[int, int] = {}
    waiting = OpenTags()
    for index, token in enumerate(tokens):
        if not token.name or token.name in VOID:
            continue
        if not token.closing:
            waiting.push(token.name, index)
        elif (opening := waiting.pop(token.name)) is not None:
            paired[opening] = index
    return paired


@dataclass(slots=True)
class Element:
    """A tag, its closing and what stands between them; a void tag has only itself."""

    opening: Token
    closing: Token = NOTHING
    children: list[Node] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the tag, in lower case."""
        return self.opening.name


Node: TypeAlias = str | Element


def tree(text: str) -> list[Node]:
    """The text as nested nodes; a tag without its partner, or nested too deep, is text."""
    tokens = list(tokenize(text))
    paired = pairs(tokens)
    path = [(Element(NOTHING), len(tokens))]
    for index, token in enumerate(tokens):
        parent, end = path[-1]
        if index == end:
            path.pop()
        elif index in paired and len(path) <= DEPTH:
            element = Element(token, tokens[paired[index]])
            parent.children.append(element)
            path.append((element, paired[index]))
        else:
            parent.children.append(Element(token) if token.name in VOID else token.written)
    root, _ = path[0]
    return root.children
