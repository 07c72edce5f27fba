"""Writers over HTTP: each goes through its script, and asks again when an answer is lost, until it has one."""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
from urllib.parse import urlencode

from tests.soak.history import History
from tests.soak.pollers import AGAIN, TAXII
from tests.soak.running import Running
from tests.soak.script import Delete, Put, step

_PAUSE = 0.08
_LOST = 0.1
_PASSING = (429, 503)


class Writer(threading.Thread):
    """One liaison's system: POSTs and DELETEs step after step until told to stop."""

    def __init__(self, hub: Running, history: History, user: str) -> None:
        super().__init__(name=f"writer {user}", daemon=True)
        self._hub = hub
        self._history = history
        self._user = user
        self._chance = random.Random(self.name)
        self.stop = threading.Event()

    def run(self) -> None:
        """Write."""
        number = 0
        try:
            while not self.stop.wait(_PAUSE):
                number += 1
                self._history.begin(self._user, number)
                todo = step(self._user, number)
                for gone in todo.deletes:
                    self._remove(gone)
                if todo.puts:
                    self._post(todo.collection, todo.puts)
        except Exception as error:  # noqa: BLE001 - a writer that dies silently would test nothing any more
            self._history.fault(f"{self.name} broke: {error!r}")

    def _post(self, collection: str, puts: tuple[Put, ...]) -> None:
        body = json.dumps({"objects": [put.obj for put in puts]}).encode()
        _, answer = self._until_answered("POST", f"/hub/collections/{collection}/objects/", body, 202)
        told = json.loads(answer)
        taken = {(collection, one["id"], one["version"]) for one in told.get("successes", ())}
        if taken != {put.key for put in puts}:
            self._history.fault(f"{self.name}: not all of {[put.key for put in puts]} were taken: {told}")
        self._history.acknowledge(taken)
        self._history.count("posts")

    def _remove(self, gone: Delete) -> None:
        query = f"?{urlencode({'match[version]': gone.version})}" if gone.version else ""
        path = f"/hub/collections/{gone.collection}/objects/{gone.id}/{query}"
        # When the first answer was lost, the second may say that there is nothing any more.
        self._until_answered("DELETE", path, None, 200, 204, 404)
        self._history.acknowledge_delete(gone.collection, gone.id, gone.version)
        self._history.count("deletes")

    def _until_answered(self, method: str, path: str, body: bytes | None, *fine: int) -> tuple[int, bytes]:
        again = threading.Event()
        while True:
            try:
                if self._chance.random() < _LOST:
                    self._ask_and_go(method, path, body)
                    self._history.count("writes whose answer was lost")
                    continue
                status, _, answer = self._hub.ask(method, path, self._headers(), body)
            except (OSError, http.client.HTTPException):
                self._history.count("retries of a write")
                again.wait(AGAIN)
                continue
            if status in fine:
                return status, answer
            if status not in _PASSING:
                self._history.fault(f"{self.name}: {method} {path} answered {status} {answer[:300]!r}")
            again.wait(AGAIN)

    def _headers(self) -> dict[str, str]:
        return {"Accept": TAXII, "Content-Type": TAXII, "Authorization": f"Bearer {self._hub.tokens[self._user]}"}

    def _ask_and_go(self, method: str, path: str, body: bytes | None) -> None:
        """Send a request and let go of the connection, sometimes with half of it unsent."""
        lines = [f"{method} {path} HTTP/1.1", "Host: hub", f"Content-Length: {len(body or b'')}"]
        lines += [f"{name}: {text}" for name, text in self._headers().items()]
        whole = "\r\n".join((*lines, "", "")).encode() + (body or b"")
        with socket.create_connection(("127.0.0.1", self._hub.port), timeout=30) as connection:
            connection.sendall(whole if self._chance.random() < 0.7 else whole[: len(whole) // 2])
