"""What is shown of a hit: counts and times, and the outside only.

Published are the indicator's own values, and single addresses inside a network that it names. Names and URLs below
an indicator's are not: they may carry what was stolen. The city's addresses, hosts and people are in the sample
events, which stay in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.correlate.index import KeySet
from hub.model.ids import derived_id, sco_id
from hub.model.observables import Observable
from hub.store.ports import LedgerRow

SHOWN: Final = 20
"""Values named as evidence of one sighting."""

MOST: Final = 999_999_999
"""The largest count that STIX allows (section 5.2)."""

_HASHES: Final = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}
_VALUED: Final = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "mac-addr"})
_ADDRESSES: Final = ("ipv4-addr:", "ipv6-addr:")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the ledger says of one indicator on one day; times in microseconds UTC."""

    count: int
    first: int
    last: int
    observables: tuple[str, ...]


def seen_on_day(rows: Iterable[LedgerRow]) -> Seen | None:
    """Add up ledger rows that fall under one indicator.

    One event has often several rows here: the host and the URL, or two hashes of a file. So for each sensor the
    kind with the most counts; rows of one kind are added.
    """
    by_kind: dict[tuple[str, str], int] = {}
    first, last, observables = None, 0, []
    for row in rows:
        sensor_kind = (row.key.sensor, row.key.observable.partition(":")[0])
        by_kind[sensor_kind] = by_kind.get(sensor_kind, 0) + row.total.number
        first = row.total.first if first is None else min(first, row.total.first)
        last = max(last, row.total.last)
        observables.append(row.key.observable)
    if first is None:
        return None
    by_sensor: dict[str, int] = {}
    for (sensor, _), number in by_kind.items():
        by_sensor[sensor] = max(by_sensor.get(sensor, 0), number)
    return Seen(sum(by_sensor.values()), first, last, tuple(sorted(set(observables))))


def shown_objects(named: Sequence[str], seen: Seen, refused: Callable[[str], bool]) -> list[dict[str, Any]]:
    """Make the STIX objects of what may be shown.

    Args:
        named: keys that the indicator names. seen: what fell under them.
        refused: whether a list forbids a value: own, reserved, top site.
    """
    own = KeySet(named)
    shown: dict[str, None] = {}
    for key in seen.observables:
        over = own.covers(key)
        in_network = key.startswith(_ADDRESSES) and any("/" in each for each in over)
        shown.update(dict.fromkeys([key] if in_network else over))
    allowed = [key for key in shown if not refused(key)]
    return [sco for key in allowed[:SHOWN] if (sco := sco_of(Observable.from_key(key)))]


def with_observed_data(
    sighting: dict[str, Any], common: Mapping[str, Any], evidence: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the sighting, and before it the observed-data (STIX 2.1 section 4.14) that says what it is based on."""
    if not evidence:
        return [sighting]
    observed = {
        "type": "observed-data",
        "id": derived_id("observed-data", sighting["id"]),
        **common,
        "first_observed": sighting["first_seen"],
        "last_observed": sighting["last_seen"],
        "number_observed": sighting["count"],
        "object_refs": [each["id"] for each in evidence],
    }
    return [observed, {**sighting, "observed_data_refs": [observed["id"]]}]


def sco_of(observable: Observable) -> dict[str, Any] | None:
    """Make the STIX object of a value, or None for a kind that has no plain one."""
    kind, value = observable
    family, _, algorithm = kind.partition("-")
    made: dict[str, Any]
    if kind in _VALUED:
        made = {"type": kind, "spec_version": "2.1", "value": value}
    elif family == "file" and algorithm in _HASHES:
        made = {"type": "file", "spec_version": "2.1", "hashes": {_HASHES[algorithm]: value}}
    else:
        return None
    name = sco_id(made)
    return {**made, "id": name} if name else None
