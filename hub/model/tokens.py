"""The one tokenizer: which words an object is found by, the same for every engine and for the search language.

A token is ``field=term``: lower case, without blanks and double quotes, at most `LONGEST` bytes of UTF-8. ``w=`` are
words of the object's texts and values, ``value=`` its observables in canonical spelling, ``eulav=`` the same from
behind (so that every wildcard is a prefix), the others exact properties such as ``type=`` and ``label=``.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hub.model.observables import Observable

LONGEST = 128
"""Bytes of a token at most."""
LONGEST_PREFIX = 95
"""Bytes of a term that are kept as they are in a longer one, and so the longest prefix that can be searched."""
MOST_TOKENS = 512
"""Tokens of an object at most, not counting those of its values."""
_OFTEN_REPEATED = 512
MOST_VALUES = 2000
"""Observables of an object that are searched by value at most."""

_LONGEST_TERM = 112
_SURELY_SHORT = _LONGEST_TERM // 4
_LONGEST_TEXT = 20_000
_SEPARATORS = re.compile(r"[\s\"\x00-\x1f\x7f\ud800-\udfff]+")
_WORD = re.compile(r"\w+(?:[.@-]+\w+)*")
_PART = re.compile(r"[^\W_]+")
_WITHOUT_PARTS = re.compile(r"[0-9.-]+")
_DEFANGED = re.compile(r"\[\s?(?:\.|dot)\s?\]|\(\.\)|\{\.\}")
_TEXTS = (
    *(
        "labels",
        "aliases",
        "x_mitre_aliases",
        "value",
        "abstract",
        "explanation",
        "opinion",
        "subject",
        "goals",
        "objective",
    ),
    *("description", "content"),
)
_FIELDS = {
    "type": "type",
    "id": "id",
    "pattern_type": "pattern_type",
    "labels": "label",
    "aliases": "alias",
    "x_mitre_aliases": "alias",
    "created_by_ref": "author",
    "object_marking_refs": "marking",
    "relationship_type": "relationship",
}


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()


def _shortened(text: str) -> str:
    written = text.encode()
    if len(written) <= _LONGEST_TERM:
        return text
    kept = written[:LONGEST_PREFIX].decode(errors="ignore")
    return f"{kept}~{hashlib.blake2b(written, digest_size=8).hexdigest()}"


def term(text: str) -> str:
    """Return the form of a text after the ``=`` of a token: one lower-case word, cut with a digest if long."""
    text = _SEPARATORS.sub("_", _folded(text))
    return text if len(text) <= _SURELY_SHORT else _shortened(text)


def reversed_term(text: str) -> str:
    """Return the term of a text from behind, for ``eulav``."""
    return term(text[::-1])


def words(text: str) -> list[str]:
    """Return the words of a text as terms, in order.

    Addresses, host names, mail addresses, file names and numbers such as CVE-2024-1234 are one word each; defanged
    dots are undone.
    """
    if len(text) <= _SURELY_SHORT and text.isalnum() and text.isascii():
        return [text.lower()]
    text = _folded(text[:_LONGEST_TEXT])
    if "[" in text or "(" in text or "{" in text:
        text = _DEFANGED.sub(".", text)
    found = _WORD.findall(text)
    return found if len(text) <= _SURELY_SHORT else [w if len(w) <= _SURELY_SHORT else _shortened(w) for w in found]


def words_and_parts(text: str) -> list[str]:
    """Return what `words` does and the parts of compound words: ``evil.example``, ``evil``, ``example``.

    Addresses, dates and other numbers have no parts.
    """
    found = words(text)
    for word in tuple(found):
        if not word.isalnum() and not _WITHOUT_PARTS.fullmatch(word):
            found += _PART.findall(word)
    return found


def tokens_of(
    obj: Mapping[str, Any],
    *,
    collection: str,
    source: str,
    observables: Sequence[Observable],
    extra: Mapping[str, Sequence[str]] | None = None,
) -> tuple[str, ...]:
    """Return the tokens that an object is found by, without repeats.

    Args:
        obj: the object as parsed; no property needs to be well formed.
        collection: key of the collection. source: where it came from, such as ``feed:ipsum``.
        observables: what it states or its pattern is about; the text of a pattern itself is not searched.
        extra: more exact tokens by field, such as ``{"tlp": ["green"], "warning": ["scanner"]}``.
    """
    found = [_token("collection", collection), _token("source", source)]
    for field, texts in (extra or {}).items():
        found += [_token(field, text) for text in texts]
    found += _exact(obj)
    names = words_and_parts(obj["name"]) if isinstance(obj.get("name"), str) else []
    found += [f"name={word}" for word in names]
    in_order = dict.fromkeys(found)
    in_order.update(dict.fromkeys([f"w={word}" for word in names]))
    for text in _texts(obj, observables):
        if len(in_order) >= MOST_TOKENS:
            break
        in_order.update(_word_tokens(text) if len(text) <= _OFTEN_REPEATED else _words_of(text))
    if len(in_order) > MOST_TOKENS:
        in_order = dict.fromkeys(list(in_order)[:MOST_TOKENS])
    for kind, value in observables[:MOST_VALUES]:
        in_order[_token("kind", kind)] = None
        in_order[f"value={term(value)}"] = None
        in_order[f"eulav={reversed_term(value)}"] = None
    return tuple(in_order)


def _words_of(text: str) -> dict[str, None]:
    return dict.fromkeys([f"w={word}" for word in words_and_parts(text)])


@functools.lru_cache(2048)
def _word_tokens(text: str) -> dict[str, None]:
    """Return the word tokens of a text; labels and descriptions come again in every object of a source."""
    return _words_of(text)


def _token(field: str, text: str) -> str:
    """Return an exact token; most come again in every object of a source."""
    return _remembered(field, text) if len(text) <= _LONGEST_TERM else f"{field}={term(text)}"


@functools.lru_cache(4096)
def _remembered(field: str, text: str) -> str:
    return f"{field}={term(text)}"


@functools.lru_cache(4096)
def _field_of(name: str) -> str | None:
    """Return the exact field that a property is searched by."""
    if name in _FIELDS:
        return _FIELDS[name]
    if name.endswith("_types"):
        return "category"
    return "ref" if name.endswith(("_ref", "_refs")) else None


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return [item for item in value[:MOST_TOKENS] if isinstance(item, str)] if isinstance(value, list) else ()


def _mappings(value: Any) -> Iterable[Mapping[str, Any]]:
    return [item for item in value[:MOST_TOKENS] if isinstance(item, Mapping)] if isinstance(value, list) else ()


def _exact(obj: Mapping[str, Any]) -> list[str]:
    """Return the tokens of the exact properties."""
    found = []
    for name, value in obj.items():
        field = _field_of(name)
        if field is None:
            continue
        if field == "id":
            found += [f"id={term(text)}" for text in _strings(value)]
        elif isinstance(value, str):
            found.append(_token(field, value))
        else:
            found += [_token(field, text) for text in _strings(value)]
    for phase in _mappings(obj.get("kill_chain_phases")):
        found += [_token("phase", text) for text in _strings(phase.get("phase_name"))]
    for reference in _mappings(obj.get("external_references")):
        found += [_token("external", text) for text in _strings(reference.get("external_id"))]
    return found


def _texts(obj: Mapping[str, Any], observables: Sequence[Observable]) -> Iterator[str]:
    """Yield the texts that words are taken from, the most telling first; the name is not among them."""
    for observable in observables[:MOST_TOKENS]:
        yield observable.value
    for name in _TEXTS:
        if name in obj:
            yield from _strings(obj[name])
    for reference in _mappings(obj.get("external_references")):
        yield from _strings(reference.get("external_id"))
