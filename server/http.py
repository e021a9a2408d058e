"""One HTTP request, all of which is at hand, and what goes back."""

from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import IO, Any, Generic, NamedTuple, TypeVar

from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.formparser import FormDataParser
from werkzeug.sansio.request import Request as Head

T = TypeVar("T")
MOST_FORM_PARTS, MOST_FORM_TEXT = 20, 500_000
# RFC 2046 ends at 70, and some clients go a little beyond: werkzeug's has up to 72. Of each boundary patterns
# are made, and Python keeps the last 512 patterns.
LONGEST_BOUNDARY = 100


class found_once(Generic[T]):  # noqa: N801 - it is written like the property that it is
    """What is found out when it is asked for first, and from then on is a value like any other.

    The standard library's has, until Python 3.12, one lock for all instances: nobody would be known while
    somebody's password is hashed. That of werkzeug is a call each time that somebody asks.
    """

    def __init__(self, find: Callable[[Any], T]) -> None:
        self.find = find

    def __get__(self, holder: Any, kind: type) -> T:
        found = holder.__dict__[self.find.__name__] = self.find(holder)
        return found


class Request:
    """What somebody asks for.

    The names of *headers* are in small letters; one that comes again goes on with what it said before.
    *name* is by what a proxy knows it, once one is believed. *sent_path* is the path as it came.
    *server* and *client* come with a port; *client* may be a proxy until somebody knows better. *head* is
    what werkzeug reads off all that, made only for those who ask for it: most calls do not.
    """

    def __init__(
        self,
        verb: str,
        path: str,
        query: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        scheme: str,
        server: str,
        client: str,
    ) -> None:
        self.name = ""
        self.verb, self.query, self.body = verb, query, body
        self.sent_path, self.path = path, "/" + path.lstrip("/")
        self.scheme, self.server = scheme, server
        self.client = client.rpartition(":")[0].strip("[]")
        self.headers: dict[str, str] = {}
        for name, value in headers:
            before = self.headers.get(name)
            joint = "; " if name == "cookie" else ", "
            self.headers[name] = value if before is None else f"{before}{joint}{value}"

    def header(self, name: str) -> str | None:
        """What the header of this *name* says, if there is one."""
        return self.headers.get(name)

    @found_once
    def head(self) -> Head:
        host, _, port = self.server.rpartition(":")
        return Head(
            self.verb,
            self.scheme,
            (host, int(port)),
            "",
            self.path,
            self.query.encode(),
            Headers(self.headers),
            self.client,
        )

    def form(
        self, body: bytes, most_parts: int = MOST_FORM_PARTS
    ) -> tuple[dict[str, str], MultiDict[str, FileStorage]]:
        """The texts and the files of a form, which stay in memory: the *body* is there already."""
        parser = FormDataParser(in_memory, max_form_memory_size=MOST_FORM_TEXT, max_form_parts=most_parts)
        kind, options = self.head.mimetype, self.head.mimetype_params
        if len(options.get("boundary", "")) > LONGEST_BOUNDARY:
            raise BadRequest("The boundary between the parts of the form is too long.")
        _, texts, files = parser.parse(BytesIO(body), kind, len(body), options)
        return texts.to_dict(), files


def in_memory(*_: Any, **__: Any) -> IO[bytes]:
    return BytesIO()


class Response(NamedTuple):
    """What goes back: the *body*, and what stands before it.

    Answers may share their headers, so nobody may add to those of one.
    """

    body: bytes
    status: int
    headers: Mapping[str, str]
