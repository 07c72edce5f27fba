"""Writers and readers of one store in processes of their own, killed at random; and what must hold afterwards.

Run as ``python -m tests.store.crash ADDRESS KILLS SEED``; prints what was broken as JSON. With ``inf`` for KILLS it
goes on until its standard input ends. The program has one thread and forks, so that a killed process is replaced at
once. Every process reports by single lines on a pipe: what it reports, it had; a line cut off by the kill counts as
not reported. On a cluster processes are also stopped for a while (SIGSTOP), and die or pause before and after requests
(`tests.elastic.failpoints`).
"""

from __future__ import annotations

import importlib
import json
import math
import os
import random
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hub.errors import HubError, StoreUnavailable
from hub.store.moving import Movable
from hub.store.opening import Access, open_store
from hub.store.ports import (
    HUB,
    Batch,
    DocumentWrite,
    Draft,
    LedgerCount,
    LedgerKey,
    PageQuery,
    Versions,
    Withdrawal,
)
from hub.store.sqlite import connections
from tests.contract.drafts import AUDIENCES, OPEN, STRANGER, draft, objects
from tests.elastic import failpoints

WRITERS = 3
LONGEST_LIFE = {"sqlite": 0.05, "http": 1.5}
"""Seconds that a process may live before it is killed; often it gets no further than opening the store."""
EVERY = Versions(all=True)


@dataclass
class Evidence:
    """What the processes reported, and what the store says in the end."""

    acknowledged: list[tuple[str, int, int, int]] = field(default_factory=list)  # id, version, position, date_added
    log: list[tuple[int, int, str, str, int | None, str]] = field(default_factory=list)  # …, action, id, version, owner
    polled: dict[str, list[tuple[str, int]]] = field(default_factory=dict)  # by poller: id, version in order of arrival
    cursors: dict[str, int] = field(default_factory=dict)  # by writer: batches that it finished, as its document says
    counted: dict[str, int] = field(default_factory=dict)  # by writer: the same, as the ledger says
    faults: list[str] = field(default_factory=list)


def batch_of(writer: str, number: int) -> list[Draft]:
    """Return what a writer's batch holds: new objects for different audiences and a new version of an old one."""
    new = [
        draft(f"indicator--{writer}-{number}-{part}", 1, audience=AUDIENCES[(number + part) % 3])
        for part in range(1 + number % 4)
    ]
    return [*new, draft(f"sighting--{writer}", number)]


def withdrawn_by(writer: str, number: int) -> list[Withdrawal]:
    """Return what the batch takes back: now and then the first object of an older batch."""
    return [Withdrawal("a", f"indicator--{writer}-{number - 3}-0")] if number % 5 == 4 else []


def violations(evidence: Evidence) -> list[str]:
    """Return a sentence for each promise that was broken (DESIGN section 4, invariants 1 to 3)."""
    found = list(evidence.faults)
    puts = [
        (position, date, id_, version) for position, date, action, id_, version, _ in evidence.log if action == "put"
    ]
    withdrawn = {id_ for _, _, action, id_, _, _ in evidence.log if action == "withdraw"}
    positions = [entry[0] for entry in evidence.log]
    dates = [entry[1] for entry in evidence.log]
    if any(later <= earlier for earlier, later in pairwise(positions)):
        found.append("positions do not rise")
    if any(later <= earlier for earlier, later in pairwise(dates)):
        found.append("dates do not rise")
    if len({(id_, version) for _, _, id_, version in puts}) != len(puts):
        found.append("a version is there twice")
    stored = {(id_, version): (position, date) for position, date, id_, version in puts}
    for id_, version, position, date in evidence.acknowledged:
        if id_ not in withdrawn and stored.get((id_, version)) != (position, date):
            found.append(f"acknowledged {id_} version {version} at {position} is not there")
    found += _broken_batches(evidence, set(stored), withdrawn)
    entitled = [
        (id_, version) for _, _, action, id_, version, label in evidence.log if action == "put" and label == OPEN.label
    ]
    for poller, seen in evidence.polled.items():
        if len(set(seen)) != len(seen):
            found.append(f"{poller} got an object twice")
        if [one for one in seen if one[0] not in withdrawn] != entitled:
            found.append(f"{poller} did not get exactly what it was entitled to, in order")
    return found


def _broken_batches(evidence: Evidence, stored: set[tuple[str, int | None]], withdrawn: set[str]) -> Iterable[str]:
    """A batch is there with all its parts, or not at all."""
    for writer, last in evidence.cursors.items():
        if evidence.counted.get(writer, 0) != last:
            yield f"{writer} counted {evidence.counted.get(writer, 0)} batches in the ledger but finished {last}"
        for number in range(1, last + 3):
            there = [(one.id, one.version) in stored or one.id in withdrawn for one in batch_of(writer, number)]
            if there != [number <= last] * len(there):
                yield f"batch {number} of {writer} is there in part, or against its cursor"


def _report(pipe: int, value: object) -> None:
    os.write(pipe, json.dumps(value).encode() + b"\n")


def opened(address: str) -> Movable:
    """Open the store; one on several nodes has a copy of everything."""
    return open_store(address, access=Access(replicas=min(1, address.count(","))))


def write(store: Movable, writer: str, pipe: int) -> None:
    """Commit batch after batch, each with the writer's cursor and a count in the ledger, until killed."""
    cursor = store.document("cursor", writer)
    number, version = (int(cursor.value), cursor.version) if cursor else (0, 0)
    if number:
        # The last batch may or may not have been acknowledged; giving it again must change nothing.
        again = store.commit(Batch(batch_of(writer, number)))
        if any(outcome.result != "unchanged" for outcome in again):
            _report(pipe, {"fault": f"batch {number} of {writer} was stored twice"})
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
        _report(
            pipe, {"stored": [(one.id, one.version, *rest) for one, (_, *rest) in zip(drafts, outcomes, strict=True)]}
        )


def poll(store: Movable, by: str, start: dict[str, Any], pipe: int, last_round: bool) -> None:
    """Pull page after page as a stranger, by ``next`` or ``added_after``; a line holds a page and where to go on."""
    place = start
    while True:
        page = store.read_objects(STRANGER, PageQuery("a", **place, versions=EVERY, limit=7))
        if page.count:
            place = {"after": page.last} if by == "next" else {"added_after": page.last_added}
            _report(pipe, {"place": place, "seen": objects(page.joined)})
        elif last_round:
            os._exit(0)


class Process:
    """A forked process and what it has reported; where its store may be away for a while, it does without."""

    def __init__(self, run: Callable[[int], None], longest_life: float, *, may_be_away: bool) -> None:
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(reader)
                run(writer)
            except HubError as error:
                # A process that has no store dies like one that is killed: what it was doing is done or not.
                if may_be_away and isinstance(error, StoreUnavailable):
                    os.kill(os.getpid(), signal.SIGKILL)
                _report(writer, {"fault": f"{error} {error.__cause__}"})
            except BaseException:  # noqa: BLE001 - whatever it is, it is a fault
                _report(writer, {"fault": traceback.format_exc()})
            finally:
                os._exit(1)
        os.close(writer)
        self.pipe = reader
        self.dies = time.monotonic() + random.random() * longest_life
        self.stopped = False
        self._rest = b""
        self.ended = False
        self.status = 0

    def lines(self) -> list[dict[str, Any]]:
        """Return what was reported since the last call; waits for more, or for the end of the process."""
        self._rest += (piece := os.read(self.pipe, 1 << 20))
        *lines, self._rest = self._rest.split(b"\n")
        self.ended = not piece
        return [json.loads(line) for line in lines]

    def pause(self) -> None:
        """Stop it for as long as it would have lived, or let it go on after that."""
        os.kill(self.pid, signal.SIGCONT if self.stopped else signal.SIGSTOP)
        self.stopped = not self.stopped

    def kill(self) -> list[dict[str, Any]]:
        """Kill it, return its last lines."""
        os.kill(self.pid, signal.SIGKILL)
        lines = self.finish()
        return lines if os.WIFSIGNALED(self.status) else [*lines, {"fault": "a process ended before it was killed"}]

    def finish(self) -> list[dict[str, Any]]:
        """Wait for its end, return its last lines."""
        lines = []
        while not self.ended:
            lines += self.lines()
        _, self.status = os.waitpid(self.pid, 0)
        os.close(self.pipe)
        return lines


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
                        process.pause()
                        process.dies += random.random() * self._longest_life
                        continue
                    self._take(name, process.kill())
                    running[name] = self._start(name)
                    # On a busy machine nothing may get done in a short life: then lives grow longer.
                    running[name].dies += 0 if self.evidence.acknowledged else random.random() * self._patience
                    self._patience *= 1.1
                    kills -= 1
        for name, process in running.items():
            self._take(name, process.kill())
        for name in self._places:
            self._take(name, self._start(name, last_round=True).finish())
        self._read_truth()
        return self.evidence

    def _read_truth(self) -> None:
        store = opened(self._address)
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
                "polled": {by: len(seen) for by, seen in evidence.polled.items()},
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
