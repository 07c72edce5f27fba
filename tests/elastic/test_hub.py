"""A whole hub on a cluster, by its settings alone: two machines, one store; out into a file and back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, threathub
from tests.elastic import node

LIST = ROOT / "demo" / "data" / "ipsum" / "ipsum_level5.txt"


@pytest.fixture
def prefixes() -> Iterator[list[str]]:
    """Prefixes of two stores."""
    made = [f"hub-{uuid.uuid4().hex[:12]}" for _ in range(2)]
    yield made
    for prefix in made:
        node.forget(prefix)


def told(*words: str | Path, data: Path, store: str) -> Any:
    done = threathub(*words, "--json", data=data, store=store, store_replicas="0")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def done(*words: str | Path, data: Path, store: str = "") -> str:
    ended = threathub(*words, data=data, store=store, store_replicas="0")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_machines_share_a_hub_and_a_backup_goes_back_into_either_engine(prefixes: list[str], tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    store, other = (f"{node.required()}/{prefix}" for prefix in prefixes)
    missing = threathub("verify", data=one, store=store)
    assert (missing.returncode, "threathub init" in missing.stderr) == (66, True)
    told("init", data=one, store=store)
    counts = told("ingest", LIST, "--connector", "delimited", data=one, store=store)
    assert (counts["fetched"], counts["stored"]) == (1413, 1413)
    again = told("ingest", LIST, "--connector", "delimited", data=two, store=store)
    assert again["unchanged"] == 1413
    listed = done("export", "partner-indicators", data=two, store=store)
    assert len(listed.splitlines()) > 500
    done("backup", tmp_path / "backup.db", data=two, store=store)
    done("restore", tmp_path / "backup.db", data=tmp_path / "file")
    assert done("export", "partner-indicators", data=tmp_path / "file") == listed
    done("restore", tmp_path / "backup.db", data=tmp_path / "three", store=other)
    assert done("export", "partner-indicators", data=tmp_path / "three", store=other) == listed
    assert told("verify", data=tmp_path / "three", store=other)["ok"]
