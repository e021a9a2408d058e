"""The reference, read off the declarations: for a page, and written out as Markdown."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .declare import Method
from .types import Array, Codec, Keyed, OrFalse, Struct

CODE = "    "
HEADS = ("parameter", "type", "required", "meaning")


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


class Block(NamedTuple):
    """A paragraph, or some lines of code."""

    text: str
    is_code: bool


def blocks(text: str) -> list[Block]:
    """What a text is made of: paragraphs have an empty line between them, code is indented by four."""
    found = text.split("\n\n") if text else []
    return [Block(textwrap.dedent(each), each.startswith(CODE)) for each in found]


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
