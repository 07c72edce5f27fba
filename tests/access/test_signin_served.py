"""Guessing passwords over real HTTP at a hub with two server processes behind (or not behind) a proxy."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.access.accounts import Accounts
from hub.access.guesses import PAIR
from tests import forked
from tests.access.served import PASSWORD, ROOT, TAXII, Served, served
from tests.stores import environment_of, store_in, writes


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("signin"), {"proxies": '["127.0.0.9"]'}) as running:
        yield running


def lock(hub: Served, user: str, source: str) -> tuple[int, dict[str, str], dict[str, str]]:
    """Guess until the hub answers 429; return that answer."""
    for number in range(PAIR.free + 2):
        status, headers, error = hub.call(user=user, password=f"wrong {number}", source=source)
        if status == 429:
            return status, headers, error
        assert status == 401
    raise AssertionError("never locked")


def test_a_guesser_is_locked_out_in_every_process_and_nobody_else(hub: Served) -> None:
    _, headers, error = lock(hub, "leo", "127.0.0.2")
    assert headers["content-type"] == TAXII
    assert 0 < int(headers["retry-after"]) <= PAIR.first
    assert (error["http_status"], error["error_code"]) == ("429", "too-many-requests")
    for _ in range(6):  # connections go to either process; the right password does not help
        assert hub.call(user="leo", password=PASSWORD, source="127.0.0.2")[0] == 429
    assert hub.call(user="leo", password=PASSWORD, source="127.0.0.3")[0] == 200
    assert hub.call(user="pam", password=PASSWORD, source="127.0.0.2")[0] == 200
    assert hub.call(source="127.0.0.2", Authorization=hub.bearer("leo"))[0] == 200
    assert hub.call(user="leo", password=hub.tokens["leo"], source="127.0.0.2")[0] == 200
    locked = [one for one in hub.audit() if one.action == "signin.lock"]
    assert {(one.target, one.where, one.result) for one in locked} == {("leo", "127.0.0.2", "too-many-requests")}


def test_an_account_that_is_not_there_is_locked_alike(hub: Served) -> None:
    _, _, unknown = lock(hub, "nobody", "127.0.0.4")
    _, _, known = lock(hub, "gus", "127.0.0.4")
    without_seconds = [re.sub(r"\d+ s", "", one.pop("description")) for one in (unknown, known)]
    assert without_seconds[0] == without_seconds[1]
    assert unknown == known


def test_the_same_wrong_password_never_locks(hub: Served) -> None:
    for _ in range(3 * PAIR.free):
        assert hub.call(user="pam", password="the old one", source="127.0.0.5")[0] == 401
    assert hub.call(user="pam", password=PASSWORD, source="127.0.0.5")[0] == 200


def test_a_forged_address_is_ignored_and_a_proxys_is_not(hub: Served) -> None:
    lock(hub, "ana", "127.0.0.6")
    forged = "192.0.2.44"
    assert hub.call(user="ana", password=PASSWORD, source="127.0.0.6", X_Forwarded_For=forged)[0] == 429
    assert hub.call(user="ana", password=PASSWORD, source="127.0.0.9", X_Forwarded_For=forged)[0] == 200
    for number in range(PAIR.free + 2):
        status, *_ = hub.call(user="ana", password=f"no {number}", source="127.0.0.9", X_Forwarded_For=forged)
    assert status == 429
    assert hub.call(user="ana", password=PASSWORD, source="127.0.0.9", X_Forwarded_For="192.0.2.45")[0] == 200
    assert "192.0.2.44" in {one.where for one in hub.audit() if one.action == "signin"}


def test_an_administrator_sees_and_ends_a_lock(hub: Served) -> None:
    lock(hub, "gus", "127.0.0.7")

    def user(*words: str) -> str:
        environment = os.environ | environment_of(hub.data)
        done = forked.run(["user", *words, "--data", str(hub.data)], cwd=ROOT, env=environment)
        done.check_returncode()
        return done.stdout

    shown = user("show", "gus")
    assert "127.0.0.7" in shown
    assert PASSWORD not in shown
    user("unlock", "gus")
    assert hub.call(user="gus", password=PASSWORD, source="127.0.0.7")[0] == 200
    assert [one.target for one in hub.audit() if one.action == "user.unlock"] == ["gus"]


def test_a_remembered_login_writes_nothing(hub: Served) -> None:
    for _ in range(8):
        hub.call(user="pam", password=PASSWORD)
    before = writes(hub.data)
    for _ in range(20):
        assert hub.call(user="pam", password=PASSWORD)[0] == 200
    assert writes(hub.data) == before


def test_a_flood_of_guesses_from_everywhere_keeps_nobody_else_out(hub: Served) -> None:
    assert hub.call(user="ana", password=PASSWORD, source="127.0.0.20")[0] == 200
    over = threading.Event()

    def flood(number: int) -> int:
        tried = 0
        while not over.is_set():
            source = f"127.1.{number}.{tried % 250 + 1}"
            assert hub.call(user="ana", password=f"flood {number} {tried}", source=source)[0] in (401, 429)
            tried += 1
        return tried

    with ThreadPoolExecutor(12) as pool:
        floods = [pool.submit(flood, number) for number in range(12)]
        store = store_in(hub.data)
        answers = []
        for number in range(6):
            password = f"a new long password {number}"  # nothing is remembered of it
            Accounts(store).set_password("ana", password)
            answers.append(hub.call(user="ana", password=password, source="127.0.0.20")[0])
            answers.append(hub.call(source="127.0.0.21", Authorization=hub.bearer("pam"))[0])
        Accounts(store).set_password("ana", PASSWORD)
        store.close()
        over.set()
        tried = sum(one.result(30) for one in floods)
    assert set(answers) == {200}
    assert tried > 24
