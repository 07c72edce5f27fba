"""The one tokenizer: which words an object is found by, the same for every engine and for the search language.

A token is ``field=term``: lower case, without blanks and double quotes, at most `LONGEST` bytes of UTF-8. ``w=`` are
words of the object's texts and values, ``value=`` its observables in canonical spelling, ``eulav=`` the same from
behind (so that every wildcard is a prefix), the others exact properties such as ``type=`` and ``label=``.
"""

from __future__ import annotations

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
MOST_VALUES = 2000
"""Observables of an object that are searched by value at most."""

_LONGEST_TERM = 112
_LONGEST_TEXT = 20_000
_SEPARATORS = re.compile(r"[\s\"\x00-\x1f\x7f\ud800-\udfff]+")
_WORD = re.compile(r"\w+(?:[.@-]+\w+)*")
_PART = re.compile(r"[^\W_]+")
_DEFANGED = re.compile(r"\[\s?(?:\.|dot)\s?\]|\(\.\)|\{\.\}", re.IGNORECASE)
_TEXTS = (
    "name",
    "description",
    "value",
    "abstract",
    "explanation",
    "opinion",
    "content",
    "subject",
    "goals",
    "objective",
)
_EXACT = {
    "labels": "label",
    "aliases": "alias",
    "x_mitre_aliases": "alias",
    "created_by_ref": "author",
    "object_marking_refs": "marking",
    "relationship_type": "relationship",
}
_REFERENCE = re.compile(r"[a-z_]+_refs?")


def term(text: str) -> str:
    """Return the form of a text after the ``=`` of a token: one lower-case word, cut with a digest if long."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = _SEPARATORS.sub("_", text.lower())
    if len(text) * 4 <= _LONGEST_TERM:
        return text
    written = text.encode()
    if len(written) <= _LONGEST_TERM:
        return text
    kept = written[:LONGEST_PREFIX].decode(errors="ignore")
    return f"{kept}~{hashlib.blake2b(written, digest_size=8).hexdigest()}"


def reversed_term(text: str) -> str:
    """Return the term of a text from behind, for ``eulav``."""
    return term(text[::-1])


def words(text: str) -> Iterator[str]:
    """Yield the words of a text as terms.

    Addresses, host names, mail addresses, file names and numbers such as CVE-2024-1234 are one word each; defanged
    dots are undone.
    """
    text = text[:_LONGEST_TEXT]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    for match in _WORD.finditer(_DEFANGED.sub(".", text)):
        yield term(match[0])


def words_and_parts(text: str) -> Iterator[str]:
    """Yield what `words` yields, and behind each compound word its parts (``evil.example``, ``evil``, ``example``)."""
    for word in words(text):
        yield word
        if not word.isalnum():
            yield from _PART.findall(word)


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
    found = dict.fromkeys((f"collection={term(collection)}", f"source={term(source)}"))
    for field, texts in (extra or {}).items():
        found.update(dict.fromkeys(f"{field}={term(text)}" for text in texts))
    for field, text in _exact(obj):
        found[f"{field}={term(text)}"] = None
        if len(found) >= MOST_TOKENS:
            break
    for token in _word_tokens(obj, observables):
        if len(found) >= MOST_TOKENS:
            break
        found[token] = None
    for observable in observables[:MOST_VALUES]:
        found[f"kind={term(observable.kind)}"] = None
        found[f"value={term(observable.value)}"] = None
        found[f"eulav={reversed_term(observable.value)}"] = None
    return tuple(found)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


def _exact(obj: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield field and text of the exact properties."""
    for name, value in obj.items():
        if name in {"type", "id", "pattern_type"}:
            field = name
        elif name in _EXACT:
            field = _EXACT[name]
        elif name.endswith("_types"):
            field = "category"
        elif _REFERENCE.fullmatch(name):
            field = "ref"
        else:
            continue
        for text in _strings(value):
            yield field, text
    for phase in _mappings(obj.get("kill_chain_phases")):
        for text in _strings(phase.get("phase_name")):
            yield "phase", text
    for reference in _mappings(obj.get("external_references")):
        for text in _strings(reference.get("external_id")):
            yield "external", text


def _mappings(value: Any) -> Iterable[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else ()


def _word_tokens(obj: Mapping[str, Any], observables: Sequence[Observable]) -> Iterator[str]:
    """Yield word tokens, the most telling first: of the name, of the values, of the other texts."""
    for text in _strings(obj.get("name")):
        yield from (f"name={word}" for word in words_and_parts(text))
    for text in _texts(obj, observables):
        yield from (f"w={word}" for word in words_and_parts(text))


def _texts(obj: Mapping[str, Any], observables: Sequence[Observable]) -> Iterator[str]:
    yield from _strings(obj.get("name"))
    for observable in observables:
        yield observable.value
    for name in ("labels", "aliases", "x_mitre_aliases"):
        yield from _strings(obj.get(name))
    for reference in _mappings(obj.get("external_references")):
        yield from _strings(reference.get("external_id"))
    for name in _TEXTS[1:]:
        yield from _strings(obj.get(name))
