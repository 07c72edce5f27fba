"""Declared sensors, and a format that somebody adds."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from connectors import sensors as package
from connectors.sensors import formats
from connectors.sensors.declaration import sensors
from hub.errors import BadSettings, NoSuchFile
from hub.model.items import EventItem

SHIPPED = Path(__file__).parents[2] / "feeds" / "sensors"
GOOD = 'name = "pot"\ntitle = "Pot"\nformat = "suricata"\nrole = "honeypot"\nzone = "Europe/Berlin"\n'


def test_the_shipped_declarations_hold() -> None:
    declared = sensors(SHIPPED)
    assert {sensor.format for sensor in declared.values()} == set(formats())
    assert all(path.stem in declared for path in SHIPPED.glob("*.toml"))


def test_a_sensor_reads_times_in_its_own_zone(tmp_path: Path) -> None:
    (tmp_path / "pot.toml").write_text(GOOD)
    line = b'{"timestamp":"2026-07-01T12:00:00.000000","event_type":"flow","src_ip":"192.0.2.1"}\n'
    own = sensors(tmp_path)["pot"].log_format
    times = [item.event.time for form in (formats()["suricata"], own) for item in form.events(io.BytesIO(line), "pot")
             if isinstance(item, EventItem)]  # fmt: skip
    assert times[0] - times[1] == 2 * 3600 * 1_000_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("suricata", "snort"), "there is no format 'snort'"),
        (GOOD.replace("Europe/Berlin", "Mars/Base"), "there is no time zone 'Mars/Base'"),
        (GOOD.replace("Europe/Berlin", "../../etc/passwd"), "there is no time zone"),
        (GOOD + 'color = "red"\n', "pot.toml: color"),
        (GOOD.replace('"pot"', '"A Pot"'), "pot.toml: name"),
        ("name = ", "is not TOML"),
    ],
)
def test_a_wrong_declaration_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pot.toml").write_text(text)
    with pytest.raises(BadSettings, match=message):
        sensors(tmp_path)


def test_two_sensors_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text(GOOD)
    with pytest.raises(BadSettings, match="another sensor pot"):
        sensors(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoSuchFile, match="none-here"):
        sensors(tmp_path / "none-here")


def test_a_file_that_is_put_into_the_package_is_a_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counter.py").write_text(
        "import re\n"
        "from connectors.sensors.records import LogFormat\n"
        "from hub.model.events import Event\n"
        "class Counter(LogFormat):\n"
        "    name, title, beginning = 'counter', 'a counter', re.compile(rb'^count')\n"
        "    def reader(self, sensor):\n"
        "        return lambda raw, whole: Event(1, sensor, 'other', (), {}, raw)\n"
    )
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    formats.cache_clear()
    try:
        (item,) = formats()["counter"].events(io.BytesIO(b"count 1\n"), "s")
        assert isinstance(item, EventItem) and item.event.raw == b"count 1"
    finally:
        formats.cache_clear()
