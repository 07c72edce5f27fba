"""Which network addresses a feed may be fetched from (FIELD.md threat T5: server-side request forgery).

A feed's host name is resolved once, every address it resolves to is judged here, and the connection goes to the judged
address. Names are never judged: they may change between the look and the leap.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence

from hub.errors import SourceUnreachable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]
"""Host name and port to the texts of its addresses; raises OSError when there are none."""

_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+))*\.?", re.IGNORECASE | re.ASCII)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def resolve(host: str, port: int) -> list[str]:
    """Ask the operating system for a host's addresses, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def permitted(text: str, allow: Sequence[Network] = ()) -> bool:
    """Say whether a connection may go to an address: it is public, or in a network that the feed allows by name.

    An IPv6 address that stands for an IPv4 address (mapped, NAT64) is judged as that one; one that tunnels to IPv4
    addresses (6to4, Teredo) is judged by those too.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    return all(_public(one) or any(one in network for network in allow) for one in _meant(address))


def checked(host: str, port: int, allow: Sequence[Network] = (), resolver: Resolve = resolve) -> list[str]:
    """Resolve a host and return its addresses, all of them judged.

    Raises:
        SourceUnreachable: the host is unknown, is spelled in a disguise, or one of its addresses is not allowed.
    """
    literal = host.strip("[]")
    if _NUMERIC.fullmatch(literal) and not _is_dotted_quad(literal):
        raise SourceUnreachable(f"the host {host} is a disguised number; write the address as 192.0.2.1 is written")
    try:
        addresses = resolver(literal, port)
    except (OSError, UnicodeError):
        raise SourceUnreachable(f"the host {host} cannot be resolved; check its name and the DNS of the hub") from None
    if not addresses:
        raise SourceUnreachable(f"the host {host} has no address")
    for address in addresses:
        if not permitted(address, allow):
            raise SourceUnreachable(
                f"the host {host} resolves to {address}, which is not a public address; "
                "if that is meant, name its network in the feed's allow_networks"
            )
    return list(addresses)


def _is_dotted_quad(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _meant(address: Address) -> tuple[Address, ...]:
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None or address in _NAT64:
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    tunnels = (address.sixtofour, *(address.teredo or ()))
    return (address, *(one for one in tunnels if one is not None))
