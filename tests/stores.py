"""The store that a test works on: SQLite's, or with ``HUB_TESTS_ENGINE=elastic`` one on the session's node.

So whole suites run on the other engine without a word changed: ``make test-elastic``. A store belongs to a folder, the
data folder of a hub where there is one; programs that a test starts find it by the settings that are made from it.
"""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from pathlib import Path
from urllib.request import urlopen

import pytest

from hub.store.moving import Movable
from hub.store.opening import Access, open_store
from tests.elastic import node

ENGINE = "HUB_TESTS_ENGINE"
"""Environment variable: ``sqlite`` (default) or ``elastic``."""
ABOUT_SQLITE = pytest.mark.sqlite
"""For tests that look into a database file, or are about what only a file can suffer."""

_made: dict[str, Path] = {}
"""Folders of the stores on the node, by prefix."""


def on_elastic() -> bool:
    """Say whether tests work on Elasticsearch."""
    return os.environ.get(ENGINE, "sqlite") == "elastic"


def examples(number: int) -> int:
    """Return how many examples a property that works on a store is tried with: a commit takes far longer on a node."""
    return max(number // 10, 5) if on_elastic() else number


def address_of(folder: Path) -> str:
    """Return the address of the store that belongs to a folder."""
    if not on_elastic():
        return f"sqlite:///{folder / 'hub.db'}"
    folder = folder.resolve()
    prefix = f"test-{blake2b(str(folder).encode(), digest_size=8).hexdigest()}"
    address = f"{node.required()}/{prefix}"
    _made[prefix] = folder
    return address


def store_in(folder: Path, *, create: bool = True) -> Movable:
    """Open the store that belongs to a folder, again and again, as several processes would."""
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    return open_store(address_of(folder), access=Access(replicas=0, shards=node.shards()), create=create)


def settings_of(folder: Path) -> dict[str, str]:
    """Return the settings by which a hub with this data folder finds its store; none for the default one."""
    if not on_elastic():
        return {}
    return {"store": address_of(folder), "store_replicas": "0", "store_shards": str(node.shards())}


def environment_of(folder: Path) -> dict[str, str]:
    """Return the same as environment variables."""
    return {f"THREATHUB_{name.upper()}": value for name, value in settings_of(folder).items()}


def writes(folder: Path) -> object:
    """Return something that is another after each write to the store that belongs to a folder."""
    if not on_elastic():
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("hub.db*")}
    with urlopen(f"{address_of(folder)}-*/_stats/indexing") as answer:
        return json.load(answer)["_all"]["total"]["indexing"]["index_total"]


def forget_stores(top: Path) -> None:
    """Delete the stores that belong to folders in this one: a node bears hundreds of indices, not thousands."""
    top = top.resolve()
    for prefix in [prefix for prefix, folder in _made.items() if folder.is_relative_to(top)]:
        node.forget(prefix)
        del _made[prefix]
