"""What gets installed is the whole hub: the distribution runs without the folder it was built from."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", re.MULTILINE)


def pinned(file: str) -> dict[str, str]:
    return dict(PINNED.findall((ROOT / file).read_text()))


def test_what_runs_is_what_was_tested() -> None:
    runs, tested = pinned("deploy/requirements.lock"), pinned("requirements.lock")
    assert runs
    assert {name: tested.get(name) for name in runs} == runs


def test_the_containers_files_are_there() -> None:
    text = (ROOT / "deploy" / "Containerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY ((?!--)[^\n]+)", text, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
            assert f"!{name}" in ignored, f"{name} is kept out by .dockerignore"
    assert re.search(r"^USER 10001", text, re.MULTILINE)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the unpacked distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "hub", "connectors", "feeds", "rules", "demo"):
        (source / name).symlink_to(ROOT / name)
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run([sys.executable, *build], check=True, capture_output=True, timeout=300)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_a_hub_is_made_and_fed_with_what_is_in_the_distribution(installed: Path, tmp_path: Path) -> None:
    def threathub(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "hub.cli", *words, "--data", str(tmp_path / "data")],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [sys.executable, "-c", "import hub; print(hub.__file__)"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(installed))
    assert json.loads(threathub("init", "--json"))["user"] == "admin"
    threathub("config", "check")
    assert "ipsum" in threathub("feed", "list", "--json")
    advisory = installed / "demo" / "data" / "cisa" / "cisa-aa23-325a.stix21.json"
    assert json.loads(threathub("ingest", str(advisory), "--json"))["stored"] > 0
    assert threathub("search", "type:malware", "--json")
