"""Strict JSON: what is refused, and that what is kept is what was written."""

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.admission.strict_json import MAX_BYTES, MAX_DEPTH, parse_object
from hub.errors import Refused


@pytest.mark.parametrize(
    ("raw", "reason", "words"),
    [
        (b'{"a":1,"a":2}', "duplicate-name", "'a'"),
        (b'{"a":1,"\\u0061":2}', "duplicate-name", "'a'"),
        (b'{"x":[{"b":1,"b":1}]}', "duplicate-name", "'b'"),
        (b'{"a":NaN}', "bad-json", "not JSON"),
        (b'{"a":Infinity}', "bad-json", "not JSON"),
        (b'{"a":1e400}', "bad-json", "infinity"),
        (b'{"a":9007199254740992}', "bad-number", "2^53"),
        (b'{"a":-9007199254740992}', "bad-number", "2^53"),
        (b'{"a":99999999999999999999999}', "bad-number", "2^53"),
        (b'{"a":%s}' % (b"1" * 300), "bad-number", "2^53"),
        (b'{"a":"\\ud800"}', "bad-json", "surrogate"),
        (b'{"a":"\\u0000"}', "bad-text", "NUL"),
        (b'{"\\u0000":1}', "bad-text", "NUL"),
        (b"[" * 100_000, "too-deep", "64"),
        (b'{"a":' * 100_000, "too-deep", "64"),
        (b"[" * 65 + b'"' + b'\\"' * 500_000, "too-deep", "64"),
        (b"[" * 65 + b'"' + b"\\\\" * 500_000, "too-deep", "64"),
        (b'{"a":"%s"}' % (b"x" * MAX_BYTES), "too-large", str(MAX_BYTES)),
        (b'{"a":', "bad-json", "end of data"),
        (b"", "bad-json", "empty"),
        (b"<html><body>Sign in</body></html>", "bad-json", "HTML"),
        ('{"a":1}'.encode("utf-16"), "bad-json", "UTF-16"),
        ('{"a":1}'.encode("utf-16-be"), "bad-json", "UTF-16"),
        (b'\xef\xbb\xbf{"a":1}', "bad-json", "byte order mark"),
        ('{"a":"é"}'.encode("latin-1"), "bad-json", "not UTF-8"),
        (b"[]", "not-an-object", "a list"),
        (b"null", "not-an-object", "null"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else None,
)
def test_refused(raw: bytes, reason: str, words: str) -> None:
    with pytest.raises(Refused) as fault:
        parse_object(raw)
    assert fault.value.reason == reason
    assert words in fault.value.message
    assert len(fault.value.message) < 200


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b' {"b" : 1.50 ,\n\t"a":[1 , 2]} ', b'{"b":1.50,"a":[1,2]}'),
        (b'{"a":1e2,"b":-0,"c":1.0}', b'{"a":1e2,"b":-0,"c":1.0}'),
        (b'{"a":"\\u00e9 \\/  \\" x"}', b'{"a":"\\u00e9 \\/  \\" x"}'),
        (b'{"a":"\\\\u0000"}', b'{"a":"\\\\u0000"}'),
        (b'{"a":123456789012345678.5,"b":"12345678901234567890"}',) * 2,
        (b'{"a":9007199254740991,"b":0.002283597620013777,"c":1234567890123456789e-3}',) * 2,
        (b'{"":{"":""}}',) * 2,
    ],
)
def test_bytes_are_kept_without_blanks(raw: bytes, kept: bytes) -> None:
    assert parse_object(raw)[1] == kept


def test_depth_counts_levels_and_not_brackets() -> None:
    wide = b'{"a":[' + b",".join([b"{}"] * 500) + b'],"b":"[[[["}'
    assert parse_object(wide)[1] == wide
    deepest = b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert parse_object(deepest)[1] == deepest


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(_TEXT, _VALUES, max_size=5), st.sampled_from([None, 0, 1, "\t"]), st.booleans())
def test_any_spelling_is_read_alike_and_kept_short(
    obj: dict[str, object], indent: int | str | None, escaped: bool
) -> None:
    raw = json.dumps(obj, indent=indent, ensure_ascii=escaped).encode()
    found, kept = parse_object(raw)
    assert found == orjson.loads(raw) == orjson.loads(kept)
    assert kept == json.dumps(obj, separators=(",", ":"), ensure_ascii=escaped).encode()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:\\u0d8a1e-. \n', max_size=40).map(str.encode))
def test_anything_is_read_or_refused(raw: bytes) -> None:
    try:
        found, kept = parse_object(raw)
    except Refused:
        return
    assert orjson.loads(kept) == found
