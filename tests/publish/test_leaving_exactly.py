"""Objects come, change, shrink, end and go while members join and leave: every poller ends with exactly its own.

Nobody is ever served anything, revoked or not, that he could not see at some time; what he had and may have no more he
holds revoked, with the properties that he knew; and all else he holds as it is now.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hub.admission.gate import Origin
from hub.model import times
from hub.model.audience import TLP
from hub.model.items import StixItem
from hub.model.markings import MARKING_ID
from hub.model.times import format_timestamp
from tests.publish.parts import indicator, next_version, work
from tests.publish.served import Poller, Served
from tests.publish.test_over_taxii import delete

HOME = {"wes": "water", "pat": "power", "ben": "bank", "lea": "fed", "ana": "city", "sam": "state"}
AUDIENCES = (
    (TLP.GREEN, ()),
    (TLP.AMBER, ()),
    (TLP.AMBER, ("utilities",)),
    (TLP.AMBER, ("bank",)),
    (TLP.RED, ("water",)),
)
Body = dict[str, Any]


@dataclass
class World:
    """What the test did, and so what everybody may hold."""

    served: Served
    chance: random.Random
    members: set[str] = field(default_factory=lambda: {"water", "power"})
    latest: dict[str, tuple[Body, TLP, tuple[str, ...]]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    shown: dict[str, list[Body]] = field(default_factory=lambda: {user: [] for user in HOME})
    """Every version that a user could see at some time, as the latest or as an older one."""
    stored: list[tuple[Body, TLP, tuple[str, ...]]] = field(default_factory=list)

    def may(self, user: str, version: tuple[Body, TLP, tuple[str, ...]]) -> bool:
        _, tlp, groups = version
        organisation = HOME[user]
        if tlp <= TLP.GREEN or organisation in ("fed", "city"):
            return True
        return organisation in groups or ("utilities" in groups and organisation in self.members)

    def note(self) -> None:
        for user in HOME:
            self.shown[user] += [one[0] for one in self.stored if self.may(user, one)]

    def store(self, body: Body) -> None:
        tlp, groups = self.chance.choice(AUDIENCES)
        body["object_marking_refs"] = [MARKING_ID[tlp]]
        origin = Origin("user:lea", "fed", ("shared",), TLP.GREEN, groups)
        receipt = self.served.hub.gate.admit([StixItem(json.dumps(body).encode(), "")], origin)
        assert receipt.stored == 1, receipt.results
        self.latest[body["id"]] = body, tlp, groups
        self.stored.append(self.latest[body["id"]])
        self.note()

    def live(self) -> list[str]:
        return sorted(self.latest.keys() - self.ended)

    def act(self) -> None:
        live = self.live()
        match self.chance.choice(("new", "new", "newer", "newer", "delete", "end", "leave", "join")):
            case "new":
                self.store(indicator())
            case "newer" if live:
                self.store(next_version(self.latest[self.chance.choice(live)][0]))
            case "delete" if live:
                id = self.chance.choice(live)
                delete(self.served, "lea", "shared", id)
                self.ended.add(id)
            case "end" if live:
                body = next_version(self.latest[self.chance.choice(live)][0])
                body["valid_until"] = format_timestamp(times.now() - 2 * times.DAY, 3)
                self.store(body)
                while self.served.hub.publication.expiry.sweep():
                    pass
                self.ended.add(body["id"])
            case "leave" | "join" as what:
                organisation = self.chance.choice(("water", "power"))
                self.members = self.members - {organisation} if what == "leave" else self.members | {organisation}
                groups = ("utilities",) if what == "join" else ()
                self.served.hub.accounts.change_organisation(organisation, lambda old: replace(old, groups=groups))
                self.note()

    def check(self, user: str, news: list[Body]) -> None:
        """Check that a user could see at some time what he is served now of the objects of this test."""
        strange = [one for one in news if one["id"] in self.latest and said(one) not in map(said, self.shown[user])]
        assert not strange, user

    def settle(self) -> None:
        work(self.served.hub)
        while self.served.hub.publication.farewells.run():
            pass


def said(body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in ("modified", "revoked")}


@pytest.mark.parametrize("seed", [1, 32, 44, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(45, 100))])
def test_every_poller_ends_with_exactly_its_own(served: Served, seed: int) -> None:
    chance = random.Random(seed)
    for organisation in ("water", "power"):
        served.hub.accounts.change_organisation(organisation, lambda old: replace(old, groups=("utilities",)))
    world = World(served, chance)
    world.settle()
    pollers = {user: Poller(served, user, "shared") for user in HOME}
    for one in pollers.values():
        one.poll()
        one.has.clear()
    rejoined: set[str] = set()
    for _ in range(40):
        before = set(world.members)
        world.act()
        rejoined |= {user for user in ("wes", "pat") if HOME[user] in world.members - before}
        if chance.random() < 0.5:
            world.settle()
        if chance.random() < 0.5:
            user = chance.choice(list(pollers))
            world.check(user, pollers[user].poll())
    world.settle()
    for user, poller in pollers.items():
        world.check(user, poller.poll())
        if user in rejoined:  # as any new member it has to start from the beginning
            poller = Poller(served, user, "shared")
            poller.poll()
            poller.has = {id: one for id, one in poller.has.items() if id in world.latest}
        for id, version in world.latest.items():
            held = poller.has.get(id)
            if id not in world.ended and world.may(user, version):
                assert held == version[0], (user, id)
            elif held is not None:
                assert held.get("revoked"), (user, id)
