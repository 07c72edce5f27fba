"""Every sensor format keeps the contract, on every case of its samples folder and at every place to break off."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from connectors.sensors import formats, open_log, recognise
from hub.errors import NotThatFormat
from hub.model.items import BadItem, EventItem
from hub.model.observables import Observable, canonical
from hub.model.times import format_timestamp

SAMPLES = Path(__file__).parent.parent / "samples" / "sensors"
CASES = sorted(path.parent for path in SAMPLES.glob("*/*/input"))
NAMES = [f"{case.parent.name}/{case.name}" for case in CASES]
KINDS = {
    *("alert", "dns", "http", "tls", "file", "flow"),
    *("login-failed", "login-success", "honeypot-contact", "command", "other"),
}
each_case = pytest.mark.parametrize("case", CASES, ids=NAMES)


def read(case: Path, content: bytes, start: int = 0) -> list[EventItem | BadItem]:
    return list(formats()[case.parent.name].events(io.BytesIO(content), "sensor", name="input", start=start))


def as_json(item: EventItem | BadItem) -> dict[str, Any]:
    if isinstance(item, BadItem):
        return {"refused": item.reason, "place": item.place, "end": item.end}
    event = item.event
    return {
        "time": format_timestamp(event.time),
        "kind": event.kind,
        "observables": list(event.observables),
        "fields": dict(event.fields),
        "end": item.end,
    }


def test_every_format_has_samples() -> None:
    assert {case.parent.name for case in CASES} == set(formats())


@each_case
def test_gives_what_was_checked_by_eye(case: Path) -> None:
    items = [as_json(item) for item in read(case, (case / "input").read_bytes())]
    assert items == json.loads((case / "expected.json").read_text())


@each_case
def test_events_keep_the_contract(case: Path) -> None:
    content = (case / "input").read_bytes()
    ends = [0]
    for item in read(case, content):
        assert ends[-1] < item.end <= len(content)
        ends.append(item.end)
        if isinstance(item, BadItem):
            assert item.reason and item.message and item.place.startswith("input ")
            continue
        event = item.event
        assert event.sensor == "sensor" and event.kind in KINDS
        assert content[: item.end].rstrip().endswith(event.raw.rstrip())
        assert len(set(event.observables)) == len(event.observables)
        for key in event.observables:
            assert canonical(*Observable.from_key(key)).key == key
        for end in ("src", "dst"):
            assert str(event.fields.get(end, "ipv4-addr:")).startswith(("ipv4-addr:", "ipv6-addr:"))
        assert all(isinstance(value, str | int) and value != "" for value in event.fields.values())


@each_case
def test_reading_goes_on_behind_any_event(case: Path) -> None:
    content = (case / "input").read_bytes()
    whole = read(case, content)
    for at, item in enumerate(whole):
        rest = read(case, content, item.end)
        assert [as_json(one) | {"place": ""} for one in rest] == [
            as_json(one) | {"place": ""} for one in whole[at + 1 :]
        ]


@each_case
def test_is_recognised_by_its_beginning(case: Path) -> None:
    found = recognise((case / "input").read_bytes()[:4096])
    assert found is not None and found.name == case.parent.name


@each_case
def test_compressed_gives_the_same_and_a_truncated_copy_what_came_before(case: Path, tmp_path: Path) -> None:
    content = (case / "input").read_bytes()
    whole = read(case, content)
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(content))
    with open_log(path) as stream:
        assert list(formats()[case.parent.name].events(stream, "sensor", name="input")) == whole
    path.write_bytes(gzip.compress(content, 0)[:-9])
    kept: list[EventItem | BadItem] = []
    with open_log(path) as stream, pytest.raises(NotThatFormat, match="breaks off"):
        kept.extend(formats()[case.parent.name].events(stream, "sensor", name="input"))
    assert kept == whole[: len(kept)]


@each_case
def test_other_formats_say_what_it_is(case: Path) -> None:
    content = (case / "input").read_bytes()
    for name, other in formats().items():
        if name != case.parent.name:
            with pytest.raises(NotThatFormat, match=rf"\({case.parent.name}\)"):
                list(other.events(io.BytesIO(content), "sensor", name="input"))
