"""The query part of a TAXII request (TAXII 2.1 sections 3.4 and 3.5), read once and strictly.

What is malformed, given twice or contradicts itself is `BadFilter`; names that nobody defined are ignored (I26, I27).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from hub.errors import BadFilter
from hub.model import times
from hub.store.ports import Versions

PAGED = frozenset(("added_after", "limit", "next"))
LISTED = PAGED | {"match[id]", "match[type]", "match[version]", "match[spec_version]"}
"""Of Get Objects and the manifest."""
OBJECT = PAGED | {"match[version]", "match[spec_version]"}
VERSIONS = PAGED | {"match[spec_version]"}

_MOST_PARAMETERS = 100
_MOST_VALUES = 1000
_LIMIT = re.compile(r"\d{1,4000}", re.ASCII)
_KEYWORDS = ("last", "first", "all")


@dataclass(frozen=True, slots=True)
class Filters:
    """What the client asked for; None and empty mean that it did not say.

    ``limit`` may be larger than any page, and is never 0. ``added_after`` is in microseconds.
    """

    added_after: int | None = None
    limit: int | None = None
    next: str | None = None
    ids: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    spec_versions: frozenset[str] = frozenset()
    versions: Versions | None = None

    @property
    def fingerprint(self) -> str:
        """One text for equal match fields in any order and spelling: what a page token is bound to.

        ``added_after`` is not in it. A later page lies behind it anyhow, and clients differ in whether they repeat it.
        """
        versions = self.versions or Versions()
        keywords = (versions.last, versions.first, versions.all, sorted(versions.exact))
        return repr((sorted(self.ids), sorted(self.types), sorted(self.spec_versions), keywords))


def read_filters(query: str, defined: frozenset[str]) -> Filters:
    """Read a query string.

    Args:
        query: as it stands in the URL, percent-encoded or not.
        defined: the parameters that the address takes; all others are ignored.

    Raises:
        BadFilter: a defined parameter is malformed, empty or given twice.
    """
    if not query:
        return Filters()
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise BadFilter(f"more than {_MOST_PARAMETERS} query parameters") from None
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in defined:
            continue
        if name in given:
            raise BadFilter(f"{name} is given twice (TAXII 2.1 section 3.4)")
        given[name] = value
    return Filters(
        added_after=_added_after(given["added_after"]) if "added_after" in given else None,
        limit=_limit(given["limit"]) if "limit" in given else None,
        next=given.get("next"),
        ids=_values(given, "match[id]"),
        types=_values(given, "match[type]"),
        spec_versions=_values(given, "match[spec_version]"),
        versions=_versions(given["match[version]"]) if "match[version]" in given else None,
    )


def _added_after(text: str) -> int:
    try:
        return times.parse_timestamp(text)
    except ValueError:
        raise BadFilter("added_after must be one UTC timestamp such as 2026-01-31T12:00:00.000000Z") from None


def _limit(text: str) -> int:
    if not _LIMIT.fullmatch(text) or int(text) == 0:
        raise BadFilter("limit must be a whole number above zero")
    return int(text)


def _split(name: str, text: str) -> list[str]:
    values = text.split(",")
    if len(values) > _MOST_VALUES:
        raise BadFilter(f"{name} has more than {_MOST_VALUES} values")
    if not all(values):
        raise BadFilter(f"{name} has an empty value")
    return values


def _values(given: dict[str, str], name: str) -> frozenset[str]:
    return frozenset(_split(name, given[name])) if name in given else frozenset()


def _versions(text: str) -> Versions:
    values = _split("match[version]", text)
    keywords = [value for value in values if value in _KEYWORDS]
    if len(keywords) != len(set(keywords)) or ("all" in keywords and len(values) > 1):
        raise BadFilter("match[version] contradicts itself: all stands alone, first and last at most once each")
    try:
        exact = frozenset(times.parse_timestamp(value) for value in values if value not in _KEYWORDS)
    except ValueError:
        raise BadFilter("match[version] takes last, first, all and UTC timestamps") from None
    return Versions(last="last" in keywords, first="first" in keywords, all="all" in keywords, exact=exact)
