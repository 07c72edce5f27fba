"""Signing in: an ``Authorization`` header becomes a `Principal` or `NotSignedIn`.

Understood are Basic with a password, Basic with an API token as the password (many SIEMs can do nothing else),
``Bearer`` and ``Token`` (taxii2-client's spelling) with an API token. A password that was checked is remembered for a
few minutes as a keyed digest that never leaves this process, so that argon2 does not run for every poll; any change
of the user makes the memory void. Tokens and users are read from the store each time: a revocation works at once.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
import secrets
import threading
import time
from typing import NoReturn

from hub.access.accounts import DUMMY_HASH, LONGEST_PASSWORD, TOKEN_MARK, Accounts, User, password_fits, token_digest
from hub.access.audit import Audit
from hub.access.principal import ALL_RIGHTS, Principal, Right
from hub.errors import Conflict, NotFound, NotSignedIn, StoreFull, StoreUnavailable
from hub.model import times
from hub.model.audience import Reader

REMEMBERED = 300.0
"""Seconds that a checked password is remembered."""

TOLD = 600.0
"""Seconds in which one address leaves one entry in the audit log at most, however often it fails to sign in."""

_MOST_REMEMBERED = 10_000
_MOST_TOLD = 100
_TOKEN = re.compile(rf"{TOKEN_MARK}_([a-z2-7]{{16}})_[A-Za-z0-9_-]{{43}}", re.ASCII)
_NO_DIGEST = "0" * 64
_CITY_READERS = ("analyst", "administrator")


class SignIn:
    """Checks credentials against the accounts; one for each process, used from all its threads."""

    def __init__(self, accounts: Accounts, audit: Audit | None = None) -> None:
        self._accounts = accounts
        self._audit = audit
        self._told: dict[str, float] = {}
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, tuple[int, bool, float]] = {}
        # argon2 takes 19 MiB and a core: a flood of wrong passwords must not take them all.
        self._hashing = threading.BoundedSemaphore(2)

    def principal(self, authorization: str | None, where: str = "") -> Principal:
        """Return who sent this ``Authorization`` header from the network address ``where``.

        Raises:
            NotSignedIn: no credentials, or wrong ones; the message does not say which part was wrong.
        """
        try:
            return self._principal(authorization)
        except NotSignedIn:
            if authorization:
                self._tell(where)
            raise

    def _tell(self, where: str) -> None:
        """Note a failure in the audit log, coarsely: a flood of them must not fill it.

        The name is not told: people type passwords there; and if only names that exist cost a write, its duration
        would tell them apart.
        """
        moment = time.monotonic()
        self._told = {address: until for address, until in self._told.items() if until > moment}
        if self._audit is None or where in self._told or len(self._told) >= _MOST_TOLD:
            return
        self._told[where] = moment + TOLD
        with contextlib.suppress(StoreUnavailable, StoreFull):
            self._audit.record("signin", who="unknown", where=where or "unknown", result=NotSignedIn.code)

    def _principal(self, authorization: str | None) -> Principal:
        if not authorization:
            raise NotSignedIn("sign in with Basic (user and password or token) or Bearer (token)")
        scheme, _, rest = authorization.strip().partition(" ")
        match scheme.lower():
            case "basic":
                return self._basic(rest.strip())
            case "bearer" | "token":
                return self._by_token(rest.strip(), None)
        raise NotSignedIn("the Authorization header has an unknown scheme: use Basic or Bearer")

    def principal_of(self, name: str, token: str | None = None) -> Principal:
        """Return what an account may do without its signing in: to explain its rights, never to serve it.

        Args:
            name: of the account. token: id of one of its tokens, to go by what that one may do.

        Raises:
            NotFound: there is no such account, or it has no such token.
        """
        found = self._accounts.user(name)
        if found is None:
            raise NotFound(f"there is no user {name}")
        if token is None:
            return self._principal_of(found[0], ALL_RIGHTS, None)
        kept = self._accounts.token(token)
        if kept is None or kept[0].user != name:
            raise NotFound(f"{name} has no token {token}; `threathub token list` shows all")
        return self._principal_of(found[0], frozenset(kept[0].rights), token)

    def _basic(self, encoded: str) -> Principal:
        try:
            decoded = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise NotSignedIn("the Authorization header is not valid Basic") from None
        try:
            text = decoded.decode()
        except UnicodeDecodeError:
            text = decoded.decode("latin-1")
        name, colon, password = text.partition(":")
        if not colon or len(password) > LONGEST_PASSWORD:
            _wrong()
        if _TOKEN.fullmatch(password):
            return self._by_token(password, name)
        return self._by_password(name, password)

    def _by_password(self, name: str, password: str) -> Principal:
        found = self._accounts.user(name)
        user, version = found or (None, 0)
        known_hash = user.password_hash if user is not None and user.password_hash else DUMMY_HASH
        digest = hmac.digest(self._key, f"{name}\0{password}".encode(errors="surrogatepass"), hashlib.sha256)
        known_version, fits, until = self._remembered.get(digest, (-1, False, 0.0))
        if known_version != version or until < time.monotonic():
            with self._hashing:
                fits = password_fits(known_hash, password)
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[digest] = (version, fits, time.monotonic() + REMEMBERED)
        if user is None or not user.password_hash or not fits:
            _wrong()
        return self._principal_of(user, ALL_RIGHTS, None)

    def _by_token(self, text: str, name: str | None) -> Principal:
        shape = _TOKEN.fullmatch(text)
        found = self._accounts.token(shape[1]) if shape else None
        kept = found[0].digest if found else _NO_DIGEST
        if not hmac.compare_digest(kept, token_digest(text)) or found is None:
            _wrong()
        token, version = found
        if name not in (None, "", "token", token.user):
            _wrong()
        if token.expires is not None and token.expires <= times.now():
            raise NotSignedIn(f"token {TOKEN_MARK}_{token.id} has expired: ask for a new one")
        account = self._accounts.user(token.user)
        if account is None:
            _wrong()
        principal = self._principal_of(account[0], frozenset(token.rights), token.id)
        # Another worker may have noted it already, or nothing can be written now: reading goes on.
        with contextlib.suppress(Conflict, StoreUnavailable, StoreFull):
            self._accounts.note_use(token, version)
        return principal

    def _principal_of(self, user: User, rights: frozenset[Right], token: str | None) -> Principal:
        organisation = self._accounts.organisation(user.organisation)
        if user.disabled or organisation is None:
            _wrong()
        home = organisation.kind == "city"
        reader = Reader(
            organisation.name, frozenset(organisation.groups), home=home, analyst=home and user.role in _CITY_READERS
        )
        return Principal(user.name, organisation.name, user.role, reader, rights, token, organisation.identity)


def _wrong() -> NoReturn:
    raise NotSignedIn("unknown user, wrong password or wrong token")
