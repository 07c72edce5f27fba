"""What checking passwords may cost, and whom a flood of guesses reaches."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from hub.access import passwords as passwords_module
from hub.access.accounts import Accounts
from hub.access.guesses import PAIR, Guesses
from hub.access.passwords import Passwords
from hub.access.signin import SignIn
from hub.access.turns import Turns
from hub.errors import NotSignedIn, TooManyRequests
from tests.access.conftest import PASSWORD

HERE, THERE = "192.0.2.1", "198.51.100.9"
NOW = 1_800_000_000.0
KEPT = "the hash of the right one"


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every comparison that would have cost an argon2."""
    made: list[tuple[str, str]] = []

    def fits(kept: str, password: str) -> bool:
        made.append((kept, password))
        return kept == KEPT and password == PASSWORD

    monkeypatch.setattr(passwords_module, "password_fits", fits)
    return made


def test_a_right_password_is_remembered_for_its_network_and_its_version(compared: list[tuple[str, str]]) -> None:
    passwords = Passwords()
    for _ in range(5):
        assert passwords.check("ana", HERE, PASSWORD, KEPT, 1).fits
    assert len(compared) == 1
    assert passwords.check("ana", THERE, PASSWORD, KEPT, 1).fits
    assert passwords.check("ana", HERE, PASSWORD, KEPT, 2).fits
    assert len(compared) == 3


def test_wrong_ones_are_remembered_apart_and_push_out_nobodys_login(compared: list[tuple[str, str]]) -> None:
    passwords = Passwords()
    passwords.check("ana", HERE, PASSWORD, KEPT, 1)
    for number in range(3000):
        passwords.check(f"name{number}", f"10.1.{number // 250}.{number % 250}", "guess", None, 0)
    before = len(compared)
    for _ in range(3):
        assert not passwords.check("name2999", "10.1.11.249", "guess", None, 0).fits
    assert passwords.check("ana", HERE, PASSWORD, KEPT, 1).fits
    assert len(compared) == before


def test_the_right_password_does_not_open_a_locked_pair_even_when_it_is_remembered(
    compared: list[tuple[str, str]],
) -> None:
    passwords = Passwords(Guesses(clock=lambda: NOW))
    passwords.check("ana", HERE, PASSWORD, KEPT, 1)
    verdicts = [passwords.check("ana", HERE, f"wrong {number}", KEPT, 1) for number in range(PAIR.free + 1)]
    assert [one.locked > 0 for one in verdicts] == [False] * PAIR.free + [True]
    with pytest.raises(TooManyRequests) as refused:
        passwords.check("ana", HERE, PASSWORD, KEPT, 1)
    assert refused.value.retry_after == PAIR.first
    assert passwords.check("ana", THERE, PASSWORD, KEPT, 1).fits
    assert len(compared) == PAIR.free + 3


def test_many_at_once_get_no_more_guesses_than_one_by_one(compared: list[tuple[str, str]]) -> None:
    passwords, numbers = Passwords(Guesses(clock=lambda: NOW)), count()

    def guess(_: int) -> bool:
        try:
            return passwords.check("ana", HERE, f"wrong {next(numbers)}", KEPT, 1).fits
        except TooManyRequests:
            return False

    with ThreadPoolExecutor(16) as pool:
        assert not any(pool.map(guess, range(200)))
    assert len(compared) == PAIR.free + 1


def test_many_connections_of_one_client_compare_once(compared: list[tuple[str, str]]) -> None:
    passwords = Passwords()
    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(lambda _: passwords.check("ana", HERE, PASSWORD, KEPT, 1).fits, range(64)))
    assert len(compared) == 1


def test_strangers_leave_a_place_to_those_who_are_known() -> None:
    turns = Turns(waiting_strangers=2)
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with turns.turn(known=False):
            inside.set()
            leave.wait(20)

    with ThreadPoolExecutor(2) as pool:
        staying = [pool.submit(stay), pool.submit(stay)]
        assert inside.wait(20)
        for _ in range(3):
            with turns.turn(known=True):
                pass
        while True:  # the second stranger waits for the first by now, or will in an instant
            try:
                with turns.turn(known=False):
                    raise AssertionError("two strangers at a time")
            except TooManyRequests as refused:
                assert refused.retry_after
                break
        leave.set()
        for one in staying:
            one.result(20)
    with turns.turn(known=False):
        pass


def test_few_threads_wait_for_the_same_password() -> None:
    turns, same = Turns(followers=0), threading.Lock()
    with same, pytest.raises(TooManyRequests), turns.after(same):
        pass
    with turns.after(same):
        assert same.locked()
    assert not same.locked()


def test_names_that_are_not_there_cost_and_count_like_others(
    accounts: Accounts, compared: list[tuple[str, str]]
) -> None:
    accounts.add_user("tom", "water", "partner")  # has no password
    signin = SignIn(accounts, guesses=Guesses(clock=lambda: NOW))
    answers = []
    for name in ("ana", "nobody", "tom"):
        for number in range(PAIR.free + 2):
            basic = base64.b64encode(f"{name}:wrong {number}".encode()).decode()
            with pytest.raises((NotSignedIn, TooManyRequests)) as refused:
                signin.principal(f"Basic {basic}", f"10.2.0.{len(name)}")
            answers.append(str(refused.value))
    assert answers[: PAIR.free + 2] == answers[PAIR.free + 2 : 2 * PAIR.free + 4] == answers[2 * PAIR.free + 4 :]
    assert len(compared) == 3 * (PAIR.free + 1)
