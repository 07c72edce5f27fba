"""The control documents by which the parts of correlation hand work to each other.

A mark is written in the commit that causes the work and deleted, conditionally on its version, in the commit that
stores the result: whatever is killed in between, the work is done once more and changes nothing.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hub.store.ports import Document, DocumentWrite, Store

TOUCHED: Final = "touched"
"""This indicator key was seen on this day: its sightings are to be computed again."""

RULE_STATE: Final = "rule-state"
"""What a rule knows of an address."""

FINDING_DUE: Final = "finding-due"
"""A rule's state changed: its indicator is to be computed again."""

REHUNT: Final = "rehunt"
"""Events of a log were matched up to this position of the change log; what came behind is to be hunted again."""

CURSOR: Final = "cursor"
LOG_FILE: Final = "log-file"
"""How far a log was read."""


def touch(key: str, day: int) -> DocumentWrite:
    """Mark an indicator key as seen on a day."""
    return DocumentWrite(TOUCHED, f"{key}|{day}", b"{}")


def touched(mark: Document) -> tuple[str, int]:
    """Return the key and day of a mark."""
    key, _, day = mark.key.rpartition("|")
    return key, int(day)


def done(mark: Document) -> DocumentWrite:
    """Delete a mark, unless it was set again meanwhile."""
    return DocumentWrite(mark.kind, mark.key, None, expect=mark.version)


def position_write(kind: str, key: str, position: int, expect: int | None = None) -> DocumentWrite:
    """Save a position."""
    return DocumentWrite(kind, key, msgspec.json.encode({"position": position}), expect=expect)


def position_of(document: Document) -> int:
    """Return a saved position."""
    return msgspec.json.decode(document.value, type=dict[str, int])["position"]


def rehunt_from(store: Store, log: str, position: int) -> DocumentWrite:
    """Ask for a retro-hunt of what comes behind a position; an older request of the same log that stands is kept.

    It is written even if nothing changes: the new version keeps a hunt that runs right now from deleting it.
    """
    standing = store.document(REHUNT, log)
    return position_write(REHUNT, log, min(position, position_of(standing)) if standing else position)
