"""Real parts, put together as the hub does: an SQLite store, the shipped rules and lists, a small city."""

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.sensors.declaration import Sensor
from connectors.sensors.suricata import Suricata
from hub.admission.gate import Gate, Origin
from hub.admission.warninglists import WarningLists
from hub.correlate.city import City
from hub.correlate.engine import Correlation
from hub.model.audience import TLP
from hub.model.items import IndicatorItem, StixItem
from hub.store.moving import Movable
from hub.store.ports import HUB, Change
from tests.stores import store_in

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "demo" / "data"
RULES = ROOT / "rules"
HONEYPOT_LOG = SAMPLES / "suricata" / "alerts-honeypot-2018.json"
CONFERENCE_LOG = SAMPLES / "suricata" / "alerts-first-org-conf-2015.json.gz"
IPSUM = SAMPLES / "ipsum" / "ipsum_level5.txt"
SHELLSHOCK = next((SAMPLES / "volexity").glob("*hell*hock*"), SAMPLES)

CITY = City("city", "A City", "identity--6f3f5b7a-9c53-5d0e-9d8e-2f4a3b1c7d11")
ASSETS = 'networks = ["138.68.3.71/32", "192.168.0.0/16", "192.0.2.0/24"]\ndomains = ["city.example"]\n'
HONEYPOT = Sensor(name="honeypot", title="Honeypot", format="suricata", role="honeypot")
IDS = Sensor(name="ids", title="Intrusion detection", format="suricata", role="ids")
SURICATA = Suricata()


@dataclass
class Parts:
    store: Movable
    gate: Gate
    correlation: Correlation

    def feed(self, values: Iterable[str], *, source: str = "feed:ipsum", **said: Any) -> None:
        """Store indicators for values, as a list connector does."""
        marking = said.pop("origin_marking", TLP.CLEAR)
        items = [IndicatorItem(value, f"line {number}", **said) for number, value in enumerate(values)]
        origin = Origin(source, source.partition(":")[2], ("partner-indicators",), marking)
        for start in range(0, len(items), 1000):
            self.gate.admit(items[start : start + 1000], origin)

    def admit(self, made: dict[str, Any]) -> None:
        """Store one STIX object of a partner."""
        origin = Origin("feed:ipsum", "ipsum", ("partner-indicators",), TLP.CLEAR)
        self.gate.admit([StixItem(json.dumps(made).encode(), "object")], origin)

    def objects(self, type: str) -> list[dict[str, Any]]:
        """Return the latest version of every object of a type."""
        latest: dict[str, Change] = {}
        position = 0
        while page := self.store.read_log(position, 1000, types=frozenset({type})):
            latest.update({change.id: change for change in page})
            position = page[-1].position
        return [json.loads(change.body) for change in latest.values()]

    def sighted(self) -> dict[str, list[dict[str, Any]]]:
        """Return the sightings by the name of the source of the indicator and its value."""
        found: dict[str, list[dict[str, Any]]] = {}
        sightings = self.objects("sighting")
        indicators = self.store.get(HUB, [each["sighting_of_ref"] for each in sightings])
        for each in sightings:
            change = indicators[each["sighting_of_ref"]]
            value = json.loads(change.body)["pattern"].split("'")[1]
            found.setdefault(f"{change.source} {value}", []).append(each)
        return found


def open_parts(folder: Path, **options: Any) -> Parts:
    """Open (or make) a hub's parts in a folder."""
    assets = folder / "assets.toml"
    assets.write_text(ASSETS)
    lists = WarningLists.load(RULES, assets, cache=ROOT / ".pytest_cache" / "lists")
    store = store_in(folder)
    gate = Gate(store, lists, CITY.organisation)
    return Parts(store, gate, Correlation(store, gate, lists, CITY, [RULES], networks_known=True, **options))


def ipsum() -> list[str]:
    return [line.split()[0] for line in IPSUM.read_text().splitlines() if line and not line.startswith("#")]


def eve(lines: Iterable[dict[str, Any]]) -> bytes:
    """Write Suricata events as a log."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def alert(src: str, dst: str = "192.0.2.1", *, second: int = 0, day: int = 1, **more: Any) -> dict[str, Any]:
    stamp = f"2026-03-{day:02d}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000000+0000"
    told = {"signature_id": 1, "signature": "test", "severity": 2, "category": "c"} | more.pop("alert", {})
    return {"timestamp": stamp, "event_type": "alert", "src_ip": src, "dest_ip": dst, "alert": told, **more}


def ledger_of(parts: Parts, keys: Iterable[str]) -> Counter[tuple[str, str, int, int, int, int]]:
    return Counter((*row.key, *row.total) for row in parts.store.ledger(keys))


def conference_records() -> list[dict[str, Any]]:
    with gzip.open(CONFERENCE_LOG) as stream:
        return list(json.load(stream))
