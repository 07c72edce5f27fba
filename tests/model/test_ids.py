"""Deterministic ids: equal to what the stix2 library computes for every cyber-observable type."""

from typing import Any

import pytest
import stix2
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model.ids import CONTRIBUTING, derived_id, is_id, sco_id, type_of

MD5, SHA1, SHA256, SHA512 = "d41d8cd98f00b204e9800998ecf8427e", "a" * 40, "b" * 64, "c" * 128
IPV4 = "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"
DIRECTORY = "directory--93c0a9b0-520d-545d-9094-1a08ddf46b05"

OBJECTS: list[dict[str, Any]] = [
    {"type": "artifact", "payload_bin": "VBORw0KGgw==", "mime_type": "image/png"},
    {"type": "artifact", "url": "https://evil.example/a", "hashes": {"SHA-256": SHA256, "SHA-1": SHA1}},
    {"type": "autonomous-system", "number": 64500, "name": "Slime"},
    {"type": "directory", "path": "C:\\Windows\\é", "path_enc": "utf-8"},
    {"type": "domain-name", "value": "evil.example", "resolves_to_refs": [IPV4]},
    {"type": "email-addr", "value": "a@evil.example", "display_name": "A"},
    {"type": "email-message", "is_multipart": False, "subject": 'Say "hello"\n\x01\x7f', "body": "漢😀"},
    {
        "type": "email-message",
        "is_multipart": False,
        "from_ref": "email-addr--89f52ea8-d6ef-51e9-8fce-6a29236436ed",
        "subject": "x",
    },
    {"type": "file", "name": "foo.dll", "hashes": {"SHA-256": SHA256}, "parent_directory_ref": DIRECTORY},
    {"type": "file", "hashes": {"SHA-512": SHA512, "SHA-1": SHA1, "MD5": MD5}},
    {"type": "file", "hashes": {"SHA512": SHA512, "sha256": SHA256}},
    {"type": "file", "hashes": {"ssdeep": "3:abc:def", "SHA3-256": SHA256}},
    {"type": "file", "name": "only.txt", "size": 12},
    {
        "type": "file",
        "name": "a.exe",
        "extensions": {
            "windows-pebinary-ext": {
                "pe_type": "exe",
                "machine_hex": "014c",
                "time_date_stamp": "2016-01-22T12:31:12.000Z",
                "sections": [
                    {"name": ".data", "size": 4096, "entropy": 7.980693, "hashes": {"SHA-256": SHA256}},
                    {"name": ".text", "entropy": 3.0},
                    {"name": ".bss", "entropy": 1e-7},
                    {"name": ".big", "entropy": 1.5e300},
                    {"name": ".some", "entropy": 123456789012345680000.0},
                ],
            }
        },
    },
    {"type": "file", "name": "x", "extensions": {"ntfs-ext": {"alternate_data_streams": [{"name": "s", "size": 25}]}}},
    {"type": "ipv4-addr", "value": "198.51.100.0/24"},
    {"type": "ipv6-addr", "value": "2001:db8::1"},
    {"type": "mac-addr", "value": "d2:fb:49:24:37:18"},
    {"type": "mutex", "name": "__CLEANSWEEP__"},
    {
        "type": "network-traffic",
        "src_ref": IPV4,
        "src_port": 24678,
        "protocols": ["ipv4", "tcp"],
        "start": "2024-01-01T00:00:00.120Z",
        "end": "2024-01-01T00:00:01.000Z",
        "is_active": False,
    },
    {
        "type": "network-traffic",
        "dst_ref": IPV4,
        "protocols": ["tcp", "http"],
        "extensions": {
            "http-request-ext": {
                "request_method": "get",
                "request_value": "/download.html",
                "request_header": {"User-Agent": ["Mozilla/5.0"], "Accept": ["a", "b"]},
            }
        },
    },
    {"type": "process", "pid": 314},
    {
        "type": "software",
        "name": "Word",
        "version": "2002",
        "vendor": "Microsoft",
        "cpe": "cpe:2.3:a:m:w:1:*:*:*:*:*:*:*",
    },
    {"type": "url", "value": "https://evil.example/ü?x=</a>"},
    {"type": "user-account", "user_id": "1001", "account_login": "jdoe", "account_type": "unix", "display_name": "J"},
    {
        "type": "windows-registry-key",
        "key": "hkey_local_machine\\system\\bar\\foo",
        "values": [{"name": "Foo", "data": "qwerty", "data_type": "REG_SZ"}, {"name": "Bar"}],
    },
    {"type": "x509-certificate", "issuer": "C=ZA", "serial_number": "36:f7:d4:32"},
    {"type": "x509-certificate", "hashes": {"SHA-1": SHA1}, "serial_number": "1"},
]


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda obj: str(obj["type"]))
def test_ids_are_those_of_the_stix2_library(obj):
    theirs = stix2.parse({**obj, "spec_version": "2.1"}, version="2.1", allow_custom=True)["id"]
    if obj["type"] == "process":
        assert sco_id(obj) is None
    else:
        assert sco_id(obj) == theirs


def test_every_type_is_tested():
    assert {obj["type"] for obj in OBJECTS} == set(CONTRIBUTING)


@settings(max_examples=50, deadline=None)
@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False), st.text(st.characters(codec="utf-8"), min_size=1))
def test_numbers_and_texts_are_written_as_canonical_json(number, text):
    section = {"name": text, "entropy": number}
    obj = {
        "type": "file",
        "name": text,
        "extensions": {"windows-pebinary-ext": {"pe_type": "exe", "sections": [section]}},
    }
    assert sco_id(obj) == stix2.v21.File(**obj).id


def test_the_published_example():
    """STIX 2.1 section 6: the address in the examples of the specification."""
    assert sco_id({"type": "ipv4-addr", "value": "198.51.100.3"}) == IPV4


def test_no_id_without_contributing_properties():
    assert sco_id({"type": "file", "size": 3}) is None
    assert sco_id({"type": "x-custom", "value": "x"}) is None


def test_derived_ids():
    one = derived_id("indicator", "tweetfeed", "domain-name:evil.example")
    assert one == derived_id("indicator", "tweetfeed", "domain-name:evil.example")
    assert one != derived_id("indicator", "tweetfeed", "domain-name", "evil.example")
    assert is_id(one)
    assert type_of(one) == "indicator"


@pytest.mark.parametrize("text", ["", "indicator--", "indicator--x", "Indicator--" + IPV4[11:], IPV4 + "0", " " + IPV4])
def test_no_ids(text):
    assert not is_id(text)
