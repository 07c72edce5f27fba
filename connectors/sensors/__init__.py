"""The log formats of the city's sensors: one file per format, found by itself."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, cast

from connectors.inflate import GZIP, decompressed
from connectors.sensors.records import LogFormat
from hub.errors import NoSuchFile

MAX_LOG = 1 << 36
"""Bytes that one compressed log may become; it is never held in memory, this only stops a bomb."""


@functools.cache
def formats() -> Mapping[str, LogFormat]:
    """Return every format by its name, with UTC for times that name no zone.

    A format is a class in a module of this package that is derived from `LogFormat`; a new file is found by itself.
    """
    found: dict[str, LogFormat] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, LogFormat) and not inspect.isabstract(one):
                found[one.name] = one()
    return MappingProxyType(dict(sorted(found.items())))


def recognise(head: bytes) -> LogFormat | None:
    """Return the format that the first bytes (decompressed, some thousand) of a log look like, or None."""
    return next((form for form in formats().values() if form.beginning.search(head)), None)


@contextmanager
def open_log(path: Path) -> Iterator[BinaryIO]:
    """Open a log for reading from its beginning; gzip is inflated as it is read, whatever the file is called.

    Raises:
        NoSuchFile: it cannot be opened.
        NotThatFormat: (while reading) the compressed data is damaged, truncated or a bomb.
    """
    try:
        stream = path.open("rb")
    except OSError as fault:
        raise NoSuchFile(f"the log {path.name} cannot be read: {fault.strerror}") from None
    with stream:
        packed = stream.read(len(GZIP)) == GZIP
        stream.seek(0)
        yield cast(BinaryIO, decompressed(stream, path.name, limit=MAX_LOG)) if packed else stream
