"""Publication as the rest of the hub sees it: the advisories' publisher, their receipts, and what is taken back."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.accounts import Accounts
from hub.access.signin import SignIn
from hub.admission.gate import Gate
from hub.errors import NotFound
from hub.publish.collections import Collections
from hub.publish.handing_in import HandingIn
from hub.publish.publisher import Publisher
from hub.publish.receipts import Pulls, Receipts, Status
from hub.publish.retraction import Retraction
from hub.store.ports import Store


@dataclass(frozen=True)
class Publication:
    """Made by `publication_of`; one for each process, used from all its threads."""

    publisher: Publisher
    handing_in: HandingIn
    pulls: Pulls
    receipts: Receipts
    retraction: Retraction
    signin: SignIn

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
        copy = self.publisher.published_copy(advisory) if advisory.version else None
        target = self.publisher.target(advisory)
        entitled = self.publisher.entitled(target, copy.audience) if copy is not None else ()
        return self.receipts.status(advisory, target.key, entitled, named=named)


def publication_of(
    store: Store, gate: Gate, collections: Collections, accounts: Accounts, *, trusted: frozenset[str], silence: int
) -> Publication:
    """Put publication together.

    Args:
        store, gate, collections, accounts: the hub's. trusted: organisations whose advisories are published at once.
        silence: microseconds without a poll after which a poller is stale.
    """
    retraction = Retraction(store, accounts, frozenset(one.key for one in collections if one.published))
    receipts = Receipts(store, accounts, silence)
    signin = SignIn(accounts)
    publisher = Publisher(store, gate, collections, accounts, signin, retraction, receipts, trusted)
    handing_in = HandingIn(store, gate, publisher)
    return Publication(publisher, handing_in, Pulls(store), receipts, retraction, signin)
