"""The city's own rules: what an event must look like for its outside source to become an indicator of the city.

A rule is one TOML file in ``rules/city/``. Evaluation is pure: it turns the events of a slice into evidence; what is
kept between slices (`RuleState`) is moved by `advance` and stored by the caller together with the slice. Both are
independent of the order in which events come, so a repeat or another order gives the same findings.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.correlate.city import Sensor
from hub.errors import BadSettings, NoSuchFile
from hub.model.events import Event
from hub.model.times import DAY, MINUTE

ADDRESS_KINDS: Final = ("ipv4-addr:", "ipv6-addr:")


class When(BaseModel):
    """Which events count; all conditions must hold.

    Attributes:
        kinds: event kinds, empty for any. sensor: a role, or None for any. severity: at most this number (1 is
            the worst), None for any. signature: text that the signature must contain, case ignored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kinds: frozenset[str] = frozenset()
    sensor: str | None = None
    severity: int | None = Field(default=None, ge=0)
    signature: str = ""


class Repeated(BaseModel):
    """So many events from one source within so many minutes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    times: int = Field(ge=2, le=1000)
    minutes: int = Field(ge=1, le=1440)


class Verdict(BaseModel):
    """What the indicator says."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    description: str
    confidence: int = Field(ge=0, le=100)
    valid_days: int = Field(ge=1, le=3650)
    types: tuple[str, ...]
    labels: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()


class Rule(BaseModel):
    """One rule; ``id`` goes into the indicator's id and is never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(pattern=r"[a-z][a-z0-9-]{2,60}")
    when: When
    repeated: Repeated | None = None
    indicator: Verdict

    @property
    def validity(self) -> int:
        """Microseconds that the indicator lives after it was last seen."""
        return self.indicator.valid_days * DAY

    def may_hold(self, kind: str, sensor: Sensor) -> bool:
        """Whether any event of this kind from this sensor can count."""
        when = self.when
        return (not when.kinds or kind in when.kinds) and when.sensor in {None, sensor.role}

    def holds(self, event: Event) -> bool:
        """Whether an event of which `may_hold` says yes counts; its direction is judged by `CityRules`."""
        when = self.when
        if when.severity is not None:
            severity = event.fields.get("severity")
            if not isinstance(severity, int) or severity > when.severity:
                return False
        return not when.signature or when.signature.lower() in str(event.fields.get("signature", "")).lower()


class Evidence(NamedTuple):
    """Which rule, about which outside address (canonical key)."""

    rule: str
    key: str


class RuleState(msgspec.Struct):
    """What one rule knows of one address.

    Attributes:
        first, last: when its condition held first and last, None when it never did.
        windows: sorted times of the events of each window-long stretch, by its number; of many both ends are enough.
    """

    first: int | None = None
    last: int | None = None
    windows: dict[int, list[int]] = {}


def advance(rule: Rule, state: RuleState, times: Iterable[int]) -> RuleState:
    """Return the state after more events of those times (microseconds UTC)."""
    if rule.repeated is None:
        moments = [*times, *(each for each in (state.first, state.last) if each is not None)]
        return RuleState(min(moments), max(moments))
    window, needed = rule.repeated.minutes * MINUTE, rule.repeated.times
    windows = {number: list(kept) for number, kept in state.windows.items()}
    for moment in times:
        windows.setdefault(moment // window, []).append(moment)
    first, last = state.first, state.last
    for number in sorted(windows):
        windows[number].sort()
        run = [*windows.get(number - 1, ()), *windows[number]]
        for start, end in zip(run, run[needed - 1 :], strict=False):
            if end - start <= window:
                first = start if first is None else min(first, start)
                last = end if last is None else max(last, end)
        if len(windows[number]) > 2 * needed:
            windows[number] = windows[number][:needed] + windows[number][-needed:]
    return RuleState(first, last, {number: windows[number] for number in sorted(windows)[-OPEN_WINDOWS:]})


OPEN_WINDOWS: Final = 64
"""Windows remembered for one address: late events count in the newest so many."""


class CityRules:
    """All rules, and which way an event went.

    Args:
        rules: the rules.
        is_own: whether an address (canonical key) is the city's, or a private one and so behind its sensors.
        networks_known: whether the city declared its networks; if not, all that a honeypot sees is meant for the city.
    """

    def __init__(self, rules: Iterable[Rule], is_own: Callable[[str], bool], *, networks_known: bool) -> None:
        self.rules: Mapping[str, Rule] = {rule.id: rule for rule in rules}
        self._is_own = is_own
        self._networks_known = networks_known

    @classmethod
    def load(cls, folders: Iterable[Path], is_own: Callable[[str], bool], *, networks_known: bool) -> CityRules:
        """Read every ``*.toml`` of the folders; a later folder's rule replaces one with the same id.

        Raises:
            BadSettings: a file is not such a rule. NoSuchFile: it cannot be read.
        """
        found: dict[str, Rule] = {}
        for folder in folders:
            for path in sorted(folder.glob("*.toml")):
                try:
                    rule = Rule.model_validate(tomllib.loads(path.read_text("utf-8")))
                except OSError as fault:
                    raise NoSuchFile(f"the rule {path} cannot be read: {fault.strerror}") from fault
                except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as fault:
                    raise BadSettings(f"the rule {path} is wrong: {fault}") from fault
                found[rule.id] = rule
        return cls(found.values(), is_own, networks_known=networks_known)

    def outside_source(self, event: Event, sensor: Sensor) -> str | None:
        """Return the address that acted against the city in this event, or None when there is none."""
        source, target = event.fields.get("src"), event.fields.get("dst")
        if not isinstance(source, str) or not source.startswith(ADDRESS_KINDS):
            return None
        if self._is_own(source):
            return None
        if sensor.role == "honeypot" and not self._networks_known:
            return source
        return source if not isinstance(target, str) or self._is_own(target) else None

    def watch(self, sensor: Sensor) -> Watch:
        """Begin to watch the events of a sensor."""
        return Watch(self, sensor)


class Watch:
    """Collects from the events of one sensor which rules they count for, about whom, and when.

    Attributes:
        evidence: times (microseconds UTC) of the events that count, in the order in which they came.
    """

    def __init__(self, rules: CityRules, sensor: Sensor) -> None:
        self._rules = rules
        self._sensor = sensor
        self._by_kind: dict[str, tuple[Rule, ...]] = {}
        self.evidence: dict[Evidence, list[int]] = {}

    def note(self, event: Event) -> None:
        """Take in one event; most kinds interest no rule and cost one look."""
        rules = self._by_kind.get(event.kind)
        if rules is None:
            rules = self._by_kind[event.kind] = tuple(
                rule for rule in self._rules.rules.values() if rule.may_hold(event.kind, self._sensor)
            )
        for rule in rules:
            if rule.holds(event) and (source := self._rules.outside_source(event, self._sensor)):
                self.evidence.setdefault(Evidence(rule.id, source), []).append(event.time)
