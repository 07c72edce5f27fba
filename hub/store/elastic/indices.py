"""The indices: explicit, strict mappings of core field types, versioned, behind aliases.

``<prefix>-log`` is the write-ahead log of numbered entries. ``<prefix>-objects-G`` holds the changes, the control
documents and the barrier, ``<prefix>-ledger-G-2026.11`` a month of the ledger. These are aliases; the index behind one
also says the version of its mapping in its name (``<prefix>-objects-1-v1``). G numbers the generations of indices:
another mapping or another number of shards needs new ones, that are filled beside those in use
(`hub.store.elastic.upgrade`).
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

import elasticsearch

from hub.errors import NoSuchFile, StoreVersion
from hub.store.elastic.cluster import Cluster
from hub.store.elastic.faults import mapped, missing
from hub.store.elastic.names import Marks, marks

MAPPING = 1
"""Version of the mappings below: a number higher for every change that existing indices do not take."""
PAGE = 20_000
"""Documents that one search may return."""
MOST_MARKS = 2 * 64
"""Barriers and intents that come before them, of as many shards as the settings allow."""
LONGEST_TERM = 8000
"""Characters of a term that is indexed: four bytes each stay below Lucene's limit of 32,766 bytes."""

_FOREIGN = "An index of that name is there but not one of City Threat Hub; choose another prefix."
Part = Literal["log", "objects", "ledger"]

_UNINDEXED = {"type": "object", "enabled": False}
_TERM = {"type": "keyword", "doc_values": False, "ignore_above": LONGEST_TERM}
_SORTED = {"type": "keyword", "ignore_above": LONGEST_TERM}
_NUMBER = {"type": "long", "doc_values": False}
_ORDER = {"type": "long"}
_COUNTED = {"type": "keyword", "index": False}
_DATED = {"type": "date", "format": "epoch_millis", "index": False}

MAPPINGS: dict[Part, dict[str, Any]] = {
    "log": {"uid": _UNINDEXED, "confirmed": _UNINDEXED, "entry": _UNINDEXED},
    "objects": {
        # What a document is: put, removed, withdraw, document, places, barrier, intent, gone.
        "what": _TERM,
        # Positions, and the same from behind, so that the barrier comes first whichever way is asked for.
        "pos": _ORDER,
        "back": _ORDER,
        "date": _NUMBER,
        "id": _SORTED,
        "type": _TERM,
        "version": _NUMBER,
        # Numbers of places (`hub.store.elastic.places`): its own, and those of versions that stand before or behind it.
        "place": _SORTED,
        "newer": _TERM,
        "older": _TERM,
        "newer_spec": _TERM,
        "later": _TERM,
        # Whether it is between others of its own place (`hub.store.elastic.versions`).
        "inner": _TERM,
        # What it is found by.
        "tokens": _TERM,
        "keys": _SORTED,
        "match": _TERM,
        "created": _NUMBER,
        "valid_until": _NUMBER,
        "confidence": _NUMBER,
        "revoked": _NUMBER,
        # What it is counted by (`hub.store.facets`).
        "facets": _COUNTED,
        "date_ms": _DATED,
        "created_ms": _DATED,
        # Control documents.
        "kind": _SORTED,
        "key": _SORTED,
        "expires": _NUMBER,
        # All that is only given back.
        "doc": _UNINDEXED,
    },
    "ledger": {"key": _SORTED, "sensor": _SORTED, "day": _ORDER, "doc": _UNINDEXED},
}
# Searches see what the barrier's own refresh showed them and nothing in between.
_SETTINGS: dict[Part, dict[str, Any]] = {
    "log": {"refresh_interval": "-1"},
    "objects": {
        "refresh_interval": "-1",
        "max_result_window": PAGE + MOST_MARKS,
        "max_inner_result_window": MOST_MARKS,
    },
    "ledger": {"refresh_interval": "-1", "max_result_window": PAGE},
}


class Layout(NamedTuple):
    """How indices are made.

    Attributes:
        shards: parts that each index is divided into. replicas: further copies of each.
        mapping: the version of the mappings.
    """

    shards: int = 1
    replicas: int = 1
    mapping: int = MAPPING


ALONE = Layout()
"""One shard with a copy."""


class Generation(NamedTuple):
    """Indices with the data of a store.

    Attributes:
        number: which generation. objects: name of the index. ledger: what the names of the ledger's begin with.
        mapping: the version of their mappings. shards: how many parts each has.
        marks: ids of the documents that say how far things are, in every index.
        fields: what a document of the objects' index may have.
    """

    number: int
    objects: str
    ledger: str
    mapping: int
    shards: int
    marks: Marks
    fields: frozenset[str]

    def month(self, name: str) -> str:
        """Return the name of a month's index of the ledger."""
        return f"{self.ledger}-{name}"

    @property
    def all_months(self) -> str:
        """All indices of the ledger, also those that are about to be deleted."""
        return f"{self.ledger}-*"


def log_of(cluster: Cluster) -> str:
    """Return the name of the index with the log."""
    return f"{cluster.prefix}-log"


def prepare(cluster: Cluster, layout: Layout, *, create: bool) -> dict[int, Generation]:
    """Make the indices that are not there, also when several processes do so at once; return the generations.

    Args:
        cluster: where. layout: of what is made. create: whether anything is made at all.

    Raises:
        NoSuchFile: they are not there, and ``create`` is off. Missing: only the log is not there.
        StoreVersion: the indices are somebody else's, or of a newer version of the hub.
    """
    found = generations(cluster)
    if found:
        # The log was made before them.
        if not _exists(cluster, log_of(cluster)):
            raise missing()
        return found
    if not create:
        raise NoSuchFile("there is no store of that name in Elasticsearch")
    make(cluster, "log", log_of(cluster), layout._replace(shards=1))
    make_generation(cluster, 1, layout)
    return generations(cluster)


def make_generation(cluster: Cluster, number: int, layout: Layout) -> None:
    """Make the empty index of a generation's objects."""
    make(cluster, "objects", _name(cluster, "objects", number), layout)


def make_month(cluster: Cluster, generation: Generation, month: str, replicas: int) -> None:
    """Make the empty index of a month of the ledger, if it is not there."""
    make(cluster, "ledger", generation.month(month), Layout(generation.shards, replicas, generation.mapping))


def drop_months(cluster: Cluster, before: str) -> None:
    """Delete the indices of the ledger of months before one, in every generation."""
    pattern = re.compile(rf"{re.escape(cluster.prefix)}-ledger-\d+-(\d{{4}}\.\d\d)-v\d+")
    with mapped():
        found = cluster.again(lambda: cluster.client.indices.get(index=f"{cluster.prefix}-ledger-*"))
        for index in found:
            match = pattern.fullmatch(index)
            if match and match[1] < before:
                cluster.client.indices.delete(index=index, ignore_unavailable=True)


def drop_generation(cluster: Cluster, number: int) -> None:
    """Delete the indices of a generation; that of the objects last, because it says which generation is read."""
    with mapped():
        for pattern in (f"{cluster.prefix}-ledger-{number}-*", f"{cluster.prefix}-objects-{number}-v*"):
            for index in cluster.again(lambda: cluster.client.indices.get(index=pattern)):  # noqa: B023
                cluster.client.indices.delete(index=index, ignore_unavailable=True)


def generations(cluster: Cluster) -> dict[int, Generation]:
    """Return the generations that are there, by their numbers.

    Raises:
        StoreVersion: an index is somebody else's, or of a newer version of the hub.
    """
    pattern = re.compile(rf"{re.escape(cluster.prefix)}-objects-(\d+)-v\d+")
    found = {}
    with mapped():
        answer = cluster.again(lambda: cluster.client.indices.get(index=f"{cluster.prefix}-objects-*"))
    for name, index in answer.items():
        if match := pattern.fullmatch(name):
            number = int(match[1])
            found[number] = _generation(cluster, number, index["mappings"], index["settings"]["index"])
    return found


def _generation(cluster: Cluster, number: int, mappings: dict[str, Any], settings: dict[str, Any]) -> Generation:
    version = mappings.get("_meta", {}).get("threathub")
    if not isinstance(version, int):
        raise StoreVersion(_FOREIGN)
    if version > MAPPING:
        raise StoreVersion("The indices are of a newer version of City Threat Hub; install that version or newer.")
    shards = int(settings["number_of_shards"])
    return Generation(
        number,
        _name(cluster, "objects", number),
        _name(cluster, "ledger", number),
        version,
        shards,
        marks(shards),
        frozenset(mappings["properties"]),
    )


def _name(cluster: Cluster, part: Part, generation: int) -> str:
    return f"{cluster.prefix}-{part}-{generation}"


def _exists(cluster: Cluster, name: str) -> bool:
    with mapped():
        return bool(cluster.client.indices.exists_alias(name=name))


def make(cluster: Cluster, part: Part, name: str, layout: Layout) -> None:
    """Make an index and the alias that it is read and written by, unless another process was quicker."""
    with mapped():
        try:
            cluster.again(
                lambda: cluster.client.indices.create(
                    index=f"{name}-v{layout.mapping}",
                    aliases={name: {"is_write_index": True}},
                    mappings={
                        "dynamic": "strict",
                        "_meta": {"threathub": layout.mapping},
                        "properties": MAPPINGS[part],
                    },
                    settings={
                        "number_of_shards": layout.shards,
                        # A document's shard then depends on nothing else (`hub.store.elastic.names.shard_of`).
                        "number_of_routing_shards": layout.shards,
                        "number_of_replicas": layout.replicas,
                        "translog.durability": "request",
                        **_SETTINGS[part],
                    },
                )
            )
        except elasticsearch.BadRequestError as error:
            if error.error == "invalid_alias_name_exception":
                raise StoreVersion(_FOREIGN) from error
            if error.error != "resource_already_exists_exception":
                raise
