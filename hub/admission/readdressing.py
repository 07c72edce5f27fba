"""Other audiences for what is stored: markings are tightened, or loosened with a reason, and the log says by whom.

The originator does it by a new version. For everybody else's doing the object itself stays as it is: its versions are
put into the log once more, for another audience, so that pollers who may see it now get it and nobody misses anything.
Where the hub publishes, tightening adds a version of the hub's own, a little later, with the tighter marking: only so
can those who may not see it any more be told, by the revocation that follows (`hub.publish.retraction`).

A tightened object has a floor: later versions, its originator's too, are no looser. A loosened one has none: the reason
was given for what was there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import orjson

from hub.access.audit import Audit
from hub.admission.drafts import Candidate, drafts_of
from hub.admission.origin import Origin
from hub.admission.provenance import is_unversioned, references
from hub.admission.rules import check_rules
from hub.admission.warninglists import WarningLists
from hub.errors import BadRequest, Conflict, NotFound, Overtaken
from hub.model import times
from hub.model.audience import TLP, Audience
from hub.model.markings import MARKING_ID, TLP_IDS
from hub.model.stix import SCO_TYPES
from hub.store.ports import HUB, Basis, Batch, Change, DocumentWrite, Draft, Store, Withdrawal

KIND = "readdressed"
SOURCE = "hub:access"
_LATER = 1500
"""Microseconds to the hub's own version: between the revocation for those who lose sight and farewells."""
_TRIES = 20


class Readdressed(msgspec.Struct, frozen=True):
    """What was done to an object last: its new traffic light, whether later versions must be as strict, and why."""

    tlp: str
    floor: bool
    by: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Step:
    """One stored version, and for whom it was and is; ``added`` says that it is a new one, of the hub's own."""

    collection: str
    version: str
    before: Audience
    after: Audience
    added: bool = False


def floors(store: Store) -> dict[str, TLP]:
    """Return the traffic light that each tightened object must have at least."""
    found: dict[str, TLP] = {}
    after = ""
    while page := store.documents(KIND, after=after):
        for document in page:
            kept = msgspec.json.decode(document.value, type=Readdressed)
            if kept.floor:
                found[document.key] = TLP[kept.tlp]
        after = page[-1].key
    return found


def last_readdressed(store: Store, id: str) -> Readdressed | None:
    """Return what was done to an object last, if anything was."""
    document = store.document(KIND, id)
    return None if document is None else msgspec.json.decode(document.value, type=Readdressed)


class Readdressing:
    """Tightens and loosens.

    Args:
        store, audit, lists: the hub's. home: the city's organisation. published: collections that pollers copy.
    """

    def __init__(self, store: Store, audit: Audit, lists: WarningLists, home: str, published: frozenset[str]) -> None:
        self._store = store
        self._audit = audit
        self._lists = lists
        self._home = home
        self._published = published

    def tighten(self, id: str, tlp: TLP, reason: str, who: str = "") -> list[Step]:
        """Give all versions of an object at least this traffic light, and later ones too.

        Raises:
            NotFound: there is no such object. BadRequest: no reason. Conflict: it is as strict already.
        """
        return self._change(id, tlp, reason, who, tighten=True)

    def loosen(self, id: str, tlp: TLP, reason: str, who: str = "") -> list[Step]:
        """Give the stored versions of an object at most this traffic light.

        Raises:
            NotFound: there is no such object. BadRequest: no reason.
            Conflict: it is as loose already, or it would tell of a stricter object of somebody else.
        """
        return self._change(id, tlp, reason, who, tighten=False)

    def _change(self, id: str, tlp: TLP, reason: str, who: str, *, tighten: bool) -> list[Step]:
        if not reason.strip():
            raise BadRequest("say why: the reason stands in the audit log")
        tries = _TRIES
        while True:
            tries -= 1
            basis = Basis(self._store.head().position, frozenset((id,)))
            changes = self._store.history(HUB, id)
            if not changes:
                raise NotFound(f"there is no object {id}")
            if not tighten:
                self._must_not_tell(changes, tlp)
            steps, batch = self._plan(changes, tlp, tighten=tighten)
            if not steps:
                raise Conflict(f"TLP:{tlp.name} is no {'tighter' if tighten else 'looser'} than what it has")
            kept = Readdressed(tlp.name, tighten, who or self._audit.who, reason, times.now())
            note = DocumentWrite(KIND, id, msgspec.json.encode(kept))
            try:
                self._audit.record(
                    "access.tighten" if tighten else "access.loosen",
                    id,
                    who=who,
                    details={"from": max(one.before.tlp for one in steps).name, "to": tlp.name, "reason": reason},
                    batch=replace(batch, documents=[note], basis=basis),
                )
            except Overtaken:
                if not tries:
                    raise
            else:
                return steps

    def _plan(self, changes: Sequence[Change], tlp: TLP, *, tighten: bool) -> tuple[list[Step], Batch]:
        steps: list[Step] = []
        drafts: list[Draft] = []
        gone: list[Withdrawal] = []
        for change in changes:
            level = max(change.audience.tlp, tlp) if tighten else min(change.audience.tlp, tlp)
            if level is change.audience.tlp:
                continue
            after = replace(change.audience, tlp=level)
            versioned = not is_unversioned(change.version) and change.type not in SCO_TYPES
            if tighten and versioned and change.collection in self._published:
                if change is _latest(changes, change.collection):
                    body, version = _marked(change, level)
                    drafts += self._drafts(replace(change, body=body), after, None)
                    steps.append(Step(change.collection, version, change.audience, after, added=True))
                continue
            original = self._store.original(HUB, change.id, change.version or 0)
            drafts += self._drafts(change, after, None if change.spec_version == "2.0" else original)
            gone.append(Withdrawal(change.collection, change.id, change.version))
            steps.append(Step(change.collection, change.version_text, change.audience, after))
        return steps, Batch(drafts=drafts, withdrawals=list(dict.fromkeys(gone)), replaces=True)

    def _drafts(self, change: Change, audience: Audience, original: bytes | None) -> Iterator[Draft]:
        obj = orjson.loads(change.body)
        older = change.spec_version == "2.0"
        pattern = None if older else check_rules(obj)
        candidate = Candidate(0, obj, change.body, pattern, original, as_written=older)
        origin = Origin(change.source, audience.owner, (change.collection,))
        for draft in drafts_of(candidate, audience, origin, self._lists, self._home):
            yield replace(draft, source=change.source)

    def _must_not_tell(self, changes: Sequence[Change], tlp: TLP) -> None:
        """Check that an object, once loosened, names no stricter one of somebody else."""
        owner = changes[-1].audience.owner
        named = {id for one in changes for id in references(orjson.loads(one.body))}
        for id, one in self._store.get(HUB, named).items() if named else ():
            if one.audience.owner != owner and one.audience.tlp > max(tlp, TLP.GREEN):
                raise Conflict(f"it refers to {id}, which is TLP:{one.audience.tlp.name}: that one comes first")


def _latest(changes: Iterable[Change], collection: str) -> Change | None:
    here = [one for one in changes if one.collection == collection]
    return max(here, key=lambda one: (one.spec_version, one.version or 0), default=None)


def _marked(change: Change, tlp: TLP) -> tuple[bytes, str]:
    """Return an object's bytes with another traffic light, a little later, and how that version is spelled."""
    obj = orjson.loads(change.body)
    text = times.format_timestamp((change.version or 0) + _LATER)
    others = [id for id in obj.get("object_marking_refs", ()) if id not in TLP_IDS]
    said = msgspec.json.decode(change.body, type=dict[str, msgspec.Raw])
    said |= {
        "modified": msgspec.Raw(b'"%s"' % text.encode()),
        "object_marking_refs": msgspec.Raw(orjson.dumps([*others, MARKING_ID[tlp]])),
    }
    return msgspec.json.encode(said), text
