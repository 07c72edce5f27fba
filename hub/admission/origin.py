"""On whose account something comes in: what admission must know of a source."""

from __future__ import annotations

from dataclasses import dataclass

from hub.model.audience import TLP, Reader


@dataclass(frozen=True, slots=True)
class Origin:
    """A source as the hub knows it, whatever its objects claim.

    Attributes:
        source: by account and not by claim: ``feed:ipsum``, ``user:maria``, ``hub:correlate``.
        organisation: whose data it becomes. collections: which carry it.
        marking: traffic light of objects that name none. groups: whom it is addressed to.
        trust: 0-100. created_by: the identity it speaks for, put into what the hub makes of its values; None is any,
            recorded as claimed.
        keep_2_0: whether STIX 2.0 objects are stored as written too, beside the upgraded ones.
        redistribute: whether the source's terms let the hub pass it on; if not, only the city sees it.
        reader: who wrote it, so what he may have known from the hub; None is any member of the organisation.
    """

    source: str
    organisation: str
    collections: tuple[str, ...]
    marking: TLP = TLP.GREEN
    groups: tuple[str, ...] = ()
    trust: int = 50
    created_by: str | None = None
    keep_2_0: bool = False
    redistribute: bool = True
    reader: Reader | None = None
