"""Signing in: an ``Authorization`` header or a client certificate becomes a `Principal` or `NotSignedIn`.

Understood are Basic with a password, Basic with an API token as the password (many SIEMs can do nothing else),
``Bearer`` and ``Token`` (taxii2-client's spelling) with an API token. Passwords are checked by `Passwords`, which
remembers right ones and slows guessing down. Tokens and users are read from the store each time: a revocation works at
once.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import re
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from hub.access.accounts import Accounts
from hub.access.audit import Audit
from hub.access.callers import CERTIFICATE
from hub.access.certificates import Certificates
from hub.access.coarse import Coarse
from hub.access.guesses import Guesses
from hub.access.hashing import LONGEST_PASSWORD
from hub.access.limits import Limits
from hub.access.members import Organisation, User
from hub.access.passwords import Passwords
from hub.access.principal import Principal, is_able
from hub.access.standing import Standings
from hub.access.tokens import TOKEN_MARK, Token, token_digest
from hub.errors import BadRequest, Conflict, NotFound, NotSignedIn, StoreFull, StoreUnavailable, TooManyRequests
from hub.model import times

_TOKEN = re.compile(rf"{TOKEN_MARK}_([a-z2-7]{{16}})_[A-Za-z0-9_-]{{43}}", re.ASCII)
_HUB_TOKEN = re.compile(rf"{TOKEN_MARK}_[A-Za-z0-9]{{16}}_", re.ASCII)
_CREDENTIAL = re.compile(
    r"(access|auth|id|refresh|bearer|session)?[-_]?token|api[-_]?key|(client[-_]?)?secret|pass(word|wd|phrase)?"
    r"|auth(orization)?|credentials?|jwt",
    re.IGNORECASE,
)
_NO_DIGEST = "0" * 64


class SignIn:
    """Checks credentials against the accounts; one for each process, used from all its threads."""

    def __init__(
        self,
        accounts: Accounts,
        audit: Audit | None = None,
        guesses: Guesses | None = None,
        limits: Limits | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._accounts = accounts
        self._audit = audit
        self._certificates = certificates
        self._standings = Standings(accounts)
        self._passwords = Passwords(guesses)
        self._coarse = Coarse()

    def sender(self, environ: MutableMapping[str, Any]) -> Principal:
        """Return who sent a WSGI request, and take his ``Authorization`` out of it; see `principal`.

        Raises:
            BadRequest: credentials stand in its address.
        """
        _refuse_credentials_in(environ.get("QUERY_STRING", ""))
        authorization, where = environ.pop("HTTP_AUTHORIZATION", None), environ.get("REMOTE_ADDR", "")
        return self.principal(authorization, where, environ.get(CERTIFICATE))

    def principal(self, authorization: str | None, where: str = "", certificate: str | None = None) -> Principal:
        """Return who sent this ``Authorization`` header from the network address ``where``.

        Args:
            authorization, where: see above. certificate: fingerprint of the client certificate that was proved; it
                signs in who sends no ``Authorization``.

        Raises:
            NotSignedIn: no credentials, or wrong ones; the message does not say which part was wrong.
            TooManyRequests: too many wrong passwords for this account from there, or a budget is used up.
        """
        try:
            if certificate is not None and not authorization:
                principal = self._by_certificate(certificate)
            else:
                principal = self._principal(authorization, where)
        except NotSignedIn as refused:
            if authorization or certificate:
                self._tell("signin", where, refused.code)
            self.limits.refused(where)
            raise
        try:
            self.limits.request(principal)
        except TooManyRequests as refused:
            self._tell("limit", where, refused.code, principal.organisation, who=principal.user)
            raise
        return principal

    def _tell(
        self, action: str, where: str, result: str, target: str = "", *, who: str = "unknown", **details: object
    ) -> None:
        """Note in the audit log, coarsely, what was refused.

        A name is told only if there is such an account: people type passwords there. And never does the first failure
        of an existing name alone cost a write: its duration would tell names apart.
        """
        if self._audit is not None and self._coarse.first(action, f"{where} {who}"):
            with contextlib.suppress(StoreUnavailable, StoreFull):
                self._audit.record(action, target, who=who, where=where or "unknown", result=result, details=details)

    def _principal(self, authorization: str | None, where: str) -> Principal:
        if not authorization:
            raise NotSignedIn("sign in with Basic (user and password or token) or Bearer (token)")
        scheme, _, rest = authorization.strip().partition(" ")
        match scheme.lower():
            case "basic":
                return self._basic(rest.strip(), where)
            case "bearer" | "token":
                return self._by_token(rest.strip(), None, where)
        raise NotSignedIn("the Authorization header has an unknown scheme: use Basic or Bearer")

    def principal_of(self, name: str, token: str | None = None) -> Principal:
        """Return what an account may do without its signing in: to explain its rights, never to serve it.

        Args:
            name: of the account. token: id of one of its tokens, to go by what that one may do.

        Raises:
            NotFound: there is no such account, or it has no such token. NotSignedIn: it is shut out.
        """
        found = self._accounts.user(name)
        if found is None:
            raise NotFound(f"there is no user {name}")
        kept = self._accounts.token(token) if token is not None else None
        if token is not None and (kept is None or kept[0].user != name):
            raise NotFound(f"{name} has no token {token}; `threathub token list` shows all")
        organisation = self._accounts.organisation(found[0].organisation)
        try:
            return _principal(found[0], organisation, kept[0] if kept is not None else None)
        except NotSignedIn:
            raise NotSignedIn(f"{name} may do nothing: the account or its organisation is disabled") from None

    def _basic(self, encoded: str, where: str) -> Principal:
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
            return self._by_token(password, name, where)
        return self._by_password(name, password, where)

    def _by_password(self, name: str, password: str, where: str) -> Principal:
        standing = self._standings.of_user(name)
        user = standing.user
        kept = user.password_hash if user is not None else None
        verdict = self._passwords.check(name, where, password, kept, standing.version)
        if verdict.locked:
            seconds = f"{verdict.locked} s"
            self._tell("signin.lock", where, TooManyRequests.code, user.name if user else "", first=seconds)
        if user is None or not verdict.fits:
            _wrong()
        return _principal(user, standing.organisation)

    def _by_token(self, text: str, name: str | None, where: str) -> Principal:
        shape = _TOKEN.fullmatch(text)
        standing = self._standings.of_token(shape[1] if shape else "")
        token = standing.token
        kept = token.digest if token else _NO_DIGEST
        if not hmac.compare_digest(kept, token_digest(text)) or token is None:
            _wrong()
        if name not in (None, "", "token", token.user):
            _wrong()
        if not token.allows(where):
            self._tell("signin.network", where, NotSignedIn.code, token.id, user=token.user)
            _wrong()
        if token.expires is not None and token.expires <= times.now():
            raise NotSignedIn(f"token {TOKEN_MARK}_{token.id} has expired: ask for a new one")
        principal = _principal(standing.user, standing.organisation, token)
        # Another worker may have noted it already, or nothing can be written now: reading goes on.
        with contextlib.suppress(Conflict, StoreUnavailable, StoreFull):
            self._accounts.note_use(token, standing.token_version, where)
        return principal

    def _by_certificate(self, fingerprint: str) -> Principal:
        if self._certificates is None:
            raise NotSignedIn("client certificates do not sign in here: use Basic or Bearer")
        standing = self._standings.of_user(self._certificates.user(fingerprint))
        return _principal(standing.user, standing.organisation)


def _principal(user: User | None, organisation: Organisation | None, token: Token | None = None) -> Principal:
    if user is None or user.disabled or organisation is None or organisation.disabled:
        _wrong()
    reader = organisation.reader(analyst=is_able(user.role, "confidential"))
    principal = Principal(user.name, organisation.name, user.role, reader, identity=organisation.identity)
    if token is None:
        return principal
    collections = None if token.collections is None else frozenset(token.collections)
    return replace(principal, rights=frozenset(token.rights), token=token.id, collections=collections)


def _refuse_credentials_in(query: str) -> None:
    """Refuse tokens and passwords in an address: it stands in the logs and histories of everything on its way."""
    if query and (_HUB_TOKEN.search(query) or any(_CREDENTIAL.fullmatch(name) for name, _ in parse_qsl(query))):
        raise BadRequest(
            "credentials do not belong in an address, others can read it: send them as Authorization, and have these"
            " ones replaced"
        )


def _wrong() -> NoReturn:
    raise NotSignedIn("unknown user, wrong password or wrong token")
