"""The reference, written out from the declarations: as Markdown, and as a page for people."""

import textwrap
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from lxml import html
from lxml.builder import ElementMaker

from .declare import Method
from .types import Array, Codec, Keyed, OrFalse, Struct

E: Any = ElementMaker(makeelement=html.html_parser.makeelement)

CODE = "    "
HEADS = ("parameter", "type", "required", "meaning")
STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem;
       color: #1c2430; background: #fff; }
code, pre { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; }
h3 { margin: 2rem 0 .25rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #ccd3dd; padding: .25rem .75rem .25rem 0; text-align: left;
         vertical-align: top; }
@media (prefers-color-scheme: dark) { body { color: #e4e8ee; background: #14181f; } a { color: #8ab8ff; }
  th, td { border-color: #39424f; } }
"""
# By which a page's policy lets this style in and no other.
STYLE_DIGEST = f"sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}"


class Entry(NamedTuple):
    """One thing that the reference tells of: its words, a table of *rows* under *heads*, more to say, an
    *example* in code. The first column of the table is code too.
    """

    anchor: str
    call: str
    doc: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    told: Sequence[str] = ()
    example: str = ""


class Section(NamedTuple):
    """A face in the reference: what there is to know *about* it before its methods.

    Paragraphs have an empty line between them, and one that is indented by four is code.
    """

    title: str
    about: str
    methods: Iterable[Method | Entry]

    def entries(self) -> Iterator[Entry]:
        return (each if isinstance(each, Entry) else of_method(each) for each in self.methods)


def of_method(method: Method) -> Entry:
    """What there is to tell of a method that is called over XML-RPC."""
    rows = [(p.name, p.codec.name, "yes" if p.required else "no", p.doc) for p in method.params]
    told = [*method.told, f"Answer: {shape(method.returns)}."]
    return Entry(method.name, call(method), method.doc, HEADS, rows, told)


def markdown(sections: Iterable[Section]) -> str:
    """One section a face, one entry a method."""
    return "\n".join(line for section in sections for line in markdown_section(section))


def markdown_section(section: Section) -> Iterator[str]:
    yield f"## {section.title}\n"
    yield f"{section.about}\n"
    for entry in section.entries():
        yield from markdown_entry(entry)


def markdown_entry(entry: Entry) -> Iterator[str]:
    yield f"### {entry.call}\n"
    if entry.doc:
        yield f"{entry.doc}\n"
    if entry.rows:
        yield f"| {' | '.join(entry.heads)} |\n|{' --- |' * len(entry.heads)}"
        for first, *rest in entry.rows:
            yield f"| {' | '.join([f'`{first}`', *rest])} |"
        yield ""
    yield from (f"{told}\n" for told in entry.told)
    if entry.example:
        yield f"{CODE}{entry.example}\n"


def page(title: str, sections: Iterable[Section]) -> bytes:
    """The same as a page that needs nothing from elsewhere and runs nothing."""
    parts = [part for section in sections for part in page_section(section)]
    document = E.html(
        E.head(
            E.meta(charset="utf-8"),
            E.meta(name="viewport", content="width=device-width, initial-scale=1"),
            E.title(title),
            E.style(STYLE),
        ),
        E.body(E.h1(title), *parts),
        lang="en",
    )
    return bytes(html.tostring(document, doctype="<!DOCTYPE html>", encoding="utf-8"))


def page_section(section: Section) -> Iterator[Any]:
    yield E.h2(section.title)
    yield from paragraphs(section.about)
    for entry in section.entries():
        yield from page_entry(entry)


def page_entry(entry: Entry) -> Iterator[Any]:
    yield E.h3(E.code(entry.call), id=entry.anchor)
    yield from paragraphs(entry.doc) if entry.doc else ()
    if entry.rows:
        yield E.table(E.tr(*(E.th(head) for head in entry.heads)), *(page_row(row) for row in entry.rows))
    yield from (E.p(told) for told in entry.told)
    if entry.example:
        yield E.pre(entry.example)


def paragraphs(text: str) -> Iterator[Any]:
    for block in text.split("\n\n"):
        is_code = block.startswith(CODE)
        yield E.pre(textwrap.dedent(block)) if is_code else E.p(block)


def page_row(row: tuple[str, ...]) -> Any:
    first, *rest = row
    return E.tr(E.td(E.code(first)), *(E.td(each) for each in rest))


def call(method: Method) -> str:
    """How a call of the method looks, optional parameters in brackets."""
    required = ", ".join(p.name for p in method.params if p.required)
    optional = ", ".join(p.name for p in method.params if not p.required)
    joint = ", " if required and optional else ""
    return f"{method.name}({required}{f'[{joint}{optional}]' if optional else ''})"


def shape(codec: Codec) -> str:
    """A type in words, with all that it is made of."""
    if isinstance(codec, Array):
        return f"array of {shape(codec.item)}"
    if isinstance(codec, Keyed):
        return f"struct of {shape(codec.item)} by {codec.key.name}"
    if isinstance(codec, OrFalse):
        return f"{shape(codec.item)}, or false"
    if isinstance(codec, Struct):
        members = (f"{name} {shape(member)}" for name, member in codec.members.items())
        return f"struct ({', '.join(members)})"
    return codec.name
