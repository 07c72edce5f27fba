"""The gate: every incoming object passes it, and comes out stored, unchanged, merged or quarantined.

One call is one commit: what was accepted, what was refused (with its reason) and the caller's own documents, such as
a feed's cursor, are on disk together or not at all. One bad item costs its neighbours nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import orjson

from hub.admission.mint import indicator_id, mint, read_value
from hub.admission.quarantine import quarantine_write
from hub.admission.rules import check_rules
from hub.admission.schema import check_schema
from hub.admission.strict_json import parse_object
from hub.admission.warninglists import Warning, WarningLists
from hub.errors import Refused
from hub.model import times
from hub.model.audience import PAP, TLP, Audience
from hub.model.items import BadItem, IndicatorItem, StixItem
from hub.model.markings import PAP_IDS, STATEMENT_IDS, TLP_IDS, definition_level, markings_of
from hub.model.objects import of_object
from hub.model.observables import NotObservable, Observable
from hub.model.patterns import Pattern
from hub.model.stix import version_of
from hub.model.tokens import tokens_of
from hub.model.upgrade import is_stix20, upgrade
from hub.store.ports import HUB, UNVERSIONED, Batch, Change, DocumentWrite, Draft, Store

Item = StixItem | IndicatorItem | BadItem


@dataclass(frozen=True, slots=True)
class Origin:
    """On whose account something comes in.

    Attributes:
        source: by account and not by claim: ``feed:ipsum``, ``user:maria``, ``hub:correlate``.
        organisation: whose data it becomes. collections: which carry it.
        marking: traffic light of objects that name none. groups: whom it is addressed to.
        trust: 0-100. created_by: the identity it speaks for, put into what the hub makes of its values.
        keep_2_0: whether STIX 2.0 objects are stored as they are instead of upgraded.
        redistribute: whether the source's terms let the hub pass it on; if not, only the city sees it.
    """

    source: str
    organisation: str
    collections: tuple[str, ...]
    marking: TLP = TLP.GREEN
    groups: tuple[str, ...] = ()
    trust: int = 50
    created_by: str | None = None
    keep_2_0: bool = False
    redistribute: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one item; ``reason`` and ``message`` say why it is in quarantine or merged."""

    id: str | None
    version_text: str
    outcome: Literal["stored", "unchanged", "merged", "quarantined"]
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the items of one call, in their order. fetched = stored + unchanged + merged + quarantined."""

    results: tuple[Result, ...] = ()
    fetched: int = 0
    stored: int = 0
    unchanged: int = 0
    merged: int = 0
    quarantined: int = 0


@dataclass(slots=True)
class _Candidate:
    """One object on its way: what it says, the bytes to keep, and for upgraded ones what it was made from."""

    number: int
    obj: dict[str, Any]
    body: bytes
    pattern: Pattern | None = None
    original: bytes | None = None
    value: Observable | None = None


@dataclass(slots=True)
class _Slice:
    """One call's work: results by item number, drafts with the item each belongs to, refused items."""

    origin: Origin
    items: Sequence[Item]
    results: list[Result | None]
    candidates: list[_Candidate] = field(default_factory=list)
    drafts: list[tuple[int, Draft]] = field(default_factory=list)
    refused: dict[int, BadItem] = field(default_factory=dict)


class Gate:
    """Admits items into a store.

    Args:
        store: where to. warning_lists: own assets and warning lists. home: the city's organisation.
    """

    def __init__(self, store: Store, warning_lists: WarningLists, home: str) -> None:
        self._store = store
        self._lists = warning_lists
        self._home = home
        self._levels: dict[str, tuple[TLP | None, PAP | None]] = dict.fromkeys(STATEMENT_IDS, (None, None))

    def admit(self, items: Sequence[Item], origin: Origin, documents: Sequence[DocumentWrite] = ()) -> Receipt:
        """Take items in and commit them with the caller's documents.

        Raises:
            Conflict: a document's expectation failed; nothing was stored.
            StoreUnavailable, StoreFull: nothing was stored; call again.
        """
        work = _Slice(origin, items, [None] * len(items))
        with _no_collection():
            self._read(work)
            self._draft(work)
        writes = [quarantine_write(bad, source=origin.source, origin=_kept(origin)) for bad in work.refused.values()]
        outcomes = self._store.commit(
            Batch(drafts=[draft for _, draft in work.drafts], documents=[*documents, *writes])
        )
        for (number, draft), outcome in zip(work.drafts, outcomes, strict=True):
            if work.results[number] is not None:
                continue  # an item is spoken for by the first of its drafts
            if outcome.result == "conflict":
                result = Result(draft.id, draft.version_text, "merged", "conflict", _CONFLICT)
            else:
                result = Result(draft.id, draft.version_text, outcome.result)
            work.results[number] = result
        return _receipt([result for result in work.results if result is not None])

    def _read(self, work: _Slice) -> None:
        """Turn items into candidates; refuse what cannot be read."""
        values: dict[str, int] = {}
        known = self._stored_values(work)
        for number, item in enumerate(work.items):
            try:
                if isinstance(item, StixItem):
                    work.candidates += self._read_object(number, item, work.origin)
                elif isinstance(item, IndicatorItem):
                    self._read_value(number, item, work, values, known)
                else:
                    _refuse(work, number, None, item)
            except Refused as fault:
                _refuse(work, number, None, _bad(item, fault))

    def _read_object(self, number: int, item: StixItem, origin: Origin) -> list[_Candidate]:
        obj, body = parse_object(item.raw)
        if not is_stix20(obj, "2.0" if item.stix20 else None) or origin.keep_2_0:
            return [self._checked(_Candidate(number, obj, body))]
        made = upgrade(obj)
        found = [self._checked(_Candidate(number, one, orjson.dumps(one))) for one in made]
        found[0].original = body
        return found

    def _checked(self, candidate: _Candidate) -> _Candidate:
        if candidate.obj.get("spec_version") != "2.0":
            check_schema(candidate.obj)
        candidate.pattern = check_rules(candidate.obj)
        return candidate

    def _stored_values(self, work: _Slice) -> dict[str, Change]:
        ids = []
        for item in work.items:
            if isinstance(item, IndicatorItem):
                try:
                    ids.append(indicator_id(work.origin.source, read_value(item)))
                except NotObservable:
                    continue
        return self._store.get(HUB, ids) if ids else {}

    def _read_value(
        self, number: int, item: IndicatorItem, work: _Slice, values: dict[str, int], known: Mapping[str, Change]
    ) -> None:
        try:
            observable = read_value(item)
        except NotObservable as fault:
            raise Refused("not-observable", f"{item.value[:80]!r}: {fault}", place=item.place) from None
        origin = work.origin
        id = indicator_id(origin.source, observable)
        if values.setdefault(id, number) != number:
            work.results[number] = Result(id, "", "merged", "same-value", "the same value stands in this list twice")
            return
        before = known.get(id)
        body = mint(
            item,
            observable,
            source=origin.source,
            trust=origin.trust,
            created_by=origin.created_by,
            before=None if before is None else orjson.loads(before.body),
            now=times.now(),
        )
        if body is None and before is not None:
            work.results[number] = Result(id, before.version_text, "unchanged")
            return
        obj, body = parse_object(body or b"")
        work.candidates.append(self._checked(_Candidate(number, obj, body, value=observable)))

    def _draft(self, work: _Slice) -> None:
        """Turn candidates into drafts, once everything that came along is known."""
        owners = self._owners(work)
        here = {c.obj["id"]: c.obj for c in work.candidates if c.obj.get("type") == "marking-definition"}
        self._learn_markings({name for c in work.candidates for name in markings_of(c.obj)}, here)
        for candidate in work.candidates:
            item = work.items[candidate.number]
            try:
                self._check_originator(candidate.obj, owners, work.origin)
                drafts = list(self._drafts_of(candidate, work.origin))
            except Refused as fault:
                _refuse(work, candidate.number, candidate.obj, _bad(item, fault))
                continue
            work.drafts += [(candidate.number, draft) for draft in drafts]

    def _owners(self, work: _Slice) -> dict[str, Change]:
        versioned = [c.obj["id"] for c in work.candidates if "modified" in c.obj]
        return self._store.get(HUB, versioned) if versioned else {}

    def _check_originator(self, obj: Mapping[str, Any], owners: Mapping[str, Change], origin: Origin) -> None:
        before = owners.get(obj["id"])
        if before is None or before.audience.owner == origin.organisation:
            return
        version, _ = version_of(obj)
        if version > (before.version or 0):
            raise Refused(
                "not-originator",
                f"a newer version of an object of {before.audience.owner}: only who made it may version or revoke it",
            )

    def _learn_markings(self, ids: set[str], here: Mapping[str, dict[str, Any]]) -> None:
        unknown = {id for id in ids if id not in TLP_IDS and id not in PAP_IDS and id not in self._levels}
        stored = self._store.get(HUB, unknown - here.keys()) if unknown - here.keys() else {}
        for id in unknown:
            definition = here.get(id) or (orjson.loads(stored[id].body) if id in stored else None)
            if definition is not None:
                self._levels[id] = definition_level(definition)

    def _audience(self, obj: Mapping[str, Any], origin: Origin) -> Audience:
        tlp: TLP | None = None
        pap = PAP.CLEAR
        for id in markings_of(obj):
            if id in TLP_IDS:
                level: TLP | None = TLP_IDS[id]
                action: PAP | None = None
            elif id in PAP_IDS:
                level, action = None, PAP_IDS[id]
            else:
                level, action = self._levels.get(id, (TLP.UNKNOWN, None))
            tlp = level if tlp is None or (level is not None and level > tlp) else tlp
            pap = max(pap, action or PAP.CLEAR)
        found = origin.marking if tlp is None else tlp
        if not origin.redistribute:
            found = max(found, TLP.AMBER)
        return Audience(origin.organisation, found, pap, tuple(sorted(origin.groups)))

    def _drafts_of(self, candidate: _Candidate, origin: Origin) -> Iterator[Draft]:
        obj = candidate.obj
        pattern = candidate.pattern
        observables = pattern.observables if pattern is not None else of_object(obj)
        live = obj["type"] == "indicator" and not obj.get("revoked", False)
        warnings = {one.key: self._lists.check(one) for one in observables} if live else {}
        refused = {key for key, found in warnings.items() if any(one.effect == "refuse" for one in found)}
        if refused and len(refused) == len(warnings):
            raise _listed(warnings, refused)
        matchable = live and pattern is not None and pattern.single
        version, version_text = version_of(obj)
        audience = self._audience(obj, origin)
        extra = _extra_tokens(obj, audience, warnings, origin, matchable=matchable)
        keys = tuple(one.key for one in observables)
        for collection in origin.collections:
            yield Draft(
                collection=collection,
                id=obj["id"],
                type=obj["type"],
                spec_version=obj.get("spec_version", "2.1"),
                version=version,
                version_text=version_text,
                body=candidate.body,
                audience=audience,
                source=origin.source,
                observables=tuple(key for key in keys if key not in refused),
                matchable=matchable,
                tokens=tokens_of(
                    obj, collection=collection, source=origin.source, observables=observables, extra=extra
                ),
                created=_moment(obj.get("created")) if version != UNVERSIONED else None,
                valid_until=_moment(obj.get("valid_until")),
                revoked=bool(obj.get("revoked", False)),
                confidence=obj.get("confidence"),
                original=candidate.original,
            )


_CONFLICT = "this version is stored already with other content; the first stays, send a newer `modified`"


def _extra_tokens(
    obj: Mapping[str, Any],
    audience: Audience,
    warnings: Mapping[str, tuple[Warning, ...]],
    origin: Origin,
    *,
    matchable: bool,
) -> dict[str, list[str]]:
    extra = {"tlp": [audience.tlp.name.lower()], "owner": [audience.owner]}
    if labels := sorted({one.label for found in warnings.values() for one in found}):
        extra["warning"] = labels
    if obj["type"] == "indicator" and not obj.get("revoked", False) and not matchable:
        extra["match"] = ["no"]
    claimed = obj.get("created_by_ref")
    if claimed is not None and claimed != origin.created_by:
        extra["claimed"] = [claimed]
    return extra


def _listed(warnings: Mapping[str, tuple[Warning, ...]], refused: set[str]) -> Refused:
    key = min(refused)
    found = next(one for one in warnings[key] if one.effect == "refuse")
    return Refused("warning-list", f"{key} is on the list {found.list} ({found.label}) and must not become a hit")


def _moment(text: object) -> int | None:
    return times.parse_timestamp(text) if isinstance(text, str) else None


def _refuse(work: _Slice, number: int, obj: Mapping[str, Any] | None, bad: BadItem) -> None:
    work.refused[number] = bad
    id, version = None, ""
    if obj is None and bad.raw[:1] == b"{":
        id, version = _claimed(bad.raw)
    elif obj is not None:
        id, version = obj["id"], version_of(obj)[1]
    work.results[number] = Result(id, version, "quarantined", bad.reason, bad.message)


class _Claims(msgspec.Struct):
    id: Any = None
    modified: Any = None
    created: Any = None


def _claimed(raw: bytes) -> tuple[str | None, str]:
    """Return what a refused object calls itself, as far as that can be read."""
    try:
        claims = msgspec.json.decode(raw, type=_Claims)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, ""
    version = claims.modified or claims.created
    return claims.id if isinstance(claims.id, str) else None, version if isinstance(version, str) else ""


def _bad(item: Item, fault: Refused) -> BadItem:
    if isinstance(item, BadItem):
        return item
    place = " ".join(part for part in (item.place, fault.place) if part)
    return BadItem(item.raw, fault.reason, fault.message, place)


def _kept(origin: Origin) -> dict[str, Any]:
    kept: dict[str, Any] = msgspec.to_builtins(origin)
    return kept


def _receipt(results: list[Result]) -> Receipt:
    counts = dict.fromkeys(("stored", "unchanged", "merged", "quarantined"), 0)
    for result in results:
        counts[result.outcome] += 1
    return Receipt(tuple(results), len(results), **counts)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Parsing a thousand objects makes no cycles; collecting in between costs several times the parsing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
