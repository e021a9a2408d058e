"""What message text looks like in each form that a client may ask for."""

import sys
from collections.abc import Callable

import pytest

from models import clean
from server import text
from server.text.bbcode import DEPTH, KNOWN, VERBATIM, VOID

ZWSP = "\u200b"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("  Hello  [b]world[/b] ", "Hello  world"),
        ("[url=https://example.org]here[/url]", "here"),
        ("[img]https://example.org/x.png[/img]", "https://example.org/x.png"),
        ("[quote=alice]a[/quote]b", "ab"),
        ("[url=javascript:x]y[/url]", "y"),
        ("Trip to [EU] [1]", "Trip to [EU] [1]"),
        ("[list][*]one[*]two[hr][/list]", "onetwo"),
        ("Re: [quote", f"Re: [{ZWSP}quote"),
    ],
)
def test_plain(source: str, shown: str) -> None:
    """A subject has no BBCode, keeps its inner white space and is trimmed."""
    assert text.plain(source) == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("[quote]alice wrote:\nHi[/quote]\nFine  with\n\nme.", "Fine with me."),
        ("Hi[quote]x[/quote]there", "Hi there"),
        ("[quote]a [quote]b[/quote] c[/quote]d", "d"),
        ("[b]bold[/b] [quote]lone", f"bold [{ZWSP}quote]lone"),
        ("[quote]only\nthis[/quote]", "only this"),
        ("[quote]only\nthis[/quote] \n [b] [/b]", "only this"),
        ("", ""),
        ("[b][/b]", ""),
    ],
)
def test_preview(source: str, shown: str) -> None:
    """A preview is one line of the author's own words, and of the quotes only when there is nothing else."""
    assert text.preview(source) == shown


@pytest.mark.parametrize(
    ("source", "limit", "shown"),
    [
        ("12345", 5, "12345"),
        ("123456", 5, "1234…"),
        ("123 56", 5, "123…"),
        ("[b]12345[/b]", 5, "12345"),
        ("12", 1, "…"),
    ],
)
def test_preview_limit(source: str, limit: int, shown: str) -> None:
    """A preview that is cut ends with an ellipsis, which counts."""
    assert text.preview(source, limit) == shown


def test_preview_default_limit() -> None:
    """A preview has two hundred characters at most."""
    assert text.preview("x" * 201) == "x" * 199 + "…"


@pytest.mark.parametrize("name", sorted(KNOWN - VOID - {"url", "img", "quote"}))
def test_removed(name: str) -> None:
    """A known tag that the form does not keep goes, whatever its value and case, and its text stays."""
    written = f"a[{name}]b[/{name}][{name.upper()}=1]c[/{name}][{name}='x]y' z=\"[\" w]d[/{name.upper()}]"
    assert text.subset(written) == "abcd"


UNTOUCHED = [
    "[EU] and [1]",
    "[b]lone",
    "lone[/b]",
    "[/b][b]",
    "[b",
    "[b]x[/b",
    "[b ]x[/b ]",
    "[b\n]x[/b]",
    "[size=1\n2]x[/size]",
    '[size="x]y[/size]',
    '[size="a"b]y[/size]',
    "[b)x[/b]",
    "[ b]x[/ b]",
    "[unknown=x]y[/unknown]",
    "[\u017f]x[/\u017f]",
    "[]",
    "[[[]]]",
]


@pytest.mark.parametrize("source", UNTOUCHED)
def test_text_stays(source: str) -> None:
    """What is unknown, malformed or without its partner is text."""
    assert text.subset(source) == source
    assert text.html(source) == source.replace("\n", "<br />")


def test_misnested() -> None:
    """A closing ends the latest opening of its name, and what was opened in between is text."""
    assert text.subset("[b]1[i]2[/b]3[/i]") == "1[i]23[/i]"


def test_same_tag_nested() -> None:
    """A tag may stand inside its like."""
    assert text.subset("[b]1[b]2[/b]3[/b]4[/b]") == "1234[/b]"


@pytest.mark.parametrize("source", ["[*]a[*]b", "a[hr]b", "a[HR]b", "a[/*]b[/hr]", "a[hr=1]b"])
def test_void(source: str) -> None:
    """List items and rules go without a closing."""
    assert text.subset(source) == "ab"


@pytest.mark.parametrize("name", sorted(VERBATIM))
def test_verbatim(name: str) -> None:
    """Tags inside verbatim text are text, up to the first closing of the verbatim tag."""
    assert text.subset(f"[{name}=x][b]a[/b] [i][/{name.upper()}][b]b[/b]") == "[b]a[/b] [i]b"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("[code][url=https://a.example]x[/url][/code]", f"[{ZWSP}url=https://a.example]x[{ZWSP}/url]"),
        ("[code][code]x[/code][/code]", "[code]x[/code]"),
        ("[code]a[php]b[/code]c[/php]", "a[php]bc[/php]"),
        ("[quote]a[code]b[/quote]c[/code]", f"[{ZWSP}quote]ab[{ZWSP}/quote]c"),
        ("[code][b]x[/b]", "[code]x"),
        ("[code]a[b][code]b[/b]", "[code]a[code]b"),
        ('[code][b="[/code]"]x', '[b=""]x'),
        ("[code][/code]", ""),
    ],
)
def test_verbatim_borders(source: str, shown: str) -> None:
    """Verbatim text hides all but its own closing, and without a closing it hides nothing."""
    assert text.subset(source) == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("[quote", f"[{ZWSP}quote"),
        ("[URLfoo]", f"[{ZWSP}URLfoo]"),
        ("[Url=x", f"[{ZWSP}Url=x"),
        ("[/imgs]", f"[{ZWSP}/imgs]"),
        ("[quote]a", f"[{ZWSP}quote]a"),
        ("a[/quote]", f"a[{ZWSP}/quote]"),
        ("[url=https://a.example]a", f"[{ZWSP}url=https://a.example]a"),
        ("[[quote]a[/quote]", "[[quote]a[/quote]"),
        ("[[b][/b]url]", f"[{ZWSP}url]"),
        ("[[b]u[/b]r[i]l[/i]]", f"[{ZWSP}url]"),
        ("[/[size=1]quote[/size]]", f"[{ZWSP}/quote]"),
        ("[[hr]quote]", f"[{ZWSP}quote]"),
        ("[quote][b]a[/quote][/b]", "[quote][b]a[/quote][/b]"),
        ("[b][quote]a[/b][/quote]", f"[{ZWSP}quote]a[{ZWSP}/quote]"),
    ],
)
def test_guard(source: str, shown: str) -> None:
    """No text reads as a url, quote or img tag, not even once the tags inside it are gone."""
    assert text.subset(source) == shown


def test_guard_looks_through_markup() -> None:
    """No text reads as a kept tag to a client that takes the markup away first."""
    assert text.html("[[b]u[/b]rl]") == f"[{ZWSP}<b>u</b>rl]"


@pytest.mark.parametrize(
    "source",
    [
        "[url=https://example.org/x?a=1&b=2#c]x[/url]",
        "[url]http://example.org[/url]",
        "[url=mailto:a@example.org]x[/url]",
        "[url=HTTPS://EXAMPLE.ORG]x[/url]",
        "[url=www.example.org]x[/url]",
        "[url=example.org/x]x[/url]",
        "[url=example.org?x:y]x[/url]",
        "[url=bücher.example/ä]x[/url]",
        "[img]https://example.org/x.png[/img]",
        "[img]example.org/x.png[/img]",
        "[quote]a [quote=bob]b[/quote][/quote]",
        '[quote="alice, convMessage: 12, member: 3"]a[/quote]',
        "[quote='alice']a[/quote]",
        "[quote name=alice post=1]a[/quote]",
    ],
)
def test_kept(source: str) -> None:
    """Links, pictures and quotes are kept with their values, in both forms."""
    assert text.subset(source) == source
    assert text.html(source) == source.replace("&", "&amp;")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ('[URL="https://example.org/"]x[/Url]', "[url=https://example.org/]x[/url]"),
        ("[url='https://example.org/']x[/url]", "[url=https://example.org/]x[/url]"),
        ("[url= https://example.org/ ]x[/url]", "[url=https://example.org/]x[/url]"),
        ("[url][b]https://example.org[/b]\n[/url]", "[url]https://example.org[/url]"),
        ("[url=]https://example.org[/url]", "[url]https://example.org[/url]"),
        ('[url target="_blank"]https://example.org[/url]', "[url]https://example.org[/url]"),
        ('[url="https://example.org/a[b]c"]x[/url]', "[url=https://example.org/a%5Bb%5Dc]x[/url]"),
        ("[url='https://example.org/\"']x[/url]", "[url=https://example.org/%22]x[/url]"),
        ("[url=https://example.org/O'B c]x[/url]", "[url=https://example.org/O%27B%20c]x[/url]"),
        ("[img=10x20]https://example.org/x[1].png[/img]", "[img]https://example.org/x%5B1%5D.png[/img]"),
        ("[img]https://example.org/[url]x[/url].png[/img]", "[img]https://example.org/x.png[/img]"),
        ("[url=https://a.example]x[url=https://b.example]y[/url][/url]", "[url=https://a.example]xy[/url]"),
        ("[url=javascript:x]a[url=https://b.example]y[/url][/url]", "a[url=https://b.example]y[/url]"),
        ("[QUOTE=Bob]x[/QUOTE]", "[quote=Bob]x[/quote]"),
        ('[quote="a]b[/quote]c\nd"]x[/quote]', '[quote="a)b(/quote)c d"]x[/quote]'),
    ],
)
def test_normalised(source: str, shown: str) -> None:
    """A kept tag is written plainly, with nothing in its value that could break out of it."""
    assert text.subset(source) == shown


TRICKS = [
    "javascript:alert(1)",
    " \tjavascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "\x01javascript:alert(1)",
    "java\x01script:alert(1)",
    "java\tscript:alert(1)",
    "java\nscript:alert(1)",
    "&#106;avascript:alert(1)",
    "javascript&colon;alert(1)",
    "java%0ascript:alert(1)",
    "data:text/html,x",
    "data:image/png;base64,x/y",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://example.org/",
    "tel:123",
    "example.org:80/x",
    "//evil.example/x",
    "\\\\evil.example",
    "/path",
    "?query",
    "#top",
    "word",
    "http:evil.example",
    "https:///evil.example",
    "http://",
    "https://a.example/\nb",
    "mailto:",
]


@pytest.mark.parametrize("address", TRICKS)
@pytest.mark.parametrize("render", [text.subset, text.html])
@pytest.mark.parametrize(
    "source", ['x[url="{}"]y[/url]', "x[url='{}'][b]y[/b][/url]", "x[url]{}[/url]y", "x[img]{}[/img]y"]
)
def test_no_other_link(render: Callable[[str], str], source: str, address: str) -> None:
    """Whatever is not a web page, a host or a mail address is no link, and its text stays."""
    shown = render(source.format(address))
    assert "[" not in shown
    assert shown.startswith("x")
    assert "y" in shown


def test_dropped_link_text() -> None:
    """A link that is dropped leaves its words, or its address when that is all there is."""
    assert text.subset("[url=javascript:x]a[/url][url]javascript:b[/url][img]data:c[/img]") == (
        "ajavascript:bdata:c"
    )


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("[url=https://a.example][img]https://a.example/x[/img][/url]", "[img]https://a.example/x[/img]"),
        ("[url=https://a.example] [b][img]b.example/x[/img][/b]\n[/url]", "[img]b.example/x[/img]"),
        ("[url][img]https://a.example/x[/img][/url]", "[img]https://a.example/x[/img]"),
        ("[url=a.example][img]data:x[/img][/url]", "[url=a.example]data:x[/url]"),
        ("[url=a.example][/url]", "[url=a.example][/url]"),
        (
            "[url=a.example][img]b.example[/img]c[/url]",
            "[url=a.example][img]b.example[/img]c[/url]",
        ),
    ],
)
def test_linked_picture(source: str, shown: str) -> None:
    """A link around nothing but a picture is the picture alone."""
    assert text.subset(source) == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("Meet at [b]09:00[/b] by the gate?", "Meet at <b>09:00</b> by the gate?"),
        (
            "Route: [url=https://maps.example.org/x?a=1&b=2]map[/url]\nBring water.",
            "Route: [url=https://maps.example.org/x?a=1&amp;b=2]map[/url]<br />Bring water.",
        ),
        (
            "[quote]alice wrote:\nMeet at 09:00 by the gate?[/quote]Fine with me.",
            "[quote]alice wrote:<br />Meet at 09:00 by the gate?[/quote]Fine with me.",
        ),
        ("<br/> & \"<b>\" '&lt;'", "&lt;br/&gt; &amp; \"&lt;b&gt;\" '&amp;lt;'"),
        ('[quote="a<b>&"]x[/quote]', '[quote="a&lt;b&gt;&amp;"]x[/quote]'),
        ("[i]a[u]b[/u][/i][s]c[/s]", "<i>a<u>b</u></i>c"),
        ("x[b][/b]", "x<b></b>"),
        ("[color=red]a[/color]", '<font color="red">a</font>'),
        ('[COLOUR="#aBc"]a[/colour]', '<font color="#aBc">a</font>'),
        ("[color=#a1b2c3]a[/color]", '<font color="#a1b2c3">a</font>'),
        ("[color=rgb(1,2,3)]a[/color]", "a"),
        ('[color="red&quot; onclick=x"]a[/color]', "a"),
        ("[color=#12345]a[/color]", "a"),
        ("[color]a[/color]", "a"),
        ("é \U0001f600 \u2028", "é \U0001f600"),
        ("a\x00b\ud800\r\nc", "a\ufffdb\ufffd<br />c"),
        ("", ""),
    ],
)
def test_html(source: str, shown: str) -> None:
    """Markup stands for bold, italics, underline, colour and line breaks; everything else is escaped."""
    assert text.html(source) == shown


@pytest.mark.parametrize("blank", [" ", "\n", "\t", "\x01", "\x85", "\xa0", "\u3000", " \n\x1f "])
@pytest.mark.parametrize("render", [text.plain, text.preview, text.subset])
def test_trimmed(render: Callable[[str], str], blank: str) -> None:
    """White space and control characters go from both ends, inside removed tags too."""
    assert render(f"{blank}[size=1]{blank}a{blank}[/size][hr]{blank}") == "a"


def test_html_trimmed() -> None:
    """A text does not begin or end with line breaks, even inside markup."""
    assert text.html("\n[b]\n[i]a[/i]\n b\n[/b] \n") == "<b><i>a</i><br /> b</b>"


@pytest.mark.parametrize("render", [text.subset, text.html])
def test_kept_tags_are_not_trimmed(render: Callable[[str], str]) -> None:
    """White space inside a kept tag stays."""
    assert render(" [quote] a [/quote] ") == "[quote] a [/quote]"


def test_depth() -> None:
    """Tags are read down to a depth, and are text below it."""
    deep = DEPTH + 1
    shown = text.subset("[quote]" * deep + "x" + "[/quote]" * deep)
    inner = f"[{ZWSP}quote]x[{ZWSP}/quote]"
    assert shown == "[quote]" * DEPTH + inner + "[/quote]" * DEPTH


def test_quote() -> None:
    """A quote names the author, the message and the member, and ends the line."""
    assert text.quote("Meet at [b]09:00[/b]?", "alice", 12, 3) == (
        '[quote="alice, convMessage: 12, member: 3"]Meet at [b]09:00[/b]?[/quote]\n'
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("A [EU]", "A (EU)"),
        ('the "cat"', "the 'cat'"),
        ("two\nlines\r\u2028", "two lines  "),
        ("[/quote]", "(/quote)"),
    ],
)
def test_quote_name(name: str, written: str) -> None:
    """A name cannot break out of the tag."""
    assert text.quote("x", name, 1, 2) == f'[quote="{written}, convMessage: 1, member: 2"]x[/quote]\n'


@pytest.mark.parametrize(
    ("source", "quoted"),
    [
        ("[quote]a [quote]b[/quote][/quote]\n Fine. \n", "Fine."),
        ("[quote]only[/quote]", ""),
        ("[B]a[/b] [URL='x']b[/URL][*]c", "[B]a[/b] [URL='x']b[/URL][*]c"),
        ("[code=c][b]a[/B][/code]", "[code=c][b]a[/B][/code]"),
        ("[EU] [1] [bird]", "[EU] [1] [bird]"),
        ("a[/quote]b[quote]", f"a[{ZWSP}/quote]b[{ZWSP}quote]"),
        ("[/qu[quote]x[/quote]ote]", f"[{ZWSP}/quote]"),
        ("[/quotes", f"[{ZWSP}/quotes"),
        ("[code][/quote][/code]", f"[code][{ZWSP}/quote][/code]"),
        ('[url="[/quote]"]x[/url]', f'[url="[{ZWSP}/quote]"]x[/url]'),
        ("[b]lone[/i]", f"[{ZWSP}b]lone[{ZWSP}/i]"),
    ],
)
def test_quoted_text(source: str, quoted: str) -> None:
    """The quoted text loses the quotes in it, keeps its other tags, and has no tag without a partner."""
    assert text.quote(source, "a", 1, 2) == f'[quote="a, convMessage: 1, member: 2"]{quoted}[/quote]\n'


@pytest.mark.parametrize(
    ("source", "reply"),
    [("[code]x", "a[/code]b"), ('[url="x', 'a"]b'), ("[b]x", "a[/b]b"), ("x[quo", "te]b")],
)
def test_quoted_text_stays_apart(source: str, reply: str) -> None:
    """Nothing in a quoted text pairs with what follows the quote."""
    quoted = text.quote(source, "a", 1, 2)
    assert text.subset(quoted + reply) == f"{text.subset(quoted)}\n{text.subset(reply)}"


RENDERERS: dict[str, Callable[[str], str]] = {
    "clean": clean,
    "plain": text.plain,
    "preview": text.preview,
    "subset": text.subset,
    "html": text.html,
    "quote": lambda source: text.quote(source, "alice", 1, 2),
}
HOSTILE = [
    "[",
    "[b]",
    "[/b]",
    "[quote]",
    "[/quote]",
    "[url=",
    '[url="',
    "[url=http://a]",
    "[b][/i]",
    "[i][b]",
    "[i][b][/i]",
    "[code]",
    "[code][/code]",
    "[b]x[/b]",
    "[[b][/b]",
    "[b a=",
    "[b ",
    "[b x=\"[b x='",
    "[b x='' y=\"[b y='' ",
    "[url=http://a.b][url][img]",
    "[*]",
    " \n",
    "x\n",
    "\u0301\u0316",
    "\u0f73",
]


# Linear work on such a text takes less than a tenth of a second, and quadratic work, of which each step is as
# quick as those of a regular expression, more than all that there is.
LONG = 25_000


@pytest.mark.timeout(5)
@pytest.mark.parametrize("pattern", HOSTILE)
@pytest.mark.parametrize("render", RENDERERS.values(), ids=RENDERERS.keys())
def test_hostile_text_ends(render: Callable[[str], str], pattern: str) -> None:
    """A long hostile text is done with, where quadratic work would go on on and on."""
    render(pattern * (LONG // len(pattern)))


def calls(work: Callable[[], object]) -> int:
    """How many calls of functions a piece of work takes."""
    events: list[str] = []
    sys.setprofile(lambda _frame, event, _argument: events.append(event))
    try:
        work()
    finally:
        sys.setprofile(None)
    return events.count("call") + events.count("c_call")


@pytest.mark.parametrize("pattern", HOSTILE)
@pytest.mark.parametrize("render", RENDERERS.values(), ids=RENDERERS.keys())
def test_linear(render: Callable[[str], str], pattern: str) -> None:
    """Twice the text takes no more than twice the steps."""
    once = calls(lambda: render(pattern * 200))
    assert calls(lambda: render(pattern * 400)) <= 2 * once + 100
