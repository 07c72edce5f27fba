"""Made-up indicators of about 918 bytes and the stores that hold them; the same every time."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import orjson

from hub.admission.gate import Gate
from hub.admission.warninglists import WarningLists
from hub.model.audience import TLP, Audience
from hub.model.observables import Observable
from hub.model.tokens import tokens_of
from hub.store.ports import Batch, Draft, Store
from hub.store.sqlite.engine import SqliteStore

ROOT = Path(__file__).parents[1]
COLLECTION = "partner-indicators"
AUDIENCE = Audience("bench", TLP.GREEN)
TIME = "2026-04-06T20:03:48.000Z"
MOMENT = 1_775_505_828_000_000
_FIRST_ADDRESS = int(ipaddress.IPv4Address("20.0.0.1"))
_TEXT = (
    "Seen as command and control of a botnet that targets water utilities; reported by a partner organisation "
    "with medium confidence after an incident in its own network."
)


def address(number: int) -> str:
    """Return the number-th address."""
    return str(ipaddress.IPv4Address(_FIRST_ADDRESS + number * 7))


def indicator(number: int) -> dict[str, object]:
    """Return the number-th indicator."""
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.UUID(int=number + (4 << 76) + (1 << 127), version=4)}",
        "created": TIME,
        "modified": TIME,
        "name": f"Command and control {number}",
        "description": _TEXT,
        "indicator_types": ["malicious-activity", "anomalous-activity"],
        "pattern": f"[ipv4-addr:value = '{address(number)}']",
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": TIME,
        "valid_until": "2027-04-06T20:03:48.000Z",
        "confidence": 70,
        "labels": ["botnet", "c2"],
        "kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": "command-and-control"}],
        "external_references": [{"source_name": "partner", "url": f"https://partner.example/report/{number}"}],
        "object_marking_refs": ["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"],
    }


def bodies(number: int, start: int = 0) -> Iterator[bytes]:
    """Yield indicators as JSON."""
    return (orjson.dumps(indicator(one)) for one in range(start, start + number))


def draft(number: int, *, searched: bool = True) -> Draft:
    """Return the number-th indicator as the gate would hand it to the store, or without what only search reads."""
    made = indicator(number)
    observable = Observable("ipv4-addr", address(number))
    tokens = tokens_of(made, collection=COLLECTION, source="feed:bench", observables=(observable,)) if searched else ()
    return Draft(
        collection=COLLECTION,
        id=str(made["id"]),
        type="indicator",
        spec_version="2.1",
        version=MOMENT,
        version_text=TIME,
        body=orjson.dumps(made),
        audience=AUDIENCE,
        source="feed:bench",
        observables=(observable.key,),
        matchable=True,
        tokens=tokens,
        created=MOMENT,
        confidence=70,
    )


def fill(path: Path, number: int, *, searched: bool = True) -> SqliteStore:
    """Return a store that holds so many indicators, which can be searched by words or (faster) cannot."""
    store = SqliteStore(path)
    load(store, number, searched=searched)
    return store


def load(store: Store, number: int, *, searched: bool = True, together: int = 1000) -> None:
    """Put so many indicators into a store, ``together`` in each commit."""
    drafts = (draft(one, searched=searched) for one in range(number))
    while batch := list(islice(drafts, together)):
        store.commit(Batch(drafts=batch))


def gate(store: Store, cache: Path) -> Gate:
    """Return the gate that a hub would put in front of the store."""
    return Gate(store, WarningLists.load(ROOT / "rules", None, cache=cache), home="city")
