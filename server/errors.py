"""Everything this server can refuse, each with the one number that every wire reports."""

import math


class Refusal(Exception):
    """The request was understood and is declined; the text is fit to show to a user."""

    code = 400


class BadParams(Refusal):
    """The caller's arguments do not fit the method's declaration."""


class BadInput(Refusal):
    """A value breaks a rule of the domain: empty, too long, a bad mode, a false file."""


class NotAuthenticated(Refusal):
    """The request names nobody whom this face accepts."""

    code = 401

    def __init__(self, text: str = "Please log in.") -> None:
        super().__init__(text)


class WrongPassword(Refusal):
    """The name is unknown or the password is wrong: the two are told apart nowhere."""

    code = 401

    def __init__(self) -> None:
        super().__init__("Incorrect user name or password.")


class NotAllowed(Refusal):
    """The actor may see the thing but may not do this with it."""

    code = 403


class NotFound(Refusal):
    """No such thing, or none this actor may see: the two are told apart nowhere."""

    code = 404


class Conflict(Refusal):
    """The state of things forbids it for now."""

    code = 409


class TooMany(Refusal):
    """A limit on how often something may be done is reached; *wait* is in seconds."""

    code = 429

    def __init__(self, what: str, wait: float) -> None:
        self.wait = max(1, math.ceil(wait))
        super().__init__(f"Too many {what}. Please try again in {self.wait} seconds.")


class Unavailable(Refusal):
    """The server cannot do it at this moment, through no fault of the caller's."""

    code = 503
