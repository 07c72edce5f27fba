"""What a sighting says: counts, validity, lists, markings, versions."""

import io
from typing import Any

import pytest

from hub.correlate import findings
from hub.correlate.evidence import sco_of, seen_on_day
from hub.model.audience import TLP
from hub.model.markings import MARKING_ID
from hub.model.observables import Observable
from hub.model.times import DAY, MINUTE, now, parse_timestamp
from hub.publish.retraction import Retraction
from hub.store.ports import HUB, LedgerCount, LedgerKey, LedgerRow
from tests.correlate.parts import HONEYPOT, IDS, SURICATA, Parts, alert, eve, open_parts

MARCH = parse_timestamp("2026-03-01T00:00:00Z")


@pytest.fixture
def parts(tmp_path):
    opened = open_parts(tmp_path)
    yield opened
    opened.store.close()


def read(parts: Parts, *lines, sensor=IDS):
    return parts.correlation.events.run(io.BytesIO(eve(lines)), SURICATA, sensor)


def settle(parts: Parts, *, force: bool = True):
    return parts.correlation.settle(force=force)


def row(observable: str, number: int, sensor: str = "ids") -> LedgerRow:
    return LedgerRow(LedgerKey(observable, sensor, 1), LedgerCount(number, DAY, DAY + number))


def test_one_event_with_host_and_url_counts_once():
    seen = seen_on_day(
        [
            row("domain-name:evil.example", 3),
            row("domain-name:www.evil.example", 2),
            row("url:http://evil.example/", 4),
            row("url:http://evil.example/", 7, "other"),
        ]
    )
    assert seen is not None
    assert (seen.count, seen.first, seen.last) == (12, DAY, DAY + 7)
    assert seen_on_day([]) is None


def test_a_port_scan_is_one_object_with_a_count(parts):
    parts.feed(["203.0.113.50"], seen=MARCH)
    read(parts, *[alert("203.0.113.50", second=number, dest_port=number) for number in range(50)])
    settle(parts)
    (sighting,) = parts.sighted()["feed:ipsum 203.0.113.50"]
    assert (sighting["count"], sighting["first_seen"], sighting["last_seen"]) == (
        50,
        "2026-03-01T00:00:00.000Z",
        "2026-03-01T00:00:49.000Z",
    )
    assert sighting["labels"] == ["documentation"]


def test_each_day_is_a_sighting_of_its_own_and_grows(parts):
    parts.feed(["203.0.113.50"], seen=MARCH)
    read(parts, alert("203.0.113.50"), alert("203.0.113.50", day=2))
    settle(parts)
    read(parts, alert("203.0.113.50", day=2, second=9))
    settle(parts)
    counts = sorted(each["count"] for each in parts.sighted()["feed:ipsum 203.0.113.50"])
    assert counts == [1, 2]


def test_a_new_version_waits_for_its_time(parts):
    parts.feed(["203.0.113.50"], seen=MARCH)
    read(parts, alert("203.0.113.50"))
    assert settle(parts, force=False).sightings == 1
    read(parts, alert("203.0.113.50", second=9))
    assert settle(parts, force=False).sightings == 0
    assert settle(parts).sightings == 1
    assert settle(parts).sightings == 0
    (sighting,) = parts.sighted()["feed:ipsum 203.0.113.50"]
    assert sighting["created"] < sighting["modified"]


def test_a_network_names_the_addresses_seen_in_it_but_never_the_citys(parts):
    parts.feed(["203.0.113.0/24"], seen=MARCH)
    read(parts, alert("203.0.113.50"), alert("203.0.113.51", second=1))
    settle(parts)
    (sighting,) = parts.sighted()["feed:ipsum 203.0.113.0/24"]
    assert sighting["count"] == 2
    assert {each["value"] for each in parts.objects("ipv4-addr")} == {"203.0.113.50", "203.0.113.51"}


def test_an_expired_indicator_is_not_hit(parts):
    parts.feed(["203.0.113.50"], seen=MARCH - 9 * DAY, valid_until=MARCH)
    receipt = read(parts, alert("203.0.113.50", day=2))
    settle(parts)
    assert receipt.hits == 0
    assert parts.sighted() == {}


@pytest.mark.parametrize("first", ["feed", "log"])
def test_a_top_site_is_no_hit_but_a_url_below_it_is(parts, first):
    page = "https://github.com/evil/repo/raw/x.exe"
    web = {"hostname": "github.com", "url": page}
    lines = [alert("192.0.2.9", "140.82.112.3", event_type="http", http=web)]
    steps = [lambda: parts.feed(["github.com", page], seen=MARCH), lambda: read(parts, *lines)]
    for step in steps if first == "feed" else steps[::-1]:
        step()
        settle(parts)
    assert [name.partition(" ")[2] for name in parts.sighted()] == [page]


def test_a_sighting_is_never_looser_than_its_indicator(parts):
    parts.feed(["203.0.113.50"], seen=MARCH, source="feed:partner", origin_marking=TLP.AMBER)
    read(parts, alert("203.0.113.50"))
    settle(parts)
    (sighting,) = parts.sighted()["feed:partner 203.0.113.50"]
    assert sighting["object_marking_refs"] == [MARKING_ID[TLP.AMBER]]
    (change,) = [each for each in parts.store.read_log(0, 1000) if each.id == sighting["id"]]
    assert (change.audience.tlp, change.audience.groups) == (TLP.AMBER, ("partner",))


def test_a_second_source_counts_for_the_score(parts):
    parts.feed(["203.0.113.50", "203.0.113.51"], seen=MARCH)
    parts.feed(["203.0.113.50"], seen=MARCH, source="feed:other")
    read(parts, alert("203.0.113.50"), alert("203.0.113.51"))
    settle(parts)
    sighted = parts.sighted()
    ((both,), (one,)) = sighted["feed:ipsum 203.0.113.50"], sighted["feed:ipsum 203.0.113.51"]
    assert both["confidence"] > one["confidence"]
    assert "named by 1 more independent source" in both["description"]


def test_guessed_passwords_are_noticed_across_files(parts):
    from connectors.sensors.cowrie import Cowrie

    def tries(*seconds):
        return b"".join(
            f"2026-03-01T00:00:{second:02d}.000000Z [HoneyPotSSHTransport,1,203.0.113.9] "
            "login attempt [b'root'/b'secret'] failed\n".encode()
            for second in seconds
        )

    for number, part in enumerate([tries(1, 2), tries(9, 8), tries(5)]):
        written = parts.correlation.events.run(io.BytesIO(part), Cowrie(), IDS)
        assert written.events == [2, 2, 1][number]
        assert bool(written.findings) == (number == 2)
    settle(parts)
    (indicator,) = parts.objects("indicator")
    assert indicator["valid_from"] == "2026-03-01T00:00:01.000Z"
    assert "secret" not in str(indicator)
    assert parts.sighted()["hub:correlate 203.0.113.9"][0]["count"] == 5


def test_the_citys_indicator_lives_on_by_more_than_half_only(parts):
    def seen(day):
        read(parts, alert("203.0.113.9", day=day, alert={"severity": 1}), sensor=HONEYPOT)
        settle(parts)
        return {each["name"].partition(":")[0]: each["valid_until"][:10] for each in parts.objects("indicator")}

    assert seen(1) == {"Contact with a honeypot": "2026-03-15", "Source of severe intrusion alerts": "2026-03-31"}
    assert seen(5) == {"Contact with a honeypot": "2026-03-15", "Source of severe intrusion alerts": "2026-03-31"}
    assert seen(9) == {"Contact with a honeypot": "2026-03-23", "Source of severe intrusion alerts": "2026-03-31"}


@pytest.mark.parametrize(
    ("key", "type"),
    [
        ("ipv4-addr:203.0.113.9", "ipv4-addr"),
        ("url:http://a.example/", "url"),
        ("file-sha256:" + "a" * 64, "file"),
        ("mutex:x", None),
    ],
)
def test_evidence_is_a_stix_object_with_its_own_id(key, type):
    made = sco_of(Observable.from_key(key))
    assert (made and made["type"]) == type
    assert made is None or made["id"].startswith(f"{type}--")


def test_compound_patterns_are_listed_as_not_matched(parts):
    from hub.correlate.retrohunt import unmatched

    parts.feed(["203.0.113.50"])
    compound = "[ipv4-addr:value = '203.0.113.51'] FOLLOWEDBY [domain-name:value = 'evil.example']"
    parts.admit(
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": "indicator--11111111-1111-4111-8111-111111111111",
            "created": "2026-03-01T00:00:00.000Z",
            "modified": "2026-03-01T00:00:00.000Z",
            "pattern": compound,
            "pattern_type": "stix",
            "valid_from": "2026-03-01T00:00:00Z",
        }
    )
    read(parts, alert("203.0.113.51"))
    settle(parts)
    assert parts.sighted() == {}
    assert [change.id for change in unmatched(parts.store)] == ["indicator--11111111-1111-4111-8111-111111111111"]


def test_a_revoked_indicator_is_hit_no_more(parts):
    parts.feed(["203.0.113.50"], seen=MARCH)
    (indicator,) = parts.objects("indicator")
    parts.admit({**indicator, "modified": "2026-03-01T00:00:01.000Z", "revoked": True})
    assert read(parts, alert("203.0.113.50")).hits == 0
    settle(parts)
    assert parts.sighted() == {}


def test_any_hash_of_a_file_is_a_hit_and_counts_once(parts):
    md5, sha256 = "a" * 32, "b" * 64
    parts.admit(
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": "indicator--11111111-1111-4111-8111-111111111111",
            "created": "2026-03-01T00:00:00.000Z",
            "modified": "2026-03-01T00:00:00.000Z",
            "pattern": f"[file:hashes.MD5 = '{md5}' OR file:hashes.'SHA-256' = '{sha256}']",
            "pattern_type": "stix",
            "valid_from": "2026-03-01T00:00:00Z",
        }
    )
    file: dict[str, Any] = {"event_type": "fileinfo", "fileinfo": {"md5": md5, "sha256": sha256}}
    read(parts, alert("192.0.2.8", **file), alert("192.0.2.8", second=1, **file))
    settle(parts)
    ((sighting,),) = parts.sighted().values()
    assert sighting["count"] == 2
    assert len(parts.objects("file")) == 2


def test_what_must_wait_is_written_when_its_time_has_come(parts, monkeypatch):
    parts.feed(["203.0.113.50"], seen=MARCH)
    read(parts, alert("203.0.113.50"))
    assert settle(parts, force=False).sightings == 1
    read(parts, alert("203.0.113.50", second=9))
    assert [settle(parts, force=False).sightings for _ in range(2)] == [0, 0]
    later = now() + 6 * MINUTE
    monkeypatch.setattr("hub.correlate.sightings.now", lambda: later)
    assert settle(parts, force=False).sightings == 1
    assert parts.store.documents("touched") == []


def test_the_score_does_not_depend_on_which_value_was_seen_last(parts):
    parts.feed(["203.0.113.60"], seen=MARCH, source="feed:other")
    parts.admit(
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": "indicator--11111111-1111-4111-8111-111111111111",
            "created": "2026-03-01T00:00:00.000Z",
            "modified": "2026-03-01T00:00:00.000Z",
            "pattern": "[ipv4-addr:value = '203.0.113.60' OR ipv4-addr:value = '203.0.113.61']",
            "pattern_type": "stix",
            "valid_from": "2026-03-01T00:00:00Z",
        }
    )
    read(parts, alert("203.0.113.61"))
    settle(parts)
    ((sighting,),) = parts.sighted().values()
    assert "named by 1 more independent source" in sighting["description"]


def test_a_citys_indicator_that_ended_comes_back_under_a_new_id(parts, monkeypatch):
    retraction = Retraction(parts.store, frozenset({"city-indicators"}))
    moment = parse_timestamp("2026-03-02T00:00:00Z")
    monkeypatch.setattr(findings, "now", lambda: moment)

    def contact(day):
        read(parts, alert("203.0.113.9", day=day), sensor=HONEYPOT)
        settle(parts)
        return parts.objects("indicator")

    (first,) = contact(1)
    retraction.expire([parts.store.get(HUB, [first["id"]])[first["id"]]])
    moment = parse_timestamp("2026-03-28T00:00:00Z")
    ended, second = sorted(contact(27), key=lambda one: one["id"] != first["id"])
    assert ended == {**first, "revoked": True, "modified": ended["modified"]}
    assert "revoked" not in second
    assert second["valid_until"] == "2026-04-10T00:00:00.000Z"
    retraction.retract("city-indicators", [second["id"]])
    assert {one["id"] for one in contact(31)} == {first["id"], second["id"]}
    assert all(one["revoked"] for one in parts.objects("indicator"))
