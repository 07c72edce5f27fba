"""A whole hub as `threathub serve` runs it, with two server processes, for the tests of signing in."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.access.accounts import Accounts, Organisation
from hub.access.audit import Audit, Entry
from tests.access.authority import Authority, Issued
from tests.stores import environment_of, store_in

ROOT = Path(__file__).parents[2]
TAXII = "application/taxii+json;version=2.1"
PASSWORD = "a long enough password"
START_SECONDS = 60


@dataclass
class Served:
    """A running hub: its port, its folder, user -> token; the port of its door for certificates, if it has one."""

    port: int
    data: Path
    tokens: dict[str, str]
    door: int = 0

    def call(
        self,
        path: str = "/taxii2/",
        user: str = "",
        password: str = "",
        *,
        method: str = "GET",
        body: bytes | None = None,
        source: str = "127.0.0.1",
        **headers: str,
    ) -> tuple[int, dict[str, str], Any]:
        """Send one request from a source address; return status, headers and JSON."""
        sent = {"Accept": TAXII} | {name.replace("_", "-"): text for name, text in headers.items()}
        if user:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if body is not None:
            sent["Content-Type"] = TAXII
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(source, 0))
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            text = response.read()
            return response.status, dict(response.headers), json.loads(text) if text else None
        finally:
            connection.close()

    def bearer(self, user: str) -> str:
        return f"Bearer {self.tokens[user]}"

    def audit(self) -> list[Entry]:
        """Return every entry of the audit log."""
        store = store_in(self.data)
        try:
            return list(Audit(store).entries())
        finally:
            store.close()


@contextmanager
def served(
    data: Path,
    settings: Mapping[str, str],
    *,
    authority: Authority | None = None,
    certificate: Issued | None = None,
) -> Iterator[Served]:
    """Make a hub with a city, two partners and their people, serve it, and end it.

    With an authority it is waited for over TLS, with a client certificate if one is given.
    """
    context = authority.client_context(certificate) if authority is not None else None
    store = store_in(data)
    accounts = Accounts(store)
    accounts.add_organisation(Organisation("city", "The city", "city"))
    accounts.add_organisation(Organisation("water", "Water works", "partner"))
    accounts.add_organisation(Organisation("gas", "Gas works", "partner"))
    tokens = {}
    for name, organisation, role in (
        ("ana", "city", "analyst"),
        ("leo", "water", "liaison"),
        ("pam", "water", "partner"),
        ("gus", "gas", "partner"),
    ):
        accounts.add_user(name, organisation, role, PASSWORD)  # type: ignore[arg-type]
        tokens[name] = accounts.add_token(name)[1]
    store.close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    door = int(settings.get("certificate_port", "0"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("THREATHUB_")}
    environment |= {
        "THREATHUB_CACHE": str(ROOT / ".pytest_cache" / "threathub"),
        "THREATHUB_PROCESSES": "2",
        "THREATHUB_WORKER": "false",
        "THREATHUB_LOG_LEVEL": "error",
    }
    environment |= environment_of(data)
    environment |= {f"THREATHUB_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "hub.cli", "serve", "--data", str(data), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        until = time.monotonic() + START_SECONDS
        while not (_is_up(port, context) and _listens(door)):
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < until
            time.sleep(0.05)
        yield Served(port, data, tokens, door)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return port == 0 or probe.connect_ex(("127.0.0.1", port)) == 0


def _is_up(port: int, context: ssl.SSLContext | None) -> bool:
    connection: http.client.HTTPConnection
    if context is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
