"""No input makes a parser raise what it should not, and no request makes the hub fail, tell too much, or die."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.soak.fuzzing import SECONDS, fuzz, mangled
from tests.soak.parsers import Parser, parsers
from tests.soak.requests import CANARY, check, requests
from tests.soak.running import PASSWORD, Running, prepare


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Parser]:
    return parsers(tmp_path_factory.mktemp("parsers"))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    limits = {"limit_requests": "0", "limit_organisation": "0", "limit_refused": "0", "limit_posted": "0"}
    secret = {"feed_secrets": f'{{"canary": "{CANARY}"}}'}
    running = prepare(tmp_path_factory.mktemp("fuzz"), {"SOAK_CANARY": CANARY}, worker="false", **secret, **limits)
    try:
        running.start()
        yield running
        printed = running.printed.read_text()
        assert "Traceback" not in printed
        for secret_text in (CANARY, PASSWORD, *running.tokens.values()):
            assert secret_text not in printed
    finally:
        running.kill()


def send(hub: Running, seconds: float) -> Counter[int]:
    """Fuzz the running hub; return how often it answered with which status."""
    statuses: Counter[int] = Counter()
    pids = hub.pids()
    fuzz(lambda request: statuses.update((check(hub, request),)), requests(hub.tokens), seconds)
    assert hub.answers()
    assert hub.pids() == pids
    return statuses


@pytest.mark.xdist_group("fuzz-parsers")
def test_parsers(readers: dict[str, Parser]) -> None:
    for parser in readers.values():
        fuzz(parser.check, mangled(parser.seeds), examples=40)


@pytest.mark.xdist_group("fuzz-requests")
def test_requests(hub: Running) -> None:
    statuses = send(hub, 3)
    assert {200, 401, 404} <= set(statuses)


@pytest.mark.soak
@pytest.mark.xdist_group("fuzz-parsers")
def test_parsers_for_long(readers: dict[str, Parser], capsys: pytest.CaptureFixture[str]) -> None:
    each = SECONDS / len(readers)
    counts = {name: fuzz(parser.check, mangled(parser.seeds), each) for name, parser in readers.items()}
    with capsys.disabled():
        print(f"\nparsers, inputs each: {counts}")


@pytest.mark.soak
@pytest.mark.xdist_group("fuzz-requests")
def test_requests_for_long(hub: Running, capsys: pytest.CaptureFixture[str]) -> None:
    statuses = send(hub, SECONDS)
    assert {200, 202, 401, 403, 404, 415, 422} <= set(statuses)
    with capsys.disabled():
        print(f"\nrequests: {statuses.total()}, answered {dict(sorted(statuses.items()))}")
