"""What lies above and below an observable: parent domains, networks, URL prefixes, and their ranges in an index.

An index key is the observable's key written so that everything below a thing is next to it in code point order:

* ``domain-name:example.evil.www.`` labels reversed, each with its dot;
* ``ipv4-addr:c0000207`` addresses in hexadecimal, networks with their length behind: ``ipv4-addr:c0000200/24``;
* ``url:example.evil.www.|https|:8443|user@|/path`` and ``url:[4c0000207]|http|||/`` host first, reversed;
* ``email-addr:example.evil.@someone`` domain first; everything else as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from hub.model import addresses, names, urls
from hub.model.canonical import Observable

_END = "\x01"
"""Sorts behind a key and before everything longer that starts with it; values hold no such character."""

_WIDEST = {32: 8, 128: 16}
"""Prefix length of the widest network that counts as covering an address, by bits."""


def ancestors(observable: Observable) -> Iterator[Observable]:
    """Yield what is broader, nearest first: an indicator for one of these covers the observable too.

    Names have their parent domains down to the registrable one, addresses and networks the networks around them
    (to /8 or /16), URLs their prefixes by path, then their host and what is above it, mail addresses their domain.
    """
    kind, value = observable
    if kind == "domain-name":
        for name in names.parents(value):
            yield Observable(kind, name)
    elif kind in {"ipv4-addr", "ipv6-addr"}:
        bits, number, length = addresses.network_numbers(value)
        for shorter in range(length - 1, _WIDEST[bits] - 1, -1):
            yield Observable(*addresses.format_network(bits, number, shorter))
    elif kind == "url":
        for prefix in urls.prefixes(value):
            yield Observable(kind, prefix)
        parts = urls.split(value)
        if parts:
            yield from _with_ancestors(_host_of(parts.host))
    elif kind == "email-addr":
        yield from _with_ancestors(_host_of(value.rpartition("@")[2]))


def _with_ancestors(observable: Observable) -> Iterator[Observable]:
    yield observable
    yield from ancestors(observable)


def _host_of(text: str) -> Observable:
    """Return the observable of a host in a canonical URL or mail address."""
    return Observable(*names.host(text[1:-1] if text.startswith("[") else text))


def _reversed(name: str) -> str:
    return ".".join(reversed(name.split("."))) + "."


def _forward(reversed_name: str) -> str:
    return ".".join(reversed(reversed_name[:-1].split(".")))


def _address_index(value: str) -> str:
    bits, number, length = addresses.network_numbers(value)
    text = f"{number:0{bits // 4}x}"
    return text if length == bits else f"{text}/{length:0{2 if bits == 32 else 3}d}"


def _address_of(index: str) -> str:
    text, slash, length = index.partition("/")
    bits = len(text) * 4
    return addresses.format_network(bits, int(text, 16), int(length) if slash else bits)[1]


def _host_index(host: str) -> str:
    """Write a URL's or mail address's host for the index."""
    if host.startswith("["):
        host = host[1:-1]
    elif host[-1] > "9" or not host.replace(".", "").isdigit():
        return _reversed(host)
    return f"[{6 if ':' in host else 4}{_address_index(host)}]"


def _host_from(index: str, *, bare_ipv4: bool) -> str:
    if not index.startswith("["):
        return _forward(index)
    address = _address_of(index[2:-1])
    return address if bare_ipv4 and index[1] == "4" else f"[{address}]"


def index_key(key: str) -> str:
    """Return the form of an observable's key by which an engine orders it; `key_of` undoes it."""
    kind, _, value = key.partition(":")
    if kind == "domain-name":
        return f"{kind}:{_reversed(value)}"
    if kind in {"ipv4-addr", "ipv6-addr"}:
        return f"{kind}:{_address_index(value)}"
    if kind == "email-addr":
        local, _, domain = value.rpartition("@")
        return f"{kind}:{_host_index(domain)}@{local}"
    if kind == "url":
        parts = urls.split(value)
        if parts:
            return f"{kind}:{_host_index(parts.host)}|{parts.scheme}|{parts.port}|{parts.user}|{parts.rest}"
    return key


def key_of(index_key: str) -> str:
    """Return the observable key that `index_key` was made from."""
    kind, _, text = index_key.partition(":")
    if kind == "domain-name":
        return f"{kind}:{_forward(text)}"
    if kind in {"ipv4-addr", "ipv6-addr"}:
        return f"{kind}:{_address_of(text)}"
    if kind == "email-addr":
        domain, _, local = text.partition("@")
        return f"{kind}:{local}@{_host_from(domain, bare_ipv4=False)}"
    if kind == "url" and "|" in text:
        host, scheme, port, user, rest = text.split("|", 4)
        return f"{kind}:{scheme}://{user}{_host_from(host, bare_ipv4=True)}{port}{rest}"
    return index_key


def _next(text: str) -> str:
    """Return the text that sorts right behind everything that starts with ``text``."""
    return text[:-1] + chr(ord(text[-1]) + 1)


def _under(prefix: str) -> tuple[str, str]:
    return prefix, _next(prefix)


def span(key: str) -> list[tuple[str, str]]:
    """Return the ranges ``[low, high)`` of index keys of the observable itself and everything below it.

    It is the inverse of `ancestors` (networks of any width). Ranges do not overlap; compare by code points.
    """
    kind, _, value = key.partition(":")
    index = index_key(key)
    own = (index, index + _END)
    if kind == "domain-name":
        name = _reversed(value)
        return [_under(index), _under(f"url:{name}"), _under(f"email-addr:{name}")]
    if kind in {"ipv4-addr", "ipv6-addr"}:
        return _network_span(kind, value)
    parts = urls.split(value) if kind == "url" else None
    if parts is None:
        return [own]
    if "#" in parts.rest:
        return [own]
    if "?" in parts.rest:
        return [own, _under(index + "#")]
    if parts.rest.endswith("/"):
        return [_under(index)]
    return [own, _under(index + "#"), _under(index + "/"), _under(index + "?")]


def _network_span(kind: str, value: str) -> list[tuple[str, str]]:
    bits, first, length = addresses.network_numbers(value)
    digits = bits // 4
    low = f"{first:0{digits}x}"
    last = first | ((1 << (bits - length)) - 1)
    family = 4 if bits == 32 else 6
    high = f"{last:0{digits}x}"
    there = [(f"{place}[{family}{low}]", f"{place}[{family}{high}^") for place in ("url:", "email-addr:")]
    if length == bits:
        return [(f"{kind}:{low}", f"{kind}:{low}{_END}"), *there]
    mark = f"{length:0{2 if bits == 32 else 3}d}"
    return [(f"{kind}:{low}", f"{kind}:{low}{_END}"), (f"{kind}:{low}/{mark}", f"{kind}:{high}{_END}"), *there]
