"""A STIX 2.1 bundle of the indicators, for tools that read files (STIX 2.1 section 8)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

import orjson

from hub.publish.entries import Entry

NAME = "stix"
MEDIA_TYPE = "application/stix+json;version=2.1"


def write(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield a bundle, one object a line; an indicator with several values comes once."""
    yield f'{{"type":"bundle","id":"bundle--{uuid.uuid4()}","objects":[\n'
    written: set[str] = set()
    for entry in entries:
        if entry.indicator["id"] not in written:
            comma = "," if written else ""
            written.add(entry.indicator["id"])
            yield f"{comma}{orjson.dumps(entry.indicator).decode()}\n"
    yield "]}\n"
