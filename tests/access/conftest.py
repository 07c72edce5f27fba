"""A real store with one city, one utility and their people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.access.accounts import Accounts, Group, Organisation
from hub.store.moving import Movable
from tests.stores import store_in

PASSWORD = "a long enough password"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Movable]:
    store = store_in(tmp_path)
    yield store
    store.close()


@pytest.fixture
def accounts(store: Movable) -> Accounts:
    accounts = Accounts(store)
    accounts.add_organisation(Organisation("city", "The city", "city"))
    accounts.add_group(Group("utilities", "Utilities", sector=True))
    accounts.add_organisation(Organisation("water", "Water works", "department", groups=("utilities",)))
    accounts.add_user("ana", "city", "analyst", PASSWORD)
    accounts.add_user("leo", "water", "liaison", PASSWORD)
    return accounts
