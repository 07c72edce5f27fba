"""Whether every poller of a soak ended with exactly what it was entitled to, each once.

It asks nothing of the hub but the change log of the final store. What an object version says and who may see it follows
from the writers' script; the one decision that it shares with the hub is `may`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from hub.model.audience import Reader, may
from hub.model.times import format_timestamp, parse_timestamp
from hub.store.ports import Change
from tests.soak.history import History, Key, Walk
from tests.soak.running import PUBLISHED
from tests.soak.script import Put, digest, steps

_MILLISECOND = 1000
_HUB = "hub:publish"


class Checker:
    """Judges a history against the final store.

    Args:
        history: what was seen. final: every change in the final store, in order. readers: by user.
    """

    def __init__(self, history: History, final: Iterable[Change], readers: Mapping[str, Reader]) -> None:
        self._history = history
        self._readers = readers
        self._log = list(final)
        self._sent: dict[Key, Put] = {}
        self._to_go: set[tuple[str, str, str | None]] = set()
        for writer, last in history.begun.items():
            for one in steps(writer, last):
                self._sent |= {put.key: put for put in one.puts}
                self._to_go |= {(gone.collection, gone.id, gone.version) for gone in one.deletes}
        self._stored = {
            (one.collection, one.id, one.version_text): one
            for one in self._log
            if one.action == "put" and one.type == "indicator"
        }
        self._known = dict(self._sent) | dict(self._revoked_by_hub())
        self._digests = {key: digest(put.obj) for key, put in self._known.items()}
        self._visible = {
            user: {key for key, put in self._known.items() if may(reader, put.audience).allowed}
            for user, reader in readers.items()
        }

    def violations(self) -> list[str]:
        """Return a sentence for each promise that was broken."""
        found = [*self._history.faults, *self._store_is_wrong(), *self._leaving_is_unseen()]
        for walk in self._history.walks:
            found += [f"{walk.style} of {walk.user} in {walk.collection}: {one}" for one in self._walk_is_wrong(walk)]
        return found

    def _revoked_by_hub(self) -> Iterator[tuple[Key, Put]]:
        """Yield the versions that the hub made, as they should be: what was sent, revoked, a millisecond later."""
        for key, change in self._stored.items():
            if change.source != _HUB:
                continue
            before = format_timestamp(parse_timestamp(change.version_text) - _MILLISECOND, 3)
            sent = self._sent.get((change.collection, change.id, before))
            if sent is not None and change.collection == PUBLISHED:
                yield key, Put(key[0], {**sent.obj, "modified": key[2], "revoked": True}, sent.audience)

    def _goes(self, key: Key) -> bool:
        """Say whether a version was to be removed for good."""
        collection, id, version = key
        return collection != PUBLISHED and bool({(collection, id, None), (collection, id, version)} & self._to_go)

    def _store_is_wrong(self) -> Iterator[str]:
        for key in self._history.acknowledged:
            if key not in self._stored and not self._goes(key):
                yield f"lost: acknowledged {key} is not in the store"
        for key, change in self._stored.items():
            put = self._known.get(key)
            if put is None:
                yield f"invented: nobody sent {key}"
            elif digest(json.loads(change.body)) != digest(put.obj):
                yield f"altered in the store: {key}"
            elif (change.audience.owner, change.audience.tlp) != (put.audience.owner, put.audience.tlp):
                yield f"marked otherwise in the store: {key} is {change.audience.label}"
        for collection, id, version in self._history.deleted:
            if collection != PUBLISHED and any(
                key[:2] == (collection, id) and version in (None, key[2]) for key in self._stored
            ):
                yield f"came back: {collection} {id} {version} was removed"

    def _leaving_is_unseen(self) -> Iterator[str]:
        """In the published collection, whoever had a version hears the end of it."""
        versions: defaultdict[str, list[Key]] = defaultdict(list)
        for key in sorted(self._stored):
            if key[0] == PUBLISHED and key in self._known:
                versions[key[1]].append(key)
        for user in self._readers:
            for keys in versions.values():
                visible = [key for key in keys if key in self._visible[user]]
                last = keys[-1]
                if visible and visible[-1] != last and not self._known[visible[-1]].obj.get("revoked"):
                    yield f"not seen to leave: {user} keeps {visible[-1]}, the latest is {last}"
        for collection, id, _ in self._history.deleted:
            if collection == PUBLISHED and not self._known[versions[id][-1]].obj.get("revoked"):
                yield f"not seen to leave: {id} was removed where the hub publishes"

    def _walk_is_wrong(self, walk: Walk) -> Iterator[str]:
        counted = Counter((walk.collection, one.id, one.version) for one in walk.seen)
        visible = self._visible[walk.user]
        entitled = {key for key in visible if key[0] == walk.collection and key in self._stored}
        for key, number in counted.items():
            if number > 1:
                yield f"repeated: {key} came {number} times"
            if key not in self._known:
                yield f"invented: nobody sent {key}"
            elif key not in visible:
                yield f"revealed: {key}"
            elif key not in entitled and not self._goes(key):
                yield f"ghost: {key} is not in the store"
        for one in walk.seen:
            right = self._digests.get((walk.collection, one.id, one.version))
            if None not in (right, one.digest) and one.digest != right:
                yield f"swapped: {one.id} {one.version} says something else"
        due = _latest(entitled) if walk.latest else entitled
        if walk.before is not None:
            due = due & walk.before
        for key in due - counted.keys():
            yield f"missed: {key}"


def _latest(keys: Iterable[Key]) -> set[Key]:
    latest: dict[str, Key] = {}
    for key in sorted(keys):
        latest[key[1]] = key
    return set(latest.values())
