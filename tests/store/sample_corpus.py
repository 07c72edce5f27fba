"""The real sample data as a store holds it: let in through the gate for several audiences, then with some history."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from connectors.catalogue import all_connectors
from connectors.contract import Item
from connectors.feeds import load_feed
from connectors.http import Http
from hub.admission.gate import Gate
from hub.admission.origin import Origin
from hub.admission.warninglists import WarningLists
from hub.model.audience import TLP, Reader
from hub.store.ports import HUB, Batch, Draft, Outcome, Scope, Store, Withdrawal
from hub.store.sqlite.engine import SqliteStore
from tests.store.search_oracle import Stored

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "samples"
BUNDLES = (
    *sorted((SAMPLES / "search").glob("*.json.gz")),
    *sorted((SAMPLES / "model").glob("*.json")),
    SAMPLES / "stix" / "tweetfeed" / "input.json",
    SAMPLES / "stix" / "folder" / "input" / "rcs.stix2.gz",
)
LISTS = tuple(
    path.parent for kind in ("delimited", "json-list", "kev") for path in sorted((SAMPLES / kind).glob("*/feed.toml"))
)
COLLECTIONS = ("city", "partners", "vendor")
FROM: tuple[tuple[str, TLP, tuple[str, ...]], ...] = (
    ("city", TLP.CLEAR, ()),
    ("shop", TLP.GREEN, ()),
    ("waterworks", TLP.AMBER, ("water",)),
    ("shop", TLP.AMBER_STRICT, ()),
    ("hospital", TLP.RED, ("shop",)),
)
"""Who hands a source in, its traffic light, and whom it is addressed to; in turn."""

READERS = {
    "hub": HUB,
    "operator": Scope(Reader("city", home=True), None),
    "shop": Scope(Reader("shop"), frozenset({"city", "partners"})),
    "water": Scope(Reader("grid", groups=frozenset({"water"})), frozenset(COLLECTIONS)),
}


class _Recording(SqliteStore):
    """A store that remembers what it was told to write."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.batches: list[Batch] = []

    def commit(self, batch: Batch) -> list[Outcome]:
        self.batches.append(batch)
        return super().commit(batch)


def batches(folder: Path) -> list[Batch]:
    """Return what the gate and later events write, in order."""
    store = _Recording(folder / "made.sqlite")
    gate = Gate(store, WarningLists.load(ROOT / "rules", None, cache=ROOT / ".pytest_cache" / "lists"), "city")
    for number, (name, items) in enumerate((*_bundles(), *_lists())):
        organisation, marking, groups = FROM[number % len(FROM)]
        collection = COLLECTIONS[number % len(COLLECTIONS)]
        gate.admit(items, Origin(f"feed:{name}", organisation, (collection,), marking, groups))
    store.close()
    drafts = [draft for batch in store.batches for draft in batch.drafts]
    written = [Batch(some) for some in _portions(drafts, 200)]
    return [*written, *(Batch(some) for some in _portions(_later(drafts), 60)), _taken_away(drafts)]


def _portions(drafts: Sequence[Draft], size: int) -> Iterator[list[Draft]]:
    left = iter(drafts)
    while some := list(islice(left, size)):
        yield some


def _bundles() -> Iterator[tuple[str, list[Item]]]:
    stix = all_connectors()["stix"]
    for path in BUNDLES:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        yield (
            path.name.partition(".")[0].lower(),
            list(stix.read(stix.Settings.model_validate({"path": path}), io.BytesIO(content), path.name)),
        )


def _lists() -> Iterator[tuple[str, list[Item]]]:
    for folder in LISTS:
        connector, settings = load_feed(folder / "feed.toml").parts()
        yield folder.name, [item for portion in connector.fetch(settings, {}, Http()) for item in portion.items]


def _later(drafts: Sequence[Draft]) -> list[Draft]:
    """Return newer versions for other eyes, and copies in a second collection, of some objects."""
    newer = [
        replace(
            _placed(draft, draft.collection, drafts[-at]),
            version=draft.version + 1,
            body=json.dumps({"id": draft.id, "note": "revised"}).encode(),
            revoked=at % 2 == 0,
        )
        for at, draft in enumerate(drafts)
        if at % 9 == 5
    ]
    copies = [_placed(draft, "partners", drafts[at - 300]) for at, draft in enumerate(drafts) if at % 11 == 3]
    return newer + [copy for copy in copies if copy.id not in {draft.id for draft in newer}]


def _placed(draft: Draft, collection: str, other: Draft) -> Draft:
    """Return a draft as if it had come for the audience of another one, and into a collection."""
    audience = other.audience
    told = {"collection": collection, "tlp": audience.tlp.name.lower(), "owner": audience.owner, "label": "revised"}
    kept = [token for token in draft.tokens if not token.startswith(("collection=", "tlp=", "owner="))]
    tokens = dict.fromkeys([*kept, *(f"{name}={value}" for name, value in told.items()), "w=revised"])
    return replace(draft, collection=collection, audience=audience, tokens=tuple(tokens))


def _taken_away(drafts: Sequence[Draft]) -> Batch:
    return Batch(withdrawals=[Withdrawal(draft.collection, draft.id) for draft in drafts[4::29]])


def filled(store: Store, written: Sequence[Batch]) -> list[Stored]:
    """Write batches into a store; return the versions that are live then."""
    live: dict[tuple[str, str, str, int], Stored] = {}
    for batch in written:
        for draft, outcome in zip(batch.drafts, store.commit(batch), strict=True):
            if outcome.result == "stored":
                key = (draft.collection, draft.id, draft.spec_version, draft.version)
                live[key] = Stored(draft, outcome.date_added, outcome.position)
        gone = {(one.collection, one.id) for one in batch.withdrawals}
        live = {key: one for key, one in live.items() if key[:2] not in gone}
    return list(live.values())
