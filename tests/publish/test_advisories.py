"""Advisories: who publishes at once, what waits, what an end takes back, and that looking twice changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.app import Hub
from hub.errors import Conflict, NotAllowed, NotFound
from hub.model import times
from hub.model.audience import TLP
from hub.model.markings import MARKING_ID
from hub.publish.advisories import Terms
from hub.publish.publisher import Publisher
from hub.store.ports import Batch, DocumentWrite, Withdrawal
from tests.publish.parts import indicator, next_version, post, report, seen_by, versions_of, work


def desk(hub: Hub) -> Publisher:
    return hub.publication.publisher


def test_what_a_trusted_organisation_posts_is_published_at_once(hub: Hub) -> None:
    bad = indicator()
    advisory = report(bad)
    post(hub, "lea", bad, advisory)
    desk(hub).handed_in(hub.collections["inbox"], [bad["id"], advisory["id"]])
    assert seen_by(hub, "ben") == {bad["id"]: bad, advisory["id"]: advisory} == seen_by(hub, "sam")
    kept = desk(hub).book[advisory["id"]]
    assert (kept.state, kept.organisation, kept.title, kept.tlp) == ("published", "fed", advisory["name"], "GREEN")
    assert kept.entitled == ("bank", "city", "fed", "power", "state", "water")
    assert [step.by for step in kept.history] == ["user:lea"]


def test_what_others_post_waits_for_an_analyst(hub: Hub) -> None:
    bad = indicator()
    advisory = report(bad)
    post(hub, "sam", bad, advisory)
    work(hub)
    assert seen_by(hub, "ben") == {}
    assert desk(hub).book[advisory["id"]].state == "draft"
    desk(hub).publish(advisory["id"], "ana", "read and found good")
    assert set(seen_by(hub, "ben")) == {bad["id"], advisory["id"]}
    assert [step.state for step in desk(hub).book[advisory["id"]].history] == ["draft", "published"]


def test_looking_again_from_the_beginning_changes_nothing(hub: Hub) -> None:
    bad = indicator()
    post(hub, "lea", bad, report(bad))
    work(hub)
    before = hub.store.head(), list(desk(hub).book)
    hub.store.commit(Batch(documents=[DocumentWrite("cursor", "advisories", b"0")]))
    desk(hub).handed_in(hub.collections["inbox"], [bad["id"]])
    work(hub)
    assert (hub.store.head(), list(desk(hub).book)) == before


def test_many_at_once_publish_each_advisory_once(hub: Hub) -> None:
    made = [(one, report(one)) for one in (indicator() for _ in range(12))]
    for pair in made:
        post(hub, "lea", *pair)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, hub) for _ in range(4)]:
            done.result()
    kept = list(desk(hub).book)
    assert {one.id for one in kept} == {advisory["id"] for _, advisory in made}
    assert {(one.state, len(one.history)) for one in kept} == {("published", 1)}
    assert len(seen_by(hub, "ben")) == 24


@pytest.mark.parametrize(
    ("tlp", "labels", "readers"),
    [
        (TLP.CLEAR, [], {"ana", "lea", "sam", "wes", "pat", "ben"}),
        (TLP.AMBER, [], {"ana", "lea"}),
        (TLP.AMBER, ["audience:utilities"], {"ana", "lea", "wes", "pat"}),
        (TLP.AMBER_STRICT, ["audience:bank", "audience:state"], {"ana", "lea", "ben", "sam"}),
        (TLP.RED, ["audience:water"], {"ana", "lea", "wes"}),
    ],
)
def test_markings_and_the_audience_decide_who_gets_it(hub: Hub, tlp: TLP, labels: list[str], readers: set[str]) -> None:
    bad = indicator()
    advisory = report(bad, tlp=tlp, labels=[*labels, "expires:2099-01-31", "may-be-quoted"])
    post(hub, "lea", bad, advisory)
    work(hub)
    assert {
        user for user in ("ana", "lea", "sam", "wes", "pat", "ben") if advisory["id"] in seen_by(hub, user)
    } == readers
    kept = desk(hub).book[advisory["id"]]
    assert set(kept.entitled) == {hub.principal(user).organisation for user in readers}
    assert kept.terms.may_be_quoted
    assert times.format_timestamp(kept.terms.expires or 0).startswith("2099-02-01T00:00:00")


def test_an_object_that_comes_after_its_report_and_its_new_version_follow(hub: Hub) -> None:
    bad = indicator()
    advisory = report(bad)
    post(hub, "lea", advisory)
    work(hub)
    assert set(seen_by(hub, "ben")) == {advisory["id"]}
    post(hub, "lea", bad)
    work(hub)
    assert seen_by(hub, "ben")[bad["id"]] == bad
    newer = next_version(bad, name="seen again")
    post(hub, "lea", newer)
    work(hub)
    assert seen_by(hub, "ben")[bad["id"]] == newer


def test_others_objects_are_not_published_by_naming_them(hub: Hub) -> None:
    theirs = indicator()
    post(hub, "sam", theirs)
    advisory = report(theirs)
    post(hub, "lea", advisory)
    work(hub)
    assert set(seen_by(hub, "ben")) == {advisory["id"]}


def test_a_new_version_of_an_untrusted_advisory_waits_while_the_old_one_stands(hub: Hub) -> None:
    advisory = report()
    post(hub, "sam", advisory)
    work(hub)
    desk(hub).publish(advisory["id"], "ana")
    post(hub, "sam", next_version(advisory, name="Second edition"))
    work(hub)
    assert seen_by(hub, "ben")[advisory["id"]] == advisory
    assert desk(hub).book[advisory["id"]].waiting
    desk(hub).publish(advisory["id"], "ana")
    assert seen_by(hub, "ben")[advisory["id"]]["name"] == "Second edition"
    assert not desk(hub).book[advisory["id"]].waiting


def test_a_withdrawn_advisory_goes_once_more_as_revoked(hub: Hub) -> None:
    bad, shared = indicator(), indicator()
    advisory, other = report(bad, shared), report(shared)
    post(hub, "lea", bad, shared, advisory, other)
    work(hub)
    for _ in range(2):
        desk(hub).withdraw(advisory["id"], "ana", "a false alarm")
    seen = seen_by(hub, "ben")
    assert seen[advisory["id"]] == {**advisory, "revoked": True, "modified": "2026-01-02T00:00:00.001Z"}
    assert seen[bad["id"]] == {**bad, "revoked": True, "modified": "2026-01-02T00:00:00.001Z"}
    assert seen[shared["id"]] == shared
    assert [len(versions_of(hub, "federal-advisories", one["id"])) for one in (advisory, bad, shared)] == [2, 2, 1]
    with pytest.raises(Conflict):
        desk(hub).publish(advisory["id"], "ana")


def test_its_originator_revokes_it_whether_trusted_or_not(hub: Hub) -> None:
    advisory, draft = report(), report()
    post(hub, "sam", advisory, draft)
    work(hub)
    desk(hub).publish(advisory["id"], "ana")
    post(hub, "sam", next_version(advisory, revoked=True), next_version(draft, revoked=True))
    work(hub)
    assert seen_by(hub, "ben")[advisory["id"]]["revoked"]
    assert draft["id"] not in seen_by(hub, "ben")
    assert {desk(hub).book[one["id"]].state for one in (advisory, draft)} == {"withdrawn"}


def test_versions_that_come_between_two_looks_end_as_the_last_one_says(hub: Hub) -> None:
    advisory, other = report(), report()
    post(hub, "lea", advisory, next_version(advisory, revoked=True))
    post(hub, "lea", other, next_version(other, name="Second edition"))
    work(hub)
    assert advisory["id"] not in seen_by(hub, "ben")
    assert [one.id for one in desk(hub).book if one.state == "published"] == [other["id"]]
    assert seen_by(hub, "ben")[other["id"]]["name"] == "Second edition"


def test_an_object_that_its_originator_revokes_is_taken_back_without_an_analyst(hub: Hub) -> None:
    bad, good = indicator(), indicator()
    advisory = report(bad, good)
    post(hub, "sam", bad, good, advisory)
    work(hub)
    desk(hub).publish(advisory["id"], "ana")
    post(hub, "sam", next_version(bad, revoked=True), next_version(good, name="more is known"))
    work(hub)
    seen = seen_by(hub, "ben")
    assert seen[bad["id"]]["revoked"]
    assert seen[good["id"]] == good


def test_a_published_one_supersedes_another_of_the_same_organisation(hub: Hub) -> None:
    bad, worse = indicator(), indicator()
    old, new, foreign = report(bad), report(bad, worse), report()
    post(hub, "lea", bad, worse, old, new)
    post(hub, "sam", foreign)
    work(hub)
    desk(hub).publish(foreign["id"], "ana")
    desk(hub).supersede(old["id"], new["id"], "ana", "more is known")
    seen = seen_by(hub, "ben")
    assert seen[old["id"]]["revoked"]
    assert "revoked" not in seen[bad["id"]]
    assert desk(hub).book[old["id"]].successor == new["id"]
    with pytest.raises(Conflict, match="different organisations"):
        desk(hub).supersede(new["id"], foreign["id"], "ana")
    with pytest.raises(Conflict):
        desk(hub).supersede(new["id"], old["id"], "ana")


def test_an_advisory_ends_on_its_day(hub: Hub) -> None:
    advisory = report(labels=["expires:2026-01-31"])
    post(hub, "lea", advisory)
    work(hub)
    assert desk(hub).book[advisory["id"]].state == "withdrawn"
    assert seen_by(hub, "ben")[advisory["id"]]["revoked"]


def test_a_second_pair_of_eyes_decides_on_what_others_handed_in(hub: Hub) -> None:
    theirs, own = report(), report()
    post(hub, "sam", theirs)
    hub.accounts.add_user("lou", "city", "liaison")
    post(hub, "lou", own)
    work(hub)
    hub.accounts.add_user("adi", "city", "administrator")
    decider = hub.publication.decider
    for user in ("sen", "adi"):
        assert decider(theirs["id"], user) == decider(own["id"], user) == f"user:{user}"
    assert decider(own["id"], "ana") == "user:ana"
    for user in ("ana", "sam", "lou", "ben"):
        with pytest.raises(NotAllowed, match="senior-analyst"):
            decider(theirs["id"], user)
    assert decider(theirs["id"], None) == "operator"


def test_an_analyst_may_narrow_the_audience_and_not_widen_it(hub: Hub) -> None:
    advisory = report(tlp=TLP.AMBER, labels=["audience:bank", "audience:power"])
    post(hub, "sam", advisory)
    work(hub)
    with pytest.raises(NotAllowed, match="utilities"):
        desk(hub).publish(advisory["id"], "ana", terms=Terms(audience=("bank", "utilities")))
    desk(hub).publish(advisory["id"], "ana", terms=Terms(audience=("power",)))
    assert advisory["id"] in seen_by(hub, "pat")
    assert advisory["id"] not in seen_by(hub, "ben")


def test_a_report_that_was_deleted_again_holds_up_nobody(hub: Hub) -> None:
    gone, part, stays = report(), indicator(), report()
    lost = report(part)
    post(hub, "lea", gone, lost)
    work(hub)
    hub.store.commit(Batch(withdrawals=[Withdrawal("inbox", gone["id"]), Withdrawal("inbox", lost["id"])]))
    post(hub, "lea", part, stays)
    work(hub)
    assert stays["id"] in seen_by(hub, "ben")


def test_what_is_no_advisory_is_not_found(hub: Hub) -> None:
    with pytest.raises(NotFound):
        desk(hub).publish("report--00000000-0000-4000-8000-000000000000", "ana")


def test_an_advisory_tells_nobody_of_what_he_may_not_see(hub: Hub) -> None:
    """The city's report names what a federal agency entrusted to the city; the report says GREEN."""
    secret = indicator(object_marking_refs=[MARKING_ID[TLP.AMBER]])
    advisory = report(secret)
    post(hub, "lea", secret)
    post(hub, "ana", advisory)
    work(hub)
    kept = desk(hub).publish(advisory["id"], "ana")
    assert (kept.tlp, kept.entitled) == ("AMBER", ("city", "fed"))
    assert (seen_by(hub, "ben"), seen_by(hub, "sam")) == ({}, {})
    assert set(seen_by(hub, "lea")) == {advisory["id"]}
