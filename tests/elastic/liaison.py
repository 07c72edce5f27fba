"""Somebody who sends to a hub and reads from it, over HTTP, in good weather and bad."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.client import HTTPMessage

from tests.e2e.conftest import threathub
from tests.soak.pollers import TAXII
from tests.soak.running import SHARED, Running
from tests.soak.script import step

PATIENCE = 60
_PAUSE = threading.Event()


class Liaison:
    """Somebody who sends indicators to a hub and reads them, over HTTP; an analyst, and the administrator."""

    def __init__(self, hub: Running) -> None:
        self._hub = hub
        self._headers = {"Accept": TAXII, "Content-Type": TAXII, "Authorization": f"Bearer {hub.tokens['leo']}"}
        self._path = f"/hub/collections/{SHARED}/objects/"

    def send(self, number: int) -> tuple[int, HTTPMessage, bytes]:
        body = json.dumps({"objects": [put.obj for put in step("leo", number).puts]}).encode()
        return self._hub.ask("POST", self._path, self._headers, body, timeout=180)

    def read(self) -> tuple[int, HTTPMessage, bytes]:
        return self._hub.ask("GET", f"{self._path}?match[version]=all", self._headers, timeout=180)

    def search(self) -> tuple[int, HTTPMessage, bytes]:
        headers = {"Authorization": f"Bearer {self._hub.tokens['ana']}"}
        return self._hub.ask("GET", "/api/search?q=type:indicator", headers, timeout=180)

    def command(self) -> tuple[int, str]:
        """Run a command that reads; return its exit status and what it says is wrong."""
        done = threathub("search", "type:indicator", data=self._hub.data, **self._hub.settings)
        return done.returncode, done.stderr

    def ready(self) -> tuple[int, str]:
        return self.told()[:2]

    def told(self) -> tuple[int, str, str]:
        """Return what ``/readyz`` says: HTTP status, how things stand, and the code of what stands in the way."""
        status, _, body = self._hub.ask("GET", "/readyz", timeout=180)
        found = json.loads(body)
        return status, found.get("status", ""), found.get("error", {}).get("code", "")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is so."""
        ends = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < ends, f"there never was {what}"
            _PAUSE.wait(0.1)


def fails(told: tuple[int, str], *, of: str) -> bool:
    """Say whether a command ended as one that may be tried again, and said why in words."""
    status, said = told
    return status == 75 and of in said and "Traceback" not in said


def refused(answer: tuple[int, HTTPMessage, bytes], *, of: str) -> bool:
    """Say whether an answer tells a program to come back later, and a person why."""
    status, headers, body = answer
    return status == 503 and int(headers["Retry-After"]) > 0 and of.encode() in body and b"Traceback" not in body
