"""Guessing passwords made slow, without shutting out those whose passwords are guessed.

What counts is a *different* wrong password: a poller that sends the same old one for a week has guessed once. There are
three counts, each with some guesses free and then a delay that doubles with every further one:

- of an account from one network: the lock that `SignIn` answers even the right password with, for that network only;
- of a network over all accounts, and of an account over all networks: they slow strangers down and spare every network
  that the account has signed in from before.

No count knows whether an account exists. Nothing is written on the way of a login that is remembered, and nothing at
all goes into the store: the counts lie in a `SharedTable`. Of a guess, two bytes of a keyed digest are kept for a day:
enough to tell guesses apart, too little to find a mistyped password by.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from ipaddress import IPv6Address, ip_network
from pathlib import Path
from typing import NamedTuple

from hub.access.client_address import network_of
from hub.access.shared_table import SharedTable, Values
from hub.model import times

FILE_NAME = "guesses-1.table"
"""Its file in the data folder; the number changes with the layout."""

FORGOTTEN = 86_400
"""Seconds after the last wrong guess when a count begins anew."""

KNOWN = 90 * 86_400
"""Seconds for which a network counts as one that the account signs in from."""

_MARK = 2
_MARKS = 8
# network, guesses, when the last, locked until, when it last signed in from there, marks of the last guesses
_RECORD = struct.Struct(f"<16sIIII{_MARK * _MARKS}s")
_NO_MARKS = bytes(_MARK * _MARKS)
_NOWHERE = bytes(16)


@dataclass(frozen=True, slots=True)
class Rule:
    """How many different wrong guesses are free, and the delay after them, in seconds: the first and the longest."""

    free: int
    first: int
    longest: int

    def delay(self, guesses: int) -> int:
        """Return the seconds to wait after so many guesses."""
        over = guesses - self.free
        return 0 if over <= 0 else min(self.first << min(over - 1, 16), self.longest)


PAIR = Rule(8, 10, 3600)
NETWORK = Rule(100, 5, 900)
ACCOUNT = Rule(500, 1, 60)


class Attempt(NamedTuple):
    """One sign-in with a password: digests of account and network, the network itself, a mark of the password."""

    account: bytes
    network: bytes
    packed: bytes
    mark: bytes

    @property
    def pair(self) -> bytes:
        """Key of the account's count from this network."""
        return self.account + self.network


@dataclass(frozen=True, slots=True)
class Seen:
    """What is kept of an account and one network (empty: all together).

    Attributes:
        network: address or /64. guesses: different wrong passwords. last: when, microseconds.
        locked: seconds that a lock still lasts. known: whether the account has signed in from there.
    """

    network: str
    guesses: int
    last: int
    locked: int
    known: bool


class Guesses:
    """The counts of a hub, shared by its server processes.

    Args:
        folder: that the table lies in; None keeps it in this process. clock: seconds since the epoch.

    Raises:
        NoSuchFile: the table cannot be made in that folder.
    """

    def __init__(self, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._table = SharedTable(None if folder is None else folder / FILE_NAME, _RECORD, self._worth)

    def attempt(self, name: str, where: str, password: str) -> Attempt:
        """Return what is counted of a sign-in by the client at the address ``where``."""
        network, digest = network_of(where), self._table.digest
        account = digest(name, 8)
        return Attempt(account, digest(network, 8), _packed(network), digest(f"{name}\0{password}", _MARK))

    def wait(self, attempt: Attempt) -> int:
        """Return the seconds to wait before this account may be tried from this network again; 0 for none."""
        now = int(self._clock())
        pair = self._table.read(attempt.pair)
        if pair is None or not _is_known(pair, now):
            return max(_left(self._table.read(key), now, rule) for key, rule in self._counted(attempt))
        return _left(pair, now, PAIR)

    def known(self, attempt: Attempt) -> bool:
        """Say whether the account has signed in from this network before."""
        pair = self._table.read(attempt.pair)
        return pair is not None and _is_known(pair, int(self._clock()))

    def wrong(self, attempt: Attempt) -> int:
        """Count a wrong password; return the seconds of the lock of account and network that begins with it, or 0."""
        pair = self._table.read(attempt.pair)
        now = int(self._clock())
        if pair is not None and _fresh(pair, now) and attempt.mark in _marks(pair):
            return 0
        locked = 0
        for key, rule in self._counted(attempt):
            network = attempt.packed if rule is not ACCOUNT else _NOWHERE
            more = partial(_more, rule=rule, network=network, mark=attempt.mark, now=now)
            values = self._table.change(key, more)
            if rule is PAIR:
                locked = _left(values, now, PAIR)
        return locked

    def right(self, attempt: Attempt) -> None:
        """Note that the account signed in from this network; what was guessed from there still counts."""
        now = int(self._clock())

        def noted(old: Values | None) -> Values:
            _, guesses, last, until, _, marks = old or (b"", 0, 0, 0, 0, _NO_MARKS)
            return attempt.packed, guesses, last, until, now, marks

        self._table.change(attempt.pair, noted)

    def of(self, name: str) -> list[Seen]:
        """Return what is kept of an account: all networks together first, then each, by the time of its last guess."""
        now, account = int(self._clock()), self._table.digest(name, 8)
        found = []
        for key, values in self._table.records():
            if key[:8] == account and (_fresh(values, now) or _is_known(values, now)):
                rule = ACCOUNT if key[8:] == _all() else PAIR
                left, guesses = _left(values, now, rule), values[1] if _fresh(values, now) else 0
                found.append(Seen(_text(values[0]), guesses, values[2] * times.SECOND, left, _is_known(values, now)))
        return sorted(found, key=lambda one: (one.network != "", -one.last))

    def unlock(self, name: str) -> int:
        """Forget every wrong guess at an account; return how many were known. Its known networks stay known."""
        account, forgotten = self._table.digest(name, 8), 0
        for key, values in list(self._table.records()):
            if key[:8] == account:
                forgotten += 0 if key[8:] == _all() else values[1]
                if values[4]:
                    self._table.change(key, _none)
                else:
                    self._table.remove(key)
        return forgotten

    def close(self) -> None:
        """Give the table back."""
        self._table.close()

    def _counted(self, attempt: Attempt) -> tuple[tuple[bytes, Rule], ...]:
        return (attempt.pair, PAIR), (_all() + attempt.network, NETWORK), (attempt.account + _all(), ACCOUNT)

    def _worth(self, values: Values) -> tuple[bool, bool, int, int]:
        now = int(self._clock())
        return values[3] > now, _is_known(values, now), values[1], values[2]


def _all() -> bytes:
    return bytes(8)


def _none(old: Values | None) -> Values:
    network, _, _, _, known, _ = old or (_NOWHERE, 0, 0, 0, 0, _NO_MARKS)
    return network, 0, 0, 0, known, _NO_MARKS


def _more(old: Values | None, *, rule: Rule, network: bytes, mark: bytes, now: int) -> Values:
    _, guesses, last, _, known, marks = old or (b"", 0, 0, 0, 0, _NO_MARKS)
    if now - last > FORGOTTEN:
        guesses, marks = 0, _NO_MARKS
    guesses += 1
    return network, guesses, now, now + rule.delay(guesses), known, (mark + marks)[: _MARK * _MARKS]


def _left(values: Values | None, now: int, rule: Rule) -> int:
    # A clock that was set back must not lock for longer than the rule says.
    return 0 if values is None else min(max(values[3] - now, 0), rule.longest)


def _marks(values: Values) -> list[bytes]:
    return [values[5][at : at + _MARK] for at in range(0, min(values[1], _MARKS) * _MARK, _MARK)]


def _fresh(values: Values, now: int) -> bool:
    guesses, last = int(values[1]), int(values[2])
    return guesses > 0 and now - last <= FORGOTTEN


def _is_known(values: Values, now: int) -> bool:
    since = int(values[4])
    return since > 0 and now - since <= KNOWN


@lru_cache(4096)
def _packed(network: str) -> bytes:
    try:
        address = ip_network(network).network_address
    except ValueError:
        return _NOWHERE
    return (address if isinstance(address, IPv6Address) else IPv6Address(f"::ffff:{address}")).packed


def _text(packed: bytes) -> str:
    address = IPv6Address(packed)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return network_of(str(address)) if packed != _NOWHERE else ""
