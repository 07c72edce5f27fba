"""STIX 2.0 objects come out as STIX 2.1 that the stix2 library takes."""

import copy
import gzip
import json
from pathlib import Path

import pytest
import stix2

from hub.model.ids import sco_id
from hub.model.markings import TLP1_IDS
from hub.model.stix import UNVERSIONED_TEXT, version_of
from hub.model.upgrade import is_stix20, upgrade

SAMPLES = Path(__file__).parents[1] / "samples" / "model"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "stix20"
COMMON = {"created": "2020-01-01T00:00:00.000Z", "modified": "2020-01-01T00:00:00.000Z"}
UUID = "4a4a4a4a-4a4a-4a4a-8a4a-4a4a4a4a4a4a"


def accepted(obj):
    return stix2.parse(obj, version="2.1", allow_custom=True)


def bundles():
    paths = list(SAMPLES.glob("*.stix20.json"))
    paths += [path for path in SHARED.rglob("*.json*") if path.is_file()]
    for path in paths:
        raw = path.read_bytes()
        yield json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)


def test_every_published_object_comes_out_as_stix21():
    for bundle in bundles():
        for obj in bundle["objects"]:
            before = copy.deepcopy(obj)
            assert is_stix20(obj, bundle["spec_version"])
            for new in upgrade(obj):
                assert accepted(new)["spec_version"] == "2.1"
                assert not is_stix20(new, "2.0")
            assert obj == before
            first = upgrade(obj)[0]
            kept = {k: v for k, v in obj.items() if k not in {"objects", "definition", "last_seen", "created"}}
            assert first["id"] == obj["id"]
            assert {k: first[k] for k in kept} == kept


def test_labels_of_the_vocabulary_become_types_and_stay():
    labels = ["malicious-activity", 'misp:type="url"', "Anonymization"]
    indicator: dict[str, object] = {"type": "indicator", "id": f"indicator--{UUID}", **COMMON, "labels": labels}
    indicator |= {"pattern": "[mutex:name = 'x']", "valid_from": "2020-01-01T00:00:00Z", "x_score": 7}
    (new,) = upgrade(indicator)
    assert new["indicator_types"] == ["malicious-activity", "anonymization"]
    assert new["labels"] == labels
    assert (new["pattern_type"], new["pattern_version"], new["x_score"]) == ("stix", "2.1", 7)
    accepted(new)


def test_a_pattern_only_2_0_knows_keeps_its_version():
    pattern = "[mutex:name = 'x'] START '2020-01-01T00:00:00Z' STOP '2020-01-02T00:00:00Z'"
    indicator = {"type": "indicator", "id": f"indicator--{UUID}", **COMMON, "labels": ["benign"], "pattern": pattern}
    (new,) = upgrade({**indicator, "valid_from": "2020-01-01T00:00:00Z"})
    assert new["pattern_version"] == "2.0"


@pytest.mark.parametrize(
    ("kind", "label", "name"),
    [
        ("malware", "ransomware", "malware_types"),
        ("report", "threat-report", "report_types"),
        ("threat-actor", "crime-syndicate", "threat_actor_types"),
        ("tool", "remote-access", "tool_types"),
    ],
)
def test_types_by_object_type(kind, label, name):
    obj = {"type": kind, "id": f"{kind}--{UUID}", **COMMON, "name": "x", "labels": [label]}
    if kind == "report":
        obj |= {"published": "2020-01-01T00:00:00Z", "object_refs": [f"malware--{UUID}"]}
    (new,) = upgrade(obj)
    assert new[name] == [label]
    assert new.get("is_family") is (True if kind == "malware" else None)
    accepted(new)


def test_sightings_relationships_and_identities():
    refs = {"source_ref": f"malware--{UUID}", "target_ref": f"tool--{UUID}", "relationship_type": "uses"}
    accepted(upgrade({"type": "relationship", "id": f"relationship--{UUID}", **COMMON, **refs})[0])
    sighting = {"type": "sighting", "id": f"sighting--{UUID}", **COMMON, "sighting_of_ref": f"malware--{UUID}"}
    times = {"first_seen": "2020-02-01T00:00:00Z", "last_seen": "2020-01-01T00:00:00Z"}
    (new,) = upgrade({**sighting, **times, "count": 3})
    assert "last_seen" not in new
    assert new["x_last_seen"] == times["last_seen"]
    accepted(new)
    identity = {"type": "identity", "id": f"identity--{UUID}", **COMMON, "name": "x", "identity_class": "organization"}
    accepted(upgrade({**identity, "sectors": ["education"]})[0])


def test_fixed_traffic_lights_are_the_objects_of_the_specification():
    for marking in TLP1_IDS:
        (new,) = upgrade({"type": "marking-definition", "id": marking, "definition": {"tlp": "anything"}})
        fixed = next(
            obj
            for obj in (stix2.v21.TLP_WHITE, stix2.v21.TLP_GREEN, stix2.v21.TLP_AMBER, stix2.v21.TLP_RED)
            if obj["id"] == marking
        )
        assert new == json.loads(fixed.serialize())


OBJECTS = {
    "0": {"type": "directory", "path": "/tmp", "created": "2020-01-01T00:00:00Z", "contains_refs": ["1"]},
    "1": {"type": "file", "name": "a.sh", "hashes": {"ssdeep": "3:a:b"}, "parent_directory_ref": "0",
          "is_encrypted": False},
    "2": {"type": "ipv4-addr", "value": "192.0.2.7", "resolves_to_refs": ["3"]},
    "3": {"type": "mac-addr", "value": "d2:fb:49:24:37:18"},
    "4": {"type": "network-traffic", "src_ref": "2", "protocols": ["tcp"], "encapsulates_refs": ["5"]},
    "5": {"type": "network-traffic", "dst_ref": "2", "protocols": ["udp"], "encapsulated_by_ref": "4"},
    "6": {"type": "process", "pid": 7, "name": "a.sh", "binary_ref": "1", "opened_connection_refs": ["4"]},
    "7": {"type": "x-thing", "x_ref": "2"},
    "8": {"type": "ipv4-addr", "value": "192.0.2.7"},
}  # fmt: skip


def test_embedded_objects_become_objects_with_the_markings_of_their_container():
    marking = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
    observed = {"type": "observed-data", "id": f"observed-data--{UUID}", **COMMON, "number_observed": 1}
    observed |= {"first_observed": "2020-01-01T00:00:00Z", "last_observed": "2020-01-01T00:00:00Z", "objects": OBJECTS}
    observed["object_marking_refs"] = [marking]
    first, *rest = upgrade(observed)
    accepted(first)
    assert "objects" not in first
    assert first["object_refs"] == [obj["id"] for obj in rest]
    assert len(rest) == len(OBJECTS) - 1
    by_type = {obj["type"]: obj for obj in rest}
    for obj in rest:
        assert obj["object_marking_refs"] == [marking]
        if obj["type"] != "x-thing":
            accepted(obj)
        assert obj["id"] == (sco_id(obj) or obj["id"])
    assert by_type["file"]["parent_directory_ref"] == by_type["directory"]["id"]
    assert by_type["file"]["hashes"] == {"SSDEEP": "3:a:b"}
    assert by_type["file"]["x_is_encrypted"] is False
    assert by_type["directory"]["contains_refs"] == [by_type["file"]["id"]]
    assert by_type["directory"]["ctime"] == "2020-01-01T00:00:00Z"
    assert by_type["process"]["image_ref"] == by_type["file"]["id"]
    assert by_type["x-thing"]["x_ref"] == by_type["ipv4-addr"]["id"]
    assert upgrade(observed) == [first, *rest]


def test_a_circle_of_references_ends():
    objects = {
        "0": {"type": "network-traffic", "src_ref": "1", "protocols": ["tcp"]},
        "1": {"type": "network-traffic", "src_ref": "0", "protocols": ["tcp"]},
    }
    _, one, two = upgrade({"type": "observed-data", "id": f"observed-data--{UUID}", "objects": objects})
    assert {one["src_ref"], two["src_ref"]} == {one["id"], two["id"]}


def test_which_version_an_object_is():
    sdo, sco = {"type": "malware"}, {"type": "url", "id": f"url--{UUID}"}
    assert is_stix20(sdo, "2.0")
    assert is_stix20(sdo, None)
    assert not is_stix20(sdo, "2.1")
    assert not is_stix20({**sdo, "spec_version": "2.1"}, "2.0")
    assert is_stix20({**sdo, "spec_version": "2.0"}, None)
    assert not is_stix20(sco, "2.0")


def test_versions():
    assert version_of({"modified": "1970-01-01T00:00:02.5Z", "created": "x"}) == (2_500_000, "1970-01-01T00:00:02.5Z")
    assert version_of({"created": "1970-01-01T00:00:01Z"}) == (1_000_000, "1970-01-01T00:00:01Z")
    assert version_of({"type": "url"}) == (0, UNVERSIONED_TEXT)
    for wrong in ("yesterday", 7):
        with pytest.raises(ValueError, match="timestamp"):
            version_of({"modified": wrong})
