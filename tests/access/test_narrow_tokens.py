"""What an API token holds for: collections, rights, time, source networks; never more than its account."""

from __future__ import annotations

from typing import Any

import pytest

from hub.access.accounts import Accounts
from hub.access.audit import Audit, Wanted
from hub.access.hashing import DUMMY_HASH, password_fits
from hub.access.principal import CITY_ROLES, ROLES, Principal, Role, roles_held
from hub.access.signin import SignIn
from hub.access.tokens import Token
from hub.errors import BadRequest, NotAllowed, NotSignedIn
from hub.model.audience import Reader
from hub.store.moving import Movable


@pytest.mark.parametrize(
    ("networks", "where", "allowed"),
    [
        ((), "203.0.113.9", True),
        ((), "", True),
        (("192.0.2.0/24",), "192.0.2.200", True),
        (("192.0.2.0/24",), "192.0.3.1", False),
        (("192.0.2.0/24",), "::ffff:192.0.2.200", True),
        (("192.0.2.7/32", "2001:db8::/32"), "2001:db8:1::5", True),
        (("2001:db8::/32",), "192.0.2.1", False),
        (("2001:db8::/32",), "2001:db9::1", False),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("0.0.0.0/0",), "", False),
        (("0.0.0.0/0", "::/0"), "unknown", False),
    ],
)
def test_where_a_token_can_be_used_from(networks: tuple[str, ...], where: str, allowed: bool) -> None:
    assert Token("id", "leo", "digest", networks=networks).allows(where) is allowed


def test_networks_are_kept_in_one_spelling_and_checked(accounts: Accounts) -> None:
    token, _ = accounts.add_token("leo", networks=["192.0.2.7", " 2001:DB8::/32", "192.0.2.7/32"])
    assert token.networks == ("192.0.2.7/32", "2001:db8::/32")
    for wrong in ("192.0.2.7/24", "here", "", "192.0.2.0/33"):
        with pytest.raises(BadRequest):
            accounts.add_token("leo", networks=[wrong])


def test_impossible_tokens_are_refused(accounts: Accounts) -> None:
    impossible: list[dict[str, Any]] = [
        {"rights": ()},
        {"rights": ("admin",)},
        {"collections": ()},
        {"note": "x" * 300},
    ]
    for wrong in impossible:
        with pytest.raises(BadRequest):
            accounts.add_token("leo", **wrong)


def test_a_token_from_elsewhere_is_refused_like_a_wrong_one_and_the_audit_log_says_why(
    accounts: Accounts, store: Movable
) -> None:
    signin = SignIn(accounts, Audit(store))
    token, text = accounts.add_token("leo", networks=["192.0.2.0/24"])
    assert signin.principal(f"Bearer {text}", "192.0.2.1").token == token.id
    with pytest.raises(NotSignedIn) as outside:
        signin.principal(f"Bearer {text}", "198.51.100.1")
    with pytest.raises(NotSignedIn) as wrong:
        signin.principal(f"Bearer {text[:-1]}!", "198.51.100.1")
    assert outside.value == wrong.value
    (entry,) = Audit(store).newest(Wanted(action="signin.network"))
    assert (entry.where, entry.target, entry.details) == ("198.51.100.1", token.id, {"user": "leo"})
    kept = accounts.token(token.id)
    assert kept is not None
    assert kept[0].last_from == "192.0.2.1"


def test_what_a_token_is_for_becomes_part_of_who_asks(accounts: Accounts) -> None:
    _, text = accounts.add_token("leo", rights=["read"], collections=["sightings", "inbox"])
    leo = SignIn(accounts).principal(f"Bearer {text}")
    assert leo.collections == frozenset({"inbox", "sightings"})
    assert leo.rights == frozenset({"read"})
    assert leo.is_for("inbox")
    assert not leo.is_for("drop-box")


def account(role: Role, **narrower: Any) -> Principal:
    return Principal("who", "city", role, Reader("city", home=True), **narrower)


def test_only_the_second_pair_of_eyes_reviews() -> None:
    assert set(ROLES) >= CITY_ROLES == {"analyst", "senior-analyst", "administrator"}
    able: tuple[Role, ...] = ("senior-analyst", "administrator")
    for role in set(ROLES).difference(able):
        with pytest.raises(NotAllowed, match="senior-analyst or administrator"):
            account(role).must_be_able("review")
    for role in able:
        account(role).must_be_able("review")
        for narrower in ({"collections": frozenset({"inbox"})}, {"rights": frozenset({"read"})}):
            with pytest.raises(NotAllowed):
                account(role, **narrower).must_be_able("review")
    assert roles_held("senior-analyst") == {"analyst", "senior-analyst"}


def test_the_hash_that_nobody_has_costs_what_a_real_one_costs(accounts: Accounts) -> None:
    found = accounts.user("ana")
    assert found is not None
    real = str(found[0].password_hash)
    assert DUMMY_HASH.split("$")[:4] == real.split("$")[:4]
    assert len(DUMMY_HASH) == len(real)
    assert not password_fits(DUMMY_HASH, "a long enough password")
