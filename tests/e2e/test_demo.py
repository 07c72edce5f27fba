"""What a newcomer sees: the demo, from every user's side, on real data."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from taxii2client.v21 import Collection, Server, as_pages

from hub.access.principal import ROLES
from hub.errors import NoSuchFile, StoreCorrupt, StoreUnavailable
from hub.store.ports import HUB, PageQuery, Versions
from tests.e2e.conftest import ROOT, Demo, command, environment, free_port, start_demo, stop, threathub, told
from tests.stores import settings_of, store_in

pytestmark = pytest.mark.xdist_group("demo")

SHODAN = {"66.240.236.119", "71.6.199.23", "80.82.77.33"}
IPSUM = SHODAN | {"184.105.139.67"}
SHELLSHOCK = "109.228.25.87"
OWN = ("138.68.3.71", "192.168.", "127.0.0.1")


def pulled(demo: Demo, name: str, user: str = "partner") -> list[dict[str, Any]]:
    account = demo.account(user)
    collection = Collection(demo.url(name), user=user, password=account["password"])
    return [one for page in as_pages(collection.get_objects, per_request=700) for one in page.get("objects", [])]


def values(indicator: dict[str, Any]) -> str:
    return str(indicator["pattern"])


def test_the_file_for_programs_is_exact_and_private(demo: Demo) -> None:
    file = demo.data.with_suffix(".json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(demo.told) == {"base_url", "discovery_url", "api_roots", "collections", "accounts"}
    assert all(set(one) == {"name", "id", "can_read", "can_write"} for one in demo.told["collections"])
    assert all(set(one) == {"user", "password", "token", "role", "organisation"} for one in demo.told["accounts"])
    assert {one["role"] for one in demo.told["accounts"]} == set(ROLES)
    assert {"federal-liaison", "riverside-hub", "acme-water"} < {one["organisation"] for one in demo.told["accounts"]}
    kinds = {(one["can_read"], one["can_write"]) for one in demo.told["collections"]}
    assert kinds == {(True, True), (True, False), (False, True), (False, False)}


def test_it_prints_where_it_is_and_three_things_to_try(demo: Demo) -> None:
    text = demo.printed.read_text()
    assert demo.told["base_url"] in text
    for part in ("curl -u partner:", "from taxii2client.v21 import Server", "threathub search"):
        assert part in text
    assert "Traceback" not in text


def test_the_printed_curl_line_works(demo: Demo) -> None:
    line = next(line for line in demo.printed.read_text().splitlines() if "curl -u partner:" in line)
    try:
        done = subprocess.run(["sh", "-c", line.strip()], capture_output=True, timeout=20, check=True)
    except subprocess.CalledProcessError as fault:
        if fault.returncode == 127:
            pytest.skip("curl is not installed")
        raise
    assert len(json.loads(done.stdout)["objects"]) == 2


def test_a_partner_discovers_and_pulls_with_taxii2_client(demo: Demo) -> None:
    account = demo.account("partner")
    server = Server(demo.told["discovery_url"], user="partner", password=account["password"])
    assert [root.title for root in server.api_roots] == ["City Threat Hub"]
    readable = {one.title: one for one in server.default.collections if one.can_read}
    assert "Partner indicators" in readable
    assert "Inbox" not in {one.title for one in server.default.collections}
    collection = readable["Federal advisories"]
    manifest = [one for page in as_pages(collection.get_manifest, per_request=10) for one in page["objects"]]
    assert len(manifest) == len(pulled(demo, "federal-advisories")) == 25
    one = collection.get_object(manifest[3]["id"])["objects"]
    assert one[0]["id"] == manifest[3]["id"]


def test_what_went_in_comes_out(demo: Demo) -> None:
    partner = pulled(demo, "partner-indicators")
    assert len({one["id"] for one in partner}) == len(partner)
    assert {"indicator", "report", "malware", "relationship"} <= {one["type"] for one in partner}
    assert Counter(one["type"] for one in pulled(demo, "vulnerabilities")) == {"vulnerability": 1404}
    mvt = {one["id"] for file in Path("demo/data/mvt").iterdir() for one in json.loads(file.read_text())["objects"]}
    assert mvt <= {one["id"] for one in partner}, "the neighbour's hub was pulled over TAXII"


def test_the_honeypot_alerts_of_2018_hit_four_addresses_of_ipsum(demo: Demo) -> None:
    sightings = pulled(demo, "sightings")
    by_id = {one["id"]: one for one in sightings}
    indicators = {one["id"]: one for one in pulled(demo, "partner-indicators") if one["type"] == "indicator"}
    hits: dict[str, dict[str, Any]] = {}
    for sighting in (one for one in sightings if one["type"] == "sighting"):
        indicator = indicators.get(sighting["sighting_of_ref"])
        for value in {*IPSUM, SHELLSHOCK}:
            if indicator and f"'{value}'" in values(indicator):
                hits[value] = sighting
    assert set(hits) == {*IPSUM, SHELLSHOCK}
    assert {value for value in IPSUM if "scanner:shodan" in hits[value]["labels"]} == SHODAN
    assert all(hits[value]["confidence"] < hits["184.105.139.67"]["confidence"] for value in SHODAN)
    for value, sighting in hits.items():
        evidence = [by_id[ref] for data in sighting["observed_data_refs"] for ref in by_id[data]["object_refs"]]
        assert value in {one["value"] for one in evidence}


def test_github_is_no_hit_and_nothing_of_the_city_leaves(demo: Demo) -> None:
    for name in ("city-indicators", "sightings", "partner-indicators"):
        text = json.dumps(pulled(demo, name))
        assert "'github.com'" not in text
        assert not [address for address in OWN if f"'{address}" in text or f'"{address}' in text]
    [row] = told("lookup", "github.com", data=demo.data)["values"]
    assert "top-site" in row["warnings"]


def test_the_city_has_indicators_of_its_own(demo: Demo) -> None:
    own = [one for one in pulled(demo, "city-indicators") if one["type"] == "indicator"]
    labels = {label for one in own for label in one["labels"]}
    assert {"honeypot", "ids-alert"} <= labels
    for one in own:
        assert one["valid_until"] > one["valid_from"]
        assert one["kill_chain_phases"][0]["kill_chain_name"] == "mitre-attack"
        assert 0 <= one["confidence"] <= 100
    listed = json.dumps([one for one in own if "scanner:shodan" in one["labels"]])
    assert listed.count("no-block") == len(SHODAN)


def test_counts_of_every_feed_add_up(demo: Demo) -> None:
    feeds = {row["feed"]: row for row in told("feed", "status", data=demo.data)}
    assert {"ipsum", "tweetfeed-week", "unit42", "cisa-kev", "volexity", "cisa-aa23-325a"} <= set(feeds)
    for status in feeds.values():
        counts = status["last_counts"]
        assert counts["fetched"] == sum(number for name, number in counts.items() if name != "fetched")
        # The last run may have been on schedule, with nothing new.
        assert status["total_stored"] > 0


def test_stix_2_0_was_upgraded_and_its_original_kept(demo: Demo) -> None:
    report = next(one for one in pulled(demo, "partner-indicators") if one["type"] == "report" and "Lumma" in str(one))
    assert report["spec_version"] == "2.1"
    store = store_in(demo.data, create=False)
    change = store.get(HUB, [report["id"]])[report["id"]]
    original = json.loads(store.original(HUB, change.id, change.version or 0) or b"")
    store.close()
    assert "spec_version" not in original
    assert original["id"] == report["id"]


def test_a_liaison_posts_and_reads_the_status(demo: Demo) -> None:
    account = demo.account("liaison")
    inbox = Collection(demo.url("inbox"), user="liaison", password=account["password"])
    indicator = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": "2026-11-01T00:00:00.000Z",
        "modified": "2026-11-01T00:00:00.000Z",
        "pattern": "[domain-name:value = 'liaison.example']",
        "pattern_type": "stix",
        "valid_from": "2026-11-01T00:00:00Z",
    }
    status = inbox.add_objects({"objects": [indicator, {"type": "indicator", "id": "nonsense"}]})
    assert (status.total_count, status.success_count, status.failure_count) == (2, 1, 1)
    assert inbox.get_object(indicator["id"])["objects"] == [indicator]


def test_search_and_match_work_while_the_hub_runs(demo: Demo) -> None:
    found = told("search", "type:indicator AND value:184.105.*", data=demo.data)
    assert "184.105.139.67" in json.dumps(found)
    log = "demo/data/suricata/alerts-honeypot-2018.json"
    done = threathub("match", log, "--sensor", "suricata", "--json", data=demo.data)
    hits = [json.loads(line) for line in done.stdout.splitlines()]
    assert {f"ipv4-addr:{value}" for value in IPSUM} <= {hit["observable"] for hit in hits}


def everything(data: Path) -> dict[str, set[tuple[str, str]]]:
    """Return what a store holds: collection -> (id, type) of every object."""
    store = store_in(data, create=False)
    held: dict[str, set[tuple[str, str]]] = {}
    for change in store.read_log(0, 1_000_000):
        held.setdefault(change.collection, set()).add((change.id, change.type))
    store.close()
    return held


def test_killed_while_it_fills_and_started_again_it_has_the_same(demo: Demo, tmp_path: Path) -> None:
    """Three kills at different moments; a restart loses nothing and repeats nothing."""
    data = tmp_path / "data"
    for position in (200, 3_000, 10_500):
        process = subprocess.Popen(
            command("demo", "--data", data, "--port", str(free_port())),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=environment(**settings_of(data)),
            start_new_session=True,
        )
        while process.poll() is None and _position(data) < position:
            time.sleep(0.01)
        os.killpg(process.pid, 9)
        process.wait()
    again = start_demo(data, free_port())
    assert stop(again.process) == 0
    expected, found = everything(demo.data), everything(data)
    for name in ("partner-indicators", "city-indicators", "sightings", "federal-advisories", "vulnerabilities"):
        assert found[name] == expected[name], name
    assert told("verify", data=data)["ok"]


def _position(data: Path) -> int:
    try:
        store = store_in(data, create=False)
    except (NoSuchFile, StoreCorrupt, StoreUnavailable):
        return 0  # not made yet, or in part
    try:
        return store.head().position
    finally:
        store.close()


def test_a_second_start_goes_on_and_adds_nothing(demo: Demo, tmp_path: Path) -> None:
    data = tmp_path / "copy"
    assert threathub("backup", tmp_path / "copy.db", data=demo.data).returncode == 0
    assert threathub("restore", tmp_path / "copy.db", data=data).returncode == 0
    (data / "demo-accounts.json").write_text((demo.data / "demo-accounts.json").read_text())
    before = everything(data)
    again = start_demo(data, free_port())
    assert again.told["accounts"] == demo.told["accounts"]
    assert stop(again.process) == 0
    assert everything(data) == before
    store = store_in(data, create=False)
    for name in before:
        page = store.read_manifest(HUB, PageQuery(name, versions=Versions(all=True, last=False), limit=100_000))
        seen = [(entry.id, entry.version_text, entry.spec_version) for entry in page.entries]
        assert len(seen) == len(set(seen)), name
    store.close()
