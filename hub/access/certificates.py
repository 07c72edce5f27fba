"""Client certificates: which account a certificate signs in as.

A certificate is known by the SHA-256 of its DER bytes and belongs to one account. That the client holds its key is
proved by TLS, in the hub's own door for certificates or in a reverse proxy; who may use it is decided here alone. So no
authority can make a certificate that the hub lets in, and a removed one is refused at the next request.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.utils import CryptographyDeprecationWarning

from hub.access.audit import Audit
from hub.errors import BadRequest, Conflict, NotFound, NotSignedIn
from hub.model import times
from hub.store.ports import Batch, DocumentWrite, Store

KIND = "certificate"
"""Kind of the control documents."""

LARGEST = 65_536
"""Bytes of a certificate file at most."""

_FINGERPRINT = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A registered certificate.

    Attributes:
        fingerprint: SHA-256 of its DER bytes, hex. user: whom it signs in. subject: whom it names, for people.
        starts, expires: microseconds.
    """

    fingerprint: str
    user: str
    subject: str
    starts: int
    expires: int


class Certificates:
    """The registered certificates of a store. Every change goes into the audit log, in the same commit."""

    def __init__(self, store: Store, audit: Audit | None = None) -> None:
        self._store = store
        self._audit = audit or Audit(store)

    def add(self, user: str, content: bytes) -> Certificate:
        """Let an account sign in with a certificate, given in PEM or DER.

        Raises:
            BadRequest: it is no certificate, or has expired.
            Conflict: it is registered already.
            NotFound: there is no such account.
        """
        account = self._store.document("user", user)
        if account is None:
            raise NotFound(f"there is no user {user}")
        certificate = read_certificate(content, user)
        if certificate.expires <= times.now():
            raise BadRequest(f"the certificate has expired on {times.format_timestamp(certificate.expires)[:10]}")
        if (known := self.find(certificate.fingerprint)) is not None:
            raise Conflict(f"this certificate signs in {known.user} already")
        told = {"user": user, "subject": certificate.subject}
        written = [
            DocumentWrite(KIND, certificate.fingerprint, msgspec.json.encode(certificate), expect=0),
            DocumentWrite("user", user, account.value, expect=account.version),  # it must still be there
        ]
        self._audit.record("certificate.add", certificate.fingerprint, details=told, batch=Batch(documents=written))
        return certificate

    def remove(self, fingerprint: str) -> Certificate:
        """Forget a certificate; the next request with it is refused.

        Raises:
            NotFound: it is not registered.
        """
        found = self.find(read_fingerprint(fingerprint) or "")
        if found is None:
            raise NotFound("there is no such certificate; `threathub certificate list` shows all")
        gone = Batch(documents=[DocumentWrite(KIND, found.fingerprint, None)])
        self._audit.record("certificate.remove", found.fingerprint, details={"user": found.user}, batch=gone)
        return found

    def find(self, fingerprint: str) -> Certificate | None:
        """Return a registered certificate."""
        document = self._store.document(KIND, fingerprint)
        return None if document is None else msgspec.json.decode(document.value, type=Certificate)

    def all(self) -> Iterator[Certificate]:
        """Yield every registered certificate."""
        after = ""
        while page := self._store.documents(KIND, after=after):
            for document in page:
                yield msgspec.json.decode(document.value, type=Certificate)
            after = page[-1].key

    def user(self, fingerprint: str) -> str:
        """Return whom a certificate signs in now.

        Raises:
            NotSignedIn: it is not registered, not valid yet, or has expired.
        """
        found = self.find(fingerprint)
        if found is None:
            known = fingerprint if _FINGERPRINT.fullmatch(fingerprint) else "unreadable"
            raise NotSignedIn(f"the client certificate (SHA-256 {known}) belongs to no account: have it registered")
        now = times.now()
        if now >= found.expires:
            raise NotSignedIn("the client certificate has expired: have a new one registered")
        if now < found.starts:
            raise NotSignedIn("the client certificate is not valid yet")
        return found.user


def read_certificate(content: bytes, user: str) -> Certificate:
    """Read a certificate in PEM (the first in the file counts) or DER.

    Raises:
        BadRequest: it is none.
    """
    try:
        with warnings.catch_warnings():  # about odd serial numbers and the like: nothing that the reader can mend
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            pem = b"-----BEGIN" in content
            read = x509.load_pem_x509_certificate(content) if pem else x509.load_der_x509_certificate(content)
            subject = read.subject.rfc4514_string()
            starts, expires = read.not_valid_before_utc, read.not_valid_after_utc
    except ValueError:
        raise BadRequest("this is no certificate in PEM or DER") from None
    microseconds = [int(moment.timestamp()) * times.SECOND for moment in (starts, expires)]
    return Certificate(read.fingerprint(SHA256()).hex(), user, subject, *microseconds)


def read_fingerprint(text: str) -> str | None:
    """Read a SHA-256 fingerprint, with or without colons, in any case; None when it is none."""
    plain = text.replace(":", "").lower()
    return plain if _FINGERPRINT.fullmatch(plain) else None
