"""Who calls, as far as the connection tells: the client's address, and the client certificate that was proved.

Either comes from the connection itself or in headers that somebody trusted adds: ``X-Forwarded-For`` from the networks
of the setting ``proxies``, and ``X-Client-Certificate``, which must begin with a secret.

Why secret and certificate stand in *one* header: the web server joins ``X-Client-Certificate`` and
``X_Client_Certificate`` into one variable, the last one wins, and proxies may let the second through. A client could
then put his own value in the place of the proxy's, but not with its secret in front.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import structlog

from hub.access.certificates import LARGEST, read_fingerprint
from hub.access.client_address import Proxies

CERTIFICATE = "hub.certificate"
"""Key of the certificate's fingerprint in the WSGI environment; no HTTP header can set it."""

HEADER = "X-Client-Certificate"
"""``SECRET FINGERPRINT``, ``SECRET PEM`` (URL-encoded) from a proxy; ``SECRET FINGERPRINT ADDRESS`` from our door."""

UNREADABLE = "unreadable"
"""Stands for a certificate that a trusted proxy told of in a form that is not understood."""

_ADDRESS = "HTTP_X_FORWARDED_FOR"
_TOLD = "HTTP_X_CLIENT_CERTIFICATE"

log = structlog.get_logger("hub.access")


@dataclass(frozen=True, slots=True)
class Caller:
    """The client: its address, and the SHA-256 fingerprint of its certificate or None."""

    address: str
    certificate: str | None = None


class Callers:
    """Finds out who calls.

    Args:
        proxies: whose word on addresses is taken. secret: what such a proxy must put before a certificate; empty means
            that none may tell of one. door: secret of the hub's own door for certificates, or empty.
    """

    def __init__(self, proxies: Proxies | None = None, secret: str = "", door: str = "") -> None:
        self._proxies = proxies or Proxies()
        self._secret = secret.encode()
        self._door = door.encode()
        self._hinted = False

    def read(self, environ: MutableMapping[str, Any]) -> Caller:
        """Return who sent a WSGI request, and take what was told of him out of it."""
        peer = environ.get("REMOTE_ADDR", "")
        forwarded, told = environ.pop(_ADDRESS, None), environ.pop(_TOLD, None)
        if told is None:
            return Caller(self._client(peer, forwarded))
        secret, _, rest = told.partition(" ")
        if _same(self._door, secret):
            fingerprint, _, address = rest.partition(" ")
            return Caller(self._proxies.client(address, None), fingerprint)
        client = self._client(peer, forwarded)
        if not self._proxies.trusts(peer):
            return Caller(client)
        if not _same(self._secret, secret):
            log.warning("a proxy told of a client certificate without the right proxy_secret", proxy=peer)
            return Caller(client)
        return Caller(client, _fingerprint(rest.strip()))

    def _client(self, peer: str, forwarded: str | None) -> str:
        if forwarded and not self._hinted and not self._proxies.trusts(peer):
            self._hinted = True  # once: anybody can send it
            hint = "X-Forwarded-For is ignored; if a reverse proxy of yours sends it, name it in the setting proxies"
            log.warning(hint, sender=peer)
        return self._proxies.client(peer, forwarded)


def _same(secret: bytes, told: str) -> bool:
    return bool(secret) and hmac.compare_digest(secret, told.encode(errors="replace"))


def _fingerprint(told: str) -> str | None:
    if not told:
        return None  # the proxy asked for a certificate, and the client had none
    if "BEGIN" not in told[:32]:
        return read_fingerprint(told) or UNREADABLE
    pem = unquote(told[: 3 * LARGEST])
    body = pem.partition("-----BEGIN CERTIFICATE-----")[2].partition("-----END CERTIFICATE-----")[0]
    try:
        content = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return UNREADABLE
    return hashlib.sha256(content).hexdigest() if content else UNREADABLE
