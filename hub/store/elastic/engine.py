"""The Elasticsearch engine: `hub.store.ports.Store` on a cluster, for any number of threads, processes and machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from hub.errors import Conflict, HubError, StoreCorrupt, TooLarge
from hub.store.elastic import controls, counts, facets, indices, invariants, pages
from hub.store.elastic.cluster import Address, Cluster
from hub.store.elastic.faults import LostMoment
from hub.store.elastic.frozen import frozen
from hub.store.elastic.generations import Generations
from hub.store.elastic.indices import ALONE, Layout
from hub.store.elastic.journal import Journal
from hub.store.elastic.moving import ElasticSnapshot
from hub.store.elastic.names import month_of
from hub.store.elastic.objects import SEARCH_TIME, Objects
from hub.store.elastic.places import Places
from hub.store.elastic.planning import Planner
from hub.store.elastic.snapshots import Snapshots
from hub.store.elastic.upgrade import Upgrade
from hub.store.facets import FacetQuery, Facets
from hub.store.grouping import GroupCommit, Turn
from hub.store.moving import Portion, Progress, copy_snapshot
from hub.store.ports import (
    Batch,
    Change,
    Document,
    Head,
    LedgerRow,
    ManifestPage,
    ObjectPage,
    Outcome,
    PageQuery,
    Scope,
    SearchPage,
    SearchQuery,
)
from hub.store.retention import raise_horizon
from hub.store.sqlite.engine import SqliteStore

BACKUPS = 3
"""How often a backup begins again when indices are forgotten or replaced while it reads them."""


class ElasticStore:
    """A `hub.store.ports.Store` in a few indices of an Elasticsearch cluster.

    Args:
        address: where it is.
        patience: seconds to go on against a cluster that does not answer well, before `StoreUnavailable`.
        layout: of the indices, when they are made. create: make them if they are not there.

    Raises:
        NoSuchFile: it is not there, and ``create`` is off.
        StoreUnavailable, StoreFull, StoreCorrupt, StoreVersion: it cannot be opened.
    """

    def __init__(
        self, address: Address, *, patience: float = 30.0, layout: Layout = ALONE, create: bool = True
    ) -> None:
        self._cluster = Cluster(address, patience)
        try:
            self._generations = Generations(self._cluster, indices.prepare(self._cluster, layout, create=create))
            self._journal = Journal(self._cluster, self._generations, patience)
            self._journal.open()
            self._places = Places(self._generations)
            self._snapshots = Snapshots(self._cluster, self._generations, self._journal, self._places, patience)
        except BaseException:
            self._cluster.close()
            raise
        self._objects = Objects(self._snapshots)
        self._layout = layout
        self._planner = Planner(self._journal, self._snapshots, self._places, self._make_month)
        self._upgrade = Upgrade(self._cluster, self._generations, self._journal, layout)
        self._commits = GroupCommit(self._write, patience)

    def commit(self, batch: Batch) -> list[Outcome]:
        """See `hub.store.ports.Store.commit`."""
        return self._commits.commit(batch)

    def _write(self, group: Sequence[Turn]) -> None:
        try:
            self._write_together(group)
        except TooLarge:
            if len(group) == 1:
                raise
            for turn in group:
                self._write_alone(turn)

    def _write_alone(self, turn: Turn) -> None:
        try:
            self._write_together([turn])
        except HubError as error:
            turn.error = error

    def _write_together(self, group: Sequence[Turn]) -> None:
        batches = [turn.batch for turn in group]
        done = self._journal.append(lambda state: self._planner.plan(batches, state))
        for turn, result in zip(group, done.results, strict=True):
            turn.error = result if isinstance(result, Exception) else None
            turn.outcomes = [] if isinstance(result, Exception) else result

    def _make_month(self, generation: int, month: str) -> None:
        indices.make_month(self._cluster, self._generations.get(generation), month, self._layout.replicas)

    def forget(self, before: int) -> None:
        """See `hub.store.ports.Store.forget`; room is given back when the whole month is forgotten."""
        indices.drop_months(self._cluster, month_of(raise_horizon(self, before)))

    def head(self) -> Head:
        """See `hub.store.ports.Store.head`."""
        barrier = self._snapshots.search({"must_not": [{"match_all": {}}]}, size=0).barrier
        return Head(barrier.position, barrier.date)

    def check_writes(self) -> None:
        """See `hub.store.ports.Store.check_writes`."""
        self._generations.reading(lambda now: self._cluster.check_writes((indices.log_of(self._cluster), now.objects)))

    def read_log(self, after: int, limit: int, *, types: frozenset[str] = frozenset()) -> list[Change]:
        """See `hub.store.ports.Store.read_log`."""
        return self._objects.log(after, limit, types)

    def read_objects(self, scope: Scope, query: PageQuery) -> ObjectPage:
        """See `hub.store.ports.Store.read_objects`."""
        return pages.read_objects(self._snapshots, scope, query)

    def read_manifest(self, scope: Scope, query: PageQuery) -> ManifestPage:
        """See `hub.store.ports.Store.read_manifest`."""
        return pages.read_manifest(self._snapshots, scope, query)

    def get(self, scope: Scope, ids: Iterable[str]) -> dict[str, Change]:
        """See `hub.store.ports.Store.get`."""
        return self._objects.get(scope, ids)

    def history(self, scope: Scope, id: str) -> list[Change]:
        """See `hub.store.ports.Store.history`."""
        return self._objects.history(scope, id)

    def original(self, scope: Scope, id: str, version: int) -> bytes | None:
        """See `hub.store.ports.Store.original`."""
        return self._objects.original(scope, id, version)

    def search(self, scope: Scope, query: SearchQuery) -> SearchPage:
        """See `hub.store.ports.Store.search`."""
        return self._objects.search(scope, query)

    def facets(self, scope: Scope, query: FacetQuery) -> Facets:
        """See `hub.store.ports.Store.facets`."""
        return facets.facets(self._snapshots, scope, query, SEARCH_TIME)

    def lookup(self, scope: Scope, observables: Iterable[str], *, limit_each: int = 100) -> dict[str, list[Change]]:
        """See `hub.store.ports.Store.lookup`."""
        return self._objects.lookup(scope, observables, limit_each)

    def match_keys(self, after: int, limit: int) -> list[tuple[int, str]]:
        """See `hub.store.ports.Store.match_keys`."""
        return self._objects.match_keys(after, limit)

    def tally(self, scope: Scope) -> dict[str, int]:
        """See `hub.store.ports.Store.tally`."""
        return pages.tally(self._snapshots, scope)

    def ledger(
        self, observables: Iterable[str], *, under: bool = False, since: int = 0, until: int | None = None
    ) -> list[LedgerRow]:
        """See `hub.store.ports.Store.ledger`."""
        return counts.read(self._cluster, self._generations, observables, under=under, since=since, until=until)

    def document(self, kind: str, key: str) -> Document | None:
        """See `hub.store.ports.Store.document`."""
        return self.documents_at([(kind, key)])[0]

    def documents_at(self, places: Sequence[tuple[str, str]]) -> list[Document | None]:
        """See `hub.store.ports.Store.documents_at`."""
        return controls.read_at(self._generations, places)

    def documents(self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[Document]:
        """See `hub.store.ports.Store.documents`."""
        return controls.read_many(self._snapshots, kind, prefix, after, limit)

    def verify(self) -> list[str]:
        """See `hub.store.ports.Store.verify`."""
        try:
            with frozen(self._cluster, self._generations, self._snapshots) as moment:
                return invariants.faults(moment)
        except StoreCorrupt as error:
            return [error.message]

    def backup(self, target: Path) -> None:
        """See `hub.store.ports.Store.backup`; the file is a SQLite store, for `threathub migrate` or `restore`."""
        if target.exists():
            raise Conflict("There is a file of that name already; nothing was copied.")
        for attempt in range(BACKUPS):
            try:
                with closing(SqliteStore(target)) as copy:
                    copy_snapshot(self, copy)
                return
            except HubError as error:
                target.unlink(missing_ok=True)
                if not isinstance(error, LostMoment) or attempt == BACKUPS - 1:
                    raise

    @contextmanager
    def snapshot(self) -> Iterator[ElasticSnapshot]:
        """See `hub.store.moving.Movable.snapshot`."""
        with frozen(self._cluster, self._generations, self._snapshots) as moment:
            yield ElasticSnapshot(moment)

    def receive(self, portion: Portion) -> None:
        """See `hub.store.moving.Movable.receive`."""
        self._journal.append(lambda state: self._planner.receive(portion, state))

    def upgrade(self, progress: Progress) -> bool:
        """See `hub.store.moving.Movable.upgrade`."""
        return self._upgrade.run(progress)

    def abandon_upgrade(self) -> bool:
        """See `hub.store.moving.Movable.abandon_upgrade`."""
        return self._upgrade.abandon()

    def close(self) -> None:
        """See `hub.store.ports.Store.close`."""
        self._journal.close()
        self._cluster.close()
