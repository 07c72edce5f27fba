"""Who leaves a sharing group is told what it may see no more: over real TAXII, to it alone, and nothing new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from hub.app import open_hub
from hub.model import times
from hub.model.audience import TLP
from hub.model.markings import MARKING_ID
from hub.store.ports import HUB, Batch, Outcome
from tests.publish.parts import indicator, next_version, report, work
from tests.publish.served import Poller, Served
from tests.publish.test_api import push

USERS = ("wes", "pat", "ben", "lea", "sam", "ana")


def amber(obj: dict[str, Any]) -> dict[str, Any]:
    return {**obj, "object_marking_refs": [MARKING_ID[TLP.AMBER]]}


def groups(served: Served, organisation: str, *names: str) -> None:
    served.hub.accounts.change_organisation(organisation, lambda old: replace(old, groups=names))


def poll_all(pollers: Iterable[Poller]) -> None:
    for one in pollers:
        one.poll()


@pytest.fixture
def pollers(served: Served) -> dict[str, Poller]:
    groups(served, "water", "utilities")
    groups(served, "power", "utilities")
    work(served.hub)
    return {user: Poller(served, user) for user in USERS}


def leave(served: Served, organisation: str) -> None:
    groups(served, organisation)
    for _ in range(2):
        served.hub.publication.farewells.run()
        work(served.hub)


def test_who_leaves_is_told_and_nobody_else_hears_of_it(served: Served, pollers: dict[str, Poller]) -> None:
    bad, open_to_all = amber(indicator()), indicator()
    told, other = report(bad, tlp=TLP.AMBER, labels=["audience:utilities"]), report(open_to_all)
    push(served, "lea", told, bad)
    push(served, "lea", other, open_to_all)
    poll_all(pollers.values())
    assert {user for user, one in pollers.items() if told["id"] in one.has} == {"wes", "pat", "lea", "ana"}

    leave(served, "water")
    news = pollers["wes"].poll()
    assert {one["id"] for one in news} == {told["id"], bad["id"]}
    for before in (told, bad):
        one = pollers["wes"].has[before["id"]]
        assert one == {**before, "revoked": True, "modified": one["modified"]}
        assert one["modified"] > before["modified"]
    assert pollers["wes"].has[other["id"]] == other
    assert [one.poll() for one in pollers.values()] == [[]] * len(USERS)
    assert served.hub.store.get(HUB, [told["id"]])[told["id"]].version_text == told["modified"]
    for user in ("pat", "lea", "ana"):
        fresh = Poller(served, user)
        fresh.poll()
        assert fresh.has[told["id"]] == told
    assert served.call("GET", f"/api/advisories/{told['id']}", "wes").status == 404
    assert served.call("POST", f"/api/advisories/{told['id']}/acknowledge", "wes", {}).status == 404

    served.hub.publication.publisher.withdraw(told["id"], "ana", "a false alarm")
    poll_all(pollers.values())
    assert pollers["pat"].has[told["id"]]["revoked"]
    assert pollers["wes"].poll() == []


def test_who_joins_again_sees_it_again_and_may_leave_again(served: Served, pollers: dict[str, Poller]) -> None:
    told = report(tlp=TLP.AMBER, labels=["audience:utilities"])
    push(served, "lea", told)
    pollers["wes"].poll()
    for _ in range(2):
        leave(served, "water")
        assert Poller(served, "wes").poll()[-1]["revoked"]
        groups(served, "water", "utilities")
        served.hub.publication.farewells.run()
        fresh = Poller(served, "wes")
        fresh.poll()
        assert fresh.has[told["id"]] == told


def test_one_that_is_held_up_does_not_tell_who_joined_again(
    served: Served, pollers: dict[str, Poller], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = report(tlp=TLP.AMBER, labels=["audience:utilities"])
    push(served, "lea", told)
    pollers["wes"].poll()
    other = open_hub(served.hub.settings)
    commit = served.hub.store.commit

    def held_up(batch: Batch) -> list[Outcome]:
        if batch.drafts:
            monkeypatch.undo()
            other.publication.farewells.run()
            groups(served, "water", "utilities")
            other.publication.farewells.run()
        return commit(batch)

    groups(served, "water")
    monkeypatch.setattr(served.hub.store, "commit", held_up)
    served.hub.publication.farewells.run()
    other.close()
    fresh = Poller(served, "wes")
    fresh.poll()
    assert fresh.has[told["id"]] == told


def test_two_that_leave_are_told_each_for_itself(served: Served, pollers: dict[str, Poller]) -> None:
    told = report(tlp=TLP.AMBER, labels=["audience:utilities"])
    push(served, "lea", told)
    poll_all(pollers.values())
    leave(served, "water")
    leave(served, "power")
    for user in ("wes", "pat"):
        (news,) = [one for one in pollers[user].poll() if one["id"] == told["id"]]
        assert news["revoked"]
    assert pollers["ben"].poll() == []
    history = served.hub.store.history(served.hub.collections.scope(served.hub.principal("pat")), told["id"])
    assert len(history) == 1


def test_nobody_is_told_of_what_he_cannot_have(
    served: Served, pollers: dict[str, Poller], monkeypatch: pytest.MonkeyPatch
) -> None:
    had = report(tlp=TLP.AMBER, labels=["audience:utilities"])
    push(served, "lea", had)
    poll_all(pollers.values())
    groups(served, "water")
    newer = next_version(had, name="Not for water any more")
    later = report(tlp=TLP.AMBER, labels=["audience:utilities"])
    push(served, "lea", newer)
    push(served, "lea", later)
    served.hub.publication.farewells.run()
    news = {one["id"]: one for one in pollers["wes"].poll()}
    assert later["id"] not in news
    assert news[had["id"]]["name"] == had["name"]
    assert news[had["id"]]["revoked"]

    # The power works polled last an hour and more before this one was added.
    polled = served.hub.publication.pulls
    missed = report(tlp=TLP.AMBER, labels=["audience:utilities"])
    moment = times.now()
    with monkeypatch.context() as patch:
        patch.setattr(times, "now", lambda: moment - 2 * times.HOUR)
        polled._polled.clear()
        polled.polled("power")
    push(served, "lea", missed)
    leave(served, "power")
    assert missed["id"] not in {one["id"] for one in Poller(served, "pat").poll()}


def test_what_the_group_still_shares_in_another_way_stays(served: Served, pollers: dict[str, Poller]) -> None:
    both = report(tlp=TLP.AMBER, labels=["audience:utilities", "audience:water"])
    push(served, "lea", both)
    poll_all(pollers.values())
    leave(served, "water")
    assert both["id"] not in {one["id"] for one in pollers["wes"].poll()}
    assert served.call("GET", f"/api/advisories/{both['id']}", "wes").status == 200
