"""The page between a button and what cannot be taken back."""

from ...wire.pages import View


def sure(question: str, what: str, action: str, words: str, back: str) -> View:
    """Ask whether *what* is meant: *words* on a button carry out the *action*, and *back* leads away."""
    values = {"question": question, "what": what, "action": action, "words": words, "back": back}
    return View("sure.html", values)
