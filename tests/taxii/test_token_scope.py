"""API tokens over real HTTP, against a server of two processes: what they are for, and that revoking works at once."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from hub.access.accounts import Accounts
from hub.model import times
from tests.stores import store_in
from tests.taxii.served import Hub, Reply, indicator, prepare, start_server, stop_server

MINE, OTHER = "clean-1", "clean-2"
ROUNDS = 12
"""Requests, each on a connection of its own, after which both server processes have answered some."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    data = tmp_path_factory.mktemp("scope")
    tokens = prepare(data)
    process, port = start_server(data, "--workers", "2")
    yield Hub(port, tokens, data)
    stop_server(process)


@pytest.fixture
def accounts(hub: Hub) -> Iterator[Accounts]:
    """Open the accounts from outside of the server, as the command line does."""
    store = store_in(hub.data)
    yield Accounts(store)
    store.close()


def ask(hub: Hub, text: str, method: str, path: str, **more: Any) -> Reply:
    return hub.call(method, path, None, headers={"Authorization": f"Bearer {text}"}, **more)


def at(collection: str, part: str = "objects/") -> str:
    return f"/hub/collections/{collection}/{part}"


def test_a_token_for_one_collection_knows_no_other(hub: Hub, accounts: Accounts) -> None:
    one = indicator()
    assert hub.call("POST", at(OTHER), "leo", body={"objects": [one]}).status == 202
    _, text = accounts.add_token("leo", collections=[MINE])
    listed = ask(hub, text, "GET", "/hub/collections/").json()["collections"]
    assert [row["alias"] for row in listed] == [MINE]
    assert ask(hub, text, "GET", at(MINE)).status == 200
    absent: dict[str, set[bytes]] = {}
    for name in (OTHER, "city-sector-water", "clean-9999"):
        for part in ("", "objects/", "manifest/", f"objects/{one['id']}/", f"objects/{one['id']}/versions/"):
            reply = ask(hub, text, "GET", at(name, part))
            assert reply.status == 404, (name, part)
            absent.setdefault(part, set()).add(reply.body.replace(name.encode(), b"NAME"))
        assert ask(hub, text, "POST", at(name), body={"objects": [indicator()]}).status == 404
        assert ask(hub, text, "DELETE", at(name, f"objects/{one['id']}/")).status == 404
    assert all(len(bodies) == 1 for bodies in absent.values()), "not visible and not there look alike"
    assert ask(hub, text, "POST", at(MINE), body={"objects": [one]}).status == 202


def test_a_token_to_read_does_not_write_and_the_other_way_round(hub: Hub, accounts: Accounts) -> None:
    _, reads = accounts.add_token("leo", collections=[MINE], rights=["read"])
    _, writes = accounts.add_token("leo", collections=[MINE], rights=["write"])
    for text, allowed in ((reads, (True, False)), (writes, (False, True))):
        (row,) = ask(hub, text, "GET", "/hub/collections/").json()["collections"]
        assert (row["can_read"], row["can_write"]) == allowed
    assert ask(hub, reads, "GET", at(MINE)).status == 200
    assert ask(hub, reads, "POST", at(MINE), body={"objects": [indicator()]}).status == 403
    assert ask(hub, writes, "GET", at(MINE)).status == 403
    assert ask(hub, writes, "POST", at(MINE), body={"objects": [indicator()]}).status == 202


def test_a_token_never_widens_its_account(hub: Hub, accounts: Accounts) -> None:
    """The partner reads nothing here, whatever a token says."""
    _, text = accounts.add_token("pam", collections=[MINE, "evidence", "drop-box", "city-sector-water"])
    listed = ask(hub, text, "GET", "/hub/collections/").json()["collections"]
    assert [(row["alias"], row["can_read"], row["can_write"]) for row in listed] == [
        ("city-sector-water", False, False)
    ]
    assert ask(hub, text, "GET", at(MINE)).status == 404
    assert ask(hub, text, "POST", at(MINE), body={"objects": [indicator()]}).status == 404


def test_a_token_for_other_collections_does_not_read_the_status_of_a_post(hub: Hub, accounts: Accounts) -> None:
    status = hub.call("POST", at(OTHER), "leo", body={"objects": [indicator()]}).json()["id"]
    assert hub.get(f"/hub/status/{status}/").status == 200
    _, narrow = accounts.add_token("leo", collections=[MINE])
    _, same = accounts.add_token("leo", collections=[OTHER])
    assert ask(hub, same, "GET", f"/hub/status/{status}/").status == 200
    found = ask(hub, narrow, "GET", f"/hub/status/{status}/")
    absent = str(uuid.uuid4())
    none = ask(hub, narrow, "GET", f"/hub/status/{absent}/")
    assert found.status == none.status == 404
    assert found.body.replace(status.encode(), absent.encode()) == none.body


def test_networks_hold_for_every_way_of_sending_a_token(hub: Hub, accounts: Accounts) -> None:
    _, here = accounts.add_token("leo", networks=["127.0.0.0/8", "2001:db8::/32"])
    _, elsewhere = accounts.add_token("leo", networks=["192.0.2.0/24", "::1/128"])
    assert ask(hub, here, "GET", at(MINE)).status == 200
    basic = "Basic " + base64.b64encode(f"leo:{elsewhere}".encode()).decode()
    for header in (f"Bearer {elsewhere}", f"Token {elsewhere}", basic):
        for said in ({}, {"X-Forwarded-For": "192.0.2.1"}):
            refused = hub.call("GET", at(MINE), None, headers={"Authorization": header, **said})
            wrong = hub.call("GET", at(MINE), None, headers={"Authorization": "Bearer cth_nothing"})
            assert refused.status == wrong.status == 401
            assert refused.body == wrong.body


def answers(hub: Hub, text: str) -> set[int]:
    return {ask(hub, text, "GET", at(MINE)).status for _ in range(ROUNDS)}


def test_what_is_revoked_expired_or_disabled_is_refused_by_every_process_at_once(hub: Hub, accounts: Accounts) -> None:
    token, text = accounts.add_token("lia")
    assert answers(hub, text) == {200}
    accounts.change_user("lia", lambda user: replace(user, disabled=True))
    assert answers(hub, text) == {401}
    accounts.change_user("lia", lambda user: replace(user, disabled=False))
    assert answers(hub, text) == {200}
    accounts.change_organisation("gas", lambda gas: replace(gas, disabled=True))
    assert answers(hub, text) == {401}
    assert {hub.get(at(MINE), "pam").status for _ in range(ROUNDS)} == {401}
    accounts.change_organisation("gas", lambda gas: replace(gas, disabled=False))
    assert answers(hub, text) == {200}
    accounts.remove_token(token.id)
    assert answers(hub, text) == {401}
    _, late = accounts.add_token("lia", expires=times.now())
    assert answers(hub, late) == {401}
