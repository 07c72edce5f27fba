"""Who is asking: one value for every way of signing in, and the one table of what each role is able to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from hub.errors import NotAllowed
from hub.model.audience import Reader

Role = Literal["partner", "liaison", "analyst", "senior-analyst", "administrator"]
"""``partner`` pulls, ``liaison`` pulls and hands in, ``analyst`` works in the city, ``senior-analyst`` is its second
pair of eyes, ``administrator`` runs the hub. Collections grant to roles; what no collection grants is an `Ability`."""

Right = Literal["read", "write"]

Ability = Literal["confidential", "review"]
"""``confidential``: see what was sent to the city in confidence (TLP:RED). ``review``: decide on what others handed in:
publish, withdraw and replace advisories of other organisations, loosen a marking with a reason."""

ROLES: tuple[Role, ...] = get_args(Role)
RIGHTS: tuple[Right, ...] = get_args(Right)
ALL_RIGHTS: frozenset[Right] = frozenset(RIGHTS)

_ABILITIES: Mapping[Role, frozenset[Ability]] = {
    "partner": frozenset(),
    "liaison": frozenset(),
    "analyst": frozenset({"confidential"}),
    "senior-analyst": frozenset({"confidential", "review"}),
    "administrator": frozenset({"confidential", "review"}),
}

CITY_ROLES: frozenset[Role] = frozenset(role for role, able in _ABILITIES.items() if able)
"""Roles that only the city's own people can have."""


def is_able(role: Role, ability: Ability) -> bool:
    """Say whether accounts of a role are able to do something."""
    return ability in _ABILITIES[role]


def roles_held(role: Role) -> frozenset[Role]:
    """Return the roles that an account of this role stands for wherever something is granted to a role."""
    return frozenset((role, "analyst") if role == "senior-analyst" else (role,))


@dataclass(frozen=True, slots=True)
class Principal:
    """An account that has proved who it is.

    Attributes:
        user: name of the account. organisation: name of its organisation. role: what it is for.
        reader: on whose behalf it reads; goes into every store query.
        rights: what this sign-in may do at all; a token can be narrower than its account.
        token: id of the API token that was used, or None for a password.
        identity: STIX identity id of the organisation, if it has one.
        collections: keys of the only collections that this sign-in is for; None is all of the account's.
    """

    user: str
    organisation: str
    role: Role
    reader: Reader
    rights: frozenset[Right] = ALL_RIGHTS
    token: str | None = None
    identity: str | None = None
    collections: frozenset[str] | None = None

    def is_for(self, collection: str) -> bool:
        """Say whether this sign-in is for a collection; whether the account may use it is another question."""
        return self.collections is None or collection in self.collections

    def can(self, ability: Ability) -> bool:
        """Say whether it is able to do what no collection grants: by its role, and with no narrower token."""
        return is_able(self.role, ability) and not self._narrow

    def must_be_able(self, ability: Ability) -> None:
        """Check the account's role before something that no collection grants.

        Raises:
            NotAllowed: the role is not able to, or the token is narrower than its account.
        """
        if not is_able(self.role, ability):
            roles = " or ".join(role for role in ROLES if is_able(role, ability))
            raise NotAllowed(f"{self.user} may not do this: it is for accounts with the role {roles}")
        self.must_be_whole()

    def must_be_whole(self) -> None:
        """Check that this sign-in may do all that its account may, before something that belongs to no collection.

        Raises:
            NotAllowed: the token is narrower than its account.
        """
        if self._narrow:
            raise NotAllowed(f"the token {self.token} is for a part of what {self.user} may do: sign in with another")

    @property
    def _narrow(self) -> bool:
        return self.collections is not None or self.rights != ALL_RIGHTS
