"""No poll misses or repeats, whatever is killed, restarted, asked twice or set to another time (TAXII21.md Q01-Q05).

The length of the long one is SOAK_SECONDS, ten minutes by default: ``make soak``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.trial import soak, summary

SHORT = 12.0
LONG = float(os.environ.get("SOAK_SECONDS", "600"))

pytestmark = pytest.mark.xdist_group("soak")


def survive(folder: Path, seconds: float, capsys: pytest.CaptureFixture[str]) -> None:
    history, violations = soak(folder, seconds)
    with capsys.disabled():
        print(f"\n{summary(history)}\nviolations: {len(violations)}")
    assert not violations, "\n".join(violations[:30])
    assert history.counts["pages"] > 100
    assert history.counts["restarts"] + history.counts["kills of the whole hub"]
    assert history.counts["kills of a writer"]


def test_a_short_soak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    survive(tmp_path, SHORT, capsys)


@pytest.mark.soak
def test_a_long_soak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    survive(tmp_path, LONG, capsys)
