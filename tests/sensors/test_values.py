"""Times and keys as sensors write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sensors.values import Clock, KnownKeys, distinct
from hub.errors import Refused

ZONES: st.SearchStrategy[Any] = st.sampled_from(
    [None, UTC, *(timezone(timedelta(minutes=minutes)) for minutes in (-570, 60, 345))]
)
MOMENTS = st.datetimes(datetime(1971, 2, 1), datetime(2200, 1, 1), timezones=ZONES)


@given(st.lists(st.tuples(MOMENTS, st.integers(0, 6), st.booleans()), max_size=6))
def test_times_are_read_as_python_does_it_whatever_was_read_before(times: list[tuple[datetime, int, bool]]) -> None:
    clock = Clock(ZoneInfo("Europe/Berlin"))
    for when, digits, colon in times:
        fraction = f".{when.microsecond:06d}"[: digits + 1] if digits else ""
        zone = when.strftime("%z")
        text = when.strftime("%Y-%m-%dT%H:%M:%S") + fraction + (f"{zone[:3]}:{zone[3:]}" if zone and colon else zone)
        whole = when.replace(
            microsecond=int(fraction[1:].ljust(6, "0") or 0), tzinfo=when.tzinfo or ZoneInfo("Europe/Berlin")
        )
        expected = (whole - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        assert clock.moment(text) == expected
        assert clock.moment(text) == expected


def test_a_time_without_zone_is_in_the_declared_one() -> None:
    text = "2026-07-01T12:00:00.000000"
    assert Clock(UTC).moment(text) - Clock(ZoneInfo("Europe/Berlin")).moment(text) == 2 * 3600 * 1_000_000
    assert Clock(UTC).moment(text + "Z") == Clock(ZoneInfo("Europe/Berlin")).moment(text + "+0000")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "bad-time"),
        ("2026-02-30T00:00:00Z", "bad-time"),
        ("2026-02-03T00:00:00.12345x", "bad-time"),
        ("1970-01-01T00:00:12.000000Z", "relative-time"),
    ],
)
def test_what_is_no_time_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        Clock(UTC).moment(text)
    assert caught.value.reason == reason


def test_keys_stay_bounded_and_right() -> None:
    known = KnownKeys()
    for number in range(40_000):
        assert known.hosts[f"Host{number}.Example"] == f"domain-name:host{number}.example"
    assert len(known.hosts) <= 16_384
    long = "http://bad.example/" + "a" * 5000
    assert known.urls[long] == "url:" + long and long not in known.urls
    assert known.addresses["no address"] is None


@pytest.mark.parametrize(
    ("host", "target", "port", "keys"),
    [
        ("a.example", "/x", 80, ["domain-name:a.example", "url:http://a.example/x"]),
        ("a.example", "/x", 8080, ["domain-name:a.example", "url:http://a.example:8080/x"]),
        ("192.0.2.7", "/", None, ["ipv4-addr:192.0.2.7", "url:http://192.0.2.7/"]),
        ("a.example", "http://a.example/y", 3128, ["domain-name:a.example", "url:http://a.example/y"]),
        ("a.example", "a.example:443", 443, ["domain-name:a.example"]),
        (None, "/x", 80, []),
        ("a.example", None, 80, ["domain-name:a.example"]),
    ],
)
def test_a_web_request_is_a_host_and_a_url(
    host: str | None, target: str | None, port: int | None, keys: list[str]
) -> None:
    assert KnownKeys().web(host, target, port) == keys


def test_distinct_keeps_the_order() -> None:
    assert distinct(["b", None, "a", "b"]) == ("b", "a")
