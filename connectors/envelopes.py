"""The objects of a STIX document: a bundle of 2.0 or 2.1, a TAXII envelope, an array, or one bare object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from connectors.cutting import Cutter
from hub.errors import NotThatFormat
from hub.model.items import KEPT, BadItem, StixItem

_TYPE = re.compile(rb'"type"\s*:\s*"([^"\\]*)"')
_STIX20 = re.compile(rb'"spec_version"\s*:\s*"2\.0"')


def objects_of(stream: BinaryIO, name: str, *, envelope: bool = False) -> Iterator[StixItem | BadItem]:
    """Yield the objects of a document, their bytes untouched.

    `StixItem.stix20` is set when the bundle says so before its objects; otherwise the object itself decides, because an
    object of 2.1 always says so (FORMATS.md section 1).

    Args:
        stream: the document, at its start. name: for places and messages.
        envelope: whether an object without ``objects`` is an envelope without any (TAXII 2.1 section 3.7).

    Raises:
        NotThatFormat: it is no such document, or breaks off; what came before was yielded.
    """
    cutter = Cutter(stream, name, key="objects")
    for number, value in enumerate(cutter.values(), 1):
        place = f"{name} object {number}"
        if value.stray or not value.raw.startswith(b"{"):
            yield BadItem(value.raw[:KEPT], "not-an-object", f"{place} is not a JSON object", place)
        else:
            yield StixItem(value.raw, place, _STIX20.search(cutter.head) is not None)
    if cutter.found or envelope:
        return
    found = _TYPE.search(cutter.head)
    if found is None:
        raise NotThatFormat(f"{name} is JSON but neither a STIX object, a bundle nor an array of objects")
    if found[1] != b"bundle":
        yield StixItem(cutter.head.strip(), f"{name} object 1")
