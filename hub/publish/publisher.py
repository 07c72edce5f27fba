"""Publishing advisories: what is handed in becomes a draft or is published, stays, is replaced, is taken back.

The publisher is a reader of the change log with a cursor of its own. Each step of an advisory is one commit: the
objects that it adds to, or takes back from, the public collection, and the document with its new state, conditional
on the one that was read. So whoever looks twice, or at the same time as another process, changes nothing twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence

import msgspec
import orjson
import structlog

from hub.access.accounts import Accounts
from hub.access.signin import SignIn
from hub.admission.gate import Gate, Origin
from hub.errors import Conflict, NotAllowed, NotFound, NotSignedIn, Refused
from hub.model import times
from hub.model.audience import TLP, Audience, may
from hub.model.items import StixItem
from hub.model.markings import markings_of
from hub.publish.advisories import (
    Advisory,
    AdvisoryBook,
    Terms,
    advisory_write,
    part_writes,
    references_of,
)
from hub.publish.collections import Collection, Collections
from hub.publish.receipts import Receipts
from hub.publish.retraction import Retraction
from hub.store.ports import Batch, Change, DocumentWrite, Scope, Store

_CURSOR = ("cursor", "advisories")
_PAGE = 1000
_TRIES = 5
_ANSWERS = frozenset({"note", "opinion"})


class Publisher:
    """Works on advisories.

    Args:
        store, gate, collections, accounts, signin: the hub's. retraction: takes back what is withdrawn.
        receipts: keeps acknowledgements. trusted: organisations whose advisories are published at once.
    """

    def __init__(
        self,
        store: Store,
        gate: Gate,
        collections: Collections,
        accounts: Accounts,
        signin: SignIn,
        retraction: Retraction,
        receipts: Receipts,
        trusted: frozenset[str],
    ) -> None:
        self._store = store
        self._gate = gate
        self._collections = collections
        self._accounts = accounts
        self._signin = signin
        self._retraction = retraction
        self._receipts = receipts
        self._trusted = trusted
        self._inboxes = {one.key: one.advisories_to for one in collections if one.advisories_to}
        self.book = AdvisoryBook(store)

    def run(self) -> bool:
        """Read on in the change log; return whether there was anything."""
        cursor = self._store.document(*_CURSOR)
        changes = self._store.read_log(int(cursor.value) if cursor is not None else 0, _PAGE)
        self._look_at(changes)
        if changes:
            expect = cursor.version if cursor is not None else 0
            with contextlib.suppress(Conflict):  # somebody else has read on
                self._store.commit(_only(DocumentWrite(*_CURSOR, b"%d" % changes[-1].position, expect=expect)))
        return bool(changes)

    def expire(self) -> bool:
        """Withdraw the advisories whose time is over; return whether there was one."""
        now = times.now()
        over = [
            one.id
            for one in self.book
            if one.state in ("draft", "published") and one.terms.expires is not None and one.terms.expires <= now
        ]
        for id in over:
            self.withdraw(id, "hub", "expired")
        return bool(over)

    def handed_in(self, collection: Collection, ids: Iterable[str]) -> None:
        """Look at once at what was just stored in a collection; without it, `run` does when its turn comes."""
        if collection.key in self._inboxes:
            self._look_at(self._in(collection.key, ids).values())

    def publish(self, id: str, by: str, why: str = "", terms: Terms | None = None) -> Advisory:
        """Publish the version that was handed in last.

        Raises:
            NotFound: there is no such advisory. Conflict: it was withdrawn or superseded.
            NotAllowed: the terms address it to more than its originator did.
        """

        def step(advisory: Advisory, version: int) -> Advisory:
            if advisory.state in ("withdrawn", "superseded"):
                raise Conflict(f"the advisory is {advisory.state}: hand it in again under a new id")
            self._must_not_widen(advisory, terms or Terms())
            said = (terms or Terms()).over(advisory.terms)
            return self._publish(msgspec.structs.replace(advisory, terms=said), version, by, why)

        return self._stepped(id, step)

    def withdraw(self, id: str, by: str, why: str) -> Advisory:
        """Take an advisory back from everybody who has it.

        Raises:
            NotFound: there is no such advisory. Conflict: it was superseded already.
        """

        def step(advisory: Advisory, version: int) -> Advisory:
            if advisory.state == "withdrawn":
                return advisory
            if advisory.state == "superseded":
                raise Conflict(f"the advisory was superseded by {advisory.successor}; withdraw that one")
            return self._end(advisory.stepped("withdrawn", by, why, waiting=False), version)

        return self._stepped(id, step)

    def deleted(self, inbox: str, id: str, versions: frozenset[int], by: str) -> None:
        """Withdraw the advisory whose report is being deleted from its inbox, if it is one and this is its version."""
        found = self.book.find(id)
        if found is None or found[0].inbox != inbox or found[0].state not in ("draft", "published"):
            return
        if (found[0].version or found[0].latest) in versions:
            self.withdraw(id, by, "deleted from the inbox")

    def supersede(self, id: str, successor: str, by: str, why: str = "") -> Advisory:
        """Take an advisory back because another one, which is published, replaces it.

        Raises:
            NotFound: there is no such advisory. Conflict: it, or its successor, is not published.
        """
        replacing = self.book[successor]

        def step(advisory: Advisory, version: int) -> Advisory:
            if advisory.state == "superseded" and advisory.successor == successor:
                return advisory
            if advisory.state != "published" or replacing.state != "published" or id == successor:
                raise Conflict("one published advisory can supersede another published one")
            if advisory.organisation != replacing.organisation:
                raise Conflict("the two advisories are of different organisations")
            return self._end(advisory.stepped("superseded", by, why, waiting=False, successor=successor), version)

        return self._stepped(id, step)

    def acknowledge(self, id: str, user: str, at: int) -> bool:
        """Note that an account's organisation has read an advisory and understood it; return whether it was the first.

        Raises:
            NotFound: there is no such published advisory that the account may read.
        """
        found = self.book.find(id)
        principal = self._signin.principal_of(user)
        if found is not None and found[0].state == "published":
            target = self.target(found[0])
            scope = Scope(principal.reader, frozenset((target.key,)))
            seen = self._store.get(scope, [id]).get(id) if self._collections.may_read(principal, target) else None
            if seen is not None and not seen.audience.is_farewell:
                return self._receipts.acknowledge(found[0], principal.organisation, user, at)
        raise NotFound(f"there is no published advisory {id} that {user} may read")

    def published_copy(self, advisory: Advisory) -> Change | None:
        """Return the report as it stands in the public collection, or None if it does not."""
        target = self._inboxes[advisory.inbox]
        return self._store.get(Scope(None, frozenset((target,))), [advisory.id]).get(advisory.id)

    def target(self, advisory: Advisory) -> Collection:
        """Return the public collection that an advisory is for."""
        return self._collections[self._inboxes[advisory.inbox]]

    def entitled(self, target: Collection, audience: Audience) -> tuple[str, ...]:
        """Return the organisations with an account that may read a collection and see an audience there."""
        found: set[str] = set()
        for user in self._accounts.users():
            if user.organisation in found:
                continue
            try:
                principal = self._signin.principal_of(user.name)
            except (NotFound, NotSignedIn):  # shut out, or removed meanwhile
                continue
            if self._collections.may_read(principal, target) and may(principal.reader, audience).allowed:
                found.add(user.organisation)
        return tuple(sorted(found))

    def _look_at(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.action == "put" and change.collection in self._inboxes:
                try:
                    self._look(change)
                except (NotFound, Refused) as fault:  # gone again, or not taken: its neighbours must not wait for it
                    structlog.get_logger().warning(
                        "advisory left out", id=change.id, code=fault.code, why=fault.message
                    )

    def _look(self, change: Change) -> None:
        if change.type == "report":
            latest = self._in(change.collection, [change.id]).get(change.id)
            if latest is not None:
                self._take(latest)
        elif change.type in _ANSWERS:
            self._answered(change)
        for id in self.book.with_part(change.id):
            self._renew(id, change)

    def _answered(self, change: Change) -> None:
        """Take a note or opinion for an acknowledgement of the advisories that it names."""
        kind, _, user = change.source.partition(":")
        if kind != "user":
            return
        for id in orjson.loads(change.body).get("object_refs", ()):
            with contextlib.suppress(NotFound, NotSignedIn):  # about something else, or not for this account
                self.acknowledge(id, user, change.date_added)

    def _take(self, change: Change) -> None:
        """Look at the latest version of a report; nothing happens when it was looked at before."""
        report, version, revoked = orjson.loads(change.body), change.version or 0, _is_revoked(change)
        found = self.book.find(change.id)
        if found is None and revoked:
            return
        if found is None:
            fresh = Advisory(change.id, change.collection, change.audience.owner)
            found = fresh, 0

        def step(advisory: Advisory, expect: int) -> Advisory:
            if advisory.latest >= version or advisory.organisation != change.audience.owner:
                return advisory
            seen = msgspec.structs.replace(
                advisory,
                title=report["name"],
                tlp=change.audience.tlp.name,
                latest=version,
                terms=advisory.given.over(Terms.of_labels(report.get("labels", ()))).over(advisory.terms),
                given=Terms(),
            )
            if seen.state in ("withdrawn", "superseded"):
                return self._save(seen, expect)
            if revoked:
                return self._end(seen.stepped("withdrawn", change.source, "revoked by its originator"), expect)
            if seen.organisation in self._trusted:
                return self._publish(seen, expect, change.source, "handed in by a trusted organisation")
            references = references_of(report)
            step = seen.stepped(seen.state, change.source, "handed in, waits for an analyst", waiting=True)
            return self._save(step, expect, part_writes(seen.id, references))

        self._stepped(change.id, step, found)

    def _renew(self, id: str, change: Change) -> None:
        """Follow a change of an object that belongs to a published advisory."""

        def step(advisory: Advisory, version: int) -> Advisory:
            if advisory.state != "published" or advisory.organisation != change.audience.owner:
                return advisory
            target = self._inboxes[advisory.inbox]
            there = self._in(target, [change.id]).get(change.id)
            if there is not None and (there.version or 0) >= (change.version or 0):
                return advisory
            if advisory.organisation in self._trusted:
                return self._publish(advisory, version, change.source, f"{change.id} was handed in")
            if there is not None and there.audience.owner == advisory.organisation and _is_revoked(change):
                self._retraction.retract(target, [change.id])  # taking back waits for nobody
            if advisory.waiting:
                return advisory
            return self._save(msgspec.structs.replace(advisory, waiting=True), version)

        self._stepped(id, step)

    def _must_not_widen(self, advisory: Advisory, terms: Terms) -> None:
        home = self._accounts.home()
        more = set(terms.audience) - set(advisory.terms.audience)
        if more and (home is None or advisory.organisation != home.name):
            raise NotAllowed(f"only {advisory.organisation} can address it to {', '.join(sorted(more))}")

    def _publish(self, advisory: Advisory, expect: int, by: str, why: str) -> Advisory:
        """Copy an advisory's objects into the public collection and save its state, in one commit."""
        changes = self._parts(advisory)
        report = changes[0]
        unmarked = [one for one in changes if not markings_of(orjson.loads(one.body))]
        marking = max((one.audience.tlp for one in unmarked), default=TLP.CLEAR)
        groups = advisory.terms.audience
        target = self._collections[self._inboxes[advisory.inbox]]
        organisation = self._accounts.organisation(advisory.organisation)
        origin = Origin(
            source=report.source,
            organisation=advisory.organisation,
            collections=(target.key,),
            marking=marking,
            groups=groups,
            created_by=organisation.identity if organisation is not None else None,
            reader=organisation.reader(analyst=True) if organisation is not None else None,
        )
        audience = self._gate.audience(orjson.loads(report.body), origin)
        again = report.version == advisory.version
        published = advisory.stepped(
            "published", by, why, version=report.version or 0, latest=report.version or 0, waiting=False,
            tlp=audience.tlp.name,
            entitled=advisory.entitled if again else self.entitled(target, audience),
        )  # fmt: skip
        references = [id for one in changes for id in references_of(orjson.loads(one.body))]
        documents = [advisory_write(published, expect), *part_writes(advisory.id, dict.fromkeys(references))]
        items = [StixItem(one.body, one.id) for one in changes]
        result = self._gate.admit(items, origin, documents).results[0]
        if result.outcome not in ("stored", "unchanged"):
            problem = f"the report is not taken: {result.reason}: {result.message}"
            _, version = self.book.find(advisory.id) or (advisory, 0)
            self._save(published.stepped("draft", by, problem, version=0, waiting=True), version)
            raise Refused(result.reason, problem)
        return published

    def _parts(self, advisory: Advisory) -> list[Change]:
        """Return the report and what goes along with it, as far as its originator handed it in."""
        found = self._in(advisory.inbox, [advisory.id])
        if advisory.id not in found:
            raise NotFound(f"the report {advisory.id} is no longer in {advisory.inbox}")
        fresh = list(found.values())
        while fresh:
            wanted = {id for one in fresh for id in references_of(orjson.loads(one.body))} - found.keys()
            come = self._in(advisory.inbox, wanted) if wanted else {}
            fresh = [one for one in come.values() if one.audience.owner == advisory.organisation]
            found |= {one.id: one for one in fresh}
        return list(found.values())

    def _end(self, advisory: Advisory, expect: int) -> Advisory:
        """Take an advisory's objects back, except those that another published advisory is about."""
        target = self._inboxes[advisory.inbox]
        report = self.published_copy(advisory)
        if report is None:
            return self._save(advisory, expect)
        there = self._in(target, [advisory.id, *orjson.loads(report.body).get("object_refs", ())])
        alone = [
            id
            for id, one in there.items()
            if one.audience.owner == advisory.organisation and not self._needed(id, advisory.id)
        ]
        self._retraction.retract(target, alone, [advisory_write(advisory, expect)])
        return advisory

    def _needed(self, object_id: str, besides: str) -> bool:
        others = [id for id in self.book.with_part(object_id) if id != besides]
        return any(self.book[id].state == "published" for id in others)

    def _stepped(
        self, id: str, step: Callable[[Advisory, int], Advisory], found: tuple[Advisory, int] | None = None
    ) -> Advisory:
        """Do a step on the advisory as it is now, again if another process was faster."""
        for _ in range(_TRIES):
            advisory, version = found or self.book.find(id) or (self.book[id], 0)
            try:
                return step(advisory, version)
            except Conflict:
                found = self.book.find(id)
                if found is None or found[1] == version:
                    raise
        raise Conflict(f"the advisory {id} is being changed by others; try again")

    def _save(self, advisory: Advisory, expect: int, documents: Sequence[DocumentWrite] = ()) -> Advisory:
        self._store.commit(_only(advisory_write(advisory, expect), *documents))
        return advisory

    def _in(self, collection: str, ids: Iterable[str]) -> dict[str, Change]:
        return self._store.get(Scope(None, frozenset((collection,))), ids)


def _only(*documents: DocumentWrite) -> Batch:
    return Batch(documents=documents)


def _is_revoked(change: Change) -> bool:
    return bool(orjson.loads(change.body).get("revoked", False))
