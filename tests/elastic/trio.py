"""Three nodes that form a cluster, on loopback or each in a network of its own; what can happen to them."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

from tests.elastic import node
from tests.elastic.links import Links, NoLinks

PATIENCE = 300
"""Seconds that the cluster has to come back; on a busy machine a node starts in a minute."""
_QUICK = """\
cluster.fault_detection.follower_check.interval: 500ms
cluster.fault_detection.follower_check.timeout: 1s
cluster.fault_detection.leader_check.interval: 500ms
cluster.fault_detection.leader_check.timeout: 1s
cluster.publish.timeout: 5s
cluster.follower_lag.timeout: 5s
"""
_PAUSE = threading.Event()
T = TypeVar("T")


class Trio:
    """The three nodes.

    Attributes:
        links: between them, None where there can be none (``why`` says why). nodes: the processes.
        http: addresses for the hub, such as ``127.0.0.1:9200``.
    """

    def __init__(self) -> None:
        self.why = ""
        self.links: Links | None = None
        try:
            self.links = Links(3)
        except NoLinks as error:
            self.why = str(error)
        hosts = self.links.hosts if self.links else ["127.0.0.1"] * 3
        inner = self.links.inner if self.links else hosts
        ports = [9200, 9200, 9200, 9300, 9300, 9300] if self.links else free_ports(6)
        self.http = [f"{host}:{port}" for host, port in zip(hosts, ports[:3], strict=True)]
        seeds = ", ".join(f'"{host}:{port}"' for host, port in zip(inner, ports[3:], strict=True))
        self.nodes = [
            node.Node(
                node.archive(),
                f"node.name: n{n}\nhttp.host: {hosts[n]}\nhttp.port: {ports[n]}\n"
                f"transport.host: {inner[n]}\ntransport.port: {ports[n + 3]}\n"
                f'discovery.seed_hosts: [{seeds}]\ncluster.initial_master_nodes: ["n0", "n1", "n2"]\n'
                f"{_QUICK}{node.OPEN}",
                inside=self.links.inside(n, node.NOBODY) if self.links else (),
            )
            for n in range(3)
        ]

    @property
    def hosts(self) -> str:
        """What an address of a store begins with, after the scheme."""
        return ",".join(self.http)

    def launch(self, *which: int) -> None:
        """Start some nodes, or all, and wait until all three are one cluster."""
        for n in which or range(3):
            self.nodes[n].launch()
        self.wait()

    def mend(self) -> None:
        """Mend all links, let nodes that are stopped go on, and start those that are dead; wait until all is well."""
        if self.links:
            self.links.heal()
        for n, one in enumerate(self.nodes):
            if one.process is None or one.process.poll() is not None:
                one.launch()
            else:
                self.go_on(n)
        self.wait()

    def wait(self) -> None:
        """Wait until all three are one cluster, and everything has its copy."""
        healthy = "_cluster/health?wait_for_nodes=3&wait_for_status=green&timeout=20s&master_timeout=20s"
        self.until(lambda: all(not self.ask(n, healthy, 30)["timed_out"] for n in range(3)), "one cluster of three")

    def until(self, condition: Callable[[], T], what: str) -> T:
        """Wait until something is so, and return it; nodes that do not answer have not said so."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            with suppress(OSError, KeyError):
                if found := condition():
                    return found
            assert all(one.process is None or one.process.poll() is None for one in self.nodes), (
                "a node ended by itself"
            )
            _PAUSE.wait(0.2)
        raise AssertionError(f"there never was {what}")

    def ask(self, n: int, path: str, timeout: float = 5, body: object = None) -> Any:
        """Ask one node for JSON; with a body, PUT it.

        Raises:
            OSError: it does not answer, or not well.
        """
        data = None if body is None else json.dumps(body).encode()
        method = "GET" if body is None else "PUT"
        asked = urllib.request.Request(
            f"http://{self.http[n]}/{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            return json.load(answer)

    def master(self) -> int:
        """Return which node is the elected one."""
        return _number(self.ask(0, "_cat/master?format=json")[0]["node"])

    def copies(self, index: str) -> tuple[int, int]:
        """Return which nodes hold the first shard of an index, or of the last of several: its primary, its replica.

        Raises:
            KeyError: they are not there just now, or on their way elsewhere.
        """
        found = self.ask(0, f"_cat/shards/{index}?format=json&h=shard,prirep,node,state")
        if any(one["state"] != "STARTED" for one in found):
            raise KeyError(index)
        where = {one["prirep"]: _number(one["node"]) for one in found if one["shard"] == "0"}
        return where["p"], where["r"]

    def place(self, pattern: str, *where: int) -> None:
        """Have indices on these nodes and no others."""
        names = ",".join(f"n{n}" for n in where)
        self.ask(0, f"{pattern}/_settings", 30, {"index.routing.allocation.include._name": names})
        self.until(lambda: set(self.copies(pattern)) <= set(where), f"{pattern} on {names}")

    def stop(self, n: int) -> None:
        """Let a node stand still."""
        self.nodes[n].signal(signal.SIGSTOP)

    def go_on(self, n: int) -> None:
        """Let a node that was stopped go on."""
        self.nodes[n].signal(signal.SIGCONT)

    def remove(self) -> None:
        """End the nodes, and take their folders and networks away."""
        for one in self.nodes:
            one.remove()
        if self.links:
            self.links.remove()


def _number(name: str) -> int:
    return int(name.removeprefix("n"))


def free_ports(number: int) -> list[int]:
    """Return ports that nobody listens at."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
