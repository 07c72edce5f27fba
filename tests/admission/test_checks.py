"""Schemas and hand-written rules against the reference library stix2: 30 mutations, and all real data at hand."""

import copy
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stix2

from hub.admission.rules import check_rules
from hub.admission.schema import check_identity, check_schema
from hub.admission.strict_json import parse_object
from hub.errors import Refused
from hub.model.upgrade import is_stix20, upgrade
from tests.admission.parts import ROOT, indicator

GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
WHOLE = indicator(
    created_by_ref="identity--f431f809-377b-45e0-aa1c-6a4751cae5ff",
    valid_until="2027-01-02T03:04:05.678Z",
    confidence=70,
    labels=["a"],
    lang="en",
    external_references=[{"source_name": "x", "url": "https://x.example/1"}],
    object_marking_refs=[GREEN],
    kill_chain_phases=[{"kill_chain_name": "m", "phase_name": "p"}],
    granular_markings=[{"selectors": ["name"], "marking_ref": GREEN}],
)
MALWARE = "malware--f431f809-377b-45e0-aa1c-6a4751cae5ff"


def read(obj: dict[str, Any], *, stix20: bool = False) -> None:
    """Check an object as the gate does."""
    check_identity(obj)
    for one in upgrade(obj) if is_stix20(obj, "2.0" if stix20 else None) else [obj]:
        check_schema(one)
        check_rules(one)


MUTATIONS: list[tuple[str, dict[str, Any], str, str]] = [
    ("a required property is missing", {"pattern": None}, "schema", "/"),
    ("id is no UUID", {"id": "indicator--x"}, "schema", "/id"),
    ("id is of another type", {"id": MALWARE}, "schema", "/id"),
    ("month 13", {"modified": "2026-13-02T03:04:05.678Z"}, "schema", "/modified"),
    ("30 February", {"valid_from": "2026-02-30T03:04:05.678Z"}, "time", "/valid_from"),
    ("an offset in a time", {"modified": "2026-03-02T03:04:05.678+01:00"}, "schema", "/modified"),
    ("an external reference without anything", {"external_references": [{"source_name": "x"}]}, "schema", "/external_"),
    ("half a kill chain phase", {"kill_chain_phases": [{"kill_chain_name": "x"}]}, "schema", "/kill_chain_phases/0"),
    ("confidence 101", {"confidence": 101}, "schema", "/confidence"),
    ("confidence as text", {"confidence": "70"}, "schema", "/confidence"),
    ("labels no list", {"labels": "a"}, "schema", "/labels"),
    ("labels empty", {"labels": []}, "schema", "/labels"),
    ("name null", {"name": ...}, "schema", "/name"),
    ("spec_version 2.9", {"spec_version": "2.9"}, "schema", "/spec_version"),
    ("a property in upper case", {"Name": "x"}, "schema", "/"),
    ("revoked as text", {"revoked": "yes"}, "schema", "/revoked"),
    ("valid_until before valid_from", {"valid_until": "2025-01-01T00:00:00Z"}, "time-order", "/valid_until"),
    ("valid_until at valid_from", {"valid_until": WHOLE["valid_from"]}, "time-order", "/valid_until"),
    ("modified before created", {"modified": "2025-01-01T00:00:00.000Z"}, "time-order", "/modified"),
    ("a malformed language tag", {"lang": "not a tag"}, "language", "/lang"),
    ("pattern text invalid", {"pattern": "[foo"}, "pattern", "/pattern"),
    (
        "a selector of nothing",
        {"granular_markings": [{"selectors": ["bogus"], "marking_ref": GREEN}]},
        "selector",
        "/gr",
    ),
    ("created_by_ref to a malware", {"created_by_ref": MALWARE}, "reference-type", "/created_by_ref"),
    ("a marking that is an identity", {"object_marking_refs": [WHOLE["created_by_ref"]]}, "reference-type", "/object_"),
]
"""What is refused, with reason and place, of the table of 30 mutations; None takes a property away, ... is null."""

TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("a custom property", {"x_foo": 1}),
    ("an unknown property", {"foo": {"bar": [1]}}),
    ("an address in the pattern that cannot be", {"pattern": "[ipv4-addr:value = '300.1.2.3']"}),
    ("Sigma text that is none", {"pattern_type": "sigma", "pattern": "garbage"}),
    ("six fraction digits", {"modified": "2026-01-02T03:04:05.678901Z"}),
    ("whole seconds", {"created": "2026-01-02T03:04:05Z", "modified": "2026-01-02T03:04:05.1Z"}),
    ("nothing changed", {}),
]
"""What nobody refuses, or only stix2 in its strict mode, and why it is taken: it is kept byte for byte."""


def mutated(change: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(WHOLE) | change
    return {name: None if value is ... else value for name, value in made.items() if value is not None}


@pytest.mark.parametrize(("title", "change", "reason", "place"), MUTATIONS, ids=[one[0] for one in MUTATIONS])
def test_refused(title: str, change: dict[str, Any], reason: str, place: str) -> None:
    with pytest.raises(Refused) as fault:
        read(mutated(change))
    assert fault.value.reason == reason
    assert fault.value.place.startswith(place)
    assert len(fault.value.message) < 400


@pytest.mark.parametrize(("title", "change"), TAKEN, ids=[one[0] for one in TAKEN])
def test_taken(title: str, change: dict[str, Any]) -> None:
    read(mutated(change))


THING = {"type": "x-thing", "id": "x-thing--f431f809-377b-45e0-aa1c-6a4751cae5ff"}
NAME = {"type": "domain-name", "spec_version": "2.1", "id": "domain-name--ff26c055-6336-5bc5-b98d-13d6226742dd"}


@pytest.mark.parametrize(
    ("obj", "reason"),
    [
        (THING | {"any": [1]}, ""),
        (THING | {"username": "x"}, ""),
        (THING | {"modified": "soon"}, "time"),
        (THING | {"granular_markings": 1}, "schema"),
        (THING | {"spec_version": "3.0"}, "schema"),
        ({"type": ["x"], "id": "x"}, "schema"),
        ({"id": "x"}, "schema"),
        ({"type": "indicator", "id": {}}, "schema"),
        (NAME | {"value": "evil.example"}, ""),
        (NAME | {"value": "two words"}, "value"),
    ],
)
def test_custom_objects_and_observables(obj: dict[str, Any], reason: str) -> None:
    if not reason:
        read(obj)
        return
    with pytest.raises(Refused) as fault:
        read(obj)
    assert fault.value.reason == reason


def bundles() -> Iterator[tuple[Path, list[dict[str, Any]], bool]]:
    """Yield every STIX document that ships, and those of the shared data folder when it stands beside the checkout."""
    folders = [ROOT / "demo" / "data", ROOT / "tests" / "samples", *_shared()]
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        name = path.name.removesuffix(".gz")
        if not name.endswith((".json", ".stix", ".stix2")):
            continue
        try:
            found = json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
        except ValueError:
            continue
        if isinstance(found, dict) and isinstance(found.get("objects"), list):
            objects = [one for one in found["objects"] if isinstance(one, dict) and "--" in str(one.get("id"))]
            yield path, objects, found.get("spec_version") == "2.0"


def _shared() -> list[Path]:
    shared = ROOT.parent / "shared" / "data"
    return [shared] if shared.is_dir() else []


EXPLAINED: dict[str, str] = {}
"""Reasons for which the hub refuses an object that stix2 takes, by id; none of the real data needs one."""


def test_what_stix2_takes_the_hub_takes() -> None:
    counts: Counter[str] = Counter()
    for path, objects, stix20 in bundles():
        for obj in objects:
            counts["objects"] += 1
            try:
                read(parse_object(json.dumps(obj).encode())[0], stix20=stix20)
            except Refused as fault:
                counts["refused"] += 1
                if obj["id"] in EXPLAINED:
                    continue
                with pytest.raises(Exception):  # noqa: B017 - stix2 raises whatever it stumbles over
                    stix2.parse(obj, allow_custom=True)
                    pytest.fail(f"{path.name}: {obj['id']} is refused: {fault.reason} {fault.message}")
    assert counts["objects"] > 200


@pytest.mark.skipif(not _shared(), reason="the shared data folder does not stand beside the checkout")
def test_all_shared_data_is_there() -> None:
    assert sum(len(objects) for _, objects, _ in bundles()) > 6000
