"""Organisations, users and tokens: what can be made, changed and removed, and what is kept of secrets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.access.accounts import Accounts, Organisation
from hub.access.signin import SignIn
from hub.errors import BadRequest, Conflict, NotFound, NotSignedIn
from hub.store.moving import Movable
from hub.store.ports import Batch, DocumentWrite
from tests.access.conftest import PASSWORD


def test_everything_is_listed_by_name(accounts: Accounts) -> None:
    assert [one.name for one in accounts.organisations()] == ["city", "water"]
    assert [one.name for one in accounts.users()] == ["ana", "leo"]
    home = accounts.home()
    assert home is not None and home.name == "city"


def test_nothing_is_made_twice(accounts: Accounts) -> None:
    with pytest.raises(Conflict):
        accounts.add_user("ana", "city", "analyst", PASSWORD)
    with pytest.raises(Conflict):
        accounts.add_organisation(Organisation("water", "Other water"))
    with pytest.raises(Conflict, match="one city"):
        accounts.add_organisation(Organisation("town", "Town", "city"))


@pytest.mark.parametrize("name", ["", "Ana", "a:b", "a|b", "a,b", "ä", "x" * 200, "../x"])
def test_names_that_would_break_something_are_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(BadRequest):
        accounts.add_user(name, "city", "analyst", PASSWORD)
    with pytest.raises(BadRequest):
        accounts.add_organisation(Organisation(name, "title"))


def test_the_citys_roles_are_for_the_city(accounts: Accounts) -> None:
    for role in ("analyst", "administrator"):
        with pytest.raises(BadRequest, match="city's own"):
            accounts.add_user("eve", "water", role, PASSWORD)
    with pytest.raises(NotFound):
        accounts.add_user("eve", "gas", "partner", PASSWORD)
    with pytest.raises(BadRequest, match="12 to"):
        accounts.add_user("eve", "city", "analyst", "short")


def test_an_organisation_with_people_stays(accounts: Accounts) -> None:
    with pytest.raises(Conflict, match="users"):
        accounts.remove_organisation("water")
    accounts.remove_user("leo")
    accounts.remove_organisation("water")
    assert accounts.organisation("water") is None


def test_removing_a_user_removes_the_tokens(accounts: Accounts) -> None:
    token, _ = accounts.add_token("leo")
    kept, _ = accounts.add_token("ana")
    accounts.remove_user("leo")
    assert accounts.token(token.id) is None
    assert [one.id for one in accounts.tokens()] == [kept.id]


def test_a_key_that_outlived_an_account_does_not_open_its_namesake(accounts: Accounts, store: Movable) -> None:
    """As when a token is made while the account is being removed by another process."""
    token, text = accounts.add_token("leo")
    document = store.document("token", token.id)
    assert document is not None
    accounts.remove_user("leo")
    store.commit(Batch(documents=[DocumentWrite("token", token.id, document.value)]))
    accounts.add_user("leo", "city", "administrator")
    with pytest.raises(NotSignedIn):
        SignIn(accounts).principal(f"Bearer {text}")


def test_secrets_cannot_be_read_back(accounts: Accounts, store: Movable) -> None:
    _, text = accounts.add_token("leo", note="SIEM")
    everything = b"".join(
        one.value for kind in ("user", "token", "organisation") for one in store.documents(kind)
    ).decode()
    assert PASSWORD not in everything
    assert text not in everything
    assert text.split("_", 2)[2] not in everything


def test_changes_are_kept_and_checked(accounts: Accounts) -> None:
    accounts.change_user("leo", lambda user: replace(user, role="partner"))
    changed = accounts.user("leo")
    assert changed is not None and changed[0].role == "partner"
    with pytest.raises(BadRequest):
        accounts.change_user("leo", lambda user: replace(user, role="administrator"))
    with pytest.raises(NotFound):
        accounts.change_user("nobody", lambda user: user)
    with pytest.raises(BadRequest):
        accounts.add_token("leo", rights=())
