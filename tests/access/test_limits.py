"""Budgets: bursts pass, loops do not, and one partner does not use up another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.access.limits import FILE_NAME, Limits, Rates
from hub.access.principal import Principal
from hub.errors import TooManyRequests
from hub.model.audience import Reader
from tests.access.served import PASSWORD, TAXII, Served, served


def reader(user: str, organisation: str = "water", token: str | None = None) -> Principal:
    return Principal(user, organisation, "partner", Reader(organisation), token=token)


class Clock:
    """A clock that tests set."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def passes(take: Callable[[], None]) -> int:
    """Return how often it passes before it is refused."""
    for number in range(10_000):
        try:
            take()
        except TooManyRequests as refused:
            assert refused.retry_after
            return number
    return 10_000


def test_a_minutes_budget_at_once_and_then_as_it_refills(clock: Clock) -> None:
    limits = Limits(Rates(requests=60), clock=clock)
    ana = reader("ana")
    assert passes(lambda: limits.request(ana)) == 60
    clock.now += 1
    assert passes(lambda: limits.request(ana)) == 1
    for _ in range(500):  # a poll a second never ends
        clock.now += 1
        limits.request(ana)
    clock.now += 3600
    assert passes(lambda: limits.request(ana)) == 60


def test_what_is_told_as_retry_after_is_enough(clock: Clock) -> None:
    limits = Limits(Rates(requests=7), clock=clock)
    passes(lambda: limits.request(reader("ana")))
    with pytest.raises(TooManyRequests) as refused:
        limits.request(reader("ana"))
    assert refused.value.retry_after
    clock.now += refused.value.retry_after
    limits.request(reader("ana"))


def test_tokens_accounts_and_organisations_each_have_their_own(clock: Clock) -> None:
    limits = Limits(Rates(requests=10, organisation=25), clock=clock)
    assert passes(lambda: limits.request(reader("pam", token="a"))) == 10
    assert passes(lambda: limits.request(reader("pam", token="b"))) == 10
    assert passes(lambda: limits.request(reader("leo"))) == 5
    assert passes(lambda: limits.request(reader("gus", "gas"))) == 10


def test_bytes_count_by_organisation_and_one_body_always_fits(clock: Clock) -> None:
    limits = Limits(Rates(posted=1000), clock=clock)
    limits.posted(reader("leo"), 5000)
    with pytest.raises(TooManyRequests):
        limits.posted(reader("pam"), 1)
    limits.posted(reader("gus", "gas"), 400)
    limits.posted(reader("gus", "gas"), 600)
    clock.now += 60
    limits.posted(reader("pam"), 1000)


def test_no_limit_and_a_clock_that_is_set_back(clock: Clock) -> None:
    assert passes(lambda: Limits(Rates(), clock=clock).request(reader("ana"))) == 10_000
    limits = Limits(Rates(refused=10), clock=clock)
    assert passes(lambda: limits.refused("192.0.2.1")) == 10
    clock.now -= 100_000
    with pytest.raises(TooManyRequests) as refused:
        limits.refused("192.0.2.1")
    assert refused.value.retry_after is not None
    assert refused.value.retry_after <= 60


def test_processes_share_them(tmp_path: Path, clock: Clock) -> None:
    one, two = Limits(Rates(requests=10), tmp_path, clock), Limits(Rates(requests=10), tmp_path, clock)
    size = (tmp_path / FILE_NAME).stat().st_size
    assert passes(lambda: one.request(reader("ana"))) == 10
    assert passes(lambda: two.request(reader("ana"))) == 0
    for number in range(10_000):
        one.request(reader(f"user{number}"))
    assert (tmp_path / FILE_NAME).stat().st_size == size
    one.close()
    two.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    limits = {"limit_requests": "40", "limit_organisation": "60", "limit_refused": "30"}
    with served(tmp_path_factory.mktemp("limits"), limits) as running:
        yield running


def until_refused(hub: Served, authorization: str, source: str = "127.0.0.1") -> tuple[int, dict[str, str], Any]:
    """Ask faster than the budget refills, until it is used up; return that answer."""
    for _ in range(1000):
        answer = hub.call(source=source, Authorization=authorization)
        if answer[0] == 429:
            return answer
    raise AssertionError("never refused")


def test_a_greedy_partner_is_told_when_to_come_back_and_others_go_on(hub: Served) -> None:
    assert {hub.call(Authorization=hub.bearer("leo"))[0] for _ in range(40)} == {200}
    status, headers, error = until_refused(hub, hub.bearer("leo"))
    assert status == 429
    assert headers["content-type"] == TAXII
    assert 0 < int(headers["retry-after"]) <= 60
    assert error["error_code"] == "too-many-requests"
    assert "your organisation" in until_refused(hub, hub.bearer("pam"))[2]["description"]
    assert hub.call(Authorization=hub.bearer("gus"))[0] == 200
    assert hub.call(user="gus", password=PASSWORD)[0] == 200
    told = [(one.who, one.target, one.result) for one in hub.audit() if one.action == "limit"]
    assert ("leo", "water", "too-many-requests") in told
    assert len(told) <= 4  # once for each account and process


def test_strangers_are_limited_by_address_and_those_who_sign_in_from_there_are_not(hub: Served) -> None:
    assert {hub.call(source="127.0.0.8", Authorization="Bearer wrong")[0] for _ in range(30)} == {401}
    assert until_refused(hub, "Bearer wrong", "127.0.0.8")[0] == 429
    assert hub.call(source="127.0.0.7")[0] == 401
    assert hub.call(source="127.0.0.8", Authorization=hub.bearer("ana"))[0] == 200
    assert hub.call("/healthz", source="127.0.0.8", Accept="*/*")[0] == 200
