"""Leases on a real store: never two workers that believe in the same piece, and none that stays without a worker."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from hub.errors import StoreUnavailable
from hub.ops.board import Board, beat_end, board_write, is_gone, read_board, this_worker
from hub.ops.leases import Leases, kept_up
from hub.store.ports import Batch, Store
from tests.stores import store_in

LEASE = 12_000_000
EXAMPLES = 25
PIECES = frozenset({"feed:a", "feed:b", "feed:c", "feed:d", "rule:x", "rule:y", "sightings"})
RATES = (0.9, 1.0, 1.1)


class Slow:
    """The store as one worker reaches it: just before and after each of its steps something else may happen first.

    Attributes:
        between: called before each read and each commit, and after each commit.
        cut: whether requests fail, and after how many commits' answers are lost.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.between: Callable[[], None] = lambda: None
        self.cut = False
        self.lose_answer = False

    def _reach(self) -> None:
        self.between()
        if self.cut:
            raise StoreUnavailable("the link is cut")

    def document(self, kind: str, key: str) -> Any:
        self._reach()
        return self._store.document(kind, key)

    def documents_at(self, places: Any) -> Any:
        self._reach()
        return self._store.documents_at(places)

    def commit(self, batch: Batch) -> Any:
        self._reach()
        outcome = self._store.commit(batch)
        self.between()
        if self.lose_answer:
            self.lose_answer = False
            raise StoreUnavailable("the answer was lost")
        return outcome


class Machine:
    """One worker with a clock of its own: another zero and another pace than the others'."""

    def __init__(self, store: Store, now: Callable[[], float], offset: int, rate: float, lease: int) -> None:
        self.store = Slow(store)
        self.leases = Leases(
            cast("Store", self.store),
            lambda: self.offers,
            lease,
            clock=lambda: offset + int(now() * rate),
            gone=lambda _: False,
        )
        self.offers = PIECES
        self.looking = False

    def look(self) -> None:
        if self.looking:  # it is in the midst of one, held up
            return
        self.looking = True
        with contextlib.suppress(StoreUnavailable):
            self.leases.look()
        self.looking = False
        self.store.between = lambda: None


class Workers(RuleBasedStateMachine):
    """Several machines, pauses at any step, cut links, lost answers, workers that end without a word."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.machines: list[Machine] = []
        seen = read_board(self.store)
        ends = [beat_end(name, beat.version) for name, beat in seen.beats.items()]
        self.store.commit(Batch(documents=[board_write(Board(), seen.version), *ends]))

    @precondition(lambda self: len(self.machines) < 4)
    @rule(
        offset=st.integers(-(10**15), 10**15), rate=st.sampled_from(RATES), lease=st.sampled_from([LEASE, LEASE // 2])
    )
    def come(self, offset: int, rate: float, lease: int) -> None:
        self.machines.append(Machine(self.store, lambda: self.time, offset, rate, lease))

    @rule(seconds=st.floats(0, 15))
    def wait(self, seconds: float) -> None:
        self.time += seconds * 1e6

    @precondition(lambda self: self.machines)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.machines)).look()

    @precondition(lambda self: self.machines)
    @rule(data=st.data())
    def look_and_be_held_up(self, data: st.DataObject) -> None:
        """While one looks, at some step time passes and others look."""
        machine = data.draw(st.sampled_from(self.machines))
        steps = iter(data.draw(st.lists(st.booleans(), max_size=12)))

        def between() -> None:
            if next(steps, False):
                self.time += data.draw(st.floats(0, 15)) * 1e6
                for other in data.draw(st.lists(st.sampled_from(self.machines), max_size=4)):
                    if other is not machine:
                        other.look()
                self.none_twice()

        machine.store.between = between
        machine.look()

    @precondition(lambda self: self.machines)
    @rule(data=st.data(), what=st.sampled_from(["cut", "lost", "mended", "fewer", "all"]))
    def change(self, data: st.DataObject, what: str) -> None:
        machine = data.draw(st.sampled_from(self.machines))
        if what in ("cut", "mended"):
            machine.store.cut = what == "cut"
        elif what == "lost":
            machine.store.lose_answer = True
        else:
            machine.offers = PIECES if what == "all" else data.draw(st.frozensets(st.sampled_from(sorted(PIECES))))

    @precondition(lambda self: self.machines)
    @rule(data=st.data(), cleanly=st.booleans())
    def end(self, data: st.DataObject, cleanly: bool) -> None:
        machine = data.draw(st.sampled_from(self.machines))
        self.machines.remove(machine)
        if cleanly:
            try:
                machine.leases.leave()
            except StoreUnavailable:
                return
            numbers = read_board(self.store).board.workers.values()
            assert machine.leases.nonce not in {one.nonce for one in numbers}

    @precondition(lambda self: self.machines)
    @rule()
    def calm(self) -> None:
        """When nothing happens any more, every piece has one worker within a lease and a look, all fairly shared."""
        for machine in self.machines:
            machine.store.cut = machine.store.lose_answer = False
            machine.offers = PIECES
        for _ in range(16):
            self.time += LEASE / 12
            for machine in self.machines:
                machine.look()
        for piece in PIECES:
            assert sum(machine.leases.holds(piece) for machine in self.machines) == 1
        for kind in ("feed:", "rule:"):
            shares = [sum(machine.leases.holds(p) for p in PIECES if p.startswith(kind)) for machine in self.machines]
            assert max(shares) - min(shares) <= 1

    @invariant()
    def none_twice(self) -> None:
        for piece in PIECES:
            assert sum(machine.leases.holds(piece) for machine in self.machines) <= 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = store_in(tmp_path)
    yield opened
    opened.close()


def test_never_two_and_never_none(store: Store) -> None:
    machine = type("OnStore", (Workers,), {"store": store})
    run_state_machine_as_test(machine, settings=settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None))


def at_step(number: int, then: Callable[[], None]) -> Callable[[], None]:
    """Return what does something at one of the steps of a look: reads are 1 and 2, then before and after the commit."""
    steps = iter(range(1, 100))
    return lambda: then() if next(steps) == number else None


def test_a_lease_lasts_from_before_its_commit(store: Store) -> None:
    time = [0.0]
    machine = Machine(store, lambda: time[0], 0, 1.0, LEASE)
    for step in (3, 4):
        machine.store.between = at_step(step, lambda: time.__setitem__(0, time[0] + LEASE * 0.6))
        machine.look()
        assert not machine.leases.holds("sightings")
        time[0] += LEASE
    machine.look()
    assert machine.leases.holds("sightings")


def test_a_sign_of_life_that_comes_while_another_takes_over_counts(store: Store) -> None:
    time = [0.0]
    late, hasty = (Machine(store, lambda: time[0], 0, 1.0, LEASE) for _ in range(2))
    for one in (late, hasty) * 2:
        one.look()
    for _ in range(2):
        time[0] += LEASE // 4
        hasty.look()
    time[0] += LEASE // 4
    hasty.store.between = at_step(3, late.look)
    hasty.look()
    kept = {piece for piece in PIECES if late.leases.holds(piece)}
    assert len(kept) == 4
    assert not any(map(hasty.leases.holds, kept))
    time[0] += LEASE
    hasty.look()
    assert all(map(hasty.leases.holds, PIECES))
    late.look()
    assert not any(map(late.leases.holds, PIECES))


@pytest.mark.parametrize("dead", [1, 2])
def test_the_dead_are_replaced_within_their_lease(store: Store, dead: int) -> None:
    """Counted from their last look, by those who look when `Leases.pause` says, even if two of three die at once."""
    time = [0.0]
    machines = [Machine(store, lambda: time[0], 0, 1.0, LEASE) for _ in range(3)]

    def all_look(living: list[Machine]) -> None:
        for machine in living:
            machine.look()
        time[0] += machines[0].leases.pause * 1e6

    for _ in range(20):
        all_look(machines)
    died = time[0] - machines[0].leases.pause * 1e6
    while not all(any(machine.leases.holds(piece) for machine in machines[dead:]) for piece in PIECES):
        all_look(machines[dead:])
        assert time[0] - died <= LEASE + LEASE / 12  # the clock of the test is a look ahead


def holders(store: Store) -> dict[str, str]:
    board = read_board(store).board
    return {piece: board.workers[number].nonce for piece, number in board.holders.items()}


def test_what_is_worked_on_is_finished_before_another_gets_it(store: Store) -> None:
    one, two = (Leases(store, lambda: PIECES, LEASE) for _ in range(2))
    one.look()
    with one.working("sightings", "feed:a") as mine:
        assert mine == {"sightings", "feed:a"}
        one.retire()
        two.look()
        assert {piece for piece, nonce in holders(store).items() if nonce == one.nonce} == mine
        assert not two.holds("sightings")
        with one.working("sightings") as again:
            assert not again
    one.retire()
    two.look()
    assert all(map(two.holds, PIECES))
    one.leave()
    assert set(read_board(store).board.workers) == {"1"}
    assert set(holders(store).values()) == {two.nonce}


def test_a_sole_worker_writes_four_times_a_lease_and_nothing_but_its_sign(store: Store) -> None:
    moment = 0
    leases = Leases(store, lambda: PIECES, LEASE, clock=lambda: moment)
    leases.look()
    board, versions = read_board(store).version, set()
    for step in range(0, 10 * LEASE, LEASE // 12):
        moment = step
        leases.look()
        assert leases.holds("sightings")
        versions.add(read_board(store).beats["0"].version)
    assert read_board(store).version == board
    assert len(versions) <= 40
    assert store.head().position == 0


def test_a_process_of_this_system_that_ended_is_replaced_at_once(store: Store) -> None:
    words = "import sys; from hub.ops.board import this_worker; import msgspec; "
    words += "print(msgspec.json.encode(this_worker('dead', 10**9)).decode(), flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        worker = msgspec.json.decode(process.stdout.readline(), type=type(this_worker("", 0)))
        assert not is_gone(worker)
        process.kill()
    assert is_gone(worker)
    assert is_gone(msgspec.structs.replace(this_worker("", 0), process="1"))
    assert not is_gone(msgspec.structs.replace(worker, place="another system"))
    store.commit(Batch(documents=[board_write(Board({"0": worker}, {"feed:a": "0"}), 0)]))
    leases = Leases(store, lambda: PIECES, LEASE)
    leases.look()
    assert leases.holds("feed:a")


def test_the_thread_renews_and_goes(store: Store) -> None:
    stop = threading.Event()
    leases = Leases(store, lambda: PIECES, 1_000_000)
    with kept_up(leases, stop):
        first = read_board(store).beats["0"].version
        pause = threading.Event()
        for _ in range(600):
            if read_board(store).beats["0"].version > first:
                break
            pause.wait(0.05)
        assert all(map(leases.holds, PIECES))
    assert read_board(store).board == Board()
    assert not any(map(leases.holds, PIECES))
