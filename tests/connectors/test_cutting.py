"""The cutter finds exactly the values that a JSON parser finds, wherever the input is torn."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cutting import Cutter
from hub.errors import NotThatFormat

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.just('"}]{[\\'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
VALUES = st.lists(st.dictionaries(st.text(max_size=6), ANY, max_size=3) | st.lists(ANY, max_size=2), max_size=5)


class Torn(io.RawIOBase):
    """Gives a few bytes at a time, whatever is asked for."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content = io.BytesIO(content)
        self._size = size

    def read(self, size: int = -1) -> bytes:
        return self._content.read(self._size)


def cut(document: str, size: int, **more: Any) -> tuple[list[Any], Cutter]:
    cutter = Cutter(Torn(document.encode(), size), "list", **more)  # type: ignore[arg-type]  # as much of one as is read
    return [json.loads(value.raw) for value in cutter.values() if not value.stray], cutter


@given(
    VALUES,
    st.dictionaries(st.text(max_size=4).filter(lambda key: key != "objects"), ANY, max_size=2),
    st.integers(1, 9),
)
def test_values_under_a_key(values: list[Any], around: dict[str, Any], size: int) -> None:
    document = {**around, "objects": values, "more": True}
    found, cutter = cut(json.dumps(document, ensure_ascii=False), size, key="objects")
    assert found == values
    assert cutter.found
    assert json.loads(cutter.head + b"[" + cutter.tail) == {**document, "objects": []}


@given(VALUES, st.integers(1, 9), st.sampled_from([None, 1]))
def test_values_of_an_array(values: list[Any], size: int, indent: int | None) -> None:
    assert cut(json.dumps(values, indent=indent), size)[0] == values


@given(st.dictionaries(st.text(max_size=5), st.lists(ANY, max_size=2), max_size=4), st.integers(1, 9))
def test_members_of_an_object(members: dict[str, Any], size: int) -> None:
    assert cut(json.dumps(members), size, members=True)[0] == list(members.values())


@given(VALUES.filter(bool), st.data())
def test_a_break_is_told_and_what_was_whole_comes_first(values: list[Any], data: Any) -> None:
    document = json.dumps(values).encode()
    torn = document[: data.draw(st.integers(0, len(document) - 1))]
    found = []
    with pytest.raises(NotThatFormat):
        for value in Cutter(io.BytesIO(torn), "list").values():
            found.append(json.loads(value.raw))
    assert found == values[: len(found)]


@pytest.mark.parametrize("document", ['[{"a": 1}] x', '[{"a": 1}][]', "]", "x", "", "[1] {}"])
def test_what_is_not_one_document_is_refused(document: str) -> None:
    with pytest.raises(NotThatFormat):
        cut(document, 64)


def test_what_is_neither_object_nor_list_is_shown() -> None:
    cutter = Cutter(io.BytesIO(b'[{"a": 1}, 7, "x", {"b": 2} null]'), "list")
    assert [(value.raw, value.stray) for value in cutter.values()] == [
        (b'{"a": 1}', False), (b'7, "x"', True), (b'{"b": 2}', False), (b"null", True),
    ]  # fmt: skip
