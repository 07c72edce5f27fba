"""Patterns: what they ask for, and that the reader takes what the reference takes."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stix2patterns.validator import run_validator

from hub.model.observables import NotObservable, Observable, canonical
from hub.model.patterns import MAX_DEPTH, MAX_LENGTH, PatternRefused, _Reader, pattern_for, read_pattern

SAMPLES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "samples" / "model" / "patterns.jsonl").read_text().splitlines()
]
SHARED = Path(__file__).parents[3] / "shared" / "data" / "patterns"
MD5, SHA1, SHA256 = "d41d8cd98f00b204e9800998ecf8427e", "a" * 40, "b" * 64


def readable(text: str) -> bool:
    try:
        read_pattern(text)
    except PatternRefused:
        return False
    return True


def test_published_patterns_are_read_or_refused_as_the_reference_does():
    assert [s["pattern"] for s in SAMPLES if readable(s["pattern"]) != s["valid"]] == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data is not here")
def test_the_development_data_too():
    texts = [(SHARED / f"{name}.jsonl").read_text() for name in ("valid", "invalid")]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    assert [s["pattern"] for s in lines if readable(s["pattern"]) != s["valid_2_1"]] == []
    for case in json.loads((SHARED / "match-vectors.json").read_text())["cases"]:
        assert readable(case["pattern"]) == (not run_validator(case["pattern"], "2.1"))


def test_canonical_text_is_a_pattern_that_asks_for_the_same():
    for sample in SAMPLES:
        if sample["valid"]:
            first = read_pattern(sample["pattern"])
            again = read_pattern(first.canonical)
            assert again.canonical == first.canonical
            assert set(again.observables) == set(first.observables)
            assert again.single == first.single
            assert not run_validator(first.canonical, "2.1")


names = st.sampled_from(["file", "x-new", "AND", "ipv4-addr", "hashes", "value", "a_b", "LAST", "t", "true"])
TOKENS = """[ ] ( ) == <> < >= = != , : . - AND OR FOLLOWEDBY NOT IN LIKE MATCHES ISSUBSET EXISTS file:name
    ipv4-addr:value x:a.b[0].'c-d'[*] file:hashes.'MD5' 'x' 'a\\'b' 'a\\\\' '\\n' 1 -2 +3.5 .5 007 true h'0a' h'0'
    b'AQI=' (1,'a') () t'2024-02-29T00:00:00Z' /*c*/"""
words = st.one_of(
    st.sampled_from(TOKENS.split()),
    st.sampled_from([" ", "\t", "// c\n", " AND ", " OR ", " WITHIN 5 SECONDS", " REPEATS 2 TIMES"]),
    st.just(" START t'2024-01-01T00:00:00Z' STOP t'2024-01-02T00:00:00Z'"),
    names,
)
comparisons = st.sampled_from(
    ["file:name = 'x'", "a:b != 1", "a:b NOT IN (1,'c')", "EXISTS a:b.c", "ipv4-addr:value ISSUBSET '192.0.2.0/24'",
     "x:y<2.5", "file:name NOT LIKE '%.exe'", "a:'q-r'.s[*] MATCHES '^a'", "a:b>= t'2024-01-01T00:00:00.123Z'"]
)  # fmt: skip
inner = st.recursive(
    comparisons,
    lambda part: st.one_of(
        part.map(lambda p: f"({p})"),
        st.tuples(part, st.sampled_from([" AND ", " OR "]), part).map("".join),
    ),
    max_leaves=6,
)
patterns = st.recursive(
    inner.map(lambda p: f"[{p}]"),
    lambda part: st.one_of(
        part.map(lambda p: f"({p})"),
        part.map(lambda p: f"{p} WITHIN 5 SECONDS"),
        part.map(lambda p: f"{p} REPEATS 2 TIMES"),
        st.tuples(part, st.sampled_from([" AND ", " OR ", " FOLLOWEDBY "]), part).map("".join),
    ),
    max_leaves=4,
)


@given(patterns)
@settings(max_examples=150, deadline=None)
def test_made_patterns_are_read_or_refused_as_the_reference_does(text):
    assert readable(text) == (not run_validator(text, "2.1"))
    if readable(text):
        assert not run_validator(read_pattern(text).canonical, "2.1")


@given(st.lists(words, max_size=12).map("".join).map(lambda text: f"[file:name = 'x' {text}"))
@settings(max_examples=250, deadline=None)
def test_what_is_read_is_a_pattern_to_the_reference(text):
    """Words that are both keyword and name may be refused here; nothing may be taken that clients refuse."""
    if readable(text):
        assert not run_validator(text, "2.1")


kinds = st.sampled_from(
    ["ipv4-addr", "domain-name", "url", "file-name", "mutex", "windows-registry-key", "directory", "user-account",
     "email-subject", "software", "process-name", "user-agent", "cryptocurrency-wallet", "process.command_line"]
)  # fmt: skip


@given(kinds, st.text(max_size=30))
@settings(max_examples=300)
def test_a_pattern_for_an_observable_asks_for_it(kind, text):
    try:
        observable = canonical(kind, text)
    except NotObservable:
        return
    pattern = read_pattern(pattern_for(observable))
    assert (pattern.observables, pattern.single, pattern.canonical) == ((observable,), True, pattern.text)


@pytest.mark.parametrize(
    "observable",
    [
        canonical("ipv6-addr", "2001:db8::/32"), canonical("email-addr", "a@evil.example"), canonical("file-md5", MD5),
        canonical("file-sha256", SHA256), canonical("file-tlsh", "A" * 70), canonical("certificate-sha1", SHA1),
        canonical("certificate-serial", "0a"), canonical("mac-addr", "aabbccddeeff"), canonical("ja3", MD5),
        canonical("autonomous-system", "64500"), canonical("vulnerability", "CVE-2024-3400"),
        canonical("file-imphash", MD5), canonical("file-name", "it's \\a\\"),
    ],
)  # fmt: skip
def test_a_pattern_for_every_kind(observable):
    text = pattern_for(observable)
    assert read_pattern(text).observables == (observable,)
    assert not run_validator(text, "2.1")


def test_no_pattern_for_a_kind_that_is_no_object_type():
    with pytest.raises(NotObservable):
        pattern_for(Observable("7bit", "x"))


@pytest.mark.parametrize(
    ("text", "keys", "single"),
    [
        ("[ipv4-addr:value = '192.0.2.7']", ["ipv4-addr:192.0.2.7"], True),
        ("[domain-name:value='Evil.Example.']", ["domain-name:evil.example"], True),
        ("[ipv4-addr:value ISSUBSET '192.0.2.0/24']", ["ipv4-addr:192.0.2.0/24"], True),
        ("[domain-name:value IN ('a.example', 'b.example')]", ["domain-name:a.example", "domain-name:b.example"], True),
        (f"[file:hashes.sha256 = '{SHA256}']", [f"file-sha256:{SHA256}"], True),
        (
            f"[file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-1' = '{SHA1}']",
            [f"file-md5:{MD5}", f"file-sha1:{SHA1}"],
            True,
        ),
        (
            f"[file:hashes.MD5 = '{MD5}' OR file:hashes.'SHA-1' = '{SHA1}']",
            [f"file-md5:{MD5}", f"file-sha1:{SHA1}"],
            True,
        ),
        (f"[file:hashes.MD5 = '{MD5}' AND file:name = 'x']", [f"file-md5:{MD5}", "file-name:x"], False),
        (
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.7']",
            ["ipv4-addr:192.0.2.7"],
            True,
        ),
        (
            "[network-traffic:src_ref.value = 'evil.example' AND network-traffic:src_ref.type = 'domain-name']",
            ["domain-name:evil.example"],
            True,
        ),
        (
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:src_ref.value = '192.0.2.7']",
            ["ipv4-addr:192.0.2.7"],
            False,
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.7' AND network-traffic:dst_port = 443]",
            ["ipv4-addr:192.0.2.7"],
            False,
        ),
        (
            "[url:value = 'http://a.example/' AND (url:value = 'x' OR url:value != 'y')]",
            ["url:http://a.example/", "url:http://x/"],
            False,
        ),
        ("[url:value = 'http://a.example/'] OR [mutex:name = 'm']", ["url:http://a.example/", "mutex:m"], True),
        ("[url:value = 'http://a.example/'] AND [mutex:name = 'm']", ["url:http://a.example/", "mutex:m"], False),
        ("[mutex:name = 'm'] FOLLOWEDBY [mutex:name = 'n']", ["mutex:m", "mutex:n"], False),
        ("[mutex:name = 'm'] WITHIN 5 SECONDS", ["mutex:m"], False),
        ("([mutex:name = 'm' OR (mutex:name = 'n')])", ["mutex:m", "mutex:n"], True),
        ("[mutex:name = 'm'] START '2024-01-01T00:00:00Z' STOP '2024-01-02T00:00:00Z'", ["mutex:m"], False),
        ("[mutex:name != 'm']", [], False),
        ("[mutex:name NOT = 'm']", [], False),
        ("[url:value LIKE 'http://%' OR mutex:name = 'm']", ["mutex:m"], False),
        ("[url:value MATCHES '^http']", [], False),
        ("[file:size = 1280]", [], False),
        ("[app:id = 'org.evil']", ["app.id:org.evil"], True),
        ("[autonomous-system:number = 64500]", ["autonomous-system:64500"], True),
        ("[email-message:from_ref.value = 'A@evil.example']", ["email-addr:a@evil.example"], True),
        ("[email-message:to_refs[*].value = 'A@evil.example']", ["email-addr:a@evil.example"], True),
    ],
)
def test_what_a_pattern_asks_for(text, keys, single):
    pattern = read_pattern(text)
    assert ([observable.key for observable in pattern.observables], pattern.single) == (keys, single)


def test_canonical_text_makes_equal_patterns_equal():
    spellings = [
        f"[file:hashes.'SHA-256'='{SHA256}' OR domain-name:value == 'evil.example']",
        f"[ domain-name:value = 'EVIL.example.' /* the same */ OR file:hashes.sha256 = '{SHA256.upper()}' ]",
    ]
    assert len({read_pattern(text).canonical for text in spellings}) == 1
    misp = "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.7']"
    assert read_pattern(misp).canonical == "[ipv4-addr:value = '192.0.2.7']"
    assert read_pattern(misp).types == {"network-traffic"}


def test_a_pattern_of_a_thousand_alternatives_is_read():
    """As large as the largest published one (Mandiant APT1), which ends stix2-patterns in RecursionError."""
    values = [f"name-{number:04d}-{'x' * 20}.evil.example" for number in range(1020)]
    flat = "[" + " OR ".join(f"domain-name:value = '{value}'" for value in values) + "]"
    assert len(flat) > 57_120
    pattern = read_pattern(flat)
    assert pattern.single
    assert len(pattern.observables) == 1020
    observations = " OR ".join(f"[domain-name:value = '{value}']" for value in values)
    assert len(read_pattern(observations).observables) == 1020


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[a:b = '" + "x" * MAX_LENGTH + "']", "pattern-too-long"),
        ("[" + " OR ".join(["a:b=1"] * 20_000) + "]", "pattern-too-long"),
        ("(" * (MAX_DEPTH + 1) + "[a:b = 1]" + ")" * (MAX_DEPTH + 1), "pattern-too-deep"),
        ("[" + "(" * 100_000, "pattern-too-deep"),
        ("", "bad-pattern"), ("[a:b = 1", "bad-pattern"), ("a:b = 1]", "bad-pattern"), ("[a:b = 1)]", "bad-pattern"),
        ("[a:b = 1]]", "bad-pattern"), ("[a:b = 1] AND", "bad-pattern"), ("[a:b FOLLOWEDBY c:d]", "bad-pattern"),
        ("[a:b = 1] REPEATS 2 TIMES REPEATS 2 TIMES", "bad-pattern"), ("[a:b = '" + "\\" * 10_001, "bad-pattern"),
        ("/*" * 50_000, "bad-pattern"), ("[file:hashes.MD5 = 'abc']", "bad-pattern-hash"),
    ],
)  # fmt: skip
def test_refused(text, reason):
    with pytest.raises(PatternRefused) as refused:
        read_pattern(text)
    assert refused.value.reason == reason


def test_the_place_is_a_column():
    with pytest.raises(PatternRefused) as refused:
        read_pattern("[a:b = 1 AND c:d ? 2]")
    assert refused.value.place == "14"


@given(
    st.sampled_from(["ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr"]),
    st.one_of(
        st.ip_addresses().map(str),
        st.text(st.sampled_from("abé.-:/@%[]()=' \\"), max_size=30),
        st.sampled_from(["evil.example", "http://evil.example/a", "a@evil.example", "192.0.2.0/24", "EVIL.example."]),
    ),
)
def test_the_plain_pattern_is_read_as_the_full_reader_reads_it(kind: str, value: str) -> None:
    text = f"[{kind}:value = '{value}']"

    def outcome(read):
        try:
            return read(text)
        except PatternRefused as refused:
            return refused.reason, refused.place

    assert outcome(read_pattern) == outcome(lambda text: _Reader(text).read())
