"""Lists as partners get them."""

import csv
import io
import json

import stix2

from hub.model.observables import Observable
from hub.publish.entries import Entry
from hub.publish.formats import output_formats

INDICATOR = {
    "type": "indicator",
    "spec_version": "2.1",
    "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
    "created": "2026-04-06T20:03:48.000Z",
    "modified": "2026-04-06T20:03:48.000Z",
    "pattern": "[domain-name:value = 'evil.example']",
    "pattern_type": "stix",
    "valid_from": "2026-01-01T00:00:00Z",
}


def entry(kind: str, value: str, *labels: str) -> Entry:
    return Entry(Observable(kind, value), INDICATOR, 1_800_000_000_000_000, 70, labels)


def test_plain_text_has_what_a_firewall_reads() -> None:
    listed = [entry("ipv4-addr", "192.0.2.7"), entry("file-md5", "d41d8cd98f00b204e9800998ecf8427e")]
    assert "".join(output_formats()["txt"].write(listed)) == "192.0.2.7\n"


def test_a_spreadsheet_runs_no_formula() -> None:
    text = "".join(output_formats()["csv"].write([entry("url", '=cmd|"/c calc"!A1', "@SUM(1)", "two words")]))
    header, row = csv.reader(io.StringIO(text))
    assert header[0] == "value"
    assert row[0] == '\'=cmd|"/c calc"!A1'
    assert row[4] == "'@SUM(1) two words"
    assert row[2] == "2027-01-15T08:00:00.000Z"


def test_the_bundle_is_stix_and_names_an_indicator_once() -> None:
    text = "".join(output_formats()["stix"].write([entry("ipv4-addr", "192.0.2.7"), entry("url", "http://x.example/")]))
    assert len(json.loads(text)["objects"]) == 1
    assert stix2.parse(text).objects[0].id == INDICATOR["id"]
