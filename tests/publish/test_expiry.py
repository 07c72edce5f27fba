"""Indicators whose time is over are seen to leave; a value that comes back comes under an id of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.admission.gate import Origin
from hub.admission.mint import EXPIRED, LIFE
from hub.app import Hub
from hub.correlate.matching import read_indicator
from hub.model import times
from hub.model.audience import TLP
from hub.model.items import IndicatorItem, StixItem
from hub.model.times import format_timestamp
from hub.store.ports import HUB, PageQuery, Scope
from tests.publish.parts import indicator, next_version, seen_by, versions_of, work

PLACE = "partner-indicators"
FEED = Origin("feed:list", "water", (PLACE,), TLP.GREEN)
NOW = times.parse_timestamp("2026-03-01T00:00:00Z")
GRACE = times.DAY


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the hub's clock, to be set."""
    now = [NOW]
    monkeypatch.setattr(times, "now", lambda: now[0])
    return now


def share(hub: Hub, *objects: dict[str, Any], origin: Origin = FEED) -> None:
    receipt = hub.gate.admit([StixItem(json.dumps(one).encode(), "") for one in objects], origin)
    assert receipt.quarantined == receipt.merged == 0, receipt.results


def listed(hub: Hub, *values: str, **said: Any) -> list[str | None]:
    """Let the list name values; return the ids of their indicators."""
    return [one.id for one in hub.gate.admit([IndicatorItem(value, "", **said) for value in values], FEED).results]


def sweep(hub: Hub) -> None:
    while hub.publication.expiry.sweep():
        pass


def ending(moment: int, **properties: Any) -> dict[str, Any]:
    return indicator(valid_until=format_timestamp(moment, 3), **properties)


def test_only_what_is_over_goes_and_only_after_the_grace(hub: Hub, clock: list[int]) -> None:
    over, later, endless = ending(NOW, confidence=40), ending(NOW + times.DAY), indicator()
    share(hub, over, later, endless)
    clock[0] = NOW + GRACE - 1
    sweep(hub)
    assert seen_by(hub, "ben", PLACE) == {one["id"]: one for one in (over, later, endless)}
    clock[0] = NOW + GRACE
    for _ in range(2):
        sweep(hub)
        work(hub)
    gone = {**over, "revoked": True, "modified": "2026-01-02T00:00:00.001Z"}
    assert versions_of(hub, PLACE, over["id"]) == [over, gone]
    assert seen_by(hub, "ben", PLACE) == {over["id"]: gone, later["id"]: later, endless["id"]: endless}


def test_what_was_prolonged_in_time_stays(hub: Hub, clock: list[int]) -> None:
    over = ending(NOW)
    share(hub, over)
    longer = next_version(over, valid_until=format_timestamp(NOW + 9 * times.DAY, 3))
    share(hub, longer)
    clock[0] = NOW + 2 * times.DAY
    sweep(hub)
    assert versions_of(hub, PLACE, over["id"]) == [over, longer]


def test_its_originator_can_still_prolong_it_afterwards(hub: Hub, clock: list[int]) -> None:
    over = ending(NOW)
    share(hub, over)
    clock[0] = NOW + 2 * times.DAY
    sweep(hub)
    longer = next_version(over, valid_until=format_timestamp(NOW + 9 * times.DAY, 3))
    share(hub, longer)
    sweep(hub)
    assert seen_by(hub, "ben", PLACE) == {over["id"]: longer}


def test_only_those_who_may_see_it_hear_of_its_end(hub: Hub, clock: list[int]) -> None:
    over = ending(NOW)
    del over["object_marking_refs"]
    share(hub, over, origin=Origin("user:wes", "water", (PLACE,), TLP.AMBER, ("bank",)))
    clock[0] = NOW + 2 * times.DAY
    sweep(hub)
    assert {user: len(seen_by(hub, user, PLACE)) for user in ("ben", "wes", "ana", "pat", "lea")} == {
        "ben": 1,
        "wes": 1,
        "ana": 1,
        "pat": 0,
        "lea": 0,
    }
    assert seen_by(hub, "ben", PLACE)[over["id"]]["revoked"]


def test_each_collection_for_itself(hub: Hub, clock: list[int]) -> None:
    over, kept = ending(NOW), ending(NOW)
    share(hub, over, origin=Origin("user:ana", "city", ("partner-indicators", "city-indicators"), TLP.GREEN))
    share(hub, kept, origin=Origin("user:lea", "fed", ("inbox",), TLP.GREEN))
    clock[0] = NOW + 2 * times.DAY
    sweep(hub)
    assert [len(versions_of(hub, key, over["id"])) for key in ("partner-indicators", "city-indicators")] == [2, 2]
    assert versions_of(hub, "inbox", kept["id"]) == [kept]


def test_a_value_that_comes_back_gets_a_new_id(hub: Hub, clock: list[int]) -> None:
    ids = []
    for _ in range(3):
        (id,) = listed(hub, "evil.example-bad.com")
        ids.append(id)
        clock[0] += 2 * LIFE
        sweep(hub)
    assert len(set(ids)) == 3
    everything = seen_by(hub, "ben", PLACE)
    assert all(everything[str(id)]["revoked"] for id in ids)
    (live,) = listed(hub, "evil.example-bad.com")
    assert listed(hub, "evil.example-bad.com") == [live]
    assert "revoked" not in seen_by(hub, "ben", PLACE)[str(live)]
    found = hub.store.lookup(HUB, ["domain-name:evil.example-bad.com"])
    assert len(next(iter(found.values()))) == 4


def test_a_list_that_says_it_is_over_does_not_bring_it_back(hub: Hub, clock: list[int]) -> None:
    (id,) = listed(hub, "evil.example-bad.com", valid_until=NOW + times.DAY)
    clock[0] = NOW + 9 * times.DAY
    sweep(hub)
    assert listed(hub, "evil.example-bad.com", valid_until=NOW + times.DAY) == [id]
    assert len(seen_by(hub, "ben", PLACE)) == 1


def test_what_was_withdrawn_does_not_come_back_under_another_id(hub: Hub, clock: list[int]) -> None:
    (id,) = listed(hub, "evil.example-bad.com")
    hub.publication.retraction.retract(PLACE, [str(id)])
    clock[0] = NOW + 2 * LIFE
    sweep(hub)
    assert listed(hub, "evil.example-bad.com") == [id]
    assert seen_by(hub, "ben", PLACE)[str(id)]["revoked"]


def test_a_late_log_still_hits_what_was_valid_then(hub: Hub, clock: list[int]) -> None:
    over = ending(NOW)
    share(hub, over)
    clock[0] = NOW + 2 * times.DAY
    sweep(hub)
    change = hub.store.get(HUB, [over["id"]])[over["id"]]
    assert change.source == f"{EXPIRED}feed:list"
    read = read_indicator(change)
    assert read is not None
    assert (read.source, read.live_at(NOW - 1), read.live_at(NOW)) == ("feed:list", True, False)
    hub.publication.retraction.retract(PLACE, [over["id"]])
    assert read_indicator(hub.store.get(HUB, [over["id"]])[over["id"]]) is not None


def test_the_stix_20_copy_goes_with_its_twin(hub: Hub, clock: list[int]) -> None:
    old = {
        "type": "indicator",
        "id": "indicator--26ffb872-1dd9-446e-b6f5-d58527e5b5d2",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "labels": ["malicious-activity"],
        "pattern": "[domain-name:value = 'evil.example-bad.com']",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": format_timestamp(NOW, 3),
    }
    share(hub, old, origin=Origin("user:wes", "water", (PLACE,), TLP.GREEN, keep_2_0=True))
    clock[0] = NOW + 2 * times.DAY
    sweep(hub)
    query = PageQuery(PLACE, spec_versions=frozenset({"2.0"}))
    page = hub.store.read_objects(Scope(hub.principal("ben").reader, frozenset((PLACE,))), query)
    (twin,) = json.loads(b"[%b]" % page.joined)
    assert twin == {**old, "revoked": True, "modified": "2026-01-01T00:00:00.001Z"}
    (new,) = seen_by(hub, "ben", PLACE).values()
    assert (new["spec_version"], new["revoked"], new["modified"]) == ("2.1", True, "2026-01-01T00:00:00.001Z")


def test_many_end_in_portions(hub: Hub, clock: list[int]) -> None:
    many = [ending(NOW) for _ in range(1200)]
    share(hub, *many)
    clock[0] = NOW + 2 * times.DAY
    sweeps = 0
    while hub.publication.expiry.sweep():
        sweeps += 1
    assert sweeps == 2
    assert not any("revoked" not in one for one in seen_by(hub, "ben", PLACE).values())
