"""Request bodies from senders who may be slow, on purpose or not, without giving them the threads that serve others.

Nothing can end a read of a body but its sender: the web server knows no time limit for it, and while one thread waits
for a body that another has answered already, granian 2.8 holds the interpreter's lock. So not the time is limited but
the number: the server has more threads than it needs to answer, and no more than that surplus wait for bodies at a
time, a quarter of it for one organisation and an eighth for strangers. Whoever holds them holds up himself; reading
goes on for all.
"""

from __future__ import annotations

import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from hub.errors import BadRequest, TooLarge, TooManyRequests, WrongMediaType

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

STRANGER = ""
"""The sender of a body that came without valid credentials."""

_PIECE = 65536
_RETRY = 5
_LEFT_AT_MOST = 4


class Uploads:
    """Reads bodies; one for each server process, used by all its fronts and threads.

    Args:
        most: bodies that are read at a time. largest: bytes of one, as sent and as it becomes.
    """

    def __init__(self, most: int, largest: int) -> None:
        self._most = most
        self._largest = largest
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    def read(self, environ: WSGIEnvironment, sender: str) -> bytes:
        """Return the whole body of a request, inflated if it came as gzip.

        Args:
            environ: of the request. sender: the organisation that sends it.

        Raises:
            WrongMediaType: it comes in another coding.
            TooLarge: it is too long; found as soon as it is, not when it ends.
            BadRequest: it breaks off, or is not what its headers say.
            TooManyRequests: too many bodies, of this sender or of all, are being read already.
        """
        coding = environ.pop("HTTP_CONTENT_ENCODING", "").strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip"):
            raise WrongMediaType("send the body as it is or with Content-Encoding: gzip")
        declared = environ.get("CONTENT_LENGTH") or "0"
        if not declared.isdecimal():
            raise BadRequest("Content-Length is no number")
        if int(declared) > self._largest:
            raise self._too_large()
        body = self._whole(environ["wsgi.input"], sender)
        if len(body) < int(declared):
            raise BadRequest("the body is shorter than its Content-Length")
        return self._inflated(body) if "gzip" in coding else body

    def discard(self, environ: WSGIEnvironment, sender: str = STRANGER) -> None:
        """Read what is left of a refused body, if there is room: clients that are still sending miss the answer else.

        Args:
            environ: of the request. sender: as for `read`.
        """
        if not environ.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" not in environ:
            return
        left = _LEFT_AT_MOST * self._largest
        with suppress(TooManyRequests), self._turn(sender):  # the answer is on its way, whether it is read or not
            while left > 0 and (piece := environ["wsgi.input"].read(_PIECE)):
                left -= len(piece)

    def _whole(self, stream: BinaryIO, sender: str) -> bytes:
        pieces, length = [], 0
        with self._turn(sender):
            while piece := stream.read(_PIECE):
                length += len(piece)
                if length > self._largest:
                    raise self._too_large()
                pieces.append(piece)
        return b"".join(pieces)

    def _inflated(self, body: bytes) -> bytes:
        """Decompress a body (gzip, RFC 1952), never into more than a plain one may have."""
        machine = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            plain = machine.decompress(body, self._largest + 1)
        except zlib.error:
            raise BadRequest("the body is not gzip, as Content-Encoding says") from None
        if len(plain) > self._largest:
            raise self._too_large()
        if not machine.eof or machine.unused_data:
            raise BadRequest("the gzip data of the body breaks off, or something follows it")
        return plain

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is larger than {self._largest} bytes (max_content_length): send it in parts")

    @contextmanager
    def _turn(self, sender: str) -> Iterator[None]:
        share = max(1, self._most // (8 if sender == STRANGER else 4))
        with self._lock:
            if self._open[sender] >= share or self._open.total() >= self._most:
                raise TooManyRequests("too many uploads at a time: try again when some are done", retry_after=_RETRY)
            self._open[sender] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[sender] -= 1
