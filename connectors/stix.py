"""STIX from files, folders and addresses: bundles of 2.0 and 2.1, TAXII envelopes, bare objects and arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

from connectors.contract import Item, Portion
from connectors.documents import DocumentSettings, portions, text_of
from connectors.envelopes import objects_of
from connectors.http import Http

SUFFIXES = (".json", ".stix", ".stix2")


class Stix:
    """The connector ``stix``."""

    name: ClassVar[str] = "stix"
    Settings: ClassVar[type[DocumentSettings]] = DocumentSettings

    def fetch(self, settings: DocumentSettings, cursor: dict[str, Any], http: Http) -> Iterator[Portion]:
        """Yield the objects of each document that changed since the cursor."""
        return portions(self.read, settings, cursor, http, SUFFIXES)

    def read(self, settings: DocumentSettings, stream: BinaryIO, name: str) -> Iterator[Item]:  # noqa: ARG002
        """Yield the objects of one document, their bytes untouched."""
        return objects_of(text_of(stream, name), name)
