"""What a sign-in must know of an account as it stands now, in one read of the store.

Nothing of it is remembered between requests, so that a revocation works at once; only *where* it was found the last
time is: whose a token was, and in which organisation an account. If that has changed, it is read again.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.accounts import Accounts
from hub.access.members import Organisation, User
from hub.access.tokens import Token

_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A token, its account and its organisation; None for what is not there or was not asked for.

    ``version`` is that of the account's document, ``token_version`` that of the token's; 0 for none.
    """

    user: User | None
    organisation: Organisation | None
    version: int = 0
    token: Token | None = None
    token_version: int = 0


class Standings:
    """Reads standings; one for each process, used from all its threads."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._organisation_of: dict[str, str] = {}
        self._user_of: dict[str, str] = {}

    def of_user(self, name: str) -> Standing:
        """Return how an account stands; it costs the same when there is none."""
        _, found, organisation = self._accounts.at_once("", name, self._organisation_of.get(name, ""))
        if found is None:
            return Standing(None, None)
        user, version = found
        return Standing(user, self._organisation(user, organisation), version)

    def of_token(self, id: str) -> Standing:
        """Return how a token and its account stand."""
        expected = self._user_of.get(id, "")
        token_found, found, organisation = self._accounts.at_once(id, expected, self._organisation_of.get(expected, ""))
        if token_found is None:
            return Standing(None, None)
        token, token_version = token_found
        if token.user != expected:
            _remember(self._user_of, id, token.user)
            found = self._accounts.user(token.user)
        if found is None:
            return Standing(None, None, 0, token, token_version)
        user, version = found
        return Standing(user, self._organisation(user, organisation), version, token, token_version)

    def _organisation(self, user: User, found: Organisation | None) -> Organisation | None:
        if found is not None and found.name == user.organisation:
            return found
        _remember(self._organisation_of, user.name, user.organisation)
        return self._accounts.organisation(user.organisation)


def _remember(where: dict[str, str], key: str, value: str) -> None:
    if len(where) >= _MOST:
        where.clear()
    where[key] = value
