"""What is shared with a group: why it cannot just be removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.publish.advisories import Advisory
from hub.publish.collections import Collection


def uses_of(group: str, collections: Iterable[Collection], advisories: Iterable[Advisory]) -> Iterator[str]:
    """Yield the collections that are granted to a sharing group, and the open advisories that are addressed to it."""
    grant = f"group:{group}"
    for one in collections:
        if grant in (*one.read, *one.write, *one.advertise):
            yield f"collection {one.key}"
    for advisory in advisories:
        if advisory.state in ("draft", "published") and group in advisory.terms.audience:
            yield f"advisory {advisory.id}"
