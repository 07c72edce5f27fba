"""What the schemas cannot say: order of times, types of references, selectors, pattern text, sane values.

The source of each rule is STIX 2.1; the section stands beside it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from hub.errors import Refused
from hub.model.observables import NotObservable, canonical
from hub.model.patterns import Pattern, PatternRefused, read_pattern
from hub.model.stix import COMMON_REFERENCES, REFERENCES, STIX_TYPES
from hub.model.times import parse_timestamp

_ORDERED = (
    ("created", "modified", False),  # section 3.2
    ("valid_from", "valid_until", True),  # section 4.7
    ("first_seen", "last_seen", False),  # sections 4.2, 4.8, 4.11, 5.2
    ("first_observed", "last_observed", False),  # section 4.14
    ("start_time", "stop_time", True),  # section 5.1
    ("analysis_started", "analysis_ended", False),  # section 4.12
    ("start", "end", False),  # section 6.12
)
"""Pairs of times: the second may not be before the first; with True not equal either."""

_TIMES = frozenset({name for first, second, _ in _ORDERED for name in (first, second)} | {
    "account_created", "account_expires", "account_first_login", "account_last_login", "atime", "created_time",
    "credential_last_changed", "ctime", "date", "modified_time", "mtime", "published", "submitted",
    "validity_not_after", "validity_not_before",
})  # fmt: skip
"""Properties that hold a time."""

_VALUED = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "mac-addr"})


_VERSION = frozenset({"created", "modified"})
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
"""The form of a language tag (RFC 5646 section 2.1)."""

moment = functools.lru_cache(1 << 14)(parse_timestamp)
"""A timestamp as microseconds; within an object and a batch the same texts come again and again."""


def check_rules(obj: Mapping[str, Any]) -> Pattern | None:
    """Check an object that the schema accepts; return its pattern as read, if it is a STIX indicator.

    Raises:
        Refused: ``time``, ``time-order``, ``reference-type``, ``selector``, ``language``, ``pattern`` or ``value``.
    """
    kind = obj["type"]
    moments: dict[str, int] = {}
    for name, value in obj.items():
        if name in _TIMES:
            if kind in STIX_TYPES or name in _VERSION:
                moments[name] = _moment(name, value)
        elif name.endswith(("_ref", "_refs")):
            types = COMMON_REFERENCES.get(name) or REFERENCES.get((kind, name))
            if types is not None:
                _check_reference(name, value, types)
    for earlier, later, strictly in _ORDERED:
        if later in moments and earlier in moments:
            begin, end = moments[earlier], moments[later]
            if end < begin or (strictly and end == begin):
                raise Refused("time-order", f"{later} must be after {earlier}", place=f"/{later}")
    if "lang" in obj and not _LANGUAGE.fullmatch(str(obj["lang"])):
        raise Refused("language", "lang is no language tag such as en or pt-BR", place="/lang")
    if "granular_markings" in obj:
        _check_selectors(obj)
    if kind in _VALUED:
        _check_value(kind, obj["value"])
    if kind == "indicator" and obj.get("pattern_type") == "stix":
        try:
            return read_pattern(obj["pattern"])
        except PatternRefused as fault:
            raise Refused("pattern", f"the pattern cannot be read: {fault}", place="/pattern") from None
    return None


def _moment(name: str, text: Any) -> int:
    if not isinstance(text, str):
        raise Refused("time", f"{name} must be a timestamp", place=f"/{name}")
    try:
        return moment(text)
    except ValueError as fault:
        raise Refused("time", f"{name}: {fault}", place=f"/{name}") from None


def _check_reference(name: str, value: Any, types: frozenset[str]) -> None:
    for number, target in enumerate(value if isinstance(value, list) else [value]):
        if not isinstance(target, str) or target.partition("--")[0] not in types:
            place = f"/{name}/{number}" if isinstance(value, list) else f"/{name}"
            raise Refused("reference-type", f"{name} must point to {' or '.join(sorted(types))}", place=place)


def _check_selectors(obj: Mapping[str, Any]) -> None:
    for number, marking in enumerate(obj["granular_markings"]):
        for selector in marking.get("selectors", ()):
            if not _exists(obj, selector.split(".")):
                place = f"/granular_markings/{number}/selectors"
                raise Refused("selector", f"the selector {selector[:100]} names nothing in the object", place=place)


def _exists(value: Any, path: list[str]) -> bool:
    for part in path:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.startswith("[") and part[1:-1].isdigit() and int(part[1:-1]) < len(value):
            value = value[int(part[1:-1])]
        else:
            return False
    return True


def _check_value(kind: str, text: str) -> None:
    try:
        canonical(kind, text)
    except NotObservable as fault:
        raise Refused("value", f"value is no {kind}: {fault}", place="/value") from None
