"""The reference, read off the declarations: for a page, and written out as Markdown."""

import itertools
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from .declare import Method, Param
from .types import FILE, Array, Codec, Keyed, OrFalse, Struct

CODE = "    "
# A value of a type, where nothing else is said.
BY_TYPE = {"int": 1, "boolean": True, "array": []}
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


class Examples(NamedTuple):
    """What examples are made of: the name of the *client* that calls, and *values* by the parameters' names.

    Where a name means something else to one method its value stands under the method's name, a dot, and the
    parameter's. *form*: the line of shell that posts {fields}.
    """

    client: str
    values: Mapping[str, Any]
    form: str = ""

    def value(self, method: Method, param: Param) -> Any:
        by_type = BY_TYPE.get(param.codec.name, param.name)
        return self.values.get(f"{method.name}.{param.name}", self.values.get(param.name, by_type))

    def shown(self, method: Method) -> Sequence[Param]:
        """What the method requires, or else the first of what it takes, as far as there are values."""
        required = [param for param in method.params if param.required]
        optional = itertools.takewhile(lambda param: param.name in self.values, method.params)
        return required or list(optional)

    def line(self, method: Method) -> str:
        """A call of the method that can be pasted."""
        values = {param.name: self.value(method, param) for param in self.shown(method)}
        if any(param.codec is FILE for param in method.params):
            fields = {"method_name": method.name, **values}
            return self.form.format(fields=" ".join(f"-F {name}={value}" for name, value in fields.items()))
        return f"{self.client}.{method.name}({', '.join(map(literal, values.values()))})"


def literal(value: Any) -> str:
    """A value in Python, with the quotes that people write."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(key)}: {literal(each)}' for key, each in value.items())}}}"
    return repr(value)


NO_EXAMPLES = Examples("server", MappingProxyType({}))


class Section(NamedTuple):
    """A face in the reference: what there is to know *about* it before its methods.

    Paragraphs have an empty line between them, and one that is indented by four is code.
    """

    title: str
    about: str
    methods: Iterable[Method | Entry]
    examples: Examples = NO_EXAMPLES

    def entries(self) -> Iterator[Entry]:
        return (each if isinstance(each, Entry) else of_method(each, self.examples) for each in self.methods)


def of_method(method: Method, examples: Examples) -> Entry:
    """What there is to tell of a method that is called over XML-RPC."""
    rows = [(p.name, p.codec.name, "yes" if p.required else "no", p.doc) for p in method.params]
    told = [*method.told, f"Answer: {shape(method.returns)}."]
    return Entry(method.name, call(method), method.doc, HEADS, rows, told, examples.line(method))


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
