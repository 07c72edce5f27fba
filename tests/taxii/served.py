"""What the TAXII tests share: the server process, a plain HTTP client, accounts, clean collections, objects."""

from __future__ import annotations

import functools
import http.client
import itertools
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from hub.access.accounts import Accounts, Organisation
from tests.stores import store_in

ROOT = Path(__file__).parents[2]
TAXII = "application/taxii+json;version=2.1"
PASSWORD = "a long enough password"
CLEAN = 200
"""Collections that tests can use up, each empty, readable and writable for liaisons and analysts."""


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Hub:
    """The running server and who may sign in: user -> token; with a certificate it speaks TLS."""

    port: int
    tokens: dict[str, str]
    data: Path
    certificate: Path | None = None
    clean: Iterator[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def verify(self) -> str | bool:
        """What requests checks the server's certificate with."""
        return str(self.certificate) if self.certificate else True

    @functools.cached_property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def connect(self) -> socket.socket:
        """Open a connection to write bytes to."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        return self.trust.wrap_socket(plain, server_hostname="127.0.0.1") if self.certificate else plain

    def _connection(self) -> http.client.HTTPConnection:
        if self.certificate:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.trust)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def call(
        self,
        method: str,
        path: str,
        user: str | None = "leo",
        *,
        body: Any = None,
        headers: dict[str, str | None] | None = None,
        **query: Any,
    ) -> Reply:
        """Send one request as a user (None: without credentials); a header given as None is left out."""
        sent: dict[str, str | None] = {"Accept": TAXII}
        if user is not None:
            sent["Authorization"] = f"Bearer {self.tokens[user]}"
        if body is not None:
            sent["Content-Type"] = TAXII
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent |= headers or {}
        target = f"{path}?{urlencode(query)}" if query else path
        connection = self._connection()
        try:
            connection.request(method, target, body, {name: text for name, text in sent.items() if text is not None})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, user: str | None = "leo", **query: Any) -> Reply:
        return self.call("GET", path, user, **query)


@dataclass
class Box:
    """A collection of one test."""

    hub: Hub
    name: str

    @property
    def path(self) -> str:
        return f"/hub/collections/{self.name}/"

    def post(self, *objects: Any, user: str = "leo") -> Any:
        """Hand in objects; return the status resource."""
        reply = self.hub.call("POST", f"{self.path}objects/", user, body={"objects": objects})
        assert reply.status == 202, reply.body
        return reply.json()

    def get(self, part: str = "objects/", **query: Any) -> Reply:
        return self.hub.get(f"{self.path}{part}", **query)

    def objects(self, **query: Any) -> list[Any]:
        reply = self.get(**query)
        assert reply.status == 200, reply.body
        return list(reply.json().get("objects", []))

    def manifest(self, **query: Any) -> list[Any]:
        return list(self.get("manifest/", **query).json().get("objects", []))

    def walk(self, part: str = "objects/", **query: Any) -> list[list[Any]]:
        """Follow ``next`` to the end; return the pages."""
        pages: list[list[Any]] = []
        more: dict[str, str] = {}
        while True:
            envelope = self.get(part, **query, **more).json()
            pages.append(envelope.get("objects", []))
            if not envelope.get("more"):
                return pages
            more = {"next": envelope["next"]}


def indicator(name: str = "one", modified: str = "2026-01-02T03:04:05.000Z", **properties: Any) -> dict[str, Any]:
    """Return a valid indicator; properties replace or add."""
    digest = uuid.uuid4().hex * 2
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": modified,
        "name": name,
        "pattern": f"[file:hashes.'SHA-256' = '{digest}']",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        **properties,
    }


def versions_of(first: dict[str, Any], *modified: str) -> list[dict[str, Any]]:
    """Return copies of an object with other modified times."""
    return [{**first, "modified": one} for one in modified]


def prepare(data: Path) -> dict[str, str]:
    """Make the accounts and the clean collections; return user -> token."""
    folder = data / "collections"
    folder.mkdir()
    for number in range(CLEAN):
        root = "second" if number == 0 else "hub"
        (folder / f"clean-{number}.toml").write_text(
            f'key = "clean-{number}"\nid = "{uuid.uuid4()}"\ntitle = "Clean {number}"\napi_root = "{root}"\n'
            'read = ["role:liaison", "role:analyst"]\nwrite = ["role:liaison", "role:analyst"]\n'
        )
    store = store_in(data)
    accounts = Accounts(store)
    accounts.add_organisation(Organisation("city", "The city", "city"))
    accounts.add_organisation(Organisation("water", "Water works", "department"))
    accounts.add_organisation(Organisation("gas", "Gas works", "partner"))
    tokens = {}
    for name, organisation, role in (
        ("ana", "city", "analyst"),
        ("sen", "city", "senior-analyst"),
        ("leo", "water", "liaison"),
        ("lia", "gas", "liaison"),
        ("pam", "gas", "partner"),
    ):
        accounts.add_user(name, organisation, role, PASSWORD)  # type: ignore[arg-type]
        tokens[name] = accounts.add_token(name)[1]
    store.close()
    return tokens


OPENSSL = shutil.which("openssl")


def make_certificate(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Make a self-signed certificate for this machine; return it and the server's options that use it."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = [str(OPENSSL), *request.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    options = ("--ssl-certificate", str(certificate), "--ssl-keyfile", str(key), "--ssl-protocol-min", "tls1.2")
    return certificate, options


def start_server(data: Path, *options: str, public: bool = False) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server on a free port and wait until it takes connections; ``public`` gives it an https address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--blocking-threads", "32"]
    process = subprocess.Popen(
        [
            *command,
            "--workers",
            "1",
            "--no-access-log",
            "--workers-kill-timeout",
            "5",
            "--log-level",
            "error",
            *options,
            "tests.taxii.server:application",
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "TAXII_TEST_DATA": str(data),
            "TAXII_TEST_URL": f"https://127.0.0.1:{port}" if public else "",
        },
    )
    while True:
        assert process.poll() is None, "the server did not start"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.02)


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """End the server and wait for it."""
    process.terminate()
    process.wait(15)
