"""A whole hub behind its real web server, without the background work: what the tests over HTTP share."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxii2client.v21 import Collection, as_pages

from hub.app import Hub
from tests.publish.parts import new_hub
from tests.stores import environment_of

SHARED = """
key = "shared"
id = "2f6f8a7e-35cf-4c5b-8c4f-93f0f3f5d7b1"
title = "Shared"
read = ["everyone"]
write = ["role:liaison"]
published = true
"""


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A running server, the same store opened here, and token by user."""

    hub: Hub
    port: int
    tokens: dict[str, str]

    def collection(self, user: str, key: str) -> Collection:
        id = self.hub.collections[key].id
        address = f"http://127.0.0.1:{self.port}/hub/collections/{id}/"
        return Collection(address, user=user, password=self.tokens[user])

    def call(
        self, method: str, path: str, user: str | None, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """Send one request to the API; a body that is no bytes is sent as JSON."""
        sent = {"Authorization": f"Bearer {self.tokens[user]}"} if user is not None else {}
        if body is not None:
            sent["Content-Type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, sent | (headers or {}))
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def pulled(self, id: str) -> set[str | None]:
        return {one.organisation for one in self.hub.publication.status(id).recipients if one.pulled}


class Poller:
    """A partner that keeps what it got, by added_after, as a client does: the newest version of each object."""

    def __init__(self, served: Served, user: str, key: str = "federal-advisories") -> None:
        self._collection = served.collection(user, key)
        self._after = "2000-01-01T00:00:00.000000Z"
        self.has: dict[str, dict[str, Any]] = {}

    def poll(self) -> list[dict[str, Any]]:
        news = []
        for page in as_pages(self._collection.get_objects, per_request=10, added_after=self._after):
            news += page.get("objects", [])
        if news:
            entries = []
            for page in as_pages(self._collection.get_manifest, per_request=10, added_after=self._after):
                entries += page.get("objects", [])
            self._after = max(one["date_added"] for one in entries)
        for one in news:
            if one["id"] not in self.has or self.has[one["id"]]["modified"] < one["modified"]:
                self.has[one["id"]] = one
        return news


@contextmanager
def serving(data: Path) -> Iterator[Served]:
    """Serve a new hub in a folder."""
    (data / "own" / "collections").mkdir(parents=True)
    (data / "own" / "collections" / "shared.toml").write_text(SHARED)
    hub = new_hub(data, feeds=data / "own")
    tokens = {user.name: hub.accounts.add_token(user.name)[1] for user in hub.accounts.users()}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {
        **os.environ,
        **environment_of(data),
        "THREATHUB_TRUSTED_ORGANISATIONS": '["fed"]',
        "THREATHUB_WORKER": "false",
        "THREATHUB_FEEDS": str(data / "own"),
        "THREATHUB_PAGE_SIZE": "10",
    }
    command = [sys.executable, "-m", "hub.cli", "serve", "--data", str(data), "--port", str(port)]
    process = subprocess.Popen(command, env=environment)
    while True:
        assert process.poll() is None, "the server did not start"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield Served(hub, port, tokens)
    process.terminate()
    process.wait(15)
    hub.close()
