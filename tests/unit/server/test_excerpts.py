"""What is shown of a message that was found by its words."""

import pytest

from server import text

LONG = "hay " * 100


def marked(source: str, *words: str) -> str:
    """The excerpt, with what is marked in it in braces."""
    return "".join(f"{{{part}}}" if is_word else part for part, is_word in text.excerpt(source, words))


@pytest.mark.parametrize(
    ("source", "words", "shown"),
    [
        ("Meet me\nat the Pier", ["pier"], "Meet me at the {Pier}"),
        ("One, two and ONE_1", ["one"], "{One}, two and {ONE}_1"),
        ("needles, needle", ["needle"], "needles, {needle}"),
        ("<b>pier & [b]pier[/b]", ["pier"], "<b>{pier} & {pier}"),
        ("[quote]the pier[/quote]Yes, the pier", ["pier"], "Yes, the {pier}"),
        ("[quote=ann]the pier[/quote]Yes", ["pier"], "the {pier} Yes"),
        ("[url=http://a.example/pier]There[/url]", ["pier"], "There"),
        (f"{LONG}needle {LONG}", ["needle"], f"…{'hay ' * 24}{{needle}}{' hay' * 24} h…"),
        (f"{'x' * 300} needle {LONG}", ["needle"], f"…{{needle}} {'hay ' * 48}h…"),
        (f"{LONG}{'x' * 300}", ["x" * 100], f"…{'hay ' * 24}{{{'x' * 104}}}…"),
    ],
)
def test_an_excerpt_shows_what_was_found(source: str, words: list[str], shown: str) -> None:
    """The first word that was found stands in it among some others, and nothing that a preview leaves out."""
    assert marked(source, *words) == shown
