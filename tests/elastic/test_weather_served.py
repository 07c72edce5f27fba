"""Bad weather as those see it who use a hub: partners, analysts, the administrator and his monitoring."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from elasticsearch import Elasticsearch

from tests.elastic import node
from tests.elastic.liaison import Liaison, fails, refused
from tests.elastic.weather import flooded, red
from tests.soak.running import Running, prepare


@dataclass
class Served:
    """A hub on the session's node, somebody who uses it, and the node's own administrator."""

    hub: Running
    liaison: Liaison
    admin: Elasticsearch
    prefix: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    prefix = f"weather-{uuid.uuid4().hex[:12]}"
    address = node.required()
    place = {"store": f"{address}/{prefix}", "store_replicas": "0"}
    hub = prepare(tmp_path_factory.mktemp("weather"), **place, store_patience="2")
    try:
        hub.start()
        with Elasticsearch(address) as admin:
            yield Served(hub, Liaison(hub), admin, prefix)
        assert hub.stop() == 0
        assert "\nTraceback" not in hub.printed.read_text()
    finally:
        hub.kill()
        node.forget(prefix)


def sends(served: Served, number: int) -> bool:
    return served.liaison.send(number)[0] == 202


def reads(served: Served) -> bool:
    return served.liaison.read()[0] == served.liaison.search()[0] == 200 and served.liaison.command()[0] == 0


def test_full_disks(served: Served) -> None:
    assert sends(served, 1)
    with flooded(served.admin, f"{served.prefix}-*"):
        assert refused(served.liaison.send(3), of="store-full")
        assert reads(served)
        served.liaison.until(lambda: served.liaison.told() == (200, "reads only", "store-full"), "a word of it")
    served.liaison.until(lambda: served.liaison.ready() == (200, "ready"), "a hub that is well again")
    assert sends(served, 3) and reads(served)


def test_a_shard_that_is_red(served: Served) -> None:
    assert sends(served, 5)
    with red(served.admin, f"{served.prefix}-objects-1"):
        for answer in (served.liaison.send(7), served.liaison.read(), served.liaison.search()):
            assert refused(answer, of="store-unavailable"), answer
        assert fails(served.liaison.command(), of="shard")
        served.liaison.until(lambda: served.liaison.told() == (503, "", "store-unavailable"), "a word of it")
        assert served.hub.answers()
    served.liaison.until(lambda: served.liaison.ready() == (200, "ready"), "a hub that is well again")
    assert sends(served, 7) and reads(served)
