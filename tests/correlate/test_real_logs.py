"""The real check: published honeypot and conference alerts against published lists."""

import re
from typing import Any

import pytest

from hub.model.ids import derived_id
from tests.correlate.parts import (
    CITY,
    CONFERENCE_LOG,
    HONEYPOT,
    HONEYPOT_LOG,
    IDS,
    SHELLSHOCK,
    SURICATA,
    Parts,
    ipsum,
    open_parts,
)

FOUR = {"184.105.139.67", "66.240.236.119", "71.6.199.23", "80.82.77.33"}


@pytest.fixture
def parts(tmp_path):
    opened = open_parts(tmp_path)
    yield opened
    opened.store.close()


def of_ipsum(parts: Parts) -> dict[str, list[dict[str, Any]]]:
    return {name.split()[1]: sightings for name, sightings in parts.sighted().items() if name.startswith("feed:ipsum ")}


@pytest.mark.parametrize("first", ["feed", "log"])
def test_four_addresses_of_the_honeypot_log_are_on_the_list(parts, first):
    steps = [lambda: parts.feed(ipsum()), lambda: parts.correlation.events.run(HONEYPOT_LOG, SURICATA, HONEYPOT)]
    for step in steps if first == "feed" else steps[::-1]:
        step()
        parts.correlation.settle(force=True)
    parts.correlation.settle(force=True)
    found = of_ipsum(parts)
    assert set(found) == FOUR
    assert all(len(sightings) == 1 for sightings in found.values())
    labels = {address: sightings[0]["labels"] for address, sightings in found.items()}
    scanners = {address for address in FOUR if any("shodan" in label.lower() for label in labels[address])}
    assert len(scanners) == 3
    assert all("before-valid-from" in each for each in labels.values())
    scores = {address: sightings[0]["confidence"] for address, sightings in found.items()}
    (plain,) = FOUR - scanners
    assert all(scores[address] < scores[plain] for address in scanners)


def test_what_is_said_of_a_hit_names_the_outside_only(parts):
    parts.feed(ipsum())
    parts.correlation.events.run(HONEYPOT_LOG, SURICATA, HONEYPOT)
    parts.correlation.settle(force=True)
    made = [each for kind in ("sighting", "observed-data", "ipv4-addr", "indicator") for each in parts.objects(kind)]
    assert len([each for each in made if each["type"] == "observed-data"]) >= 4
    assert not [each for each in made if re.search(r"138\.68\.3\.71|dest_ip|honeypot-2018", str(each))]
    for each in parts.objects("sighting"):
        assert each["where_sighted_refs"] == [CITY.identity]
        assert each["created_by_ref"] == CITY.identity
        assert each["first_seen"] <= each["last_seen"]
    assert CITY.identity in {each["id"] for each in parts.objects("identity")}


def test_the_city_learns_indicators_of_its_own(parts):
    receipt = parts.correlation.events.run(HONEYPOT_LOG, SURICATA, HONEYPOT)
    assert receipt.events == 44
    parts.correlation.events.run(CONFERENCE_LOG, SURICATA, IDS)
    parts.correlation.settle(force=True)
    indicators = {each["id"]: each for each in parts.objects("indicator")}
    assert derived_id("indicator", "rule", "honeypot-contact", "ipv4-addr:92.63.194.33") in indicators
    severe = indicators[derived_id("indicator", "rule", "severe-alert", "ipv4-addr:54.235.163.229")]
    assert severe["kill_chain_phases"] == [{"kill_chain_name": "mitre-attack", "phase_name": "initial-access"}]
    assert severe["external_references"][0]["external_id"] == "T1190"
    assert severe["valid_from"].startswith("2015-03-")
    assert severe["valid_from"] < severe["valid_until"]
    assert not [each for each in indicators.values() if re.search(r"138\.68\.3\.71|192\.168\.", each["pattern"])]
    shodan = indicators[derived_id("indicator", "rule", "honeypot-contact", "ipv4-addr:71.6.199.23")]
    plain = indicators[derived_id("indicator", "rule", "honeypot-contact", "ipv4-addr:78.128.112.98")]
    assert "no-block" in shodan["labels"]
    assert "no-block" not in plain["labels"]
    assert shodan["confidence"] < plain["confidence"]
    own = [name for name in parts.sighted() if name.startswith("hub:correlate ")]
    assert len(own) == len({each["pattern"] for each in indicators.values()})


def test_the_conference_log_holds_one_shellshock_address(parts):
    values = re.findall(r"\b(?:\d{1,3}\.){3}\d{1,3}\b", SHELLSHOCK.read_text())
    parts.feed(values, source="feed:volexity")
    parts.correlation.events.run(CONFERENCE_LOG, SURICATA, IDS)
    parts.correlation.settle(force=True)
    found = [name for name in parts.sighted() if name.startswith("feed:volexity ")]
    assert len(found) == 1


def test_reading_a_log_again_changes_nothing(parts):
    parts.feed(ipsum())
    for _ in range(2):
        receipt = parts.correlation.events.run(HONEYPOT_LOG, SURICATA, HONEYPOT)
        parts.correlation.settle(force=True)
        head = parts.store.head()
    assert (receipt.events, receipt.hits) == (0, 0)
    parts.correlation.settle(force=True)
    assert parts.store.head() == head
    assert [each["count"] for each in of_ipsum(parts)["71.6.199.23"]] == [1]


def test_match_tells_the_hits_and_stores_nothing(parts):
    parts.feed(ipsum())
    head = parts.store.head()
    hits = list(parts.correlation.events.match(HONEYPOT_LOG, SURICATA, HONEYPOT))
    assert {hit.observable.partition(":")[2] for hit in hits} == FOUR
    assert {(hit.collection, hit.why, hit.sensor) for hit in hits} == {("partner-indicators", "exact", "honeypot")}
    assert parts.store.head() == head
    assert parts.store.ledger(["ipv4-addr:71.6.199.23"]) == []
