"""API tokens: what is kept of one, and when it holds.

A token is a second key to an account, for one program: it can be narrower than its account and never wider, because
every check of it stands beside the account's own. Its text is 32 random bytes, shown once; what is kept is a digest.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network

from hub.access.client_address import Network, read_address
from hub.access.principal import RIGHTS, Right
from hub.errors import BadRequest
from hub.model import times

TOKEN_MARK = "cth"  # noqa: S105 - a mark that secret scanners can look for, no secret
MOST_NETWORKS = 64
MOST_COLLECTIONS = 256
LONGEST_NOTE = 200


@dataclass(frozen=True, slots=True)
class Token:
    """An API token as it is kept.

    Attributes:
        id: public part. user: whose. digest: SHA-256 of the whole token text, hex. note: what it is used for.
        rights: at most these of the account's. expires: microseconds or None.
        last_used: day of the last use (days since the epoch) or None.
        collections: keys of the only collections it is for; None is all of the account's.
        networks: addresses and networks it can be used from; empty is anywhere.
        last_from: network address of the first use on that day.
        made: microseconds; 0 for one that was made before this was kept.
    """

    id: str
    user: str
    digest: str
    note: str = ""
    rights: tuple[Right, ...] = ("read", "write")
    expires: int | None = None
    last_used: int | None = None
    collections: tuple[str, ...] | None = None
    networks: tuple[str, ...] = ()
    last_from: str = ""
    made: int = 0

    def allows(self, where: str) -> bool:
        """Say whether it can be used from a network address; one without an address is in no network."""
        if not self.networks:
            return True
        address = read_address(where)
        return address is not None and any(address in network for network in _read(self.networks))

    def told(self) -> dict[str, object]:
        """Return what the audit log tells of it: never the digest."""
        return {
            "user": self.user,
            "rights": ",".join(self.rights),
            "expires": times.format_timestamp(self.expires) if self.expires else "never",
            "collections": "all" if self.collections is None else ",".join(self.collections),
            "networks": ",".join(self.networks) or "any",
        }

    def check(self) -> None:
        """Check the values that people give.

        Raises:
            BadRequest: there is an impossible one.
        """
        if not self.rights or not set(RIGHTS).issuperset(self.rights):
            raise BadRequest("a token has the right read, write, or both")
        if self.collections is not None and not 0 < len(self.collections) <= MOST_COLLECTIONS:
            raise BadRequest(f"a token is for all collections of its account, or for 1 to {MOST_COLLECTIONS} of them")
        if len(self.networks) > MOST_NETWORKS:
            raise BadRequest(f"a token has at most {MOST_NETWORKS} networks")
        if len(self.note) > LONGEST_NOTE or not self.note.isprintable():
            raise BadRequest(f"a note has at most {LONGEST_NOTE} characters on one line")


def new_token_text() -> tuple[str, str]:
    """Return the public id and the whole text of a new token."""
    public = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return public, f"{TOKEN_MARK}_{public}_{secrets.token_urlsafe(32)}"


def token_digest(text: str) -> str:
    """Return what is kept of a token: no salt is needed for 32 random bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def spelled_networks(networks: Iterable[str]) -> tuple[str, ...]:
    """Return networks in their one spelling, each once.

    Raises:
        BadRequest: one is no address or network, or has bits beyond its length.
    """
    try:
        return tuple(dict.fromkeys(str(ip_network(text.strip())) for text in networks))
    except ValueError as error:
        raise BadRequest(f"{error}: write 192.0.2.0/24 or 2001:db8::/32") from None


@lru_cache(1024)
def _read(networks: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in networks)
