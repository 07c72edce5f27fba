"""Checking a password: remembered for minutes when it was right, slow to guess, bounded in what it costs.

A password that fitted is remembered as a keyed digest that never leaves this process, bound to the network it came
from, so that argon2 does not run for every poll of a Basic client; any change of the user makes the memory void. A
wrong one is remembered too, apart, so that a poller with an old password costs nothing and a flood of guesses pushes
nobody's login out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass

from hub.access.client_address import network_of
from hub.access.guesses import Attempt, Guesses
from hub.access.hashing import DUMMY_HASH, password_fits
from hub.access.turns import Turns
from hub.errors import TooManyRequests

REMEMBERED = 300.0
"""Seconds that a checked password is remembered."""

_MOST_RIGHT = 10_000
_MOST_WRONG = 2_000
_STRIPES = 64


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password fits, and the seconds of the lock of its account and network that began with it, or 0."""

    fits: bool
    locked: int = 0


class Passwords:
    """Checks passwords of any name, whether there is such an account or not, at the same cost.

    Args:
        guesses: the counts that all server processes share; by default this process has its own.
    """

    def __init__(self, guesses: Guesses | None = None) -> None:
        self._guesses = guesses or Guesses()
        self._turns = Turns()
        self._key = secrets.token_bytes(32)
        self._right = _Memory(_MOST_RIGHT)
        self._wrong = _Memory(_MOST_WRONG)
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    def check(self, name: str, where: str, password: str, kept: str | None, version: int) -> Verdict:
        """Check a password.

        Args:
            name: whose it is said to be. where: address of the client. password: the guess.
            kept: hash of the account's password; None if there is no such account or it has none.
            version: of the account, 0 for none; what was remembered of another version does not count.

        Raises:
            TooManyRequests: after too many wrong guesses, or when too many passwords are being checked.
        """
        attempt = self._guesses.attempt(name, where, password)
        text = f"{name}\0{password}\0{network_of(where)}"
        digest = hmac.digest(self._key, text.encode(errors="surrogatepass"), hashlib.sha256)
        self._refuse_locked(attempt)
        if self._right.holds(digest, version):
            return Verdict(True)
        with self._turns.after(
            self._stripes[digest[0] % _STRIPES]
        ):  # many connections of one client: argon2 runs for the first
            if self._right.holds(digest, version):
                return Verdict(True)
            if self._wrong.holds(digest, version):
                return Verdict(False, self._guesses.wrong(attempt))
            with self._turns.turn(known=self._guesses.known(attempt)):
                self._refuse_locked(attempt)  # somebody else's guess may have been the last one free
                fits = password_fits(kept or DUMMY_HASH, password) and kept is not None
                if not fits:
                    self._wrong.keep(digest, version)
                    return Verdict(False, self._guesses.wrong(attempt))
            self._right.keep(digest, version)
            self._guesses.right(attempt)
            return Verdict(True)

    def _refuse_locked(self, attempt: Attempt) -> None:
        if seconds := self._guesses.wait(attempt):
            raise TooManyRequests(
                f"too many wrong passwords: try again in {seconds} s, use a token, or ask the operator to unlock",
                retry_after=seconds,
            )


class _Memory:
    """Digests with the version of the account that they belong to; the oldest is forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[bytes, tuple[int, float]] = {}
        self._turn = threading.Lock()

    def holds(self, digest: bytes, version: int) -> bool:
        known, until = self._kept.get(digest, (-1, 0.0))
        return known == version and until > time.monotonic()

    def keep(self, digest: bytes, version: int) -> None:
        with self._turn:
            self._kept.pop(digest, None)
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[digest] = version, time.monotonic() + REMEMBERED
