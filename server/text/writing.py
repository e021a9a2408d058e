"""Nodes of BBCode to pieces of output, by the rules of one form.

Writer     nodes to pieces
guard      no piece of text may read as a tag that the form keeps
trim       nothing blank at either end
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from .bbcode import BLANK, KNOWN, Element, Node, any_of

ZERO_WIDTH_SPACE = "\u200b"
BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@dataclass(slots=True)
class Text:
    """What the author wrote as text: nothing in it may read as a tag."""

    content: str


@dataclass(slots=True)
class Kept:
    """BBCode that the form keeps."""

    content: str


@dataclass(slots=True)
class Start:
    """Where an element of markup starts."""

    element: str
    attributes: dict[str | bytes, str | bytes] = field(default_factory=dict)
    content: ClassVar[str] = ""


@dataclass(slots=True)
class End:
    """Where an element of markup ends."""

    element: str
    content: ClassVar[str] = ""


Piece: TypeAlias = Text | Kept | Start | End


class Writer:
    """Writes nodes by the rules of one form; a tag without a rule goes and its content stays."""

    def __init__(self, rules: Rules, *, linked: bool = False) -> None:
        self.pieces: list[Piece] = []
        self.rules = rules
        self.linked = linked

    def write(self, nodes: Iterable[Node]) -> None:
        """Write the nodes one after another."""
        for node in nodes:
            if isinstance(node, str):
                self.pieces.append(Text(node))
            else:
                self.rules.get(node.name, unwrap)(self, node)

    def wrap(self, before: Piece, nodes: Iterable[Node], after: Piece) -> None:
        """Write the nodes between two pieces."""
        self.pieces.append(before)
        self.write(nodes)
        self.pieces.append(after)

    def link(self, nodes: Iterable[Node]) -> list[Piece]:
        """The nodes as the pieces of a link, in which there are no further links."""
        inside = Writer(self.rules, linked=True)
        inside.write(nodes)
        return inside.pieces


Rule: TypeAlias = Callable[[Writer, Element], None]
Rules: TypeAlias = Mapping[str, Rule]


def unwrap(writer: Writer, element: Element) -> None:
    writer.write(element.children)


def drop(writer: Writer, element: Element) -> None:
    """Write nothing at all."""


def space(writer: Writer, element: Element) -> None:
    """Leave a blank, so that the words on both sides stay apart."""
    writer.pieces.append(Text(" "))


def apart(writer: Writer, element: Element) -> None:
    """Write what stands inside, with blanks to keep it apart."""
    writer.wrap(Text(" "), element.children, Text(" "))


def words(element: Element) -> str:
    """The text of an element without any tags, up to what would be too long for an address."""
    found: list[str] = []
    work = 0
    for text in texts_in(element):
        found.append(text)
        # An element without text costs a step too, or nested ones would be walked through again and again.
        work += len(text) or 1
        if work > LONGEST_ADDRESS:
            break
    return "".join(found)


def texts_in(element: Element) -> Iterator[str]:
    for child in element.children:
        if isinstance(child, str):
            yield child
        else:
            yield ""
            yield from texts_in(child)


LONGEST_ADDRESS = 2048
NOT_IN_ADDRESS = re.compile(r"[^\S ]|[\x00-\x1f\x7f-\x9f]")
ADDRESS = re.compile(r"https?://[^\s/\\?#]|mailto:\S|[\w-]++(?:\.[\w-]++)++(?=[/?#]|\Z)", re.IGNORECASE)
SCHEME = re.compile(r"https?:|mailto:", re.IGNORECASE)
ENCODED = str.maketrans({" ": "%20", '"': "%22", "'": "%27", "[": "%5B", "]": "%5D"})
COLOUR = re.compile(r"[a-z]{1,30}|#[0-9a-f]{3}|#[0-9a-f]{6}", re.IGNORECASE | re.ASCII)
HARMLESS = str.maketrans({"[": "(", "]": ")"} | dict.fromkeys(BREAKS, " "))


def _address(value: str) -> str | None:
    """Where a link may lead: to a web page, a host without a scheme, or a mail address."""
    value = value.strip(BLANK)
    if len(value) > LONGEST_ADDRESS or NOT_IN_ADDRESS.search(value) or not ADDRESS.match(value):
        return None
    return value.translate(ENCODED)


def link(writer: Writer, element: Element) -> None:
    value = element.opening.value
    address = None if writer.linked else _address(value or words(element))
    if address:
        writer.pieces += _linked(address, writer.link(element.children), named=bool(value))
    else:
        unwrap(writer, element)


def _linked(address: str, content: list[Piece], *, named: bool) -> list[Piece]:
    """A link with its address named in the tag, or shown in its place; pictures stand without one."""
    if _only_pictures(content):
        return content
    if named:
        return [Kept(f"[url={address}]"), *content, Kept("[/url]")]
    return [Kept(f"[url]{address}[/url]")]


def _only_pictures(pieces: Iterable[Piece]) -> bool:
    """Whether pictures are all there is to see, and there is one."""
    visible = [piece for piece in pieces if piece.content.strip(BLANK)]
    return bool(visible) and all(_is_picture(piece) for piece in visible)


def _is_picture(piece: Piece) -> bool:
    return isinstance(piece, Kept) and piece.content.startswith("[img]")


def picture(writer: Writer, element: Element) -> None:
    if address := _address(words(element)):
        writer.pieces.append(Kept(f"[img]{address}[/img]"))
    else:
        unwrap(writer, element)


def quotation(writer: Writer, element: Element) -> None:
    attributes = element.opening.written[len("[quote") : -len("]")].translate(HARMLESS)
    writer.wrap(Kept(f"[quote{attributes}]"), element.children, Kept("[/quote]"))


def anchor(writer: Writer, element: Element) -> None:
    """A link as markup; of one that leads elsewhere the other side learns nothing of where it stood."""
    address = None if writer.linked else _address(element.opening.value or words(element))
    if address:
        writer.pieces += [Start("a", _leading(address)), *writer.link(element.children), End("a")]
    else:
        unwrap(writer, element)


def picture_anchor(writer: Writer, element: Element) -> None:
    """A picture as a link: to load it would tell another server who reads."""
    address = None if writer.linked else _address(words(element))
    if address:
        writer.pieces += [Start("a", _leading(address)), Text(address), End("a")]
    else:
        unwrap(writer, element)


def _leading(address: str) -> dict[str | bytes, str | bytes]:
    target = address if SCHEME.match(address) else f"https://{address}"
    return {"href": target, "rel": "nofollow noopener noreferrer"}


def block_quotation(writer: Writer, element: Element) -> None:
    """A quote as markup, with the name of whoever is quoted."""
    name = element.opening.value.strip("\"'").split(",")[0]
    writer.pieces.append(Start("blockquote"))
    if name:
        writer.pieces += [Start("cite"), Text(name), End("cite")]
    writer.write(element.children)
    writer.pieces.append(End("blockquote"))


def verbatim(writer: Writer, element: Element) -> None:
    writer.pieces += [Start("code"), Text("".join(texts_in(element))), End("code")]


def markup(writer: Writer, element: Element) -> None:
    writer.wrap(Start(element.name), element.children, End(element.name))


def font(writer: Writer, element: Element) -> None:
    colour = element.opening.value
    if COLOUR.fullmatch(colour):
        writer.wrap(Start("font", {"color": colour}), element.children, End("font"))
    else:
        unwrap(writer, element)


def as_written(writer: Writer, element: Element) -> None:
    writer.wrap(Kept(element.opening.written), element.children, Kept(element.closing.written))


def all_as_written(writer: Writer, element: Element) -> None:
    verbatim = "".join(texts_in(element))
    writer.pieces.append(Kept(element.opening.written + verbatim + element.closing.written))


KEPT_TAG = re.compile(r"\[(?=/?(?:url|quote|img))", re.IGNORECASE)
KNOWN_TAG = re.compile(rf"\[(?=/?{any_of(KNOWN)}[=\]\s])", re.IGNORECASE)
QUOTE_TAG = re.compile(r"\[(?=/?quote)", re.IGNORECASE)
REACH = max(map(len, KNOWN)) + len("/]")  # how far behind a `[` the patterns above look
NEUTRAL = "[" + ZERO_WIDTH_SPACE


def guard(pieces: Sequence[Piece], reserved: re.Pattern[str]) -> None:
    """Neutralise what reads as a reserved tag in text, even if only once the markup is taken away."""
    following = ""
    for piece in reversed(pieces):
        if isinstance(piece, Kept):
            following = ""
        elif isinstance(piece, Text):
            guarded = reserved.sub(NEUTRAL, piece.content + following)
            piece.content = guarded[: len(guarded) - len(following)]
            following = guarded[:REACH]


def trim(pieces: Iterable[Piece], strip: Callable[[str, str], str]) -> None:
    """Strip the text up to the first piece that shows."""
    for piece in pieces:
        if isinstance(piece, Text):
            piece.content = strip(piece.content, BLANK)
        if piece.content:
            return
