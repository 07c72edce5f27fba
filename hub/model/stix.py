"""Small facts of STIX 2.1: object types, versions of objects, and to what references may point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.model.ids import CONTRIBUTING
from hub.model.times import parse_timestamp

SDO_TYPES = frozenset({
    "attack-pattern", "campaign", "course-of-action", "grouping", "identity", "incident", "indicator",
    "infrastructure", "intrusion-set", "location", "malware", "malware-analysis", "note", "observed-data", "opinion",
    "report", "threat-actor", "tool", "vulnerability",
})  # fmt: skip
"""STIX 2.1 section 4."""

SRO_TYPES = frozenset({"relationship", "sighting"})
"""STIX 2.1 section 5."""

SCO_TYPES = frozenset(CONTRIBUTING)
"""STIX 2.1 section 6."""

META_TYPES = frozenset({"extension-definition", "language-content", "marking-definition"})
"""STIX 2.1 section 7."""

STIX_TYPES = SDO_TYPES | SRO_TYPES | SCO_TYPES | META_TYPES

UNVERSIONED_TEXT = "1970-01-01T00:00:00.000000Z"
"""The version of an object that has neither ``modified`` nor ``created`` (`hub.store.ports.UNVERSIONED` as text)."""

_ADDRESSES = frozenset({"ipv4-addr", "ipv6-addr"})
_HOSTS = _ADDRESSES | {"mac-addr", "domain-name"}
_FILES = frozenset({"file", "directory"})

COMMON_REFERENCES: Mapping[str, frozenset[str]] = {
    "created_by_ref": frozenset({"identity"}),
    "object_marking_refs": frozenset({"marking-definition"}),
}
"""Types that references of every object must point to."""

REFERENCES: Mapping[tuple[str, str], frozenset[str]] = {
    ("directory", "contains_refs"): _FILES,
    ("domain-name", "resolves_to_refs"): _ADDRESSES | {"domain-name"},
    ("email-addr", "belongs_to_ref"): frozenset({"user-account"}),
    ("email-message", "from_ref"): frozenset({"email-addr"}),
    ("email-message", "sender_ref"): frozenset({"email-addr"}),
    ("email-message", "to_refs"): frozenset({"email-addr"}),
    ("email-message", "cc_refs"): frozenset({"email-addr"}),
    ("email-message", "bcc_refs"): frozenset({"email-addr"}),
    ("email-message", "raw_email_ref"): frozenset({"artifact"}),
    ("file", "parent_directory_ref"): frozenset({"directory"}),
    ("file", "content_ref"): frozenset({"artifact"}),
    ("ipv4-addr", "resolves_to_refs"): frozenset({"mac-addr"}),
    ("ipv4-addr", "belongs_to_refs"): frozenset({"autonomous-system"}),
    ("ipv6-addr", "resolves_to_refs"): frozenset({"mac-addr"}),
    ("ipv6-addr", "belongs_to_refs"): frozenset({"autonomous-system"}),
    ("malware", "operating_system_refs"): frozenset({"software"}),
    ("malware", "sample_refs"): frozenset({"file", "artifact"}),
    ("malware-analysis", "host_vm_ref"): frozenset({"software"}),
    ("malware-analysis", "operating_system_ref"): frozenset({"software"}),
    ("malware-analysis", "installed_software_refs"): frozenset({"software"}),
    ("network-traffic", "src_ref"): _HOSTS,
    ("network-traffic", "dst_ref"): _HOSTS,
    ("network-traffic", "src_payload_ref"): frozenset({"artifact"}),
    ("network-traffic", "dst_payload_ref"): frozenset({"artifact"}),
    ("network-traffic", "encapsulates_refs"): frozenset({"network-traffic"}),
    ("network-traffic", "encapsulated_by_ref"): frozenset({"network-traffic"}),
    ("process", "opened_connection_refs"): frozenset({"network-traffic"}),
    ("process", "creator_user_ref"): frozenset({"user-account"}),
    ("process", "image_ref"): frozenset({"file"}),
    ("process", "parent_ref"): frozenset({"process"}),
    ("process", "child_refs"): frozenset({"process"}),
    ("sighting", "observed_data_refs"): frozenset({"observed-data"}),
    ("sighting", "where_sighted_refs"): frozenset({"identity", "location"}),
    ("windows-registry-key", "creator_user_ref"): frozenset({"user-account"}),
}
"""Types that a reference property must point to, by object type and property."""


def version_of(obj: Mapping[str, Any]) -> tuple[int, str]:
    """Return an object's version: microseconds UTC for comparing, and the text as the object has it.

    ``modified``, else ``created``, else the constant `UNVERSIONED_TEXT` (TAXII 2.1 section 3.4 on ``version``).

    Raises:
        ValueError: the time is no timestamp.
    """
    text = obj.get("modified") or obj.get("created") or UNVERSIONED_TEXT
    if not isinstance(text, str):
        raise ValueError("modified and created must be timestamps")
    return parse_timestamp(text), text
