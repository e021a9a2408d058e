"""One HTTP request, all of which is at hand."""

from collections.abc import Iterable
from io import BytesIO
from typing import IO, Any

from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.formparser import FormDataParser
from werkzeug.sansio.request import Request as Head

MOST_FORM_PARTS, MOST_FORM_TEXT = 20, 500_000


class Request(Head):
    """What somebody asks for: the head, as werkzeug reads it, and the *body*."""

    def __init__(
        self,
        verb: str,
        scheme: str,
        server: str,
        path: str,
        query: str,
        headers: Iterable[tuple[str, str]],
        client: str,
        body: bytes,
    ) -> None:
        host, _, port = server.rpartition(":")
        head, client = Headers(list(headers)), client.rpartition(":")[0].strip("[]")
        super().__init__(verb, scheme, (host, int(port)), "", path, query.encode(), head, client)
        self.body = body

    def all_of(self, name: str) -> str:
        """The header of this *name*; where it came several times, all of them, with commas between."""
        return ", ".join(self.headers.getlist(name))

    def form(self, body: bytes) -> tuple[dict[str, str], MultiDict[str, FileStorage]]:
        """The texts and the files of a form, which stay in memory: the *body* is there already."""
        parser = FormDataParser(
            in_memory, max_form_memory_size=MOST_FORM_TEXT, max_form_parts=MOST_FORM_PARTS
        )
        _, texts, files = parser.parse(BytesIO(body), self.mimetype, len(body), self.mimetype_params)
        return texts.to_dict(), files


def in_memory(*_: Any, **__: Any) -> IO[bytes]:
    return BytesIO()
