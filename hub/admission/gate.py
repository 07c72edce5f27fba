"""The gate: every incoming object passes it, and comes out stored, unchanged, merged or quarantined.

One call is one commit: what was accepted, what was refused (with its reason) and the caller's own documents, such as
a feed's cursor, are on disk together or not at all. One bad item costs its neighbours nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec
import orjson

from hub.admission.drafts import FOREIGN_ID, Candidate, drafts_of
from hub.admission.levels import Levels, is_false_copy
from hub.admission.mint import EXPIRED, indicator_id, mint, read_value
from hub.admission.origin import Origin
from hub.admission.provenance import (
    CONFLICT,
    Merged,
    audience_of,
    canonical,
    has_owner,
    members_of,
    owner_of,
    statements_of,
)
from hub.admission.quarantine import quarantine_write, refusal_write
from hub.admission.readdressing import floors
from hub.admission.rules import check_rules
from hub.admission.schema import check_identity, check_schema
from hub.admission.strict_json import parse_object
from hub.admission.warninglists import WarningLists
from hub.collector import no_collection
from hub.errors import Overtaken, Refused
from hub.model import times
from hub.model.audience import TLP, Audience
from hub.model.items import BadItem, IndicatorItem, StixItem
from hub.model.observables import NotObservable, Observable
from hub.model.stix import SCO_TYPES
from hub.model.upgrade import is_stix20, upgrade
from hub.store.ports import (
    HUB,
    Basis,
    Batch,
    Change,
    DocumentWrite,
    Draft,
    Outcome,
    PageQuery,
    Store,
    Versions,
)

__all__ = ["Gate", "Item", "Origin", "Receipt", "Result"]

Item = StixItem | IndicatorItem | BadItem
_Value = tuple[int, IndicatorItem, Observable]
"""A value from a list, read: the item's number, the item, what it is."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one item; ``reason`` and ``message`` say why it is in quarantine or merged, or what is odd."""

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
class _Slice:
    """One call's work: results by item number, drafts with the item each belongs to, refused items."""

    origin: Origin
    items: Sequence[Item]
    results: list[Result | None]
    candidates: list[Candidate] = field(default_factory=list)
    drafts: list[tuple[int, Draft]] = field(default_factory=list)
    refused: list[DocumentWrite] = field(default_factory=list)


class Gate:
    """Admits items into a store.

    Args:
        store: where to. warning_lists: own assets and warning lists. home: the city's organisation.
    """

    def __init__(self, store: Store, warning_lists: WarningLists, home: str) -> None:
        self._store = store
        self._lists = warning_lists
        self._home = home
        self._levels = Levels(store, home)

    def admit(
        self,
        items: Sequence[Item],
        origin: Origin,
        documents: Sequence[DocumentWrite] = (),
        *,
        read_at: int | None = None,
    ) -> Receipt:
        """Take items in and commit them with the caller's documents; about a thousand a call.

        Args:
            items: what to take in. origin: where it comes from. documents: go into the same commit.
            read_at: where the log ended when the caller read the objects that it made these of, or None.

        Raises:
            Conflict: a document's expectation failed; nothing was stored.
            Overtaken: one of the objects has changed since ``read_at``; nothing was stored.
            StoreUnavailable, StoreFull: nothing was stored; call again.
        """
        with no_collection():
            return _receipt(self._admit(_Slice(origin, items, [None] * len(items)), documents, read_at))

    def audience(self, obj: Mapping[str, Any], origin: Origin) -> Audience:
        """Return for whom an object from there would be."""
        levels = self._levels.of([obj], (), origin.organisation)
        audience = audience_of(obj, origin, levels, members_of(self._store, [obj], origin, self._home))
        return audience.at_least(floors(self._store).get(str(obj["id"]), TLP.CLEAR))

    def _admit(self, work: _Slice, documents: Sequence[DocumentWrite], read_at: int | None) -> list[Result]:
        self._read(work)
        work, outcomes = self._commit(work, documents, read_at)
        drafts = [draft for _, draft in work.drafts]
        clashes = [draft for draft, outcome in zip(drafts, outcomes, strict=True) if outcome.result == "conflict"]
        respelled = self._respelled(clashes)
        for (number, draft), outcome in zip(work.drafts, outcomes, strict=True):
            if work.results[number] is not None:
                continue  # an item is spoken for by the first of its drafts
            if outcome.result == "conflict" and (draft.collection, draft.id, draft.version) not in respelled:
                result = Result(draft.id, draft.version_text, "merged", "conflict", CONFLICT)
            elif outcome.result == "stored":
                result = Result(draft.id, draft.version_text, "stored", *_odd(draft))
            else:
                result = Result(draft.id, draft.version_text, "unchanged", *_odd(draft))
            work.results[number] = result
        return [result for result in work.results if result is not None]

    def _commit(
        self, read: _Slice, documents: Sequence[DocumentWrite], read_at: int | None
    ) -> tuple[_Slice, list[Outcome]]:
        """Make drafts and commit them; again, if one of their objects was changed between its reading and the commit.

        So of two organisations that hand in one new id in the same instant, the second finds that it is taken.
        """
        owned = frozenset(one.obj["id"] for one in read.candidates if has_owner(one.obj))
        tries = _TRIES
        while True:
            tries -= 1
            basis = Basis(self._store.head().position if read_at is None else read_at, owned)
            work = replace(read, results=list(read.results), drafts=[], refused=list(read.refused))
            self._draft(work, self._store.get(HUB, owned) if owned else {})
            drafts = [draft for _, draft in work.drafts]
            batch = Batch(drafts=drafts, documents=[*documents, *work.refused], basis=basis if drafts else None)
            try:
                return work, self._store.commit(batch)
            except Overtaken:
                if not tries or read_at is not None:
                    raise

    def _respelled(self, drafts: Sequence[Draft]) -> set[tuple[str, str, int]]:
        """Return which versions differ from what is stored only in blanks, escapes or the order of names."""
        found = set()
        for collection in {draft.collection for draft in drafts}:
            here = {(draft.id, draft.version): draft for draft in drafts if draft.collection == collection}
            ids, exact = frozenset(id for id, _ in here), frozenset(version for _, version in here)
            query = PageQuery(
                collection, ids=ids, versions=Versions(last=False, exact=exact), limit=len(ids) * len(exact)
            )
            for obj in orjson.loads(b"[%b]" % self._store.read_objects(HUB, query).joined):
                version, _ = Candidate(0, obj, b"").version
                draft = here.get((obj["id"], version))
                if draft is not None and canonical(orjson.loads(draft.body)) == canonical(obj):
                    found.add((collection, draft.id, draft.version))
        return found

    def _read(self, work: _Slice) -> None:
        """Turn items into candidates; refuse what cannot be read."""
        values: dict[str, _Value] = {}
        for number, item in enumerate(work.items):
            try:
                if isinstance(item, StixItem):
                    work.candidates += self._read_object(number, item, work.origin)
                elif isinstance(item, IndicatorItem):
                    observable = _read_value(item)
                    id = indicator_id(work.origin.source, observable)
                    if values.setdefault(id, (number, item, observable))[0] != number:
                        work.results[number] = Result(id, "", "merged", "same-value", _TWICE)
                else:
                    _refuse(work, number, item)
            except Refused as fault:
                _refuse(work, number, fault)
            except Merged as found:
                work.results[number] = Result(*_claimed(item.raw), "merged", found.reason, found.message)
        self._mint(work, values)

    def _read_object(self, number: int, item: StixItem, origin: Origin) -> list[Candidate]:
        obj, body = parse_object(item.raw)
        check_identity(obj)
        if obj["type"] == "marking-definition" and is_false_copy(obj):
            raise Merged("known-marking", _FALSE_COPY)
        if not is_stix20(obj, "2.0" if item.stix20 else None):
            return [_checked(Candidate(number, obj, body))]
        found = [_checked(Candidate(number, one, orjson.dumps(one))) for one in _upgraded(obj)]
        found[0].original = body
        if origin.keep_2_0:
            found.append(Candidate(number, found[0].obj, body, as_written=True))
        return found

    def _mint(self, work: _Slice, values: Mapping[str, _Value]) -> None:
        """Turn values into candidates: new indicators, or new versions of those that are there."""
        origin, moment_now = work.origin, times.now()
        for id, (number, item, observable), before in self._places(values, origin):
            try:
                made = mint(
                    item,
                    observable,
                    id=id,
                    source=origin.source,
                    trust=origin.trust,
                    created_by=origin.created_by,
                    before=None if before is None else orjson.loads(before.body),
                    now=moment_now,
                )
                if made is None and before is not None:
                    work.results[number] = Result(id, before.version_text, "unchanged")
                    continue
                work.candidates.append(_checked(Candidate(number, *parse_object(made or b""))))
            except Refused as fault:
                _refuse(work, number, fault)
            except orjson.JSONEncodeError:
                _refuse(work, number, Refused("bad-text", "a text of this value is not Unicode"))

    def _places(self, values: Mapping[str, _Value], origin: Origin) -> Iterator[tuple[str, _Value, Change | None]]:
        """Yield each value with its id and the version that is there.

        Ids can be computed by anybody. Where another organisation has put an object of its own, revoked perhaps, the
        value moves on to a next id, so that nobody keeps it out. It moves on, too, when the indicator that had the id
        ended and the source names the value again as one that is bad now.
        """
        attempt, moment_now = 0, times.now()
        while values:
            found = self._store.get(HUB, values)
            taken = []
            for id, value in values.items():
                before = found.get(id)
                if before is None or (
                    before.audience.owner == origin.organisation and not _returns(before, value[1], moment_now)
                ):
                    yield id, value, before
                else:
                    taken.append(value)
            attempt += 1
            values = {indicator_id(origin.source, value[2], attempt): value for value in taken}

    def _draft(self, work: _Slice, owners: Mapping[str, Change]) -> None:
        """Turn candidates into drafts, once everything that came along is known."""
        objects = [candidate.obj for candidate in work.candidates]
        definitions = (obj for obj in objects if obj["type"] == "marking-definition")
        levels = self._levels.of(objects, definitions, work.origin.organisation)
        members = members_of(self._store, objects, work.origin, self._home)
        least = floors(self._store)
        statements = statements_of(self._store, work.candidates, work.origin, self._home)
        for candidate in work.candidates:
            try:
                before = owners.get(candidate.obj["id"])
                own = owner_of(candidate, before, work.origin) == work.origin.organisation
                theirs = None if own or before is None else before.audience
                audience = audience_of(candidate.obj, work.origin, levels, members, theirs)
                audience = audience.at_least(least.get(candidate.obj["id"], TLP.CLEAR))
                drafts = list(drafts_of(candidate, audience, work.origin, self._lists, self._home))
            except Refused as fault:
                _refuse(work, candidate.number, fault, candidate)
            except Merged as found:
                id, text = candidate.obj["id"], candidate.version[1]
                work.results[candidate.number] = Result(id, text, "merged", found.reason, found.message)
            else:
                if statements:
                    versions = [statements.get((one.collection, one.id), one.version) for one in drafts]
                    drafts = [replace(one, version=version) for one, version in zip(drafts, versions, strict=True)]
                work.drafts += [(candidate.number, draft) for draft in drafts]


_TRIES = 20
"""How often a call is tried that others overtake; each time, at least one of them has got on."""

_TWICE = "the same value stands in this list twice"
_OTHER_ID = "the id is kept, but it is not the one that STIX 2.1 section 2.9 derives from the object"
_FALSE_COPY = "this marking is well known and its definition is another one; references to it mean the known one"


def _returns(before: Change, item: IndicatorItem, moment: int) -> bool:
    """Say whether an indicator's time was over, and its source names the value as one that is bad now."""
    over = before.source.startswith(EXPIRED)
    return over and (item.valid_until is None or item.valid_until > moment)


def _checked(candidate: Candidate) -> Candidate:
    check_schema(candidate.obj)
    candidate.pattern = check_rules(candidate.obj)
    return candidate


def _upgraded(obj: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return upgrade(obj)
    except (TypeError, ValueError, LookupError, AttributeError, StopIteration) as fault:
        # Nothing checks STIX 2.0 objects before they are upgraded, so a fault on the way is the object's.
        kind = type(fault).__name__
        raise Refused("schema", f"this STIX 2.0 object is not built as the standard says ({kind})") from None


def _read_value(item: IndicatorItem) -> Observable:
    try:
        return read_value(item)
    except NotObservable as fault:
        raise Refused("not-observable", f"{item.value[:80]!r}: {fault}") from None


def _odd(draft: Draft) -> tuple[str, str]:
    foreign = draft.type in SCO_TYPES and f"warning={FOREIGN_ID}" in draft.tokens
    return ("sco-id", _OTHER_ID) if foreign else ("", "")


def _refuse(work: _Slice, number: int, fault: Refused | BadItem, candidate: Candidate | None = None) -> None:
    item, origin = work.items[number], work.origin
    id, version = None, ""
    if candidate is not None:
        id, version = candidate.obj["id"], candidate.version[1]
    elif isinstance(item, StixItem):
        id, version = _claimed(item.raw)
    if isinstance(fault, Refused) and not isinstance(item, BadItem):
        work.refused.append(refusal_write(item, fault, origin))
    elif isinstance(item, BadItem):
        work.refused.append(quarantine_write(item, source=origin.source))
    work.results[number] = Result(id, version, "quarantined", fault.reason, fault.message)


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


def _receipt(results: list[Result]) -> Receipt:
    counts = dict.fromkeys(("stored", "unchanged", "merged", "quarantined"), 0)
    for result in results:
        counts[result.outcome] += 1
    return Receipt(tuple(results), len(results), **counts)
