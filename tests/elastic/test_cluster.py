"""Three nodes, killed, stopped and cut off from each other: nothing acknowledged is lost, missed or repeated."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import urllib.error
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from hub.errors import StoreUnavailable
from hub.store.elastic.cluster import Cluster
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.journal import Moved
from hub.store.elastic.names import entry_id
from hub.store.opening import Access, open_store
from hub.store.ports import Batch, PageQuery
from tests.contract.drafts import STRANGER, draft, objects
from tests.elastic import node
from tests.elastic.liaison import Liaison
from tests.elastic.strikes import Strikes
from tests.elastic.trio import Trio
from tests.soak.running import prepare
from tests.soak.script import step
from tests.store.test_kills import PROJECT

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("three-nodes")]

STRIKES = int(os.environ.get("SOAK_STRIKES", "50"))
"""Faults of nodes and links in each of the long trials."""


@pytest.fixture(scope="module")
def three() -> Iterator[Trio]:
    node.required()
    made = Trio()
    try:
        made.launch()
        yield made
    finally:
        made.remove()


@pytest.fixture
def trio(three: Trio) -> Iterator[Trio]:
    """The three nodes; what a test that failed left broken is mended for the next."""
    yield three
    three.mend()


def opened(trio: Trio, prefix: str, *which: int, patience: float = 30) -> ElasticStore:
    """Open a store by some of its nodes, or by all."""
    hosts = ",".join(trio.http[n] for n in which) or trio.hosts
    store = open_store(f"http://{hosts}/{prefix}", access=Access(replicas=1), patience=patience)
    assert isinstance(store, ElasticStore)
    return store


def test_without_a_quorum_writers_are_told_and_nothing_is_lost(trio: Trio) -> None:
    store = opened(trio, "quorum", patience=5)
    store.commit(Batch([draft("x--1")]))
    before = store.read_log(0, 10)
    trio.nodes[1].kill()
    trio.nodes[2].kill()
    with pytest.raises(StoreUnavailable) as raised:
        store.commit(Batch([draft("x--2")]))
    assert raised.value.retry_after
    store.close()
    trio.launch(1, 2)
    store = opened(trio, "quorum")
    assert store.read_log(0, 1) == before
    store.commit(Batch([draft("x--2"), draft("x--3")]))
    assert [change.id for change in store.read_log(0, 10)] == ["x--1", "x--2", "x--3"]
    assert store.verify() == []
    store.close()


def seen(store: ElasticStore) -> list[Any]:
    page = store.read_objects(STRANGER, PageQuery("a"))
    return [store.head(), [change.id for change in store.read_log(0, 10)], objects(page.joined)]


class Torn:
    """A store whose log's primary cannot reach its replica, while all else can be written.

    Attributes:
        lost, kept: nodes with the log's primary and its replica. master: the elected one.
        store: opened by all nodes. first, second: opened by the first and the last of these, with little patience.
        before: what they all show. entry: id of the next entry.
    """

    def __init__(self, trio: Trio, prefix: str) -> None:
        self._trio = trio
        self._log = f"{prefix}-log"
        self.master = trio.master()
        self.store = opened(trio, prefix)
        self.store.commit(Batch([draft("x--1")]))
        trio.place(self._log, *{0, 1, 2} - {self.master})
        self.lost, self.kept = trio.copies(self._log)
        # Who believed the entry could apply it.
        trio.place(f"{prefix}-objects-1", self.master, self.lost)
        self._number = self.store._journal.state().number + 1
        self.entry = entry_id(self._number)
        self.first = opened(trio, prefix, self.lost, patience=6)
        self.second = opened(trio, prefix, self.master, patience=6)
        self.before = seen(self.store)
        assert trio.links is not None
        trio.links.cut(self.lost, self.kept)

    def dirty(self) -> Any:
        """Return what the primary alone shows of the next entry."""
        with pytest.raises(urllib.error.HTTPError, match="404"):
            self._trio.ask(self.kept, f"{self._log}/_doc/{self.entry}?preference=_local")
        return self._trio.ask(self.lost, f"{self._log}/_doc/{self.entry}?preference=_local")["_source"]

    def help(self) -> None:
        """Let the second finish what somebody left lying; it asks until it gets the primary's answer."""
        while True:
            with suppress(Moved):
                return self.second._journal.help(self._number, wait=False)

    def close(self) -> None:
        for one in (self.store, self.first, self.second):
            one.close()


def test_what_only_the_primary_has_is_acted_on_by_nobody(trio: Trio) -> None:
    """A primary shows an entry that its replica never got; then it dies, and another entry gets the number."""
    if trio.links is None:
        pytest.skip(trio.why)
    torn = Torn(trio, "dirty")
    with pytest.raises(StoreUnavailable):
        torn.first.commit(Batch([draft("x--2")]))
    dirty = torn.dirty()
    with pytest.raises(StoreUnavailable):
        torn.help()
    with pytest.raises(StoreUnavailable):
        torn.second.commit(Batch([draft("x--3")]))
    assert seen(torn.first) == seen(torn.second) == torn.before
    # The link stays cut: what the dead node's machine has still to send must not arrive.
    trio.nodes[torn.lost].kill()
    later = opened(trio, "dirty", torn.kept, torn.master, patience=120)
    later.commit(Batch([draft("x--4")]))
    got = later._cluster.get("dirty-log", torn.entry)
    assert got is not None and got.source["uid"] != dirty["uid"]
    # Elasticsearch itself may have given what the second asked for to the new primary.
    torn.second.commit(Batch([draft("x--3")]))
    trio.links.heal()
    trio.launch(torn.lost)
    assert seen(torn.first) == seen(torn.second) == seen(torn.store) == seen(later)
    assert sorted(seen(torn.first)[1]) == ["x--1", "x--3", "x--4"]
    assert torn.store.verify() == []
    later.close()
    torn.close()


def test_who_acts_on_what_only_the_primary_has_is_noticed(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial above with writers that do not confirm what they read."""
    if trio.links is None:
        pytest.skip(trio.why)
    torn = Torn(trio, "believed")
    monkeypatch.setattr(Cluster, "touch", lambda *_: True)
    with pytest.raises(StoreUnavailable):
        torn.first.commit(Batch([draft("x--2")]))
    assert torn.dirty()
    torn.help()
    assert seen(torn.second) != torn.before
    torn.close()


def test_partners_of_a_hub_without_a_quorum_are_told(trio: Trio, tmp_path: Path) -> None:
    hub = prepare(tmp_path, store=f"http://{trio.hosts}/partners", store_replicas="1", processes="2")
    try:
        hub.start()
        liaison = Liaison(hub)
        sent = 1
        assert (liaison.send(sent)[0], liaison.ready()) == (202, (200, "ready"))
        before = liaison.read()
        assert before[0] == 200 and json.loads(before[2])["objects"]
        for lost in combinations(range(3), 2):
            for n in lost:
                trio.nodes[n].kill()
            sent += 2
            status, headers, told = liaison.send(sent)
            assert (status, int(headers["Retry-After"]) > 0) == (503, True), told
            assert liaison.ready() in ((200, "reads only"), (503, ""))
            assert hub.answers()
            # What the remaining node holds is read on; what it does not, is said clearly.
            status, headers, body = liaison.read()
            assert status == 200 or (status, int(headers["Retry-After"]) > 0) == (503, True)
            assert status != 200 or json.loads(body)["objects"][: len(json.loads(before[2])["objects"])]
            trio.launch(*lost)
            trio.until(lambda: liaison.ready() == (200, "ready"), "a hub that is well again")
            assert liaison.send(sent)[0] == 202
        found = [(one["id"], one["modified"]) for one in json.loads(liaison.read()[2])["objects"]]
        expected = {put.key[1:] for number in range(1, sent + 1, 2) for put in step("leo", number).puts}
        assert (len(found), set(found)) == (len(expected), expected)
        assert hub.stop() == 0
    finally:
        hub.kill()
    assert "\nTraceback" not in hub.printed.read_text()
    store = opened(trio, "partners")
    assert store.verify() == []
    store.close()


@pytest.mark.parametrize("shards", (1, 3))
def test_node_faults_break_no_promise(trio: Trio, shards: int, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"http://{trio.hosts}/faults-{shards}"
    strikes = Strikes(trio, f"faults-{shards}", random.Random(shards))
    command = [sys.executable, "-m", "tests.store.crash", address, "inf", str(shards)]
    upgrade = [sys.executable, "-m", "tests.elastic.upgrading", address, str(4 - shards)]
    environment = os.environ | {node.SHARDS: str(shards)}
    trial = subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with trial:
        trio.until(lambda: trio.copies(f"faults-{shards}-objects-1"), "a store with copies")
        for number in range(STRIKES):
            if number in (STRIKES // 3, STRIKES // 2):
                # It may come to an end or not: the cluster is struck meanwhile.
                upgrading = subprocess.Popen([*upgrade, "0.005"], cwd=PROJECT, stderr=subprocess.DEVNULL)
                strikes.strike()
                upgrading.kill()
                upgrading.wait()
            else:
                strikes.strike()
        subprocess.run([*upgrade, "0"], cwd=PROJECT, check=True, timeout=300)
        result = json.loads(trial.communicate(timeout=600)[0])
    with capsys.disabled():
        print(f"\n{shards} shards, {result['acknowledged']} acknowledged, {result['polled']} polled {trio.why}")
        for what, number in (strikes.counts + Counter(result["endured"])).items():
            print(f"  {what}: {number}")
    assert result["violations"] == []
    assert result["acknowledged"] > 0
