"""medallion's Backend over the store contract: what its views ask for, answered for the account that asks.

The edge has signed the account in, read the filters and found the collection before a view runs; they lie in the
request's environment as an `Asked`. Pages leave as `StoredBytes`: the objects' own bytes, never parsed or rebuilt.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import orjson
import structlog
from flask import request
from medallion.backends.base import Backend

from hub.access.audit import Audit
from hub.access.coarse import Coarse
from hub.admission.gate import Gate, Origin, Result
from hub.errors import HubError, NotAllowed, NotFound, StoreFull, StoreUnavailable
from hub.model import times
from hub.model.envelope import cut_envelope
from hub.publish.collections import STIX_21, Collection, Collections
from hub.publish.publication import Publication
from hub.store.ports import Batch, ManifestEntry, ManifestPage, PageQuery, Store, Versions, Withdrawal
from hub.taxii.asked import ASKED, Asked, Front
from hub.taxii.cursor import Cursors, Place
from hub.taxii.filters import Filters
from hub.taxii.media import TAXII_21
from hub.taxii.statuses import Statuses

Headers = dict[str, str]

log = structlog.get_logger("hub.taxii")

_PORTION = 1000
_EVERY = Versions(last=False, all=True)


class StoredBytes(bytes):
    """JSON that is ready to be sent, or that came in and was not read yet."""


class HubBackend(Backend):  # type: ignore[misc]
    """The methods that medallion's views call, with `page` for an own route in front of one of them."""

    def __init__(
        self, front: Front, collections: Collections, store: Store, gate: Gate, publication: Publication | None = None
    ) -> None:
        self.front = front
        self._publication = publication
        self.collections = collections
        self._store = store
        self._audit = Audit(store)
        self._coarse = Coarse()
        self._gate = gate
        self._cursors = Cursors(store)
        self._statuses = Statuses(store)
        self._roots = {root.name: root for root in front.api_roots}

    def server_discovery(self) -> dict[str, Any]:
        """Return the discovery resource (section 4.1.1)."""
        roots = [f"{self.front.public_url.rstrip('/')}/{name}/" for name in self._roots]
        resource = {"title": self.front.title, "default": roots[0], "api_roots": roots}
        optional = {"description": self.front.description, "contact": self.front.contact}
        return resource | {name: text for name, text in optional.items() if text}

    def get_api_root_information(self, api_root: str) -> dict[str, Any] | None:
        """Return an API root resource (section 4.2.1), or None when there is none of that name."""
        root = self._roots.get(api_root)
        if root is None:
            return None
        resource = {"title": root.title, "versions": [TAXII_21], "max_content_length": self.front.max_body}
        return resource | ({"description": root.description} if root.description else {})

    def get_collections(self, api_root: str) -> dict[str, Any]:
        """Return the collections that the account may know of, in order of id (section 5.1)."""
        visible = self.collections.visible(_asked().principal)
        found = [self._resource(one) for one in visible if one.taxii and one.api_root == api_root]
        return {"collections": found} if found else {}

    def get_collection(self, _api_root: str, _collection_id: str) -> dict[str, Any] | None:
        """Return one collection (section 5.2.1), or None when the account may not know of it."""
        collection = _asked().collection
        return None if collection is None else self._resource(collection)

    def get_objects(
        self, _api_root: str, _collection_id: str, _filters: object, _allowed: object, limit: int
    ) -> tuple[StoredBytes, Headers]:
        """Return an envelope and its headers (section 5.4)."""
        return _joined(*self.page(_asked(), limit))

    def get_object(
        self, _api_root: str, _collection_id: str, _object_id: str, _filters: object, _allowed: object, limit: int
    ) -> tuple[StoredBytes, Headers]:
        """Return versions of one object in an envelope (section 5.6).

        Raises:
            NotFound: there is no such object in the collection, or none that the account may see.
        """
        asked = _asked()
        envelope, headers = _joined(*self.page(asked, limit))
        if envelope == b"{}":
            self._must_exist(asked)
        return envelope, headers

    def page(self, asked: Asked, limit: int) -> tuple[list[bytes], Headers]:
        """Return the envelope that a request asks for, in pieces, with at most ``limit`` objects, and its headers."""
        query, place = self._query(asked, limit)
        found = self._store.read_objects(asked.scope, query)
        self._note(asked, found.joined)
        if found.first_added is None or found.last_added is None:
            return [b"{}"], _nothing_added(asked, place)
        more = b'"more":false'
        if found.more:
            token = self._cursors.token(Place(found.last, found.last_added), asked.binding)
            more = b'"more":true,"next":"%s"' % token.encode()
        return [b"{", more, b',"objects":[', found.joined, b"]}"], _added(found.first_added, found.last_added)

    def get_object_manifest(
        self, _api_root: str, _collection_id: str, _filters: object, _allowed: object, limit: int
    ) -> tuple[StoredBytes, Headers]:
        """Return a manifest and its headers (section 5.3)."""
        asked = _asked()
        query, place = self._query(asked, limit)
        page = self._store.read_manifest(asked.scope, query)
        self._note(asked)
        return self._listing(asked, place, page, {"objects": [_record(entry) for entry in page.entries]})

    def get_object_versions(
        self, _api_root: str, _collection_id: str, _object_id: str, _filters: object, _allowed: object, limit: int
    ) -> tuple[StoredBytes, Headers]:
        """Return the versions of one object in order of arrival, and headers (section 5.8).

        Raises:
            NotFound: as for `get_object`.
        """
        asked = _asked()
        query, place = self._query(asked, limit, _EVERY)
        page = self._store.read_manifest(asked.scope, query)
        if not page.entries:
            self._must_exist(asked)
        versions = list(dict.fromkeys(entry.version_text for entry in page.entries))
        return self._listing(asked, place, page, {"versions": versions})

    def add_objects(
        self, api_root: str, _collection_id: str, body: StoredBytes, _request_time: object
    ) -> dict[str, Any]:
        """Take an envelope through the gate and return its status resource (sections 5.5 and 4.3.1).

        Raises:
            Refused: the body is not an envelope; nothing of it was stored.
        """
        asked, begun = _asked(), times.now()
        collection, principal = asked.named, asked.principal
        origin = Origin(
            source=f"user:{principal.user}",
            organisation=principal.organisation,
            collections=(collection.key, *collection.publish_to),
            marking=collection.marking,
            created_by=principal.identity,
            reader=principal.reader,
        )
        items = list(cut_envelope(body))
        results: list[Result] = []
        for start in range(0, len(items), _PORTION):
            results += self._gate.admit(items[start : start + _PORTION], origin).results
        status, kept = self._statuses.made(principal.user, api_root, collection.key, begun, results)
        counts = {name: status[name] for name in ("total_count", "success_count", "failure_count")}
        self._tell("objects.post", collection.key, {"status": status["id"], **counts}, Batch(documents=[kept]))
        self._publish(collection, results)
        return status

    def get_status(self, api_root: str, status_id: str) -> dict[str, Any] | None:
        """Return the status of one of the account's own POSTs, or None (section 4.3)."""
        return self._statuses.get(_asked().principal, api_root, status_id)

    def delete_object(
        self, _api_root: str, _collection_id: str, object_id: str, _filters: object, _allowed: object
    ) -> None:
        """Withdraw an object, or the versions of it that the request names (section 5.7).

        Raises:
            NotAllowed: it belongs to another organisation and the account is not able to review.
            NotFound: nothing that the account may see fits.
        """
        asked = _asked()
        # First the latest, then what goes: else one that comes in between would make them all look like old ones.
        latest = self._store.get(asked.scope, [object_id]).get(object_id)
        gone = [
            Withdrawal(asked.named.key, object_id, times.parse_timestamp(entry.version_text))
            for entry in self._entries(asked, asked.filters)
        ]
        if latest is None or not gone:
            raise NotFound("there is no such object, or no such version of it, in this collection")
        if latest.audience.owner != asked.principal.organisation and not asked.principal.can("review"):
            raise NotAllowed("only the organisation that handed it in, or a senior analyst, can withdraw it")
        ends = any(one.version == latest.version for one in gone)
        if self._publication is not None:
            # Elsewhere first: should the hub be killed in between, the same request does the rest.
            versions = frozenset(one.version for one in gone if one.version is not None)
            self._publication.withdraw_copies(asked.named, latest, versions, f"user:{asked.principal.user}")
        if self._publication is not None and ends and asked.named.published:
            self._publication.retraction.retract(asked.named.key, [object_id])
            self._tell("objects.retract", asked.named.key, {"id": object_id})
        else:
            told = {"id": object_id, "versions": len(gone)}
            self._tell("objects.delete", asked.named.key, told, Batch(withdrawals=gone))

    def note_refusal(self, asked: Asked, action: str, where: str, code: str) -> None:
        """Add to the audit log that an account may not write there, once in ten minutes for each collection."""
        user, key = asked.principal.user, asked.named.key
        if self._coarse.first(action, f"{user} {key}"):
            with contextlib.suppress(StoreUnavailable, StoreFull):
                self._audit.record(action, key, result=code, who=user, where=where or "unknown")

    def _tell(self, action: str, target: str, details: dict[str, object], batch: Batch | None = None) -> None:
        """Add what an account did to the audit log, in one commit with it when that is given as a batch."""
        user, where = _asked().principal.user, request.environ.get("REMOTE_ADDR", "")
        self._audit.record(action, target, who=user, where=where or "unknown", details=details, batch=batch)

    def _note(self, asked: Asked, joined: bytes = b"") -> None:
        """Note what an answer tells of its reader: his poller is alive, and which advisories he gets."""
        if self._publication is None or asked.bodiless:
            return
        organisation, pulls = asked.principal.organisation, self._publication.pulls
        pulls.polled(organisation)
        if asked.named.receipts:
            pulls.served(organisation, asked.principal.user, joined)

    def _publish(self, collection: Collection, results: list[Result]) -> None:
        """Publish at once what was handed in; if that fails the background work does it, and the POST stands."""
        if self._publication is None or not collection.advisories_to:
            return
        try:
            self._publication.publisher.handed_in(collection, [one.id for one in results if one.id])
        except HubError as error:
            log.warning("advisory not published yet", code=error.code, why=error.message)

    def _resource(self, collection: Collection) -> dict[str, Any]:
        principal = _asked().principal
        resource = {
            "id": collection.id,
            "title": collection.title,
            "alias": collection.alias,
            "can_read": self.collections.may_read(principal, collection),
            "can_write": self.collections.may_write(principal, collection),
            "media_types": list(collection.media_types),
        }
        return resource | ({"description": collection.description} if collection.description else {})

    def _query(self, asked: Asked, limit: int, versions: Versions | None = None) -> tuple[PageQuery, Place]:
        filters = asked.filters
        place = Place(0, 0) if filters.next is None else self._cursors.place(filters.next, asked.binding)
        object_id = asked.address.object_id
        query = PageQuery(
            asked.named.key,
            after=place.position,
            added_after=filters.added_after,
            ids=frozenset((object_id,)) if object_id else filters.ids,
            types=filters.types,
            spec_versions=filters.spec_versions,
            versions=versions or filters.versions or Versions(),
            limit=limit,
        )
        return query, place

    def _listing(
        self, asked: Asked, place: Place, page: ManifestPage, listed: dict[str, Any]
    ) -> tuple[StoredBytes, Headers]:
        if not page.entries:
            return StoredBytes(b"{}"), _nothing_added(asked, place)
        last = page.entries[-1].date_added
        resource: dict[str, Any] = {"more": page.more}
        if page.more:
            # The standard defines no next here, but taxii2-client's as_pages never ends without it (J14).
            resource["next"] = self._cursors.token(Place(page.last, last), asked.binding)
        return StoredBytes(orjson.dumps(resource | listed)), _added(page.entries[0].date_added, last)

    def _must_exist(self, asked: Asked) -> None:
        if next(self._entries(asked, Filters()), None) is None:
            raise NotFound("there is no such object in this collection")

    def _entries(self, asked: Asked, filters: Filters) -> Iterator[ManifestEntry]:
        """Yield all versions of the object that the account may see and the filters name, page by page."""
        versions, ids = filters.versions or _EVERY, frozenset((asked.address.object_id,))
        after, more = 0, True
        while more:
            query = PageQuery(asked.named.key, after, ids=ids, spec_versions=filters.spec_versions, versions=versions)
            page = self._store.read_manifest(asked.scope, query)
            yield from page.entries
            after, more = page.last, page.more


def _asked() -> Asked:
    asked: Asked = request.environ[ASKED]
    return asked


def _joined(pieces: list[bytes], headers: Headers) -> tuple[StoredBytes, Headers]:
    return StoredBytes(b"".join(pieces)), headers


def _record(entry: ManifestEntry) -> dict[str, str]:
    media_type = STIX_21 if entry.spec_version == "2.1" else f"application/stix+json;version={entry.spec_version}"
    added = times.format_timestamp(entry.date_added)
    return {"id": entry.id, "date_added": added, "version": entry.version_text, "media_type": media_type}


def _added(first: int, last: int) -> Headers:
    return {
        "X-TAXII-Date-Added-First": times.format_timestamp(first),
        "X-TAXII-Date-Added-Last": times.format_timestamp(last),
    }


def _nothing_added(asked: Asked, place: Place) -> Headers:
    """Return headers for an empty answer: where the client stands, so that it may keep them blindly.

    Never the time or the end of the log: a client would pass by what is being written just now, or learn that
    something was written that it may not see.
    """
    stands = max(place.date_added, asked.filters.added_after or 0)
    return _added(stands, stands)
