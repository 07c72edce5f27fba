"""The compact in-memory index: which stored keys could an observable fall under.

It answers "perhaps" or "surely not"; `hub.correlate.matching` confirms every "perhaps" in the store. A key is held as
its 64-bit hash (an int in a set, some 66 bytes whatever the key's length), networks as numbers by prefix length, so
that only lengths that occur are probed. Keys are never taken out: what was revoked is found out by the confirmation.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from socket import inet_aton
from typing import Final

from hub.model.observables import Observable, ancestors
from hub.store.ports import Store

PAGE: Final = 20_000
"""Keys read from the store at a time."""

REMEMBERED: Final = 200_000
"""Observables known to fall under nothing."""

_BITS: Final = {"ipv4-addr": 32, "ipv6-addr": 128}
_NAME: Final = "domain-name:"


class KeySet:
    """A set of canonical keys that knows which of them are broader than a given observable."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._hashes: set[int] = set()
        self._networks: dict[str, dict[int, set[int]]] = {kind: {} for kind in _BITS}
        self._names = False
        self._clear: set[str] = set()
        self.add(keys)

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, key: str) -> bool:
        return hash(key) in self._hashes

    def add(self, keys: Iterable[str]) -> None:
        """Take in canonical keys; those that are there already change nothing."""
        hashes = self._hashes
        self._clear.clear()
        for key in keys:
            hashes.add(hash(key))
            if key.startswith("ip") and "/" in key:
                kind, _, text = key.partition(":")
                network = ip_network(text)
                self._networks[kind].setdefault(network.prefixlen, set()).add(int(network.network_address))
            elif key.startswith(_NAME):
                self._names = True

    def covers(self, key: str) -> tuple[str, ...]:
        """Return the keys of this set that the observable ``key`` falls under: itself, then broader ones.

        A name falls under its parent domains, an address under its networks, a URL under its prefixes and its host,
        a mail address under its domain.
        """
        found = [key] if hash(key) in self._hashes else []
        kind, _, value = key.partition(":")
        if kind in _BITS:
            found += self._networks_over(kind, value)
        elif kind == "domain-name":
            if self._names and self._may_have_parent(value):
                found += self._broader(key)
        elif kind == "email-addr" or (kind == "url" and self._may_be_under(key)):
            found += self._broader(key)
        return tuple(found)

    def covered(self, keys: set[str]) -> dict[str, tuple[str, ...]]:
        """Return those of the observables ``keys`` that fall under something, with what they fall under.

        Logs repeat themselves: what fell under nothing is remembered until the set grows.
        """
        fresh = keys - self._clear
        covers = self.covers
        found = {key: over for key in fresh if (over := covers(key))}
        if len(self._clear) + len(fresh) > REMEMBERED:
            self._clear.clear()
        self._clear |= fresh.difference(found)
        return found

    def _may_have_parent(self, name: str) -> bool:
        """Probe every ending of a name: cheap; says yes to public suffixes too, which `ancestors` leaves out."""
        hashes = self._hashes
        dot = name.find(".")
        while dot >= 0:
            if hash(_NAME + name[dot + 1 :]) in hashes:
                return True
            dot = name.find(".", dot + 1)
        return False

    def _may_be_under(self, url: str) -> bool:
        """Probe every cut of a URL's key and its host; says yes too often, never too rarely."""
        hashes = self._hashes
        begin = url.find("://") + 3
        end = url.find("/", begin)
        if begin < 3 or end < 0:
            return True
        cut = end
        while cut >= 0:
            if hash(url[:cut]) in hashes or hash(url[: cut + 1]) in hashes:
                return True
            cut = url.find("/", cut + 1)
        for sign in "?#":
            cut = url.find(sign, end)
            if cut >= 0 and hash(url[:cut]) in hashes:
                return True
        host = url[begin:end].rpartition("@")[2]
        if host[-1:].isdigit() or host.endswith("]"):
            return True
        return hash(_NAME + host) in hashes or (self._names and self._may_have_parent(host))

    def _broader(self, key: str) -> list[str]:
        hashes = self._hashes
        return [over for each in ancestors(Observable.from_key(key)) if hash(over := each.key) in hashes]

    def _networks_over(self, kind: str, value: str) -> list[str]:
        by_length = self._networks[kind]
        if not by_length:
            return []
        bits = _BITS[kind]
        address, _, length = value.partition("/")
        packed = inet_aton(address) if bits == 32 else ip_address(address).packed
        number = int.from_bytes(packed, "big")
        shortest = int(length) if length else bits
        found = []
        for prefix, networks in sorted(by_length.items(), reverse=True):
            if prefix < shortest:
                base = number >> (bits - prefix) << (bits - prefix)
                if base in networks:
                    start = ".".join(map(str, base.to_bytes(4, "big"))) if bits == 32 else None
                    found.append(f"{kind}:{start or _ipv6(base)}/{prefix}")
        return found


def _ipv6(number: int) -> str:
    return str(ip_address(number.to_bytes(16, "big")))


class MatchIndex(KeySet):
    """All keys that an event can hit, kept fresh from the change log.

    Attributes:
        position: position in the change log up to which it is complete.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self.position = 0

    def refresh(self) -> int:
        """Take in what became matchable since the last call; return how many keys were read."""
        read = 0
        while page := self._store.match_keys(self.position, PAGE):
            self.add(key for _, key in page)
            self.position = page[-1][0]
            read += len(page)
        return read
