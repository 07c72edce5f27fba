"""The ledger: how often each observable was seen by each sensor on each day, with sample events."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

import msgspec

from hub.model.events import Event
from hub.model.observables import index_key, key_of, span
from hub.store.ports import SAMPLES, LedgerCount, LedgerKey, LedgerRow
from hub.store.retention import HORIZON, kept_since
from hub.store.sqlite.lists import as_list
from hub.store.sqlite.names import Names

_ADD = """
    INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        number = number + excluded.number, first = min(first, excluded.first), last = max(last, excluded.last)
"""
_ROWS = """
    SELECT l.index_key, l.sensor, l.day, l.number, l.first, l.last, e.body
    FROM {source} LEFT JOIN samples AS s ON s.index_key = l.index_key AND s.sensor = l.sensor AND s.day = l.day
    LEFT JOIN events AS e ON e.number = s.event
    WHERE {condition} AND l.day BETWEEN :since AND :until
"""
_EXACT = _ROWS.format(
    source="json_each(:keys) AS wanted CROSS JOIN ledger AS l", condition="l.index_key = wanted.value"
)
_RANGE = _ROWS.format(source="ledger AS l", condition="l.index_key >= :low AND l.index_key < :high")
_ALL = """
    SELECT l.index_key, n.text, l.day, l.number, l.first, l.last, e.body
    FROM ledger AS l JOIN sensors AS n ON n.number = l.sensor
    LEFT JOIN samples AS s ON s.index_key = l.index_key AND s.sensor = l.sensor AND s.day = l.day
    LEFT JOIN events AS e ON e.number = s.event
    WHERE l.index_key > ? AND l.day >= ? ORDER BY l.index_key, n.text, l.day, s.slot
"""
_LAST_DAY = 2**31
_AT_ONCE = 2000
"""Rows that are removed in one transaction: others write in between."""
_index_key = lru_cache(1 << 15)(index_key)
"""A batch asks for every key twice: for its count and for its samples."""
_decode = msgspec.msgpack.Decoder(Event).decode
_encode = msgspec.msgpack.Encoder().encode


def since(db: sqlite3.Connection) -> int:
    """Return the first day that is kept."""
    row = db.execute("SELECT value FROM documents WHERE kind = ? AND key = ?", HORIZON).fetchone()
    return kept_since(row[0] if row else None)


def add(
    db: sqlite3.Connection,
    sensors: Names,
    counts: Mapping[LedgerKey, LedgerCount],
    samples: Mapping[LedgerKey, Sequence[Event]],
) -> None:
    """Add counts to their rows, and samples; those of days that are not kept are dropped."""
    first = since(db)
    if counts:
        _add_counts(db, sensors, [(key, count) for key, count in counts.items() if key.day >= first])
    if samples:
        _add_samples(db, sensors, {key: events for key, events in samples.items() if key.day >= first})


def _add_counts(db: sqlite3.Connection, sensors: Names, counts: Sequence[tuple[LedgerKey, LedgerCount]]) -> None:
    numbers = sensors.intern(db, {key.sensor for key, _ in counts})
    rows = [(_index_key(key.observable), numbers[key.sensor], key.day, *count) for key, count in counts]
    rows.sort()
    db.executemany(_ADD, rows)


def _add_samples(db: sqlite3.Connection, sensors: Names, samples: Mapping[LedgerKey, Sequence[Event]]) -> None:
    """Keep events as samples of rows that have fewer than `SAMPLES`; an event is written once for all its rows."""
    numbers = sensors.intern(db, {key.sensor for key in samples})
    keys = [(_index_key(key.observable), numbers[key.sensor], key.day) for key in samples]
    taken = _taken(db, keys)
    number: int = db.execute("SELECT ifnull(max(number), 0) FROM events").fetchone()[0]
    written: dict[int, int] = {}
    bodies, rows = [], []
    for key, events in zip(keys, samples.values(), strict=True):
        for slot, event in zip(range(taken.get(key, 0), SAMPLES), events, strict=False):
            if id(event) not in written:
                number += 1
                written[id(event)] = number
                bodies.append((number, _encode(event)))
            rows.append((*key, slot, written[id(event)]))
    db.executemany("INSERT INTO events VALUES (?, ?)", bodies)
    rows.sort()
    db.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", rows)


def _taken(db: sqlite3.Connection, keys: Sequence[tuple[str, int, int]]) -> dict[tuple[str, int, int], int]:
    """Return how many samples rows have; those without are not in it."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS sampled (index_key TEXT, sensor INTEGER, day INTEGER)")
    db.execute("DELETE FROM sampled")
    db.executemany("INSERT INTO sampled VALUES (?, ?, ?)", keys)
    found = db.execute(
        "SELECT s.index_key, s.sensor, s.day, count(*) FROM sampled AS k CROSS JOIN samples AS s"
        " ON s.index_key = k.index_key AND s.sensor = k.sensor AND s.day = k.day GROUP BY k.rowid"
    )
    return {(index, sensor, day): number for index, sensor, day, number in found}


def read(
    db: sqlite3.Connection, sensors: Names, observables: Iterable[str], *, under: bool, first: int, until: int | None
) -> list[LedgerRow]:
    """Read rows in order of key, sensor and day, from a day on to another, each with its samples, earliest first."""
    sensors.refresh(db)
    days = {"since": max(first, since(db)), "until": _LAST_DAY if until is None else until}
    found: dict[tuple[str, int, int], tuple[LedgerCount, list[Event]]] = {}
    for sql, values in _queries(observables, under):
        seen: dict[tuple[str, int, int], tuple[LedgerCount, list[Event]]] = {}
        for index, sensor, day, number, first, last, body in db.execute(sql, values | days):
            row = seen.get((index, sensor, day))
            if row is None:
                row = seen[index, sensor, day] = (LedgerCount(number, first, last), [])
            if body is not None:
                row[1].append(_decode(body))
        found.update(seen)
    rows = [
        LedgerRow(
            LedgerKey(key_of(index), sensors.text(sensor), day),
            total,
            tuple(sorted(events, key=lambda event: event.time)),
        )
        for (index, sensor, day), (total, events) in found.items()
    ]
    return sorted(rows, key=lambda row: row.key)


def _queries(observables: Iterable[str], under: bool) -> Iterator[tuple[str, dict[str, str | int]]]:
    keys = dict.fromkeys(observables)
    yield _EXACT, {"keys": as_list(index_key(key) for key in keys)}
    if under:
        for low, high in dict.fromkeys(interval for key in keys for interval in span(key)):
            yield _RANGE, {"low": low, "high": high}


def read_all(db: sqlite3.Connection, after: str) -> Iterator[LedgerRow]:
    """Yield every row behind an index key, in order of index key, sensor and day, samples in the order kept."""
    rows = db.execute(_ALL, (after, since(db)))
    for (index, sensor, day, *total), group in groupby(rows, key=itemgetter(0, 1, 2, 3, 4, 5)):
        events = tuple(_decode(body) for *_, body in group if body is not None)
        yield LedgerRow(LedgerKey(key_of(index), sensor, day), LedgerCount(*total), events)


def forgotten(db: sqlite3.Connection) -> Iterator[list[tuple[str, int, int]]]:
    """Yield the keys of rows that are not kept, some at a time."""
    found = db.execute("SELECT index_key, sensor, day FROM ledger WHERE day < ?", (since(db),))
    while keys := found.fetchmany(_AT_ONCE):
        yield keys


def remove(db: sqlite3.Connection, keys: Sequence[tuple[str, int, int]]) -> None:
    """Delete rows with their samples; an event is a sample of rows of its own day only, and these all go."""
    where = "index_key = ? AND sensor = ? AND day = ?"
    db.executemany(f"DELETE FROM events WHERE number IN (SELECT event FROM samples WHERE {where})", keys)  # noqa: S608
    db.executemany(f"DELETE FROM samples WHERE {where}", keys)  # noqa: S608
    db.executemany(f"DELETE FROM ledger WHERE {where}", keys)  # noqa: S608


def restore(db: sqlite3.Connection, sensors: Names, rows: Sequence[LedgerRow]) -> None:
    """Write rows as they are, with their samples, in place of what is there."""
    numbers = sensors.intern(db, {row.key.sensor for row in rows})
    written: dict[bytes, int] = {}
    kept, samples = [], []
    for row in rows:
        key = (index_key(row.key.observable), numbers[row.key.sensor], row.key.day)
        kept.append((*key, *row.total))
        for slot, event in enumerate(row.samples):
            body = _encode(event)
            if body not in written:
                written[body] = db.execute("INSERT INTO events (body) VALUES (?)", (body,)).lastrowid or 0
            samples.append((*key, slot, written[body]))
    db.executemany("INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?, ?)", kept)
    db.executemany("INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?, ?)", samples)
