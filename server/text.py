"""Message text: BBCode cleaned for storage, and shown in each form that a client may ask for.

A message is stored as its author sent it and read anew whenever it is shown:

    tokenize   text to tokens, which joined are the text again
    pairs      which opening belongs to which closing; every other tag is text
    tree       tokens to nested nodes
    Writer     nodes to pieces of output, by the rules of one form
    guard      no piece of text may read as a tag that the form keeps

Every step takes time in proportion to the text's length, whatever the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, TypeAlias

from lxml import etree

__all__ = ["clean", "html", "plain", "preview", "quote", "subset"]

LETTERING = {"b", "i", "u", "s", "strike", "sub", "sup", "size", "font", "color", "colour"}
EMPHASIS = {"highlight", "background", "spoiler", "ispoiler", "heading", "h1", "h2", "h3"}
LAYOUT = {"center", "left", "right", "justify", "indent", "table", "tr", "td", "th"}
LISTS = {"list", "ol", "ul", "li"}
OBJECTS = {"quote", "url", "email", "img", "media", "video", "youtube", "attach", "user", "mention"}
VERBATIM = {"code", "pre", "php", "html", "icode", "plain", "noparse"}
VOID = {"*", "hr"}
KNOWN = LETTERING | EMPHASIS | LAYOUT | LISTS | OBJECTS | VERBATIM | VOID
DEPTH = 50  # tags nested deeper are text, which also bounds every recursion below

ZERO_WIDTH_SPACE = "\u200b"
ELLIPSIS = "…"
BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
BLANK = "".join(c for c in map(chr, range(0x3001)) if c.isspace() or unicodedata.category(c) == "Cc")


# --- Cleaning ---------------------------------------------------------------------------------------

NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
MARKS = "".join(
    c for c in map(chr, range(0x300, 0x20000)) if unicodedata.combining(unicodedata.normalize("NFD", c)[0])
)
LONG_RUN_OF_MARKS = re.compile(f"[{MARKS}]{{32,}}")


def clean(text: str) -> str:
    """The text as it is stored: NFC, lines ended by a newline, and only what XML can carry."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = NOT_XML.sub("\ufffd", text)
    return text if text.isascii() else unicodedata.normalize("NFC", LONG_RUN_OF_MARKS.sub(_in_order, text))


def _in_order(run: re.Match[str]) -> str:
    """The combining marks of a run in canonical order."""
    # `normalize` orders them by insertion, in quadratic time unless they are in order already.
    marks = "".join(unicodedata.normalize("NFD", mark) for mark in run[0])
    return "".join(sorted(marks, key=unicodedata.combining))


# --- Text to tokens ---------------------------------------------------------------------------------


def _any_of(names: Iterable[str]) -> str:
    return "(?:" + "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)) + ")"


# Linear, because nothing is read again after a failed match but for one reason: an attempt passes over
# a `[` inside quotes, and a later attempt starts there. Of the attempts that have come to some place one
# at most is outside of quotes, one in double quotes and one in single ones, since every quotation mark
# moves all of them (or ends them) and none onto another: so no character is read more than three times.
TAG = re.compile(
    rf"""
    \[ (?:
        / (?P<closed> {_any_of(KNOWN)} )
      | (?P<opened> {_any_of(KNOWN)} )
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


# --- Tokens to a tree -------------------------------------------------------------------------------


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


# --- A tree to pieces of output ---------------------------------------------------------------------


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
                self.rules.get(node.name, _unwrap)(self, node)

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


def _unwrap(writer: Writer, element: Element) -> None:
    writer.write(element.children)


def _drop(writer: Writer, element: Element) -> None:
    """Write nothing at all."""


def _space(writer: Writer, element: Element) -> None:
    """Leave a blank, so that the words on both sides stay apart."""
    writer.pieces.append(Text(" "))


def _words(element: Element) -> str:
    """The text of an element without any tags."""
    writer = Writer({})
    writer.write(element.children)
    return "".join(piece.content for piece in writer.pieces)


# --- Links, pictures, quotes and markup -------------------------------------------------------------

NOT_IN_ADDRESS = re.compile(r"[^\S ]|[\x00-\x1f\x7f-\x9f]")
ADDRESS = re.compile(r"https?://[^\s/\\?#]|mailto:\S|[\w-]++(?:\.[\w-]++)++(?=[/?#]|\Z)", re.IGNORECASE)
ENCODED = str.maketrans({" ": "%20", '"': "%22", "'": "%27", "[": "%5B", "]": "%5D"})
COLOUR = re.compile(r"[a-z]{1,30}|#[0-9a-f]{3}|#[0-9a-f]{6}", re.IGNORECASE | re.ASCII)
HARMLESS = str.maketrans({"[": "(", "]": ")"} | dict.fromkeys(BREAKS, " "))


def _address(value: str) -> str | None:
    """Where a link may lead: to a web page, a host without a scheme, or a mail address."""
    value = value.strip(BLANK)
    if NOT_IN_ADDRESS.search(value) or not ADDRESS.match(value):
        return None
    return value.translate(ENCODED)


def _link(writer: Writer, element: Element) -> None:
    value = element.opening.value
    address = None if writer.linked else _address(value or _words(element))
    if address:
        writer.pieces += _linked(address, writer.link(element.children), named=bool(value))
    else:
        _unwrap(writer, element)


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


def _picture(writer: Writer, element: Element) -> None:
    if address := _address(_words(element)):
        writer.pieces.append(Kept(f"[img]{address}[/img]"))
    else:
        _unwrap(writer, element)


def _quotation(writer: Writer, element: Element) -> None:
    attributes = element.opening.written[len("[quote") : -len("]")].translate(HARMLESS)
    writer.wrap(Kept(f"[quote{attributes}]"), element.children, Kept("[/quote]"))


def _markup(writer: Writer, element: Element) -> None:
    writer.wrap(Start(element.name), element.children, End(element.name))


def _font(writer: Writer, element: Element) -> None:
    colour = element.opening.value
    if COLOUR.fullmatch(colour):
        writer.wrap(Start("font", {"color": colour}), element.children, End("font"))
    else:
        _unwrap(writer, element)


def _as_written(writer: Writer, element: Element) -> None:
    writer.wrap(Kept(element.opening.written), element.children, Kept(element.closing.written))


def _all_as_written(writer: Writer, element: Element) -> None:
    writer.pieces.append(Kept(element.opening.written + _words(element) + element.closing.written))


# --- Guarding and trimming --------------------------------------------------------------------------

KEPT_TAG = re.compile(r"\[(?=/?(?:url|quote|img))", re.IGNORECASE)
KNOWN_TAG = re.compile(rf"\[(?=/?{_any_of(KNOWN)}[=\]\s])", re.IGNORECASE)
QUOTE_TAG = re.compile(r"\[(?=/?quote)", re.IGNORECASE)
REACH = max(map(len, KNOWN)) + len("/]")  # how far behind a `[` the patterns above look
NEUTRAL = "[" + ZERO_WIDTH_SPACE


def _guard(pieces: Sequence[Piece], reserved: re.Pattern[str]) -> None:
    """Neutralise what reads as a reserved tag in text, even if only once the markup is taken away."""
    following = ""
    for piece in reversed(pieces):
        if isinstance(piece, Kept):
            following = ""
        elif isinstance(piece, Text):
            guarded = reserved.sub(NEUTRAL, piece.content + following)
            piece.content = guarded[: len(guarded) - len(following)]
            following = guarded[:REACH]


def _trim(pieces: Iterable[Piece], strip: Callable[[str, str], str]) -> None:
    """Strip the text up to the first piece that shows."""
    for piece in pieces:
        if isinstance(piece, Text):
            piece.content = strip(piece.content, BLANK)
        if piece.content:
            return


# --- The forms --------------------------------------------------------------------------------------

PLAIN: Rules = {}
PREVIEW: Rules = {"quote": _space}
SUBSET: Rules = {"url": _link, "img": _picture, "quote": _quotation}
HTML: Rules = {**SUBSET, "b": _markup, "i": _markup, "u": _markup, "color": _font, "colour": _font}
QUOTED: Rules = {
    **dict.fromkeys(KNOWN, _as_written),
    **dict.fromkeys(VERBATIM, _all_as_written),
    "quote": _drop,
}


def _pieces(text: str, rules: Rules, reserved: re.Pattern[str]) -> list[Piece]:
    writer = Writer(rules)
    writer.write(tree(text))
    _guard(writer.pieces, reserved)
    _trim(writer.pieces, str.lstrip)
    _trim(reversed(writer.pieces), str.rstrip)
    return writer.pieces


def _shown(text: str, rules: Rules, reserved: re.Pattern[str] = KEPT_TAG) -> str:
    return "".join(piece.content for piece in _pieces(text, rules, reserved))


def plain(text: str) -> str:
    """The text without its BBCode, trimmed."""
    return _shown(text, PLAIN)


def preview(text: str, limit: int = 200) -> str:
    """One line of at most `limit` characters of what the author says, without the quotes.

    A message that is nothing but quotes is shown with them.
    """
    line = _line(_shown(text, PREVIEW)) or _line(_shown(text, PLAIN))
    return line if len(line) <= limit else line[: limit - len(ELLIPSIS)].rstrip() + ELLIPSIS


def _line(text: str) -> str:
    return " ".join(text.split())


def subset(text: str) -> str:
    """The text with no BBCode but `[url]`, `[img]` and `[quote]`, all of it balanced."""
    return _shown(text, SUBSET)


def html(text: str) -> str:
    """The text as `subset` gives it, but with markup for line breaks, bold, italics, underline, colour."""
    builder = etree.TreeBuilder()
    builder.start("div", {})
    for piece in _pieces(clean(text), HTML, KEPT_TAG):
        _build(builder, piece)
    builder.end("div")
    return _serialised(builder.close())


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
