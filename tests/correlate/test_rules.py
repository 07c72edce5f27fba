"""The city's rules: which events count, which way they went, and thresholds that no order of events changes."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.correlate.rules import CityRules, Evidence, Repeated, Rule, RuleState, Verdict, When, advance
from hub.errors import BadSettings
from hub.model.events import Event
from hub.model.times import MINUTE
from tests.correlate.parts import HONEYPOT, IDS

SHIPPED = Path(__file__).parents[2] / "rules" / "city"
OWN = {"ipv4-addr:192.0.2.1", "ipv4-addr:192.0.2.2"}
OUTSIDE = "ipv4-addr:198.51.100.9"
INSIDE = "ipv4-addr:192.0.2.1"


def event(kind: str, src: str, dst: str, time: int = 0, **fields: Any) -> Event:
    return Event(time, "ids", kind, (src, dst), {"src": src, "dst": dst, **fields}, b"")


def shipped(*, networks_known: bool = True) -> CityRules:
    return CityRules.load([SHIPPED], OWN.__contains__, networks_known=networks_known)


def found(events, sensor, **known) -> set[Evidence]:
    watch = shipped(**known).watch(sensor)
    for each in events:
        watch.note(each)
    return set(watch.evidence)


def test_severe_alert_towards_the_city():
    severe = Evidence("severe-alert", OUTSIDE)
    assert found([event("alert", OUTSIDE, INSIDE, severity=1)], IDS) == {severe}
    assert found([event("alert", OUTSIDE, INSIDE, severity=2)], IDS) == set()
    assert found([event("alert", OUTSIDE, INSIDE)], IDS) == set()
    assert found([event("flow", OUTSIDE, INSIDE, severity=1)], IDS) == set()


@pytest.mark.parametrize(
    ("src", "dst"),
    [
        (INSIDE, OUTSIDE),
        (INSIDE, "ipv4-addr:192.0.2.2"),
        (OUTSIDE, "ipv4-addr:203.0.113.7"),
        ("domain-name:x.org", INSIDE),
    ],
)
def test_only_what_comes_from_outside_towards_the_city_counts(src, dst):
    assert found([event("alert", src, dst, severity=1)], IDS) == set()
    assert found([event("alert", src, dst, severity=1)], HONEYPOT) == set()


def test_any_contact_with_a_honeypot_counts():
    contact = Evidence("honeypot-contact", OUTSIDE)
    assert contact in found([event("flow", OUTSIDE, INSIDE)], HONEYPOT)
    assert found([event("flow", OUTSIDE, INSIDE)], IDS) == set()
    assert found([Event(0, "pot", "command", (OUTSIDE,), {"src": OUTSIDE}, b"")], HONEYPOT) == {contact}


def test_without_declared_networks_the_sensors_role_decides():
    elsewhere = "ipv4-addr:203.0.113.7"
    attempt = [event("alert", OUTSIDE, elsewhere, severity=1)]
    assert found(attempt, IDS, networks_known=False) == set()
    assert {each.key for each in found(attempt, HONEYPOT, networks_known=False)} == {OUTSIDE}
    assert found([event("alert", INSIDE, elsewhere)], HONEYPOT, networks_known=False) == set()


GUESSING = Rule(
    id="guessing",
    when=When(kinds=frozenset({"login-failed"})),
    repeated=Repeated(times=3, minutes=10),
    indicator=Verdict(name="n", description="d", confidence=50, valid_days=1, types=("malicious-activity",)),
)


def expected(times: list[int]) -> tuple[int | None, int | None]:
    times = sorted(times)
    runs = [(a, b) for a, b in zip(times, times[2:], strict=False) if b - a <= 10 * MINUTE]
    return (runs[0][0], runs[-1][1]) if runs else (None, None)


@settings(max_examples=200)
@given(st.lists(st.lists(st.integers(0, 120), max_size=8), max_size=6), st.randoms())
def test_the_threshold_is_found_whatever_the_order_and_the_slices(slices, random):
    everything = [minute * MINUTE for part in slices for minute in part]
    random.shuffle(slices)
    state = RuleState()
    for part in slices:
        if part:
            state = advance(GUESSING, state, [minute * MINUTE for minute in part])
    assert (state.first, state.last) == expected(everything)
    assert all(len(kept) <= 6 for kept in state.windows.values())


def test_a_rule_without_threshold_keeps_the_first_and_last_time():
    rule = GUESSING.model_copy(update={"repeated": None})
    state = advance(rule, advance(rule, RuleState(), [50]), [70, 20])
    assert (state.first, state.last, state.windows) == (20, 70, {})


def test_shipped_rules_are_the_first_three_and_a_citys_own_replace_them(tmp_path):
    assert set(shipped().rules) == {"severe-alert", "honeypot-contact", "repeated-failed-logins"}
    text = (SHIPPED / "severe-alert.toml").read_text().replace("confidence = 60", "confidence = 10")
    (tmp_path / "mine.toml").write_text(text)
    rules = CityRules.load([SHIPPED, tmp_path], OWN.__contains__, networks_known=True).rules
    assert rules["severe-alert"].indicator.confidence == 10


@pytest.mark.parametrize("text", ["id = 3", "nonsense", 'id = "abc"\n[when]\nunknown = 1'])
def test_a_wrong_rule_is_named(tmp_path, text):
    (tmp_path / "broken.toml").write_text(text)
    with pytest.raises(BadSettings, match="broken"):
        CityRules.load([tmp_path], OWN.__contains__, networks_known=True)
