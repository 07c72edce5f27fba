"""A table of small records of fixed size that all server processes of one machine share: counters, not documents.

What strangers make the hub count (wrong passwords, requests) must cost no commit and must never fill a disk, yet every
process must see it at once. So it lies in a file of fixed size that each process maps into its memory. A record is
found by the set that its key belongs to; when a set is full, the record that is worth least makes room. Nothing in it
is needed to run: a file that is lost or damaged is made anew.

Writers take turns by a lock on the file, which the system frees when a process is killed. Readers take none: they may
see a record half a microsecond before it is whole, which counters can bear. Keys are keyed digests, so nobody outside
can choose whom he pushes out.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import mmap
import os
import secrets
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hub.errors import NoSuchFile

KEY = 16
"""Bytes of a key."""

_WAYS = 8
_HEADER = struct.Struct("<8sII32s16x")
_MAGIC = b"hubtable"

Values = tuple[Any, ...]


class SharedTable:
    """The table of one file, or of this process alone.

    Args:
        path: the file; made, with its folder, if it is not there. None keeps the table in this process.
        record: layout of a record's values, without the key.
        worth: how much a record deserves to stay when its set is full; the least goes.
        sets: how many sets of 8 records.

    Raises:
        NoSuchFile: the file cannot be made or opened.
    """

    def __init__(
        self, path: Path | None, record: struct.Struct, worth: Callable[[Values], Any], *, sets: int = 4096
    ) -> None:
        self._record = record
        self._worth = worth
        self._sets = sets
        self._size = KEY + record.size
        self._turn = threading.Lock()
        length = _HEADER.size + sets * _WAYS * self._size
        header = _HEADER.pack(_MAGIC, self._size, sets, secrets.token_bytes(32))
        self._file = -1 if path is None else _opened(path, header, length)
        self._map = mmap.mmap(self._file, length)
        if path is None:
            self._map[: _HEADER.size] = header
        self._secret: bytes = _HEADER.unpack_from(self._map)[3]

    def digest(self, text: str, size: int = KEY) -> bytes:
        """Return a keyed digest of a text, the same in every process that shares the table."""
        return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=size, key=self._secret).digest()

    def read(self, key: bytes) -> Values | None:
        """Return the values kept under a key."""
        at = self._find(key)
        return None if at is None else self._record.unpack_from(self._map, at + KEY)

    def change(self, key: bytes, change: Callable[[Values | None], Values]) -> Values:
        """Replace the values under a key by what ``change`` makes of them (None when there are none); return them."""
        with self._turn, self._locked():
            at = self._find(key)
            values = change(None if at is None else self._record.unpack_from(self._map, at + KEY))
            at = self._poorest(key) if at is None else at
            self._map[at : at + self._size] = key + self._record.pack(*values)
        return values

    def adjust(self, key: bytes, change: Callable[[Values], Values]) -> bool:
        """Like `change` for a key that is there, without waiting for other processes; return whether it is there.

        If two processes adjust the same record in the same instant, one of the two changes may be lost.
        """
        at = self._find(key)
        if at is None:
            return False
        with self._turn:
            self._record.pack_into(self._map, at + KEY, *change(self._record.unpack_from(self._map, at + KEY)))
        return True

    def records(self) -> Iterator[tuple[bytes, Values]]:
        """Yield every record: its key and values."""
        empty = bytes(KEY)
        for at in range(_HEADER.size, len(self._map), self._size):
            key = self._map[at : at + KEY]
            if key != empty:
                yield key, self._record.unpack_from(self._map, at + KEY)

    def remove(self, key: bytes) -> None:
        """Forget what is kept under a key."""
        with self._turn, self._locked():
            at = self._find(key)
            if at is not None:
                self._map[at : at + self._size] = bytes(self._size)

    def close(self) -> None:
        """Give the file back; nothing else can be called afterwards."""
        self._map.close()
        if self._file >= 0:
            os.close(self._file)

    def _set(self, key: bytes) -> int:
        number = (int.from_bytes(key[:8], "little") ^ int.from_bytes(key[8:], "little")) % self._sets
        return _HEADER.size + number * _WAYS * self._size

    def _find(self, key: bytes) -> int | None:
        start = self._set(key)
        end = start + _WAYS * self._size
        at = self._map.find(key, start, end)
        while at >= 0 and (at - start) % self._size:  # the same bytes inside a record
            at = self._map.find(key, at + 1, end)
        return at if at >= 0 else None

    def _poorest(self, key: bytes) -> int:
        start, empty = self._set(key), bytes(KEY)
        places = [start + way * self._size for way in range(_WAYS)]
        for at in places:
            if self._map[at : at + KEY] == empty:
                return at
        return min(places, key=lambda at: self._worth(self._record.unpack_from(self._map, at + KEY)))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._file < 0:
            yield
            return
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


def _opened(path: Path, header: bytes, length: int) -> int:
    """Open the file, made anew if it is not there or not such a table; of several makers one wins."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            with contextlib.suppress(FileNotFoundError):
                file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                if _fits(file, header, length):
                    return file
                os.close(file)
                path.unlink(missing_ok=True)
            draft, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            try:
                os.posix_fallocate(draft, 0, length)  # a page that the disk has no room for would kill the process
                os.pwrite(draft, header, 0)
                with contextlib.suppress(FileExistsError):
                    os.link(name, path)
            finally:
                os.close(draft)
                Path(name).unlink()
    except OSError as error:
        raise NoSuchFile(f"the table {path.name} in the data folder cannot be made: {error.strerror}") from None


def _fits(file: int, header: bytes, length: int) -> bool:
    layout = 16  # magic, size of a record, number of sets; then comes the secret
    return os.fstat(file).st_size == length and os.pread(file, layout, 0) == header[:layout]
