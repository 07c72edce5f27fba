"""Decompress what a source sent, piece by piece and within bounds: a gzip bomb costs a message, not memory."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from hub.errors import NotThatFormat

GZIP = b"\x1f\x8b"
PIECE = 65536
MAX_OUTPUT = 1 << 30
"""Bytes that one compressed file may become."""
MAX_RATIO = 200
"""How many times bigger the output may be than the input; asked only beyond `_RATIO_FROM` bytes of output."""

_RATIO_FROM = 16 << 20
_ANY_HEADER = 47
_NO_HEADER = -15


class Inflater:
    """A push decompressor for gzip (also of several members), zlib and, for HTTP's ``deflate``, headerless data.

    Args:
        name: what is decompressed, for messages. limit: bytes of output that are allowed.
        headerless: whether data without a zlib header is taken (servers disagree on ``deflate``, RFC 9110 8.4.1.2).
    """

    def __init__(self, name: str, *, limit: int = MAX_OUTPUT, headerless: bool = False) -> None:
        self._name = name
        self._limit = limit
        self._headerless = headerless
        self._machine = zlib.decompressobj(_ANY_HEADER)
        self._taken = 0
        self._given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what some more input becomes, in pieces of at most `PIECE` bytes.

        Raises:
            NotThatFormat: the data is damaged or becomes too big.
        """
        self._taken += len(data)
        piece = b""
        while data or len(piece) == PIECE:
            if self._machine.eof:
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._machine = zlib.decompressobj(_ANY_HEADER)
            piece = self._decompress(data)
            data = self._machine.unused_data if self._machine.eof else self._machine.unconsumed_tail
            if piece:
                self._given += len(piece)
                self._check()
                yield piece

    def finish(self) -> None:
        """Say that the input ended.

        Raises:
            NotThatFormat: it ended too early.
        """
        if not self._machine.eof:
            raise NotThatFormat(f"{self._name} breaks off: the compressed data is truncated, fetch it again")

    def _decompress(self, data: bytes) -> bytes:
        try:
            return self._machine.decompress(data, PIECE)
        except zlib.error:
            if not (self._headerless and self._given == 0):
                raise NotThatFormat(f"{self._name} is damaged: the compressed data cannot be read") from None
            self._headerless = False
            self._machine = zlib.decompressobj(_NO_HEADER)
            return self._decompress(data)

    def _check(self) -> None:
        if self._given > self._limit:
            raise NotThatFormat(f"{self._name} becomes more than {self._limit >> 20} MB when decompressed; not read")
        if self._given > _RATIO_FROM and self._given > MAX_RATIO * self._taken:
            raise NotThatFormat(f"{self._name} grows more than {MAX_RATIO} times when decompressed; not read")


class _Stream(io.RawIOBase):
    """A byte stream over pieces. It does not own, and never closes, what the pieces come from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # typeshed has no public name for a buffer
        while not self._rest:
            try:
                self._rest = memoryview(next(self._pieces))
            except StopIteration:
                return 0
        number = min(len(self._rest), len(target))
        target[:number] = self._rest[:number]
        self._rest = self._rest[number:]
        return number


def decompressed(stream: BinaryIO, name: str, *, limit: int = MAX_OUTPUT) -> io.BufferedReader:
    """Return a reader of the content: inflated if the stream begins as gzip does, else as it is.

    The given stream stays open and belongs to the caller.
    """
    head = stream.read(len(GZIP))

    def chunks() -> Iterator[bytes]:
        yield head + stream.read(PIECE)
        while chunk := stream.read(PIECE):
            yield chunk

    def inflated() -> Iterator[bytes]:
        inflater = Inflater(name, limit=limit)
        for chunk in chunks():
            yield from inflater.feed(chunk)
        inflater.finish()

    return io.BufferedReader(_Stream(inflated() if head == GZIP else chunks()), PIECE)
