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


def test_kills_and_pauses_at_any_step_break_no_promise(address: str):
    result = trial(address, 50, 1)
    assert result["violations"] == []
    assert result["acknowledged"] > 0


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 15))
def test_many_kills_and_pauses_break_no_promise(address: str, seed: int):
    result = trial(address, 400, seed)
    assert result["violations"] == []
    assert all(result["polled"].values())
