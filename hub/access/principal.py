"""Who is asking: one value for every way of signing in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hub.model.audience import Reader

Role = Literal["analyst", "partner", "liaison", "administrator"]
"""``partner`` pulls, ``liaison`` pulls and hands in, ``analyst`` works in the city, ``administrator`` runs the hub."""

Right = Literal["read", "write"]

ALL_RIGHTS: frozenset[Right] = frozenset(("read", "write"))


@dataclass(frozen=True, slots=True)
class Principal:
    """An account that has proved who it is.

    Attributes:
        user: name of the account. organisation: name of its organisation. role: what it is for.
        reader: on whose behalf it reads; goes into every store query.
        rights: what this sign-in may do at all; a token can be narrower than its account.
        token: id of the API token that was used, or None for a password.
        identity: STIX identity id of the organisation, if it has one.
    """

    user: str
    organisation: str
    role: Role
    reader: Reader
    rights: frozenset[Right] = ALL_RIGHTS
    token: str | None = None
    identity: str | None = None
