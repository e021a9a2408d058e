"""Message text in each form that a client may ask for; stored is what the author sent, after cleaning."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from models import clean
from models.search import words_of

from .bbcode import BLANK, KNOWN, VERBATIM, tree
from .writing import (
    HARMLESS,
    KEPT_TAG,
    KNOWN_TAG,
    NEUTRAL,
    QUOTE_TAG,
    End,
    Piece,
    Rules,
    Start,
    Writer,
    all_as_written,
    anchor,
    apart,
    as_written,
    block_quotation,
    drop,
    font,
    guard,
    link,
    markup,
    picture,
    picture_anchor,
    quotation,
    space,
    trim,
    verbatim,
)

# lxml is imported where markup is built: a process that has shown none is some five megabytes smaller.
if TYPE_CHECKING:
    from lxml import etree

__all__ = ["excerpt", "html", "is_blank", "page", "plain", "preview", "quote", "subset", "unmarked"]

ELLIPSIS = "…"

# What can have words in it; which they are is said where messages are searched.
RUN = re.compile(r"[^\W_]+")
NOTHING = re.compile(r"(?!)")
PLAIN: Rules = {}
PREVIEW: Rules = {"quote": space}
QUOTES_TOO: Rules = {"quote": apart}
SUBSET: Rules = {"url": link, "img": picture, "quote": quotation}
HTML: Rules = {**SUBSET, "b": markup, "i": markup, "u": markup, "color": font, "colour": font}
PAGE: Rules = {
    **dict.fromkeys(("b", "i", "u", "s"), markup),
    **dict.fromkeys(("code", "pre", "icode"), verbatim),
    "url": anchor,
    "img": picture_anchor,
    "quote": block_quotation,
}
QUOTED: Rules = {
    **dict.fromkeys(KNOWN, as_written),
    **dict.fromkeys(VERBATIM, all_as_written),
    "quote": drop,
}


def _pieces(text: str, rules: Rules, reserved: re.Pattern[str]) -> list[Piece]:
    writer = Writer(rules)
    writer.write(tree(text))
    guard(writer.pieces, reserved)
    trim(writer.pieces, str.lstrip)
    trim(reversed(writer.pieces), str.rstrip)
    return writer.pieces


def _shown(text: str, rules: Rules, reserved: re.Pattern[str] = KEPT_TAG) -> str:
    if "[" not in text:
        return text.strip(BLANK)
    return "".join(piece.content for piece in _pieces(text, rules, reserved))


def plain(text: str) -> str:
    """The text without its BBCode, trimmed."""
    return _shown(text, PLAIN)


def unmarked(text: str) -> str:
    """The same for readers who know no BBCode at all, so that what looks like a tag needs no guard."""
    return _shown(text, PLAIN, NOTHING)


def is_blank(text: str) -> bool:
    """Whether there is nothing to see of the text once its tags are gone."""
    return all(c.isspace() or unicodedata.category(c) == "Cf" for c in plain(text))


def preview(text: str, limit: int = 200) -> str:
    """One line of at most `limit` characters of what the author says, without the quotes.

    A message that is nothing but quotes is shown with them.
    """
    line = _line(_shown(text, PREVIEW)) or _line(_shown(text, PLAIN))
    return line if len(line) <= limit else line[: limit - len(ELLIPSIS)].rstrip() + ELLIPSIS


def _line(text: str) -> str:
    return " ".join(text.split())


def excerpt(text: str, words: Collection[str], limit: int = 200) -> list[tuple[str, bool]]:
    """One line of about `limit` characters around the first of the *words*: its parts, and which are words.

    Quotes are left out as in a preview, unless a word stands nowhere else. Where it stands in what is not
    shown at all, as in a tag or the address of a link, it is a preview.
    """
    for rules in (PREVIEW, QUOTES_TOO):
        line = _line(_shown(text, rules))
        first = next(_places(line, words), None)
        if first is not None:
            place, around = first.start(), limit // 2
            start = line.find(" ", place - around, place) + 1 or place if place > around else 0
            return list(_parts(line, words, start, start + limit))
    return [(preview(text, limit), False)]


def _places(line: str, words: Collection[str], start: int = 0) -> Iterator[re.Match[str]]:
    """Where the words stand, as a search understands them."""
    runs = RUN.finditer(line, start)
    return (found for found in runs if not set(words_of(found[0])).isdisjoint(words))


def _parts(line: str, words: Collection[str], start: int, end: int) -> Iterator[tuple[str, bool]]:
    yield ELLIPSIS if start else "", False
    place = start
    for found in _places(line, words, start):
        if found.start() >= end:
            break
        yield line[place : found.start()], False
        place = min(found.end(), end)
        yield line[found.start() : place], True
    yield line[place:end] + (ELLIPSIS if end < len(line) else ""), False


def subset(text: str) -> str:
    """The text with no BBCode but `[url]`, `[img]` and `[quote]`, all of it balanced."""
    return _shown(text, SUBSET)


def html(text: str) -> str:
    """The text as `subset` gives it, but with markup for line breaks, bold, italics, underline, colour."""
    return _serialised(_built(_pieces(clean(text), HTML, KEPT_TAG)))


def page(text: str) -> str:
    """The text as all markup, for a browser: links, quotes and code too, and nothing that loads by itself."""
    from lxml import etree

    written = etree.tostring(_built(_pieces(clean(text), PAGE, NOTHING)), method="html", encoding="unicode")
    return written[len("<div>") : -len("</div>")]


def _built(pieces: list[Piece]) -> etree._Element:
    from lxml import etree

    builder = etree.TreeBuilder()
    builder.start("div", {})
    for piece in pieces:
        _build(builder, piece)
    builder.end("div")
    return builder.close()


def _build(builder: etree.TreeBuilder, piece: Piece) -> None:
    match piece:
        case Start(element, attributes):
            builder.start(element, attributes)
        case End(element):
            builder.end(element)
        case _:
            _build_lines(builder, piece.content)


def _build_lines(builder: etree.TreeBuilder, content: str) -> None:
    first, *others = content.split("\n")
    builder.data(first)
    for line in others:
        builder.start("br", {})
        builder.end("br")
        builder.data(line)


def _serialised(root: etree._Element) -> str:
    """What stands inside the root, as clients expect it: `<b></b>` but `<br />`."""
    from lxml import etree

    for element in root.iter("div", "b", "i", "u", "font"):
        element.text = element.text or ""
    written = etree.tostring(root, encoding="unicode")
    return written[len("<div>") : -len("</div>")].replace("<br/>", "<br />")


IN_NAME = HARMLESS | {ord('"'): "'"}


def quote(text: str, author: str, message_id: int, user_id: int) -> str:
    """The beginning of a reply: the message as a quote, without the quotes inside it.

    Tags of the message that are text are neutralised, or one could pair with a tag of the reply.
    """
    # Values and verbatim text are kept as written, but may not read as the end of this quote either.
    quoted = QUOTE_TAG.sub(NEUTRAL, _shown(text, QUOTED, KNOWN_TAG))
    name = author.translate(IN_NAME)
    return f'[quote="{name}, convMessage: {message_id}, member: {user_id}"]{quoted}[/quote]\n'
