"""Organisations, sharing groups, users and API tokens, kept as control documents of the store.

There is no account that nobody made and no secret with a default. Passwords are kept as argon2id hashes, tokens as
SHA-256 digests of 32 random bytes; neither can be read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import msgspec

from hub.access.audit import Audit
from hub.access.certificates import KIND as CERTIFICATE_KIND
from hub.access.certificates import Certificates
from hub.access.departures import departure
from hub.access.hashing import hash_password
from hub.access.kept import Kept
from hub.access.members import Group, Organisation, User
from hub.access.names import leaving, taking
from hub.access.principal import Right, Role
from hub.access.tokens import TOKEN_MARK, Token, new_token_text, spelled_networks, token_digest
from hub.errors import BadRequest, Conflict
from hub.model import times
from hub.store.ports import Batch, DocumentWrite, Store

__all__ = ["TOKEN_MARK", "Accounts", "Group", "Organisation", "Token", "User", "token_digest"]


class Accounts:
    """All accounts of a store. Every change goes into the audit log, in the same commit.

    Raises (all methods that write): `BadRequest` for impossible values, `Conflict` for what exists already or is
    still needed, `NotFound` for what is not there.
    """

    def __init__(self, store: Store, audit: Audit | None = None) -> None:
        audit = audit or Audit(store)
        self._store = store
        self._organisations = Kept(store, audit, "organisation", Organisation)
        self._groups = Kept(store, audit, "group", Group)
        self._users = Kept(store, audit, "user", User)
        self._tokens = Kept(store, audit, "token", Token)

    def add_organisation(self, organisation: Organisation, *, again: bool = False) -> None:
        """Add a member; ``again`` says that it is the one that had this name before and left."""
        self._check_organisation(organisation, frozenset())
        self._organisations.must_be_new(organisation.name)
        if self.group(organisation.name) is not None:
            raise Conflict(f"{organisation.name} is the name of a sharing group: take another")
        name = taking(self._store, organisation.name, "organisation", again=again)
        self._organisations.add(organisation.name, organisation, [name])

    def change_organisation(self, name: str, change: Callable[[Organisation], Organisation]) -> Organisation:
        """Replace what is kept of a member by what ``change`` makes of it."""

        def checked(old: Organisation) -> Organisation:
            new = change(old)
            if (old.kind == "city") != (new.kind == "city"):
                raise Conflict("the city that runs a hub stays it, and no other becomes it")
            self._check_organisation(new, frozenset(old.groups))
            return new

        return self._organisations.change(name, checked, also=departure)

    def remove_organisation(self, name: str) -> None:
        """Remove a member that has no users any more; its name stays reserved for it."""
        if any(user.organisation == name for user in self.users()):
            raise Conflict(f"organisation {name} still has users: remove them first, or disable it")
        self._organisations.remove(name, details={}, also=[leaving(name, "organisation")])

    def organisation(self, name: str) -> Organisation | None:
        """Return one member."""
        found = self._organisations.find(name)
        return None if found is None else found[0]

    def organisations(self) -> Iterator[Organisation]:
        """Yield all members by name."""
        return self._organisations.all()

    def home(self) -> Organisation | None:
        """Return the city that runs this hub."""
        return next((one for one in self.organisations() if one.kind == "city"), None)

    def add_group(self, group: Group, *, again: bool = False) -> None:
        """Add a sharing group; ``again`` says that it is the one that had this name before."""
        group.check()
        self._groups.must_be_new(group.name)
        if self.organisation(group.name) is not None:
            raise Conflict(f"{group.name} is the name of an organisation: take another")
        self._groups.add(group.name, group, [taking(self._store, group.name, "group", again=again)])

    def change_group(self, name: str, change: Callable[[Group], Group]) -> Group:
        """Replace what is kept of a sharing group by what ``change`` makes of it."""

        def checked(old: Group) -> Group:
            new = change(old)
            new.check()
            return new

        return self._groups.change(name, checked)

    def remove_group(self, name: str) -> None:
        """Remove a sharing group without members; its name stays reserved: objects may be addressed to it."""
        members = [one.name for one in self.members(name)]
        if members:
            raise Conflict(f"{', '.join(members)} are in {name}: take them out first")
        self._groups.remove(name, details={}, also=[leaving(name, "group")])

    def group(self, name: str) -> Group | None:
        """Return one sharing group."""
        found = self._groups.find(name)
        return None if found is None else found[0]

    def groups(self) -> Iterator[Group]:
        """Yield all sharing groups by name."""
        return self._groups.all()

    def members(self, group: str) -> Iterator[Organisation]:
        """Yield the organisations in a sharing group by name."""
        return (one for one in self.organisations() if group in one.groups)

    def must_be_addressable(self, names: Iterable[str]) -> None:
        """Check names that something is to be addressed to: a mistyped one would reach nobody, silently.

        Raises:
            BadRequest: one is neither an organisation nor a sharing group.
        """
        for name in names:
            if self.organisation(name) is None and self.group(name) is None:
                raise BadRequest(f"there is no organisation or sharing group {name} to address anything to")

    def add_user(self, name: str, organisation: str, role: Role, password: str | None = None) -> User:
        """Add an account, with a password or (None) for tokens only."""
        user = User(name, organisation, role)
        user.check(self._organisations.get(organisation)[0])
        self._users.must_be_new(name)
        if password is not None:
            user = replace(user, password_hash=hash_password(password))
        # A key that was made while an earlier account of that name was being removed must not open this one.
        self._users.add(name, user, self._keys_of(name))
        return user

    def change_user(self, name: str, change: Callable[[User], User]) -> User:
        """Replace role, organisation or state of an account; what was signed in with is checked anew at once."""

        def checked(old: User) -> User:
            new = change(old)
            new.check(self._organisations.get(new.organisation)[0])
            return new

        return self._users.change(name, checked)

    def set_password(self, name: str, password: str | None) -> None:
        """Give an account a new password, or (None) none; the old one stops working at once."""
        hashed = None if password is None else hash_password(password)
        self._users.change(name, lambda user: replace(user, password_hash=hashed), "password")

    def remove_user(self, name: str) -> None:
        """Remove an account, its tokens and its certificates."""
        gone = self._keys_of(name)
        tokens = sum(one.kind == "token" for one in gone)
        self._users.remove(name, details={"tokens": tokens, "certificates": len(gone) - tokens}, also=gone)

    def user(self, name: str) -> tuple[User, int] | None:
        """Return one account and the version of its document."""
        return self._users.find(name)

    def at_once(
        self, token: str, user: str, organisation: str
    ) -> tuple[tuple[Token, int] | None, tuple[User, int] | None, Organisation | None]:
        """Return a token and a user with their versions, and an organisation, in one read; None for what is not."""
        places = (("token", token), ("user", user), ("organisation", organisation))
        found = self._store.documents_at(places if token else places[1:])
        member = self._organisations.read(found[-1])
        key = self._tokens.read(found[0]) if token else None
        return key, self._users.read(found[-2]), None if member is None else member[0]

    def users(self) -> Iterator[User]:
        """Yield all accounts by name."""
        return self._users.all()

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
        self._users.get(user)
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
        self._tokens.add(token.id, token)
        return token, text

    def token(self, id: str) -> tuple[Token, int] | None:
        """Return one token and the version of its document."""
        return self._tokens.find(id)

    def tokens(self) -> Iterator[Token]:
        """Yield all tokens by id."""
        return self._tokens.all()

    def remove_token(self, id: str) -> None:
        """Revoke a token; the next request with it is refused."""
        token, _ = self._tokens.get(id)
        self._tokens.remove(id, details={"user": token.user}, action="revoke")

    def note_use(self, token: Token, version: int, where: str) -> None:
        """Keep the day of a token's last use and the address it came from first: one write a day and token at most."""
        today = times.day_of(times.now())
        if token.last_used != today:
            used = msgspec.json.encode(replace(token, last_used=today, last_from=where))
            self._store.commit(Batch(documents=[DocumentWrite("token", token.id, used, expect=version)]))

    def _keys_of(self, user: str) -> list[DocumentWrite]:
        """Return the writes that remove the tokens and certificates of an account."""
        tokens = [DocumentWrite("token", one.id, None) for one in self.tokens() if one.user == user]
        certificates = (one.fingerprint for one in Certificates(self._store).all() if one.user == user)
        return [*tokens, *(DocumentWrite(CERTIFICATE_KIND, fingerprint, None) for fingerprint in certificates)]

    def _check_organisation(self, organisation: Organisation, already_in: frozenset[str]) -> None:
        organisation.check()
        unknown = [one for one in organisation.groups if one not in already_in and self.group(one) is None]
        if unknown:
            raise BadRequest(f"there is no sharing group {unknown[0]}: threathub group add {unknown[0]} --title TITLE")
        home = self.home()
        if organisation.kind == "city" and home is not None and home.name != organisation.name:
            raise Conflict(f"this hub is run by {home.name}; there is one city only")
