"""Whose an object is, and what it may tell of the objects of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from hub.admission.drafts import Candidate
from hub.admission.levels import Level, tightest
from hub.admission.origin import Origin
from hub.errors import Refused
from hub.model.audience import PAP, TLP, Audience, Reader, may
from hub.model.markings import markings_of
from hub.model.stix import SCO_TYPES
from hub.model.times import SECOND
from hub.store.ports import UNVERSIONED, Change, Scope, Store

CONFLICT = "this version is stored already with other content; the first stays, send a newer `modified`"
_NOT_YOURS = "only the organisation that made this object may send a newer version of it"
_NOT_TOLD = frozenset(("created_by_ref", "object_marking_refs"))


class Merged(Exception):
    """What an item says is there already, or the first that came stays."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def owner_of(candidate: Candidate, before: Change | None, origin: Origin) -> str:
    """Return whose data an object is: whoever handed it in first, for as long as it does not say otherwise.

    Others may pass the same version on; only the originator may version or revoke it.

    Args:
        candidate: what comes in. before: its latest version that is stored. origin: who hands it in.

    Raises:
        Refused: ``not-originator``. Merged: the stored version stays.
    """
    if before is None or before.audience.owner == origin.organisation:
        return origin.organisation
    version, _ = candidate.version
    if version == UNVERSIONED and is_unversioned(before.version):
        return origin.organisation  # a custom observable, like the others nobody's
    if version > (before.version or 0):
        maker = orjson.loads(before.body).get("created_by_ref")
        if maker is not None and maker == origin.created_by:
            return origin.organisation
        raise Refused("not-originator", _NOT_YOURS)
    if version == before.version and (candidate.as_written or _same(before.body, candidate)):
        return before.audience.owner
    raise Merged("conflict", CONFLICT)


def audience_of(
    obj: Mapping[str, Any],
    origin: Origin,
    levels: Mapping[str, Level],
    members: Mapping[str, Audience],
    theirs: Audience | None = None,
) -> Audience:
    """Return for whom an object is.

    Args:
        obj: the object. origin: who hands it in.
        levels: of every marking on it. members: what `members_of` found.
        theirs: where it is another's that is passed on: whom that one made it for. They, and who passes it on, get it.
    """
    tlp, pap = tightest(levels[id] for id in markings_of(obj))
    if tlp is None:
        tlp = origin.marking
    if not origin.redistribute:
        tlp = max(tlp, TLP.AMBER)
    audience = Audience(origin.organisation, tlp, pap or PAP.CLEAR, tuple(sorted(origin.groups)))
    if theirs is not None:
        groups = {*theirs.groups, origin.organisation}
        audience = Audience(theirs.owner, max(tlp, theirs.tlp), max(audience.pap, theirs.pap), tuple(sorted(groups)))
    for id in references(obj) if members else ():
        if id in members:
            audience = audience.narrowed(members[id])
    return audience


def has_owner(obj: Mapping[str, Any]) -> bool:
    """Say whether an object is somebody's; an SCO without a version states a fact, which everybody may state."""
    return obj["type"] not in SCO_TYPES or "created" in obj or "modified" in obj


def members_of(store: Store, objects: Iterable[Mapping[str, Any]], origin: Origin, home: str) -> dict[str, Audience]:
    """Return the audiences of others' objects that objects refer to, as far as their author may see them.

    An object must not tell more people of another than may see that one. What its author may not see he does not know
    from the hub: that such an object exists must not show in what becomes of his.
    """
    named = {id for obj in objects for id in references(obj)}
    if not named:
        return {}
    found = store.get(Scope(_author(origin, home), None), named)
    return {id: one.audience for id, one in found.items() if one.audience.owner != origin.organisation}


def is_unversioned(version: int | None) -> bool:
    """Say whether a stored version is one of an object without versions (`statements_of`)."""
    return (version or UNVERSIONED) < SECOND


def statements_of(
    store: Store, candidates: Iterable[Candidate], origin: Origin, home: str
) -> dict[tuple[str, str], int]:
    """Return under which version to store objects without versions, where that is not `UNVERSIONED`.

    They are facts that everybody may state, under ids that everybody can compute. So what becomes of a statement must
    not tell that another, which its author may not see, is there already: each is kept, beside the other, as a version
    of its own, microseconds after the epoch; who sees several gets the newest.

    Returns:
        By collection and id: the version of the author's own statement, or of one that he sees, or the next free one.
    """
    ids = {one.obj["id"] for one in candidates if one.version[0] == UNVERSIONED}
    author = _author(origin, home)
    found: dict[tuple[str, str], int] = {}
    for collection in origin.collections if ids else ():
        here = Scope(None, frozenset((collection,)))
        for id, latest in store.get(here, ids).items():
            if latest.version == UNVERSIONED and may(author, latest.audience).allowed:
                continue
            stored = [one for one in store.history(here, id) if is_unversioned(one.version)]
            seen = [one for one in stored if may(author, one.audience).allowed]
            seen.sort(key=lambda one: (one.audience.owner == origin.organisation, one.version or 0))
            newest = max((one.version or 0 for one in stored), default=-1)
            found[collection, id] = (seen[-1].version or 0) if seen else newest + 1
    return found


def _author(origin: Origin, home: str) -> Reader:
    city = origin.organisation == home
    return origin.reader or Reader(origin.organisation, home=city, analyst=city)


def references(obj: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids that an object refers to: not who made it, nor its markings, nor observables, which are facts."""
    for name, value in obj.items():
        if name.endswith(("_ref", "_refs")) and name not in _NOT_TOLD:
            for id in value if isinstance(value, list) else (value,):
                if isinstance(id, str) and id.partition("--")[0] not in SCO_TYPES:
                    yield id


def canonical(obj: dict[str, Any]) -> bytes:
    """Return one spelling for all objects that say the same."""
    return orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)


def _same(body: bytes, candidate: Candidate) -> bool:
    """Say whether a stored object says what a candidate says, however either is spelled."""
    return body == candidate.body or canonical(orjson.loads(body)) == canonical(candidate.obj)
