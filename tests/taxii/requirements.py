"""The table of what TAXII 2.1 asks, with the tests that show it: ``python -m tests.taxii.requirements`` runs them
against real servers, with and without TLS, and writes the manual's page."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "partner" / "taxii-requirements.md"
TRANSPORTS = ("http", "https")
_HEAD = """\
# TAXII 2.1, requirement by requirement

What a server must do by the TAXII 2.1 standard (sections of the OASIS Standard of 10 June 2021), and what real clients
and hostile writers ask beside it (EXTRA). Each row is shown by tests that talk over real HTTP to a real server process,
with and without TLS. Made by `make requirements`; tests are in [tests/taxii](../../tests/taxii).

{summary}
"""


class Requirement(NamedTuple):
    """One row: ``level`` is MUST, SHOULD or EXTRA; ``section`` of the standard, or an RFC."""

    number: str
    level: str
    section: str
    text: str


def groups() -> dict[str, list[Requirement]]:
    """Return all requirements by the title of their group."""
    read = tomllib.loads((HERE / "requirements.toml").read_text())
    return {group.pop("title"): [Requirement(number, *row) for number, row in group.items()] for group in read.values()}


def marked() -> dict[str, list[str]]:
    """Return which tests name which number, read off the test files: number -> ``file::test``."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(HERE.glob("test_*.py")):
        for test in ast.walk(ast.parse(path.read_text())):
            if isinstance(test, ast.FunctionDef):
                for number in _numbers(test):
                    found[number].append(f"{path.stem}::{test.name}")
    return found


def _numbers(test: ast.FunctionDef) -> Iterator[str]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.requirement":
            yield from (ast.literal_eval(number) for number in mark.args)


class Results:
    """A pytest plugin that keeps what became of each test over each transport."""

    def __init__(self) -> None:
        self.outcomes: dict[tuple[str, str], set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a report; of several cases of a test, all count."""
        file, _, test = report.nodeid.partition("::")
        name, _, case = test.partition("[")
        if report.when == "call" or report.outcome != "passed":
            # Behind it may stand the group that the test belongs to (pytest-xdist).
            name, case = name.partition("@")[0], case.rpartition("]")[0]
            used = [one for one in TRANSPORTS if one in case.split("-")] or ["https"]
            for transport in used:
                self.outcomes[f"{Path(file).stem}::{name}", transport].add(report.outcome)

    def of(self, tests: list[str], transport: str) -> str:
        """Return what a requirement's tests came to."""
        outcomes = set().union(*(self.outcomes.get((test, transport), set()) for test in tests))
        if "failed" in outcomes:
            return "**fails**"
        return "passes" if outcomes == {"passed"} else "-"


def page(results: Results) -> str:
    """Return the manual's page."""
    tests = marked()
    lines: list[str] = []
    passed: Mapping[str, list[int]] = defaultdict(lambda: [0, 0])
    for title, rows in groups().items():
        lines += [f"## {title}", "", "| no. | level | section | requirement | over http | over https | tests |"]
        lines.append("| --- | --- | --- | --- | --- | --- | --- |")
        for row in rows:
            shown = [results.of(tests[row.number], one) for one in TRANSPORTS]
            passed[row.level][0] += "passes" in shown and "**fails**" not in shown
            passed[row.level][1] += 1
            names = ", ".join(f"`{name}`" for name in tests[row.number])
            lines.append(f"| {' | '.join(row)} | {' | '.join(shown)} | {names} |")
        lines.append("")
    counted = ", ".join(f"{good} of {number} {level}" for level, (good, number) in passed.items())
    return f"{_HEAD.format(summary=f'Passing: {counted}.')}\n" + "\n".join(lines)


def main() -> int:
    """Run the tests and write the page; return pytest's exit status."""
    results = Results()
    status = pytest.main([str(HERE), f"--ignore={HERE / 'test_requirements.py'}"], plugins=[results])
    PAGE.write_text(page(results))
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
