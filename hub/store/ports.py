"""The store contract and its value types: what every engine does, and all that the rest of the hub knows of storage.

Words (DESIGN): a *change* is one stored version of one object in one collection, with its position in the change log.
Positions are unique and strictly rising and become visible in order; ``date_added`` (microseconds, UTC) is stamped at
commit, unique, and follows the positions. A reader that has read up to position p never later finds anything at or
before p.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from hub.model.audience import Audience, Purpose, Reader
from hub.model.events import Event

if TYPE_CHECKING:
    from hub.store.facets import FacetQuery, Facets
    from hub.store.query import Node

UNVERSIONED = 0
"""The version of an object that has neither ``modified`` nor ``created`` (SCOs): one constant, 1970-01-01."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a read may see; part of every store query, so also of counts, pages and headers.

    Attributes:
        reader: on whose behalf; None is the hub itself (correlation, publication), which sees every audience
            except farewells (`hub.model.audience.Audience.farewell_to`).
        collections: keys of the collections the reader may read; None is all of them (the hub itself).
        purpose: what for.
    """

    reader: Reader | None
    collections: frozenset[str] | None
    purpose: Purpose = "read"


HUB = Scope(None, None)
"""The scope of the hub's own work."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An admitted object version on its way into the store.

    Attributes:
        collection: key of the collection that carries it.
        id: STIX id. type: STIX type. spec_version: ``2.1`` or ``2.0``.
        version: microseconds of ``modified``, else ``created``, else `UNVERSIONED`.
        version_text: that time as the object spells it (``1970-01-01T00:00:00.000000Z`` for `UNVERSIONED`).
        body: the JSON bytes to be served, compact, untouched ever after.
        audience: who may see it.
        source: where it came from, by account and not by claim: ``feed:ipsum``, ``user:maria``, ``hub:correlate``.
        observables: canonical keys that it is found by.
        matchable: whether an event that has any one of ``observables`` is a hit (a live indicator with a single-value
            pattern); anything else is found by look-up but never matched.
        tokens: search tokens (`hub.model.tokens`), made once, here, for every engine.
        created: microseconds or None. valid_until: microseconds or None. revoked. confidence: 0-100 or None.
        original: the bytes it was made from when that was another specification version, else None.
    """

    collection: str
    id: str
    type: str
    spec_version: str
    version: int
    version_text: str
    body: bytes
    audience: Audience
    source: str
    observables: tuple[str, ...] = ()
    matchable: bool = False
    tokens: tuple[str, ...] = ()
    created: int | None = None
    valid_until: int | None = None
    revoked: bool = False
    confidence: int | None = None
    original: bytes | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Removal of an object, or of one version of it, from a collection (TAXII 2.1 section 5.7).

    The log gets a change that says so; the content is gone. The same version may be appended again later
    and is then new.
    """

    collection: str
    id: str
    version: int | None = None


class LedgerKey(NamedTuple):
    """What the ledger counts by. ``observable`` is a canonical key, ``day`` is days since the epoch, UTC."""

    observable: str
    sensor: str
    day: int


class LedgerCount(NamedTuple):
    """How often, and when first and last (microseconds, UTC)."""

    number: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One row of the ledger as read back, with up to `SAMPLES` of its events, earliest first."""

    key: LedgerKey
    total: LedgerCount
    samples: tuple[Event, ...] = ()


SAMPLES = 3
"""Sample events kept for each ledger row."""


@dataclass(frozen=True, slots=True)
class DocumentWrite:
    """Write, or with ``value=None`` delete, one small control document (users, cursors, leases, quarantine).

    Attributes:
        kind: what it is; key: which one. Both are plain text.
        value: its bytes (JSON), or None to delete it.
        expect: the version that must be there now; 0 = must not exist; None = whatever is there.
        expires: microseconds after which it may be forgotten, or None.
    """

    kind: str
    key: str
    value: bytes | None
    expect: int | None = None
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A control document as read: ``version`` rises with every write of this key, also across deletes."""

    kind: str
    key: str
    value: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Basis:
    """What a batch was made from: objects as they were read when the log ended at ``position``."""

    position: int
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one commit writes: everything or nothing, on disk before `Store.commit` returns.

    Attributes:
        drafts: object versions. withdrawals: removals, applied after the drafts.
        replaces: the withdrawals are applied before the drafts instead: what they take away may come again at once,
            as a change of its own, for another audience.
        ledger: counts to add. samples: events to keep as samples, each under the ledger keys it counts for, all of its
            day (engines keep the first `SAMPLES` of each key and drop the rest).
        documents: control documents; a failed ``expect`` fails the whole batch.
        basis: what was read before; a change of one of these objects since then fails the whole batch.
    """

    drafts: Sequence[Draft] = ()
    withdrawals: Sequence[Withdrawal] = ()
    ledger: Mapping[LedgerKey, LedgerCount] = field(default_factory=dict)
    samples: Mapping[LedgerKey, Sequence[Event]] = field(default_factory=dict)
    documents: Sequence[DocumentWrite] = ()
    basis: Basis | None = None
    replaces: bool = False


class Outcome(NamedTuple):
    """What became of one draft.

    ``stored``: a new change. ``unchanged``: the very same version was there. ``conflict``: the version was there with
    other content; the first stays. ``position`` and ``date_added`` are those of the change that holds the version now.
    """

    result: Literal["stored", "unchanged", "conflict"]
    position: int
    date_added: int


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the change log.

    ``action`` is ``put`` or ``withdraw``; a withdrawal has an empty body and the version it removed (None = all).
    """

    position: int
    date_added: int
    action: Literal["put", "withdraw"]
    collection: str
    id: str
    type: str
    spec_version: str
    version: int | None
    version_text: str
    body: bytes
    audience: Audience
    source: str
    matchable: bool


@dataclass(frozen=True, slots=True)
class Versions:
    """Which versions of each object to return (TAXII 2.1 section 3.4.1); alternatives combine by OR."""

    last: bool = True
    first: bool = False
    all: bool = False
    exact: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A page of one collection, in order of position.

    ``after`` is exclusive; ``added_after`` (microseconds, exclusive) too. Empty ``ids``, ``types`` and
    ``spec_versions`` mean any; with no ``spec_versions`` an object comes only in its latest specification version.
    """

    collection: str
    after: int = 0
    added_after: int | None = None
    ids: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    spec_versions: frozenset[str] = frozenset()
    versions: Versions = Versions()
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """Objects of a page, ready to serve: ``joined`` is their bodies with commas between.

    ``first_added`` and ``last_added`` are None and ``last`` is the query's own ``after`` on an empty page.
    """

    joined: bytes
    count: int
    last: int
    first_added: int | None
    last_added: int | None
    more: bool


class ManifestEntry(NamedTuple):
    """One record of a manifest or of a versions list."""

    position: int
    date_added: int
    id: str
    version_text: str
    spec_version: str


@dataclass(frozen=True, slots=True)
class ManifestPage:
    """Like `ObjectPage`, without the objects."""

    entries: tuple[ManifestEntry, ...]
    last: int
    more: bool


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A search over the latest visible version of every object (revoked ones included unless the tree says no).

    Attributes:
        tree: what to find (`hub.store.query.parse`).
        before: position to go on from, exclusive; None starts at the newest. limit: at most this many.
    """

    tree: Node
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Found changes, newest first; ``before`` goes into the next query, None at the end."""

    changes: tuple[Change, ...]
    before: int | None


class Head(NamedTuple):
    """Where the change log ends: the newest visible position and its date (0, 0 when empty)."""

    position: int
    date_added: int


class Store(Protocol):
    """What every engine does. All methods may be called from any thread; several processes may open one store.

    Raises (all methods): `StoreUnavailable`, `StoreFull`, `StoreCorrupt`. What `commit` returned stays, whatever is
    killed afterwards; what it did not return may or may not be there, and committing it again is safe.
    """

    def commit(self, batch: Batch) -> list[Outcome]:
        """Write a batch atomically and durably; one outcome per draft, in order.

        Raises:
            Conflict: a document's ``expect`` does not hold; nothing was written.
            Overtaken: the batch's ``basis`` does not hold; nothing was written.
        """
        ...

    def head(self) -> Head:
        """Return where the log ends now."""
        ...

    def check_writes(self) -> None:
        """Raise what a writer would get now, as far as that is known without writing anything.

        Raises:
            StoreUnavailable, StoreFull: nothing can be written.
        """
        ...

    def read_log(self, after: int, limit: int, *, types: frozenset[str] = frozenset()) -> list[Change]:
        """Read changes after a position in order, for the hub's own readers; ``types`` keeps only those types.

        Versions withdrawn since are left out; their withdrawals are not. A reader that asks for few types does well to
        go on from the `head` it read before, once nothing more comes.
        """
        ...

    def read_objects(self, scope: Scope, query: PageQuery) -> ObjectPage:
        """Read a page of a collection. A collection outside the scope is empty."""
        ...

    def read_manifest(self, scope: Scope, query: PageQuery) -> ManifestPage:
        """Read what `read_objects` would return, without bodies."""
        ...

    def get(self, scope: Scope, ids: Iterable[str]) -> dict[str, Change]:
        """Read the latest visible version of each id, over all collections of the scope; absent ids are left out.

        Here and in `search` and `lookup` the latest is the one with the highest specification version, then version,
        then position.
        """
        ...

    def history(self, scope: Scope, id: str) -> list[Change]:
        """Read every visible version of an object, over all collections of the scope, in order of position."""
        ...

    def original(self, scope: Scope, id: str, version: int) -> bytes | None:
        """Read the bytes an upgraded object was made from, if it was and the scope may see the object."""
        ...

    def search(self, scope: Scope, query: SearchQuery) -> SearchPage:
        """Find objects.

        Raises:
            BadQuery: the tree costs too much for this engine.
        """
        ...

    def facets(self, scope: Scope, query: FacetQuery) -> Facets:
        """Count what a search would find, whole, by type, source, label and so on, and by time.

        Raises:
            BadQuery: the tree costs too much for this engine, or there are too many different values.
        """
        ...

    def lookup(self, scope: Scope, observables: Iterable[str], *, limit_each: int = 100) -> dict[str, list[Change]]:
        """Find the latest visible version of the objects found by each canonical key, newest first, in bulk."""
        ...

    def match_keys(self, after: int, limit: int) -> list[tuple[int, str]]:
        """Read (position, canonical key) of matchable changes after a position, for the in-memory index.

        A page never splits a position: it may be a little longer than ``limit``.
        """
        ...

    def ledger(
        self, observables: Iterable[str], *, under: bool = False, since: int = 0, until: int | None = None
    ) -> list[LedgerRow]:
        """Read ledger rows of canonical keys from day ``since`` to day ``until``, inclusive, in order of their keys.

        With ``under``, also rows of what lies below: subdomains of a name, addresses in a network, URLs that begin with
        a URL, URLs at a host.
        """
        ...

    def forget(self, before: int) -> None:
        """Take everything before a day (since the epoch, UTC) out of the ledger, for good.

        From then on it is neither read nor counted, and counts of such days that come later are dropped. Its room is
        given back little by little; if that is interrupted, when this is called again.

        Raises:
            Conflict: somebody else does so at the same time.
        """
        ...

    def document(self, kind: str, key: str) -> Document | None:
        """Read one control document."""
        ...

    def documents_at(self, places: Sequence[tuple[str, str]]) -> list[Document | None]:
        """Read the control documents of several (kind, key) at once, in that order; None for what is not there."""
        ...

    def documents(self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[Document]:
        """Read control documents of a kind in order of key, those whose key begins with ``prefix``, after a key."""
        ...

    def tally(self, scope: Scope) -> dict[str, int]:
        """Count the latest visible objects of each collection that has any; costs time in proportion to them."""
        ...

    def verify(self) -> list[str]:
        """Check the store against its invariants; return a sentence for each fault found."""
        ...

    def backup(self, target: Path) -> None:
        """Copy everything into a new file that `restore` can put back, while writers go on.

        Raises:
            StoreFull: there is no room; the target is gone again.
        """
        ...

    def close(self) -> None:
        """Give back what is held; the store cannot be used afterwards."""
        ...
