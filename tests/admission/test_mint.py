"""Values from lists become indicators: one id for one value, stable times, an end to each."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
import stix2

from hub.admission.gate import Origin
from hub.admission.mint import LIFE, indicator_id
from hub.model import times
from hub.model.audience import TLP
from hub.model.items import IndicatorItem
from hub.model.markings import MARKING_ID
from hub.model.observables import canonical
from hub.model.times import DAY, parse_timestamp
from hub.store.ports import HUB
from tests.admission.parts import OTHER, Parts, indicator

FEED = Origin(
    "feed:list",
    "list-maker",
    ("partner-indicators",),
    trust=60,
    created_by="identity--f431f809-377b-45e0-aa1c-6a4751cae5ff",
)
NOW = parse_timestamp("2026-03-01T00:00:00Z")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the hub's clock, to be set."""
    now = [NOW]
    monkeypatch.setattr(times, "now", lambda: now[0])
    return now


def latest(parts: Parts, id: str | None) -> dict[str, Any]:
    assert id is not None
    body: dict[str, Any] = orjson.loads(parts.store.get(HUB, [id])[id].body)
    return body


def test_what_a_value_becomes(parts: Parts, clock: list[int]) -> None:
    said = IndicatorItem(
        "hxxp://evil[.]example/a b",
        "line 7",
        seen=NOW - DAY,
        labels=("kit", "kit", "phish"),
        description="seen in mail",
        references=("https://x.example/1",),
        marking=TLP.AMBER,
    )
    result = parts.admit([said], FEED).results[0]
    made = latest(parts, result.id)
    stix2.parse(made)
    assert made["pattern"].startswith("[url:value = 'http://evil.example/a")
    assert made["created"] == made["modified"] == made["valid_from"] == "2026-02-28T00:00:00.000Z"
    assert parse_timestamp(made["valid_until"]) == NOW + LIFE
    assert made["confidence"] == 60
    assert made["labels"] == ["kit", "phish"]
    assert made["created_by_ref"] == FEED.created_by
    assert made["object_marking_refs"] == [MARKING_ID[TLP.AMBER]]
    change = parts.store.get(HUB, [made["id"]])[made["id"]]
    assert change.matchable
    assert change.audience.tlp is TLP.AMBER
    assert change.source == "feed:list"


def test_a_value_with_a_traffic_light_that_nobody_knows_is_as_confidential_as_can_be(parts: Parts) -> None:
    results = parts.admit([IndicatorItem("192.0.2.7", "line 1", marking=TLP.UNKNOWN)], FEED).results
    assert results[0].outcome == "stored"
    assert latest(parts, results[0].id)["object_marking_refs"] == [MARKING_ID[TLP.RED]]


@pytest.mark.parametrize(
    ("value", "hint", "pattern"),
    [
        ("192.0.2.7:8080", "ip:port", "[ipv4-addr:value = '192.0.2.7']"),
        ("192.0.2.0/24", "", "[ipv4-addr:value = '192.0.2.0/24']"),
        ("EVIL.example.", "domain", "[domain-name:value = 'evil.example']"),
        ("D41D8CD98F00B204E9800998ECF8427F", "", "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427f']"),
    ],
)
def test_patterns(parts: Parts, value: str, hint: str, pattern: str) -> None:
    result = parts.admit([IndicatorItem(value, "line 1", hint=hint)], FEED).results[0]
    if result.reason == "warning-list":
        return  # the hash of nothing at all is harmless
    assert latest(parts, result.id)["pattern"] == pattern


def test_two_spellings_are_one_value(parts: Parts) -> None:
    spellings = ["evil.example", "EVIL.example.", "evil[.]example"]
    receipt = parts.admit([IndicatorItem(one, "x") for one in spellings], FEED)
    assert (receipt.stored, receipt.merged) == (1, 2)
    assert len({result.id for result in receipt.results}) == 1


def test_each_source_has_its_own(parts: Parts) -> None:
    said = IndicatorItem("evil.example", "x")
    other = replace(FEED, source="feed:other", organisation="other")
    assert parts.admit([said], FEED).results[0].id != parts.admit([said], other).results[0].id


def test_nobody_keeps_a_value_out_by_taking_its_id(parts: Parts) -> None:
    said = [IndicatorItem("evil.example", "x"), IndicatorItem("worse.example", "y")]
    for attempt in range(2):
        id = indicator_id(FEED.source, canonical("domain-name", "evil.example"), attempt)
        parts.one(indicator(id=id, revoked=True, created_by_ref=FEED.created_by), OTHER)
    for outcome in ("stored", "unchanged"):
        receipt = parts.admit(said, FEED)
        assert [result.outcome for result in receipt.results] == [outcome] * 2
    made = latest(parts, receipt.results[0].id)
    assert (made["pattern"], "revoked" in made) == ("[domain-name:value = 'evil.example']", False)
    assert {key for _, key in parts.store.match_keys(0, 10)} == {
        "domain-name:evil.example",
        "domain-name:worse.example",
    }


def test_a_list_read_every_hour_makes_nothing_new_until_half_its_life_is_gone(parts: Parts, clock: list[int]) -> None:
    said = [IndicatorItem("evil.example", "x")]
    first = latest(parts, parts.admit(said, FEED).results[0].id)
    for hours in (1, 2, 24, 24 * 14):
        clock[0] = NOW + hours * 3600 * times.SECOND
        assert parts.admit(said, FEED).unchanged == 1
    clock[0] = NOW + 16 * DAY
    renewed = latest(parts, parts.admit(said, FEED).results[0].id)
    assert (renewed["created"], renewed["valid_from"]) == (first["created"], first["valid_from"])
    assert renewed["modified"] > first["modified"]
    assert parse_timestamp(renewed["valid_until"]) == clock[0] + LIFE
    assert len(parts.bodies("partner-indicators")) == 2


def test_what_was_revoked_does_not_come_back(parts: Parts, clock: list[int]) -> None:
    said = [IndicatorItem("evil.example", "x")]
    made = latest(parts, parts.admit(said, FEED).results[0].id)
    revoked = made | {"revoked": True, "modified": "2026-03-01T01:00:00.000Z"}
    assert parts.one(revoked, replace(FEED, source="user:max")).outcome == "stored"
    clock[0] = NOW + 20 * DAY
    assert parts.admit(said, FEED).unchanged == 1
    assert latest(parts, made["id"])["revoked"]


def test_the_sources_own_end_counts(parts: Parts, clock: list[int]) -> None:
    said = IndicatorItem("evil.example", "x", valid_until=NOW + 3 * DAY)
    assert parse_timestamp(latest(parts, parts.admit([said], FEED).results[0].id)["valid_until"]) == NOW + 3 * DAY


@pytest.mark.parametrize("value", ["", "nothing to see", "a b c", "\ud800"])
def test_what_is_no_value_goes_to_quarantine(parts: Parts, value: str) -> None:
    receipt = parts.admit([IndicatorItem(value, "line 3", raw=b"raw"), IndicatorItem("evil.example", "line 4")], FEED)
    assert (receipt.quarantined, receipt.stored) == (1, 1)
    entry = parts.quarantine.list()[0]
    assert (entry.reason, entry.place, entry.raw) == ("not-observable", "line 3", b"raw")


@pytest.mark.parametrize("said", [{"labels": ("\ud800",)}, {"description": "a\0b"}, {"references": ("no address",)}])
def test_odd_words_of_a_source_do_not_stop_the_others(parts: Parts, said: dict[str, Any]) -> None:
    receipt = parts.admit([IndicatorItem("bad.example", "x", **said), IndicatorItem("evil.example", "y")], FEED)
    assert receipt.results[1].outcome == "stored"
