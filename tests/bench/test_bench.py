"""The bench runs, at a size that costs nothing; its figures are not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.elastic import node


@pytest.mark.parametrize(
    "section", ["pulling", "polling", "posting", "taking_in", "matching", "searching", "elastic", "elastic_million"]
)
def test_every_section_runs_and_compares(section: str) -> None:
    if section.startswith("elastic"):
        node.required()
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", section, "--scale", "0.001", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert any(row.get("ratio") for row in rows)
    assert any(row["unit"] == "MiB" for row in rows)
