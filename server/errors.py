"""Everything this server can refuse, each with the one number that every wire reports."""

import math


class Refusal(Exception):
    """The request was understood and is declined; the text is fit to show to a user.

    *word* tells programs what it is, where the kind of refusal alone does not.
    """

    code = 400
    word = "BAD_REQUEST"

    def __init__(self, text: str, word: str = "") -> None:
        super().__init__(text)
        self.word = word or self.word


class BadParams(Refusal):
    """The caller's arguments do not fit the method's declaration; *param* is the name of the one."""

    def __init__(self, text: str, word: str = "", param: str = "") -> None:
        super().__init__(text, word)
        self.param = param


class BadInput(Refusal):
    """A value breaks a rule: it is empty, too long, or not one of those that are taken."""


class NotAuthenticated(Refusal):
    """The request comes with nothing by which this door knows anybody."""

    code = 401
    word = "UNAUTHORIZED"

    def __init__(self, text: str = "Please log in.") -> None:
        super().__init__(text)


class WrongPassword(Refusal):
    """The name is unknown or the password is wrong; which of the two is not told."""

    code = 401
    word = "WRONG_PASSWORD"

    def __init__(self) -> None:
        super().__init__("Incorrect user name or password.")


class NotAllowed(Refusal):
    """Whoever asks may see it, but may not do this with it."""

    code = 403
    word = "FORBIDDEN"


class NotFound(Refusal):
    """There is no such thing, or none that may be seen by whoever asks; which of the two is not told."""

    code = 404
    word = "NOT_FOUND"


class WrongVerb(Refusal):
    """The address does not take this verb; Allow tells which it takes."""

    code = 405
    word = "METHOD_NOT_ALLOWED"

    def __init__(self, verbs: list[str]) -> None:
        super().__init__("This address does not take that verb.")
        self.verbs = verbs


class TooSlow(Refusal):
    """The body did not come in time."""

    code = 408
    word = "REQUEST_TIMEOUT"


class WrongType(Refusal):
    """The body is of a type that is not taken."""

    code = 415
    word = "UNSUPPORTED_MEDIA_TYPE"


class Broken(Refusal):
    """Something went wrong by a fault of the server's own."""

    code = 500
    word = "INTERNAL_ERROR"

    def __init__(self) -> None:
        super().__init__("internal error")


class Conflict(Refusal):
    """It cannot be done as things stand now."""

    code = 409
    word = "CONFLICT"


class KeyReused(Refusal):
    """The key of an earlier request came with another request."""

    code = 422
    word = "KEY_REUSED"


class TooMany(Refusal):
    """It was done too often; the answer tells in how many seconds it may be done again."""

    code = 429
    word = "TOO_MANY_REQUESTS"

    def __init__(self, what: str, wait: float) -> None:
        self.wait = max(1, math.ceil(wait))
        super().__init__(f"Too many {what}. Please try again in {self.wait} seconds.")


class Unavailable(Refusal):
    """The server cannot do it at this moment, and may soon."""

    code = 503
    word = "UNAVAILABLE"
