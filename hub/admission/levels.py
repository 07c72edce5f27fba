"""What the markings of incoming objects restrict: fixed ids, definitions stored before, definitions that came along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from hub.model.audience import PAP, TLP
from hub.model.markings import PAP_IDS, STATEMENT_IDS, TLP1_IDS, TLP_IDS, definition_level, markings_of
from hub.store.ports import HUB, Store

Level = tuple[TLP | None, PAP | None]

_TLP1_WORDS = {TLP.CLEAR: "white", TLP.GREEN: "green", TLP.AMBER: "amber", TLP.RED: "red"}
_FIXED: dict[str, Level] = {
    **{id: (tlp, None) for id, tlp in TLP_IDS.items()},
    **{id: (None, pap) for id, pap in PAP_IDS.items()},
    **dict.fromkeys(STATEMENT_IDS, (None, None)),
}


class Levels:
    """Levels of marking ids. Definitions never change once stored, so what was read is remembered.

    Args:
        store: where definitions are. home: the city's organisation.
    """

    def __init__(self, store: Store, home: str) -> None:
        self._store = store
        self._home = home
        self._stored: dict[str, tuple[str, Level]] = {}

    def of(
        self, objects: Iterable[Mapping[str, Any]], here: Iterable[Mapping[str, Any]], organisation: str
    ) -> dict[str, Level]:
        """Return the level of every marking that the objects of an organisation refer to.

        Of a definition that is stored and another that came along in ``here`` the tighter holds, so that nobody loosens
        the marking of another by sending a definition before or after him. What another member defined does not count
        alone; what the city or a feed defined does. A marking without a definition that counts is ``TLP.UNKNOWN``.
        """
        named = {id for obj in objects for id in markings_of(obj)}
        found: dict[str, Level] = {id: _FIXED[id] for id in named if id in _FIXED}
        wanted = named - found.keys() - self._stored.keys()
        if wanted:
            for id, change in self._store.get(HUB, wanted).items():
                maker = change.audience.owner if change.source.startswith("user:") else self._home
                self._stored[id] = maker, definition_level(orjson.loads(change.body))
        came = {obj["id"]: obj for obj in here}
        for id in named - found.keys():
            levels = [definition_level(came[id])] if id in came else []
            if id in self._stored:
                maker, level = self._stored[id]
                if levels or maker in (self._home, organisation):
                    levels.append(level)
            found[id] = tightest(levels) if levels else (TLP.UNKNOWN, None)
        return found


def tightest(levels: Iterable[Level]) -> Level:
    """Return the strictest traffic light and the strictest permissible action of several markings."""
    tlp: TLP | None = None
    pap: PAP | None = None
    for light, action in levels:
        tlp = light if tlp is None else max(tlp, light if light is not None else tlp)
        pap = action if pap is None else max(pap, action if action is not None else pap)
    return tlp, pap


def is_false_copy(obj: Mapping[str, Any]) -> bool:
    """Say whether a marking-definition has a well-known id but not its definition (STIX 2.1 section 7.2.1.4)."""
    id = obj["id"]
    if id in TLP1_IDS:
        return bool(obj.get("definition") != {"tlp": _TLP1_WORDS[TLP1_IDS[id]]})
    return id in _FIXED and id not in STATEMENT_IDS and definition_level({**obj, "id": None}) != _FIXED[id]
