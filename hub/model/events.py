"""An event: one record from a sensor, reduced to what the hub works with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Event(NamedTuple):
    """One record from a sensor.

    Attributes:
        time: microseconds since the epoch, UTC.
        sensor: the name of the sensor that saw it.
        kind: what happened, in the hub's words: ``alert``, ``dns``, ``http``, ``tls``, ``file``, ``flow``,
            ``login-failed``, ``login-success``, ``honeypot-contact``, ``command``, ``other``.
        observables: canonical keys (`hub.model.observables.Observable.key`), without repeats.
        fields: the few named values that rules read: ``src``, ``dst`` (observable keys of addresses), ``src_port``,
            ``dst_port``, ``signature``, ``signature_id``, ``severity``, ``user``, ``session``, ``service``.
        raw: the record as the sensor wrote it, without its line end.
    """

    time: int
    sensor: str
    kind: str
    observables: tuple[str, ...]
    fields: Mapping[str, str | int]
    raw: bytes
