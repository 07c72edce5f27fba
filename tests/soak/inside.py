"""A writer inside the hub, as a feed is: commits through the gate in a process of its own, which is killed at times.

Run as ``python -m tests.soak.inside DATA FEEDS WRITER``; reports each finished step as a line. A new process goes on
behind the last step that was committed, and gives that one again, which must change nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from hub.admission.gate import Origin
from hub.app import Hub
from hub.errors import StoreUnavailable
from hub.model.audience import TLP
from hub.model.items import StixItem
from hub.model.times import parse_timestamp
from hub.store.ports import Batch, DocumentWrite, Withdrawal
from tests.soak.history import History
from tests.soak.running import PUBLISHED, ROOT, Running, opened
from tests.soak.script import OWNER, Step, step

_CURSOR = "soak-cursor"
_PAUSE = 0.1


def work(hub: Hub, writer: str) -> None:
    """Commit step after step until killed."""
    cursor = hub.store.document(_CURSOR, writer)
    number = int(cursor.value) if cursor else 0
    if number and take(hub, writer, step(writer, number)) - {"unchanged"}:
        _tell({"fault": f"step {number} of {writer} was stored twice"})
    pause = threading.Event()
    while not pause.wait(_PAUSE):
        number += 1
        todo = step(writer, number)
        _tell({"begun": number})
        try:
            outcomes = take(hub, writer, todo, [DocumentWrite(_CURSOR, writer, b"%d" % number)])
        except StoreUnavailable:
            number -= 1
            continue
        if outcomes - {"stored", "unchanged"}:
            _tell({"fault": f"step {number} of {writer} came out as {outcomes}"})
        _tell({"done": number})


def take(hub: Hub, writer: str, todo: Step, documents: Sequence[DocumentWrite] = ()) -> set[str]:
    """Do a step on a hub, with documents in the last commit of it; return what came out."""
    for gone in todo.deletes:
        if gone.collection == PUBLISHED:
            hub.publication.retraction.retract(gone.collection, [gone.id])
        else:
            version = None if gone.version is None else parse_timestamp(gone.version)
            hub.store.commit(Batch(withdrawals=[Withdrawal(gone.collection, gone.id, version)]))
    origin = Origin(f"feed:{writer}", OWNER[writer], (todo.collection,), TLP.RED)
    items = [StixItem(json.dumps(put.obj).encode(), put.obj["id"]) for put in todo.puts]
    return {one.outcome for one in hub.gate.admit(items, origin, documents).results}


def _tell(line: dict[str, object]) -> None:
    os.write(1, json.dumps(line).encode() + b"\n")


class InsideWriter(threading.Thread):
    """Keeps such a process running, and notes what it reports."""

    def __init__(self, hub: Running, history: History, writer: str, environment: dict[str, str]) -> None:
        super().__init__(name=f"writer {writer}", daemon=True)
        self._hub = hub
        self._history = history
        self._writer = writer
        self._environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self.stop = threading.Event()

    def run(self) -> None:
        """Start the process, and start it again whenever it was killed."""
        while not self.stop.is_set():
            command = [sys.executable, "-m", "tests.soak.inside", str(self._hub.data)]
            command += [self._hub.settings["feeds"], self._writer]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=self._environment)
            assert self.process.stdout is not None
            with self.process.stdout as reported:
                for line in reported:
                    if line.endswith(b"\n"):  # else it was cut off by the kill
                        self._note(json.loads(line))
            if self.process.wait() > 0:
                self._history.fault(f"{self.name} ended by itself with {self.process.returncode}")

    def _note(self, told: dict[str, int]) -> None:
        if "fault" in told:
            self._history.fault(str(told["fault"]))
        elif "begun" in told:
            self._history.begin(self._writer, told["begun"])
        else:
            todo = step(self._writer, told["done"])
            self._history.acknowledge({put.key for put in todo.puts})
            for gone in todo.deletes:
                self._history.acknowledge_delete(gone.collection, gone.id, gone.version)
            self._history.count("commits inside")

    def kill(self) -> None:
        """Kill the process, wherever it is."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self._history.count("kills of a writer")


def main(data: str, feeds: str, writer: str) -> None:
    """Open the hub and write."""
    work(opened(Path(data), feeds), writer)


if __name__ == "__main__":
    main(*sys.argv[1:])
