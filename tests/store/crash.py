"""Writers and readers of one store in processes of their own, killed at random; and what must hold afterwards.

Run as ``python -m tests.store.crash ADDRESS KILLS SEED``; prints what was broken as JSON. With ``inf`` for KILLS it
goes on until its standard input ends. The program has one thread and forks, so that a killed process is replaced at
once. Their clocks are wrong and jump. On a cluster processes are also stopped for a while (SIGSTOP), die or pause
before and after requests (`tests.elastic.failpoints`), and the indices are refreshed now and then by themselves.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import random
import select
import sys
import time
import urllib.request
from contextlib import suppress
from typing import Any

from hub.errors import StoreUnavailable
from hub.store.moving import Movable
from hub.store.opening import Access, open_store
from hub.store.ports import (
    HUB,
    Batch,
    DocumentWrite,
    LedgerCount,
    LedgerKey,
    PageQuery,
    Versions,
)
from hub.store.sqlite import connections
from tests.contract.drafts import STRANGER, objects
from tests.elastic import failpoints, node
from tests.store.evidence import Evidence, batch_of, violations, withdrawn_by
from tests.store.forked import Process, let_clock_jump, report

WRITERS = 3
REFRESHES = ("-1", "50ms", "200ms", "1s", "2s")
"""Refresh intervals that the trial gives to the indices; the hub itself sets the first."""
LAST_PATIENCE = 120
"""Seconds that a cluster has to come back when the faults are over."""
LONGEST_LIFE = {"sqlite": 0.05, "http": 1.5}
"""Seconds that a process may live before it is killed; often it gets no further than opening the store."""
EVERY = Versions(all=True)


def opened(address: str) -> Movable:
    """Open the store; one on several nodes has a copy of everything."""
    return open_store(address, access=Access(replicas=min(1, address.count(",")), shards=node.shards()))


def write(store: Movable, writer: str, pipe: int) -> None:
    """Commit batch after batch, each with the writer's cursor and a count in the ledger, until killed."""
    cursor = store.document("cursor", writer)
    number, version = (int(cursor.value), cursor.version) if cursor else (0, 0)
    if number:
        # The last batch may or may not have been acknowledged; giving it again must change nothing.
        again = store.commit(Batch(batch_of(writer, number)))
        if any(outcome.result != "unchanged" for outcome in again):
            report(pipe, {"fault": f"batch {number} of {writer} was stored twice"})
    while True:
        number += 1
        drafts = batch_of(writer, number)
        outcomes = store.commit(
            Batch(
                drafts,
                withdrawn_by(writer, number),
                {LedgerKey(f"domain-name:{writer}.example", "test", 1): LedgerCount(1, number, number)},
                {},
                [DocumentWrite("cursor", writer, str(number).encode(), expect=version)],
            )
        )
        kept = store.document("cursor", writer)
        version = kept.version if kept else -1
        report(
            pipe, {"stored": [(one.id, one.version, *rest) for one, (_, *rest) in zip(drafts, outcomes, strict=True)]}
        )


def poll(store: Movable, by: str, start: dict[str, Any], pipe: int, last_round: bool) -> None:
    """Pull page after page as a stranger, by ``next`` or ``added_after``; a line holds a page and where to go on."""
    place = start
    while True:
        page = store.read_objects(STRANGER, PageQuery("a", **place, versions=EVERY, limit=7))
        if page.count:
            place = {"after": page.last} if by == "next" else {"added_after": page.last_added}
            report(pipe, {"place": place, "seen": objects(page.joined)})
        elif last_round:
            os._exit(0)


class Trial:
    """Runs writers and pollers, kills them, and collects the evidence."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._cluster = not address.startswith("sqlite")
        # Processes that are forked find their engine loaded.
        importlib.import_module(f"hub.store.{'elastic' if self._cluster else 'sqlite'}.engine")
        if self._cluster:
            opened(address).close()
        self._longest_life = LONGEST_LIFE["http" if self._cluster else "sqlite"]
        self.evidence = Evidence(polled={"next": [], "added_after": []})
        self._places: dict[str, dict[str, Any]] = {by: {} for by in self.evidence.polled}
        self._patience = self._longest_life
        self._names = [f"w{number}" for number in range(WRITERS)] + list(self.evidence.polled)

    def _start(self, name: str, last_round: bool = False) -> Process:
        def run(pipe: int) -> None:
            if not last_round:
                let_clock_jump()
            if self._cluster and not last_round:
                failpoints.plant(0.01)
            store = opened(self._address)
            if name in self._places:
                poll(store, name, self._places[name], pipe, last_round)
            write(store, name, pipe)

        return Process(run, self._longest_life, may_be_away="," in self._address)

    def _take(self, name: str, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if "fault" in line:
                self.evidence.faults.append(line["fault"])
            elif "refused" in line:
                self.evidence.endured[f"refused with {line['refused']}"] += 1
            elif "stored" in line:
                self.evidence.acknowledged += [tuple(one) for one in line["stored"]]
            else:
                self._places[name] = line["place"]
                self.evidence.polled[name] += [tuple(one) for one in line["seen"]]

    def run(self, kills: float) -> Evidence:
        """Kill that many processes at random moments, or until told; then let the pollers read to the end."""
        told = [sys.stdin.fileno()] if kills == math.inf else []
        running = {name: self._start(name) for name in self._names}
        while kills > 0:
            wait = max(0.0, min(process.dies for process in running.values()) - time.monotonic())
            pipes = {process.pipe: name for name, process in running.items()}
            ready: list[int] = select.select([*pipes, *told], [], [], wait)[0]
            if told and told[0] in ready:
                break
            for pipe in ready:
                process = running[pipes[pipe]]
                self._take(pipes[pipe], process.lines())
                if process.ended:
                    process.dies = 0
            for name, process in running.items():
                if process.dies <= time.monotonic():
                    if self._cluster and not process.ended and random.random() < 0.4:
                        self.evidence.endured["stops of a process"] += not process.stopped
                        process.pause()
                        process.dies += random.random() * self._longest_life
                        continue
                    self.evidence.endured["deaths at a fail point" if process.ended else "kills of a process"] += 1
                    self._take(name, process.kill())
                    running[name] = self._start(name)
                    self._refresh_otherwise()
                    # On a busy machine nothing may get done in a short life: then lives grow longer.
                    running[name].dies += 0 if self.evidence.acknowledged else random.random() * self._patience
                    self._patience *= 1.1
                    kills -= 1
        for name, process in running.items():
            self._take(name, process.kill())
        until = time.monotonic() + LAST_PATIENCE
        for name in self._places:
            ended = False
            while not ended and time.monotonic() < until:
                process = self._start(name, last_round=True)
                self._take(name, process.finish())
                ended = os.WIFEXITED(process.status)
        self._read_truth()
        return self.evidence

    def _refresh_otherwise(self) -> None:
        """Have the indices refreshed by themselves in another rhythm, or no more."""
        if self._cluster and random.random() < 0.3:
            host, _, prefix = self._address.rpartition("/")
            body = b'{"refresh_interval":"%s"}' % random.choice(REFRESHES).encode()
            asked = urllib.request.Request(
                f"{host.partition(',')[0]}/{prefix}-*/_settings?master_timeout=1s&timeout=1s",
                body,
                {"Content-Type": "application/json"},
                method="PUT",
            )
            with suppress(OSError):  # the cluster is away, or indices were replaced just now
                urllib.request.urlopen(asked, timeout=2).close()
                self.evidence.endured["refresh intervals set"] += 1

    def _read_truth(self) -> None:
        store = _back(self._address)
        evidence = self.evidence
        while changes := store.read_log(evidence.log[-1][0] if evidence.log else 0, 500):
            evidence.log += [(c.position, c.date_added, c.action, c.id, c.version, c.audience.label) for c in changes]
        for name in self._names[:WRITERS]:
            cursor = store.document("cursor", name)
            evidence.cursors[name] = int(cursor.value) if cursor else 0
            rows = store.ledger([f"domain-name:{name}.example"])
            evidence.counted[name] = sum(row.total.number for row in rows)
        evidence.faults += store.verify()
        if store.get(HUB, ["nothing"]):
            evidence.faults.append("an object that never was is there")
        store.close()


def _back(address: str) -> Movable:
    """Open the store, which may be about to come back."""
    until = time.monotonic() + LAST_PATIENCE
    while True:
        try:
            return opened(address)
        except StoreUnavailable:
            if time.monotonic() > until:
                raise


def main(address: str, kills: str, seed: str) -> None:
    """Run one trial and print what was broken, and how much was done."""
    random.seed(int(seed))
    # Checkpoints after nearly every commit: the moment at which a kill could tear the file itself.
    connections.CHECKPOINT_PAGES = 8
    trial = Trial(address)
    evidence = trial.run(float(kills))
    sys.stdout.write(
        json.dumps(
            {
                "violations": violations(evidence),
                "acknowledged": len(evidence.acknowledged),
                "endured": evidence.endured,
                "polled": {by: len(seen) for by, seen in evidence.polled.items()},
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
