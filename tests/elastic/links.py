"""Links between nodes that can be cut: a network namespace for each, joined by a bridge (Linux, root, iproute2).

Between themselves the nodes speak from loopback addresses, which are led over the bridge: one that listens elsewhere
insists on limits of the machine that only its owner can raise.
"""

from __future__ import annotations

import os
import shutil
import subprocess

WITHOUT = "needs root and iproute2 (`ip netns add`) to cut links between nodes"


class NoLinks(Exception):
    """There can be no network namespaces here; the text says what is missing."""


class Links:
    """So many namespaces, each with an address that this machine reaches, and one that the others reach.

    Attributes:
        hosts: the former. inner: the latter.

    Raises:
        NoLinks: they cannot be made here.
    """

    def __init__(self, number: int) -> None:
        if os.geteuid() or not all(shutil.which(program) for program in ("ip", "setpriv")):
            raise NoLinks(WITHOUT)
        self._name = f"hub{os.getpid()}"
        # Of the network that is reserved for tests of networks, RFC 2544.
        self._net = f"198.18.{os.getpid() % 250}"
        self._cut: set[tuple[int, int]] = set()
        self.hosts = [f"{self._net}.{n + 1}" for n in range(number)]
        self.inner = [f"127.99.0.{n + 1}" for n in range(number)]
        try:
            _ip("link", "add", self._name, "type", "bridge")
            _ip("addr", "add", f"{self._net}.254/24", "dev", self._name)
            _ip("link", "set", self._name, "up")
            for n, host in enumerate(self.hosts):
                space = self._space(n)
                _ip("netns", "add", space)
                _ip("link", "add", space, "type", "veth", "peer", "name", "eth0", "netns", space)
                _ip("link", "set", space, "master", self._name, "up")
                _ip("-n", space, "addr", "add", f"{host}/24", "dev", "eth0")
                _ip("-n", space, "link", "set", "lo", "up")
                _ip("-n", space, "addr", "del", "127.0.0.1/8", "dev", "lo")
                _ip("-n", space, "addr", "add", "127.0.0.1/16", "dev", "lo")
                _ip("netns", "exec", space, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet")
                _ip("-n", space, "addr", "add", f"{self.inner[n]}/24", "dev", "eth0")
                _ip("-n", space, "link", "set", "eth0", "up")
        except subprocess.CalledProcessError as error:
            self.remove()
            raise NoLinks(f"{WITHOUT}: {error.stderr.decode().strip()}") from error

    def _space(self, n: int) -> str:
        return f"{self._name}-{n}"

    def inside(self, n: int, user: int) -> list[str]:
        """Return the beginning of a command that runs in a namespace, under a user."""
        return [
            "ip",
            "netns",
            "exec",
            self._space(n),
            "setpriv",
            f"--reuid={user}",
            f"--regid={user}",
            "--clear-groups",
        ]

    def cut(self, sender: int, receiver: int) -> None:
        """Let everything that one node sends to another get lost, as if the cable were broken in that direction."""
        if (sender, receiver) not in self._cut:
            _ip("-n", self._space(sender), "route", "add", "blackhole", f"{self.inner[receiver]}/32")
            self._cut.add((sender, receiver))

    def heal(self) -> None:
        """Mend all links."""
        for sender, receiver in self._cut:
            _ip("-n", self._space(sender), "route", "del", "blackhole", f"{self.inner[receiver]}/32")
        self._cut.clear()

    def remove(self) -> None:
        """Take everything away again."""
        for n in range(len(self.hosts)):
            subprocess.run(["ip", "netns", "del", self._space(n)], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self._name], check=False, capture_output=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
