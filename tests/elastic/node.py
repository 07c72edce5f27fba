"""A real Elasticsearch node for the tests: the official minimal distribution, in a folder and under a user of its own.

It comes from Maven Central, is kept in the user's cache folder and unpacked anew for each test session, because it
must not run as root and root's cache is closed to others. One node serves all workers of a session: the first that
asks starts a *keeper* (this file run as a program), which starts the node and ends it, by its process id, when the
session is over, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

VERSION = "8.19.21"
ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
DEMAND = "HUB_TESTS_DEMAND_ELASTIC"
"""Environment variable: where it is set, tests that need a node fail without one."""
GIVEN = "HUB_TESTS_NODE"
"""Environment variable: the address of a node that runs already, to be used instead."""
SESSION = "HUB_TESTS_SESSION"
"""Environment variable: the process whose end ends the node, where several test sessions share one."""
SHARDS = "HUB_TESTS_SHARDS"
"""Environment variable: into how many shards the stores of tests are divided."""
MISSING = "needs Java 17 or newer and Maven (Debian: openjdk-17-jre-headless, maven) for a real Elasticsearch node"

NOBODY = 65534
"""The unprivileged user and group that nodes run under."""
_CONFIG = """\
cluster.name: city-threat-hub-tests
network.host: 127.0.0.1
node.portsfile: true
path.data: {folder}/data
path.logs: {folder}/logs
path.repo: {folder}/snapshots
cluster.routing.allocation.disk.threshold_enabled: false
cluster.max_shards_per_node: 10000
"""


ALONE = "node.name: one\ndiscovery.type: single-node\nhttp.port: 0\ntransport.port: 0\n"
NO_FILES: Mapping[str, bytes] = MappingProxyType({})
OPEN = "xpack.security.enabled: false\n"
BRIEF = "-Xms512m -Xmx512m -XX:TieredStopAtLevel=1"
"""A node that lives for a minute or two: the quick compiler alone is quicker."""


class NoNode(Exception):
    """There can be no node here; the text says why and what to install."""


def possible() -> bool:
    """Say whether there can be a node here, or is one already."""
    return bool(os.environ.get(GIVEN) or (shutil.which("java") and shutil.which("mvn")))


def begin() -> Path:
    """Start the session's node if nobody has; return the folder where its address appears.

    Raises:
        NoNode: Java or Maven is missing.
    """
    if not possible():
        raise NoNode(MISSING)
    # Workers of pytest-xdist end before the session does; their parent is the session.
    session = int(os.environ.get(SESSION, os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()))
    shared = Path(tempfile.gettempdir()) / f"city-threat-hub-session-{session}"
    shared.mkdir(mode=0o700, exist_ok=True)
    with (shared / "lock").open("w") as lock, (shared / "log").open("ab") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "keeper").exists():
            keeper = subprocess.Popen(
                [sys.executable, __file__, str(shared), str(session)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            (shared / "keeper").write_text(str(keeper.pid))
            # It outlives this process on purpose.
            keeper.returncode = 0
    return shared


def begin_early() -> None:
    """Start the session's node if there can be one; who needs it is told when there cannot."""
    if not os.environ.get(GIVEN):
        with suppress(NoNode):
            begin()


@cache
def address() -> str:
    """Return the address of the session's node, started if it is not there yet.

    Raises:
        NoNode: Java or Maven is missing, or the node does not start.
    """
    if os.environ.get(GIVEN):
        return os.environ[GIVEN]
    shared = begin()
    found, failed = shared / "address", shared / "failed"
    while not found.exists():
        if failed.exists():
            raise NoNode(f"Elasticsearch did not start: {failed.read_text()} {(shared / 'log').read_text()[-2000:]}")
        time.sleep(0.05)
    # Programs that a test starts find it too.
    os.environ[GIVEN] = found.read_text()
    return os.environ[GIVEN]


def required() -> str:
    """Return the address of the session's node; without one the test is skipped, or fails where it is demanded."""
    try:
        return address()
    except NoNode as error:
        if os.environ.get(DEMAND):
            raise
        pytest.skip(str(error))


def forget(prefix: str) -> None:
    """Delete the indices of one store, if there is a node at all."""
    try:
        top = address()
    except NoNode:
        return
    with urllib.request.urlopen(f"{top}/{prefix}-*/_alias") as answer:
        names = ",".join(json.load(answer))
    if names:
        request = urllib.request.Request(f"{top}/{names}?ignore_unavailable=true", method="DELETE")
        urllib.request.urlopen(request).close()


def shards(default: int = 1) -> int:
    """Return how many shards the stores of tests have."""
    return int(os.environ.get(SHARDS, default))


def archive() -> Path:
    """Return the distribution's archive, fetched once.

    Raises:
        NoNode: Maven cannot fetch it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "city-threat-hub"
    file = cache / f"elasticsearch-{VERSION}.zip"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "fetching").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                copy = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"]
                done = subprocess.run(copy, cwd=folder, capture_output=True, text=True, check=False)
                if done.returncode:
                    raise NoNode(f"Maven cannot fetch {ARTIFACT}: {done.stdout[-1000:]}")
                (Path(folder) / file.name).rename(file)
    return file


class Node:
    """One running node in a folder of its own.

    Args:
        archive: the distribution. settings: further lines of its configuration. files: more files beside it.
        java: options of its Java machine. on_disk: where writes cost what they do elsewhere, not in memory.
        inside: beginning of a command that runs it elsewhere, under the unprivileged user.
    """

    def __init__(
        self,
        archive: Path,
        settings: str = ALONE + OPEN,
        files: Mapping[str, bytes] = NO_FILES,
        *,
        java: str = BRIEF,
        on_disk: bool = False,
        inside: Sequence[str] = (),
    ) -> None:
        # In memory where there is room: a test session makes and deletes hundreds of indices.
        fast = Path("/dev/shm")
        room = not on_disk and fast.is_dir() and shutil.disk_usage(fast).free > 2 * 2**30
        self._top = Path(tempfile.mkdtemp(prefix="city-threat-hub-node-", dir=fast if room else None))
        with zipfile.ZipFile(archive) as file:
            file.extractall(self._top)
        self.home = next(self._top.glob("elasticsearch-*"))
        for program in (self.home / "bin").iterdir():
            program.chmod(0o755)
        (self.home / "config" / "elasticsearch.yml").write_text(_CONFIG.format(folder=self._top) + settings)
        for name, content in files.items():
            (self.home / "config" / name).write_bytes(content)
        (self._top / "tmp").mkdir()
        self._as_root = os.geteuid() == 0
        self._inside = inside
        if self._as_root:
            for path in (self._top, *self._top.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        home = Path(shutil.which("java") or "java").resolve().parents[1]
        self._environment = {
            "PATH": os.environ["PATH"],
            "ES_JAVA_HOME": str(home),
            "ES_JAVA_OPTS": java,
            "ES_TMPDIR": str(self._top / "tmp"),
            "HOME": str(self._top),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it."""
        (self._top / "logs" / "http.ports").unlink(missing_ok=True)
        changed = self._as_root and not self._inside
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if changed else {}
        self.process = subprocess.Popen(
            [*self._inside, str(self.home / "bin" / "elasticsearch")],
            env=self._environment,
            cwd=self._top,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            **user,  # type: ignore[call-overload]
        )

    def start(self, context: ssl.SSLContext | None = None, login: str = "") -> str:
        """Start it and wait until it answers; return its address.

        Args:
            context: to speak TLS with it. login: ``user:password`` of an account that may ask for its health.

        Raises:
            NoNode: it ended instead.
        """
        self.launch()
        assert self.process is not None
        ports = self._top / "logs" / "http.ports"
        while self.process.poll() is None:
            with suppress(OSError):
                found = f"{'https' if context else 'http'}://{ports.read_text().split()[0]}"
                health = f"{found}/_cluster/health?wait_for_status=yellow&timeout=30s"
                asked = urllib.request.Request(health, headers=_authorized(login))
                with urllib.request.urlopen(asked, context=context) as answer:
                    if answer.status == 200:
                        return found
            time.sleep(0.05)
        raise NoNode("the node ended while it was starting")

    def signal(self, number: int) -> None:
        """Send a signal to the launcher and the server that it started: a session of their own."""
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def remove(self) -> None:
        """End it and delete its folder."""
        self.kill()
        shutil.rmtree(self._top, ignore_errors=True)


def _authorized(login: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}


def _keep(shared: Path, session: int) -> None:
    """Run a node for as long as a test session lives."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    node = None
    try:
        node = Node(archive())
        _publish(shared / "address", node.start())
        while _alive(session):
            time.sleep(0.3)
    except (NoNode, OSError) as error:
        _publish(shared / "failed", str(error))
        while _alive(session):
            time.sleep(0.3)
    finally:
        if node is not None:
            node.remove()
        shutil.rmtree(shared)


def _publish(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    part.write_text(text)
    part.rename(file)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    _keep(Path(sys.argv[1]), int(sys.argv[2]))
