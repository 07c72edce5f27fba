"""Control documents on every engine: versions, expectations, expiry, listing."""

from __future__ import annotations

import pytest

from hub.errors import Conflict
from hub.store.ports import Batch, Document, DocumentWrite, Store


def write(store: Store, *writes: DocumentWrite) -> None:
    store.commit(Batch(documents=writes))


def version(store: Store, key: str) -> int:
    document = store.document("k", key)
    return document.version if document else 0


def test_a_document_comes_back(store: Store):
    assert store.document("k", "1") is None
    write(store, DocumentWrite("k", "1", b"\x00\xff"), DocumentWrite("other", "1", b"2"))
    document = store.document("k", "1")
    assert document == Document("k", "1", b"\x00\xff", version(store, "1"))


def test_versions_rise_with_every_write_also_across_deletes(store: Store):
    seen = []
    for value in (b"1", b"1", None, b"2", None, None, b"3"):
        write(store, DocumentWrite("k", "1", value))
        if value is not None:
            seen.append(version(store, "1"))
    assert seen == sorted(set(seen))
    assert seen[0] > 0


def test_expectations(store: Store):
    write(store, DocumentWrite("k", "1", b"1", expect=0))
    with pytest.raises(Conflict):
        write(store, DocumentWrite("k", "1", b"2", expect=0))
    first = version(store, "1")
    write(store, DocumentWrite("k", "1", b"2", expect=first))
    with pytest.raises(Conflict):
        write(store, DocumentWrite("k", "1", b"3", expect=first))
    with pytest.raises(Conflict):
        write(store, DocumentWrite("k", "1", None, expect=first))
    with pytest.raises(Conflict):
        write(store, DocumentWrite("k", "2", b"3", expect=first))
    write(store, DocumentWrite("k", "1", None, expect=version(store, "1")))
    write(store, DocumentWrite("k", "1", b"4", expect=0))
    document = store.document("k", "1")
    assert document
    assert document.value == b"4"


def test_what_expired_is_not_there(store: Store):
    write(store, DocumentWrite("k", "1", b"1", expires=5), DocumentWrite("k", "2", b"2", expires=2**53))
    assert store.document("k", "1") is None
    assert [document.key for document in store.documents("k")] == ["2"]
    write(store, DocumentWrite("k", "1", b"3", expect=0))
    assert version(store, "1") > version(store, "2")


def test_several_are_read_at_once(store: Store):
    assert store.documents_at([]) == []
    write(store, DocumentWrite("k", "1", b"1"), DocumentWrite("other", "1", b"2"))
    write(store, DocumentWrite("k", "old", b"3", expires=1))
    places = [("other", "1"), ("k", "none"), ("k", "1"), ("k", "old"), ("k", "1"), ("", "")]
    assert store.documents_at(places) == [store.document(*place) for place in places]
    assert [one and one.value for one in store.documents_at(places)] == [b"2", None, b"1", None, b"1", None]


def test_documents_are_listed_in_order_of_key(store: Store):
    keys = ["a/1", "a/2", "a/é", "a\U0010ffff", "a0", "b", "\ud7ff", "\ud7ffx", "\ue000", "%", "_"]
    write(store, *(DocumentWrite("k", key, b"") for key in keys), DocumentWrite("kk", "a/9", b""))

    def listed(**options) -> list[str]:
        return [document.key for document in store.documents("k", **options)]

    assert listed() == sorted(keys)
    assert listed(prefix="a/") == ["a/1", "a/2", "a/é"]
    assert listed(prefix="a/", after="a/1", limit=1) == ["a/2"]
    assert listed(prefix="a\U0010ffff") == ["a\U0010ffff"]
    assert listed(prefix="\ud7ff") == ["\ud7ff", "\ud7ffx"]
    assert listed(after="b", limit=2) == sorted(keys)[sorted(keys).index("b") + 1 :][:2]
    assert listed(prefix="%") == ["%"]
    assert store.documents("no") == []
