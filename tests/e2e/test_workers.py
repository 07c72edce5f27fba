"""Several workers of one hub on one machine divide the background work."""

from __future__ import annotations

import json
from pathlib import Path

from tests.connectors.conftest import Web, web  # noqa: F401 - a fixture
from tests.e2e.conftest import threathub
from tests.e2e.workers import declare, divide_and_replace, three
from tests.stores import settings_of, store_in


def test_workers_of_one_store_divide_the_work_and_replace_each_other(tmp_path: Path, web: Web) -> None:  # noqa: F811
    data = tmp_path / "data"
    store = store_in(data)
    own = declare(tmp_path, web)
    with three([data] * 3, store, web, own, settings_of(data)) as workers:
        divide_and_replace(workers)
    store.close()
    shown = threathub("workers", "--json", data=data)
    told = json.loads(shown.stdout)
    assert told["workers"] == []
    assert {"retro-hunt", "sightings"} <= set(told["waiting"])
