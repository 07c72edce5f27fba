"""On whose behalf the hub speaks when it says what it saw, and what it knows of a sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from hub.model.audience import TLP
from hub.model.markings import MARKING_ID
from hub.model.times import format_timestamp

SOURCE = "hub:correlate"
"""The source that everything made by correlation is stored under."""


@dataclass(frozen=True, slots=True)
class City:
    """The organisation that runs this hub.

    Attributes:
        organisation: its key. name: its name for people. identity: the id of its STIX identity.
        marking: default marking of what it finds out.
    """

    organisation: str
    name: str
    identity: str
    marking: TLP = TLP.GREEN

    def identity_object(self) -> dict[str, Any]:
        """Make the STIX identity; always the same, so that storing it again changes nothing."""
        start = format_timestamp(1_735_689_600_000_000, 3)
        return {
            "type": "identity",
            "spec_version": "2.1",
            "id": self.identity,
            "created": start,
            "modified": start,
            "name": self.name,
            "identity_class": "organization",
            "sectors": ["government-local"],
            "object_marking_refs": [MARKING_ID[TLP.CLEAR]],
        }


class Sensor(Protocol):
    """What correlation knows of a declared sensor (`connectors.sensors.declaration`)."""

    @property
    def name(self) -> str:
        """What its events are filed under."""
        ...

    @property
    def role(self) -> str:
        """Where it stands; at a ``honeypot`` nobody has honest business."""
        ...
