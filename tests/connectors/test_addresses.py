"""No feed reaches an address that is not public, in whatever disguise (FIELD.md T5)."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.addresses import checked, permitted
from hub.errors import SourceUnreachable

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.7",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not permitted(address)
    with pytest.raises(SourceUnreachable, match="not a public address"):
        checked("feed.example", 443, resolver=lambda host, port: [address])


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_a_public_address_is_permitted(address: str) -> None:
    assert permitted(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_the_address_that_it_carries(address: ipaddress.IPv4Address) -> None:
    if not permitted(str(address)):
        assert not permitted(f"::ffff:{address}")


def test_an_allowed_network_opens_itself_only() -> None:
    allow = [ipaddress.ip_network("10.1.0.0/16")]
    assert permitted("10.1.2.3", allow)
    assert not permitted("10.2.2.3", allow)
    assert not permitted("127.0.0.1", allow)


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(SourceUnreachable):
        checked("feed.example", 443, resolver=lambda host, port: ["8.8.8.8", "127.0.0.1"])


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.0.0.1", "127.0.0.1.", "00000010.0.0.1"]
)
def test_a_disguised_number_is_refused_even_where_its_network_is_allowed(host: str) -> None:
    with pytest.raises(SourceUnreachable, match="disguised"):
        checked(host, 80, [ipaddress.ip_network("0.0.0.0/0")])


def test_an_unknown_host_is_named() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError

    with pytest.raises(SourceUnreachable, match=r"feed\.example cannot be resolved"):
        checked("feed.example", 443, resolver=unknown)
