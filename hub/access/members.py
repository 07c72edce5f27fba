"""Who takes part, as it is kept: organisations, the sharing groups they are in, and their accounts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from hub.access.principal import CITY_ROLES, ROLES, Role
from hub.errors import BadRequest
from hub.model.audience import Reader

Kind = Literal["city", "department", "partner", "federal", "hub"]
"""``city`` runs this hub, ``department`` is a part of it, ``partner`` a business, ``federal`` an agency, ``hub``
another hub that pulls from this one."""

KINDS: tuple[Kind, ...] = get_args(Kind)
LONGEST_TITLE = 200

_USER_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


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

    def reader(self, *, analyst: bool) -> Reader:
        """Return on whose behalf its people read; ``analyst``: those of the city who may see what is confidential."""
        home = self.kind == "city"
        return Reader(self.name, frozenset(self.groups), home=home, analyst=home and analyst)

    def check(self) -> None:
        """Check what can be said of it alone.

        Raises:
            BadRequest: there is an impossible value.
        """
        _check_name(self.name, self.title, "organisation")
        if self.kind not in KINDS:
            raise BadRequest(f"there is no kind of organisation {self.kind}; there are {', '.join(KINDS)}")

    def told(self) -> dict[str, object]:
        """Return what the audit log tells of it."""
        return {"kind": self.kind, "groups": ",".join(self.groups), "disabled": self.disabled}


@dataclass(frozen=True, slots=True)
class Group:
    """A sharing group: something can be addressed to it, and a collection can be granted to it.

    Attributes:
        name: short name in audiences and grants. title: the name for people.
        sector: whether it is an economic sector; receipts count by sector. Which organisations are in a group is
            kept with them.
    """

    name: str
    title: str
    sector: bool = False

    def check(self) -> None:
        """Check what can be said of it alone.

        Raises:
            BadRequest: there is an impossible value.
        """
        _check_name(self.name, self.title, "sharing group")

    def told(self) -> dict[str, object]:
        """Return what the audit log tells of it."""
        return {"title": self.title, "sector": self.sector}


@dataclass(frozen=True, slots=True)
class User:
    """An account. Without ``password_hash`` it can only use tokens; ``disabled`` shuts out both."""

    name: str
    organisation: str
    role: Role
    password_hash: str | None = None
    disabled: bool = False

    def check(self, organisation: Organisation) -> None:
        """Check it as an account of an organisation.

        Raises:
            BadRequest: there is an impossible value, or only the city's own people can have the role.
        """
        if not _USER_NAME.fullmatch(self.name):
            raise BadRequest(f"{self.name!r} is no user name: a-z, 0-9 and . _ @ + - up to 128 characters")
        if self.role not in ROLES:
            raise BadRequest(f"there is no role {self.role}; there are {', '.join(ROLES)}")
        if self.role in CITY_ROLES and organisation.kind != "city":
            raise BadRequest(f"role {self.role} is for the city's own people; use partner or liaison")

    def told(self) -> dict[str, object]:
        """Return what the audit log tells of it: never the hash."""
        return {"organisation": self.organisation, "role": self.role, "disabled": self.disabled}


def _check_name(name: str, title: str, what: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadRequest(f"{name!r} is no name for a {what}: a-z, 0-9, dot, dash, underscore, up to 64 characters")
    if not 0 < len(title) <= LONGEST_TITLE or not title.isprintable():
        raise BadRequest(f"the title of a {what} has 1 to {LONGEST_TITLE} characters on one line")
