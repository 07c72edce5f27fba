"""One spelling for URLs, and how a canonical URL is taken apart."""

from __future__ import annotations

import re
import urllib.parse
from typing import NamedTuple

from hub.model import names
from hub.model.defang import refang

DEFAULT_PORTS = {"http": "80", "https": "443", "ftp": "21", "ws": "80", "wss": "443", "ssh": "22", "sftp": "22"}

_PLAIN = re.compile(r"(?:https?|ftp)://((?:[a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]{1,62})/[!#$&'*+,\-./0-9:;=?@A-Z_a-z~]*")
_HEAD = re.compile(r"([^/]*/?/?[^/?#]*)(.*)", re.DOTALL)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?(.*)", re.DOTALL)
_OPAQUE = frozenset(
    {"mailto", "data", "magnet", "tel", "sms", "javascript", "urn", "bitcoin", "market", "tg", "intent"}
)
_PLACE = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?", re.DOTALL)
_TO_ENCODE = re.compile(r"%(?:[0-9A-Fa-f]{2})?|[^!#$&'()*+,\-./0-9:;=?@A-Z_a-z~]+")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 65536


class Parts(NamedTuple):
    """A canonical URL in pieces; ``scheme + "://" + user + host + port + rest`` is the URL.

    ``user`` ends in ``@`` and ``port`` begins with ``:`` where they are there; ``rest`` is path, query and fragment.
    """

    scheme: str
    user: str
    host: str
    port: str
    rest: str


def _encode(match: re.Match[str]) -> str:
    text = match[0]
    if text[0] != "%":
        return urllib.parse.quote(text, safe="")
    if len(text) == 1:
        return "%25"
    letter = chr(int(text[1:], 16))
    return letter if letter in _UNRESERVED else text.upper()


def url(text: str) -> str:
    """Return a URL's canonical form.

    Scheme and host in lower case, host in A-labels or as an address, default port gone, an empty path ``/``, percent
    escapes in upper case and only where needed (RFC 3986 section 6.2.2). Path, query and fragment keep their case and
    their dot segments: scanners send those raw, and sensors log them raw. Without a scheme ``http`` is assumed.

    Raises:
        ValueError: not a URL.
    """
    plain = _PLAIN.fullmatch(text)
    if plain and len(plain[1]) <= 253:
        return text
    text = text.strip()
    if len(text) > _LONGEST or _CONTROL.search(text):
        raise ValueError("not a URL: control characters, or too long")
    head = _HEAD.fullmatch(text)
    assert head is not None
    text = refang(head[1]) + refang(head[2], square_only=True)
    if text.startswith("//"):
        text = "http:" + text
    match = _SCHEME.fullmatch(text)
    if match is None or (not match[2] and match[1].lower() not in _OPAQUE):
        match = _SCHEME.fullmatch("http://" + text)
        assert match is not None
    scheme = match[1].lower()
    if not match[2]:
        return f"{scheme}:{_TO_ENCODE.sub(_encode, match[3])}"
    return _with_authority(scheme, match[3])


def _with_authority(scheme: str, text: str) -> str:
    end = next((at for at, letter in enumerate(text) if letter in "/?#\\"), len(text))
    user, at, place_text = text[:end].rpartition("@")
    place = _PLACE.fullmatch(place_text)
    if place is None:
        raise ValueError("not a URL: bad host or port")
    host_text = urllib.parse.unquote(place[1])
    if host_text:
        kind, host = names.host(host_text)
        if kind == "ipv6-addr":
            host = f"[{host}]"
        if "/" in host:
            raise ValueError("not a URL: a network is no host")
    elif scheme == "file":
        host = ""
    else:
        raise ValueError("not a URL: no host")
    port = (place[2] or "").lstrip("0")
    if len(port) > 5 or int(port or 0) > 65535:
        raise ValueError("not a URL: no such port")
    port = "" if not port or port == DEFAULT_PORTS.get(scheme) else f":{port}"
    user = _TO_ENCODE.sub(_encode, user) + at
    rest = _TO_ENCODE.sub(_encode, text[end:])
    return f"{scheme}://{user}{host}{port}{rest if rest.startswith('/') else '/' + rest}"


def split(value: str) -> Parts | None:
    """Take a canonical URL apart; None for one without a host (``mailto:``, ``file:///``)."""
    scheme, found, text = value.partition("://")
    if not found:
        return None
    authority, slash, rest = text.partition("/")
    user, at, place = authority.rpartition("@")
    if place.startswith("["):
        host, bracket, port = place.partition("]")
        host += bracket
    else:
        host, colon, port = place.partition(":")
        port = colon + port
    return Parts(scheme, user + at, host, port, slash + rest) if host else None


def prefixes(value: str) -> list[str]:
    """Return the canonical URLs that lie above one, nearest first: without fragment, without query, each folder."""
    parts = split(value)
    if parts is None:
        return []
    start = f"{parts.scheme}://{parts.user}{parts.host}{parts.port}"
    above = []
    path, hash_sign, _ = parts.rest.partition("#")
    if hash_sign:
        above.append(start + path)
    path, question, _ = path.partition("?")
    if question:
        above.append(start + path)
    while path != "/":
        stem, _, last = path.rpartition("/")
        path = stem if not last and stem else stem + "/"
        above.append(start + path)
    return above
