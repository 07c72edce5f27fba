"""The query language: what a query means, and that every fault names its place."""

from __future__ import annotations

import contextlib
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import BadQuery
from hub.model import times
from hub.store.query import FIELDS, And, Compare, Everything, Node, Not, Or, Prefix, Token, Under, parse

MANUAL = Path(__file__).parents[2] / "docs" / "analyst" / "search.md"


PIECES = [
    *(
        "a",
        " ",
        " ",
        "AND",
        "OR",
        "NOT",
        "TO",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        '"',
        "*",
        "?",
        "~",
        "^",
        "/",
        "\\",
        "-",
        "+",
    ),
    *("<", ">=", "value:", "name:", "added:", "confidence:", "2026", "::", "http://", "[.]", "1.2.3.4", "'", "!"),
]


def moment(text: str) -> int:
    return times.parse_timestamp(text)


def w(word: str) -> Token:
    return Token("w", word)


def either(value: str, *words: str) -> Or:
    parts = tuple(w(word) for word in words or (value,))
    return Or((Token("value", value), parts[0] if len(parts) == 1 else And(parts)))


@pytest.mark.parametrize(
    ("text", "tree"),
    (
        ("*", Everything()),
        ("*:*", Everything()),
        ("type:indicator AND value:184.105.*", And((Token("type", "indicator"), Prefix("value", "184.105.")))),
        ("emotet loader", And((w("emotet"), w("loader")))),
        ("a OR b AND NOT c", Or((w("a"), And((w("b"), Not(w("c"))))))),
        ("(a b) c OR (d OR NOT NOT e)", And((w("a"), w("b"), Or((w("c"), w("d"), w("e")))))),
        ("+a -b", And((w("a"), Not(w("b"))))),
        ('"Cobalt Strike"', And((w("cobalt"), w("strike")))),
        ("TYPE:Indicator", Token("type", "indicator")),
        ('label:"Command and Control"', Token("label", "command_and_control")),
        ("label:(c2 OR ransom*)", Or((Token("label", "c2"), Prefix("label", "ransom")))),
        ("name:evil-corp", Token("name", "evil-corp")),
        ("tlp:AMBER+STRICT", Token("tlp", "amber_strict")),
        ("tlp:white", Token("tlp", "clear")),
        ("source:feed:ipsum", Token("source", "feed:ipsum")),
        (r"source:feed\:ipsum", Token("source", "feed:ipsum")),
        (r"label:\*x", Token("label", "*x")),
        ('label:"*x"', Token("label", "*x")),
        ("evil[.]example", either("evil.example")),
        ('"evil[.]example"', either("evil.example")),
        ("184.105.139.67:80", either("184.105.139.67", "184.105.139.67", "80")),
        ("(hxxps://evil[.]Example/A)", either("https://evil.example/a", "hxxps", "evil.example", "a")),
        ("value:http://evil.example/a(1)?b=[c]*", Prefix("value", "http://evil.example/a(1)?b=[c]")),
        ("value:2001:DB8::0001", Token("value", "2001:db8::1")),
        ("-value:2001:db8::/32", Not(Under("ipv6-addr:2001:db8::/32"))),
        ("value:184.105.0.0/16", Under("ipv4-addr:184.105.0.0/16")),
        ("value:*.Example[.]com", Under("domain-name:example.com")),
        ("*.example.com", Under("domain-name:example.com")),
        ("value:*.exe", Prefix("eulav", "exe.")),
        ("value:AA-BB-CC-DD-EE-FF", Token("value", "aa:bb:cc:dd:ee:ff")),
        (r"value:C:\Windows\Evil.exe", Token("value", r"c:\windows\evil.exe")),
        (r'value:"C:\Windows\Evil.exe"', Token("value", r"c:\windows\evil.exe")),
        ("value:(evil[.]example OR 10.0.0.1)", Or((Token("value", "evil.example"), Token("value", "10.0.0.1")))),
        ("ab*", Or((Prefix("value", "ab"), Prefix("w", "ab")))),
        ("confidence:>=70", Compare("confidence", 70, None)),
        ("confidence:<70", Compare("confidence", None, 69)),
        ("confidence:{10 TO 20]", Compare("confidence", 11, 20)),
        ("confidence:*", Compare("confidence", None, None)),
        ("revoked:true", Compare("revoked", 1, 1)),
        ("match:no", Token("match", "no")),
        ("added:2026-02", Compare("date_added", moment("2026-02-01T00:00:00Z"), moment("2026-03-01T00:00:00Z") - 1)),
        ("created:2026", Compare("created", moment("2026-01-01T00:00:00Z"), moment("2027-01-01T00:00:00Z") - 1)),
        ("created:2026-12", Compare("created", moment("2026-12-01T00:00:00Z"), moment("2027-01-01T00:00:00Z") - 1)),
        (
            "modified:[2026-01-01 TO 2026-02-01]",
            Compare("version", moment("2026-01-01T00:00:00Z"), moment("2026-02-02T00:00:00Z") - 1),
        ),
        ("added:>2026-01-01", Compare("date_added", moment("2026-01-02T00:00:00Z"), None)),
        ("added:<=2026-01-01T12:30", Compare("date_added", None, moment("2026-01-01T12:31:00Z") - 1)),
        (
            "modified:2026-01-01T12:30:00.25Z",
            Compare("version", moment("2026-01-01T12:30:00.25Z"), moment("2026-01-01T12:30:00.26Z") - 1),
        ),
    ),
)
def test_a_query_means(text: str, tree: Node) -> None:
    assert parse(text) == tree


def test_an_id_finds_the_object_and_what_refers_to_it() -> None:
    id_ = "malware--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
    assert parse(id_) == Or((Token("id", id_), Token("ref", id_)))


def test_times_can_be_relative() -> None:
    tree = parse("added:>=now-7d")
    assert isinstance(tree, Compare)
    assert tree.low is not None
    assert abs(times.now() - 7 * times.DAY - tree.low) < times.HOUR


@pytest.mark.parametrize(
    ("text", "column", "words"),
    (
        ("a AND colection:x", 7, "no field 'colection'; there are collection"),
        ("label:x zzzzzz:y", 9, "there are added, alias"),
        ("a (b OR c", None, "closing bracket"),
        ("a b)", 4, ") is not expected"),
        ('a "b', 3, "never closed"),
        ("a AND OR b", 7, "OR is not expected"),
        ("a and b", 3, "in capitals"),
        ("!a", 1, "in capitals"),
        ("value:a*b", 7, "at the beginning or the end"),
        ("b?d", 1, "at the beginning or the end"),
        ("x *evil*", 3, "not at both"),
        ("type:i*", 6, "at least 2"),
        ("label:*", 7, "at least 2"),
        ("name:*evil", 6, "values only"),
        ("label:[a TO b]", 7, "takes no range"),
        ("[1 TO 2]", 1, "needs a field"),
        ("confidence:high", 12, "whole number"),
        ("confidence:-3", 1, "before the field"),
        ("modified:yesterday", 10, "a time in UTC"),
        ("modified:2026-02-30", 10, "a time in UTC"),
        ("revoked:maybe", 9, "true or false"),
        ("added:2026*", 7, "takes no wildcard"),
        ("name:(a type:b)", 9, "stands inside"),
        ("a~2", 1, "similar words"),
        ('"a b"~2', 1, "near one another"),
        ("a^3", 1, "newest first"),
        ("a~1.2.3.4", 2, "not offered"),
        ("...", 1, "no word"),
        ("a\x00b", 2, "control"),
        ("a\udcffb", 2, "control"),
        ("value:" + "x" * 100 + "*", 7, "at most 95 bytes"),
        ("(" * 21 + "a" + ")" * 21, 21, "more than 20 brackets"),
        ("x " * 101, 201, "more than 100 terms"),
        ("http://a/b " * 101, 1101, "more than 100 terms"),
        ("NOT " * 101 + "a", 401, "more than 100 NOT"),
        ("ab* " * 11, 43, "more than 10 asterisks"),
    ),
)
def test_every_fault_names_its_place(text: str, column: int | None, words: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parse(text)
    message = str(caught.value)
    assert words in message
    assert ("end of the query" if column is None else f"column {column}:") in message


def test_queries_of_too_many_levels_are_refused() -> None:
    text = "a"
    for _ in range(10):
        text = f"(b OR c AND NOT {text})"
    with pytest.raises(BadQuery, match="24 levels"):
        parse(text)


@pytest.mark.parametrize(("text", "words"), (("", "empty"), (" \n", "empty"), ("a" * 2001, "2000 are allowed")))
def test_empty_and_long_queries_are_refused(text: str, words: str) -> None:
    with pytest.raises(BadQuery, match=words):
        parse(text)


@pytest.mark.parametrize(
    "text",
    (
        "(" * 1000 + "a" + ")" * 1000,
        "x:" * 999 + "a",
        "-" * 1999 + "a",
        "[" * 990 + "." + "]" * 990,
        "(.[" * 660,
        "a." * 1000,
        '"' * 2000,
        "\\" * 2000,
        "[(.)" * 490,
    ),
)
def test_hostile_queries_are_answered_at_once(text: str) -> None:
    begun = time.process_time()
    with contextlib.suppress(BadQuery):
        parse(text)
    assert time.process_time() - begun < 5


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from(PIECES),
        max_size=25,
    ).map("".join)
    | st.text(max_size=60)
)
def test_any_text_is_a_tree_or_a_bad_query(text: str) -> None:
    try:
        assert isinstance(parse(text), Node)
    except BadQuery as fault:
        assert re.search(r"column \d+:|end of the query|empty", str(fault))


def test_threads_do_not_disturb_one_another() -> None:
    queries = [f"type:t{number} AND (name:n{number} OR value:10.0.0.{number})" for number in range(50)]
    alone = [parse(query) for query in queries]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(parse, queries * 4)) == alone * 4


def test_the_manual_names_every_field() -> None:
    text = MANUAL.read_text("utf-8")
    for field in FIELDS.values():
        assert f"| `{field.name}` | {field.kind} | {field.help} |" in text


def test_the_examples_of_the_manual_can_be_read() -> None:
    examples = re.findall(r"^    (.+)$", MANUAL.read_text("utf-8"), re.MULTILINE)
    assert len(examples) > 10
    for example in examples:
        parse(example)
