"""Real parts for tests of admission: an SQLite store, the shipped warning lists, a gate, and a plain indicator."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.admission.gate import Gate, Item, Origin, Receipt, Result
from hub.admission.quarantine import Quarantine
from hub.model.items import StixItem
from hub.store.moving import Movable
from hub.store.ports import HUB, PageQuery, SearchQuery, Versions
from hub.store.query import parse

ROOT = Path(__file__).parents[2]
PARTNER = Origin("user:maria", "partner", ("inbox",))
OTHER = Origin("user:otto", "other", ("inbox",))
CITY = "city"


def indicator(**said: Any) -> dict[str, Any]:
    """Return a valid STIX 2.1 indicator; ``said`` replaces properties, and None takes one away."""
    made = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": "2026-01-02T03:04:05.678Z",
        "modified": "2026-01-02T03:04:05.678Z",
        "name": "evil.example",
        "indicator_types": ["malicious-activity"],
        "pattern": "[domain-name:value = 'evil.example']",
        "pattern_type": "stix",
        "valid_from": "2026-01-02T03:04:05.678Z",
    }
    made |= said
    return {name: value for name, value in made.items() if value is not None}


def item(obj: Any, place: str = "object") -> StixItem:
    """Return an object as a source hands it over; bytes go as they are."""
    raw = obj if isinstance(obj, bytes) else json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()
    return StixItem(raw, place)


@dataclass
class Parts:
    """A gate and the store behind it."""

    store: Movable
    gate: Gate

    @property
    def quarantine(self) -> Quarantine:
        return Quarantine(self.store)

    def admit(self, items: Iterable[Item], origin: Origin = PARTNER) -> Receipt:
        receipt = self.gate.admit(list(items), origin)
        assert receipt.fetched == len(receipt.results)
        assert receipt.fetched == receipt.stored + receipt.unchanged + receipt.merged + receipt.quarantined
        return receipt

    def one(self, obj: Any, origin: Origin = PARTNER) -> Result:
        """Admit one object."""
        return self.admit([item(obj)], origin).results[0]

    def bodies(self, collection: str = "inbox") -> list[bytes]:
        """Return every version that a collection carries."""
        found: list[bytes] = []
        after = 0
        while True:
            page = self.store.read_objects(
                HUB, PageQuery(collection, after=after, versions=Versions(last=False, all=True), limit=1)
            )
            if not page.count:
                return found
            found.append(page.joined)
            after = page.last

    def tokens(self, query: str) -> list[str]:
        """Return the ids that a search finds."""
        return [change.id for change in self.store.search(HUB, SearchQuery(parse(query))).changes]
