"""Sensor events against many indicators, against reading the same lines."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from bench import corpus
from bench.row import Row, rate
from connectors.sensors import formats
from hub.admission.warninglists import WarningLists
from hub.correlate.city import City
from hub.correlate.engine import Correlation
from hub.correlate.index import MatchIndex

FORMAT = formats()["suricata"]


class _Sensor:
    name = "bench"
    role = "ids"


def run(folder: Path, scale: float) -> Iterator[Row]:
    """Measure at 100,000 and 1,000,000 indicators."""
    lines = max(5000, int(100_000 * scale))
    log = _log(lines)
    for number in (100_000, 1_000_000):
        size = max(5000, int(number * scale))
        store = corpus.fill(folder / f"{number}.db", size)
        lists = WarningLists.load(corpus.ROOT / "rules", None, cache=folder / "cache")
        city = City("city", "City", "identity--8c6af861-7b20-41ef-9b59-6344fd872a8f")
        correlation = Correlation(
            store, corpus.gate(store, folder / "cache"), lists, city, [corpus.ROOT / "rules"], networks_known=False
        )
        correlation.index.refresh()
        read = rate(lines, lambda: _count(FORMAT.events(io.BytesIO(log), "bench")))
        matched = rate(lines, lambda: _count(correlation.events.match(io.BytesIO(log), FORMAT, _Sensor())))
        yield Row(f"matching against {size:,} indicators", "events/s", matched, read, "reading the same lines", 0.9)
        variants = iter(log.replace(b'"flow_id":', f'"x{number}":0,"flow_id":'.encode()) for number in range(3))

        def ingested() -> None:
            correlation.events.run(io.BytesIO(next(variants)), FORMAT, _Sensor())
            correlation.settle(force=True)

        with_ledger = rate(lines, ingested)
        yield Row(
            f"with ledger and sightings, {size:,} indicators",
            "events/s",
            with_ledger,
            read,
            "reading the same lines",
            0.6,
        )
        tracemalloc.start()
        index = MatchIndex(store)
        index.refresh()
        yield Row(
            f"index memory at {size:,}", "bytes/indicator", tracemalloc.get_traced_memory()[0] / size, 150.0, "goal", 1
        )
        tracemalloc.stop()
        yield Row(f"store size at {size:,}", "bytes/indicator", _size(folder, f"{number}.db") / size)
        store.close()


def _size(folder: Path, name: str) -> int:
    return sum(file.stat().st_size for file in folder.glob(f"{name}*"))


def _count(things: Iterator[object]) -> int:
    return sum(1 for _ in things)


def _log(lines: int) -> bytes:
    """Return alerts like the published ones, from 500 sources; one in a thousand is of an indicator."""
    alerts = json.loads((corpus.ROOT / "demo/data/suricata/alerts-honeypot-2018.json").read_text())
    chance = random.Random(2018)
    made = io.BytesIO()
    for number in range(lines):
        alert = dict(alerts[number % len(alerts)])
        alert["src_ip"] = (
            corpus.address(number) if number % 1000 == 0 else f"198.18.{chance.randrange(2)}.{number % 250}"
        )
        alert["flow_id"] = number
        made.write(json.dumps(alert, separators=(",", ":")).encode() + b"\n")
    return made.getvalue()
