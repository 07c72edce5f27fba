"""From batches to one entry of the log: what is new, which positions it gets, and every document as it shall be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import orjson

from hub.errors import HubError, Overtaken
from hub.model import times
from hub.store.elastic import counts
from hub.store.elastic.changes import change_source, digest, note_source, removed_source
from hub.store.elastic.cluster import Source
from hub.store.elastic.controls import GONE, Controls, expired
from hub.store.elastic.entries import Barrier, Entry
from hub.store.elastic.faults import Missing
from hub.store.elastic.holdings import Holdings, change_id_of, place_of
from hub.store.elastic.journal import Journal
from hub.store.elastic.names import PLACES, document_id, month_of, note_id, removed_id
from hub.store.elastic.places import Place, Places, places_source
from hub.store.elastic.snapshots import Snapshots
from hub.store.elastic.versions import Live
from hub.store.moving import Portion, StoredChange
from hub.store.ports import Batch, Draft, Outcome, Withdrawal

SWEPT_AFTER = 64
"""Entries after which expired control documents are swept out."""
_NUMBERS = range(-(2**63), 2**63)


class Plan(NamedTuple):
    """An entry, None if nothing changes, and the outcomes or the error of each batch that it was made of."""

    entry: Entry | None
    results: list[list[Outcome] | Exception]


class Planner:
    """Makes entries of the batches that are committed together.

    Args:
        journal: to read what is there. snapshots: to find all versions of an object. places: the interned places.
        make_month: makes the index of a month of the ledger in a generation.
    """

    def __init__(
        self, journal: Journal, snapshots: Snapshots, places: Places, make_month: Callable[[int, str], None]
    ) -> None:
        self._make_month = make_month
        self._journal = journal
        self._snapshots = snapshots
        self._places = places

    def plan(self, batches: Sequence[Batch], state: Barrier) -> Plan:
        """Return the entry that all batches make in this state, and what becomes of each batch.

        Raises:
            Moved: the store is no longer in this state.
        """
        faults = [_fault(batch) for batch in batches]
        writable = [batch for batch, fault in zip(batches, faults, strict=True) if fault is None]
        making = Making(
            state,
            self._places.first(state.places),
            Holdings.read(self._journal, self._snapshots, state, writable, self._places),
            self._controls(state, writable),
            self._rows(state, writable),
        )
        results: list[list[Outcome] | Exception] = []
        for batch, fault in zip(batches, faults, strict=True):
            try:
                results.append(fault or making.take(batch))
            except HubError as error:
                results.append(error)
        return Plan(self._with_months(making.entry(), state), results)

    def receive(self, portion: Portion, state: Barrier) -> Plan:
        """Return the entry that writes records of another store as they are.

        Raises:
            Moved: the store is no longer in this state.
        """
        live = [one.draft for one in portion.changes if one.state == "live"]
        ended = [Withdrawal(one.draft.collection, one.draft.id) for one in portion.changes if one.state != "live"]
        making = Making(
            state,
            self._places.first(state.places),
            Holdings.read(self._journal, self._snapshots, state, [Batch(live, ended)], self._places),
            Controls({}, state.writes),
            counts.Rows({}),
        )
        making.receive(portion)
        return Plan(self._with_months(making.entry(), state), [])

    def _controls(self, state: Barrier, batches: Iterable[Batch]) -> Controls:
        ids = list(dict.fromkeys(document_id(one.kind, one.key) for batch in batches for one in batch.documents))
        there = dict(zip(ids, self._journal.read(state, ids), strict=True)) if ids else {}
        found = Controls(there, state.writes)
        if ids and state.number % SWEPT_AFTER == 0:
            found.sweep(expired(self._snapshots, state))
        return found

    def _rows(self, state: Barrier, batches: Iterable[Batch]) -> counts.Rows:
        keys = {counts.id_of(key): key.day for one in batches for key in (*one.ledger, *one.samples)}
        if not keys:
            return counts.Rows({})
        (horizon,) = self._journal.read(state, [counts.HORIZON_ID])
        since = counts.since_of(horizon)
        rows = [(month_of(day), id) for id, day in keys.items() if day >= since]
        found = self._journal.read_rows(state, rows)
        return counts.Rows({id: one for (_, id), one in zip(rows, found, strict=True)}, since)

    def _with_months(self, entry: Entry | None, state: Barrier) -> Entry | None:
        """Make the indices of months that begin with an entry, wherever it is to be written."""
        for month in () if entry is None else entry.rows.keys() - dict(state.months).keys():
            for number in state.written:
                # New indices that were lost while they were filled stop nobody.
                with suppress(Missing):
                    self._make_month(number, month)
        return entry


class Making:
    """One entry in the making."""

    def __init__(
        self, state: Barrier, places: Sequence[Place], holdings: Holdings, controls: Controls, rows: counts.Rows
    ) -> None:
        self._state = state
        self._places = list(places)
        self._numbers = {place: number for number, place in enumerate(places, 1)}
        self._holdings = holdings
        self._controls = controls
        self._rows = rows
        self._position, self._date, self._largest = state.position, state.date, state.largest
        self._documents: dict[str, Source] = {}

    def receive(self, portion: Portion) -> None:
        """Add records of another store as they are; changes that are there are passed over."""
        for one in portion.changes:
            if one.position > self._position:
                self._receive_change(one)
        for row in portion.ledger:
            self._rows.put(row)
        self._controls.put(portion.documents, portion.document_version)

    def _receive_change(self, one: StoredChange) -> None:
        draft = one.draft
        number = self._number(place := place_of(draft))
        self._position, self._date = one.position, one.date_added
        source = change_source(draft, number, one.position, one.date_added)
        if one.state == "live":
            self._holdings.add(draft.id, Live(change_id_of(draft), source, number, place, stale=True))
            self._largest = max(self._largest, len(draft.body))
            return
        self._holdings.pass_over(draft.id, one.position)
        if one.state == "removed":
            self._documents[removed_id(one.position)] = removed_source(source)
        else:
            version = None if one.every_version else draft.version
            note = note_source(draft.id, version, source, one.position, one.date_added)
            self._documents[note_id(one.position)] = note

    def take(self, batch: Batch) -> list[Outcome]:
        """Add one batch, or nothing of it.

        Raises:
            Conflict: a document's ``expect`` does not hold. Overtaken: the ``basis`` does not.
        """
        basis = batch.basis
        if basis is not None and any(self._holdings.last.get(id, 0) > basis.position for id in basis.ids):
            raise Overtaken("Somebody else changed one of these objects first; try again.")
        self._controls.write(batch.documents)
        if batch.replaces:
            self._withdraw(batch.withdrawals)
        outcomes = [self._append(draft) for draft in batch.drafts]
        if not batch.replaces:
            self._withdraw(batch.withdrawals)
        self._rows.add(batch.ledger, batch.samples)
        return outcomes

    def _next(self) -> tuple[int, int]:
        self._position += 1
        self._date = max(times.now(), self._date + 1)
        return self._position, self._date

    def _number(self, place: Place) -> int:
        number = self._numbers.get(place)
        if number is None:
            self._places.append(place)
            number = self._numbers[place] = len(self._places)
        return number

    def _append(self, draft: Draft) -> Outcome:
        key = change_id_of(draft)
        there = self._holdings.held.get(key)
        if there is not None:
            same = there["doc"]["digest"] == digest(draft.body)
            return Outcome("unchanged" if same else "conflict", there["pos"], there["date"])
        number = self._number(place := place_of(draft))
        position, date = self._next()
        source = change_source(draft, number, position, date)
        self._holdings.add(draft.id, Live(key, source, number, place, stale=True))
        self._documents.pop(key, None)
        self._largest = max(self._largest, len(draft.body))
        return Outcome("stored", position, date)

    def _withdraw(self, withdrawals: Iterable[Withdrawal]) -> None:
        for withdrawal in withdrawals:
            self._withdraw_one(withdrawal)

    def _withdraw_one(self, withdrawal: Withdrawal) -> None:
        versions = self._holdings.versions.get(withdrawal.id)
        removed = versions.in_collection(withdrawal.collection, withdrawal.version) if versions else []
        if not removed:
            return
        for one in removed:
            self._documents[one.key] = GONE
            self._documents[removed_id(one.source["pos"])] = removed_source(one.source)
        position, date = self._next()
        self._holdings.remove(withdrawal.id, removed, position)
        note = note_source(withdrawal.id, withdrawal.version, removed[-1].source, position, date)
        self._documents[note_id(position)] = note

    def entry(self) -> Entry | None:
        """Return the entry with all that was added, or None if that is nothing."""
        documents = self._documents | self._controls.changed
        for id, versions in self._holdings.versions.items():
            if self._holdings.last.get(id, 0) > self._state.position:
                documents |= {one.key: one.source for one in versions.settle()}
        rows = self._rows.changed()
        if not documents and not rows and self._controls.writes == self._state.writes:
            return None
        written = {id: orjson.dumps(source) for id, source in documents.items()}
        if len(self._places) > self._state.places:
            written[PLACES] = places_source(self._places)
        number = self._state.number + 1
        barrier = self._state._replace(
            number=number,
            position=self._position,
            date=self._date,
            places=len(self._places),
            writes=self._controls.writes,
            months=tuple((dict(self._state.months) | dict.fromkeys(rows, number)).items()),
            largest=self._largest,
        )
        return Entry(barrier, written, {month: _written(some) for month, some in rows.items()}, self._state.written)


def _written(documents: Mapping[str, Source]) -> dict[str, bytes]:
    return {id: orjson.dumps(source) for id, source in documents.items()}


def _fault(batch: Batch) -> ValueError | None:
    """Return what makes a batch impossible to write: texts that are no Unicode, numbers that are too large."""
    try:
        for draft in batch.drafts:
            draft.body.decode()
            texts = (draft.collection, draft.id, draft.type, draft.spec_version, draft.version_text, draft.source)
            "".join((*texts, draft.audience.label, *draft.observables, *draft.tokens)).encode()
            numbers = (draft.version, draft.created or 0, draft.valid_until or 0, draft.confidence or 0)
            if any(number not in _NUMBERS for number in numbers):
                raise ValueError("a number is too large to be stored")
        for withdrawal in batch.withdrawals:
            f"{withdrawal.collection}{withdrawal.id}".encode()
        for key in (*batch.ledger, *batch.samples):
            f"{key.observable}{key.sensor}".encode()
        for one in batch.documents:
            f"{one.kind}{one.key}".encode()
    except ValueError as error:
        return error
    return None
