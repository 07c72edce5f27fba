"""Processes killed with ``kill -9`` at random moments lose nothing and repeat nothing (DESIGN section 4, 1 to 3)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.drafts import CITY_ONLY, OPEN
from tests.elastic.node import SHARDS
from tests.store.evidence import Evidence, batch_of, violations
from tests.stores import ABOUT_SQLITE

PROJECT = Path(__file__).parents[2]


def trial(address: str, kills: int, seed: int, shards: int = 1) -> dict[str, Any]:
    """Run a trial in a program of its own, because it forks."""
    command = [sys.executable, "-m", "tests.store.crash", address, str(kills), str(seed)]
    environment = os.environ | {SHARDS: str(shards)}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, check=True, timeout=600)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@ABOUT_SQLITE
@pytest.mark.parametrize("seed", range(4))
def test_forty_kills_break_no_promise(tmp_path: Path, seed: int):
    result = trial(f"sqlite:///{tmp_path}/store.sqlite", 40, seed)
    assert result["violations"] == []
    assert result["acknowledged"] > 0
    assert all(result["polled"].values())


@pytest.mark.soak
@pytest.mark.parametrize("seed", (100, 101))
def test_a_thousand_kills_break_no_promise(tmp_path: Path, seed: int):
    assert trial(f"sqlite:///{tmp_path}/store.sqlite", 1000, seed)["violations"] == []


def honest() -> Evidence:
    """Return the evidence of two batches without any fault."""
    evidence = Evidence(cursors={"w": 2}, counted={"w": 2}, polled={"next": [], "added_after": []})
    for number in (1, 2):
        for one in batch_of("w", number):
            place = len(evidence.log) + 1
            evidence.log.append((place, 1000 + place, "put", one.id, one.version, one.audience.label))
            evidence.acknowledged.append((one.id, one.version, place, 1000 + place))
            if one.audience == OPEN:
                for seen in evidence.polled.values():
                    seen.append((one.id, one.version))
    return evidence


def lose_an_acknowledged_object(evidence: Evidence) -> None:
    lost = evidence.log.pop(next(i for i, entry in enumerate(evidence.log) if entry[-1] == CITY_ONLY.label))
    assert lost


def move_an_acknowledged_object(evidence: Evidence) -> None:
    id_, version, position, date = evidence.acknowledged[0]
    evidence.acknowledged[0] = (id_, version, position + 1, date)


def swap_positions(evidence: Evidence) -> None:
    evidence.log[0], evidence.log[1] = evidence.log[1], evidence.log[0]


def date_two_alike(evidence: Evidence) -> None:
    position, _, *rest = evidence.log[1]
    evidence.log[1] = (position, evidence.log[0][1], *rest)  # type: ignore[assignment]


def store_a_version_twice(evidence: Evidence) -> None:
    _, _, *rest = evidence.log[0]
    evidence.log.append((99, 9999, *rest))  # type: ignore[arg-type]


def miss_one(evidence: Evidence) -> None:
    evidence.polled["next"].pop(1)


def repeat_one(evidence: Evidence) -> None:
    evidence.polled["added_after"].append(evidence.polled["added_after"][0])


def show_a_secret(evidence: Evidence) -> None:
    hidden = next(entry for entry in evidence.log if entry[-1] != OPEN.label)
    evidence.polled["next"].append((hidden[3], hidden[4] or 0))


def disorder(evidence: Evidence) -> None:
    evidence.polled["next"].reverse()


def leave_a_gap(evidence: Evidence) -> None:
    position, *rest = evidence.log[-1]
    evidence.log[-1] = (position + 1, *rest)  # type: ignore[assignment]
    evidence.acknowledged = [one for one in evidence.acknowledged if one[2] != position]


def swap_an_acknowledged_version(evidence: Evidence) -> None:
    place = next(i for i, entry in enumerate(evidence.log) if entry[-1] == CITY_ONLY.label)
    position, date, action, id_, version, label = evidence.log[place]
    evidence.log[place] = (position, date, action, id_, (version or 0) + 1, label)


def count_twice(evidence: Evidence) -> None:
    evidence.counted["w"] += 1


def move_a_cursor_without_its_objects(evidence: Evidence) -> None:
    evidence.cursors["w"] += 1
    evidence.counted["w"] += 1


def move_objects_without_their_cursor(evidence: Evidence) -> None:
    evidence.cursors["w"] -= 1
    evidence.counted["w"] -= 1


def test_the_checker_finds_nothing_wrong_with_honest_evidence():
    assert violations(honest()) == []


@pytest.mark.parametrize(
    "plant",
    [
        lose_an_acknowledged_object,
        move_an_acknowledged_object,
        swap_positions,
        date_two_alike,
        store_a_version_twice,
        miss_one,
        repeat_one,
        show_a_secret,
        disorder,
        leave_a_gap,
        swap_an_acknowledged_version,
        count_twice,
        move_a_cursor_without_its_objects,
        move_objects_without_their_cursor,
    ],
)
def test_the_checker_notices_a_planted_fault(plant: Callable[[Evidence], None]):
    evidence = honest()
    plant(evidence)
    assert violations(evidence) != []
