"""What all log formats do with values: times to microseconds, spellings to canonical keys, both remembered per log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo

from hub.errors import Refused
from hub.model.observables import NotObservable, canonical
from hub.model.times import SECOND

FIRST_MOMENT = 365 * 86400 * SECOND
"""Before 1971: not a time of day but seconds since a capture began, or a clock that was never set."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_REMEMBERED = 16384
_LONGEST_REMEMBERED = 2048


class Clock:
    """Reads ISO 8601 times of one log.

    Args:
        zone: of times that name none. An hour that comes twice in autumn is taken as the first one.
    """

    __slots__ = ("_seconds", "_zone")

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._seconds: dict[str, int] = {}

    def moment(self, text: str) -> int:
        """Return the microseconds since the epoch of ``2023-11-01T00:46:34.435874+0100`` and its like.

        Offsets may be ``Z``, ``+01:00``, ``+0100`` or missing.

        Raises:
            Refused: ``bad-time``, or ``relative-time`` for a time before 1971.
        """
        # A log holds many events a second: what stands around six fraction digits is read once.
        around, fraction = text[:20] + text[26:], text[20:26]
        known = self._seconds.get(around)
        if known is not None and len(fraction) == 6 and fraction.isdecimal():
            return known + int(fraction)
        moment = self._read(text)
        if len(fraction) == 6 and fraction.isdecimal() and text[19] == ".":
            if len(self._seconds) >= _REMEMBERED:
                self._seconds.clear()
            self._seconds[around] = moment - int(fraction)
        return moment

    def _read(self, text: str) -> int:
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            raise Refused("bad-time", f"{text[:40]!r} is no date and time") from None
        return self.microseconds(when)

    def microseconds(self, when: datetime) -> int:
        """Return a date and time, in the declared zone if it has none, as microseconds since the epoch.

        Raises:
            Refused: ``relative-time`` for a time before 1971.
        """
        if when.tzinfo is None:
            when = when.replace(tzinfo=self._zone)
        return calendar_time((when - _EPOCH) // _MICROSECOND)


def calendar_time(moment: int) -> int:
    """Return the moment if it can be one.

    Raises:
        Refused: ``relative-time``: it lies before 1971.
    """
    if moment < FIRST_MOMENT:
        raise Refused(
            "relative-time", "the time counts from the start of a capture (year 1970), the real one is unknown"
        )
    return moment


class Keys(dict[str, str | None]):
    """Canonical keys by spelling for one kind of observable; None for what is no such value.

    Addresses and names repeat in a log, so a look-up replaces most of the work. It forgets everything when it is full.
    """

    __slots__ = ("_kind",)

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, text: str) -> str | None:
        try:
            key = canonical(self._kind, text).key
        except NotObservable:
            key = None
        if len(text) <= _LONGEST_REMEMBERED:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[text] = key
        return key


class KnownKeys:
    """The keys of one log, by kind of value.

    Attributes:
        addresses: of IP addresses. hosts: of names, which may be addresses too. urls: of full URLs.
    """

    __slots__ = ("_others", "addresses", "hosts", "urls")

    def __init__(self) -> None:
        self.addresses = Keys("ipv4-addr")
        self.hosts = Keys("domain-name")
        self.urls = Keys("url")
        self._others: dict[str, Keys] = {}

    def of(self, kind: str, text: str) -> str | None:
        """Return the key of a value of any other kind, or None when it is none."""
        keys = self._others.get(kind)
        if keys is None:
            keys = self._others[kind] = Keys(kind)
        return keys[text]

    def web(self, host: str | None, target: str | None, port: int | None) -> list[str | None]:
        """Return the keys of a web request: of its host and of its URL.

        Args:
            host: the Host header. target: a path, or a full URL as clients send to a proxy.
            port: the server's port if the Host header does not name it.
        """
        found = [self.hosts[host]] if host else []
        if target and target.startswith("/"):
            if host:
                colon = f":{port}" if port not in (None, 80) else ""
                found.append(self.urls[f"http://{host}{colon}{target}"])
        elif target and "://" in target:
            found.append(self.urls[target])
        return found


def distinct(keys: Iterable[str | None]) -> tuple[str, ...]:
    """Return what is there, in order, without repeats."""
    once = dict.fromkeys(keys)
    once.pop(None, None)
    return tuple(once)  # type: ignore[arg-type]  # None is gone
