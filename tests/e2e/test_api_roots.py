"""Several TAXII API roots, declared in the settings file, served by a real server."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from taxii2client.v21 import Server

from tests.e2e.conftest import command, environment, free_port, stop, threathub, told
from tests.stores import settings_of

COLLECTION = """
key = "exercise"
id = "7f3c2a51-6d0e-4b8f-9c3d-2f1e0a9b8c7d"
title = "Exercise"
api_root = "exercises"
read = ["role:administrator"]
write = ["role:administrator"]
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("roots")
    (folder / "own" / "collections").mkdir(parents=True)
    (folder / "own" / "collections" / "exercise.toml").write_text(COLLECTION)
    return folder


def test_a_collection_under_a_root_that_is_not_declared_is_noticed(data: Path) -> None:
    (data / "threathub.toml").write_text(f'feeds = "{data / "own"}"\n')
    done = threathub("config", "check", data=data)
    assert done.returncode == 78
    assert "exercises" in done.stderr
    (data / "threathub.toml").write_text('[api_roots.taxii2]\ntitle = "x"\n')
    assert threathub("config", "check", data=data).returncode == 78


@pytest.fixture(scope="module")
def served(data: Path) -> Iterator[tuple[str, str]]:
    """A hub with two roots: its address and the administrator's token."""
    (data / "threathub.toml").write_text(f'feeds = "{data / "own"}"\n[api_roots.exercises]\ntitle = "Exercises"\n')
    token = told("init", data=data)["token"]
    port = free_port()
    process = subprocess.Popen(
        command("serve", "--data", data, "--port", str(port)), env=environment(**settings_of(data))
    )
    url = f"http://127.0.0.1:{port}"
    while True:
        assert process.poll() is None
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                break
        except OSError:
            time.sleep(0.05)
    yield url, token
    assert stop(process) == 0


def test_both_roots_are_served_each_with_its_collections(served: tuple[str, str]) -> None:
    url, token = served
    server = Server(f"{url}/taxii2/", user="admin", password=token)
    assert [root.url for root in server.api_roots] == [f"{url}/hub/", f"{url}/exercises/"]
    assert server.default.url == f"{url}/hub/"
    exercises = server.api_roots[1]
    assert exercises.title == "Exercises"
    assert [one.alias for one in exercises.collections] == ["exercise"]
    assert "exercise" not in [one.alias for one in server.default.collections]
    status = exercises.collections[0].add_objects({"objects": [{"type": "nonsense"}]}, wait_for_completion=False)
    assert exercises.get_status(status.id).failure_count == 1
    with pytest.raises(Exception, match="404"):
        server.default.get_status(status.id)
