"""Source networks of tokens over real HTTP at a whole hub of two server processes, with and without a proxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.access.accounts import Accounts
from tests.access.served import Served, served
from tests.stores import store_in

PROXY = "127.0.0.9"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("tokens"), {"proxies": f'["{PROXY}"]'}) as running:
        yield running


@pytest.fixture
def accounts(hub: Served) -> Iterator[Accounts]:
    store = store_in(hub.data)
    yield Accounts(store)
    store.close()


def test_a_token_works_from_its_networks_only(hub: Served, accounts: Accounts) -> None:
    token, text = accounts.add_token("pam", networks=["127.0.0.2", "192.0.2.0/24"])
    header = f"Bearer {text}"
    assert hub.call(source="127.0.0.2", Authorization=header)[0] == 200
    refused = hub.call(source="127.0.0.3", Authorization=header)
    wrong = hub.call(source="127.0.0.3", Authorization="Bearer cth_wrong")
    assert refused[0] == wrong[0] == 401
    assert refused[2] == wrong[2]
    (entry,) = [one for one in hub.audit() if one.action == "signin.network"]
    assert (entry.where, entry.target, entry.result) == ("127.0.0.3", token.id, "not-signed-in")
    assert entry.details == {"user": "pam"}
    kept = accounts.token(token.id)
    assert kept is not None
    assert kept[0].last_from == "127.0.0.2"


def test_behind_a_proxy_the_clients_own_address_counts(hub: Served, accounts: Accounts) -> None:
    _, text = accounts.add_token("pam", networks=["192.0.2.0/24", "2001:db8::/32"])
    header = f"Bearer {text}"
    for source, said, status in (
        (PROXY, "192.0.2.9", 200),
        (PROXY, "2001:db8:1::9", 200),
        (PROXY, "198.51.100.1", 401),
        (PROXY, "192.0.2.9, 198.51.100.1", 401),
        ("127.0.0.3", "192.0.2.9", 401),
    ):
        got = hub.call(source=source, Authorization=header, X_Forwarded_For=said)
        assert got[0] == status, (source, said)
