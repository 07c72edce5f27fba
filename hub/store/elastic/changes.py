"""Changes as documents of the index, and back."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Container
from hashlib import blake2b
from typing import Any

from hub.model.observables import index_key
from hub.store.elastic.cluster import Source
from hub.store.elastic.places import Places
from hub.store.facets import counted_tokens
from hub.store.ports import Change, Draft

FIELDS = (
    *("what", "pos", "date", "id", "type", "version", "place"),
    *("doc.text", "doc.body", "doc.source", "doc.place", "doc.matchable"),
)
"""What of a document makes a `Change`."""

_MILLISECOND = 1000

_KEPT = (*("pos", "back", "date", "id", "type", "version", "revoked", "created", "valid_until", "confidence"),)


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
        "size": len(draft.body),
        "matchable": draft.matchable,
    }
    if draft.original is not None:
        doc["original"] = b64encode(draft.original).decode()
    source = _placed("put", position, date, draft.id, draft.type) | {
        "place": str(number),
        "version": draft.version,
        "revoked": int(draft.revoked),
        "facets": _facets(draft),
        "date_ms": date // _MILLISECOND,
    }
    for name in ("created", "valid_until", "confidence"):
        if getattr(draft, name) is not None:
            source[name] = getattr(draft, name)
    if draft.created is not None:
        source["created_ms"] = draft.created // _MILLISECOND
    if draft.tokens:
        source["tokens"] = draft.tokens
    if draft.observables:
        source["keys"] = [index_key(key) for key in dict.fromkeys(draft.observables)]
        if draft.matchable:
            source["match"] = "yes"
    source["doc"] = doc
    return source


def _facets(draft: Draft) -> list[str]:
    """Return what a version is counted by, besides its place: a few of its tokens and numbers."""
    found = counted_tokens(draft.tokens)
    found += (f"type={draft.type}", f"source={draft.source}", f"revoked={int(draft.revoked)}")
    if draft.confidence is not None:
        found.append(f"confidence={draft.confidence}")
    return found


def removed_source(source: Source) -> Source:
    """Return what is left of a version that is taken away: its place in the log, without content."""
    kept = {name: source[name] for name in _KEPT if name in source}
    doc = {name: source["doc"][name] for name in ("text", "source", "matchable")}
    return kept | {"what": "removed", "doc": doc | {"place": source["place"], "body": ""}}


def note_source(id: str, version: int | None, last: Source, position: int, date: int) -> Source:
    """Return the document that notes a withdrawal; ``last`` is the last version that it took away."""
    source = _placed("withdraw", position, date, id, last["type"])
    if version is not None:
        source["version"] = version
    text = "" if version is None else last["doc"]["text"]
    source["doc"] = {"text": text, "source": last["doc"]["source"], "place": last["place"], "body": ""}
    return source


def _placed(what: str, position: int, date: int, id: str, type_: str) -> Source:
    return {"what": what, "pos": position, "back": -position, "date": date, "id": id, "type": type_}


def reduced(source: Source, fields: Container[str]) -> Source:
    """Return a document with no fields but these to be found by; the others are kept where nothing finds them."""
    found = {name: value for name, value in source.items() if name in fields}
    left = {name: value for name, value in source.items() if name not in fields}
    return found | {"doc": {**source.get("doc", {}), "left": left}} if left else found


def restored(source: Source) -> Source:
    """Return the document that was `reduced`, or that never was."""
    left = source.get("doc", {}).get("left")
    if left is None:
        return source
    return {**source, **left, "doc": {name: value for name, value in source["doc"].items() if name != "left"}}


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
        matchable=doc.get("matchable", False),
    )
