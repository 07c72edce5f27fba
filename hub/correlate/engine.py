"""Correlation as a whole, put together once: logs in, past and present matched, sightings and findings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.admission.gate import Gate
from hub.admission.warninglists import WarningLists
from hub.correlate.city import City
from hub.correlate.findings import Findings
from hub.correlate.index import MatchIndex
from hub.correlate.ingest import SLICE, EventIngest
from hub.correlate.matching import Matcher
from hub.correlate.retrohunt import RetroHunt
from hub.correlate.rules import CityRules
from hub.correlate.score import Scorer
from hub.correlate.sightings import Sightings
from hub.model.times import MINUTE
from hub.store.ports import Store


@dataclass(frozen=True, slots=True)
class Settled:
    """What one `Correlation.settle` did: keys hunted in the past, indicators and sightings written."""

    hunted: int
    indicators: int
    sightings: int


class Correlation:
    """One worker's correlation.

    Attributes:
        rules: the city's own, by id. index: what could be hit. matcher: confirms.
        events: reads logs (`EventIngest`). hunt: looks into the past (`RetroHunt`).
        findings, sightings: what turns marks into objects.
    """

    def __init__(
        self,
        store: Store,
        gate: Gate,
        lists: WarningLists,
        city: City,
        rules: Sequence[Path],
        *,
        networks_known: bool,
        trust: Mapping[str, int] | None = None,
        interval: int = 5 * MINUTE,
        slice_size: int = SLICE,
    ) -> None:
        """Load rules and tables.

        Args:
            store: the store. gate: admits what is made. lists: own assets and warning lists. city: who speaks.
            rules: rules folders, the shipped one first; each may hold ``score.toml`` and ``city/*.toml``.
            networks_known: whether the city declared its own networks.
            trust: declared trust of each source, 0-100.
            interval: microseconds between two versions of a sighting.
            slice_size: events in one commit.

        Raises:
            BadSettings, NoSuchFile: a rule or table is wrong or missing.
        """
        table = next((path for folder in reversed(rules) if (path := folder / "score.toml").is_file()), rules[0])
        self.matcher = Matcher(store, lists, Scorer.load(table, trust))
        city_rules = CityRules.load(
            [folder / "city" for folder in rules], self.matcher.refused, networks_known=networks_known
        )
        self.rules = city_rules.rules
        self.index = MatchIndex(store)
        self.events = EventIngest(store, self.index, self.matcher, city_rules, slice_size=slice_size)
        self.hunt = RetroHunt(store, self.matcher)
        self.findings = Findings(store, self.matcher, gate, city, city_rules)
        self.sightings = Sightings(store, self.matcher, gate, city, interval=interval)

    def settle(self, *, force: bool = False) -> Settled:
        """Do all the work that is marked; ``force`` disregards the interval between versions of a sighting."""
        indicators = self.findings.flush()
        hunted = self.hunt.run().keys
        return Settled(hunted, indicators, self.sightings.flush(force=force))
