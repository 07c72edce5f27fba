"""Sharing groups, names that stay reserved, and changes that happen at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from hub.access.accounts import Accounts, Group, Organisation
from hub.access.members import KINDS
from hub.access.signin import SignIn
from hub.errors import BadRequest, Conflict, NotFound
from hub.store.moving import Movable
from hub.store.ports import Batch, DocumentWrite


def test_a_group_has_a_name_members_and_perhaps_a_sector(accounts: Accounts) -> None:
    accounts.add_group(Group("ransomware", "Ransomware watch"))
    assert [(one.name, one.sector) for one in accounts.groups()] == [("ransomware", False), ("utilities", True)]
    assert [one.name for one in accounts.members("utilities")] == ["water"]
    accounts.change_organisation("water", lambda old: replace(old, groups=("ransomware", "utilities")))
    assert SignIn(accounts).principal_of("leo").reader.groups == {"ransomware", "utilities"}
    assert accounts.change_group("ransomware", lambda old: replace(old, title="Watch")).title == "Watch"
    with pytest.raises(Conflict, match="already"):
        accounts.add_group(Group("ransomware", "Again"))
    for wrong in (Group("Bad Name", "x"), Group("no-title", ""), Group("lines", "a\nb")):
        with pytest.raises(BadRequest):
            accounts.add_group(wrong)


def test_nobody_is_in_a_group_that_is_not_there(accounts: Accounts) -> None:
    with pytest.raises(BadRequest, match="group add health"):
        accounts.add_organisation(Organisation("clinic", "Clinic", groups=("health",)))
    with pytest.raises(BadRequest, match="group add health"):
        accounts.change_organisation("water", lambda old: replace(old, groups=("health",)))


def test_a_store_from_before_groups_were_kept_goes_on(accounts: Accounts, store: Movable) -> None:
    """Organisations there name groups that have no document, and no name is reserved."""
    accounts.add_organisation(Organisation("gas", "Gas works"))
    old = b'{"name":"power","title":"Power","kind":"partner","groups":["grid"],"identity":null}'
    _write(store, "organisation", "power", old)
    assert accounts.change_organisation("power", lambda one: replace(one, title="Power works")).groups == ("grid",)
    with pytest.raises(Conflict, match="organisation"):
        accounts.add_group(Group("power", "Power"))
    accounts.add_group(Group("grid", "Grid"))
    assert [one.name for one in accounts.members("grid")] == ["power"]
    accounts.remove_organisation("power")
    with pytest.raises(Conflict, match="--again"):
        accounts.add_organisation(Organisation("power", "Somebody else"))


def _write(store: Movable, kind: str, key: str, value: bytes) -> None:

    store.commit(Batch(documents=[DocumentWrite(kind, key, value)]))


def test_a_group_with_members_stays(accounts: Accounts) -> None:
    with pytest.raises(Conflict, match="water are in utilities"):
        accounts.remove_group("utilities")
    accounts.change_organisation("water", lambda old: replace(old, groups=()))
    accounts.remove_group("utilities")
    assert accounts.group("utilities") is None
    with pytest.raises(NotFound):
        accounts.remove_group("utilities")


def test_one_name_never_means_two_things(accounts: Accounts) -> None:
    """What is addressed to the utilities must not reach an organisation that calls itself so, now or later."""
    with pytest.raises(Conflict, match="sharing group"):
        accounts.add_organisation(Organisation("utilities", "Clever Ltd"))
    with pytest.raises(Conflict, match="organisation"):
        accounts.add_group(Group("water", "Water"))
    accounts.change_organisation("water", lambda old: replace(old, groups=()))
    accounts.remove_group("utilities")
    with pytest.raises(Conflict, match="sharing group"):
        accounts.add_organisation(Organisation("utilities", "Clever Ltd"), again=True)
    with pytest.raises(Conflict, match="--again"):
        accounts.add_group(Group("utilities", "Others"))
    accounts.add_group(Group("utilities", "Utilities"), again=True)


def test_a_name_comes_back_only_when_somebody_says_that_it_is_the_same_one(accounts: Accounts) -> None:
    accounts.remove_user("leo")
    accounts.remove_organisation("water")
    with pytest.raises(Conflict, match="--again"):
        accounts.add_organisation(Organisation("water", "Other Water Ltd"))
    accounts.add_organisation(Organisation("water", "Water works", "department"), again=True)
    assert accounts.organisation("water") is not None


def test_the_city_stays_the_city(accounts: Accounts) -> None:
    assert set(KINDS) == {"city", "department", "partner", "federal", "hub"}
    for name, kind in (("city", "partner"), ("water", "city")):
        with pytest.raises(Conflict):
            accounts.change_organisation(name, lambda old, kind=kind: replace(old, kind=kind))  # type: ignore[misc]
    with pytest.raises(BadRequest, match="kind"):
        accounts.add_organisation(Organisation("x", "X", "friend"))  # type: ignore[arg-type]


def test_changes_at_once_are_all_kept(accounts: Accounts, store: Movable) -> None:
    for number in range(3):
        accounts.add_group(Group(f"group-{number}", f"Group {number}"))

    def change(number: int) -> None:
        mine = Accounts(store)
        if number == 3:
            mine.change_organisation("water", lambda old: replace(old, disabled=True))
        else:
            mine.change_organisation("water", lambda old: replace(old, groups=(*old.groups, f"group-{number}")))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(4)))
    water = accounts.organisation("water")
    assert water is not None
    assert water.disabled
    assert {"group-0", "group-1", "group-2", "utilities"} == set(water.groups)


def test_of_two_that_take_a_name_at_once_one_gets_it(accounts: Accounts, store: Movable) -> None:
    def take(number: int) -> bool:
        mine = Accounts(store)
        try:
            if number % 2:
                mine.add_group(Group("grid", "Grid"))
            else:
                mine.add_organisation(Organisation("grid", "Grid Ltd"))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(take, range(6))) == 1
    assert (accounts.group("grid") is None) != (accounts.organisation("grid") is None)


def test_a_token_that_is_used_for_the_first_time_today_can_be_revoked(accounts: Accounts) -> None:
    """Noting its use must neither hold up its revocation nor bring it back."""
    token, _ = accounts.add_token("leo")
    found = accounts.token(token.id)
    assert found is not None
    accounts.remove_token(token.id)
    with pytest.raises(Conflict):
        accounts.note_use(*found, "192.0.2.1")
    assert accounts.token(token.id) is None
