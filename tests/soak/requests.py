"""Requests of every shape over a raw socket, drawn from the route table, and what no answer may be."""

from __future__ import annotations

import gzip
import json
import re
import socket
from dataclasses import dataclass
from urllib.parse import quote

from hypothesis import strategies as st

from hub.taxii.routes import OBJECT as ONE_OBJECT
from hub.taxii.routes import OBJECTS, ROUTES
from tests.soak.fuzzing import mangled
from tests.soak.parsers import FILTERS, MEDIA, OBJECT, OBJECT_20, VALUES
from tests.soak.running import PUBLISHED, SHARED, Running

TAXII = b"application/taxii+json;version=2.1"
CANARY = "canary-8d1f0c7ab2e94b6f"
"""A secret in the environment of every process of the hub; it must never come out."""

_OFTEN = (*ROUTES, *(OBJECTS,) * 5, *(ONE_OBJECT,) * 3)
_METHODS = (b"GET", b"POST", b"DELETE", b"HEAD", b"OPTIONS", b"PUT", b"PATCH", b"TRACE", b"PROPFIND", b"get", b"X" * 60)
_ODD_PATHS = ("/", "/healthz", "/readyz", "/metrics", "/api/", "/api/advisories/", "//hub//", "/hub/../etc/passwd", "*")
_SLOTS = {
    "api_root": ("hub", "hub", "hub", "hub", "second", "api"),
    "collection": (SHARED, SHARED, PUBLISHED, PUBLISHED, "inbox", "drop-box", "city-sector-water", "evidence"),
    "object_id": (*[json.loads(OBJECT)["id"]] * 4, "indicator--x", "x" * 300),
    "status_id": ("2d086da7-4bdc-4f91-900e-d77486753710", "x"),
}
_HEADERS = (
    b"Accept", b"Content-Type", b"Content-Encoding", b"X-Forwarded-For", b"Range", b"If-None-Match", b"Cookie",
    b"X-HTTP-Method-Override", b"Expect", b"TE", b"Upgrade", b"Forwarded", b"X-Request-Id", b"Origin",
)  # fmt: skip
_QUERY = (b"limit=1", b"limit=0", b"match[version]=all", b"token=x", b"next=", b"added_after=2026-01-01T00:00:00Z",
          b"match[id]=" + json.loads(OBJECT)["id"].encode(), b"a=1&a=2", *FILTERS)  # fmt: skip
_ENVELOPE = b'{"objects":[' + OBJECT + b"," + OBJECT_20 + b"]}"
_EMPTY_MAY_BE = {400, 408, 411, 414, 431}
"""What the web server itself answers, without a body, to what is no HTTP."""

_LEAKS = re.compile(rb"Traceback|File \"|\.py\b|sqlite3|medallion|werkzeug|argon2|cth_[a-z2-7]{16}_", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire."""

    data: bytes

    @property
    def method(self) -> bytes:
        return self.data.split(b" ", 1)[0]


@st.composite
def requests(draw: st.DrawFn, tokens: dict[str, str]) -> Request:
    """Draw a request: mostly one that is nearly right, by one of the accounts."""
    nearly = st.integers(0, 7).map(lambda number: number < 7)
    if draw(nearly):
        route = draw(st.sampled_from(_OFTEN))
        odd = mangled(VALUES)
        slots = {
            name: draw(st.sampled_from(_SLOTS[name])) if draw(nearly) else quote(draw(odd), safe="")
            for name in route.slots
        }
        path, method = route.path.format(**slots).encode(), draw(st.sampled_from([m.encode() for m in route.methods]))
    else:
        path, method = draw(st.sampled_from(_ODD_PATHS)).encode(), draw(st.sampled_from(_METHODS))
    if not draw(nearly):
        path = draw(mangled([path]))
    query = draw(mangled(_QUERY)) if draw(st.booleans()) else b""
    target = re.sub(rb"[\x00-\x20\x7f]", b"", path + (b"?" + query if query else b"")) or b"/"
    user = draw(st.sampled_from([*tokens, ""]))
    lines = [method + b" " + target[:60_000] + b" HTTP/1.1", b"Host: hub", b"Connection: close"]
    lines += [b"Authorization: Bearer " + tokens[user].encode()] if user else []
    lines += [b"Accept: " + TAXII] if draw(nearly) else []
    for name in draw(st.lists(st.sampled_from(_HEADERS), max_size=3)):
        lines.append(name + b": " + re.sub(rb"[\x00\r\n]", b"", draw(mangled([*MEDIA, b"gzip", b"bytes=0-1"]))))
    body = b""
    if method == b"POST" or not draw(nearly):
        body = draw(mangled([_ENVELOPE, b'{"objects":[]}', b"[" * 5000, gzip.compress(_ENVELOPE)]))
        lines += [b"Content-Type: " + TAXII] if draw(nearly) else []
        lines += [b"Content-Length: %d" % len(body)]
    return Request(b"\r\n".join((*lines, b"", body)))


def answer(hub: Running, request: Request) -> bytes:
    """Send a request and return all that comes back."""
    with socket.create_connection(("127.0.0.1", hub.port), timeout=60) as connection:
        received = []
        try:
            connection.sendall(request.data)
            while piece := connection.recv(65536):
                received.append(piece)
        except ConnectionError:
            pass  # it was refused before it was sent
    return b"".join(received)


def check(hub: Running, request: Request) -> int:
    """Send a request; return the status of its answer, which must be in order."""
    told = answer(hub, request)
    head, _, body = told.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    first = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    assert first, told[:300]
    status = int(first[1])
    assert 200 <= status < 500, told[:1000]
    assert not _LEAKS.search(told.replace(_sent(request), b"")), told[:2000]
    assert CANARY.encode() not in told
    assert str(hub.data).encode() not in told
    if b"application/taxii+json" in head.lower() and status >= 400 and request.method != b"HEAD":
        error = json.loads(body)
        assert error["http_status"] == str(status)
        assert set(error) <= {"title", "description", "error_id", "error_code", "http_status", "details"}
    elif not body and request.method != b"HEAD" and status >= 400:
        assert status in _EMPTY_MAY_BE or request.method not in (b"GET", b"POST", b"DELETE"), told
    return status


def _sent(request: Request) -> bytes:
    """Return the target of a request: an answer may repeat it."""
    return request.data.split(b" ", 2)[1] or b"\0"
