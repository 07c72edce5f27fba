"""From STIX 2.0 to STIX 2.1: the same objects, under the same ids, as a 2.1 producer would write them.

Labels keep their places (granular markings select by position) and those that the 2.0 vocabularies know are repeated
as ``indicator_types`` and the like. The objects inside ``observed-data`` become objects of their own with
deterministic ids. Custom types and properties stay; properties that 2.1 dropped stay under ``x_`` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.model import hashes
from hub.model.ids import derived_id, sco_id
from hub.model.markings import TLP1_IDS
from hub.model.patterns import PatternRefused, read_pattern
from hub.model.stix import SCO_TYPES
from hub.model.times import parse_timestamp

_VOCABULARIES: dict[str, tuple[str, frozenset[str]]] = {
    "indicator": (
        "indicator_types",
        frozenset({
            "anomalous-activity", "anonymization", "benign", "compromised", "malicious-activity", "attribution",
            "unknown",
        }),
    ),
    "malware": (
        "malware_types",
        frozenset({
            "adware", "backdoor", "bootkit", "bot", "ddos", "downloader", "dropper", "exploit-kit", "keylogger",
            "ransomware", "remote-access-trojan", "resource-exploitation", "rogue-security-software", "rootkit",
            "screen-capture", "spyware", "trojan", "unknown", "virus", "webshell", "wiper", "worm",
        }),
    ),
    "report": (
        "report_types",
        frozenset({
            "threat-report", "attack-pattern", "campaign", "identity", "indicator", "intrusion-set", "malware",
            "observed-data", "threat-actor", "tool", "vulnerability",
        }),
    ),
    "threat-actor": (
        "threat_actor_types",
        frozenset({
            "activist", "competitor", "crime-syndicate", "criminal", "hacker", "insider-accidental",
            "insider-disgruntled", "nation-state", "sensationalist", "spy", "terrorist", "unknown",
        }),
    ),
    "tool": (
        "tool_types",
        frozenset({
            "denial-of-service", "exploitation", "information-gathering", "network-capture",
            "credential-exploitation", "remote-access", "vulnerability-scanning", "unknown",
        }),
    ),
}  # fmt: skip
"""Property and values that 2.0 kept in ``labels``, by object type (STIX 2.0 part 1 section 6, STIX 2.1 section 10)."""

_RENAMED: dict[str, dict[str, str]] = {
    "directory": {"created": "ctime", "modified": "mtime", "accessed": "atime"},
    "file": {
        "created": "ctime",
        "modified": "mtime",
        "accessed": "atime",
        "is_encrypted": "x_is_encrypted",
        "encryption_algorithm": "x_encryption_algorithm",
        "decryption_key": "x_decryption_key",
    },
    "network-traffic": {"encapsulates_by_ref": "encapsulated_by_ref"},
    "process": {
        "created": "created_time",
        "binary_ref": "image_ref",
        "name": "x_name",
        "arguments": "x_arguments",
    },
    "user-account": {"password_last_changed": "credential_last_changed"},
    "windows-registry-key": {"modified": "modified_time"},
}
"""Properties of cyber-observable objects whose names 2.1 changed or dropped."""

_TLP1_OBJECTS: dict[str, dict[str, Any]] = {
    marking: {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": marking,
        "created": "2017-01-20T00:00:00.000Z",
        "definition_type": "tlp",
        "name": f"TLP:{word.upper()}",
        "definition": {"tlp": word},
    }
    for marking, word in zip(TLP1_IDS, ("white", "green", "amber", "red"), strict=True)
}
"""The fixed objects of STIX 2.1 section 7.2.1.4: copies in the wild differ, and clients refuse those."""


def is_stix20(obj: Mapping[str, Any], bundle_spec_version: str | None) -> bool:
    """Say whether an object is STIX 2.0; its own word counts more than its bundle's (real bundles are wrong)."""
    own = obj.get("spec_version")
    if own is not None:
        return bool(own == "2.0")
    if obj.get("type") in SCO_TYPES:
        return False  # 2.0 has no such objects outside observed-data, and 2.1 lets them go without spec_version
    return bundle_spec_version in {None, "2.0"}


def upgrade(obj: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a STIX 2.0 object as STIX 2.1: the object itself first, then the SCOs that were inside it.

    The argument is not changed. What is wrong in the object stays wrong; the schema check behind this finds it.
    """
    kind = obj.get("type")
    if obj.get("id") in _TLP1_OBJECTS:
        return [dict(_TLP1_OBJECTS[obj["id"]])]
    new: dict[str, Any] = {"type": kind, "spec_version": "2.1"}
    new.update((name, value) for name, value in obj.items() if name not in new)
    _add_types(new)
    if kind == "indicator":
        new.setdefault("pattern_type", "stix")
        new.setdefault("pattern_version", _pattern_version(new.get("pattern")))
    elif kind == "malware":
        new.setdefault("is_family", True)  # 2.0 told families and samples apart by nothing; a family claims less
    elif kind in {"campaign", "intrusion-set", "sighting"}:
        _keep_order(new)
    elif kind == "observed-data" and isinstance(new.get("objects"), Mapping):
        return [new, *_take_out(new)]
    return [new]


def _add_types(obj: dict[str, Any]) -> None:
    name, vocabulary = _VOCABULARIES.get(str(obj.get("type")), ("", frozenset()))
    labels = obj.get("labels")
    if name and name not in obj and isinstance(labels, list):
        words = (label.strip().lower().replace(" ", "-") for label in labels if isinstance(label, str))
        types = list(dict.fromkeys(word for word in words if word in vocabulary))
        if types:
            obj[name] = types


def _keep_order(obj: dict[str, Any]) -> None:
    """Put a ``last_seen`` before ``first_seen`` aside: 2.0 let it pass, 2.1 does not."""
    try:
        if parse_timestamp(obj["last_seen"]) < parse_timestamp(obj["first_seen"]):
            obj["x_last_seen"] = obj.pop("last_seen")
    except (KeyError, TypeError, ValueError):
        return


def _pattern_version(pattern: object) -> str:
    """Return 2.1 for a pattern that means the same in both languages (only START and STOP differ)."""
    if not isinstance(pattern, str):
        return "2.0"
    try:
        read_pattern(pattern)
    except PatternRefused:
        return "2.0"
    return "2.0" if "START" in pattern else "2.1"


def _take_out(observed: dict[str, Any]) -> list[dict[str, Any]]:
    """Replace the embedded objects of an observed-data by references, and return them as objects."""
    taken = _Embedded(observed)
    observed.pop("objects")
    observed["object_refs"] = list(dict.fromkeys(taken.ids[key] for key in taken.objects))
    return list({obj["id"]: obj for obj in taken.finished()}.values())


class _Embedded:
    """The objects of one observed-data on their way out: keys of the container become ids."""

    def __init__(self, observed: Mapping[str, Any]) -> None:
        self.observed = str(observed.get("id"))
        self.markings = observed.get("object_marking_refs")
        self.objects = {
            str(key): _renamed(obj)
            for key, obj in observed["objects"].items()
            if isinstance(obj, Mapping) and "type" in obj
        }
        self.ids: dict[str, str] = {}
        for key in self.objects:
            self.identify(key)

    def identify(self, key: str) -> None:
        """Give an object its id, those it points to first: their ids are part of its own.

        Written as a loop, since a chain of references may be as long as the container. In a circle (a folder that
        contains a file that names its folder) the first one met has the container's key where the circle closes.
        """
        waiting = [key]
        entered: set[str] = set()
        while waiting:
            current = waiting[-1]
            if current in self.ids:
                waiting.pop()
                continue
            missing = [other for other in self.needed(current) if other not in self.ids and other not in entered]
            if missing and current not in entered:
                entered.add(current)
                waiting.extend(missing)
                continue
            resolved = self.resolved(self.objects[current])
            self.ids[current] = sco_id(resolved) or derived_id(resolved["type"], self.observed, current)
            waiting.pop()

    def needed(self, key: str) -> list[str]:
        """Return the keys of the objects whose ids go into this one's."""
        obj = self.objects[key]
        names = {
            "file": ("parent_directory_ref",),
            "network-traffic": ("src_ref", "dst_ref"),
            "email-message": ("from_ref",),
        }
        found = [obj[name] for name in names.get(obj["type"], ()) if isinstance(obj.get(name), str)]
        extensions = obj.get("extensions")
        return [other for other in [*found, *_references(extensions)] if other in self.objects]

    def resolved(self, value: Any, name: str = "") -> Any:
        """Return a copy with keys of the container replaced by ids, where those are known."""
        if isinstance(value, Mapping):
            return {key: self.resolved(item, str(key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolved(item, name) for item in value]
        if isinstance(value, str) and name.endswith(("_ref", "_refs")):
            return self.ids.get(value, value)
        return value

    def finished(self) -> list[dict[str, Any]]:
        """Return the objects as STIX 2.1, each with the markings of the observed-data it came from."""
        done = []
        for key, obj in self.objects.items():
            new = {"type": obj["type"], "spec_version": "2.1", "id": self.ids[key]}
            new.update(self.resolved(obj))
            if self.markings and "object_marking_refs" not in new:
                new["object_marking_refs"] = list(self.markings)
            done.append(new)
        return done


def _references(value: Any, name: str = "") -> list[str]:
    if isinstance(value, Mapping):
        return [found for key, item in value.items() for found in _references(item, str(key))]
    if isinstance(value, list):
        return [found for item in value for found in _references(item, name)]
    return [value] if isinstance(value, str) and name.endswith(("_ref", "_refs")) else []


def _renamed(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return an embedded object with the property names of STIX 2.1."""
    names = _RENAMED.get(str(obj["type"]), {})
    new = {names.get(name, name): value for name, value in obj.items()}
    if isinstance(new.get("hashes"), Mapping):
        new["hashes"] = {hashes.spelled(name): value for name, value in new["hashes"].items()}
    return new
