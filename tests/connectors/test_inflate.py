"""Compressed content is bounded (FIELD.md T9) and a break is told."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.inflate import Inflater, decompressed
from hub.errors import NotThatFormat


@given(st.lists(st.binary(max_size=200_000), min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_every_gzip_comes_back_also_of_several_members_with_padding(parts: list[bytes]) -> None:
    packed = b"".join(gzip.compress(part) for part in parts) + b"\0" * 7
    assert decompressed(io.BytesIO(packed), "list").read() == b"".join(parts)


@given(st.binary(max_size=5000))
def test_anything_else_comes_through_as_it_is(content: bytes) -> None:
    if content[:2] != b"\x1f\x8b":
        assert decompressed(io.BytesIO(content), "list").read() == content


@pytest.mark.parametrize("keep", [2, 12, 100])
def test_a_truncated_file_breaks_off(keep: int) -> None:
    packed = gzip.compress(bytes(range(256)) * 40)[:keep]
    with pytest.raises(NotThatFormat, match="breaks off"):
        decompressed(io.BytesIO(packed), "list.gz").read()


def test_a_damaged_file_is_told_from_a_truncated_one() -> None:
    packed = bytearray(gzip.compress(bytes(range(256)) * 400))
    packed[30:60] = b"\xff" * 30
    with pytest.raises(NotThatFormat, match=r"damaged|breaks off"):
        decompressed(io.BytesIO(bytes(packed)), "list.gz").read()


def test_a_bomb_costs_no_memory() -> None:
    squeeze = zlib.compressobj(9, wbits=31)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(400)) + squeeze.flush()
    tracemalloc.start()
    with pytest.raises(NotThatFormat, match="grows more than 200 times"):
        reader = decompressed(io.BytesIO(bomb), "list.gz")
        while reader.read(1 << 16):
            pass
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_the_size_limit_holds_below_the_ratio() -> None:
    with pytest.raises(NotThatFormat, match="more than 1 MB"):
        decompressed(io.BytesIO(gzip.compress(bytes(range(256)) * 5000)), "list.gz", limit=1 << 20).read()


def test_deflate_without_a_header_is_taken_where_http_allows_it() -> None:
    squeeze = zlib.compressobj(wbits=-15)
    raw = squeeze.compress(b"192.0.2.1\n" * 50) + squeeze.flush()
    inflater = Inflater("answer", headerless=True)
    assert b"".join(inflater.feed(raw)) == b"192.0.2.1\n" * 50
    inflater.finish()


def test_the_stream_stays_the_callers() -> None:
    stream = io.BytesIO(b"plain")
    decompressed(stream, "list").close()
    assert not stream.closed
