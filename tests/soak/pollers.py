"""Pollers of every style, each a thread with a real HTTP client that sometimes loses an answer and asks again."""

from __future__ import annotations

import http.client
import json
import random
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

import requests
from taxii2client.common import TokenAuth
from taxii2client.v21 import Collection, as_pages

from tests.soak.history import History, Seen, Walk
from tests.soak.running import Running
from tests.soak.script import digest

LAST = "X-TAXII-Date-Added-Last"
TAXII = "application/taxii+json;version=2.1"
AGAIN = 0.1
_LOST = 0.05
_PASSING = (429, 503)

Answer = tuple[dict[str, Any], str]
"""A resource and the header that says where it ends."""


class Poller(threading.Thread):
    """One client of one organisation: polls until told that nothing more comes, then until nothing is left."""

    def __init__(self, hub: Running, history: History, style: str, user: str, collection: str, limit: int) -> None:
        super().__init__(name=f"{style} {user} {collection}", daemon=True)
        self._hub = hub
        self._history = history
        self._round = STYLES[style]
        self._chance = random.Random(self.name)
        self._collection = collection
        self._connection: http.client.HTTPConnection | None = None
        self._user = user
        self.walk = Walk(user, collection, style, latest=style == "latest")
        self.limit = limit
        self.after = "2000-01-01T00:00:00Z"
        self.nothing_more = threading.Event()
        if style != "pages":
            history.keep(self.walk)

    def run(self) -> None:
        """Poll."""
        try:
            over = False
            while not over:
                last = self.nothing_more.is_set()
                over = not self._round(self) and last
                self._pause()
        except Exception as error:  # noqa: BLE001 - a poller that dies silently would look like one that missed
            self._history.fault(f"{self.name} broke: {error!r}")
        finally:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _pause(self) -> None:
        longest = 3.0 if self.walk.style == "pages" else 0.3
        self.nothing_more.wait(self._chance.random() * longest)

    def ask(self, part: str, **query: Any) -> Answer:
        """Ask until there is an answer; now and then as if the first answer had been lost on the way."""
        target = f"/hub/collections/{self._collection}/{part}?{urlencode(query)}"
        while True:
            try:
                status, found, last = self._once(target)
            except (OSError, http.client.HTTPException):
                self._hang_up()
                self._history.count("retries of a poll")
                threading.Event().wait(AGAIN)
                continue
            if status == 200 and self._chance.random() >= _LOST:
                self._history.count("pages")
                return json.loads(found), last
            self._history.count("retries of a poll")
            if status not in (200, *_PASSING):
                self._history.fault(f"{self.name}: {target} answered {status} {found[:300]!r}")
                threading.Event().wait(AGAIN)

    def _once(self, target: str) -> tuple[int, bytes, str]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._hub.port, timeout=30)
        token = self._hub.tokens[self._user]
        self._connection.request("GET", target, headers={"Accept": TAXII, "Authorization": f"Bearer {token}"})
        answer = self._connection.getresponse()
        return answer.status, answer.read(), answer.headers.get(LAST, "")

    def take(self, objects: Iterable[dict[str, Any]]) -> int:
        """Note what came; return how many."""
        fresh = [_seen(one) for one in objects]
        self.walk.seen += fresh
        return len(fresh)

    def client(self) -> Collection:
        """Return taxii2-client's view of the collection; it takes the id and no alias."""
        id = self.ask("")[0]["id"]
        return Collection(f"{self._hub.url}/hub/collections/{id}/", auth=TokenAuth(self._hub.tokens[self._user]))

    def begin_walk(self, *, last: bool) -> Walk:
        """Return the record of a walk through everything."""
        before = None if last else self._history.snapshot()
        return Walk(self._user, self._collection, "pages", before=before)

    def keep(self, walk: Walk) -> None:
        """Keep a walk that came to its end."""
        self._history.keep(walk)
        self._history.count("walks")

    def count(self, what: str) -> None:
        """Count something for the summary."""
        self._history.count(what)


def _by_next(poller: Poller) -> int:
    found = 0
    more: dict[str, str] = {}
    while True:
        query = {"limit": poller.limit, "match[version]": "all", "added_after": poller.after}
        envelope, last = poller.ask("objects/", **query, **more)
        found += poller.take(envelope.get("objects", ()))
        if not envelope.get("more"):
            poller.after = last
            return found
        more = {"next": envelope["next"]}


def _by_header(poller: Poller) -> int:
    query = {} if poller.walk.latest else {"match[version]": "all"}
    envelope, poller.after = poller.ask("objects/", limit=poller.limit, added_after=poller.after, **query)
    return poller.take(envelope.get("objects", ()))


def _newest_seen(poller: Poller) -> list[dict[str, Any]]:
    query = {"limit": poller.limit, "added_after": poller.after, "match[version]": "all"}
    entries: list[dict[str, Any]] = poller.ask("manifest/", **query)[0].get("objects", [])
    if entries:
        poller.after = max(one["date_added"] for one in entries)
    return entries


def _by_newest(poller: Poller) -> int:
    entries = _newest_seen(poller)
    poller.walk.seen += [Seen(one["id"], one["version"], None) for one in entries]
    return len(entries)


def _by_id(poller: Poller) -> int:
    entries = _newest_seen(poller)
    wanted = {(one["id"], one["version"]) for one in entries}
    if wanted:
        ids, versions = zip(*sorted(wanted), strict=True)
        query = {"match[id]": ",".join(sorted(set(ids))), "match[version]": ",".join(sorted(set(versions)))}
        objects = poller.ask("objects/", **query)[0].get("objects", ())
        poller.take(one for one in objects if (one["id"], one["modified"]) in wanted)
    return len(wanted)


def _by_pages(poller: Poller) -> int:
    """Walk through everything with taxii2-client; a walk that breaks off counts for nothing, as for a real client."""
    last = poller.nothing_more.is_set()
    walk = poller.begin_walk(last=last)
    client = poller.client()
    try:
        for envelope in as_pages(client.get_objects, per_request=poller.limit, version="all"):
            walk.seen += [_seen(one) for one in envelope.get("objects", ())]
            poller.count("pages")
    except requests.RequestException:
        poller.count("walks that broke off")
        return 1
    finally:
        client.close()
    poller.keep(walk)
    return 0


def _seen(obj: dict[str, Any]) -> Seen:
    # The same few texts come in every walk: each is kept once.
    return Seen(sys.intern(obj["id"]), sys.intern(obj["modified"]), digest(obj))


STYLES: dict[str, Callable[[Poller], int]] = {
    "next": _by_next,
    "header": _by_header,
    "latest": _by_header,
    "newest": _by_newest,
    "by id": _by_id,
    "pages": _by_pages,
}
