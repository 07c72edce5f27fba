"""Passwords as they are kept: argon2id hashes."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.errors import BadRequest

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024

_MEMORY = 19 * 1024
# OWASP's second choice for argon2id: 19 MiB, two passes. A sign-in costs some 35 ms and is then remembered.
_HASHER = PasswordHasher(time_cost=2, memory_cost=_MEMORY, parallelism=1)

DUMMY_HASH = f"$argon2id$v=19$m={_MEMORY},t=2,p=1${'A' * 22}${'A' * 43}"
"""Compared with when there is no such user, so that the answer takes as long; the hash of no known password."""


def password_fits(password_hash: str, password: str) -> bool:
    """Compare a password with a kept hash; costs some 35 ms whether it fits or not."""
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def hash_password(password: str) -> str:
    """Return what is kept of a password.

    Raises:
        BadRequest: it is too short or too long.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadRequest(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return _HASHER.hash(password)
