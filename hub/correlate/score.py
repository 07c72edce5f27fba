"""The score of an indicator: an explained sum, so that an analyst can see and dispute every point.

The tables are data (``rules/score.toml``). Age is counted to the moment of the sighting, not to now: a score changes
because something was learned, never because a clock ticked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.admission.warninglists import Warning as ListWarning
from hub.errors import BadSettings, NoSuchFile
from hub.model.times import DAY


class Score(NamedTuple):
    """0 (worthless) to 100, and what it is made of: reasons in words with their points."""

    value: int
    parts: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return f"score {self.value} of 100: " + ", ".join(f"{reason} {points:+d}" for reason, points in self.parts)


class Step(BaseModel):
    """From so many sightings on, so many points."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    count: int
    points: int


class ScoreTable(BaseModel):
    """The declared weights.

    Attributes:
        default_trust: of a source that declares none, 0-100. default_confidence: of an indicator that states none.
        trust_weight, confidence_weight: share of those values that counts.
        corroboration_each, corroboration_most: points for each further independent source, and in all.
        sightings: steps in rising order. half_life_days: by observable kind, ``default`` for the rest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    default_trust: int = Field(ge=0, le=100)
    default_confidence: int = Field(ge=0, le=100)
    trust_weight: float = Field(ge=0, le=1)
    confidence_weight: float = Field(ge=0, le=1)
    corroboration_each: int
    corroboration_most: int
    sightings: tuple[Step, ...]
    half_life_days: dict[str, float]


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a score is computed from.

    ``kind`` is the observable's kind, ``age`` is in microseconds, ``others`` counts further independent sources,
    ``count`` sightings.
    """

    source: str
    kind: str
    confidence: int | None
    age: int
    others: int = 0
    count: int = 0
    warnings: Sequence[ListWarning] = ()


class Scorer:
    """Computes scores from one table and the declared trust of each source."""

    def __init__(self, table: ScoreTable, trust: Mapping[str, int] | None = None) -> None:
        self._table = table
        self._trust = trust or {}

    @classmethod
    def load(cls, path: Path, trust: Mapping[str, int] | None = None) -> Scorer:
        """Read ``rules/score.toml``.

        Raises:
            NoSuchFile: it is not there. BadSettings: it is not such a table.
        """
        try:
            return cls(ScoreTable.model_validate(tomllib.loads(path.read_text("utf-8"))), trust)
        except OSError as fault:
            raise NoSuchFile(f"the score table {path} cannot be read: {fault.strerror}") from fault
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as fault:
            raise BadSettings(f"the score table {path} is wrong: {fault}") from fault

    def score(self, grounds: Grounds) -> Score:
        """Add up what speaks for and against an indicator."""
        table = self._table
        trust = self._trust.get(grounds.source, table.default_trust)
        confidence = table.default_confidence if grounds.confidence is None else grounds.confidence
        parts = [
            (f"source trusted {trust}", round(trust * table.trust_weight)),
            (f"confidence {confidence}", round(confidence * table.confidence_weight)),
        ]
        if grounds.others:
            points = min(grounds.others * table.corroboration_each, table.corroboration_most)
            parts.append((f"named by {grounds.others} more independent source{'s' * (grounds.others > 1)}", points))
        half_life = table.half_life_days.get(grounds.kind, table.half_life_days["default"]) * DAY
        loss = round(sum(points for _, points in parts) * (1 - 0.5 ** (max(grounds.age, 0) / half_life)))
        if loss:
            parts.append((f"{grounds.age // DAY} days old when seen", -loss))
        if steps := [step for step in table.sightings if step.count <= grounds.count]:
            parts.append(("seen once" if grounds.count == 1 else f"seen {grounds.count} times", steps[-1].points))
        parts += [(warning.label, -warning.penalty) for warning in grounds.warnings]
        return Score(max(0, min(100, sum(points for _, points in parts))), tuple(parts))
