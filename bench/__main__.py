"""`python -m bench`: run every section in a process of its own and print one table."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SECTIONS = (
    "pulling",
    "polling",
    "posting",
    "taking_in",
    "matching",
    "searching",
    "elastic",
    "elastic_million",
    "sizing",
)


def main() -> None:
    """Read the options, run the sections, print the table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Speed as ratios in one run.")
    parser.add_argument("--only", choices=SECTIONS, help="run one section")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes, such as 0.1")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--section", choices=SECTIONS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.section:
        _run_section(options.section, options.scale)
        return
    rows = [row for name in SECTIONS if options.only in (None, name) for row in _in_process(name, options.scale)]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        _print(rows)


def _run_section(name: str, scale: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for row in importlib.import_module(f"bench.{name}").run(Path(folder), scale):
            print(json.dumps(dataclasses.asdict(row) | {"ratio": row.ratio}), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"job": f"peak memory of {name}", "unit": "MiB", "measured": peak}), flush=True)


def _in_process(name: str, scale: float) -> list[dict[str, Any]]:
    words = [sys.executable, "-m", "bench", "--section", name, "--scale", str(scale)]
    rows = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            rows.append(json.loads(line))
            print(f"{name}: {rows[-1]['job']}", file=sys.stderr)
    if process.returncode:
        raise SystemExit(process.returncode)
    return rows


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table("job", "measured", "unit", "against", "ratio", "goal", box=None)
    for row in rows:
        against = f"{row['against']:,.4g} {row['floor']}" if row.get("against") else ""
        ratio = f"{row['ratio']:.2f}" if row.get("ratio") else ""
        goal = f"{row['goal']:g}" if row.get("goal") else ""
        table.add_row(row["job"], f"{row['measured']:,.4g}", row["unit"], against, ratio, goal)
    Console(width=170).print(table)
    print("For ms and bytes less is better: their ratio should be below the goal.")


main()
