"""Writers and readers of a cluster, killed, stopped and cut off at any step, lose nothing and repeat nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.elastic import node
from tests.store.test_kills import trial


@pytest.fixture
def address() -> Iterator[str]:
    """Address of an empty store."""
    prefix = f"kills-{uuid.uuid4().hex[:12]}"
    yield f"{node.required()}/{prefix}"
    node.forget(prefix)


@pytest.mark.parametrize("shards", (1, 3))
def test_kills_and_pauses_at_any_step_break_no_promise(address: str, shards: int):
    result = trial(address, 25, 1, shards)
    assert result["violations"] == []
    assert result["acknowledged"] > 0
    assert result["endured"]["refresh intervals set"]


@pytest.mark.soak
@pytest.mark.parametrize("shards", (1, 3))
@pytest.mark.parametrize("seed", (10, 11))
def test_many_kills_and_pauses_break_no_promise(
    address: str, seed: int, shards: int, capsys: pytest.CaptureFixture[str]
):
    result = trial(address, 400, seed, shards)
    with capsys.disabled():
        print(
            f"\n{shards} shards: {result['endured']}, {result['acknowledged']} acknowledged, {result['polled']} polled"
        )
    assert result["violations"] == []
    assert all(result["polled"].values())
    assert sum(result["endured"].values()) > 400
