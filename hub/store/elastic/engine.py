"""The Elasticsearch engine: `hub.store.ports.Store` on a cluster, for any number of threads, processes and machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub.store.elastic import controls, counts, indices
from hub.store.elastic.cluster import Address, Cluster
from hub.store.elastic.journal import Journal
from hub.store.elastic.places import Places
from hub.store.elastic.planning import Planner
from hub.store.elastic.snapshots import Snapshots
from hub.store.grouping import GroupCommit, Turn
from hub.store.ports import Batch, Document, LedgerRow, Outcome


class ElasticStore:
    """A `hub.store.ports.Store` in a few indices of an Elasticsearch cluster.

    Args:
        address: where it is.
        patience: seconds to go on against a cluster that does not answer well, before `StoreUnavailable`.
        replicas: further copies of each index, when they are made.

    Raises:
        StoreUnavailable, StoreFull, StoreCorrupt, StoreVersion: it cannot be opened.
    """

    def __init__(self, address: Address, *, patience: float = 30.0, replicas: int = 1) -> None:
        self._cluster = Cluster(address, patience)
        try:
            indices.prepare(self._cluster, replicas)
            self._journal = Journal(self._cluster, patience)
            self._journal.open()
        except BaseException:
            self._cluster.close()
            raise
        self._places = Places(self._cluster)
        self._snapshots = Snapshots(self._cluster, self._journal, self._places, patience)
        self._planner = Planner(self._journal, self._snapshots, self._places)
        self._commits = GroupCommit(self._write, patience)

    def commit(self, batch: Batch) -> list[Outcome]:
        """See `hub.store.ports.Store.commit`."""
        return self._commits.commit(batch)

    def _write(self, group: Sequence[Turn]) -> None:
        batches = [turn.batch for turn in group]
        done = self._journal.append(lambda state: self._planner.plan(batches, state))
        for turn, result in zip(group, done.results, strict=True):
            turn.error = result if isinstance(result, Exception) else None
            turn.outcomes = [] if isinstance(result, Exception) else result

    def ledger(
        self, observables: Iterable[str], *, under: bool = False, since: int = 0, until: int | None = None
    ) -> list[LedgerRow]:
        """See `hub.store.ports.Store.ledger`."""
        return counts.read(self._cluster, observables, under=under, since=since, until=until)

    def document(self, kind: str, key: str) -> Document | None:
        """See `hub.store.ports.Store.document`."""
        return controls.read(self._cluster, kind, key)

    def documents(self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[Document]:
        """See `hub.store.ports.Store.documents`."""
        return controls.read_many(self._snapshots, kind, prefix, after, limit)

    def close(self) -> None:
        """See `hub.store.ports.Store.close`."""
        self._cluster.close()
