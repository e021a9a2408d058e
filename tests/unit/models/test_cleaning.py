"""What text looks like in the store."""

import pytest

from models import clean


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("plain ascii", "plain ascii"),
        ("e\u0301", "é"),
        ("a\x00b\x0bc\x1fd", "a\ufffdb\ufffdc\ufffdd"),
        ("\ud800x\udfff", "\ufffdx\ufffd"),
        ("\ufffe\uffff", "\ufffd\ufffd"),
        ("tab\tstays", "tab\tstays"),
        ("one\r\ntwo\rthree\nfour\r\r\n", "one\ntwo\nthree\nfour\n\n"),
        ("\x7f\x85\u2028\U0001f600", "\x7f\x85\u2028\U0001f600"),
        ("a" + "\u0301\u0316" * 40, "á" + "\u0316" * 40 + "\u0301" * 39),
    ],
)
def test_clean(sent: str, stored: str) -> None:
    """Stored text is NFC, has newlines alone, and nothing that XML cannot carry."""
    # The composed letter keeps its own accent; the marks behind it are in canonical order.
    assert clean(sent) == stored


def test_clean_keeps_bbcode() -> None:
    """Storage keeps the BBCode exactly as it was sent."""
    sent = "  [B]x[/b] [url=javascript:x]y[/quote]\n "
    assert clean(sent) == sent
