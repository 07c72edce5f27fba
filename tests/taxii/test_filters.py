"""Query parameters: what is read, refused and ignored (TAXII21.md I03-I05, I10-I28)."""

from __future__ import annotations

import pytest

from hub.errors import BadFilter
from hub.store.ports import Versions
from hub.taxii.filters import LISTED, VERSIONS, Filters, read_filters


@pytest.mark.parametrize(
    "query",
    [
        "added_after=yesterday",
        "added_after=",
        "added_after=2026-01-01T00:00:00",
        "added_after=2026-02-30T00:00:00Z",
        "added_after=2026-01-01T00:00:00Z,2026-01-02T00:00:00Z",
        "added_after=2026-01-01T00:00:00Z&added_after=2026-01-02T00:00:00Z",
        "limit=0",
        "limit=-1",
        "limit=1.5",
        "limit=ten",
        "limit=",
        "limit=%D9%A1",
        "limit=1&limit=1",
        "limit=+5",
        "next=a&next=a",
        "match[id]=a&match[id]=b",
        "match[id]=a&match%5Bid%5D=b",
        "match[type]=",
        "match[type]=a,,b",
        "match[version]=newest",
        "match[version]=all,last",
        "match[version]=first,first",
        "match[version]=2026-13-01T00:00:00Z",
        "match[spec_version]=2.1&match[spec_version]=2.1",
        "&".join(f"x{number}=1" for number in range(200)),
    ],
)
def test_refused(query: str) -> None:
    with pytest.raises(BadFilter):
        read_filters(query, LISTED)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", Filters()),
        ("foo=1&foo=2&match[colour]=red", Filters()),
        ("match%5Bid%5D=a%2Cb", Filters(ids=frozenset("ab"))),
        ("match[id]=a,b", Filters(ids=frozenset("ab"))),
        ("limit=99999999999999999999", Filters(limit=99999999999999999999)),
        ("added_after=1970-01-01T00:00:01Z", Filters(added_after=1_000_000)),
        ("added_after=1970-01-01T00%3A00%3A00.000001Z", Filters(added_after=1)),
        ("match[version]=first,last", Filters(versions=Versions(last=True, first=True))),
        ("match[version]=all", Filters(versions=Versions(last=False, all=True))),
        (
            "match[version]=first,1970-01-01T00:00:01.000Z",
            Filters(versions=Versions(last=False, first=True, exact=frozenset((1_000_000,)))),
        ),
        ("match[spec_version]=9.9", Filters(spec_versions=frozenset(("9.9",)))),
    ],
)
def test_read(query: str, expected: Filters) -> None:
    assert read_filters(query, LISTED) == expected


def test_what_an_address_does_not_define_is_ignored() -> None:
    assert read_filters("match[version]=nonsense&limit=2", VERSIONS) == Filters(limit=2)


def test_equal_match_fields_have_one_fingerprint() -> None:
    one = read_filters("match[type]=a,b&match[version]=last&limit=1", LISTED)
    other = read_filters("match[type]=b,a&limit=9&added_after=2026-01-01T00:00:00Z", LISTED)
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != read_filters("match[id]=a,b", LISTED).fingerprint
