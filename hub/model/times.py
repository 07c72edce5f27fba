"""Times as numbers: microseconds since 1970-01-01T00:00:00Z, always UTC. Text only at the edges."""

from __future__ import annotations

import calendar
import functools
import re
import time

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_TIMESTAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def now() -> int:
    """Return the present time in microseconds since the epoch."""
    return time.time_ns() // 1000


def parse_timestamp(text: str) -> int:
    """Read a STIX or TAXII timestamp (STIX 2.1 section 3.2, RFC 3339 with ``Z``) as microseconds.

    Digits beyond the sixth are dropped. Second 60 is not taken, as in Python.

    Raises:
        ValueError: the text is not such a timestamp or the date does not exist.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"not a UTC timestamp such as 2026-01-31T12:00:00Z: {text[:40]!r}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction = match[7]
    if not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59 or year < 1:
        raise ValueError(f"no such time: {text}")
    longest = 29 if month == 2 and calendar.isleap(year) else _DAYS[month - 1]
    if not 1 <= day <= longest:
        raise ValueError(f"no such day: {text}")
    seconds = calendar.timegm((year, month, day, hour, minute, second))
    return seconds * SECOND + (int(fraction[:6].ljust(6, "0")) if fraction else 0)


def format_timestamp(moment: int, digits: int = 6) -> str:
    """Write microseconds as a UTC timestamp with 3 (STIX habit) or 6 (TAXII) fraction digits."""
    seconds, micro = divmod(moment, SECOND)
    return f"{_to_the_second(seconds)}.{f'{micro:06d}'[:digits]}Z"


@functools.lru_cache(4096)
def _to_the_second(seconds: int) -> str:
    year, month, day, hour, minute, second, *_ = time.gmtime(seconds)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"


def day_of(moment: int) -> int:
    """Return the UTC day of a moment, as days since the epoch."""
    return moment // DAY


def format_day(day: int) -> str:
    """Write days since the epoch as ``2026-01-31``."""
    return format_timestamp(day * DAY)[:10]
