"""Fuzzing with hypothesis for a given time: mangled inputs from good ones, round after round until time is up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
"""How long a long run takes."""

_ODD = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b"\n", b'"', b"\\", b"\\u0000", b"\\ud800", b"%00",
    b"%", b"..", b"/", b"//", b",", b"[", b"]", b"{", b"}", b"[" * 70, b"(" * 70, b"-1", b"1e999", b"9" * 400, b"null",
    b"NaN", b" " * 300, b"'", b"--", b";", b"=", b"&", b"+", b"*", b"~", b"\xe2\x80\xae", b"T24:00:00Z", b"0000-00-00",
)  # fmt: skip


@st.composite
def mangled(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Draw a good input with some pieces left out, doubled, moved or replaced, or something that never was good."""
    if draw(st.integers(0, 19)) == 19:
        return draw(st.binary(max_size=200))
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2, 5)))):
        one, other = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            text = text[:one] + text[other:]
        elif kind == 1:
            text = text[:other] + text[one:]
        elif kind == 2:
            text = text[:one] + draw(st.sampled_from(_ODD)) + text[one:]
        elif kind == 3:
            text = text[:one] + draw(st.binary(max_size=8)) + text[other:]
        else:
            text += draw(st.sampled_from(seeds))
    return text[:100_000]


def fuzz(check: Callable[[Any], None], inputs: st.SearchStrategy[Any], seconds: float = 0, examples: int = 200) -> int:
    """Check drawn inputs for that long, at least one round; return how many. What fails is made small and raised.

    Args:
        check: raises on a fault. inputs: what to draw. seconds: how long. examples: inputs of a round.
    """
    until = time.monotonic() + seconds
    number = 0
    while number == 0 or time.monotonic() < until:
        phases = (Phase.generate, Phase.shrink)
        rules = settings(
            max_examples=examples, deadline=None, database=None, phases=phases, suppress_health_check=list(HealthCheck)
        )
        seed(number)(rules(given(inputs)(lambda one: check(one))))()
        number += examples
    return number
