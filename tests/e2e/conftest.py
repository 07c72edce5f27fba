"""One running demo for all tests of this folder, as a newcomer would start it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import forked
from tests.stores import settings_of

ROOT = Path(__file__).parents[2]
START_SECONDS = 300


def environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THREATHUB_")}
    kept["THREATHUB_CACHE"] = str(ROOT / ".pytest_cache" / "threathub")  # built once for all hubs of all runs
    return kept | {f"THREATHUB_{name.upper()}": value for name, value in settings.items()}


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "hub.cli", *(str(word) for word in words)]


def threathub(*words: str | Path, data: Path | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    options: list[str | Path] = [] if data is None else ["--data", data]
    given = environment(**({} if data is None else settings_of(data)) | settings)
    return forked.run([str(word) for word in (*words, *options)], cwd=ROOT, env=given)


def told(*words: str | Path, data: Path | None = None) -> Any:
    """Run a command that must succeed and return the JSON it prints."""
    done = threathub(*words, "--json", data=data)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Demo:
    """A running demo: what it told programs, its folder, its process, what it printed."""

    told: dict[str, Any]
    data: Path
    process: subprocess.Popen[bytes]
    printed: Path

    def account(self, user: str) -> dict[str, str]:
        return next(one for one in self.told["accounts"] if one["user"] == user)

    def collection(self, name: str) -> dict[str, Any]:
        return next(one for one in self.told["collections"] if one["name"] == name)

    def url(self, name: str) -> str:
        return f"{self.told['api_roots'][0]}collections/{self.collection(name)['id']}/"


def start_demo(data: Path, port: int) -> Demo:
    """Start `threathub demo` and wait until it has told where it is."""
    file, printed = data.with_suffix(".json"), data.with_suffix(".out")
    file.unlink(missing_ok=True)
    with printed.open("wb") as output:
        process = subprocess.Popen(
            command("demo", "--data", data, "--port", str(port), "--json", file),
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment(**settings_of(data)),
            start_new_session=True,
        )
    until = time.monotonic() + START_SECONDS
    while not file.exists():
        assert process.poll() is None, printed.read_text()
        assert time.monotonic() < until, printed.read_text()
        time.sleep(0.05)
    return Demo(json.loads(file.read_text()), data, process, printed)


def stop(process: subprocess.Popen[bytes]) -> int:
    """End a server as a service manager would."""
    process.send_signal(signal.SIGTERM)
    return process.wait(10)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = start_demo(tmp_path_factory.mktemp("demo") / "data", free_port())
    yield running
    if running.process.poll() is None:
        stop(running.process)
