"""Whose address a request has: proxies are believed, strangers are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.access.client_address import UNKNOWN, Proxies, network_of
from hub.errors import BadSettings

PROXIES = Proxies(["10.0.0.0/8", "fd00::/8", "127.0.0.1"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.7", None, "198.51.100.7"),
        ("198.51.100.7", "192.0.2.1", "198.51.100.7"),  # a stranger's word
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "203.0.113.9, 192.0.2.1", "192.0.2.1"),  # what the client wrote itself stands left
        ("10.0.0.1", "192.0.2.1, 10.0.0.2", "192.0.2.1"),  # two proxies
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # a client inside
        ("10.0.0.1", "evil, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "192.0.2.1, evil", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ",", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1:50123", "192.0.2.1"),
        ("fd00::1", "[2001:db8::7]:443", "2001:db8::7"),
        ("fd00::1", "2001:DB8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("", "192.0.2.1", UNKNOWN),
        ("10.0.0.1", ", ".join(["10.0.0.9"] * 5000), "10.0.0.9"),
    ],
)
def test_the_rightmost_address_that_is_no_proxy(peer: str, forwarded: str | None, client: str) -> None:
    assert PROXIES.client(peer, forwarded) == client


def test_nobody_is_believed_by_default_and_a_unix_socket_when_it_is_named() -> None:
    assert Proxies().client("127.0.0.1", "192.0.2.1") == "127.0.0.1"
    assert Proxies(["unix"]).client("", "192.0.2.1") == "192.0.2.1"
    assert Proxies(["unix"]).client("", None) == UNKNOWN


@given(forwarded=st.text(max_size=60))
def test_any_header_gives_an_address_that_a_proxy_wrote(forwarded: str) -> None:
    assert Proxies().client("192.0.2.1", forwarded) == "192.0.2.1"
    assert PROXIES.client("10.0.0.1", forwarded + ", 192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize("wrong", ["10.0.0.0/33", "proxy.example", ""])
def test_an_impossible_setting_is_refused(wrong: str) -> None:
    with pytest.raises(BadSettings, match="proxies"):
        Proxies([wrong])


def test_an_ipv6_host_is_its_network() -> None:
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of(UNKNOWN) == UNKNOWN
