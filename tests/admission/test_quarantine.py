"""The quarantine: looked at, mended, replayed under the same account, dropped."""

import orjson
import pytest

from hub.admission.gate import Origin
from hub.admission.quarantine import quarantine_write
from hub.admission.second_opinion import second_opinion
from hub.errors import NotFound
from hub.model.audience import TLP
from hub.model.items import KEPT, BadItem, IndicatorItem, StixItem
from hub.store.ports import HUB, Batch
from tests.admission.parts import PARTNER, Parts, indicator, item


def test_mended_and_replayed_under_the_same_account(parts: Parts) -> None:
    origin = Origin("user:maria", "partner", ("inbox", "drop-box"), TLP.AMBER, ("group-a",))
    bad = indicator(pattern="[domain-name:value = ]")
    parts.admit([item(bad, "week.json object 17")], origin)
    entry = parts.quarantine.list()[0]
    assert (entry.reason, entry.place, entry.source) == ("pattern", "week.json object 17 /pattern", "user:maria")
    assert orjson.loads(entry.raw) == bad
    mended = bad | {"pattern": "[domain-name:value = 'evil.example']"}
    receipt = parts.quarantine.replay(entry.id, parts.gate, orjson.dumps(mended))
    assert receipt.stored == 1
    assert parts.quarantine.list() == []
    audience = parts.store.get(HUB, [bad["id"]])[bad["id"]].audience
    assert (audience.owner, audience.tlp, audience.groups) == ("partner", TLP.AMBER, ("group-a",))
    assert len(parts.bodies("drop-box")) == 1


def test_replayed_unmended_it_stays_what_it_was(parts: Parts) -> None:
    parts.admit([item(indicator(pattern="[x"), "here")])
    before = parts.quarantine.list()[0]
    for _ in range(2):
        assert parts.quarantine.replay(before.id, parts.gate).quarantined == 1
        (after,) = parts.quarantine.list()
        assert (after.id, after.place, after.reason) == (before.id, before.place, before.reason)


def test_refused_for_another_reason_it_is_another_entry(parts: Parts) -> None:
    obj = indicator(pattern="[x")
    parts.admit([item(obj)])
    (entry,) = parts.quarantine.list()
    parts.quarantine.replay(entry.id, parts.gate, orjson.dumps(obj | {"pattern_type": 5}))
    (after,) = parts.quarantine.list()
    assert (after.reason, after.id == entry.id) == ("schema", False)


def test_a_value_of_a_list_is_replayed_as_a_value(parts: Parts) -> None:
    parts.admit([IndicatorItem("github.com", "hosts.txt line 9", raw=b"0.0.0.0 github.com", labels=("phish",))])
    (entry,) = parts.quarantine.list()
    assert (entry.reason, entry.raw) == ("warning-list", b"0.0.0.0 github.com")
    receipt = parts.quarantine.replay(entry.id, parts.gate, b"github.com.evil.example\n")
    assert receipt.stored == 1
    assert orjson.loads(parts.bodies()[0])["labels"] == ["phish"]
    assert parts.quarantine.list() == []


def test_stix20_is_replayed_as_stix20(parts: Parts) -> None:
    old = {
        name: value
        for name, value in indicator(valid_from=None).items()
        if name not in ("spec_version", "pattern_type")
    }
    parts.admit([StixItem(orjson.dumps(old), "old.json", stix20=True)])
    (entry,) = parts.quarantine.list()
    mended = orjson.dumps(old | {"valid_from": "2026-01-02T03:04:05.678Z"})
    assert parts.quarantine.replay(entry.id, parts.gate, mended).stored == 1


def test_what_was_cut_or_came_from_a_log_is_not_replayed(parts: Parts) -> None:
    parts.admit([item(b'{"a":"' + b"x" * KEPT), BadItem(b"a line", "bad-line", "no event", "eve.json line 3")])
    cut = next(entry for entry in parts.quarantine.list() if entry.cut)
    line = next(entry for entry in parts.quarantine.list() if not entry.cut)
    assert len(cut.raw) == KEPT
    for entry in (cut, line):
        with pytest.raises(NotFound):
            parts.quarantine.replay(entry.id, parts.gate)


def test_what_it_says_is_short_whatever_came_in(parts: Parts) -> None:
    deep = indicator(external_references=[{"source_name": "x", "hashes": {"k" * 50_000: 1}}])
    parts.admit([item(deep, "p" * 5000), item(indicator(name=["n" * 50_000]))])
    for entry in parts.quarantine.list():
        assert len(entry.place) <= 1000
        assert len(entry.message) <= 1000


def test_list_show_and_drop(parts: Parts) -> None:
    writes = [
        quarantine_write(BadItem(b"%d" % n, "bad-line", "no", f"line {n}"), source="sensor:ids") for n in range(5)
    ]
    parts.store.commit(Batch(documents=writes))
    entries = parts.quarantine.list(limit=3)
    assert len(entries) == 3
    assert parts.quarantine.show(entries[0].id) == entries[0]
    with pytest.raises(NotFound):
        parts.quarantine.drop([entries[0].id, "nothing"])
    assert len(parts.quarantine.list()) == 5
    parts.quarantine.drop([entry.id for entry in entries])
    assert len(parts.quarantine.list()) == 2
    with pytest.raises(NotFound):
        parts.quarantine.show(entries[0].id)


def test_second_opinion() -> None:
    assert second_opinion(orjson.dumps(indicator())) == "stix2 would take it"
    for raw in (b"{", b"\xff", orjson.dumps(indicator(pattern="[x")), b"[" * 5000, b"[]"):
        assert second_opinion(raw).startswith("stix2 refuses it too: ")


def test_the_origin_is_the_entrys_and_not_the_objects(parts: Parts) -> None:
    parts.admit([item(indicator(pattern="[x", created_by_ref="identity--f431f809-377b-45e0-aa1c-6a4751cae5ff"))])
    (entry,) = parts.quarantine.list()
    assert entry.origin == PARTNER
