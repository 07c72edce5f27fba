"""Lists as one SQL parameter, read by ``json_each``: the statement stays the same however long the list is."""

from __future__ import annotations

import json
from collections.abc import Iterable


def as_list(values: Iterable[str] | Iterable[int]) -> str:
    """Return values as a JSON array.

    Texts with a NUL are left out: SQLite would cut them there and find what was not asked for, and no row has one.
    """
    return json.dumps([value for value in values if not isinstance(value, str) or "\0" not in value])
