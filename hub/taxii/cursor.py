"""Page tokens (``next``, TAXII 2.1 section 3.5): where a walk goes on, signed, without any state on the server.

A token holds the position and date of the last object served. Its signature also covers collection, address, match
fields and reader, so it is worth nothing anywhere else. The place is covered with a pad made from the signature:
positions count all changes of the hub, and a reader must not learn from theirs how much there is that he may not see.
The key lives in the store: tokens outlive restarts and work in every process. A repeated request gives the same page.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import secrets
import struct
from typing import NamedTuple

from hub.errors import BadCursor, Conflict
from hub.store.ports import Batch, DocumentWrite, Store

_PLACE = struct.Struct(">qq")
_SIGNATURE = 16


class Place(NamedTuple):
    """The last object served: its position and date_added (microseconds)."""

    position: int
    date_added: int


class Cursors:
    """Makes and reads page tokens with the secret of one store."""

    def __init__(self, store: Store) -> None:
        self._key = _secret(store)

    def token(self, place: Place, binding: str) -> str:
        """Return the token for what follows ``place`` in the walk that ``binding`` names."""
        packed = _PLACE.pack(*place)
        signature = self._signature(packed, binding)
        return base64.urlsafe_b64encode(self._covered(packed, signature) + signature).decode().rstrip("=")

    def place(self, token: str, binding: str) -> Place:
        """Read a token.

        Raises:
            BadCursor: it was not issued by this hub for this walk.
        """
        try:
            decoded = base64.b64decode(token + "=" * (-len(token) % 4), altchars="-_", validate=True)
        except (binascii.Error, ValueError):
            decoded = b""
        signature = decoded[_PLACE.size :]
        packed = self._covered(decoded[: _PLACE.size], signature)
        if not hmac.compare_digest(signature, self._signature(packed, binding)):
            raise BadCursor("this next was not issued for this collection, these filters and this account: start anew")
        return Place(*_PLACE.unpack(packed))

    def _covered(self, place: bytes, signature: bytes) -> bytes:
        """Cover a packed place, or uncover it."""
        pad = hmac.digest(self._key, b"pad" + signature, hashlib.sha256)
        return bytes(one ^ other for one, other in zip(place, pad, strict=False))

    def _signature(self, packed: bytes, binding: str) -> bytes:
        text = packed + binding.encode(errors="surrogatepass")
        return hmac.digest(self._key, text, hashlib.sha256)[:_SIGNATURE]


def _secret(store: Store) -> bytes:
    document = store.document("secret", "taxii-next")
    if document is None:
        with contextlib.suppress(Conflict):  # another process was first
            store.commit(Batch(documents=[DocumentWrite("secret", "taxii-next", secrets.token_bytes(32), expect=0)]))
        document = store.document("secret", "taxii-next")
        assert document is not None
    return document.value
