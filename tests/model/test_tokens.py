"""The tokenizer: what an object is found by, and the bounds that engines rely on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model import tokens
from hub.model.observables import Observable
from hub.model.tokens import term, tokens_of, words, words_and_parts

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
PROPERTIES = (
    "type",
    "id",
    "name",
    "description",
    "labels",
    "aliases",
    "kill_chain_phases",
    "external_references",
    "a_refs",
)


def of(obj: dict[str, Any], *observables: Observable) -> set[str]:
    return set(tokens_of(obj, collection="inbox", source="user:maria", observables=observables))


@pytest.mark.parametrize(
    ("text", "whole"),
    (
        ("Seen at evil.example.com today", {"seen", "at", "evil.example.com", "today"}),
        ("192.0.2.7:443", {"192.0.2.7", "443"}),
        ("opens README.md, then CVE-2024-1234.", {"opens", "readme.md", "then", "cve-2024-1234"}),
        ("hxxp://evil[.]example/a_b.php", {"hxxp", "evil.example", "a_b.php"}),
        ("mail someone@evil(.)example", {"mail", "someone@evil.example"}),
        ("D41D8CD98F00B204E9800998ECF8427E", {"d41d8cd98f00b204e9800998ecf8427e"}),
        ("Zürich ＡＢＣ", {"zürich", "abc"}),
        ("… -- .", set()),
    ),
)
def test_words_keep_addresses_names_and_numbers_whole(text: str, whole: set[str]) -> None:
    assert set(words(text)) == whole


def test_compound_words_are_found_by_their_parts() -> None:
    assert words_and_parts("evil.example a_b") == ["evil.example", "a_b", "evil", "example", "a", "b"]


def test_addresses_and_dates_have_no_parts() -> None:
    assert words_and_parts("192.0.2.7 2026-01-31") == ["192.0.2.7", "2026-01-31"]


def test_an_object_is_found_by_its_texts_properties_and_values() -> None:
    found = of(
        {
            "type": "indicator",
            "id": "indicator--1",
            "name": "Emotet C2",
            "labels": ["Command and Control"],
            "indicator_types": ["malicious-activity"],
            "pattern_type": "stix",
            "pattern": "[domain-name:value = 'evil.example']",
            "created_by_ref": "identity--1",
            "object_marking_refs": ["marking-definition--1"],
            "object_refs": ["malware--1", "malware--2"],
            "kill_chain_phases": [{"kill_chain_name": "x", "phase_name": "command-and-control"}],
            "external_references": [{"source_name": "mitre", "external_id": "T1566"}],
        },
        Observable("domain-name", "evil.example"),
    )
    assert found >= {
        *(
            "collection=inbox",
            "source=user:maria",
            "type=indicator",
            "id=indicator--1",
            "name=emotet",
            "w=emotet",
            "w=c2",
        ),
        *("label=command_and_control", "w=command", "category=malicious-activity", "pattern_type=stix"),
        *("author=identity--1", "marking=marking-definition--1", "ref=malware--1", "ref=malware--2"),
        *("phase=command-and-control", "external=t1566", "w=t1566"),
        *("kind=domain-name", "value=evil.example", "eulav=elpmaxe.live", "w=evil.example", "w=evil"),
    }
    assert "w=pattern" not in found
    assert "w=domain" not in found


def test_more_exact_tokens_come_from_the_caller() -> None:
    found = tokens_of(
        {}, collection="c", source="s", observables=(), extra={"tlp": ["AMBER_STRICT"], "warning": ["a b"]}
    )
    assert found == ("collection=c", "source=s", "tlp=amber_strict", "warning=a_b")


def test_long_terms_keep_their_beginning_and_stay_different() -> None:
    one, other = term("https://a.example/" + "x" * 200), term("https://a.example/" + "x" * 201)
    assert one != other
    assert one[: tokens.LONGEST_PREFIX] == other[: tokens.LONGEST_PREFIX] == ("https://a.example/" + "x" * 200)[:95]


def test_large_objects_are_bounded_and_keep_their_values() -> None:
    values = [Observable("ipv4-addr", f"10.0.{number // 250}.{number % 250}") for number in range(1019)]
    found = tokens_of(
        {"description": " ".join(f"word{number}" for number in range(9000))},
        collection="c",
        source="s",
        observables=values,
    )
    assert {f"value={value.value}" for value in values} <= set(found)
    assert len(found) <= tokens.MOST_TOKENS + 3 * len(values)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(PROPERTIES), JSON, max_size=6),
    st.lists(st.text(min_size=1), max_size=3),
    st.text(max_size=300),
)
def test_tokens_are_what_engines_rely_on(obj: dict[str, Any], values: list[str], long: str) -> None:
    found = tokens_of(
        {**obj, "name": long},
        collection="one",
        source="feed:x",
        observables=[Observable("file-name", value) for value in values],
    )
    assert len(set(found)) == len(found)
    for token in found:
        assert len(token.encode()) <= tokens.LONGEST
        field, equals, rest = token.partition("=")
        assert field.isidentifier()
        assert equals
        assert '"' not in rest
        assert not any(letter.isspace() or letter < " " or letter == "\x7f" for letter in token)
        assert token == token.lower()


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=150), st.integers(0, 150))
def test_a_prefix_of_a_text_is_a_prefix_of_its_term(text: str, length: int) -> None:
    prefix = term(text[:length]).rstrip("_")
    if text.isascii() and len(prefix) <= tokens.LONGEST_PREFIX:
        assert term(text).startswith(prefix)
