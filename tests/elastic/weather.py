"""Weather that is made on purpose, on the session's node."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elasticsearch import Elasticsearch


@contextmanager
def flooded(admin: Elasticsearch, *indices: str) -> Iterator[None]:
    """Block writes to indices, as Elasticsearch does when its disks are nearly full."""
    block = {"index.blocks.read_only_allow_delete": True}
    admin.indices.put_settings(index=indices, settings=block)
    try:
        yield
    finally:
        admin.indices.put_settings(index=indices, settings=dict.fromkeys(block))


@contextmanager
def red(admin: Elasticsearch, index: str) -> Iterator[None]:
    """Take the files of an index away, as if the only disk with them were gone: no shard of it has a copy."""
    (name,) = found = admin.indices.get_settings(index=index).body
    settings = found[name]["settings"]["index"]
    ((id, node),) = admin.nodes.stats(metric="fs")["nodes"].items()
    shards = Path(node["fs"]["data"][0]["path"]) / "indices" / settings["uuid"]
    away = shards.with_name(f"{shards.name}.away")
    admin.indices.close(index=name)
    shards.rename(away)
    admin.indices.open(index=name, wait_for_active_shards="0")
    admin.cluster.health(index=name, wait_for_status="red", wait_for_no_initializing_shards=True)
    try:
        assert admin.cluster.health(index=name)["status"] == "red"
        yield
    finally:
        shutil.rmtree(shards, ignore_errors=True)
        away.rename(shards)
        # A node that looked for files and found none does not look again by itself.
        back = {"index": name, "node": id, "accept_data_loss": True}
        commands = [{"allocate_stale_primary": back | {"shard": n}} for n in range(int(settings["number_of_shards"]))]
        admin.cluster.reroute(commands=commands, metric="none")
        admin.cluster.health(index=name, wait_for_status="green")
