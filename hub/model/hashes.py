"""Names and forms of hashes: ``SHA-256``, ``sha256`` and ``SHA256`` are one algorithm."""

from __future__ import annotations

import re

LENGTHS = {
    "md5": 32,
    "sha1": 40,
    "sha224": 56,
    "sha256": 64,
    "sha384": 96,
    "sha512": 128,
    "sha3-256": 64,
    "sha3-384": 96,
    "sha3-512": 128,
}
"""Hexadecimal digits of each algorithm that has a fixed number of them."""

STIX_NAMES = {
    "md5": "MD5",
    "sha1": "SHA-1",
    "sha256": "SHA-256",
    "sha512": "SHA-512",
    "sha3-256": "SHA3-256",
    "sha3-512": "SHA3-512",
    "ssdeep": "SSDEEP",
    "tlsh": "TLSH",
}
"""STIX 2.1 section 10.4 (hash-algorithm-ov) by the hub's names."""

_NOT_NAME = re.compile(r"[^a-z0-9]")
_SEPARATORS = re.compile(r"[:\s]")
_HEX = re.compile(r"[0-9a-f]+")
_SSDEEP = re.compile(r"[0-9]+:[A-Za-z0-9/+]*:[A-Za-z0-9/+]*")
_TLSH = re.compile(r"(?:T1)?([0-9A-F]{70})")
_PLAIN_NAMES = {"sha3256": "sha3-256", "sha3384": "sha3-384", "sha3512": "sha3-512", "sha2256": "sha256"}


def algorithm(name: str) -> str:
    """Return the hub's name of a hash algorithm, however the source spells it (``SHA-256``, ``sha_256``)."""
    plain = plain_name(name)
    if not plain:
        raise ValueError("a hash needs the name of its algorithm")
    return plain


def plain_name(name: str) -> str:
    """Return a name of an algorithm as the hub spells it; empty when there is none."""
    plain = _NOT_NAME.sub("", name.lower())
    return _PLAIN_NAMES.get(plain, plain)


def spelled(name: str) -> str:
    """Return a source's name of an algorithm as STIX 2.1 spells it; a name that STIX does not know stays."""
    return STIX_NAMES.get(plain_name(name), name)


def stix_name(name: str) -> str:
    """Return the name that STIX 2.1 gives to one of the hub's algorithms."""
    return STIX_NAMES.get(name, name.upper())


def digest(name: str, text: str) -> str:
    """Return a hash value in canonical form: lower-case hexadecimal without separators, or as its algorithm has it.

    Args:
        name: the algorithm in the hub's spelling.
        text: the value as written.

    Raises:
        ValueError: it cannot be a value of that algorithm.
    """
    text = text.strip()
    if name == "ssdeep":
        if not _SSDEEP.match(text):
            raise ValueError("not an ssdeep hash")
        return text
    if name == "tlsh":
        match = _TLSH.fullmatch(text.upper())
        if not match:
            raise ValueError("not a TLSH hash")
        return "T1" + match[1]
    plain = text.lower()
    if not _HEX.fullmatch(plain):
        plain = _SEPARATORS.sub("", plain).removeprefix("0x")
        if not _HEX.fullmatch(plain):
            raise ValueError(f"not a hexadecimal {name} hash")
    if len(plain) != LENGTHS.get(name, len(plain)):
        raise ValueError(f"a {name} hash has {LENGTHS[name]} digits, not {len(plain)}")
    return plain


def serial(text: str) -> str:
    """Return a certificate's serial number: lower-case hexadecimal without separators and leading zeros."""
    plain = _SEPARATORS.sub("", text).lower().removeprefix("0x")
    if not _HEX.fullmatch(plain):
        raise ValueError("not a serial number")
    return plain.lstrip("0") or "0"
