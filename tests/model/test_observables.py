"""Canonical forms, recognition, and what lies above and below."""

import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model.observables import (
    NotObservable,
    Observable,
    ancestors,
    canonical,
    defang,
    index_key,
    key_of,
    of_object,
    recognise,
    recognise_all,
    refang,
    span,
)

MD5, SHA1, SHA256 = "d41d8cd98f00b204e9800998ecf8427e", "a" * 40, "B" * 64

labels = st.from_regex(r"[a-z0-9_](?:[a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
domains = st.builds(
    lambda parts, tld: ".".join([*parts, tld]),
    st.lists(labels, min_size=1, max_size=4),
    st.sampled_from(["example", "co.uk", "com", "xn--p1ai", "github.io"]),
)
addresses = st.ip_addresses(v=4).map(str)
addresses6 = st.ip_addresses(v=6).map(str)
networks = st.builds(lambda a, n: f"{a}/{n}", addresses, st.integers(0, 32))
networks6 = st.builds(lambda a, n: f"{a}/{n}", addresses6, st.integers(0, 128))
url_text = st.text(st.sampled_from("abcXYZ019-._~!$&'()*+,;=:@/?#%[]{}|\\^ é漢"), max_size=25)
urls = st.builds(
    lambda scheme, user, host, port, rest: f"{scheme}://{user}{host}{port}{rest}",
    st.sampled_from(["http", "https", "ftp", "HTTP", "tcp"]),
    st.sampled_from(["", "user:pa%ss@", "a@b@"]),
    st.one_of(domains, addresses, addresses6.map(lambda a: f"[{a}]"), st.just("Bücher.example.")),
    st.sampled_from(["", ":", ":80", ":443", ":8080", ":00021"]),
    st.one_of(st.just(""), url_text.map(lambda t: "/" + t), url_text.map(lambda t: "?" + t)),
)
emails = st.builds(lambda local, d: f"{local}@{d}", st.from_regex(r"[A-Za-z0-9._+-]{1,12}", fullmatch=True), domains)


def observable(kind: str, text: str) -> Observable | None:
    try:
        return canonical(kind, text)
    except NotObservable:
        return None


network_observables = st.one_of(
    st.tuples(st.just("ipv4-addr"), st.one_of(addresses, networks)),
    st.tuples(st.just("ipv6-addr"), st.one_of(addresses6, networks6)),
    st.tuples(st.just("domain-name"), domains),
    st.tuples(st.just("url"), urls),
    st.tuples(st.just("email-addr"), emails),
).map(lambda pair: canonical(*pair))
others = st.one_of(
    st.tuples(st.sampled_from(["file-name", "directory", "windows-registry-key", "mutex", "user-account"]), st.text()),
    st.tuples(st.sampled_from(["email-subject", "user-agent", "process.command_line"]), st.text()),
    st.tuples(st.just("file-sha256"), st.text("0123456789abcdefABCDEF", min_size=64, max_size=64)),
    st.tuples(st.sampled_from(["domain-name", "url", "email-addr", "ipv6-addr", "certificate-serial"]), st.text()),
).map(lambda pair: observable(*pair))
observables = st.one_of(network_observables, others.filter(lambda found: found is not None))


@pytest.mark.parametrize(
    ("kind", "text", "key"),
    [
        ("ipv4-addr", "192.0.2.7", "ipv4-addr:192.0.2.7"),
        ("ipv4-addr", "192.0.2.7/24", "ipv4-addr:192.0.2.0/24"),
        ("ipv4-addr", "192.0.2.7/255.255.255.0", "ipv4-addr:192.0.2.0/24"),
        ("ipv4-addr", "192.0.2.7/32", "ipv4-addr:192.0.2.7"),
        ("ipv6-addr", "2001:0DB8:0::0001", "ipv6-addr:2001:db8::1"),
        ("ipv6-addr", "::ffff:192.0.2.7", "ipv4-addr:192.0.2.7"),
        ("ipv6-addr", "::ffff:192.0.2.7/120", "ipv4-addr:192.0.2.0/24"),
        ("ipv6-addr", "fe80::1%eth0", "ipv6-addr:fe80::1"),
        ("ipv6-addr", "[2001:db8::1]", "ipv6-addr:2001:db8::1"),
        ("ipv6-addr", "2001:db8::1/32", "ipv6-addr:2001:db8::/32"),
        ("domain-name", "WWW.Evil.Example.", "domain-name:www.evil.example"),
        ("domain-name", "bücher.example", "domain-name:xn--bcher-kva.example"),
        ("domain-name", "BÜCHER。example", "domain-name:xn--bcher-kva.example"),
        ("domain-name", "i❤.example", "domain-name:xn--i-7iq.example"),
        ("domain-name", "_dmarc.evil[.]example", "domain-name:_dmarc.evil.example"),
        ("domain-name", "192.0.2.7", "ipv4-addr:192.0.2.7"),
        ("url", "HTTP://Evil.Example:80", "url:http://evil.example/"),
        ("url", "https://evil.example:443/A?b#C", "url:https://evil.example/A?b#C"),
        ("url", "https://evil.example:8443/", "url:https://evil.example:8443/"),
        ("url", "http://evil.example/%7euser/%c3%a9 é", "url:http://evil.example/~user/%C3%A9%20%C3%A9"),
        ("url", "http://evil.example/100%", "url:http://evil.example/100%25"),
        ("url", "http://[::FFFF:192.0.2.7]/", "url:http://192.0.2.7/"),
        ("url", "http://[2001:DB8::1]:8080/x", "url:http://[2001:db8::1]:8080/x"),
        ("url", "hxxps://evil[.]example/a(b)", "url:https://evil.example/a(b)"),
        ("url", "evil.example:8080/gate.php", "url:http://evil.example:8080/gate.php"),
        ("url", "mailto:A@evil.example", "url:mailto:A@evil.example"),
        ("email-addr", "Some.One@Evil.Example", "email-addr:some.one@evil.example"),
        ("email-addr", "<x[at]evil[dot]example>", "email-addr:x@evil.example"),
        ("email-addr", "x@[192.0.2.7]", "email-addr:x@[192.0.2.7]"),
        ("mac-addr", "AA-BB-CC-00-11-22", "mac-addr:aa:bb:cc:00:11:22"),
        ("mac-addr", "aabb.cc00.1122", "mac-addr:aa:bb:cc:00:11:22"),
        ("autonomous-system", "AS64500", "autonomous-system:64500"),
        ("autonomous-system", "1.10", "autonomous-system:65546"),
        ("file-SHA-256", SHA256, f"file-sha256:{SHA256.lower()}"),
        ("file-sha256", SHA256, f"file-sha256:{SHA256.lower()}"),
        ("file-SHA256", SHA256, f"file-sha256:{SHA256.lower()}"),
        ("file-MD5", MD5.upper(), f"file-md5:{MD5}"),
        ("certificate-SHA-1", ":".join(["AA"] * 20), f"certificate-sha1:{SHA1}"),
        ("certificate-serial", "00:0A:bc", "certificate-serial:abc"),
        ("file-tlsh", "a" * 70, "file-tlsh:T1" + "A" * 70),
        ("windows-registry-key", "HKLM\\Software\\\\Evil\\", "windows-registry-key:HKEY_LOCAL_MACHINE\\software\\evil"),
        ("directory", '"C:\\Users\\Public\\"', "directory:c:\\users\\public"),
        ("directory", "C:\\", "directory:c:\\"),
        ("directory", "/TMP/x/", "directory:/tmp/x"),
        ("file-name", "Setup.EXE", "file-name:setup.exe"),
        ("vulnerability", "cve-2024-12345", "vulnerability:CVE-2024-12345"),
        ("email-subject", "Your  invoice\n", "email-subject:Your invoice"),
        ("cryptocurrency-wallet", " 1Bc ", "cryptocurrency-wallet:1Bc"),
    ],
)
def test_one_spelling(kind, text, key):
    assert canonical(kind, text).key == key
    assert Observable.from_key(key) == canonical(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ipv4-addr", "192.0.2.256"), ("ipv4-addr", "010.1.1.1"), ("ipv4-addr", "192.0.2.7/33"), ("ipv4-addr", ""),
        ("ipv4-addr", "192.0.2.7\n8"), ("ipv6-addr", "2001:db8::g"), ("domain-name", "evil example.com"),
        ("domain-name", "1.2.3"), ("domain-name", "a..b"), ("domain-name", "x" * 64 + ".example"), ("url", "http://"),
        ("url", "http://evil.example:99999/"), ("url", "http://a b/"), ("url", "http://x/\x00"),
        ("email-addr", "evil.example"), ("mac-addr", "aa:bb"), ("autonomous-system", "4294967296"),
        ("file-sha256", MD5), ("file-md5", "x" * 32), ("file-", MD5), ("mutex", ""), ("no such", "x"),
        ("vulnerability", "evil"),
    ],
)  # fmt: skip
def test_no_such_value(kind, text):
    with pytest.raises(NotObservable):
        canonical(kind, text)


def test_a_domain_and_a_url_below_it_are_different_observables():
    domain, url = recognise("github.com"), recognise("https://github.com/x/y")
    assert (domain.kind, url.kind) == ("domain-name", "url")
    assert domain in ancestors(url)


@given(observables)
@settings(max_examples=400)
def test_canonical_is_idempotent(found):
    assert canonical(*found) == found
    assert Observable.from_key(found.key) == found


@given(network_observables)
@settings(max_examples=300)
def test_defanging_keeps_the_observable(found):
    assert canonical(found.kind, refang(defang(found.value))) == found
    if found.kind != "url" or found.value.startswith(("http", "ftp")):
        assert recognise(defang(found.value), found.kind) == found


@given(observables)
@settings(max_examples=400)
def test_index_key_can_be_undone(found):
    assert key_of(index_key(found.key)) == found.key


def below(key: str, ranges: list[tuple[str, str]]) -> bool:
    index = index_key(key)
    hits = [low <= index < high for low, high in ranges]
    assert sum(hits) <= 1
    return any(hits)


@given(network_observables)
@settings(max_examples=200)
def test_everything_above_has_it_in_its_span(found):
    assert below(found.key, span(found.key))
    for above in ancestors(found):
        assert canonical(*above) == above
        assert below(found.key, span(above.key)), above


@given(domains, domains, st.lists(labels, max_size=2))
def test_span_of_a_name_is_its_subdomains(name, other, front):
    sub = ".".join([*front, name])
    ranges = span(f"domain-name:{name}")
    for key in (sub, other, "x" + name, name.rpartition(".")[2]):
        expected = key == name or key.endswith("." + name)
        assert below(f"domain-name:{key}", ranges) == expected
        assert below(f"url:https://{key}:8443/p", ranges) == expected
        assert below(f"email-addr:a@{key}", ranges) == expected


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 32), st.integers(-300, 300))
def test_span_of_a_network_is_what_is_in_it(number, length, other_length, step):
    network = ipaddress.IPv4Network((number, length), strict=False)
    ranges = span(canonical("ipv4-addr", str(network)).key)
    other = (int(network.network_address) + step) % 2**32
    address = ipaddress.ip_address(other)
    assert below(f"ipv4-addr:{address}", ranges) == (address in network)
    assert below(f"url:http://{address}/", ranges) == (address in network)
    subnet = ipaddress.IPv4Network((other, other_length), strict=False)
    assert below(canonical("ipv4-addr", str(subnet)).key, ranges) == subnet.subnet_of(network)


@given(st.integers(0, 2**128 - 1), st.integers(0, 128), st.integers(0, 128), st.integers(-300, 300))
def test_span_of_an_ipv6_network_is_what_is_in_it(number, length, other_length, step):
    network = ipaddress.IPv6Network((number | 1 << 127, length), strict=False)
    ranges = span(canonical("ipv6-addr", str(network)).key)
    other = (int(network.network_address) + step) % 2**128 | 1 << 127
    subnet = ipaddress.IPv6Network((other, other_length), strict=False)
    if other_length:  # ::/0 has no top bit
        assert below(canonical("ipv6-addr", str(subnet)).key, ranges) == subnet.subnet_of(network)


paths = st.lists(st.sampled_from(["a", "b", "/", "?", "#", "&"]), max_size=6).map(lambda parts: "/" + "".join(parts))


@given(paths, paths)
@settings(max_examples=300)
def test_span_of_a_url_is_inverse_to_its_ancestors(path, other):
    one, two = canonical("url", f"http://evil.example{path}"), canonical("url", f"http://evil.example{other}")
    assert below(two.key, span(one.key)) == (one == two or one in ancestors(two))


def test_parents_stop_at_the_registrable_domain():
    assert [o.value for o in ancestors(canonical("domain-name", "a.b.evil.co.uk"))] == ["b.evil.co.uk", "evil.co.uk"]
    assert list(ancestors(canonical("domain-name", "evil.github.io"))) == []
    assert list(ancestors(canonical("domain-name", "com"))) == []
    assert [o.value for o in ancestors(canonical("domain-name", "x.evil.example"))] == ["evil.example"]


def test_ancestors_of_a_url_and_an_address():
    above = [o.key for o in ancestors(canonical("url", "https://www.evil.example/a/b?c#d"))]
    assert above == [
        "url:https://www.evil.example/a/b?c", "url:https://www.evil.example/a/b", "url:https://www.evil.example/a/",
        "url:https://www.evil.example/a", "url:https://www.evil.example/", "domain-name:www.evil.example",
        "domain-name:evil.example",
    ]  # fmt: skip
    above = [o.value for o in ancestors(canonical("ipv4-addr", "192.0.2.7"))]
    assert (above[0], above[7], above[-1], len(above)) == ("192.0.2.6/31", "192.0.2.0/24", "192.0.0.0/8", 24)


@pytest.mark.parametrize(
    ("text", "hint", "key"),
    [
        ("192.0.2[.]7", None, "ipv4-addr:192.0.2.7"),
        ("192.0.2.7:443", "ip:port", "ipv4-addr:192.0.2.7"),
        ("[2001:db8::1]:443", None, "ipv6-addr:2001:db8::1"),
        ("2001[:]db8[:][:]1", "ipaddress", "ipv6-addr:2001:db8::1"),
        ("evil[.]example:8080", None, "domain-name:evil.example"),
        ("evil(dot)example", "hostname", "domain-name:evil.example"),
        ("*.evil.example", "domain", "domain-name:evil.example"),
        ("hxxps[:]//evil[.]example/a", "URL", "url:https://evil.example/a"),
        ("[http]://evil.example/a", None, "url:http://evil.example/a"),
        ("evil.example/gate.php", "url", "url:http://evil.example/gate.php"),
        ("x[@]evil[.]example", "email-sender", "email-addr:x@evil.example"),
        (MD5, "md5_hash", f"file-md5:{MD5}"),
        (MD5, None, f"file-md5:{MD5}"),
        (SHA256, "FileHash-SHA256", f"file-sha256:{SHA256.lower()}"),
        (SHA256, "md5", f"file-sha256:{SHA256.lower()}"),
        (SHA256, "file", f"file-sha256:{SHA256.lower()}"),
        (SHA1, "x509-fingerprint-sha1", f"certificate-sha1:{SHA1}"),
        (MD5, "ja3-fingerprint-md5", f"ja3:{MD5}"),
        ("evil.com", "filename", "file-name:evil.com"),
        (f"a.exe|{SHA256}", "filename|sha256", f"file-sha256:{SHA256.lower()}"),
        ("evil.example|192.0.2.7", "domain|ip", "domain-name:evil.example"),
        ("192.0.2.7|443", "ip-dst|port", "ipv4-addr:192.0.2.7"),
        ("AS64500", None, "autonomous-system:64500"),
        ("64500", "asn", "autonomous-system:64500"),
        ("Global\\evil", "mutex", "mutex:Global\\evil"),
        ("HKCU\\Software\\X", None, "windows-registry-key:HKEY_CURRENT_USER\\software\\x"),
        ("%APPDATA%\\evil.exe", None, "file-name:%appdata%\\evil.exe"),
        ("CVE-2024-3400", None, "vulnerability:CVE-2024-3400"),
        ("server01.corp-internal", "hostname", "domain-name:server01.corp-internal"),
        ('"192.0.2.7"', None, "ipv4-addr:192.0.2.7"),
    ],
)
def test_recognise(text, hint, key):
    assert recognise(text, hint).key == key


@pytest.mark.parametrize("text", ["", "hello", "invoice.pdf", "12:30:45", "1.2.3", "a/b", "http:/", "..", "-"])
def test_nothing_known(text):
    with pytest.raises(NotObservable):
        recognise(text)


def test_recognise_all_reads_a_pasted_text():
    text = f"""Seen 184.105.139.67, evil[.]example (and hxxp://bad[.]example/a_(b)?c=d). Mail <x@evil.example>;
    at 12:30:45 invoice.pdf with {MD5} [CVE-2024-3400] 2001:db8::1. 192.0.2.0/24, 5.6.7.8:80/x evil.example!"""
    assert [found.key for found in recognise_all(text)] == [
        "ipv4-addr:184.105.139.67", "domain-name:evil.example", "url:http://bad.example/a_(b)?c=d",
        "email-addr:x@evil.example", f"file-md5:{MD5}", "vulnerability:CVE-2024-3400", "ipv6-addr:2001:db8::1",
        "ipv4-addr:192.0.2.0/24", "url:http://5.6.7.8/x",
    ]  # fmt: skip


@pytest.mark.parametrize("part", ["a.", ":", "1:", "a@", "a", "[", "[.", "(.)", "http://", "1.", "é.", "é", "a-", "@:"])
def test_hostile_texts_take_no_longer_than_others(part):
    """Each of these took minutes with an expression that tries every start and length."""
    text = part * 30_000
    recognise_all(text)
    for kind in ("url", "email-addr", "domain-name", "file-name"):
        observable(kind, text)
        observable(kind, f"http://{text}/")
    with pytest.raises(NotObservable):
        recognise(text)


@given(st.text(max_size=200))
def test_recognise_all_takes_any_text(text):
    for found in recognise_all(text):
        assert canonical(*found) == found


def test_observables_of_objects():
    file = {"type": "file", "name": "Evil.exe", "hashes": {"SHA256": SHA256, "MD5": "broken", "ssdeep": "3:a:b"}}
    assert [o.key for o in of_object(file)] == [
        f"file-sha256:{SHA256.lower()}", "file-ssdeep:3:a:b", "file-name:evil.exe"
    ]  # fmt: skip
    observed = {
        "type": "observed-data",
        "objects": {"0": {"type": "ipv4-addr", "value": "192.0.2.7"}, "1": file, "2": 3},
    }
    assert of_object(observed) == (canonical("ipv4-addr", "192.0.2.7"), *of_object(file))
    assert of_object({"type": "autonomous-system", "number": 64500})[0].value == "64500"
    assert of_object({"type": "url", "value": 7}) == ()
    assert of_object({"type": "identity", "name": "x"}) == ()
    assert of_object({"type": "x-misp-attribute", "x_misp_type": "domain", "x_misp_value": "evil.example"})
    cve = {"type": "vulnerability", "external_references": [{"source_name": "cve", "external_id": "CVE-2024-3400"}]}
    assert of_object(cve)[0].key == "vulnerability:CVE-2024-3400"


def test_observables_of_published_bundles():
    samples = Path(__file__).parents[1] / "samples" / "model"
    bundle = json.loads((samples / "unit42-gootloader.stix20.json").read_text())
    assert bundle["objects"] and all(of_object(obj) == () for obj in bundle["objects"] if obj["type"] == "indicator")
