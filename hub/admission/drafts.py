"""From a checked object to what the store takes: audience, observables, warnings, search tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.admission.origin import Origin
from hub.admission.rules import moment
from hub.admission.warninglists import RESERVED, Warning, WarningLists
from hub.errors import Refused
from hub.model.audience import Audience
from hub.model.ids import sco_id
from hub.model.objects import of_object
from hub.model.observables import Observable
from hub.model.patterns import Pattern
from hub.model.stix import SCO_TYPES, UNVERSIONED_TEXT
from hub.model.tokens import tokens_of
from hub.store.ports import Draft

FOREIGN_ID = "foreign-id"
"""What the token ``warning`` says of an SCO whose id is not the one that STIX 2.1 section 2.9 derives from it."""


@dataclass(slots=True)
class Candidate:
    """One object on its way.

    ``obj`` is what it says, ``body`` the bytes to keep, ``original`` what an upgraded one was made from. The bytes of a
    STIX 2.0 object that is kept ``as_written`` are only served; what they say, as 2.1, is matched and searched.
    """

    number: int
    obj: dict[str, Any]
    body: bytes
    pattern: Pattern | None = None
    original: bytes | None = None
    as_written: bool = False

    @property
    def version(self) -> tuple[int, str]:
        """The version in microseconds, for comparing, and as the object spells it."""
        text = self.obj.get("modified") or self.obj.get("created") or UNVERSIONED_TEXT
        return moment(text), text


def drafts_of(
    candidate: Candidate, audience: Audience, origin: Origin, lists: WarningLists, home: str
) -> Iterator[Draft]:
    """Yield the draft of a candidate for each collection of its origin.

    Args:
        candidate: what passed schema and rules. audience: for whom it is. origin: who handed it in.
        lists: warning lists. home: the city's organisation.

    Raises:
        Refused: ``warning-list``: an indicator all of whose values must not become a hit.
    """
    obj = candidate.obj
    version, version_text = candidate.version
    common = "created" in obj or obj["type"] in SCO_TYPES
    indicator = obj["type"] == "indicator"
    sought = _Sought((), frozenset(), {}, False) if candidate.as_written else _sought(candidate, lists, origin, home)
    extra = _extra_tokens(obj, audience, sought, origin)
    keys = tuple(one.key for one in sought.observables if one.key not in sought.refused)
    for collection in origin.collections:
        tokens = tokens_of(
            obj, collection=collection, source=origin.source, observables=sought.observables, extra=extra
        )
        yield Draft(
            collection=collection,
            id=obj["id"],
            type=obj["type"],
            spec_version="2.0" if candidate.as_written else "2.1",
            version=version,
            version_text=version_text,
            body=candidate.body,
            audience=audience,
            source=origin.source,
            observables=keys,
            matchable=sought.matchable,
            tokens=() if candidate.as_written else tokens,
            created=moment(obj["created"]) if "created" in obj else None,
            valid_until=moment(obj["valid_until"]) if indicator and "valid_until" in obj else None,
            revoked=bool(common and obj.get("revoked", False)),
            confidence=_confidence(obj) if common else None,
            original=candidate.original,
        )


def _confidence(obj: Mapping[str, Any]) -> int | None:
    # Schemas of types that the standard gives none, such as observables, let anything stand under that name.
    said = obj.get("confidence")
    return said if type(said) is int and 0 <= said <= 100 else None


@dataclass(frozen=True, slots=True)
class _Sought:
    """What an object is found by, which of it must not become a hit, and what the warning lists say of each."""

    observables: tuple[Observable, ...]
    refused: frozenset[str]
    warnings: Mapping[str, tuple[Warning, ...]]
    matchable: bool


def _sought(candidate: Candidate, lists: WarningLists, origin: Origin, home: str) -> _Sought:
    obj, pattern = candidate.obj, candidate.pattern
    observables = pattern.observables if pattern is not None else of_object(obj)
    if obj["type"] != "indicator" or obj.get("revoked", False):
        return _Sought(observables, frozenset(), {}, False)
    warnings = {one.key: found for one in observables if (found := lists.check(one))}
    # The city itself may watch for reserved addresses in its own networks; others may not make it.
    refused = frozenset(
        key
        for key, found in warnings.items()
        if any(one.effect == "refuse" and (one.label != RESERVED or origin.organisation != home) for one in found)
    )
    if refused and len(refused) == len(observables):
        raise _listed(warnings, refused)
    return _Sought(observables, refused, warnings, pattern is not None and pattern.single)


def _extra_tokens(obj: Mapping[str, Any], audience: Audience, sought: _Sought, origin: Origin) -> dict[str, list[str]]:
    extra = {"tlp": [audience.tlp.name.lower()], "owner": [audience.owner]}
    labels = sorted({one.label for found in sought.warnings.values() for one in found})
    if obj["type"] in SCO_TYPES and sco_id(obj) not in (None, obj["id"]):
        labels.append(FOREIGN_ID)
    if labels:
        extra["warning"] = labels
    if obj["type"] == "indicator" and not obj.get("revoked", False) and not sought.matchable:
        extra["match"] = ["no"]
    claimed = obj.get("created_by_ref")
    if claimed is not None and claimed != origin.created_by:
        extra["claimed"] = [claimed]
    return extra


def _listed(warnings: Mapping[str, tuple[Warning, ...]], refused: frozenset[str]) -> Refused:
    key = min(refused)
    found = next(one for one in warnings[key] if one.effect == "refuse")
    return Refused("warning-list", f"{key} is on the list {found.list} ({found.label}) and must not become a hit")
