"""The indices: explicit, strict mappings of core field types, numbered, behind aliases; made at the first start.

``<prefix>-log`` is the write-ahead log of numbered entries, ``<prefix>-objects`` holds the changes, the control
documents and the barrier, ``<prefix>-ledger`` the ledger. The names are aliases of ``<prefix>-log-1`` and so on, so
that a later mapping version can be filled beside the one in use.
"""

from __future__ import annotations

from typing import Any

import elasticsearch

from hub.errors import NoSuchFile, StoreVersion
from hub.store.elastic.cluster import Cluster, Index
from hub.store.elastic.faults import mapped

MAPPING = 1
"""Version of the mappings below: a number higher for every change that existing indices do not take."""
PAGE = 20_000
"""Documents that one search may return."""
LONGEST_TERM = 8000
"""Characters of a term that is indexed: four bytes each stay below Lucene's limit of 32,766 bytes."""

_UNINDEXED = {"type": "object", "enabled": False}
_TERM = {"type": "keyword", "doc_values": False, "ignore_above": LONGEST_TERM}
_SORTED = {"type": "keyword", "ignore_above": LONGEST_TERM}
_NUMBER = {"type": "long", "doc_values": False}
_ORDER = {"type": "long"}

MAPPINGS: dict[Index, dict[str, Any]] = {
    "log": {"uid": _UNINDEXED, "confirmed": _UNINDEXED, "entry": _UNINDEXED},
    "objects": {
        # What a document is: put, removed, withdraw, head, document, places, barrier, intent, gone.
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
        # What it is found by.
        "tokens": _TERM,
        "keys": _TERM,
        "match": _TERM,
        "created": _NUMBER,
        "valid_until": _NUMBER,
        "confidence": _NUMBER,
        "revoked": _NUMBER,
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
_SETTINGS: dict[Index, dict[str, Any]] = {
    "log": {"refresh_interval": "-1"},
    "objects": {"refresh_interval": "-1", "max_result_window": PAGE},
    "ledger": {"refresh_interval": "-1", "max_result_window": PAGE},
}


def prepare(cluster: Cluster, replicas: int, *, create: bool) -> None:
    """Make the indices that are not there, also when several processes do so at once.

    Args:
        cluster: where. replicas: further copies of each index that is made. create: whether they are made at all.

    Raises:
        NoSuchFile: they are not there, and ``create`` is off.
        StoreVersion: the indices are somebody else's, or of a newer version of the hub.
    """
    with mapped():
        found = _mappings(cluster)
        missing = [index for index in MAPPINGS if index not in found]
        if missing and not create:
            raise NoSuchFile("there is no store of that name in Elasticsearch")
        for index in missing:
            _make(cluster, index, replicas)
        if missing:
            found = _mappings(cluster)
    for mapping in found.values():
        version = mapping.get("_meta", {}).get("threathub")
        if not isinstance(version, int):
            raise StoreVersion("An index of that name is there but not one of City Threat Hub; choose another prefix.")
        if version > MAPPING:
            raise StoreVersion("The indices are of a newer version of City Threat Hub; install that version or newer.")


def _mappings(cluster: Cluster) -> dict[Index, dict[str, Any]]:
    """Return the mappings of the indices that are there."""
    names = [cluster.name(index) for index in MAPPINGS]
    answer = cluster.again(lambda: cluster.client.indices.get_mapping(index=names, ignore_unavailable=True))
    return {
        index: one["mappings"]
        for index in MAPPINGS
        for name, one in answer.items()
        if name.rpartition("-")[0] == cluster.name(index)
    }


def _make(cluster: Cluster, index: Index, replicas: int) -> None:
    name = cluster.name(index)
    try:
        cluster.again(
            lambda: cluster.client.indices.create(
                index=f"{name}-{MAPPING}",
                aliases={name: {"is_write_index": True}},
                mappings={"dynamic": "strict", "_meta": {"threathub": MAPPING}, "properties": MAPPINGS[index]},
                settings={
                    "number_of_shards": 1,
                    "number_of_replicas": replicas,
                    "translog.durability": "request",
                    **_SETTINGS[index],
                },
            )
        )
    except elasticsearch.BadRequestError as error:
        # Another process was quicker.
        if error.error != "resource_already_exists_exception":
            raise
