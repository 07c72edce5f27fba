"""Receipts: exact, and claimed by nobody. Over real HTTP in `test_receipts_served`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.access.accounts import Organisation
from hub.app import Hub
from hub.errors import NotFound
from hub.model import times
from hub.model.audience import TLP
from hub.publish.receipts import Pulls, Status
from tests.publish.parts import indicator, next_version, post, report, seen_by, work
from tests.stores import examples


def published(hub: Hub, **properties: Any) -> dict[str, Any]:
    bad = indicator()
    advisory = report(bad, **properties)
    post(hub, "lea", bad, advisory)
    work(hub)
    return advisory


def serve(hub: Hub, user: str, *objects: dict[str, Any], pulls: Pulls | None = None) -> None:
    """Note a page as the TAXII server notes it."""
    principal = hub.principal(user)
    joined = b",".join(json.dumps(one, separators=(",", ":")).encode() for one in objects)
    (pulls or hub.publication.pulls).served(principal.organisation, user, joined)


def pulled(status: Status) -> dict[str | None, int | None]:
    return {one.organisation: one.pulled for one in status.recipients}


def test_who_was_entitled_and_who_pulled(hub: Hub) -> None:
    advisory = published(hub)
    for user in ("wes", "ben"):
        serve(hub, user, indicator(), advisory, indicator())
    status = hub.publication.status(advisory["id"])
    assert (status.entitled, status.pulled, status.acknowledged, status.late) == (4, 2, 0, 0)
    assert {name for name, at in pulled(status).items() if at} == {"water", "bank"}
    assert {one.name: (one.entitled, one.pulled) for one in status.sectors} == {
        "federal": (1, 0), "partner": (1, 1), "utilities": (2, 1)
    }  # fmt: skip


def test_the_first_time_counts_whatever_comes_later_and_from_whichever_process(hub: Hub) -> None:
    advisory = published(hub)
    serve(hub, "wes", advisory)
    first = pulled(hub.publication.status(advisory["id"]))["water"]
    serve(hub, "wes", advisory)
    serve(hub, "wes", advisory, pulls=Pulls(hub.store))
    assert pulled(hub.publication.status(advisory["id"]))["water"] == first


def test_no_pull_is_lost_among_threads_and_processes(hub: Hub) -> None:
    advisories = [published(hub) for _ in range(5)]
    processes = [Pulls(hub.store) for _ in range(3)]
    with ThreadPoolExecutor(6) as pool:
        for done in [
            pool.submit(serve, hub, user, *advisories, pulls=pulls)
            for user in ("wes", "pat", "ben", "sam")
            for pulls in processes
        ]:
            done.result()
    assert [hub.publication.status(one["id"]).pulled for one in advisories] == [4] * 5


def test_another_version_is_not_this_one(hub: Hub) -> None:
    advisory = published(hub)
    serve(hub, "wes", advisory)
    newer = next_version(advisory)
    post(hub, "lea", newer)
    work(hub)
    serve(hub, "ben", newer)
    assert {name for name, at in pulled(hub.publication.status(advisory["id"])).items() if at} == {"bank"}


def test_reach_is_measured_from_publication_over_those_entitled_then(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    advisory = published(hub)
    start = hub.publication.status(advisory["id"]).published or 0
    for number, user in enumerate(("wes", "ana", "pat", "lea", "ben", "sam"), 1):
        monkeypatch.setattr(times, "now", lambda at=start + number * times.MINUTE: at)
        serve(hub, user, advisory)
        status = hub.publication.status(advisory["id"])
        assert status.half_after == (None if number < 3 else 3 * times.MINUTE)
        assert status.ninety_after == (None if number < 6 else 6 * times.MINUTE)


def test_removing_the_slow_does_not_make_it_fast(hub: Hub) -> None:
    advisory = published(hub)
    serve(hub, "wes", advisory)
    hub.accounts.remove_user("ben")
    hub.accounts.remove_organisation("bank")
    status = hub.publication.status(advisory["id"])
    assert (status.entitled, status.pulled, status.half_after) == (4, 1, None)


def test_who_came_later_is_late_and_not_counted(hub: Hub) -> None:
    advisory = published(hub)
    hub.accounts.add_organisation(Organisation("gas", "Gas works", "partner"))
    hub.accounts.add_user("gil", "gas", "partner")
    serve(hub, "gil", advisory)
    status = hub.publication.status(advisory["id"])
    assert (status.entitled, status.pulled, status.late) == (4, 0, 1)
    assert [one.organisation for one in status.recipients if one.late] == ["gas"]


def test_an_object_that_follows_does_not_change_who_counts(hub: Hub) -> None:
    bad = indicator()
    advisory = report(bad)
    post(hub, "lea", advisory)
    work(hub)
    hub.accounts.add_organisation(Organisation("gas", "Gas works", "partner"))
    hub.accounts.add_user("gil", "gas", "partner")
    post(hub, "lea", bad)
    work(hub)
    assert hub.publication.status(advisory["id"]).entitled == 4


def test_pages_with_other_reports_note_nothing(hub: Hub) -> None:
    published(hub)
    serve(hub, "wes", report(), indicator(description='"type":"report"'))
    assert hub.store.documents("advisory-pull") == []


def test_acknowledging_takes_an_account_that_may_read_it(hub: Hub) -> None:
    advisory = published(hub, tlp=TLP.AMBER, labels=["audience:utilities"])
    hub.publication.publisher.acknowledge(advisory["id"], "wes", 7)
    hub.publication.publisher.acknowledge(advisory["id"], "wes", 8)
    with pytest.raises(NotFound):
        hub.publication.publisher.acknowledge(advisory["id"], "ben", 9)
    status = hub.publication.status(advisory["id"])
    assert {one.organisation: one.acknowledged for one in status.recipients if one.acknowledged} == {"water": 7}


@pytest.mark.parametrize("kind", ["note", "opinion"])
def test_a_note_in_the_inbox_acknowledges(hub: Hub, kind: str) -> None:
    advisory = published(hub)
    answer = {
        **report(advisory), "type": kind, "id": f"{kind}--b5e6cd52-8c5c-4f6c-9a0a-2c8b9d1c7f10", "content": "read",
        "opinion": "agree",
    }  # fmt: skip
    post(hub, "sam", {name: text for name, text in answer.items() if name not in ("name", "published")})
    work(hub)
    status = hub.publication.status(advisory["id"])
    assert {one.organisation for one in status.recipients if one.acknowledged} == {"state"}


def test_the_originator_gets_counts_and_names_of_those_who_agreed(hub: Hub) -> None:
    advisory = published(hub)
    hub.publication.receipts.consent("bank", given=True)
    status = hub.publication.status(advisory["id"], "lea")
    assert {one.organisation for one in status.recipients} == {None, "bank"}
    assert [(one.name, one.entitled) for one in status.sectors] == [("others", 4)]
    hub.publication.receipts.consent("bank", given=False)
    assert {one.organisation for one in hub.publication.status(advisory["id"], "lea").recipients} == {None}
    assert {one.organisation for one in hub.publication.status(advisory["id"], "ana").recipients} >= {"bank", "water"}


@pytest.mark.parametrize("user", ["sam", "wes"])
def test_receipts_are_for_the_originator_and_the_city(hub: Hub, user: str) -> None:
    with pytest.raises(NotFound):
        hub.publication.status(published(hub)["id"], user)


def test_silent_pollers_are_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    advisory = published(hub)
    hub.publication.pulls.polled("water")
    hub.publication.pulls.polled("bank")
    assert hub.publication.status(advisory["id"]).stale == 2
    later = times.now() + 20 * times.HOUR
    monkeypatch.setattr(times, "now", lambda: later)
    hub.publication.pulls.polled("water")
    monkeypatch.setattr(times, "now", lambda: later + 10 * times.HOUR)
    status = hub.publication.status(advisory["id"])
    assert {one.organisation for one in status.recipients if not one.stale} == {"water"}


def test_who_was_served_the_end_of_it_is_counted(hub: Hub) -> None:
    advisory = published(hub)
    for user in ("wes", "ben"):
        serve(hub, user, advisory)
    hub.publication.publisher.withdraw(advisory["id"], "ana", "a false alarm")
    assert hub.publication.status(advisory["id"]).informed == 0
    for user in ("wes", "pat"):
        serve(hub, user, seen_by(hub, user)[advisory["id"]])
    status = hub.publication.status(advisory["id"])
    assert (status.pulled, status.informed) == (2, 1)


def test_a_newer_version_is_to_be_acknowledged_anew(hub: Hub) -> None:
    advisory = published(hub)
    hub.publication.publisher.acknowledge(advisory["id"], "wes", 7)
    post(hub, "lea", next_version(advisory))
    work(hub)
    assert hub.publication.status(advisory["id"]).acknowledged == 0
    assert hub.publication.publisher.acknowledge(advisory["id"], "wes", 9)
    assert not hub.publication.publisher.acknowledge(advisory["id"], "wes", 10)
    assert [one.acknowledged for one in hub.publication.status(advisory["id"]).recipients if one.acknowledged] == [9]


USERS = {"wes": "water", "pat": "power", "ben": "bank", "sam": "state", "ana": "city", "lea": "fed"}
events = st.one_of(
    st.tuples(
        st.sampled_from(("pull", "older", "another", "acknowledge")), st.sampled_from((*USERS, "new-0", "new-1"))
    ),
    st.tuples(st.sampled_from(("join", "leave")), st.sampled_from(("new-0", "new-1"))),
    st.tuples(st.just("version"), st.just("lea")),
)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(events, max_size=25))
def test_receipts_are_what_was_served_and_nothing_else(hub: Hub, happened: list[tuple[str, str]]) -> None:
    advisory = published(hub)
    before, members = advisory, dict(USERS)
    entitled = set(members.values())
    pulled: set[str] = set()
    acknowledged: set[str] = set()
    for what, user in happened:
        match what:
            case "join" if user not in members:
                hub.accounts.add_organisation(Organisation(user, "New", "partner"), again=user in hub_had(hub))
                hub.accounts.add_user(user, user, "partner")
                members[user] = user
            case "leave" if user in members:
                hub.accounts.remove_user(user)
                hub.accounts.remove_organisation(user)
                del members[user]
            case "version":
                before, advisory = advisory, next_version(advisory, name=f"after {len(happened)}")
                post(hub, "lea", advisory)
                work(hub)
                entitled, pulled, acknowledged = set(members.values()), set(), set()
            case "pull" if user in members:
                serve(hub, user, indicator(), advisory)
                pulled.add(members[user])
            case "older" if user in members and before is not advisory:
                serve(hub, user, before)
            case "another" if user in members:
                serve(hub, user, report(), indicator(name=advisory["id"]))
            case "acknowledge" if user in members:
                hub.publication.publisher.acknowledge(advisory["id"], user, times.now())
                acknowledged.add(members[user])
    counted = entitled - {"fed", "city"}
    status = hub.publication.status(advisory["id"])
    assert status.entitled == len(counted)
    assert status.pulled == len(counted & pulled)
    assert status.acknowledged == len(counted & acknowledged)
    assert status.late == len(pulled - entitled)
    assert (status.half_after is not None) == (2 * status.pulled >= status.entitled)
    assert (status.ninety_after is not None) == (10 * status.pulled >= 9 * status.entitled)
    assert {one.organisation for one in status.recipients if one.pulled} == pulled - {"fed", "city"}
    for user in {"new-0", "new-1"} & members.keys():
        hub.accounts.remove_user(user)
        hub.accounts.remove_organisation(user)


def hub_had(hub: Hub) -> set[str]:
    """Return the names that an organisation had once."""
    return {document.key for document in hub.store.documents("name")}
