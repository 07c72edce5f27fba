"""The desk where accounts deal with advisories: who sees which, who may do what with them.

An advisory that an account may not see does not exist for it: whatever it asks for, the answer is the same `NotFound`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from hub.access.accounts import Accounts
from hub.access.principal import Principal
from hub.admission.gate import Origin, Receipt
from hub.errors import BadRequest, NotAllowed, NotFound
from hub.model import times
from hub.model.envelope import cut_envelope
from hub.model.items import StixItem
from hub.publish.advisories import Advisory, State, Terms
from hub.publish.advisory_form import read_json_form
from hub.publish.collections import Collection
from hub.publish.publication import Publication, must_decide
from hub.publish.receipts import Own, Status
from hub.store.ports import Change, Scope


@dataclass(frozen=True, slots=True)
class Shown:
    """An advisory as one account sees it.

    Attributes:
        advisory: the whole of it; what of it may be told depends on the rest.
        copy: the published report, if the account may read it.
        whole: whether the account may know everything: its originator's and the city's own people who read the inbox.
    """

    advisory: Advisory
    copy: Change | None
    whole: bool


class _Head(msgspec.Struct):
    type: object = None
    title: object = None
    objects: msgspec.Raw = msgspec.Raw()


_HEAD = msgspec.json.Decoder(_Head)


class Desk:
    """Serves accounts.

    Args:
        publication, accounts: the hub's.

    Raises (all methods that name an advisory): `NotFound` when there is none that the account may see.
    """

    def __init__(self, publication: Publication, accounts: Accounts) -> None:
        self._publication = publication
        self._publisher = publication.publisher
        self._collections = publication.collections
        self._accounts = accounts

    def page(self, who: Principal, *, state: State | None, after: str, limit: int) -> tuple[list[Shown], str | None]:
        """Return advisories in order of id, and the id to go on after, None at the end."""
        wanted = (one for one in self._publisher.book.after(after) if state in (None, one.state))
        seen = self._shown(who, wanted)
        found = list(itertools.islice(seen, limit))
        return found, found[-1].advisory.id if len(found) == limit and next(seen, None) is not None else None

    def one(self, who: Principal, id: str) -> Shown:
        """Return an advisory."""
        found = self._publisher.book.find(id)
        shown = next(self._shown(who, [found[0]]), None) if found is not None else None
        if shown is None:
            raise NotFound("there is no such advisory")
        return shown

    def status(self, who: Principal, id: str) -> Status | Own:
        """Say what became of an advisory: to its originator and the city, and to a recipient only what he did."""
        shown = self.one(who, id)
        if shown.whole:
            return self._publication.status_of(shown.advisory, named=who.reader.analyst)
        return self._publication.receipts.own(shown.advisory, who.organisation)

    def own(self, who: Principal, id: str) -> Own:
        """Say what is noted of the account's own organisation."""
        return self._publication.receipts.own(self.one(who, id).advisory, who.organisation)

    def polled(self, who: Principal) -> None:
        """Note that the account's organisation asks for what is new."""
        self._publication.pulls.polled(who.organisation)

    def served(self, who: Principal, shown: Shown) -> None:
        """Note, before it leaves, that the published report is served to an account."""
        if shown.copy is not None and self._publisher.target(shown.advisory).receipts:
            self._publication.pulls.served(who.organisation, who.user, shown.copy.body)

    def hand_in(self, who: Principal, raw: bytes) -> tuple[list[Advisory], Receipt]:
        """Take in an advisory: a filled form, or an envelope or bundle with a report, as JSON.

        Raises:
            NotAllowed: the account may not hand in, or the report is another organisation's.
            Refused, BadRequest, NotThatFormat, Conflict: what was sent is no advisory, or was handed in already.
        """
        inbox = next((one for one in self._inboxes() if self._collections.may_write(who, one)), None)
        organisation = self._accounts.organisation(who.organisation)
        if inbox is None or organisation is None:
            raise NotAllowed("this account may not hand in advisories")
        handing_in, terms = self._publication.handing_in, Terms()
        if _is_form(raw):
            form = read_json_form(raw)
            items, terms = handing_in.of_form(form, organisation), form.terms
            self._accounts.must_be_addressable(terms.audience)
        else:
            items = list(cut_envelope(raw)) or [StixItem(raw, "report")]
        origin = Origin(
            source=f"user:{who.user}",
            organisation=who.organisation,
            collections=(inbox.key,),
            marking=inbox.marking,
            created_by=who.identity,
            reader=who.reader,
        )
        return handing_in.take(inbox, items, origin, terms)

    def publish(self, who: Principal, id: str, why: str, audience: Sequence[str]) -> Advisory:
        """Publish what was handed in last.

        Raises:
            NotAllowed: the account may not decide on it, or addresses it to more. Conflict: it has ended.
        """
        must_decide(who, self.one(who, id).advisory)
        self._accounts.must_be_addressable(audience)
        return self._publisher.publish(id, f"user:{who.user}", why, Terms(tuple(sorted(set(audience)))))

    def withdraw(self, who: Principal, id: str, why: str) -> Advisory:
        """Take an advisory back from everybody who has it.

        Raises:
            NotAllowed: it is another organisation's and the account is not able to review. Conflict: it was superseded.
        """
        self._must_own(who, self.one(who, id))
        return self._publisher.withdraw(id, f"user:{who.user}", why)

    def supersede(self, who: Principal, id: str, successor: str, why: str) -> Advisory:
        """Take an advisory back because another, which is published, replaces it.

        Raises:
            NotAllowed: as for `withdraw`. Conflict: it or its successor is not published.
        """
        for shown in (self.one(who, id), self.one(who, successor)):
            self._must_own(who, shown)
        return self._publisher.supersede(id, successor, f"user:{who.user}", why)

    def acknowledge(self, who: Principal, id: str) -> bool:
        """Note that the account's organisation has read an advisory and understood it; return whether it was the first.

        Raises:
            NotAllowed: the token may only read.
        """
        shown = self.one(who, id)
        _must_write(who)
        if shown.copy is None or shown.advisory.state != "published":
            raise NotFound("there is no such advisory")
        return self._publication.receipts.acknowledge(shown.advisory, who.organisation, who.user, times.now())

    def consents(self, who: Principal) -> bool:
        """Say whether the account's organisation agreed to be named to originators."""
        return self._publication.receipts.consented(who.organisation)

    def consent(self, who: Principal, *, given: bool) -> None:
        """Say for the account's organisation whether originators may be told its name.

        Raises:
            NotAllowed: the token may only read, or is for some collections only.
        """
        who.must_be_whole()
        self._publication.receipts.consent(who.organisation, given)

    def _shown(self, who: Principal, advisories: Iterable[Advisory]) -> Iterator[Shown]:
        """Yield what an account may see of advisories; those that it may not see are left out."""
        readable = self._collections.readable(who)
        rest = iter(advisories)
        while portion := list(itertools.islice(rest, 100)):
            copies = self._copies(who, portion, readable)
            for one in portion:
                own = who.reader.analyst or who.organisation == one.organisation
                shown = Shown(one, copies.get(one.id), own and one.inbox in readable)
                if shown.whole or shown.copy is not None:
                    yield shown

    def _copies(self, who: Principal, advisories: list[Advisory], readable: frozenset[str]) -> dict[str, Change]:
        targets: dict[str, list[str]] = {}
        for one in advisories:
            targets.setdefault(self._publisher.target(one).key, []).append(one.id)
        store, found = self._publication.store, {}
        for key, ids in targets.items():
            found.update(store.get(Scope(who.reader, frozenset((key,)) & readable), ids))
        return {id: one for id, one in found.items() if not one.audience.is_farewell}

    def _inboxes(self) -> Iterator[Collection]:
        return (one for one in self._collections if one.advisories_to)

    def _must_own(self, who: Principal, shown: Shown) -> None:
        inbox = self._collections[shown.advisory.inbox]
        if who.organisation != shown.advisory.organisation or not self._collections.may_write(who, inbox):
            must_decide(who, shown.advisory)


def _must_write(who: Principal) -> None:
    if "write" not in who.rights:
        raise NotAllowed("this token may only read")


def _is_form(raw: bytes) -> bool:
    """Say whether a body is a filled form and not STIX.

    Raises:
        BadRequest: it is no JSON object.
    """
    try:
        head = _HEAD.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is no JSON object") from None
    return head.title is not None and head.type is None and not bytes(head.objects)
