"""What connectors hand over: one item at a time, objects, values or events, or a note of what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field

from hub.model.audience import TLP
from hub.model.events import Event


@dataclass(frozen=True, slots=True)
class StixItem:
    """One STIX object as the source wrote it.

    Attributes:
        raw: its JSON bytes. place: where it was found, for people: ``week.json object 17``.
        stix20: whether the bundle around it says that it is STIX 2.0.
    """

    raw: bytes
    place: str
    stix20: bool = False


@dataclass(frozen=True, slots=True)
class IndicatorItem:
    """A value that a source calls bad, with what it said of it; the hub makes the indicator.

    Attributes:
        value: the value as the source spelled it (defanged, with port, …). hint: the source's word for its type, or "".
        place: where it was found, for people. raw: the line or record, for the quarantine.
        seen: when the source first saw it, microseconds UTC, or None. valid_until: or None.
        labels: the source's words (malware family, threat type). description: one sentence or "".
        confidence: 0-100 or None. references: URLs. marking: the source's own traffic light or None.
        kind: STIX indicator type (open vocabulary), ``malicious-activity`` unless the source says better.
    """

    value: str
    place: str
    hint: str = ""
    raw: bytes = b""
    seen: int | None = None
    valid_until: int | None = None
    labels: tuple[str, ...] = ()
    description: str = ""
    confidence: int | None = None
    references: tuple[str, ...] = ()
    marking: TLP | None = None
    kind: str = "malicious-activity"


@dataclass(frozen=True, slots=True)
class EventItem:
    """One sensor event; ``end`` is the byte offset behind it in its file, so that reading can go on there."""

    event: Event
    end: int = 0


@dataclass(frozen=True, slots=True)
class BadItem:
    """What could not be read, kept for a person: ``raw`` is cut to `KEPT` bytes."""

    raw: bytes
    reason: str
    message: str
    place: str = ""
    end: int = 0
    detail: dict[str, str] = field(default_factory=dict)


KEPT = 65536
"""Bytes of a refused item that are kept for a person to look at."""
