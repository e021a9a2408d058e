"""What holds of every message text, however it is made up."""

import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from models import clean
from server import text
from server.text.bbcode import KNOWN, tokenize

KEPT = ["quote", "url", "img"]
ADDRESSES = ["https://a.example/x", "www.a.example", "javascript:x", "//a.example", "a b", '"', "["]
VALUES = ["", "=", "=x", '="x"', "='[x]'", '="', "='", " a=b", '="\n"', "=#abc", "=red"]


def tags(names: list[str]) -> st.SearchStrategy[str]:
    """Openings and closings of some names, whole and broken."""
    name = st.sampled_from(names).flatmap(lambda name: st.sampled_from([name, name.upper()]))
    value = st.sampled_from(VALUES + [f"={address}" for address in ADDRESSES])
    return st.one_of(
        st.builds("[{}{}]".format, name, value),
        st.builds("[/{}]".format, name),
        st.builds("[{}".format, name),
    )


def texts(names: list[str], words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts of tags and words, some of which are well nested."""
    address = st.sampled_from(ADDRESSES)
    fragments = st.one_of(tags(names), address, words)
    nested = st.recursive(
        fragments,
        lambda inner: st.builds(
            lambda name, content: f"[{name}]{''.join(content)}[/{name}]",
            st.sampled_from([*names, "url=https://a.example", "quote='x'"]),
            st.lists(inner, max_size=4),
        ),
        max_leaves=12,
    )
    return st.lists(nested, max_size=8).map("".join)


ANY_CHARACTER = st.text(st.characters(exclude_categories=()), max_size=8)
SCRAPS = st.sampled_from(
    ["[", "]", "/", "url", "quo", "te]", "b", '"', "'", "=", " ", "\n", "\t", "[*]", "&"]
)
ANY_TEXT = texts(sorted(KNOWN) + KEPT * 6 + ["b", "code", "foo"], st.one_of(SCRAPS, ANY_CHARACTER))
ONLY_KEPT = texts(KEPT, st.one_of(st.sampled_from(["[", "]", "x", "[EU]", " ", "\n"]), ANY_CHARACTER))


def shown_tags(shown: str) -> list[str]:
    """The kept tags of a text in their order, each of which must be whole and have its partner."""
    seen: list[str] = []
    opened: list[str] = []
    for place in re.finditer(r"\[(/?)(url|quote|img)", shown, re.IGNORECASE):
        closing, name = place.groups()
        rest = shown[place.end() :]
        end = rest.index("]")
        assert rest[:1] in ("]", "=", " ", "\t")
        assert "[" not in rest[:end]
        if closing:
            assert end == 0
            assert opened.pop() == name
        else:
            opened.append(name)
        seen.append(closing + name)
    assert opened == []
    return seen


@given(ANY_TEXT)
def test_clean_settles(source: str) -> None:
    """Cleaning a clean text changes nothing."""
    cleaned = clean(source)
    assert clean(cleaned) == cleaned


@given(st.text(st.sampled_from("a\u0301\u0316\u0345\u0344\u0f73\u0f71e\u0327é"), max_size=150))
def test_clean_is_canonical(source: str) -> None:
    """Cleaning gives the same text as normalising, long runs of marks included."""
    assert clean(source) == unicodedata.normalize("NFC", source)


@given(ANY_TEXT)
def test_clean_fits_xml(source: str) -> None:
    """A clean text can stand in an XML document."""
    element = etree.Element("text")
    element.text = clean(source)


@given(ANY_TEXT)
def test_tokens_are_the_text(source: str) -> None:
    """The tokens of a text, joined, are the text."""
    assert "".join(token.written for token in tokenize(source)) == source


@given(ANY_TEXT)
@example("[quote][b][quote]x[/b][/quote]")
def test_subset_is_balanced(source: str) -> None:
    """Every url, quote and img in a shown text is a whole tag with its partner."""
    shown_tags(text.subset(source))


@given(ANY_TEXT)
@example("[[b]u[/b]rl]")
def test_html_is_balanced(source: str) -> None:
    """The kept tags are balanced with the markup and without it, and are the same."""
    shown = text.html(source)
    assert shown_tags(shown) == shown_tags(re.sub("<[^>]*>", "", shown))


@given(ANY_TEXT)
def test_html_is_markup(source: str) -> None:
    """Markup is well formed and has only line breaks, bold, italics, underline and font colour."""
    parser = etree.XMLParser(huge_tree=True)
    root = etree.fromstring(f"<div>{text.html(source)}</div>", parser)
    assert {element.tag for element in root.iter()} <= {"div", "br", "b", "i", "u", "font"}
    assert all(set(element.attrib) <= {"color"} for element in root.iter())


@given(ANY_TEXT)
def test_html_says_the_same(source: str) -> None:
    """The markup around it aside, a client that asks for markup reads the same text."""
    source = clean(source)
    root = etree.fromstring(f"<div>{text.html(source)}</div>".replace("<br />", "\n"))
    assert root.xpath("string()") == text.subset(source)


@given(ANY_TEXT)
@pytest.mark.parametrize("render", [text.plain, text.preview])
def test_no_kept_tags(render: Callable[[str], str], source: str) -> None:
    """Subjects and previews have no url, quote or img at all."""
    assert shown_tags(render(source)) == []


@given(ANY_TEXT, st.integers(1, 30))
def test_preview_is_short(source: str, limit: int) -> None:
    """A preview is one line within its limit."""
    shown = text.preview(source, limit)
    assert len(shown) <= limit
    assert shown == " ".join(shown.split())


@given(ONLY_KEPT)
def test_subset_settles(source: str) -> None:
    """A text whose only tags are those that are kept is shown the same when read again."""
    shown = text.subset(source)
    assert text.subset(shown) == shown


@given(ANY_TEXT)
def test_links_are_safe(source: str) -> None:
    """No link or picture leads anywhere but to a web page, a host or a mail address."""
    shown = text.subset(source)
    addresses = re.findall(r"\[url=(.*?)\]|\[url\](.*?)\[/url\]|\[img\](.*?)\[/img\]", shown, re.DOTALL)
    for address in map("".join, addresses):
        assert re.match(r"https?://|mailto:|[^:/?#]+\.[^:/?#]+(?:[/?#]|$)", address, re.IGNORECASE)


@given(ANY_TEXT, ANY_CHARACTER)
def test_quote_is_one_quote(source: str, author: str) -> None:
    """A quote is one quote around the whole of the text, whatever the text and its author."""
    seen = shown_tags(text.subset(text.quote(source, author, 1, 2)))
    assert (seen[0], seen[-1]) == ("quote", "/quote")
    assert (seen.count("quote"), seen.count("/quote")) == (1, 1)


@given(ANY_TEXT, ANY_TEXT)
def test_quote_stays_apart(source: str, reply: str) -> None:
    """A reply behind a quote is shown as it is without the quote."""
    quoted, reply = text.quote(source, "a", 1, 2), f"x{reply}x"
    assert text.subset(quoted + reply) == f"{text.subset(quoted)}\n{text.subset(reply)}"
