"""One TAXII request as the edge understood it, and what a server says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hub.access.principal import Principal
from hub.publish.collections import Collection
from hub.store.ports import Scope
from hub.taxii.filters import Filters
from hub.taxii.routes import Address

ASKED = "hub.taxii.asked"
"""Key of the `Asked` in the WSGI environment; no HTTP header can set it."""


@dataclass(frozen=True, slots=True)
class ApiRoot:
    """One API root: collections name it, discovery lists it."""

    name: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Front:
    """What discovery says and the limits that hold.

    Attributes:
        title, description, contact: for people. api_roots: the first is the default.
        page_size: objects in a page at most. max_body: bytes of a POST at most.
        public_url: where the world reaches the hub, https only; with it, discovery gives absolute addresses, which
            some clients need. Without it they are relative, so no host name can be wrong.
    """

    title: str = "City Threat Hub"
    description: str = ""
    contact: str = ""
    api_roots: tuple[ApiRoot, ...] = (ApiRoot("hub", "City Threat Hub"),)
    page_size: int = 1000
    max_body: int = 10_485_760
    public_url: str = ""


class Asked(NamedTuple):
    """Who asks, for which address, with which filters.

    ``collection`` is what the address names, or None when it names none or one that the account may not know of.
    ``bodiless`` says that only the headers of the answer will be sent (HEAD).
    """

    principal: Principal
    address: Address
    collection: Collection | None
    filters: Filters
    bodiless: bool = False

    @property
    def named(self) -> Collection:
        """The collection, at addresses that medallion has checked to have one."""
        assert self.collection is not None
        return self.collection

    @property
    def scope(self) -> Scope:
        """What goes into the store query; medallion has checked that the collection can be read."""
        return Scope(self.principal.reader, frozenset((self.named.key,)))

    @property
    def binding(self) -> str:
        """What a page token of this walk is bound to: address, collection, object, match fields, account."""
        route, key = self.address.route.name, self.named.key
        return "\0".join((route, key, self.address.object_id, self.filters.fingerprint, self.principal.user))
