"""When an organisation's sharing groups change, it is noted in the same commit, with the moment.

So what it could see until then is known exactly, and can be told to be seen no more (`hub.publish.farewells`).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hub.access.members import Organisation
from hub.errors import Conflict
from hub.model import times
from hub.store.ports import DocumentWrite, Store

_KIND = "departure"


class Departure(msgspec.Struct, frozen=True):
    """A change of sharing groups.

    Attributes:
        organisation: whose. at: when, microseconds UTC: what has a later date was added when it was done.
        before, after: the sharing groups that it was in, and is in.
    """

    organisation: str
    at: int
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its key: in order of time."""
        return f"{self.at:020d}|{self.organisation}"

    def done(self, expect: int) -> DocumentWrite:
        """Return the write that takes it off the list, provided that nobody else worked on it meanwhile."""
        return DocumentWrite(_KIND, self.key, None, expect=expect)

    def going_on(self, expect: int) -> DocumentWrite:
        """Return the write that makes a commit fail once it is off the list, or others worked on it meanwhile."""
        return DocumentWrite(_KIND, self.key, msgspec.json.encode(self), expect=expect)


def departure(before: Organisation, after: Organisation) -> list[DocumentWrite]:
    """Return the write that notes a change of sharing groups, if there is one."""
    if set(before.groups) == set(after.groups):
        return []
    noted = Departure(after.name, times.now(), before.groups, after.groups)
    return [DocumentWrite(_KIND, noted.key, msgspec.json.encode(noted), expect=0)]


def departures(store: Store) -> Iterator[Departure]:
    """Yield the changes that are still on the list, in order of time."""
    for document in store.documents(_KIND):
        yield msgspec.json.decode(document.value, type=Departure)


def version_of(store: Store, one: Departure) -> int:
    """Return which version of a change is on the list.

    Raises:
        Conflict: it is no longer there.
    """
    document = store.document(_KIND, one.key)
    if document is None:
        raise Conflict("somebody else worked this change of sharing groups off")
    return document.version
