"""What goes back: an answer as a value, and errors as TAXII error resources (TAXII 2.1 section 3.6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus

import orjson

from hub.errors import HubError, MethodNotAllowed, NotSignedIn, Refused, WrongMediaType
from hub.taxii.media import TAXII_21

_CHALLENGES = [
    ("WWW-Authenticate", 'Basic realm="City Threat Hub", charset="UTF-8"'),
    ("WWW-Authenticate", 'Bearer realm="City Threat Hub"'),
]


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and whole body of a response; the body is in pieces, so that only the web server joins them."""

    status: int
    pieces: list[bytes] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return sum(map(len, self.pieces))

    @property
    def status_line(self) -> str:
        """The status as WSGI wants it."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"


def taxii_answer(status: int, pieces: list[bytes], headers: dict[str, str] | None = None) -> Answer:
    """Return an answer in the TAXII media type."""
    return Answer(status, pieces, [("Content-Type", TAXII_21), *(headers or {}).items()])


def error_answer(error: HubError, *, error_id: str = "", allow: str = "") -> Answer:
    """Return the error resource of an error: its sentence, its stable code, and nothing of the hub's inside."""
    code = error.reason if isinstance(error, Refused) else error.code
    resource = {
        "title": HTTPStatus(error.status).phrase,
        "description": error.message,
        "error_code": code,
        "http_status": str(error.status),
    }
    if error_id:
        resource["error_id"] = error_id
    headers = [("Content-Type", TAXII_21), ("Cache-Control", "no-store")]
    if isinstance(error, NotSignedIn):
        headers += _CHALLENGES
    if isinstance(error, MethodNotAllowed):
        headers.append(("Allow", allow))
    if isinstance(error, WrongMediaType):
        headers.append(("Accept-Encoding", "gzip"))  # RFC 9110 12.5.3: which codings a body may have
    if error.come_back is not None:
        headers.append(("Retry-After", str(error.come_back)))
    return Answer(error.status, [orjson.dumps(resource)], headers)
