"""Signing in: every scheme, wrong credentials, revocation and what is remembered (FIELD T4)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.access import hashing
from hub.access import passwords as passwords_module
from hub.access.accounts import Accounts, Organisation
from hub.access.signin import SignIn
from hub.errors import NotSignedIn
from hub.model import times
from hub.store.moving import Movable
from tests.access.conftest import PASSWORD


def basic(name: str, password: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode(encoding)).decode()


@pytest.fixture
def signin(accounts: Accounts) -> SignIn:
    return SignIn(accounts)


def test_basic_with_a_password(signin: SignIn) -> None:
    ana = signin.principal(basic("ana", PASSWORD))
    assert (ana.user, ana.organisation, ana.role, ana.token) == ("ana", "city", "analyst", None)
    assert ana.reader.home
    assert ana.reader.analyst
    leo = signin.principal(basic("leo", PASSWORD))
    assert not leo.reader.home
    assert not leo.reader.analyst
    assert leo.reader.groups == {"utilities"}


@pytest.mark.parametrize("header", ["Bearer {}", "bearer  {}", "Token {}", "TOKEN {}"])
def test_a_token_in_every_scheme(signin: SignIn, accounts: Accounts, header: str) -> None:
    token, text = accounts.add_token("leo", rights=("read",))
    principal = signin.principal(header.format(text))
    assert (principal.user, principal.token, principal.rights) == ("leo", token.id, frozenset(("read",)))


@pytest.mark.parametrize("name", ["leo", "", "token"])
def test_a_token_as_basic_password(signin: SignIn, accounts: Accounts, name: str) -> None:
    _, text = accounts.add_token("leo")
    assert signin.principal(basic(name, text)).user == "leo"


def test_another_users_name_with_a_token_is_refused(signin: SignIn, accounts: Accounts) -> None:
    _, text = accounts.add_token("leo")
    with pytest.raises(NotSignedIn):
        signin.principal(basic("ana", text))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Bearer",
        "Bearer x",
        "Bearer cth_aaaaaaaaaaaaaaaa_" + "A" * 43,
        "Negotiate abc",
        "\x00",
        basic("ana", "wrong password"),
        basic("nobody", PASSWORD),
        basic("ana", "x" * 5000),
        basic("ana", ""),
    ],
)
def test_b06_wrong_credentials(signin: SignIn, header: str | None) -> None:
    with pytest.raises(NotSignedIn):
        signin.principal(header)


@given(header=st.text(max_size=80))
def test_any_header_is_refused_cleanly(header: str) -> None:
    with pytest.raises(NotSignedIn):
        NOBODY.principal(header)


class _NoAccounts:
    """Accounts of a hub that has none."""

    def at_once(self, _token: str, _user: str, _organisation: str) -> tuple[None, None, None]:
        return None, None, None


NOBODY = SignIn(_NoAccounts())  # type: ignore[arg-type]


def test_latin_1_passwords_work_too(accounts: Accounts) -> None:
    accounts.add_user("zoe", "city", "analyst", "zwölf Zeichen mit ö")
    signin = SignIn(accounts)
    for encoding in ("utf-8", "latin-1"):
        assert signin.principal(basic("zoe", "zwölf Zeichen mit ö", encoding)).user == "zoe"


def test_revocation_works_at_once(signin: SignIn, accounts: Accounts) -> None:
    token, text = accounts.add_token("leo")
    signin.principal(f"Bearer {text}")
    signin.principal(basic("leo", PASSWORD))
    accounts.change_user("leo", lambda user: replace(user, disabled=True))
    for header in (f"Bearer {text}", basic("leo", PASSWORD)):
        with pytest.raises(NotSignedIn):
            signin.principal(header)
    with pytest.raises(NotSignedIn, match="leo may do nothing"):
        signin.principal_of("leo")
    accounts.change_user("leo", lambda user: replace(user, disabled=False))
    assert signin.principal(f"Bearer {text}").user == "leo"
    accounts.remove_token(token.id)
    with pytest.raises(NotSignedIn):
        signin.principal(f"Bearer {text}")


def test_a_new_password_ends_the_old_one_at_once(signin: SignIn, accounts: Accounts) -> None:
    signin.principal(basic("leo", PASSWORD))
    accounts.set_password("leo", "another long password")
    with pytest.raises(NotSignedIn):
        signin.principal(basic("leo", PASSWORD))
    assert signin.principal(basic("leo", "another long password")).user == "leo"


def test_an_expired_token_says_so(signin: SignIn, accounts: Accounts) -> None:
    _, text = accounts.add_token("leo", expires=times.now() - 1)
    with pytest.raises(NotSignedIn, match="expired"):
        signin.principal(f"Bearer {text}")


def test_the_last_use_is_kept_by_day_and_written_once(signin: SignIn, accounts: Accounts) -> None:
    token, text = accounts.add_token("leo")
    signin.principal(f"Bearer {text}")
    first = accounts.token(token.id)
    signin.principal(f"Bearer {text}")
    assert first is not None
    assert first[0].last_used == times.day_of(times.now())
    assert accounts.token(token.id) == first


def test_argon2_runs_once_for_many_polls_and_for_unknown_users_too(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def counted(password_hash: str, password: str) -> bool:
        compared.append(password_hash)
        return hashing.password_fits(password_hash, password)

    monkeypatch.setattr(passwords_module, "password_fits", counted)
    signin = SignIn(accounts)
    for _ in range(5):
        signin.principal(basic("ana", PASSWORD))
    assert len(compared) == 1
    for _ in range(3):
        with pytest.raises(NotSignedIn):
            signin.principal(basic("nobody", PASSWORD))
    assert compared[1:] == [hashing.DUMMY_HASH]


def test_an_account_that_moved_or_a_name_that_is_anothers_now_is_seen_at_once(
    signin: SignIn, accounts: Accounts
) -> None:
    _, text = accounts.add_token("leo")
    for header in (f"Bearer {text}", basic("leo", PASSWORD)):
        assert signin.principal(header).organisation == "water"
    accounts.add_organisation(Organisation("gas", "Gas works", "partner"))
    accounts.change_user("leo", lambda user: replace(user, organisation="gas"))
    for header in (f"Bearer {text}", basic("leo", PASSWORD)):
        assert signin.principal(header).organisation == "gas"
    accounts.change_organisation("gas", lambda gas: replace(gas, disabled=True))
    for header in (f"Bearer {text}", basic("leo", PASSWORD)):
        with pytest.raises(NotSignedIn):
            signin.principal(header)


def test_a_sign_in_is_one_read_of_the_store(
    signin: SignIn, accounts: Accounts, store: Movable, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = accounts.add_token("leo")
    reads: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(type(store), name)

        def read(*given: Any, **named: Any) -> Any:
            reads.append(name)
            return real(*given, **named)

        return read

    for header in (f"Bearer {text}", basic("leo", PASSWORD)):
        signin.principal(header)
        for name in ("document", "documents", "documents_at"):
            monkeypatch.setattr(type(store), name, counted(name))
        signin.principal(header)
        monkeypatch.undo()
    assert reads == ["documents_at", "documents_at"]
