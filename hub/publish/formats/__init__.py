"""Output formats, one file each: a module with ``NAME``, ``MEDIA_TYPE`` and ``write(entries)``; found by itself."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Protocol, cast

from hub.publish.entries import Entry


class OutputFormat(Protocol):
    """What a format's module offers."""

    NAME: str
    MEDIA_TYPE: str

    def write(self, entries: Iterable[Entry]) -> Iterator[str]:
        """Yield the text of a list, line by line."""
        ...


@functools.cache
def output_formats() -> Mapping[str, OutputFormat]:
    """Return every format by name."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    found = {module.NAME: cast(OutputFormat, module) for module in modules}
    return MappingProxyType(dict(sorted(found.items())))
