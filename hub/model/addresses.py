"""One spelling for network addresses: IPv4, IPv6, networks, MAC addresses and autonomous system numbers.

Functions raise ValueError for what is not such a value.
"""

from __future__ import annotations

import ipaddress
import re

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}")
_MAC_SEPARATORS = re.compile(r"[:.\-\s]")
_MAC = re.compile(r"[0-9a-f]{12}")
_AS_NUMBER = re.compile(r"(?:asn?\s*)?([0-9]{1,10})(?:\.([0-9]{1,5}))?", re.IGNORECASE)

_MAPPED_PREFIX = 96
"""Length of ``::ffff:0:0/96``, the prefix of IPv4 addresses written as IPv6 (RFC 4291 section 2.5.5.2)."""


def ip(text: str) -> tuple[str, str]:
    """Return kind and canonical form of an IP address or network.

    IPv6 is compressed (RFC 5952), a zone is dropped, mapped IPv4 becomes IPv4, host bits of a network are cleared and
    a network of one address is that address. Octets with leading zeros are refused: they are octal to some programs.
    """
    if _IPV4.fullmatch(text):
        return "ipv4-addr", text
    text = text.strip()
    address_text, slash, length_text = text.partition("/")
    if address_text.startswith("[") and address_text.endswith("]"):
        address_text = address_text[1:-1]
    address_text = address_text.partition("%")[0]
    address = ipaddress.ip_address(address_text)
    bits = address.max_prefixlen
    length = _prefix_length(length_text, bits) if slash else bits
    value = int(address)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped and length >= _MAPPED_PREFIX:
        bits, length, value = 32, length - _MAPPED_PREFIX, int(address.ipv4_mapped)
    return format_network(bits, value, length)


def _prefix_length(text: str, bits: int) -> int:
    if text.isdecimal() and text.isascii() and len(text) <= 3:
        length = int(text)
        if length > bits:
            raise ValueError(f"no network has a prefix of {length} bits")
        return length
    if bits == 32 and "." in text:
        return ipaddress.IPv4Network(("0.0.0.0", text)).prefixlen  # noqa: S104 - only its mask is read
    raise ValueError("not a prefix length")


def format_network(bits: int, value: int, length: int) -> tuple[str, str]:
    """Write the network that holds address ``value`` (an integer of 32 or 128 bits): kind and canonical text."""
    value = value >> (bits - length) << (bits - length)
    if bits == 32:
        kind, text = "ipv4-addr", f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
    else:
        kind, text = "ipv6-addr", str(ipaddress.IPv6Address(value))
    return kind, text if length == bits else f"{text}/{length}"


def network_numbers(value: str) -> tuple[int, int, int]:
    """Read a canonical address or network as (bits 32 or 128, first address, prefix length)."""
    text, slash, length = value.partition("/")
    if ":" in text:
        return 128, int(ipaddress.IPv6Address(text)), int(length) if slash else 128
    a, b, c, d = text.split(".")
    return 32, int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d), int(length) if slash else 32


def mac(text: str) -> str:
    """Return six lower-case octets joined by colons; ``-``, ``.`` or nothing between them is understood too."""
    digits = _MAC_SEPARATORS.sub("", text).lower()
    if not _MAC.fullmatch(digits):
        raise ValueError("not a MAC address")
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def autonomous_system(text: str) -> str:
    """Return the number of an autonomous system; ``AS64500`` and asdot ``1.10`` (RFC 5396) are understood."""
    match = _AS_NUMBER.fullmatch(text.strip())
    if not match:
        raise ValueError("not an autonomous system number")
    number = int(match[1]) if match[2] is None else int(match[1]) << 16 | int(match[2])
    if number >= 1 << 32 or (match[2] is not None and int(match[2]) >= 1 << 16):
        raise ValueError("autonomous system numbers have 32 bits")
    return str(number)
