"""The index finds exactly what `ancestors` says an observable falls under."""

import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.correlate.index import KeySet
from hub.model.observables import Observable, ancestors, canonical

LABELS = st.sampled_from(["a", "b", "evil", "example", "www", "co"])
NAMES = st.builds(
    lambda front, end: ".".join([*front, end]),
    st.lists(LABELS, min_size=1, max_size=4),
    st.sampled_from(["com", "co.uk", "org"]),
)
OCTET = st.sampled_from([0, 1, 9, 128, 255])
ADDRESSES = st.builds(lambda *parts: ".".join(map(str, parts)), OCTET, OCTET, OCTET, OCTET)
SIXES = st.sampled_from(["2001:db8::1", "2001:db8:0:1::", "fe80::1", "2001:db8::/32", "2001:db8::/48"])
PATHS = st.sampled_from(["/", "/x", "/x/", "/x/y", "/x/y?q=1", "/x?q=/y/z", "/x/y#f", "/x//y"])
HOSTS = st.one_of(NAMES, ADDRESSES)
URLS = st.builds(lambda host, port, path: f"http://{host}{port}{path}", HOSTS, st.sampled_from(["", ":8080"]), PATHS)


def key(kind: str, text: str) -> str:
    return canonical(kind, text).key


KEYS = st.one_of(
    NAMES.map(lambda text: key("domain-name", text)),
    ADDRESSES.map(lambda text: key("ipv4-addr", text)),
    st.builds(lambda a, n: key("ipv4-addr", f"{a}/{n}"), ADDRESSES, st.integers(8, 31)),
    SIXES.map(lambda text: key("ipv6-addr", text)),
    URLS.map(lambda text: key("url", text)),
    NAMES.map(lambda text: key("email-addr", f"someone@{text}")),
    st.sampled_from(["file-md5:" + "0" * 32, "file-sha256:" + "a" * 64]),
)


@settings(max_examples=300)
@given(st.lists(KEYS, max_size=40), st.lists(KEYS, max_size=10))
def test_covers_is_itself_and_its_ancestors(held, asked):
    index = KeySet(held)
    for one in asked:
        above = [one, *(each.key for each in ancestors(Observable.from_key(one)))]
        assert set(index.covers(one)) == set(held) & set(above)
        assert len(set(index.covers(one))) == len(index.covers(one))
    assert set(index.covered(set(asked))) == {one for one in asked if index.covers(one)}


def test_nearest_comes_first():
    index = KeySet(["ipv4-addr:9.0.0.0/8", "ipv4-addr:9.9.0.0/16", "ipv4-addr:9.9.9.9"])
    assert index.covers("ipv4-addr:9.9.9.9") == ("ipv4-addr:9.9.9.9", "ipv4-addr:9.9.0.0/16", "ipv4-addr:9.0.0.0/8")


def test_a_public_suffix_covers_nobody():
    index = KeySet(["domain-name:co.uk", "domain-name:uk"])
    assert index.covers("domain-name:city.co.uk") == ()


MEASURE = """
from hub.correlate.index import KeySet

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def keys(number):
    for i in range(0, number, 4):
        yield f"ipv4-addr:{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}.7"
        yield f"domain-name:host{i}.example.com"
        yield f"url:http://host{i}.example.net/some/path/{i}/index.php"
        yield f"file-sha256:{i:064x}"

KeySet(keys(1000))
before = resident()
index = KeySet(keys(1_000_000))
print((resident() - before) / len(index))
"""


def test_a_million_keys_stay_under_150_bytes_each():
    run = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 150
