"""The score is the sum that its own explanation says."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.admission.warninglists import Warning as ListWarning
from hub.correlate.score import Grounds, Scorer
from hub.errors import BadSettings, NoSuchFile
from hub.model.times import DAY
from tests.correlate.parts import RULES

SCORER = Scorer.load(RULES / "score.toml", {"feed:good": 90})
SCANNER = ListWarning("shodan", "annotate", "scanner:shodan", 30)


PLAIN = Grounds("feed:good", "ipv4-addr", confidence=80, age=0)


def grounds(**changed: Any) -> Grounds:
    return replace(PLAIN, **changed)


@given(
    st.builds(
        Grounds,
        source=st.sampled_from(["feed:good", "feed:unknown"]),
        kind=st.sampled_from(["ipv4-addr", "file-md5", "mutex"]),
        confidence=st.none() | st.integers(0, 100),
        age=st.integers(-900 * DAY, 9000 * DAY),
        others=st.integers(0, 9),
        count=st.integers(0, 10**9),
        warnings=st.lists(st.just(SCANNER), max_size=3),
    )
)
def test_a_score_is_its_parts_within_0_and_100(given_grounds):
    score = SCORER.score(given_grounds)
    assert score.value == max(0, min(100, sum(points for _, points in score.parts)))
    assert all(str(points).lstrip("-") in str(score) for _, points in score.parts)


def test_what_raises_and_what_lowers_it():
    plain = SCORER.score(grounds()).value
    assert SCORER.score(grounds(source="feed:unknown")).value < plain
    assert SCORER.score(grounds(age=60 * DAY)).value < plain
    assert SCORER.score(grounds(kind="file-md5", age=60 * DAY)).value > SCORER.score(grounds(age=60 * DAY)).value
    assert SCORER.score(grounds(others=1)).value > plain
    assert SCORER.score(grounds(count=1)).value > plain
    assert SCORER.score(grounds(warnings=[SCANNER])).value == plain - 30
    assert "scanner:shodan -30" in str(SCORER.score(grounds(warnings=[SCANNER])))


def test_a_wrong_table_is_named(tmp_path):
    with pytest.raises(NoSuchFile):
        Scorer.load(tmp_path / "score.toml")
    (tmp_path / "score.toml").write_text("default_trust = 500\n")
    with pytest.raises(BadSettings, match="score"):
        Scorer.load(tmp_path / "score.toml")
