"""What leaves is seen to leave: revoked versions for those who had it, and nothing for anybody else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.admission.gate import Origin
from hub.app import Hub
from hub.model.audience import TLP, Audience
from hub.model.items import StixItem
from hub.model.markings import MARKING_ID
from hub.publish.retraction import revoked_draft
from hub.store.ports import HUB, Batch, Change, DocumentWrite
from tests.publish.parts import indicator, next_version, report, seen_by, versions_of, work

PLACE = "partner-indicators"


def share(hub: Hub, *objects: dict[str, Any], groups: tuple[str, ...] = ()) -> None:
    """Let the water works share objects where the hub publishes."""
    origin = Origin("user:wes", "water", (PLACE,), TLP.GREEN, groups)
    receipt = hub.gate.admit([StixItem(json.dumps(one).encode(), "") for one in objects], origin)
    assert receipt.quarantined == 0, receipt.results


def marked(tlp: TLP, obj: dict[str, Any]) -> dict[str, Any]:
    return {**obj, "object_marking_refs": [MARKING_ID[tlp]]}


def test_a_revoked_version_says_only_what_was_known(hub: Hub) -> None:
    bad = indicator(confidence=70, x_odd={"number": 9007199254740991, "float": 1.50})
    share(hub, bad)
    for _ in range(2):
        hub.publication.retraction.retract(PLACE, [bad["id"]])
    revoked = versions_of(hub, PLACE, bad["id"])
    assert revoked == [bad, {**bad, "revoked": True, "modified": "2026-01-02T00:00:00.001Z"}]
    change = hub.store.get(HUB, [bad["id"]])[bad["id"]]
    assert change.audience == Audience("water", TLP.GREEN)
    assert not change.matchable
    found = hub.store.lookup(HUB, [f"file-sha256:{bad['pattern'].split(chr(39))[-2]}"])
    assert [one.version_text for one in next(iter(found.values()))] == ["2026-01-02T00:00:00.001Z"]


def test_objects_that_cannot_be_revoked_are_withdrawn(hub: Hub) -> None:
    name = {"type": "domain-name", "spec_version": "2.1", "value": "gone.example-bad.com"}
    name["id"] = "domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7"
    share(hub, name)
    assert hub.publication.retraction.retract(PLACE, [name["id"]]) == 1
    assert versions_of(hub, PLACE, name["id"]) == []
    assert hub.publication.retraction.retract(PLACE, [name["id"]]) == 0


def test_who_may_see_the_next_version_no_more_gets_the_old_one_revoked(hub: Hub) -> None:
    bad = marked(TLP.GREEN, indicator())
    share(hub, bad)
    work(hub)
    secret = marked(TLP.AMBER, next_version(bad, name="what only some may know"))
    share(hub, secret, groups=("bank",))
    for _ in range(2):
        work(hub)
        hub.store.commit(Batch(documents=[DocumentWrite("cursor", "retraction", b"0")]))
    gone = {**bad, "revoked": True, "modified": "2026-01-02T00:00:00.001Z"}
    assert seen_by(hub, "pat", PLACE) == {bad["id"]: gone} == seen_by(hub, "lea", PLACE)
    assert seen_by(hub, "ben", PLACE) == {bad["id"]: secret} == seen_by(hub, "wes", PLACE) == seen_by(hub, "ana", PLACE)


def test_a_smaller_group_leaves_out_only_who_is_no_longer_in_it(hub: Hub) -> None:
    bad = marked(TLP.AMBER, indicator())
    share(hub, bad, groups=("bank", "power"))
    work(hub)
    newer = next_version(bad)
    share(hub, newer, groups=("bank",))
    work(hub)
    assert seen_by(hub, "pat", PLACE)[bad["id"]]["revoked"]
    assert seen_by(hub, "ben", PLACE) == {bad["id"]: newer}
    assert seen_by(hub, "lea", PLACE) == {}


def test_a_wider_audience_takes_nothing_back(hub: Hub) -> None:
    bad = marked(TLP.AMBER, indicator())
    share(hub, bad)
    newer = marked(TLP.GREEN, next_version(bad))
    share(hub, newer)
    work(hub)
    assert versions_of(hub, PLACE, bad["id"]) == [bad, newer]


def test_other_collections_are_left_alone(hub: Hub) -> None:
    bad = indicator()
    origin = Origin("user:lea", "fed", ("inbox",))
    hub.gate.admit([StixItem(json.dumps(bad).encode(), "")], origin)
    hub.gate.admit([StixItem(json.dumps(marked(TLP.RED, next_version(bad))).encode(), "")], origin)
    work(hub)
    assert len(versions_of(hub, "inbox", bad["id"])) == 2


texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(
    extra=st.dictionaries(st.text(min_size=1).map(lambda name: f"x_{name}"), texts, max_size=4),
    version=st.integers(0, 4_000_000_000_000_000),
)
def test_whatever_it_says_it_is_said_again_later_and_revoked(extra: dict[str, Any], version: int) -> None:
    obj = report(**extra)
    body = json.dumps(obj).encode()
    label = Audience("water", TLP.AMBER, groups=("bank",))
    change = Change(1, 1, "put", PLACE, obj["id"], "report", "2.1", version, "", body, label, "user:wes", False)
    draft = revoked_draft(change)
    assert draft is not None
    assert draft.version >= version + 1000
    assert json.loads(draft.body) == {**obj, "revoked": True, "modified": draft.version_text}
    assert draft.audience == label
    assert revoked_draft(replace(change, body=draft.body)) is None
