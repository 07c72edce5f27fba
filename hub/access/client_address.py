"""Whose address a request has: the one answer for sign-in, audit log, limits and the networks that a token is bound to.

``X-Forwarded-For`` is a sentence that anybody can say. It is believed only when the connection comes from a network
that the administrator named (setting ``proxies``), and only back to the first address that is not such a proxy: what
stands left of that one was written by a stranger.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hub.errors import BadSettings

UNIX = "unix"
"""What stands in ``proxies`` for a proxy that comes in through a Unix socket; such a connection has no address."""

UNKNOWN = "unknown"
"""The address of a client that has none."""

_MOST_HOPS = 16
_V6_PREFIX = 64

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Networks:
    """Addresses and networks that a setting names.

    Args:
        setting: its name, for messages. texts: such as ``10.0.0.4`` or ``fd00::/8``.

    Raises:
        BadSettings: one of them is neither.
    """

    def __init__(self, setting: str, texts: Iterable[str]) -> None:
        self._networks: list[Network] = []
        for text in texts:
            try:
                self._networks.append(ip_network(text, strict=False))
            except ValueError:
                raise BadSettings(f"setting {setting!r}: {text!r} is neither an address nor a network") from None

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


class Proxies:
    """The networks whose word on a client's address is taken.

    Args:
        networks: as `Networks` has them, or `UNIX`; none by default.

    Raises:
        BadSettings: one of them is neither.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        named = list(networks)
        self._unix = UNIX in named
        self._networks = Networks("proxies", [text for text in named if text != UNIX])

    def trusts(self, peer: str) -> bool:
        """Say whether a connection from this address is one of the trusted proxies."""
        if not peer:
            return self._unix
        address = read_address(peer)
        return address is not None and address in self._networks

    def client(self, peer: str, forwarded: str | None) -> str:
        """Return the address of the client.

        Args:
            peer: address of the connection, empty for a Unix socket.
            forwarded: the ``X-Forwarded-For`` header, or None.
        """
        if not forwarded or not self.trusts(peer):
            return _spelled(peer)
        nearest = _spelled(peer)
        for hop in reversed(forwarded.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]):
            address = read_address(_without_port(hop.strip()))
            if address is None:  # no proxy wrote that: the last one that did is as far as can be known
                return nearest
            nearest = str(address)
            if address not in self._networks:
                return nearest
        return nearest


@lru_cache(4096)
def read_address(text: str) -> Address | None:
    """Read an address; one of IPv4 that is wrapped in IPv6 (``::ffff:192.0.2.1``) is unwrapped."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(4096)
def network_of(where: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 that an IPv6 host can choose its addresses from."""
    address = read_address(where)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> _V6_PREFIX << _V6_PREFIX, _V6_PREFIX)))
    return where if address is None else str(address)


def _spelled(peer: str) -> str:
    return str(read_address(peer) or peer or UNKNOWN)


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
