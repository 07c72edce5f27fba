"""Guessing passwords: what counts, what is slowed down, and who is spared."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hub.access.guesses import ACCOUNT, FILE_NAME, FORGOTTEN, NETWORK, PAIR, Guesses
from hub.access.shared_table import SharedTable
from hub.app import open_hub
from hub.errors import NoSuchFile
from hub.settings import Settings

CACHE = Path(__file__).parents[2] / ".pytest_cache" / "threathub"

HERE, THERE = "192.0.2.1", "198.51.100.9"


class Clock:
    """A clock that tests set."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guesses(tmp_path: Path, clock: Clock) -> Iterator[Guesses]:
    guesses = Guesses(tmp_path, clock)
    yield guesses
    guesses.close()


def guess(guesses: Guesses, number: int, name: str = "ana", where: str = HERE, first: int = 0) -> None:
    for one in range(first, first + number):
        guesses.wrong(guesses.attempt(name, where, f"wrong {one}"))


def waits(guesses: Guesses, name: str = "ana", where: str = HERE) -> int:
    return guesses.wait(guesses.attempt(name, where, "any"))


def test_the_same_wrong_password_is_one_guess(guesses: Guesses) -> None:
    for _ in range(100):
        assert guesses.wrong(guesses.attempt("ana", HERE, "the old one")) == 0
    assert waits(guesses) == 0
    assert [one.guesses for one in guesses.of("ana")] == [1, 1]


def test_different_ones_lock_the_account_for_that_network_only_and_ever_longer(guesses: Guesses, clock: Clock) -> None:
    guess(guesses, PAIR.free)
    assert waits(guesses) == 0
    delays = []
    for one in range(12):
        guess(guesses, 1, first=100 + one)
        delays.append(waits(guesses))
        clock.now += delays[-1]
        assert waits(guesses) == 0
    assert delays[:4] == [PAIR.first, PAIR.first * 2, PAIR.first * 4, PAIR.first * 8]
    assert delays[-1] == PAIR.longest
    guess(guesses, 1, first=200)
    assert waits(guesses, where=THERE) == waits(guesses, name="leo") == 0
    clock.now += FORGOTTEN + 1
    guess(guesses, 1, first=300)
    assert [one.guesses for one in guesses.of("ana")] == [1, 1]


def test_an_ipv6_host_cannot_choose_another_address(guesses: Guesses) -> None:
    for number in range(PAIR.free + 1):
        guess(guesses, 1, where=f"2001:db8::{number}", first=number)
    assert waits(guesses, where="2001:db8::ffff") == PAIR.first
    assert waits(guesses, where="2001:db8:0:1::1") == 0
    assert guesses.of("ana")[1].network == "2001:db8::/64"


def test_guessing_at_many_accounts_slows_a_network_but_not_those_who_sign_in_from_there(guesses: Guesses) -> None:
    guesses.right(guesses.attempt("leo", HERE, "right"))
    for number in range(NETWORK.free + 3):
        guess(guesses, 1, name=f"name{number}", first=number)
    assert waits(guesses, "ana") > 0
    assert waits(guesses, "leo") == 0
    assert waits(guesses, "ana", THERE) == 0


def test_guessing_from_many_networks_slows_strangers_but_not_the_owner(guesses: Guesses) -> None:
    guesses.right(guesses.attempt("ana", HERE, "right"))
    for number in range(ACCOUNT.free + 20):
        guess(guesses, 1, where=f"10.0.{number // 256}.{number % 256}", first=number)
    assert 0 < waits(guesses, where=THERE) <= ACCOUNT.longest
    assert waits(guesses, where=HERE) == 0
    guess(guesses, PAIR.free + 1, where=HERE, first=5000)
    assert waits(guesses, where=HERE) == PAIR.first


def test_unlocking_forgets_guesses_and_keeps_known_networks(guesses: Guesses) -> None:
    guesses.right(guesses.attempt("ana", THERE, "right"))
    guess(guesses, 20)
    guess(guesses, 3, name="leo")
    assert guesses.unlock("ana") == 20
    assert waits(guesses) == 0
    assert [(one.network, one.known, one.guesses) for one in guesses.of("ana")] == [(THERE, True, 0)]
    assert [one.guesses for one in guesses.of("leo")] == [3, 3]


def test_a_clock_that_is_set_back_locks_no_longer_than_the_rule(guesses: Guesses, clock: Clock) -> None:
    guess(guesses, PAIR.free + 1)
    clock.now -= 10 * FORGOTTEN
    assert waits(guesses) <= PAIR.longest


def test_a_flood_fills_nothing_and_pushes_out_neither_locks_nor_known_networks(
    guesses: Guesses, tmp_path: Path
) -> None:
    size = (tmp_path / FILE_NAME).stat().st_size
    guess(guesses, PAIR.free + 5, name="ana")
    guesses.right(guesses.attempt("leo", THERE, "right"))
    for number in range(10_000):
        guesses.wrong(guesses.attempt(f"flood{number}", f"10.{number % 200}.{number // 200}.1", "x"))
    assert waits(guesses) > 0
    assert guesses.known(guesses.attempt("leo", THERE, "any"))
    file = (tmp_path / FILE_NAME).stat()
    assert file.st_size == size
    assert file.st_blocks * 512 >= size  # the disk cannot become too full for it


def test_no_password_can_be_found_by_what_is_kept(guesses: Guesses, tmp_path: Path) -> None:
    guesses.wrong(guesses.attempt("ana", HERE, "a secret with a typo"))
    kept = (tmp_path / FILE_NAME).read_bytes()
    assert b"secret" not in kept
    assert b"ana" not in kept
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0


def test_processes_share_the_counts(guesses: Guesses, tmp_path: Path, clock: Clock) -> None:
    program = (
        "import sys; from pathlib import Path; from hub.access.guesses import Guesses\n"
        f"g = Guesses(Path(sys.argv[1]), lambda: {clock.now})\n"
        "for n in range(50): g.wrong(g.attempt('ana', sys.argv[2], sys.argv[2] + str(n)))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), one]) for one in (HERE, THERE)]
    assert [one.wait(30) for one in running] == [0, 0]
    assert guesses.of("ana")[0].guesses == 100
    assert waits(guesses) == waits(guesses, where=THERE) == PAIR.longest


def test_a_damaged_table_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no table")
    damaged = Guesses(tmp_path)
    guess(damaged, 1)
    damaged.close()
    again = Guesses(tmp_path)
    assert [one.guesses for one in again.of("ana")] == [1, 1]
    again.close()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 2**32 - 1)), max_size=400))
def test_a_table_keeps_what_is_worth_most(changes: list[tuple[int, int]]) -> None:
    table = SharedTable(None, struct.Struct("<I"), worth=lambda values: values[0], sets=8)
    for number, value in changes:
        key = table.digest(str(number))
        assert table.change(key, lambda _, value=value: (value,)) == (value,)  # type: ignore[misc]
        assert table.read(key) == (value,)
    kept = dict(table.records())
    assert len(kept) <= 64
    written = dict(changes)
    assert all(kept.get(table.digest(str(number)), (written[number],)) == (written[number],) for number in written)
    if len(written) <= 8:
        assert len(kept) == len(written)


def test_a_hub_whose_table_cannot_be_made_serves_and_says_so(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir(parents=True)
    hub = open_hub(Settings(data=tmp_path, cache=CACHE), create=True)
    with capture_logs() as logs:
        hub.application()
    with pytest.raises(NoSuchFile, match=FILE_NAME):
        hub.guesses()
    hub.close()
    assert [line["event"] for line in logs] == ["counts are not shared by server processes"]
