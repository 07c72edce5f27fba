"""Every published log at hand is read to its end without a refused line; those not to be shipped stand outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.sensors import formats, open_log, recognise
from hub.model.items import EventItem

ROOT = Path(__file__).parents[2]
OUTSIDE = ROOT.parent / "shared" / "data" / "logs"
FOLDERS = {"suricata": ("suricata",), "zeek": ("zeek", "ics"), "cowrie": ("cowrie",)}
LOGS = [
    (name, path)
    for name, folders in FOLDERS.items()
    for base in (ROOT / "demo" / "data", OUTSIDE)
    for folder in folders
    for path in sorted((base / folder).rglob("*.*"))
    if path.is_file() and path.suffix != ".md"
]


@pytest.mark.parametrize(("name", "path"), LOGS, ids=[f"{name}-{path.parent.name}-{path.name}" for name, path in LOGS])
def test_is_read_to_its_end(name: str, path: Path) -> None:
    with open_log(path) as stream:
        found = recognise(stream.read(4096))
    assert found is not None and found.name == name
    with open_log(path) as stream:
        items = list(formats()[name].events(stream, "sensor", name=path.name))
    assert items and all(isinstance(item, EventItem) for item in items)


@pytest.mark.skipif(
    not OUTSIDE.is_dir(), reason="the published logs that may not be shipped are not beside this project"
)
def test_names_and_addresses_of_an_exercise_are_found_but_rule_names_are_not_read() -> None:
    with open_log(OUTSIDE / "suricata" / "eve-icedid-2023.json.gz") as stream:
        items = list(formats()["suricata"].events(stream, "ids"))
    events = [item.event for item in items if isinstance(item, EventItem)]
    assert len(events) == 233
    seen = {key for event in events for key in event.observables}
    assert {"domain-name:grafielucho.com", "ipv4-addr:104.21.32.6"} <= seen
    assert not any(" " in key for key in seen)
