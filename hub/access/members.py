"""Who takes part, as it is kept: organisations and their accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from hub.access.principal import Role

Kind = Literal["city", "department", "partner", "federal", "hub"]
"""``city`` runs this hub, ``department`` is a part of it, ``partner`` a business, ``federal`` an agency, ``hub``
another hub that pulls from this one."""

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A member of the hub.

    Attributes:
        name: short name, the owner in audiences. title: the name for people.
        kind: ``city`` is the one that runs this hub; exactly one has it.
        groups: sharing groups it is in. identity: its STIX identity id, or None.
        disabled: shuts out all its accounts; what it contributed stays.
    """

    name: str
    title: str
    kind: Kind = "partner"
    groups: tuple[str, ...] = ()
    identity: str | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """An account. Without ``password_hash`` it can only use tokens; ``disabled`` shuts out both."""

    name: str
    organisation: str
    role: Role
    password_hash: str | None = None
    disabled: bool = False
