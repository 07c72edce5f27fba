"""Identifiers: their form, the deterministic ids of STIX cyber-observable objects, and the hub's own."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from hub.model import hashes

_ID = re.compile(
    r"[a-z][a-z0-9-]{1,248}[a-z0-9]--[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
)
_SCO_NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""STIX 2.1 section 2.9."""
_HUB_NAMESPACE = uuid.UUID("5f0b9f2e-6a0c-4d0e-9c55-0d6b3b1f7a42")
"""The hub's own; it never changes, so that running something again makes the same ids."""

CONTRIBUTING: dict[str, tuple[str, ...]] = {
    "artifact": ("hashes", "payload_bin"),
    "autonomous-system": ("number",),
    "directory": ("path",),
    "domain-name": ("value",),
    "email-addr": ("value",),
    "email-message": ("from_ref", "subject", "body"),
    "file": ("hashes", "name", "parent_directory_ref", "extensions"),
    "ipv4-addr": ("value",),
    "ipv6-addr": ("value",),
    "mac-addr": ("value",),
    "mutex": ("name",),
    "network-traffic": ("start", "end", "src_ref", "dst_ref", "src_port", "dst_port", "protocols", "extensions"),
    "process": (),
    "software": ("name", "cpe", "swid", "vendor", "version"),
    "url": ("value",),
    "user-account": ("account_type", "user_id", "account_login"),
    "windows-registry-key": ("key", "values"),
    "x509-certificate": ("hashes", "serial_number"),
}
"""Properties that make the id of each SCO type (STIX 2.1 section 6, "ID Contributing Properties")."""

_HASH_PREFERENCE = ("MD5", "SHA-1", "SHA-256", "SHA-512")
_FRACTION = re.compile(r"(T\d\d:\d\d:\d\d)(?:\.(\d*?)0*)?Z")


def is_id(text: str) -> bool:
    """Say whether a text has the form of a STIX identifier (STIX 2.1 section 2.9)."""
    return _ID.fullmatch(text) is not None


def type_of(id: str) -> str:
    """Return the object type that an identifier names."""
    return id.partition("--")[0]


def derived_id(type: str, *parts: str) -> str:
    """Return the hub's own deterministic id of an object of a type: the same parts always give the same id."""
    return f"{type}--{uuid.uuid5(_HUB_NAMESPACE, json.dumps([type, *parts]))}"


def sco_id(obj: Mapping[str, Any]) -> str | None:
    """Return the deterministic id of a cyber-observable object (STIX 2.1 section 2.9), as the stix2 library makes it.

    Args:
        obj: the object, with references by id; its own ``id`` is not looked at.

    Returns:
        The id, or None for types without contributing properties (process, custom ones) or when none is there.
    """
    object_type = obj["type"]
    contributing: dict[str, Any] = {}
    for name in CONTRIBUTING.get(object_type, ()):
        value = obj.get(name)
        if value is None:
            continue
        if name == "hashes":
            value = _one_hash(value)
        elif name in {"start", "end"}:
            value = _short_time(value)
        contributing[name] = value
    if not contributing:
        return None
    return f"{object_type}--{uuid.uuid5(_SCO_NAMESPACE, _canonical_json(contributing))}"


def _one_hash(found: Mapping[str, Any]) -> dict[str, Any]:
    named = _named_hashes(found)
    best = next((name for name in _HASH_PREFERENCE if name in named), None) or next(iter(named))
    return {best: named[best]}


def _named_hashes(found: Mapping[str, Any]) -> dict[str, Any]:
    """Write the names of hash algorithms as STIX 2.1 spells them."""
    return {hashes.spelled(name): value for name, value in found.items()}


def _short_time(text: str, *, seconds: bool = False) -> str:
    """Drop the zeros at the end of a fraction: the canonical JSON of a time has none."""
    return _FRACTION.sub(lambda m: f"{m[1]}.{m[2]}Z" if m[2] and not seconds else f"{m[1]}Z", text)


def _canonical_json(value: Any, name: str = "") -> str:
    """Write canonical JSON (RFC 8785): sorted keys, shortest numbers, no blanks."""
    if isinstance(value, str):
        return json.dumps(_short_time(value, seconds=True) if name == "time_date_stamp" else value, ensure_ascii=False)
    if isinstance(value, Mapping):
        if name == "hashes" or name.endswith("_hashes"):
            value = _named_hashes(value)
        keys = sorted((key for key in value if value[key] is not None), key=lambda key: key.encode("utf-16-be"))
        members = (f"{json.dumps(key, ensure_ascii=False)}:{_canonical_json(value[key], key)}" for key in keys)
        return f"{{{','.join(members)}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(_canonical_json(item) for item in value)}]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value)


def _number(value: float) -> str:
    """Write a number as ECMAScript does (RFC 8785 section 3.2.2.3): plain from 1e-6 up to below 1e21."""
    mantissa, e, exponent = repr(abs(value)).partition("e")
    mantissa = mantissa.removesuffix(".0")
    sign, digits = ("-" if value < 0 else ""), mantissa.replace(".", "")
    if not e:
        return sign + mantissa
    power = int(exponent)
    if 0 < power < 21:
        return sign + digits.ljust(power + 1, "0")
    if -7 < power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    return f"{sign}{mantissa}e{power:+d}"
