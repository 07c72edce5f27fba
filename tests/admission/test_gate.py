"""The gate: what comes in, comes out stored, unchanged, merged or quarantined, and says for whom it is."""

import copy
import json
import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.admission.gate import Gate, Item, Origin
from hub.admission.warninglists import WarningLists
from hub.errors import Conflict
from hub.model.audience import PAP, TLP, Audience, Reader
from hub.model.ids import sco_id
from hub.model.items import BadItem, IndicatorItem, StixItem
from hub.model.markings import MARKING_ID, PAP_IDS, TLP2_OBJECTS, TLP_EXTENSION
from hub.store.moving import Movable
from hub.store.ports import HUB, Batch, DocumentWrite, Outcome, Scope
from tests.admission.parts import CITY, OTHER, PARTNER, Parts, indicator, item
from tests.stores import examples, store_in


def _parts(store: Movable, lists: WarningLists) -> Parts:
    return Parts(store, Gate(store, lists, CITY))


LATER = "2026-02-02T03:04:05.678Z"
IDENTITY = "identity--f431f809-377b-45e0-aa1c-6a4751cae5ff"


def test_bytes_come_out_as_they_came_in(parts: Parts) -> None:
    raw = json.dumps(indicator(x_odd=[1.50, 1e2], x_text="caf\u00e9 /")).replace("1.5,", "1.50,").encode()
    assert parts.one(raw).outcome == "stored"
    assert parts.bodies() == [raw.replace(b'": ', b'":').replace(b", ", b",")]


def test_one_bad_item_costs_its_neighbours_nothing(parts: Parts) -> None:
    bad: list[Any] = [b"{", b"<html>", {}, [], {"type": {}}, {"type": "indicator", "id": []}, indicator(pattern="[x")]
    good = [indicator() for _ in bad]
    mixed = [item(one) for pair in zip(bad, good, strict=True) for one in pair]
    receipt = parts.admit([*mixed, BadItem(b"line", "bad-line", "a line that cannot be read", "list.txt line 7")])
    assert (receipt.stored, receipt.quarantined) == (len(good), len(bad) + 1)
    assert [result.outcome for result in receipt.results[:-1]] == ["quarantined", "stored"] * len(bad)
    assert len(parts.quarantine.list()) == len(bad) + 1


def test_the_same_input_again_changes_nothing(parts: Parts) -> None:
    items: list[Item] = [*(item(indicator()) for _ in range(5)), IndicatorItem("evil.example", "line 1"), item(b"{")]
    parts.admit(items)
    head = parts.store.head()
    again = parts.admit(items)
    assert (again.unchanged, again.quarantined) == (6, 1)
    assert parts.store.head() == head
    assert len(parts.quarantine.list()) == 1


def test_a_respelled_version_is_unchanged_and_another_content_is_merged(parts: Parts) -> None:
    obj = indicator(description="caf\u00e9")
    parts.one(obj)
    respelled = json.dumps(dict(reversed(obj.items())), indent=1).encode()
    assert parts.one(respelled).outcome == "unchanged"
    other = parts.one(obj | {"description": "tea"})
    assert (other.outcome, other.reason) == ("merged", "conflict")
    assert orjson.loads(parts.bodies()[0]) == obj
    assert len(parts.bodies()) == 1


def test_versions_of_one_object_come_in_any_order(parts: Parts) -> None:
    obj = indicator()
    newer = obj | {"modified": LATER, "revoked": True}
    assert [parts.one(one).outcome for one in (newer, obj, obj, newer)] == [
        "stored",
        "stored",
        "unchanged",
        "unchanged",
    ]
    assert parts.store.get(HUB, [obj["id"]])[obj["id"]].version_text == LATER


def test_documents_move_with_the_items_or_not_at_all(parts: Parts) -> None:
    parts.gate.admit([item(indicator())], PARTNER, [DocumentWrite("cursor", "a", b"1", expect=0)])
    with pytest.raises(Conflict):
        parts.gate.admit([item(indicator()), item(b"{")], PARTNER, [DocumentWrite("cursor", "a", b"2", expect=0)])
    assert len(parts.bodies()) == 1
    assert parts.quarantine.list() == []


class TestOriginator:
    """T20, T21: provenance by account and not by claim."""

    def test_nobody_else_versions_or_revokes(self, parts: Parts) -> None:
        obj = indicator(created_by_ref=IDENTITY)
        parts.one(obj)
        for forged in (obj | {"modified": LATER, "revoked": True}, obj | {"modified": LATER, "name": "harmless"}):
            result = parts.one(forged, OTHER)
            assert (result.outcome, result.reason) == ("quarantined", "not-originator")
            assert PARTNER.organisation not in result.message
        assert parts.store.get(HUB, [obj["id"]])[obj["id"]].version_text == obj["modified"]

    def test_nor_in_the_same_instant(
        self, tmp_path: Path, lists: WarningLists, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another organisation takes the id between the look whose it is and the commit."""
        obj = indicator()

        parts, slow = (_parts(store_in(tmp_path), lists) for _ in range(2))
        commit = slow.store.commit

        def late(batch: Batch) -> list[Outcome]:
            while rivals:
                assert parts.one(*rivals.pop()).outcome == "stored"
            return commit(batch)

        monkeypatch.setattr(slow.store, "commit", late)
        rivals = [(obj, OTHER)]
        mixed = slow.admit([item(obj | {"modified": LATER, "revoked": True}), item(indicator())])
        assert [(one.outcome, one.reason) for one in mixed.results] == [
            ("quarantined", "not-originator"),
            ("stored", ""),
        ]
        assert {one.audience.owner for one in parts.store.history(HUB, obj["id"])} == {OTHER.organisation}
        rivals = [(indicator(), OTHER)]
        assert slow.one(indicator()).outcome == "stored", "what does not concern it does not stop it"
        parts.store.close()
        slow.store.close()

    def test_nor_in_a_race(self, tmp_path: Path, lists: WarningLists) -> None:
        stores = [store_in(tmp_path) for _ in range(2)]
        made = [indicator() for _ in range(40)]
        start = Barrier(2)

        def send(store: Movable, origin: Origin, day: int) -> list[str]:
            gate = Gate(store, lists, CITY)
            start.wait()
            sent = [item(one | {"modified": f"2026-03-{day:02d}T00:00:00.000Z"}) for one in made]
            return [gate.admit([one], origin).results[0].outcome for one in sent]

        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(send, stores[0], PARTNER, 2), pool.submit(send, stores[1], OTHER, 3)]
            first, second = (one.result() for one in both)
        for obj, *outcomes in zip(made, first, second, strict=True):
            assert outcomes.count("stored") == 1
            assert len({one.audience.owner for one in stores[0].history(HUB, obj["id"])}) == 1
        for store in stores:
            store.close()

    @pytest.mark.parametrize("said", [{}, {"spec_version": "2.1", "created": LATER, "modified": LATER}])
    def test_nor_by_leaving_times_out(self, parts: Parts, said: dict[str, Any]) -> None:
        thing = {"type": "x-thing", "id": "x-thing--f431f809-377b-45e0-aa1c-6a4751cae5ff"}
        assert parts.one(thing | said).outcome == "stored"
        forged = thing | {"modified": "2027-02-02T03:04:05.678Z"}
        assert parts.one(forged, OTHER).reason == "not-originator"
        assert len(parts.bodies()) == 1

    def test_nor_by_giving_an_observable_a_version(self, parts: Parts) -> None:
        obj = {"type": "domain-name", "spec_version": "2.1", "value": "evil.example"}
        obj["id"] = sco_id(obj) or ""
        parts.one(obj)
        assert parts.one(obj | {"modified": LATER, "x_note": "harmless"}, OTHER).reason == "not-originator"

    @pytest.mark.parametrize("kind", ["domain-name", "x-host"])
    def test_observables_without_a_version_are_everybodys(self, parts: Parts, kind: str) -> None:
        obj = {"type": kind, "id": f"{kind}--f431f809-377b-45e0-aa1c-6a4751cae5ff", "value": "evil.example"}
        elsewhere = replace(OTHER, collections=("drop-box",))
        assert parts.one(obj | {"x_score": 1}).outcome == "stored"
        assert parts.one(obj | {"x_score": 2}, elsewhere).outcome == "stored"

    @pytest.mark.parametrize("kind", ["domain-name", "x-host"])
    def test_what_becomes_of_a_fact_does_not_tell_who_else_states_it(self, parts: Parts, kind: str) -> None:
        """Anybody can compute the id of an observable: stating it must not show whether a confidential one is there."""
        obj = {"type": kind, "id": f"{kind}--f431f809-377b-45e0-aa1c-6a4751cae5ff", "value": "evil.example"}
        confidential = replace(PARTNER, marking=TLP.RED)
        assert parts.one(obj | {"x_note": "a victim"}, confidential).outcome == "stored"
        same = obj | {"x_note": "a victim"}
        absent = same | {"id": f"{kind}--{uuid.uuid4()}"}
        for said in (same, absent):
            assert [parts.one(one, OTHER).outcome for one in (said, said, said | {"x_note": "no"})] == [
                "stored",
                "unchanged",
                "merged",
            ]
        theirs = Scope(Reader("other"), None)
        assert [one.audience.owner for one in parts.store.history(theirs, str(obj["id"]))] == ["other"]
        assert orjson.loads(parts.store.get(theirs, [str(obj["id"])])[str(obj["id"])].body)["x_note"] == "a victim"
        own = Scope(Reader("partner"), frozenset({"inbox"}))
        assert {one.audience.owner for one in parts.store.history(own, str(obj["id"]))} == {"partner", "other"}
        city = replace(OTHER, organisation=CITY, source="user:ana")
        assert parts.one(obj | {"x_note": "a victim"}, city).outcome == "unchanged"
        assert parts.store.verify() == []

    def test_a_colleague_does(self, parts: Parts) -> None:
        obj = indicator()
        parts.one(obj)
        colleague = replace(PARTNER, source="user:max")
        assert parts.one(obj | {"modified": LATER, "revoked": True}, colleague).outcome == "stored"

    def test_who_speaks_for_its_maker_does(self, parts: Parts) -> None:
        obj = indicator(created_by_ref=IDENTITY)
        parts.one(obj)
        maker = replace(OTHER, created_by=IDENTITY)
        assert parts.one(obj | {"modified": LATER}, maker).outcome == "stored"
        assert parts.store.get(HUB, [obj["id"]])[obj["id"]].audience.owner == "other"

    def test_equal_or_older_with_other_content_is_merged(self, parts: Parts) -> None:
        obj = indicator(modified=LATER)
        parts.one(obj)
        elsewhere = replace(OTHER, collections=("drop-box",))
        for forged in (obj | {"name": "x"}, obj | {"modified": obj["created"], "name": "x"}):
            result = parts.one(forged, elsewhere)
            assert (result.outcome, result.reason) == ("merged", "conflict")
        assert parts.bodies("drop-box") == []

    def test_passing_it_on_does_not_take_it_over(self, parts: Parts) -> None:
        obj = indicator()
        parts.one(obj)
        elsewhere = replace(OTHER, collections=("drop-box",))
        assert parts.one(obj, elsewhere).outcome == "stored"
        audience = parts.store.get(HUB, [obj["id"]])[obj["id"]].audience
        assert (audience.owner, audience.groups) == ("partner", ("other",))
        revoking = obj | {"modified": LATER, "revoked": True}
        assert parts.one(revoking, elsewhere).reason == "not-originator"

    def test_passing_it_on_does_not_loosen_it(self, parts: Parts) -> None:
        """What names no marking is marked by the default of whoever made it, not of whoever passes it on."""
        obj = indicator()
        parts.one(obj, replace(PARTNER, marking=TLP.AMBER, groups=("water",)))
        parts.one(obj, replace(OTHER, collections=("drop-box",), marking=TLP.CLEAR, groups=("everybody",)))
        passed = parts.store.history(HUB, obj["id"])[-1]
        assert passed.collection == "drop-box"
        assert passed.audience == Audience("partner", TLP.AMBER, groups=("other", "water"))

    def test_a_claim_is_recorded_as_one(self, parts: Parts) -> None:
        claimed, own = indicator(created_by_ref=IDENTITY), indicator(created_by_ref=IDENTITY)
        parts.one(claimed)
        parts.one(own, replace(OTHER, created_by=IDENTITY))
        assert parts.tokens(f"claimed:{IDENTITY}") == [claimed["id"]]
        assert set(parts.tokens(f"author:{IDENTITY}")) == {claimed["id"], own["id"]}


class TestAudience:
    """Markings decide who may see an object; what cannot be understood is the tightest."""

    def level(self, parts: Parts, obj: dict[str, Any], origin: Origin = PARTNER) -> TLP:
        assert parts.one(obj, origin).outcome == "stored"
        return parts.store.get(HUB, [obj["id"]])[obj["id"]].audience.tlp

    def definition(self, **said: Any) -> dict[str, Any]:
        made = indicator(**dict.fromkeys(("modified", "indicator_types", "pattern", "pattern_type", "valid_from")))
        id = made["id"].replace("indicator", "marking-definition")
        return made | {"type": "marking-definition", "id": id} | said

    @pytest.mark.parametrize("level", list(MARKING_ID))
    def test_tlp(self, parts: Parts, level: TLP) -> None:
        obj = indicator(object_marking_refs=[MARKING_ID[level]])
        assert self.level(parts, obj) is level
        name = level.name.lower().replace("_", "+")
        assert parts.tokens(f'tlp:"{name}"') == [obj["id"]]

    def test_the_tightest_holds(self, parts: Parts) -> None:
        red = {"marking_ref": MARKING_ID[TLP.RED], "selectors": ["name"]}
        obj = indicator(object_marking_refs=[MARKING_ID[TLP.CLEAR]], granular_markings=[red])
        assert self.level(parts, obj) is TLP.RED

    def test_none_is_the_origins(self, parts: Parts) -> None:
        assert self.level(parts, indicator(), replace(PARTNER, marking=TLP.AMBER)) is TLP.AMBER

    def test_pap(self, parts: Parts) -> None:
        red = next(id for id, level in PAP_IDS.items() if level is PAP.RED)
        obj = indicator(object_marking_refs=[red])
        assert self.level(parts, obj) is TLP.GREEN
        assert parts.store.get(HUB, [obj["id"]])[obj["id"]].audience.pap is PAP.RED

    def test_unknown(self, parts: Parts) -> None:
        nobody = "marking-definition--11111111-1111-4111-8111-111111111111"
        assert self.level(parts, indicator(object_marking_refs=[nobody])) is TLP.UNKNOWN

    def test_definitions_of_the_batch_and_of_the_store(self, parts: Parts) -> None:
        amber = {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "amber"}}
        definition = self.definition(extensions=amber)
        first, second = (indicator(object_marking_refs=[definition["id"]]) for _ in range(2))
        parts.admit([item(first), item(definition)])
        parts.admit([item(second)])
        found = parts.store.get(HUB, [first["id"], second["id"]])
        assert {change.audience.tlp for change in found.values()} == {TLP.AMBER}

    def test_nobody_loosens_a_stored_definition(self, parts: Parts) -> None:
        strict = self.definition(extensions={TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "red"}})
        parts.one(strict)
        loose = strict | {"extensions": {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "clear"}}}
        obj = indicator(object_marking_refs=[strict["id"]])
        receipt = parts.admit([item(loose), item(obj)], replace(OTHER, collections=("drop-box",)))
        assert [result.outcome for result in receipt.results] == ["merged", "stored"]
        assert parts.store.get(HUB, [obj["id"]])[obj["id"]].audience.tlp is TLP.RED

    def test_nobody_loosens_a_definition_by_sending_it_first(self, parts: Parts) -> None:
        red, clear = (
            self.definition(extensions={TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": level}})
            for level in ("red", "clear")
        )
        clear["id"] = red["id"]
        parts.one(clear, replace(OTHER, collections=("drop-box",)))
        with_it, without_it = (indicator(object_marking_refs=[red["id"]]) for _ in range(2))
        parts.admit([item(red), item(with_it)])
        assert parts.store.get(HUB, [with_it["id"]])[with_it["id"]].audience.tlp is TLP.RED
        assert self.level(parts, without_it) is TLP.UNKNOWN

    @pytest.mark.parametrize("origin", [Origin("feed:x", "other", ("feeds",)), Origin("user:anna", CITY, ("inbox",))])
    def test_definitions_of_feeds_and_of_the_city_count_for_all(self, parts: Parts, origin: Origin) -> None:
        statement = self.definition(definition_type="statement", definition={"statement": "Copyright"})
        parts.one(statement, origin)
        assert self.level(parts, indicator(object_marking_refs=[statement["id"]])) is TLP.GREEN

    def test_known_definitions_are_stored_and_false_copies_are_not(self, parts: Parts) -> None:
        assert parts.one(TLP2_OBJECTS[TLP.RED]).outcome == "stored"
        elastic = {
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
            "created": "2017-01-20T00:00:00.000Z",
            "definition_type": "tlp",
            "name": "TLP:CLEAR",
            "definition": {"tlp": "clear"},
        }
        assert parts.one(elastic).reason == "known-marking"
        assert (
            parts.one(TLP2_OBJECTS[TLP.AMBER] | {"extensions": TLP2_OBJECTS[TLP.CLEAR]["extensions"]}).outcome
            == "merged"
        )
        true = elastic | {"definition": {"tlp": "white"}, "name": "TLP:WHITE"}
        assert parts.one(true).outcome == "stored"

    def test_what_may_not_be_passed_on_is_the_citys(self, parts: Parts) -> None:
        assert self.level(parts, indicator(), replace(PARTNER, redistribute=False)) is TLP.AMBER


class TestMatching:
    """What may become a hit."""

    def state(self, parts: Parts, obj: dict[str, Any], origin: Origin = PARTNER) -> tuple[bool, set[str]]:
        assert parts.one(obj, origin).outcome == "stored"
        keys = {key for _, key in parts.store.match_keys(0, 1000)}
        return parts.store.get(HUB, [obj["id"]])[obj["id"]].matchable, keys

    def test_single_values_are(self, parts: Parts) -> None:
        assert self.state(parts, indicator()) == (True, {"domain-name:evil.example"})
        assert parts.tokens("match:no") == []

    @pytest.mark.parametrize(
        "said",
        [
            {"pattern": "[domain-name:value = 'a.example' AND ipv4-addr:value = '192.0.2.7']"},
            {"pattern_type": "sigma", "pattern": "title: x"},
            {"pattern": "[ipv4-addr:value = '300.1.2.3']"},
        ],
    )
    def test_others_are_listed_as_not_matched(self, parts: Parts, said: dict[str, Any]) -> None:
        obj = indicator(**said)
        assert self.state(parts, obj) == (False, set())
        assert parts.tokens("match:no") == [obj["id"]]

    def test_revoked_ones_are_not(self, parts: Parts) -> None:
        assert self.state(parts, indicator(revoked=True)) == (False, set())

    @pytest.mark.parametrize(
        "pattern",
        [
            "[domain-name:value = 'github.com']",
            "[domain-name:value = 'www.city.example']",
            "[url:value = 'https://portal.city.example/x']",
            "[ipv4-addr:value = '198.51.100.7']",
            "[ipv4-addr:value = '10.1.2.3' OR ipv4-addr:value = '127.0.0.1']",
        ],
    )
    def test_a_partner_cannot_make_the_city_fight_itself(self, parts: Parts, pattern: str) -> None:
        result = parts.one(indicator(pattern=pattern))
        assert (result.outcome, result.reason) == ("quarantined", "warning-list")
        assert "is on the list" in result.message

    def test_only_the_refused_values_are_dropped(self, parts: Parts) -> None:
        obj = indicator(pattern="[domain-name:value = 'github.com' OR domain-name:value = 'evil.example']")
        assert self.state(parts, obj) == (True, {"domain-name:evil.example"})
        assert parts.tokens("warning:top-site") == [obj["id"]]

    def test_the_city_may_watch_for_reserved_addresses(self, parts: Parts) -> None:
        obj = indicator(pattern="[ipv4-addr:value = '10.1.2.3']")
        assert self.state(parts, obj, Origin("user:anna", CITY, ("inbox",))) == (True, {"ipv4-addr:10.1.2.3"})

    def test_other_objects_are_not_refused_for_that(self, parts: Parts) -> None:
        obj = {"type": "domain-name", "spec_version": "2.1", "value": "github.com"}
        assert parts.one(obj | {"id": sco_id(obj)}).outcome == "stored"


@pytest.mark.parametrize("odd", [{}, "high", True, 101, -1])
def test_an_odd_confidence_where_the_standard_has_none_is_no_confidence(parts: Parts, odd: Any) -> None:
    obj: dict[str, Any] = {"type": "x-thing", "id": "x-thing--f431f809-377b-45e0-aa1c-6a4751cae5ff", "confidence": odd}
    marking = TLP2_OBJECTS[TLP.RED] | {"confidence": odd}
    assert parts.one(marking).outcome == "stored"
    assert parts.one(obj).outcome in ("stored", "quarantined")


def naming(*members: dict[str, Any], tlp: TLP = TLP.GREEN) -> dict[str, Any]:
    """Return a report on objects."""
    return {
        "type": "report",
        "spec_version": "2.1",
        "id": f"report--{uuid.uuid4()}",
        "created": LATER,
        "modified": LATER,
        "name": "What goes together",
        "published": LATER,
        "object_refs": [one["id"] for one in members],
        "object_marking_refs": [MARKING_ID[tlp]],
    }


class TestReferences:
    """No object tells of another's to people who may not see that one."""

    def member(self, parts: Parts, tlp: TLP, *groups: str) -> dict[str, Any]:
        obj = indicator(object_marking_refs=[MARKING_ID[tlp]])
        parts.one(obj, replace(PARTNER, groups=groups))
        return obj

    def audience(self, parts: Parts, obj: dict[str, Any], origin: Origin = OTHER) -> Audience:
        assert parts.one(obj, origin).outcome == "stored"
        return parts.store.get(HUB, [obj["id"]])[obj["id"]].audience

    def test_what_another_shared_in_confidence_stays_so(self, parts: Parts) -> None:
        shared = self.member(parts, TLP.AMBER, "other", "water")
        found = self.audience(parts, naming(shared))
        assert found == Audience("other", TLP.AMBER, groups=("partner", "water"))
        found = self.audience(parts, naming(shared, tlp=TLP.AMBER), replace(OTHER, groups=("power", "water")))
        assert found == Audience("other", TLP.AMBER, groups=("water",))
        confidential = self.member(parts, TLP.RED, "other")
        found = self.audience(parts, naming(shared, confidential))
        assert found == Audience("other", TLP.RED, groups=("partner",))

    def test_a_sharing_group_counts(self, parts: Parts) -> None:
        shared = self.member(parts, TLP.AMBER, "utilities")
        reader = Reader("other", frozenset({"utilities"}))
        assert self.audience(parts, naming(shared), replace(OTHER, reader=reader)).tlp is TLP.AMBER

    def test_the_city_does_not_tell_either(self, parts: Parts) -> None:
        city = replace(OTHER, organisation=CITY, source="user:ana")
        assert self.audience(parts, naming(self.member(parts, TLP.RED)), city).tlp is TLP.RED

    def test_ones_own_is_for_oneself_to_tell(self, parts: Parts) -> None:
        own = self.member(parts, TLP.AMBER)
        assert self.audience(parts, naming(own), PARTNER).tlp is TLP.GREEN

    def test_it_is_no_oracle(self, parts: Parts) -> None:
        """Whether an object exists that the author may not see does not show in what becomes of his."""
        hidden = self.member(parts, TLP.AMBER)
        assert self.audience(parts, naming(hidden)) == self.audience(parts, naming(indicator()))

    def test_observables_are_facts(self, parts: Parts) -> None:
        obj: dict[str, Any] = {"type": "domain-name", "spec_version": "2.1", "value": "evil.example"}
        obj |= {"id": sco_id(obj), "object_marking_refs": [MARKING_ID[TLP.AMBER]]}
        parts.one(obj, replace(PARTNER, groups=("other",)))
        assert self.audience(parts, naming(obj)).tlp is TLP.GREEN


def test_a_foreign_id_of_an_observable_is_kept_and_noted(parts: Parts) -> None:
    obj = {"type": "domain-name", "spec_version": "2.1", "value": "evil.example"}
    foreign = obj | {"id": "domain-name--11111111-1111-4111-8111-111111111111"}
    result = parts.one(foreign)
    assert (result.outcome, result.reason) == ("stored", "sco-id")
    assert parts.tokens("warning:foreign-id") == [foreign["id"]]
    assert parts.one(obj | {"id": sco_id(obj)}).reason == ""


STIX20: dict[str, Any] = {
    "type": "indicator",
    "id": "indicator--1ed8caa7-a708-4706-b651-f1186ede6ca1",
    "created": "2019-04-11T19:03:58.765Z",
    "modified": "2019-04-11T19:03:58.765Z",
    "labels": ["malicious-activity"],
    "pattern": "[domain-name:value = 'old.example']",
    "valid_from": "2019-04-11T19:03:58.765Z",
}


@pytest.mark.parametrize("keep", [False, True])
def test_stix20_is_upgraded_and_its_bytes_are_kept(parts: Parts, keep: bool) -> None:
    raw = json.dumps(STIX20, separators=(",", ":")).encode()
    origin = replace(PARTNER, keep_2_0=keep)
    receipt = parts.admit([StixItem(raw, "old.json", stix20=True)], origin)
    assert receipt.stored == receipt.fetched == 1
    change = parts.store.get(HUB, [STIX20["id"]])[STIX20["id"]]
    assert orjson.loads(change.body)["spec_version"] == "2.1"
    assert parts.store.original(HUB, change.id, change.version or 0) == raw
    assert change.matchable
    assert parts.admit([StixItem(raw, "old.json", stix20=True)], origin).unchanged == 1
    assert parts.tokens("value:old.example") == [change.id]


JUNK: list[Any] = [
    None,
    True,
    -1,
    1.5,
    "",
    "x",
    [],
    {},
    [None],
    [{}],
    [[]],
    {"": {}},
    "2026-02-30T00:00:00Z",
    "[",
    "indicator--x",
]
SEEDS = [
    indicator(object_marking_refs=[MARKING_ID[TLP.GREEN]], granular_markings=[{"selectors": ["name"], "lang": "en"}]),
    STIX20,
    TLP2_OBJECTS[TLP.RED],
    {
        "type": "observed-data",
        "id": "observed-data--b67d30ff-02ac-498a-92f9-32f845f448cf",
        "created": "2016-04-06T19:58:16.000Z",
        "modified": "2016-04-06T19:58:16.000Z",
        "first_observed": "2015-12-21T19:00:00Z",
        "last_observed": "2015-12-21T19:00:00Z",
        "number_observed": 50,
        "objects": {"0": {"type": "file", "name": "foo.exe", "hashes": {"MD5": "3773a88f65a5e780c8dff9cdc3a056f3"}}},
    },
    {"type": "x-thing", "id": "x-thing--11111111-1111-4111-8111-111111111111", "created": LATER, "confidence": 3},
]


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.sampled_from(SEEDS))
def test_no_mutation_stops_its_neighbour(parts: Parts, seed: int, obj: dict[str, Any]) -> None:
    chance = random.Random(seed)
    made = json.loads(json.dumps(obj))
    for _ in range(chance.choice((1, 1, 2, 4))):
        _mutate(made, chance)
    receipt = parts.admit([item(made), item(indicator())])
    assert receipt.results[1].outcome == "stored"


def _mutate(value: Any, chance: random.Random) -> None:
    """Replace, drop or add something at a random depth."""
    while True:
        names = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not names:
            return
        name = chance.choice(names)
        if not isinstance(value[name], dict | list) or not value[name] or chance.random() < 0.3:
            break
        value = value[name]
    if chance.random() < 0.2:
        del value[name]
    elif isinstance(value, dict) and chance.random() < 0.2:
        value[chance.choice(("revoked", "valid_until", "modified", "confidence", "x_ref", "lang"))] = chance.choice(
            JUNK
        )
    else:
        value[name] = copy.deepcopy(chance.choice(JUNK))
