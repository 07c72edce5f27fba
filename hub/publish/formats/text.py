"""Plain text, one value a line: what most firewalls read as an external list. Only addresses, names and URLs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.publish.entries import Entry

NAME = "txt"
MEDIA_TYPE = "text/plain; charset=utf-8"

_KINDS = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url"})


def write(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield one value a line."""
    for entry in entries:
        if entry.observable.kind in _KINDS:
            yield f"{entry.observable.value}\n"
