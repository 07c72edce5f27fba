"""What the markings of incoming objects restrict: fixed ids, definitions stored before, definitions that came along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from hub.model.audience import PAP, TLP
from hub.model.markings import PAP_IDS, STATEMENT_IDS, TLP1_IDS, TLP_IDS, definition_level, markings_of
from hub.store.ports import HUB, Store

Level = tuple[TLP | None, PAP | None]

_UNKNOWN: Level = (TLP.UNKNOWN, None)
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
        self._learn(named)
        came: dict[str, Level] = {}
        for obj in here:
            came[obj["id"]] = tightest((definition_level(obj), came.get(obj["id"], (None, None))))
        return {id: self._level(id, came, organisation)[0] for id in named}

    def told(self, obj: Mapping[str, Any], organisation: str) -> dict[str, tuple[Level, str]]:
        """Return the level of every marking on an organisation's object as it stands now, and where it is from."""
        named = markings_of(obj)
        self._learn(named)
        return {id: self._level(id, {}, organisation) for id in sorted(named)}

    def _learn(self, named: Iterable[str]) -> None:
        wanted = set(named) - _FIXED.keys() - self._stored.keys()
        if wanted:
            for id, change in self._store.get(HUB, wanted).items():
                maker = change.audience.owner if change.source.startswith("user:") else self._home
                self._stored[id] = maker, definition_level(orjson.loads(change.body))

    def _level(self, id: str, came: Mapping[str, Level], organisation: str) -> tuple[Level, str]:
        if id in _FIXED:
            return _FIXED[id], "well known"
        maker, stored = self._stored.get(id, (None, None))
        if stored is None:
            return (came[id], "defined by what came along") if id in came else (_UNKNOWN, "not defined: the tightest")
        if id in came:
            return tightest((came[id], stored)), f"the tighter of what {maker} defined and of what came along"
        if maker in (self._home, organisation):
            return stored, f"defined by {maker}"
        return _UNKNOWN, f"defined by {maker}, who does not define for others: the tightest"


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
