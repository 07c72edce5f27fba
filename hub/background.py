"""The background work of a hub: the pieces that workers share by lease, and the jobs that do them.

A worker does a job only as far as its pieces are its own (`hub.ops.leases`). Two that did the same at once would do it
once: each commit is conditional on the cursor, mark or record that it was made from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from connectors.feeds import Feed
from hub.correlate.engine import Correlation
from hub.errors import Conflict
from hub.feeding import FeedRecords
from hub.model import times
from hub.ops.board import read_board
from hub.ops.leases import Leases
from hub.ops.worker import Job
from hub.publish.publication import Publication
from hub.store.ports import Store
from hub.store.retention import Retention

NOBODY = "nobody"


class Background:
    """What there is to do.

    Args:
        store: the hub's. feeds: declared ones. records: theirs. run_feed: fetches one now.
        correlation, publication: the hub's. retention: of the ledger.
    """

    def __init__(
        self,
        store: Store,
        feeds: Mapping[str, Feed],
        records: FeedRecords,
        run_feed: Callable[[Feed], object],
        correlation: Correlation,
        publication: Publication,
        retention: Retention,
    ) -> None:
        self._store = store
        self._feeds = feeds
        self._records = records
        self._run_feed = run_feed
        self._correlation = correlation
        publisher = publication.publisher
        self._alone: tuple[Job, ...] = (
            Job("retro-hunt", times.SECOND, self._hunt),
            Job("sightings", times.SECOND, self._see),
            Job("advisories", times.SECOND, publisher.run),
            Job("expiry", times.MINUTE, publisher.expire),
            Job("endings", 2 * times.SECOND, publication.expiry.sweep),
            Job("retraction", 5 * times.SECOND, publication.retraction.follow),
            Job("farewells", 5 * times.SECOND, publication.farewells.run),
            Job("retention", 10 * times.MINUTE, retention.run),
        )
        """Jobs that are one piece each, of their own name."""

    def pieces(self) -> list[str]:
        """Return everything that a worker can do just now: feeds that are on, rules, and what is a piece by itself."""
        return [
            *(_feed(feed) for feed in self._records.switched_on(self._feeds.values())),
            *(_rule(id) for id in self._correlation.rules),
            *(job.name for job in self._alone),
        ]

    def shares(self) -> dict[str, int]:
        """Return how many pieces each worker has, as ``host:pid``, and how many ``nobody`` has."""
        board = read_board(self._store).board
        names = {number: f"{one.host}:{one.pid}" for number, one in board.workers.items()}
        held = Counter(names[number] for number in board.holders.values())
        nobody = len(set(self.pieces()) - board.holders.keys())
        return dict.fromkeys(names.values(), 0) | held | {NOBODY: nobody}

    def jobs(self, leases: Leases) -> list[Job]:
        """Return the jobs of a worker that does what its leases allow."""

        def leased(job: Job) -> Job:
            def run() -> bool:
                with leases.working(job.name) as mine:
                    return bool(mine) and job.run()

            return Job(job.name, job.every, run)

        return [
            Job("feeds", times.SECOND, lambda: self._fetch(leases)),
            Job("rules", times.SECOND, lambda: self._find(leases)),
            *map(leased, self._alone),
        ]

    def _fetch(self, leases: Leases) -> bool:
        ran = False
        mine = {feed.name: feed for feed in self._feeds.values() if leases.holds(_feed(feed))}
        records = self._records.load_all(mine)
        due = [feed for name, feed in mine.items() if records[name].status.due(times.now())]
        for feed in self._records.switched_on(due):
            with leases.working(_feed(feed)) as still_mine:
                # It may have been fetched by another while the feeds before it were.
                if still_mine and self._records.load(feed.name).status.due(times.now()):
                    try:
                        self._run_feed(feed)
                    except Conflict as fault:  # fetched by hand, or by whoever has it since the lease ended
                        structlog.get_logger().info("feed left to others", feed=feed.name, reason=fault.message)
                    ran = True
        return ran

    def _find(self, leases: Leases) -> bool:
        rules = self._correlation.rules
        with leases.working(*map(_rule, rules)) as mine:
            # A mark of a rule that is no longer declared is for whoever sees it.
            return bool(mine) and self._correlation.findings.flush(lambda id: id not in rules or _rule(id) in mine) > 0

    def _hunt(self) -> bool:
        return self._correlation.hunt.run().keys > 0

    def _see(self) -> bool:
        return self._correlation.sightings.flush() > 0


def _feed(feed: Feed) -> str:
    return f"feed:{feed.name}"


def _rule(id: str) -> str:
    return f"rule:{id}"
