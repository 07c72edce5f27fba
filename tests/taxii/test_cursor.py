"""Page tokens: what went in comes out, for the same walk and store only (TAXII21.md J09-J12, FIELD T24)."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import BadCursor
from hub.taxii.cursor import Cursors, Place
from tests.stores import store_in


@pytest.fixture(scope="module")
def cursors(tmp_path_factory: pytest.TempPathFactory) -> list[Cursors]:
    """Two workers over one store, and one over another."""
    made, folders = [], tmp_path_factory.mktemp("stores")
    for name in ("one", "one", "other"):
        store = store_in(folders / name)
        made.append(Cursors(store))
        store.close()
    return made


MOMENT = st.integers(0, 2**62)


@given(position=MOMENT, date=MOMENT, binding=st.text(max_size=30))
def test_every_worker_of_a_store_reads_it(cursors: list[Cursors], position: int, date: int, binding: str) -> None:
    place = Place(position, date)
    token = cursors[0].token(place, binding)
    assert cursors[1].place(token, binding) == place
    assert token.isascii()
    for elsewhere in (lambda: cursors[2].place(token, binding), lambda: cursors[0].place(token, binding + "x")):
        with pytest.raises(BadCursor):
            elsewhere()


@given(position=MOMENT, date=MOMENT, more=st.integers(1, 1000))
def test_a_token_does_not_tell_its_place(cursors: list[Cursors], position: int, date: int, more: int) -> None:
    tokens = [cursors[0].token(Place(one, date), "b") for one in (position, position + more)]
    first, second = (base64.urlsafe_b64decode(token + "==")[:16] for token in tokens)
    assert struct.pack(">q", date) not in (first[8:], second[8:])
    assert first[:4] != second[:4] or first[8:] != second[8:], "neighbours have nothing in common"


@given(text=st.text(max_size=60))
def test_nothing_else_is_taken(cursors: list[Cursors], text: str) -> None:
    with pytest.raises(BadCursor):
        cursors[0].place(text, "b")
