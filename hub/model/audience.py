"""Who may see something: audiences, readers, and the one decision between them.

An `Audience` belongs to a stored object, a `Reader` to an account. `may` is the only place that decides. Stores do not
repeat its rules: they keep the distinct audiences (few) and ask `may` once for each, so the store query and the
decision cannot differ.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal


class TLP(enum.IntEnum):
    """Traffic Light Protocol 2.0 levels in rising strictness (FIRST, TLP 2.0). UNKNOWN is the tightest."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4
    UNKNOWN = 5


class PAP(enum.IntEnum):
    """Permissible Actions Protocol levels in rising strictness; RED allows no detectable action."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    RED = 3


Purpose = Literal["read", "block"]
"""``read``: look at it, search it, pull it. ``block``: put it into a list that a firewall obeys."""


@dataclass(frozen=True, slots=True, order=True)
class Audience:
    """For whom an object is.

    Attributes:
        owner: the organisation whose data it is.
        tlp: the tightest traffic light of its markings.
        pap: the tightest permissible action of its markings.
        groups: organisations and sharing groups that it was addressed to, sorted.
    """

    owner: str
    tlp: TLP = TLP.GREEN
    pap: PAP = PAP.CLEAR
    groups: tuple[str, ...] = ()

    @classmethod
    def farewell_to(cls, organisation: str) -> Audience:
        """Return the audience of what one organisation is told last of an object that it may see no more.

        It has no owner, and neither the city nor the hub itself sees it: to everybody else the object is as it was.
        """
        return cls("", TLP.UNKNOWN, PAP.RED, (organisation,))

    @property
    def is_farewell(self) -> bool:
        """Whether it is that of a farewell."""
        return not self.owner

    @property
    def label(self) -> str:
        """One text per distinct audience: its identity in a store."""
        return f"{self.owner}|{self.tlp.name}|{self.pap.name}|{','.join(self.groups)}"

    @classmethod
    def from_label(cls, label: str) -> Audience:
        """Read what `label` wrote."""
        owner, tlp, pap, groups = label.split("|")
        return cls(owner, TLP[tlp], PAP[pap], tuple(groups.split(",")) if groups else ())

    def at_least(self, tlp: TLP) -> Audience:
        """Return this audience with a traffic light that is no looser than another."""
        return self if self.tlp >= tlp else Audience(self.owner, tlp, self.pap, self.groups)

    def narrowed(self, other: Audience) -> Audience:
        """Return this audience without those who may not see what is for ``other``; its owner stays in it.

        Groups are compared by name: a member of a group that is addressed by its own name in the other audience is left
        out, rather than the hub relying on who is in the group just now.
        """
        if other.tlp <= TLP.GREEN:
            return self
        others = {other.owner, *other.groups}
        groups = others if self.tlp <= TLP.GREEN else others.intersection(self.groups)
        return Audience(self.owner, max(self.tlp, other.tlp), self.pap, tuple(sorted(groups - {self.owner})))


@dataclass(frozen=True, slots=True)
class Reader:
    """On whose behalf something is read.

    Attributes:
        organisation: the account's organisation.
        groups: sharing groups that the organisation is in.
        home: whether that organisation is the city that runs this hub.
        analyst: whether the account may see what was sent to the city in confidence (TLP:RED).
    """

    organisation: str
    groups: frozenset[str] = frozenset()
    home: bool = False
    analyst: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether, and why, in words for a person."""

    allowed: bool
    reason: str


def may(reader: Reader, audience: Audience, purpose: Purpose = "read") -> Decision:
    """Decide whether a reader may have an object of this audience for this purpose.

    The rules are those of TLP 2.0 with this hub as the place of exchange: CLEAR and GREEN for every account of the
    hub, AMBER and AMBER+STRICT for the owner, those it was addressed to and the city, RED and unknown markings for
    the owner, those it was addressed to and the city's analysts.
    """
    if audience.is_farewell:
        told = reader.organisation in audience.groups and purpose == "read"
        return Decision(told, "it is the last that one organisation is told of an object that it may see no more")
    if purpose == "block" and audience.pap >= PAP.AMBER:
        return Decision(False, f"PAP:{audience.pap.name} allows no action that the attacker can notice")
    if audience.tlp <= TLP.GREEN:
        return Decision(True, f"TLP:{audience.tlp.name} is for every member of the hub")
    if reader.organisation == audience.owner:
        return Decision(True, "it belongs to the reader's own organisation")
    if reader.organisation in audience.groups or not reader.groups.isdisjoint(audience.groups):
        return Decision(True, "it was addressed to the reader's organisation or group")
    name = audience.tlp.name.replace("_", "+")
    if audience.tlp <= TLP.AMBER_STRICT:
        if reader.home:
            return Decision(True, f"TLP:{name} was entrusted to the city that runs this hub")
        return Decision(False, f"TLP:{name} is for its owner, the city and those it was addressed to")
    if reader.home and reader.analyst:
        return Decision(True, f"TLP:{name} was entrusted to the city's analysts")
    return Decision(False, f"TLP:{name} is for its owner, the city's analysts and those it was addressed to")
