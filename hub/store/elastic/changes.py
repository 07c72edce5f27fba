"""Changes as documents of the index, and back."""

from __future__ import annotations

from base64 import b64encode
from hashlib import blake2b
from typing import Any

from hub.model.observables import index_key
from hub.store.elastic.cluster import Source
from hub.store.elastic.places import Places
from hub.store.ports import Change, Draft, Withdrawal

FIELDS = (
    *("what", "pos", "date", "id", "type", "version", "place", "match"),
    *("doc.text", "doc.body", "doc.source", "doc.place"),
)
"""What of a document makes a `Change`."""


def digest(body: bytes) -> str:
    """Return what tells whether two versions have the same content."""
    return blake2b(body, digest_size=20).hexdigest()


def change_source(draft: Draft, number: int, position: int, date: int) -> Source:
    """Return the document of a new version in a place."""
    doc: dict[str, Any] = {
        "text": draft.version_text,
        "body": draft.body.decode(),
        "source": draft.source,
        "digest": digest(draft.body),
    }
    if draft.matchable:
        doc["observables"] = sorted(set(draft.observables))
    if draft.original is not None:
        doc["original"] = b64encode(draft.original).decode()
    source: Source = {
        "what": "put",
        "pos": position,
        "back": -position,
        "date": date,
        "place": str(number),
        "id": draft.id,
        "type": draft.type,
        "version": draft.version,
        "size": len(draft.body),
        "revoked": int(draft.revoked),
    }
    for name in ("created", "valid_until", "confidence"):
        if getattr(draft, name) is not None:
            source[name] = getattr(draft, name)
    if draft.tokens:
        source["tokens"] = draft.tokens
    if draft.observables:
        source["keys"] = [index_key(key) for key in dict.fromkeys(draft.observables)]
    if draft.matchable and draft.observables:
        source["match"] = "yes"
    elif draft.matchable:
        source["match"] = "none"
    source["doc"] = doc
    return source


def note_source(withdrawal: Withdrawal, last: Source, position: int, date: int) -> Source:
    """Return the document that notes a withdrawal; ``last`` is the last version that it took away."""
    text = "" if withdrawal.version is None else last["doc"]["text"]
    source: Source = {
        "what": "withdraw",
        "pos": position,
        "back": -position,
        "date": date,
        "id": withdrawal.id,
        "type": last["type"],
        "doc": {"text": text, "source": last["doc"]["source"], "place": last["place"], "body": ""},
    }
    if withdrawal.version is not None:
        source["version"] = withdrawal.version
    return source


def change_of(source: Source, places: Places) -> Change:
    """Return the change that a document holds."""
    put, doc = source["what"] == "put", source["doc"]
    number = int(source["place"] if put else doc["place"])
    place = places.place(number)
    return Change(
        position=source["pos"],
        date_added=source["date"],
        action="put" if put else "withdraw",
        collection=place.collection,
        id=source["id"],
        type=source["type"],
        spec_version=place.spec_version,
        version=source.get("version"),
        version_text=doc["text"],
        body=doc["body"].encode(),
        audience=places.audience(number),
        source=doc["source"],
        matchable="match" in source,
    )
