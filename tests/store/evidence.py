"""What writers and readers that are killed at random report, and what must hold afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from hub.store.ports import Draft, Withdrawal
from tests.contract.drafts import AUDIENCES, OPEN, draft


@dataclass
class Evidence:
    """What the processes reported, and what the store says in the end."""

    acknowledged: list[tuple[str, int, int, int]] = field(default_factory=list)  # id, version, position, date_added
    log: list[tuple[int, int, str, str, int | None, str]] = field(default_factory=list)  # …, action, id, version, owner
    polled: dict[str, list[tuple[str, int]]] = field(default_factory=dict)  # by poller: id, version in order of arrival
    cursors: dict[str, int] = field(default_factory=dict)  # by writer: batches that it finished, as its document says
    counted: dict[str, int] = field(default_factory=dict)  # by writer: the same, as the ledger says
    faults: list[str] = field(default_factory=list)
    endured: Counter[str] = field(default_factory=Counter)  # how often what was done to the processes


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
    # A withdrawal takes one version out of the log.
    if positions and positions[-1] != len(positions) + len(withdrawn):
        found.append("positions have a gap")
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
