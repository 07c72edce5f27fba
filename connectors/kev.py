"""CISA's catalogue of known exploited vulnerabilities (KEV) as STIX vulnerability objects (FORMATS.md section 4)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import orjson

from connectors.contract import Item, Portion
from connectors.documents import DocumentSettings, documents, kept, text_of
from connectors.http import Http
from connectors.rows import moment
from hub.errors import NotThatFormat
from hub.model.ids import derived_id
from hub.model.items import BadItem, StixItem
from hub.model.times import format_timestamp

CATALOGUE = "https://www.cisa.gov/known-exploited-vulnerabilities-catalog"
MAX_CATALOGUE = 16 << 20
"""Bytes of a catalogue; it has about 1.5 MB."""

_CVE = re.compile(r"CVE-\d{4}-\d{4,19}", re.ASCII)
_URL = re.compile(r"https?://[^\s;]+")


class Kev:
    """The connector ``kev``.

    Entries change after publication, so an entry is known by its content: one that is new has its ``dateAdded`` as
    ``modified``, one that changed since the cursor the ``dateReleased`` of the catalogue that brought the change, one
    that did not change is not yielded.
    """

    name: ClassVar[str] = "kev"
    Settings: ClassVar[type[DocumentSettings]] = DocumentSettings

    def fetch(self, settings: DocumentSettings, cursor: dict[str, Any], http: Http) -> Iterator[Portion]:
        """Yield what is new or changed since the cursor, which holds a digest of each entry."""
        known: dict[str, str] = cursor.get("entries", {})
        for document in documents(settings, cursor.get("document", {}), http):
            items: Iterator[Item] = iter(())
            if document.stream is not None:
                catalogue = _catalogue(document.stream, document.name)
                items = _items(catalogue, known)
                known = {name: _digest(entry) for name, entry in catalogue.named()}
            yield Portion(items, {"document": document.cursor, "entries": known})

    def read(self, settings: DocumentSettings, stream: BinaryIO, name: str) -> Iterator[Item]:  # noqa: ARG002
        """Yield every entry of one catalogue, each with its ``dateAdded`` as ``modified``."""
        return _items(_catalogue(stream, name), {})


@dataclass(frozen=True, slots=True)
class _Catalogue:
    name: str
    released: int
    entries: list[Any]

    def named(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for entry in self.entries:
            if isinstance(entry, dict) and isinstance(entry.get("cveID"), str):
                yield entry["cveID"], entry


def _catalogue(stream: BinaryIO, name: str) -> _Catalogue:
    body = text_of(stream, name).read(MAX_CATALOGUE + 1)
    if len(body) > MAX_CATALOGUE:
        raise NotThatFormat(f"{name} has more than {MAX_CATALOGUE >> 20} MB; not read")
    try:
        document = orjson.loads(body)
        return _Catalogue(name, moment(document["dateReleased"]), list(document["vulnerabilities"]))
    except orjson.JSONDecodeError as fault:
        raise NotThatFormat(f"{name} is not JSON or breaks off: {fault}") from None
    except (KeyError, TypeError, ValueError):
        raise NotThatFormat(f"{name} is not a catalogue of known exploited vulnerabilities") from None


def _items(catalogue: _Catalogue, known: Mapping[str, str]) -> Iterator[Item]:
    for number, entry in enumerate(catalogue.entries, 1):
        place = f"{catalogue.name} entry {number}"
        try:
            digest = known.get(entry["cveID"])
            if digest is None or digest != _digest(entry):
                yield StixItem(orjson.dumps(_vulnerability(entry, catalogue.released if digest else None)), place)
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            yield BadItem(kept(orjson.dumps(entry)), "bad-record", f"{place} lacks or garbles a field: {fault}", place)


def _vulnerability(entry: Mapping[str, Any], changed: int | None) -> dict[str, Any]:
    """Make the object. ``changed`` is when the change became known, or None for an entry seen for the first time.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: the entry is not as CISA writes it.
    """
    name = entry["cveID"]
    if not _CVE.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is no CVE number")
    added = moment(entry["dateAdded"])
    ransomware = entry.get("knownRansomwareCampaignUse") == "Known"
    notes = dict.fromkeys(url.rstrip(".,)") for url in _URL.findall(entry.get("notes", "")))
    return {
        "type": "vulnerability",
        "spec_version": "2.1",
        "id": derived_id("vulnerability", "cisa-kev", name),
        "created": format_timestamp(added, 3),
        "modified": format_timestamp(max(added, changed or 0), 3),
        "name": name,
        "description": " ".join(
            text
            for text in (
                f"{entry['vulnerabilityName']}.",
                entry.get("shortDescription", ""),
                f"Product: {entry['vendorProject']} {entry['product']}.",
                f"Required action: {entry.get('requiredAction', '')}",
                f"Due date: {entry['dueDate']}." if entry.get("dueDate") else "",
            )
            if text
        ),
        "labels": ["known-exploited", *(["known-ransomware-use"] if ransomware else [])],
        "external_references": [
            {"source_name": "cve", "external_id": name},
            {"source_name": "cisa-kev", "url": CATALOGUE},
            *({"source_name": "cwe", "external_id": weakness} for weakness in entry.get("cwes", ())),
            *({"source_name": "cisa-kev-note", "url": url} for url in notes),
        ],
    }


def _digest(entry: Any) -> str:
    return hashlib.sha256(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]
