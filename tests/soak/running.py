"""A whole hub as its operator runs it, `threathub serve` with its worker: started, stopped, killed, started again."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hub.access.accounts import Organisation
from hub.app import Hub, open_hub
from hub.settings import Settings
from tests.stores import settings_of

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".pytest_cache" / "threathub"
START_SECONDS = 60.0
SERVER, WORKER = b"hub.cli", b"spawn_main"
"""Parts of the command lines of web server processes and of background work."""
PASSWORD = "a long enough password"

MEMBERS = (
    (Organisation("city", "The city", "city"), "ana", "analyst"),
    (Organisation("water", "Water works", "department"), "leo", "liaison"),
    (Organisation("gas", "Gas works", "partner"), "lia", "liaison"),
    (Organisation("bank", "Bank", "partner"), "ben", "partner"),
    (Organisation("state", "State agency", "federal"), "sam", "liaison"),
)
SHARED, PUBLISHED = "shared", "bulletin"
"""Collections made for the tests: one that its writers own, and one that the hub publishes."""

_EVERYBODY = 'read = ["everyone"]\nwrite = ["role:liaison", "role:analyst"]\n'


@dataclass
class Running:
    """A hub in a data folder and the processes that serve it."""

    data: Path
    tokens: dict[str, str]
    settings: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    printed: Path = Path()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the hub and wait until it answers."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("THREATHUB_")}
        environment = kept | self.environment
        environment |= {f"THREATHUB_{name.upper()}": value for name, value in self.settings.items()}
        command = [sys.executable, "-m", "hub.cli", "serve", "--data", str(self.data), "--port", str(self.port)]
        with self.printed.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, self.printed.read_text()[-2000:]
            assert time.monotonic() < until, self.printed.read_text()[-2000:]
            time.sleep(0.05)

    def answers(self, timeout: float = 10) -> bool:
        """Say whether ``/healthz`` is answered."""
        try:
            return self.ask("GET", "/healthz", timeout=timeout)[0] == 200
        except OSError:
            return False

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 30,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Send one request; return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def pids(self) -> list[int]:
        """Return the processes of the running hub: the one that watches, the web server's, the worker."""
        assert self.process is not None
        found, fresh = [self.process.pid], [self.process.pid]
        while fresh:
            pid = fresh.pop()
            for listed in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):  # it ended just now
                    children = [int(child) for child in listed.read_text().split()]
                    found += children
                    fresh += children
        return found

    def pids_of(self, part: bytes) -> list[int]:
        """Return the processes below the first one whose command line holds a part."""
        found = []
        for pid in self.pids()[1:]:
            with contextlib.suppress(OSError):
                found += [pid] * (part in Path(f"/proc/{pid}/cmdline").read_bytes())
        return found

    def stop(self) -> int:
        """End the hub as a service manager would; return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """Kill every process of the hub at once."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def opened(data: Path, feeds: Path | str, *, create: bool = False, **settings: str) -> Hub:
    """Open the hub of a data folder in this process."""
    given = {"data": data, "feeds": feeds, "cache": CACHE, **settings_of(data), **settings}
    return open_hub(Settings.model_validate(given), create=create)


def prepare(folder: Path, environment: Mapping[str, str] | None = None, /, **settings: str) -> Running:
    """Make a hub with a member for every kind of reader, and two collections that everybody may read.

    Args:
        folder: for everything. environment: further variables of its processes. settings: of the hub.
    """
    own = folder / "own" / "collections"
    own.mkdir(parents=True)
    for key, published in ((SHARED, "false"), (PUBLISHED, "true")):
        text = f'key = "{key}"\nid = "{uuid.uuid4()}"\ntitle = "{key.title()}"\n{_EVERYBODY}published = {published}\n'
        (own / f"{key}.toml").write_text(text)
    data = folder / "data"
    place = {name: value for name, value in settings.items() if name.startswith("store")}
    hub = opened(data, own.parent, create=True, **place)
    try:
        tokens = {}
        for organisation, user, role in MEMBERS:
            hub.accounts.add_organisation(organisation)
            hub.accounts.add_user(user, organisation.name, role, PASSWORD)  # type: ignore[arg-type]
            tokens[user] = hub.accounts.add_token(user)[1]
    finally:
        hub.close()
    given = {"feeds": str(own.parent), "cache": str(CACHE), "log_format": "json"} | settings_of(data) | settings
    return Running(data, tokens, given, dict(environment or {}), free_port(), folder / "printed.txt")


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Running]:
    """Serve a new hub; when it is over, nothing of it runs and its folder is gone."""
    hub = prepare(folder, **settings)
    try:
        hub.start()
        yield hub
    finally:
        if hub.process is not None and hub.process.poll() is None:
            hub.kill()
        shutil.rmtree(hub.data)
