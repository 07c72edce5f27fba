"""KEV: entries are followed by content; the object's version rises only when an entry changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import stix2

from connectors.documents import DocumentSettings
from connectors.http import Http
from connectors.kev import Kev

SAMPLE = Path(__file__).parents[1] / "samples" / "kev" / "catalogue" / "input.json"


def pull(path: Path, cursor: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    found = []
    for portion in Kev().fetch(DocumentSettings(path=path), cursor, Http()):
        found += [json.loads(item.raw) for item in portion.items]
        cursor = json.loads(json.dumps(portion.cursor))
    return found, cursor


def test_objects_are_stix_and_know_their_number() -> None:
    found, _ = pull(SAMPLE, {})
    catalogue = json.loads(SAMPLE.read_bytes())["vulnerabilities"]
    assert [vulnerability["name"] for vulnerability in found] == [entry["cveID"] for entry in catalogue]
    for vulnerability in found:
        parsed = stix2.parse(vulnerability, version="2.1")
        assert parsed.external_references[0].external_id == vulnerability["name"]


def test_only_what_changed_comes_again_and_its_version_rises(tmp_path: Path) -> None:
    path = tmp_path / "kev.json"
    catalogue = json.loads(SAMPLE.read_bytes())
    path.write_text(json.dumps(catalogue))
    first, cursor = pull(path, {})
    assert pull(path, cursor)[0] == []
    catalogue["dateReleased"] = "2026-07-23T10:00:00.1234Z"
    catalogue["vulnerabilities"][1]["knownRansomwareCampaignUse"] = "Known"
    catalogue["vulnerabilities"][1]["notes"] = ""
    path.write_text(json.dumps(catalogue))
    again, cursor = pull(path, cursor)
    assert [one["id"] for one in again] == [first[1]["id"]]
    assert again[0]["created"] == first[1]["created"]
    assert again[0]["modified"] == "2026-07-23T10:00:00.123Z"
    assert "known-ransomware-use" in again[0]["labels"]
    assert pull(path, cursor)[0] == []
