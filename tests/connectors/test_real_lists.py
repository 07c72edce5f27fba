"""Shipped declarations over whole real lists, most of which may not be copied here; skipped where they are not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from connectors.feeds import load_feed

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"

LISTS = [
    ("urlhaus", "feeds/abusech/urlhaus_2025-04-21.csv.gz", 11125),
    ("feodo", "feeds/abusech/feodo_ipblocklist_2024-04-04.csv", 28),
    ("feodo-json", "feeds/abusech/feodo.json", 5),
    ("spamhaus-drop", "feeds/blocklists/spamhaus_drop.txt", 1699),
    ("dshield", "feeds/blocklists/dshield_block.txt", 20),
    ("openphish", "feeds/blocklists/openphish_feed.txt", 300),
    ("phishtank", "feeds/phishtank_verified_online_2021-03-06.csv.gz", 10127),
    ("stalkerware", "feeds/csv/stalkerware-network.csv.gz", 1034),
    ("ipsum", "feeds/blocklists/ipsum_level5.txt", 1413),
    ("tweetfeed-csv", "feeds/csv/tweetfeed_today.csv", 59),
    ("tweetfeed-rpz", "feeds/blocklists/tweetfeed_rpz.txt.gz", 4875),
    ("tweetfeed", "stix21/tweetfeed/week.json.gz", 1538),
    ("cisa-advisories", "advisories/cisa-aa23-325a.stix21.json", 25),
    ("cisa-kev", "advisories/kev/known_exploited_vulnerabilities.json.gz", 1404),
    ("maltrail", "feeds/blocklists/maltrail/malware_systembc.txt", 942),
    ("mvt", "stix21/mvt/kingspawn.stix2.gz", 335),
]


@pytest.mark.parametrize(("name", "file", "number"), LISTS, ids=[name for name, *_ in LISTS])
def test_a_shipped_declaration_reads_the_whole_real_list(name: str, file: str, number: int) -> None:
    if not (DATA / file).is_file():
        pytest.skip(f"the real list {file} is not at hand")
    connector, settings = load_feed(ROOT / "feeds" / "sources" / f"{name}.toml").parts()
    with (DATA / file).open("rb") as stream:
        items = list(connector.read(settings, stream, Path(file).name))
    assert dict(Counter(type(item).__name__ == "BadItem" for item in items)) == {False: number}
