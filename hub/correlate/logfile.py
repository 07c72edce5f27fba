"""How far a log was read: a log is known by its sensor and the digest of its beginning.

A file that was shorter than `HEAD` bytes when it was first seen is known by all it had then, and found again when
it has grown.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePath
from typing import BinaryIO, Final

from hub.correlate.marks import LOG_FILE, position_of, position_write
from hub.errors import Conflict
from hub.store.ports import Document, DocumentWrite, Store

HEAD: Final = 4096
"""Bytes of a log's beginning that tell it from others."""


class LogFile:
    """One log, and how far it was read.

    Attributes:
        key: its identity among the control documents. name: for people. offset: bytes read and committed.
    """

    def __init__(self, store: Store, stream: BinaryIO, sensor: str) -> None:
        stream.seek(0)
        head = stream.read(HEAD)
        self.key = _key(sensor, head)
        self.name = PurePath(str(getattr(stream, "name", ""))).name
        self._store = store
        self._saved = store.document(LOG_FILE, self.key) or self._when_shorter(sensor, head)
        self.offset = position_of(self._saved) if self._saved else 0

    def moved(self, end: int) -> list[DocumentWrite]:
        """Return what saves that the log was read to ``end``, provided nobody else moved it."""
        saved = self._saved
        if saved is None:
            return [position_write(LOG_FILE, self.key, end, expect=0)]
        if saved.key == self.key:
            return [position_write(LOG_FILE, self.key, end, expect=saved.version)]
        return [
            DocumentWrite(LOG_FILE, saved.key, None, expect=saved.version),
            position_write(LOG_FILE, self.key, end, expect=0),
        ]

    def committed(self) -> None:
        """Take note that what `moved` returned is stored."""
        self._saved = self._store.document(LOG_FILE, self.key)
        self.offset = position_of(self._saved) if self._saved else 0

    def check_unmoved(self) -> None:
        """Make sure that nobody else reads this log.

        Raises:
            Conflict: another run moved it meanwhile.
        """
        saved = self._saved
        present = self._store.document(LOG_FILE, saved.key if saved else self.key)
        if (present.version if present else 0) != (saved.version if saved else 0):
            raise Conflict(
                f"another run is reading the log {self.name or self.key} right now; it counts every event once"
            )

    def _when_shorter(self, sensor: str, head: bytes) -> Document | None:
        after, found = "", None
        prefix = f"{sensor}|short|"
        while page := self._store.documents(LOG_FILE, prefix=prefix, after=after):
            for document in page:
                length = int(document.key[len(prefix) :].partition("|")[0])
                if length <= len(head) and document.key == _key(sensor, head[:length]):
                    found = document
            after = page[-1].key
        return found


def _key(sensor: str, head: bytes) -> str:
    digest = hashlib.blake2b(head, digest_size=16).hexdigest()
    return f"{sensor}|{digest}" if len(head) == HEAD else f"{sensor}|short|{len(head):05d}|{digest}"
