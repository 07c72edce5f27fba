"""Organisations, users and API tokens, kept as control documents of the store.

There is no account that nobody made and no secret with a default. Passwords are kept as argon2id hashes, tokens as
SHA-256 digests of 32 random bytes; neither can be read back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.access.audit import Audit
from hub.access.members import Organisation, User
from hub.access.principal import CITY_ROLES, ROLES, Right, Role
from hub.access.tokens import TOKEN_MARK, Token, new_token_text, spelled_networks, token_digest
from hub.errors import BadRequest, Conflict, NotFound
from hub.model import times
from hub.store.ports import Batch, DocumentWrite, Store

__all__ = ["TOKEN_MARK", "Accounts", "Organisation", "Token", "User", "token_digest"]

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}", re.ASCII)
_ORGANISATION_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
# OWASP's second choice for argon2id: 19 MiB, two passes. A sign-in costs some 35 ms and is then remembered.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


_Kept = TypeVar("_Kept", Organisation, User, Token)


class Accounts:
    """All accounts of a store. Every change goes into the audit log, in the same commit.

    Raises (all methods that write): `BadRequest` for impossible values, `Conflict` for what exists already or is
    still needed, `NotFound` for what is not there.
    """

    def __init__(self, store: Store, audit: Audit | None = None) -> None:
        self._store = store
        self._audit = audit or Audit(store)

    def add_organisation(self, organisation: Organisation) -> None:
        """Add a member."""
        self._check_organisation(organisation)
        self._write("organisation", organisation.name, organisation, expect=0, action="organisation.add")

    def change_organisation(self, organisation: Organisation) -> None:
        """Replace what is kept of a member."""
        version = self._version("organisation", organisation.name)
        self._check_organisation(organisation)
        self._write("organisation", organisation.name, organisation, expect=version, action="organisation.change")

    def remove_organisation(self, name: str) -> None:
        """Remove a member that has no users any more."""
        version = self._version("organisation", name)
        if any(user.organisation == name for user in self.users()):
            raise Conflict(f"organisation {name} still has users: remove them first")
        gone = Batch(documents=[DocumentWrite("organisation", name, None, expect=version)])
        self._audit.record("organisation.remove", name, batch=gone)

    def organisation(self, name: str) -> Organisation | None:
        """Return one member."""
        return self._read("organisation", name, Organisation)

    def organisations(self) -> Iterator[Organisation]:
        """Yield all members by name."""
        return self._all("organisation", Organisation)

    def home(self) -> Organisation | None:
        """Return the city that runs this hub."""
        return next((one for one in self.organisations() if one.kind == "city"), None)

    def add_user(self, name: str, organisation: str, role: Role, password: str | None = None) -> User:
        """Add an account, with a password or (None) for tokens only."""
        user = User(name, organisation, role, None if password is None else _hash(password))
        self._check_user(user)
        self._write("user", name, user, expect=0, action="user.add")
        return user

    def change_user(self, user: User) -> None:
        """Replace role, organisation or state of an account; what was signed in with is checked anew at once."""
        version = self._version("user", user.name)
        self._check_user(user)
        self._write("user", user.name, user, expect=version, action="user.change")

    def set_password(self, name: str, password: str) -> None:
        """Give an account a new password; the old one stops working at once."""
        found = self.user(name)
        if found is None:
            raise NotFound(f"there is no user {name}")
        user, version = found
        changed = replace(user, password_hash=_hash(password))
        self._write("user", name, changed, expect=version, action="user.password")

    def remove_user(self, name: str) -> None:
        """Remove an account and its tokens."""
        version = self._version("user", name)
        gone = [DocumentWrite("token", token.id, None) for token in self.tokens() if token.user == name]
        batch = Batch(documents=[DocumentWrite("user", name, None, expect=version), *gone])
        self._audit.record("user.remove", name, details={"tokens": len(gone)}, batch=batch)

    def user(self, name: str) -> tuple[User, int] | None:
        """Return one account and the version of its document."""
        document = self._store.document("user", name)
        return None if document is None else (msgspec.json.decode(document.value, type=User), document.version)

    def users(self) -> Iterator[User]:
        """Yield all accounts by name."""
        return self._all("user", User)

    def add_token(
        self,
        user: str,
        *,
        note: str = "",
        rights: Sequence[Right] = ("read", "write"),
        expires: int | None = None,
        collections: Iterable[str] | None = None,
        networks: Iterable[str] = (),
    ) -> tuple[Token, str]:
        """Make a token; its text, the second value, is shown now and never again.

        Args:
            user: whose. note: what it is used for. rights, expires, collections, networks: see `Token`.
        """
        self._version("user", user)
        public, text = new_token_text()
        token = Token(
            public,
            user,
            token_digest(text),
            note,
            tuple(dict.fromkeys(rights)),
            expires,
            collections=None if collections is None else tuple(sorted(set(collections))),
            networks=spelled_networks(networks),
            made=times.now(),
        )
        token.check()
        self._write("token", token.id, token, expect=0, action="token.add")
        return token, text

    def token(self, id: str) -> tuple[Token, int] | None:
        """Return one token and the version of its document."""
        document = self._store.document("token", id)
        return None if document is None else (msgspec.json.decode(document.value, type=Token), document.version)

    def tokens(self) -> Iterator[Token]:
        """Yield all tokens by id."""
        return self._all("token", Token)

    def remove_token(self, id: str) -> None:
        """Revoke a token; the next request with it is refused."""
        found = self.token(id)
        if found is None:
            raise NotFound(f"there is no token {id}")
        token, version = found
        gone = Batch(documents=[DocumentWrite("token", id, None, expect=version)])
        self._audit.record("token.revoke", id, details={"user": token.user}, batch=gone)

    def note_use(self, token: Token, version: int, where: str) -> None:
        """Keep the day of a token's last use and the address it came from first: one write a day and token at most."""
        today = times.day_of(times.now())
        if token.last_used != today:
            used = msgspec.json.encode(replace(token, last_used=today, last_from=where))
            self._store.commit(Batch(documents=[DocumentWrite("token", token.id, used, expect=version)]))

    def _check_organisation(self, organisation: Organisation) -> None:
        if not _ORGANISATION_NAME.fullmatch(organisation.name):
            raise BadRequest(f"{organisation.name!r} is no name for an organisation: a-z, 0-9, dot, dash, underscore")
        for group in organisation.groups:
            if not _ORGANISATION_NAME.fullmatch(group):
                raise BadRequest(f"{group!r} is no name for a sharing group: a-z, 0-9, dot, dash, underscore")
        home = self.home()
        if organisation.kind == "city" and home is not None and home.name != organisation.name:
            raise Conflict(f"this hub is run by {home.name}; there is one city only")

    def _check_user(self, user: User) -> None:
        if not _NAME.fullmatch(user.name):
            raise BadRequest(f"{user.name!r} is no user name: a-z, 0-9 and . _ @ + - up to 128 characters")
        organisation = self.organisation(user.organisation)
        if organisation is None:
            raise NotFound(f"there is no organisation {user.organisation}")
        if user.role not in ROLES:
            raise BadRequest(f"there is no role {user.role}; there are {', '.join(ROLES)}")
        if user.role in CITY_ROLES and organisation.kind != "city":
            raise BadRequest(f"role {user.role} is for the city's own people; use partner or liaison")

    def _version(self, kind: str, key: str) -> int:
        document = self._store.document(kind, key)
        if document is None:
            raise NotFound(f"there is no {kind} {key}")
        return document.version

    def _read(self, kind: str, key: str, of: type[_Kept]) -> _Kept | None:
        document = self._store.document(kind, key)
        return None if document is None else msgspec.json.decode(document.value, type=of)

    def _all(self, kind: str, of: type[_Kept]) -> Iterator[_Kept]:
        after = ""
        while page := self._store.documents(kind, after=after):
            for document in page:
                yield msgspec.json.decode(document.value, type=of)
            after = page[-1].key

    def _write(self, kind: str, key: str, value: Organisation | User | Token, *, expect: int, action: str) -> None:
        write = DocumentWrite(kind, key, msgspec.json.encode(value), expect=expect)
        self._audit.record(action, key, details=_told(value), batch=Batch(documents=[write]))


def _told(value: Organisation | User | Token) -> dict[str, object]:
    """Return what the audit log tells of a change: never a hash or a digest."""
    match value:
        case Organisation():
            return {"kind": value.kind, "groups": ",".join(value.groups), "disabled": value.disabled}
        case User():
            return {"organisation": value.organisation, "role": value.role, "disabled": value.disabled}
        case Token():
            expires = times.format_timestamp(value.expires) if value.expires else "never"
            return {
                "user": value.user,
                "rights": ",".join(value.rights),
                "expires": expires,
                "collections": "all" if value.collections is None else ",".join(value.collections),
                "networks": ",".join(value.networks) or "any",
            }


def password_fits(password_hash: str, password: str) -> bool:
    """Compare a password with a kept hash; costs some 35 ms whether it fits or not."""
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _hash(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadRequest(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return _HASHER.hash(password)


DUMMY_HASH = f"$argon2id$v=19$m={19 * 1024},t=2,p=1${'A' * 22}${'A' * 43}"
"""Compared with when there is no such user, so that the answer takes as long; the hash of no known password."""
