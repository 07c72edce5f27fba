"""Small drafts, audiences and readers for the tests of the store contract."""

from __future__ import annotations

import json
from typing import Any

from hub.model.audience import TLP, Audience, Reader
from hub.store.ports import Draft, Scope

OPEN = Audience("city")
FOR_WATER = Audience("city", TLP.AMBER, groups=("water",))
CITY_ONLY = Audience("city", TLP.RED)
AUDIENCES = (OPEN, FOR_WATER, CITY_ONLY)

COLLECTIONS = frozenset({"a", "b"})
STRANGER = Scope(Reader("shop"), COLLECTIONS)
WATER = Scope(Reader("waterworks", groups=frozenset({"water"})), COLLECTIONS)
ANALYST = Scope(Reader("city", home=True, analyst=True), COLLECTIONS)
SCOPES = (STRANGER, WATER, ANALYST)


def body_of(id: str, version: int, note: str = "") -> bytes:
    """Return the bytes of a small object."""
    return json.dumps({"id": id, "version": version, "note": note}, separators=(",", ":")).encode()


def draft(id: str = "indicator--1", version: int = 1, **changes: Any) -> Draft:
    """Return a draft for collection ``a`` that everybody may see, with any field changed."""
    values: dict[str, Any] = {
        "collection": "a",
        "id": id,
        "type": id.partition("--")[0],
        "spec_version": "2.1",
        "version": version,
        "version_text": f"v{version}",
        "body": body_of(id, version),
        "audience": OPEN,
        "source": "feed:test",
    }
    return Draft(**(values | changes))


def objects(joined: bytes) -> list[tuple[str, int]]:
    """Return (id, version) of the objects in a page's bytes, in order."""
    return [(one["id"], one["version"]) for one in json.loads(b"[" + joined + b"]")]
