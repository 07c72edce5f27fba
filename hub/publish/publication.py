"""Publication as the rest of the hub sees it: the advisories' publisher, their receipts, and what is taken back."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.accounts import Accounts
from hub.access.principal import Principal
from hub.access.signin import SignIn
from hub.admission.gate import Gate
from hub.errors import NotFound
from hub.publish.advisories import Advisory
from hub.publish.collections import Collection, Collections
from hub.publish.expiry import Expiry
from hub.publish.farewells import Farewells
from hub.publish.handing_in import HandingIn
from hub.publish.publisher import Publisher
from hub.publish.receipts import Pulls, Receipts, Status
from hub.publish.retraction import Retraction
from hub.store.ports import Batch, Change, Scope, Store, Withdrawal


@dataclass(frozen=True)
class Publication:
    """Made by `publication_of`; one for each process, used from all its threads."""

    store: Store
    collections: Collections
    publisher: Publisher
    handing_in: HandingIn
    pulls: Pulls
    receipts: Receipts
    retraction: Retraction
    expiry: Expiry
    farewells: Farewells
    signin: SignIn

    def withdraw_copies(self, collection: Collection, deleted: Change, versions: frozenset[int], user: str) -> None:
        """Withdraw everywhere else what is being deleted from the collection that it was handed in to.

        Doing it again changes nothing.

        Args:
            collection: where it is deleted. deleted: its latest version there. versions: those that are deleted.
            user: who deletes it.
        """
        handed_to = [collection, *(self.collections[key] for key in collection.publish_to)]
        inboxes = [one for one in handed_to if one.advisories_to]
        for inbox in inboxes:
            self.publisher.deleted(inbox.key, deleted.id, versions, user)
        copies = {*collection.publish_to, *(one.advisories_to for one in inboxes)} - {collection.key}
        for key in sorted(copies):
            copy = self.store.get(Scope(None, frozenset((key,))), [deleted.id]).get(deleted.id)
            if copy is None or copy.audience.owner != deleted.audience.owner:
                continue
            if copy.version in versions and self.collections[key].published:
                self.retraction.retract(key, [deleted.id])
            else:
                gone = [Withdrawal(key, deleted.id, version) for version in sorted(versions)]
                self.store.commit(Batch(withdrawals=gone))

    def status(self, id: str, user: str | None = None) -> Status:
        """Say what became of an advisory: all to the city's analysts, and to others of their own, without names.

        Args:
            id: which. user: who asks; None is the operator of this hub.

        Raises:
            NotFound: there is none, or it is not the account's own.
        """
        advisory = self.publisher.book[id]
        named = True
        if user is not None:
            principal = self.signin.principal_of(user)
            named = principal.reader.analyst
            if not named and principal.organisation != advisory.organisation:
                raise NotFound(f"there is no advisory {id}; `threathub advisory list` shows all")
        return self.status_of(advisory, named=named)

    def status_of(self, advisory: Advisory, *, named: bool) -> Status:
        """Say what became of an advisory; ``named``: to somebody who may know the names of all recipients."""
        copy = self.publisher.published_copy(advisory) if advisory.version else None
        target = self.publisher.target(advisory)
        entitled = self.publisher.entitled(target, copy.audience) if copy is not None else ()
        return self.receipts.status(advisory, target.key, entitled, named=named)

    def decider(self, id: str, user: str | None) -> str:
        """Check that somebody may publish or end an advisory; return how its history names him.

        The city's analysts decide on the city's own; on what another organisation handed in somebody who is able to
        review decides.

        Args:
            id: which. user: who; None is the operator of this hub.

        Raises:
            NotFound: there is no such advisory or account. NotAllowed: the account may not.
        """
        advisory = self.publisher.book[id]
        if user is None:
            return "operator"
        must_decide(self.signin.principal_of(user), advisory)
        return f"user:{user}"


def must_decide(who: Principal, advisory: Advisory) -> None:
    """Check that an account may publish or end an advisory.

    Raises:
        NotAllowed: it may not.
    """
    own = advisory.organisation == who.organisation
    who.must_be_able("confidential" if own else "review")


def publication_of(
    store: Store,
    gate: Gate,
    collections: Collections,
    accounts: Accounts,
    *,
    trusted: frozenset[str],
    silence: int,
    grace: int,
) -> Publication:
    """Put publication together.

    Args:
        store, gate, collections, accounts: the hub's. trusted: organisations whose advisories are published at once.
        silence: microseconds without a poll after which a poller is stale.
        grace: microseconds after its end until an indicator is revoked.
    """
    retraction = Retraction(store, frozenset(one.key for one in collections if one.published))
    receipts = Receipts(store, accounts, silence)
    signin = SignIn(accounts)
    publisher = Publisher(store, gate, collections, accounts, signin, retraction, receipts, trusted)
    return Publication(
        store=store,
        collections=collections,
        publisher=publisher,
        handing_in=HandingIn(store, gate, publisher),
        pulls=Pulls(store),
        receipts=receipts,
        retraction=retraction,
        expiry=Expiry(store, retraction, grace),
        farewells=Farewells(store, accounts, retraction),
        signin=signin,
    )
