"""The store that a test works on: SQLite's, or with ``HUB_TESTS_ENGINE=elastic`` one on the session's node.

So whole suites can be run on the other engine without a word changed: ``make test-elastic``.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

from hub.store.moving import Movable
from hub.store.opening import Access, open_store
from tests.elastic import node

ENGINE = "HUB_TESTS_ENGINE"
"""Environment variable: ``sqlite`` (default) or ``elastic``."""


def address_of(engine: str, folder: Path) -> str:
    """Return the address of the store that belongs to a folder."""
    if engine == "sqlite":
        return f"sqlite:///{folder / 'hub.db'}"
    return f"{node.required()}/test-{blake2b(str(folder.resolve()).encode(), digest_size=8).hexdigest()}"


def store_in(folder: Path) -> Movable:
    """Open the store that belongs to a folder, again and again, as several processes would."""
    return open_store(
        address_of(os.environ.get(ENGINE, "sqlite"), folder), access=Access(replicas=0, shards=node.shards())
    )
