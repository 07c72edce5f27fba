"""The in-memory index of each process is fresh from the log of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.correlate.test_fresh import committed_here_is_matched_there
from tests.elastic import node
from tests.stores import ENGINE, forget_stores


def test_an_indicator_is_matched_by_another_process_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(node.GIVEN, node.required())
    monkeypatch.setenv(ENGINE, "elastic")
    try:
        committed_here_is_matched_there(tmp_path)
    finally:
        forget_stores(tmp_path)
