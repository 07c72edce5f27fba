"""Every event counts once: whatever is killed, repeated, grown or done at the same time."""

import gzip
import io
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.correlate.engine import Correlation
from hub.correlate.logfile import HEAD
from hub.errors import Conflict, NoSuchFile, NotThatFormat
from hub.model.audience import TLP
from hub.model.items import EventItem
from hub.model.times import parse_timestamp
from hub.store.ports import Batch
from tests.correlate import killed
from tests.correlate.parts import (
    CONFERENCE_LOG,
    HONEYPOT_LOG,
    IDS,
    ROOT,
    SURICATA,
    Parts,
    alert,
    eve,
    ledger_of,
    open_parts,
)
from tests.stores import examples

MARCH = parse_timestamp("2026-03-01T00:00:00Z")


@pytest.fixture
def parts(tmp_path):
    opened = open_parts(tmp_path)
    yield opened
    opened.store.close()


def read(parts: Parts, data: bytes):
    return parts.correlation.events.run(io.BytesIO(data), SURICATA, IDS)


def everything(folder: Path) -> tuple[Any, Any, Any]:
    """Return ledger, sightings and city indicators, without the times at which they were written."""
    parts = open_parts(folder)
    keys: set[str] = set()
    for log in (HONEYPOT_LOG.read_bytes(), gzip.decompress(CONFERENCE_LOG.read_bytes())):
        for item in SURICATA.events(io.BytesIO(log), "any"):
            if isinstance(item, EventItem):
                keys.update(item.event.observables)
    written = ("created", "modified")
    sightings = [{k: v for k, v in each.items() if k not in written} for each in parts.objects("sighting")]
    findings = [{k: v for k, v in each.items() if k not in written} for each in parts.objects("indicator")]
    ledger = ledger_of(parts, keys)
    parts.store.close()
    return ledger, sorted(sightings, key=str), sorted(each["id"] for each in findings)


def test_killed_at_any_moment_it_counts_every_event_once(tmp_path):
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    calm.mkdir()
    rough.mkdir()
    killed.main(calm)
    chance = random.Random(7)
    kills = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.correlate.killed", str(rough)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert process.stdout is not None
        steps = chance.randint(2, 12) if kills < 8 else 10_000
        last = ""
        for _ in range(steps):
            line = process.stdout.readline()
            if not line:
                break
            last = line
        if last != "done\n":
            process.kill()
            kills += 1
        process.stdout.close()
        process.wait()
        if last == "done\n":
            break
        assert kills <= 8
    assert kills == 8
    assert everything(rough) == everything(calm)


def test_a_log_that_grew_goes_on_where_it_ended(parts, tmp_path):
    whole = eve([alert("203.0.113.50", second=number) for number in range(200)])
    assert len(whole) > 2 * HEAD
    counted = []
    for length in (150, 151, 1500, 1500, HEAD, len(whole) - 7, len(whole), len(whole)):
        counted.append(read(parts, whole[:length]))
    assert sum(each.events for each in counted) == 200
    assert counted[-1].events == counted[3].events == 0
    assert counted[0].unfinished
    assert not counted[-1].unfinished
    assert sum(each.bad for each in counted) == 0
    ((*_, number, _, _),) = ledger_of(parts, ["ipv4-addr:203.0.113.50"])
    assert number == 200


def test_two_logs_and_two_equal_lines_are_not_one(parts):
    line = eve([alert("203.0.113.50")])
    assert read(parts, line + line).events == 2
    assert read(parts, eve([alert("203.0.113.51")]) + line).events == 2
    ((*_, number, _, _),) = ledger_of(parts, ["ipv4-addr:203.0.113.50"])
    assert number == 3


def test_a_bad_line_goes_to_quarantine_and_its_neighbours_go_through(parts):
    data = eve([alert("203.0.113.50")]) + b'{"timestamp": nonsense}\n' + eve([alert("203.0.113.51")])
    receipt = read(parts, data)
    assert (receipt.events, receipt.bad) == (2, 1)
    assert len(parts.store.documents("quarantine")) == 1
    assert read(parts, data).bad == 0


def test_a_log_that_breaks_off_keeps_what_came_before(parts, tmp_path):
    packed = tmp_path / "eve.json.gz"
    packed.write_bytes(gzip.compress(eve([alert("203.0.113.50", second=n, flow_id=n * 7919) for n in range(40_000)])))
    with packed.open("r+b") as stream:
        stream.truncate(packed.stat().st_size // 2)
    with pytest.raises(NotThatFormat):
        parts.correlation.events.run(packed, SURICATA, IDS)
    ((*_, number, _, _),) = ledger_of(parts, ["ipv4-addr:203.0.113.50"])
    assert number > 1000
    with pytest.raises(NoSuchFile):
        parts.correlation.events.run(tmp_path / "absent.json", SURICATA, IDS)


class Interrupted:
    """The real store, where something happens right before the next commit that counts events."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.before: Callable[[], Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, batch: Batch) -> Any:
        if batch.ledger and self.before:
            happen, self.before = self.before, None
            happen()
        return self._store.commit(batch)


def interrupted(parts: Parts, folder: Path) -> tuple[Interrupted, Parts]:
    other = open_parts(folder)
    store = Interrupted(other.store)
    correlation: Correlation = other.correlation
    correlation.events._store = store
    return store, other


def test_an_indicator_that_arrives_during_a_commit_is_hit(parts, tmp_path):
    store, reader = interrupted(parts, tmp_path)

    def arrive():
        parts.feed(["203.0.113.50"], seen=MARCH)
        parts.correlation.settle(force=True)

    store.before = arrive
    assert read(reader, eve([alert("203.0.113.50")])).hits == 0
    parts.correlation.settle(force=True)
    assert list(parts.sighted()) == ["feed:ipsum 203.0.113.50"]
    reader.store.close()


def test_two_readers_of_one_log_do_not_count_twice(parts, tmp_path):
    store, reader = interrupted(parts, tmp_path)
    data = eve([alert("203.0.113.50")])
    store.before = lambda: read(parts, data)
    with pytest.raises(Conflict, match="another run"):
        read(reader, data)
    ((*_, number, _, _),) = ledger_of(parts, ["ipv4-addr:203.0.113.50"])
    assert number == 1
    reader.store.close()


def test_a_rule_that_moved_meanwhile_is_judged_again(parts, tmp_path):
    store, reader = interrupted(parts, tmp_path)
    severe = [alert("203.0.113.50", second=second, alert={"severity": 1}) for second in (5, 9)]
    store.before = lambda: read(parts, eve(severe[1:]))
    assert read(reader, eve(severe[:1])).events == 1
    parts.correlation.settle(force=True)
    (indicator,) = parts.objects("indicator")
    assert indicator["valid_from"] == "2026-03-01T00:00:05.000Z"
    assert [each["count"] for each in parts.sighted()["hub:correlate 203.0.113.50"]] == [2]
    reader.store.close()


@pytest.mark.parametrize("of", ["indicator", "sighting"])
def test_what_two_work_off_at_once_is_written_once(parts, tmp_path, monkeypatch, of):
    """One is held up before a commit; meanwhile another one works off the same marks."""
    late = open_parts(tmp_path)
    parts.feed(["203.0.113.50"], seen=MARCH)
    parts.feed(["203.0.113.51"], seen=MARCH, source="feed:other", origin_marking=TLP.AMBER)
    read(parts, eve([alert(address, alert={"severity": 1}) for address in ("203.0.113.50", "203.0.113.51")]))
    commit = late.store.commit

    def held_up(batch: Batch) -> Any:
        if any(draft.type == of for draft in batch.drafts):
            monkeypatch.undo()
            parts.correlation.settle(force=True)
        return commit(batch)

    monkeypatch.setattr(late.store, "commit", held_up)
    late.correlation.settle(force=True)
    parts.correlation.settle(force=True)
    written = [change for change in parts.store.read_log(0, 1000) if change.type in ("sighting", "indicator")]
    assert len({change.id for change in written}) == len(written) == 8
    late.store.close()


ADDRESSES = [f"203.0.113.{number}" for number in range(1, 5)]
STEPS = st.one_of(
    st.tuples(st.just("feed"), st.sampled_from([*ADDRESSES, "203.0.113.0/30"])),
    st.tuples(st.just("read"), st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=4)),
    st.tuples(st.sampled_from(["settle", "hunt", "sightings"]), st.none()),
)


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, max_size=10))
def test_any_order_of_work_ends_with_the_same_sightings(tmp_path_factory, steps):
    parts = open_parts(tmp_path_factory.mktemp("order"))
    fed, seen = set(), []
    for number, (step, value) in enumerate(steps):
        match step:
            case "feed":
                parts.feed([value], seen=MARCH)
                fed.add(value)
            case "read":
                read(parts, eve([alert(address, second=number) for address in value]))
                seen += value
            case "settle":
                parts.correlation.settle(force=True)
            case "hunt":
                parts.correlation.hunt.run()
            case "sightings":
                parts.correlation.sightings.flush(force=True)
    parts.correlation.settle(force=True)
    under = {**{each: [each] for each in ADDRESSES}, "203.0.113.0/30": ADDRESSES[:3]}
    expected = {f"feed:ipsum {each}": number for each in fed if (number := sum(map(seen.count, under[each])))}
    assert {name: found[0]["count"] for name, found in parts.sighted().items()} == expected
    assert parts.store.documents("touched") == parts.store.documents("rehunt") == []
    parts.store.close()
