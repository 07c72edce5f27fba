"""A real store with one city, one utility and their people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.access.accounts import Accounts, Group, Organisation
from hub.store.sqlite.engine import SqliteStore

PASSWORD = "a long enough password"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "hub.db")
    yield store
    store.close()


@pytest.fixture
def accounts(store: SqliteStore) -> Accounts:
    accounts = Accounts(store)
    accounts.add_organisation(Organisation("city", "The city", "city"))
    accounts.add_group(Group("utilities", "Utilities", sector=True))
    accounts.add_organisation(Organisation("water", "Water works", "department", groups=("utilities",)))
    accounts.add_user("ana", "city", "analyst", PASSWORD)
    accounts.add_user("leo", "water", "liaison", PASSWORD)
    return accounts
