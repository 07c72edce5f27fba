"""What every connector keeps, over every samples folder: ``tests/samples/<connector>/<case>``.

A case is ``feed.toml`` (a whole declaration), its input, and ``expected.json``: how many items of which class, and the
first items and all bad items in full. A new connector or list needs a folder and no test code. With
``CONNECTOR_SAMPLES=write`` in the environment ``expected.json`` is written anew; look at the difference.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.catalogue import all_connectors
from connectors.contract import Connector, ConnectorSettings, Item
from connectors.feeds import Feed, load_feed, load_feeds
from connectors.http import Http
from hub.errors import BadSettings, NotThatFormat
from hub.model.items import KEPT, BadItem, IndicatorItem, StixItem

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "samples"
CASES = sorted(path.parent for name in all_connectors() for path in (SAMPLES / name).glob("*/feed.toml"))
SHOWN = 12


def parts(case: Path) -> tuple[Feed, Connector, ConnectorSettings]:
    feed = load_feed(case / "feed.toml")
    return (feed, *feed.parts())


def items_of(case: Path) -> list[Item]:
    _, connector, settings = parts(case)
    if "path" in type(settings).model_fields:
        return [item for portion in connector.fetch(settings, {}, Http()) for item in portion.items]
    return list(connector.read(settings, io.BytesIO((case / "input.json").read_bytes()), "input.json"))


def shown(item: Item) -> dict[str, Any]:
    """An item as JSON: what differs from the defaults; of STIX the id, because the bytes are compared elsewhere."""
    if isinstance(item, StixItem):
        return {"id": json.loads(item.raw)["id"], "place": item.place, **({"stix20": True} if item.stix20 else {})}
    fields = {field.name: field for field in dataclasses.fields(item)}
    said = {name: getattr(item, name) for name in fields if name != "raw"}
    kept = {name: value for name, value in said.items() if value != fields[name].default and value not in ((), {}, 0)}
    if isinstance(item, IndicatorItem) and item.marking is not None:
        kept["marking"] = item.marking.name
    return kept


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_a_sample_gives_what_was_expected(case: Path) -> None:
    items = items_of(case)
    found = {
        "counts": dict(sorted(Counter(type(item).__name__ for item in items).items())),
        "items": [shown(item) for item in items[:SHOWN]],
        "bad": [shown(item) for item in items if isinstance(item, BadItem)],
    }
    found = json.loads(json.dumps(found))
    expected = case / "expected.json"
    if os.environ.get("CONNECTOR_SAMPLES") == "write":
        expected.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert found == json.loads(expected.read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_every_item_says_where_it_stood_and_keeps_its_bytes_bounded(case: Path) -> None:
    for item in items_of(case):
        assert item.place
        assert len(item.raw) <= KEPT or isinstance(item, StixItem)
        if isinstance(item, BadItem):
            assert item.reason
            assert item.message.strip()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_the_cursor_survives_json_and_then_there_is_nothing_new(case: Path) -> None:
    _, connector, settings = parts(case)
    if "path" not in type(settings).model_fields:
        pytest.skip(f"{connector.name} reads no files; tests/connectors has its cursor")
    cursor: dict[str, Any] = {}
    for portion in connector.fetch(settings, cursor, Http()):
        for _ in portion.items:
            pass
        cursor = json.loads(json.dumps(portion.cursor))
    again = [item for portion in connector.fetch(settings, cursor, Http()) for item in portion.items]
    assert again == []


@pytest.mark.parametrize("name", all_connectors())
def test_every_connector_has_a_sample_and_describes_its_settings(name: str) -> None:
    assert any(case.parent.name == name for case in CASES)
    settings = all_connectors()[name].Settings
    assert settings.__doc__
    for field_name, field in settings.model_fields.items():
        assert field.description, f"{name}.{field_name} has no description"


@pytest.mark.parametrize("name", all_connectors())
def test_an_unknown_setting_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="unheard_of"):
        all_connectors()[name].Settings.model_validate({"unheard_of": 1})


FOREIGN = {
    "a web page": b"<!DOCTYPE html><html><body>Please log in</body></html>",
    "UTF-16": "192.0.2.1\n".encode("utf-16"),
    "a ZIP archive": b"PK\x03\x04rest",
    "truncated gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + b"\x01" * 3,
}


@pytest.mark.parametrize("name", all_connectors())
@pytest.mark.parametrize("kind", FOREIGN)
def test_something_else_gives_one_clear_sentence(name: str, kind: str) -> None:
    connector, settings = _first_case(name)
    with pytest.raises(NotThatFormat) as caught:
        list(connector.read(settings, io.BytesIO(FOREIGN[kind]), "input"))
    assert caught.value.message.startswith("input")
    assert "\n" not in caught.value.message


class Endless(io.RawIOBase):
    """A stream of one byte sequence, repeated up to a length, that takes no memory."""

    def __init__(self, head: bytes, body: bytes, length: int) -> None:
        self._head, self._body, self._left = head, body * (65536 // len(body)), length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        data = (self._head or self._body)[: min(len(target), self._left)]
        self._head = self._head[len(data) :]
        target[: len(data)] = data
        self._left -= len(data)
        return len(data)


HUGE = {
    "one line": (b"", b"A"),
    "one string in JSON": (b'{"objects":[{"type":"', b"A"),
    "one string in an array": (b'[{"a":"', b"A"),
    "deep JSON": (b"", b"["),
    "deep objects": (b"", b'{"a":'),
}


@pytest.mark.parametrize("name", all_connectors())
@pytest.mark.parametrize("kind", HUGE)
def test_200_mb_of_nonsense_take_little_memory(name: str, kind: str) -> None:
    connector, settings = _first_case(name)
    stream = io.BufferedReader(Endless(*HUGE[kind], 200 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        found = list(connector.read(settings, stream, "input"))
        assert all(isinstance(item, BadItem) for item in found)
        assert 1 <= len(found) <= 5
    except NotThatFormat as fault:
        assert fault.message.startswith("input")
    growth_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert growth_kb < 80 << 10


def _first_case(name: str) -> tuple[Connector, ConnectorSettings]:
    case = next(case for case in CASES if case.parent.name == name)
    return parts(case)[1:]


def declared() -> Iterator[Path]:
    yield from sorted((ROOT / "feeds" / "sources").glob("*.toml"))


@pytest.mark.parametrize("path", declared(), ids=lambda path: path.stem)
def test_every_shipped_declaration_is_whole(path: Path) -> None:
    feed = load_feed(path)
    assert feed.description
    assert feed.documentation.startswith("https://")
    assert feed.terms.startswith("https://")
    collections = {file.stem for file in (ROOT / "feeds" / "collections").glob("*.toml")}
    assert set(feed.collections) <= collections
    if not feed.redistribute:
        assert not feed.enabled, "terms that forbid passing on are accepted by a person, not by us"


def test_shipped_declarations_load_together() -> None:
    assert len(load_feeds([ROOT / "feeds" / "sources"])) == len(list(declared()))


def test_a_bad_declaration_is_named_without_its_values(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('title = "x"\nconnector = "stix"\npassword = "hunter2"\n')
    with pytest.raises(BadSettings, match=r"bad\.toml") as caught:
        load_feed(tmp_path / "bad.toml")
    assert "hunter2" not in str(caught.value)
